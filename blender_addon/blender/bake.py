# SPDX-License-Identifier: GPL-3.0-or-later
"""A performance, a mapping and a character become keyframes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as rpt_
from numpy.typing import NDArray

from ..core.additive import aligned, property_values
from ..core.errors import AddonError
from ..core.gains import strengthened
from ..core.mapping import Mapping
from ..core.matching import Missing
from ..core.performance import Performance
from ..core.reduce import reduce_keys, tolerance
from ..core.retarget import Channel, retarget
from ..core.timing import Keys, SceneTime, resample
from .bake_options import BakeOptions
from .bake_warnings import action_warnings, curve_warnings, is_writable, scene_warnings
from .checks import Finding, channel_name, findings
from .existing import curve_values, modifiers_muted, plays_strips, sampled_values
from .fcurves import KeyWriter
from .gains import gains_of
from .neck import placed
from .properties import FloatArray, Property, properties_of
from .rig import Character
from .versions import ActionSet, Channels

DEFAULTS = BakeOptions()
SAMPLING = 0.45
"""Share of a bake that plays the scene, where it has to be played."""


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
        actions: names of the actions that hold the keyframes: one, or one for each data-block before Blender 4.4.
        curves: number of F-curves.
        keys: number of frames that a curve can have a key at.
        written: number of keys on all curves together; ``curves * keys`` where none was left out.
        first, last: scene frames of the first and the last key.
        missing: targets of the mapping that the character lacks, each with the nearest names.
        warnings: what will not look as captured, and why.
    """

    character: str
    mapping: str
    actions: tuple[str, ...]
    curves: int
    keys: int
    written: int
    first: int
    last: int
    missing: tuple[Missing, ...]
    warnings: tuple[str, ...]


def scene_time(scene: bpy.types.Scene, start: float, speed: float = 1.0) -> SceneTime:
    """The scene's clock, with the take's second 0 at frame ``start``."""
    return SceneTime(fps=scene.render.fps, fps_base=scene.render.fps_base, start=start, speed=speed)


def bake(
    performance: Performance,
    character: Character,
    mapping: Mapping,
    time: SceneTime,
    options: BakeOptions = DEFAULTS,
) -> BakeReport:
    """Bake a performance onto a character, with the gains that are kept on it.

    Args:
        performance: see :meth:`Performance.from_take`.
        character: see :func:`.rig.characters_in`.
        mapping: see :func:`core.matching.choose`.
        time: the scene's clock, see :func:`scene_time`.
        options: where the keyframes go, and which of them.

    Raises:
        TimingError: no row of the take shows a face, or none lies in the range.
        NoMappingError: nothing of the mapping is on the character.
        BakeError: an object is gone, a data-block is linked from a library, or its NLA is being tweaked.
    """
    steps = bake_steps(performance, character, mapping, time, options)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            report: BakeReport = end.value
            return report


