# SPDX-License-Identifier: GPL-3.0-or-later
"""A performance, a mapping and a character become keyframes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core import rotation
from ..core.errors import AddonError
from ..core.mapping import Mapping
from ..core.matching import Missing, resolve
from ..core.performance import Performance
from ..core.retarget import Channel, retarget
from ..core.timing import SceneTime, resample
from .bake_options import BakeOptions
from .checks import findings
from .fcurves import KeyWriter
from .rig import Character, owner_of, places_of, read_rig
from .versions import ActionSet, channels_of

FloatArray = NDArray[np.float64]
DEFAULTS = BakeOptions()


class BakeError(AddonError):
    """A character cannot take keyframes; the message names the reason and the way out. Nothing was changed."""

    code = "bake_refused"
    exit_code = 34


@dataclass(frozen=True)
class BakeReport:
    """What a bake did to one character.

    Attributes:
        character: its name.
        mapping: name of the mapping.
        actions: names of the new actions: one, or one for each data-block before Blender 4.4.
        curves: number of F-curves.
        keys: number of keys on each.
        first, last: scene frames of the first and the last key.
        missing: targets of the mapping that the character lacks, each with the nearest names.
        warnings: what will not look as captured, and why.
    """

    character: str
    mapping: str
    actions: tuple[str, ...]
    curves: int
    keys: int
    first: int
    last: int
    missing: tuple[Missing, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Curve:
    """One F-curve to be: ``path`` and ``index`` on ``id_block``, values (m,) in the property's own unit."""

    id_block: bpy.types.ID
    path: str
    index: int
    group: str
    values: FloatArray


def scene_time(scene: bpy.types.Scene, start: float) -> SceneTime:
    """The scene's clock, with the take's second 0 at frame ``start``."""
    return SceneTime(fps=scene.render.fps, fps_base=scene.render.fps_base, start=start)


def bake(
    performance: Performance,
    character: Character,
    mapping: Mapping,
    time: SceneTime,
    options: BakeOptions = DEFAULTS,
) -> BakeReport:
    """Bake a performance onto a character.

    Args:
        performance: see :meth:`Performance.from_take`.
        character: see :func:`.rig.characters_in`.
        mapping: see :func:`core.matching.choose`.
        time: the scene's clock, see :func:`scene_time`.
        options: where the keyframes go, and which of them.

    Raises:
        TimingError: no row of the take shows a face.
        NoMappingError: nothing of the mapping is on the character.
        BakeError: a data-block is linked from a library, or its NLA is being tweaked.
    """
    keys = resample(performance.timestamps, performance.values, time)
    resolution = resolve(mapping, read_rig(character))
    channels = retarget(resolution, keys.values)
    curves = _unique(curve for channel in channels for curve in _curves_of(character, channel))
    id_blocks = list(dict.fromkeys(curve.id_block for curve in curves))
    found = findings(character, resolution, channels)
    for finding in found:
        if finding.blocks:
            raise BakeError(f"{character.name}: {finding.text}")
    warnings = [*mapping.warnings, *(finding.text for finding in found), *_left_behind(curves)]

    actions = ActionSet(f"{performance.name} · {character.name}")
    places = {id_block: actions.channels(id_block) for id_block in id_blocks}
    writer = KeyWriter(keys.frames, keys.gap_starts)
    for curve in curves:
        writer.write(places[curve.id_block], curve.path, curve.index, curve.group, curve.values)
    return BakeReport(
        character=character.name,
        mapping=mapping.name,
        actions=tuple(action.name for action in actions.actions),
        curves=len(curves),
        keys=len(keys.frames),
        first=int(keys.frames[0]),
        last=int(keys.frames[-1]),
        missing=tuple(resolution.missing),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _unique(curves: Iterator[_Curve]) -> list[_Curve]:
    """Objects that share one mesh share its keys: each curve once."""
    return list({(curve.id_block, curve.path, curve.index): curve for curve in curves}.values())


def _curves_of(character: Character, channel: Channel) -> Iterator[_Curve]:
    group = channel.owner if channel.owner_kind == "pose_bone" else "Face"
    columns = [channel.values]
    if channel.kind == "bone_rotation":
        bone = owner_of(character, channel)[0].pose.bones[channel.owner]
        columns = list(_rotation(bone.rotation_mode, channel.values).T)
    for place, column in zip(places_of(character, channel), columns, strict=True):
        yield _Curve(place.id_block, place.path, place.index, group, column)


def _rotation(mode: str, vectors: FloatArray) -> FloatArray:
    """Values of a pose bone in one rotation mode, (m, 3 or 4), for rotation vectors (m, 3)."""
    if mode == "QUATERNION":
        return rotation.to_quaternion(vectors)
    if mode == "AXIS_ANGLE":
        return rotation.to_axis_angle(vectors)
    return rotation.to_euler(vectors, mode)


def _left_behind(curves: Sequence[_Curve]) -> Iterator[str]:
    """Actions that the bake puts away although they moved more than the face."""
    baked = {(curve.id_block, curve.path) for curve in curves}
    for id_block in dict.fromkeys(curve.id_block for curve in curves):
        old = channels_of(id_block)
        others = [curve for curve in old.fcurves if (id_block, curve.data_path) not in baked] if old else []
        if others:
            yield (
                f"{id_block.name}: its action {id_block.animation_data.action.name!r} also moved {len(others)} "
                "channels that are not of the face. It is kept: add it as a strip in the NLA editor to play both."
            )
