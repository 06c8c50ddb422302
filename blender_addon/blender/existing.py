# SPDX-License-Identifier: GPL-3.0-or-later
"""What the properties of a character do before a bake."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager

import bpy
import numpy as np
from numpy.typing import NDArray

from .item_curves import item_curve
from .properties import FloatArray, Property
from .versions import channels_of


def plays_strips(id_block: bpy.types.ID) -> bool:
    """Whether NLA strips move a data-block."""
    animation = id_block.animation_data
    return (
        bool(animation)
        and animation.use_nla
        and any(not track.mute and any(not strip.mute for strip in track.strips) for track in animation.nla_tracks)
    )


def curve_values(item: Property, frames: NDArray[np.int64]) -> FloatArray:
    """Values (m, c) of a property at whole frames: of its F-curves, or what it is now where it has none."""
    channels = channels_of(item.id_block)
    columns = []
    for index, now in zip(item.indices, _now(item), strict=True):
        found = item_curve(channels, item, index)
        curve = found.curve
        if curve is None or found.muted:
            columns.append(np.full(len(frames), now))
        else:
            columns.append(np.array([curve.evaluate(frame) for frame in frames.tolist()]))
    return np.stack(columns, axis=1)


def sampled_values(
    scene: bpy.types.Scene, items: Sequence[Property], frames: NDArray[np.int64], share: float
) -> Generator[float, None, list[FloatArray]]:
    """Values (m, c) of several properties as the scene shows them, NLA strips included.

    The scene is played frame by frame, which takes milliseconds each, and then put back to its frame. Yields what is
    done, from 0 to ``share``.
    """
    found = [np.empty((len(frames), len(item.indices))) for item in items]
    current, subframe = scene.frame_current, scene.frame_subframe
    try:
        for row, frame in enumerate(frames.tolist()):
            scene.frame_set(frame)
            for item, values in zip(items, found, strict=True):
                values[row] = _now(item)
            yield share * row / len(frames)
    finally:
        scene.frame_set(current, subframe=subframe)
    return found


@contextmanager
def modifiers_muted(items: Iterable[Property]) -> Iterator[None]:
    """Mute the modifiers of the properties' F-curves, which go on to work on whatever keys the curves get.

    Cycles are left: within the keys they change nothing, and outside they are what the channel does.
    """
    muted = []
    for item in items:
        channels = channels_of(item.id_block)
        curves = (channels.fcurves.find(item.path, index=index) for index in item.indices) if channels else ()
        for curve in filter(None, curves):
            muted += [each for each in curve.modifiers if not each.mute and each.type != "CYCLES"]
    for modifier in muted:
        modifier.mute = True
    try:
        yield
    finally:
        for modifier in muted:
            modifier.mute = False


def _now(item: Property) -> list[float]:
    value = item.id_block.path_resolve(item.path)
    return [float(value[index]) for index in item.indices] if hasattr(value, "__len__") else [float(value)]