def bake_steps(
    performance: Performance,
    character: Character,
    mapping: Mapping,
    time: SceneTime,
    options: BakeOptions = DEFAULTS,
) -> Generator[float, None, BakeReport]:
    """:func:`bake` in small steps. Yields the share that is done, 0 to 1, and returns the report.

    Closed before its end, it leaves the character as it was.
    """
    _refuse_gone(character)
    resolution = placed(character, mapping, options.head)
    keys = resample(performance.timestamps, performance.values, time).within(options.first, options.last)
    if options.additive:
        keys = keys.filled()
    channels = retarget(resolution, strengthened(keys.values, gains_of(character.top)))
    items = properties_of(character, channels)
    values = yield from _values(items, keys.frames, options)
    found = findings(character, resolution, [_shown(*pair) for pair in zip(items, values, strict=True)])
    _refuse(character, items, found, options)
    warnings = [
        *mapping.warnings,
        *scene_warnings(bpy.context.scene),
        *(finding.text for finding in found),
        *action_warnings(items, options),
    ]

    new = ActionSet(f"{performance.name} · {character.name}")
    slots = {item.id_block: item.slot for item in reversed(items)}
    places = {id_block: _place(id_block, slot, new, options) for id_block, slot in slots.items()}
    writer = KeyWriter(keys.frames, keys.gap_starts)
    written: list[int] = []
    try:
        for number, (item, columns) in enumerate(zip(items, values, strict=True)):
            keep = _kept(item, columns, keys, options)
            for index, column in zip(item.indices, columns.T, strict=True):
                curve = _curve(places[item.id_block], item, index)
                warnings += curve_warnings(curve, channel_name(item.channel))
                if is_writable(curve):
                    writer.write(curve, column, keep)
                    written.append(int(keep.sum()))
            yield 0.5 + 0.5 * number / len(items)
    except BaseException:
        writer.take_back()
        for channels in places.values():
            for curve in [curve for curve in channels.fcurves if curve.is_empty]:
                channels.fcurves.remove(curve)
        new.remove()
        raise
    first, last = int(keys.frames[0]), int(keys.frames[-1])
    if options.target == "NLA_STRIP":
        new.push(performance.name, first, last)
    else:
        new.assign()
    for id_block in slots:
        id_block.update_tag()
    return BakeReport(
        character=character.name,
        mapping=mapping.name,
        actions=tuple(dict.fromkeys(place.id_data.name for place in places.values())),
        curves=len(written),
        keys=len(keys.frames),
        written=sum(written),
        first=first,
        last=last,
        missing=resolution.missing,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _refuse_gone(character: Character) -> None:
    try:
        whole = all(item.name and (item.type != "MESH" or item.data) for item in (*character.objects, character.top))
    except ReferenceError:
        whole = False
    if not whole:
        raise BakeError(
            rpt_("{character}: one of its objects was deleted meanwhile. Select the character again.").format(
                character=character.name
            )
        )


def _refuse(character: Character, items: Sequence[Property], found: Sequence[Finding], options: BakeOptions) -> None:
    for finding in found:
        if finding.blocks:
            raise BakeError(f"{character.name}: {finding.text}")
    for item in items if options.target == "ACTIVE_ACTION" else ():
        animation = item.id_block.animation_data
        if animation is not None and animation.action is not None and animation.action.library is not None:
            raise BakeError(
                rpt_(
                    "{character}: its action {action!r} is linked from a library, where Blender would lose "
                    "the keyframes. Bake a new action, or make this one local."
                ).format(character=character.name, action=animation.action.name)
            )


def _values(
    items: Sequence[Property], frames: NDArray[np.int64], options: BakeOptions
) -> Generator[float, None, list[FloatArray]]:
    """What each property is to be, (m, c) in its own unit."""
    with modifiers_muted(items if options.additive and options.target == "ACTIVE_ACTION" else ()):
        return (yield from _read_values(items, frames, options))


def _read_values(
    items: Sequence[Property], frames: NDArray[np.int64], options: BakeOptions
) -> Generator[float, None, list[FloatArray]]:
    on_strips = [item for item in items if options.additive and plays_strips(item.id_block)]
    begun = SAMPLING if on_strips else 0.0
    sampled = (yield from sampled_values(bpy.context.scene, on_strips, frames, begun)) if on_strips else []
    shown = {id(item): values for item, values in zip(on_strips, sampled, strict=True)}
    found: list[FloatArray] = []
    for number, item in enumerate(items):
        existing = shown.get(id(item))
        if existing is None and options.additive:
            existing = curve_values(item, frames)
        values = property_values(item.channel, item.rotation_mode, existing)
        if item.rotation_mode and options.target == "ACTIVE_ACTION":
            values = aligned(item.rotation_mode, values, near=curve_values(item, frames[:1])[0])
        found.append(values)
        yield begun + (0.5 - begun) * number / len(items)
    return found


def _shown(item: Property, values: FloatArray) -> Channel:
    """The channel with what the property will show, for the checks."""
    return item.channel if item.rotation_mode else replace(item.channel, values=values[:, 0])


def _place(id_block: bpy.types.ID, slot: str, new: ActionSet, options: BakeOptions) -> Channels:
    animation = id_block.animation_data
    if options.target == "ACTIVE_ACTION" and animation is not None and animation.action is not None:
        return new.active_channels(id_block, slot)
    return new.channels(id_block, slot)


def _curve(channels: Channels, item: Property, index: int) -> bpy.types.FCurve:
    curve = channels.fcurves.find(item.path, index=index)
    if curve is None:
        curve = channels.fcurves.new(item.path, index=index)
        curve.group = channels.groups.get(item.group) or channels.groups.new(item.group)
    return curve


def _kept(item: Property, values: FloatArray, keys: Keys, options: BakeOptions) -> NDArray[np.bool_]:
    if options.largest_error <= 0:
        return np.ones(len(values), bool)
    full = 1.0 if item.channel.kind == "shape_key" else None
    return reduce_keys(keys.frames, values, tolerance(values, options.largest_error, full), keys.gap_starts)
