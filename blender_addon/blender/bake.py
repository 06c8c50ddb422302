# SPDX-License-Identifier: GPL-3.0-or-later
"""A performance, a mapping and a character become keyframes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as rpt_
from numpy.typing import NDArray

from ..core.errors import AddonError
from ..core.mapping import Mapping
from ..core.matching import Missing
from ..core.performance import Performance
from ..core.reduce import reduce_keys, tolerance
from ..core.timing import Keys, SceneTime
from .bake_options import BakeOptions
from .fcurves import KeyWriter
from .item_curves import NewCurves, item_curve
from .plan import PLANNED, finished, plan_steps
from .properties import FloatArray, Property
from .rig import Character
from .versions import ActionSet, Channels

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
        NotEvaluatedError: strips or the neck have to be seen to move, and are not.
        BakeError: an object is gone, a data-block is linked from a library, its NLA is being tweaked, or nothing of
            the active action can be written.
    """
    return finished(bake_steps(performance, character, mapping, time, options))


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
    plan = yield from plan_steps(performance, character, mapping, time, options)
    for finding in plan.findings:
        if finding.blocks:
            raise BakeError(f"{character.name}: {finding.text}")
    keys, items = plan.keys, plan.items
    warnings = (*mapping.warnings, *(finding.text for finding in plan.findings))

    new = ActionSet(f"{performance.name} · {character.name}")
    slots = {item.id_block: item.slot for item in reversed(items)}
    places = {id_block: _place(id_block, slot, new, options) for id_block, slot in slots.items()}
    writer = KeyWriter(keys.frames, keys.gap_starts)
    made = NewCurves()
    written: list[int] = []
    try:
        for number, (item, columns) in enumerate(zip(items, plan.values, strict=True)):
            keep = _kept(item, columns, keys, options)
            for index, column in zip(item.indices, columns.T, strict=True):
                channels = places[item.id_block]
                found = item_curve(channels, item, index)
                if found.writable:
                    writer.write(found.curve or made.make(channels, item, index), column, keep)
                    written.append(int(keep.sum()))
            yield PLANNED + (1 - PLANNED) * number / len(items)
    except BaseException:
        writer.take_back()
        made.remove()
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
        missing=plan.resolution.missing,
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


def _place(id_block: bpy.types.ID, slot: str, new: ActionSet, options: BakeOptions) -> Channels:
    animation = id_block.animation_data
    if options.target == "ACTIVE_ACTION" and animation is not None and animation.action is not None:
        return new.active_channels(id_block, slot)
    return new.channels(id_block, slot)


def _kept(item: Property, values: FloatArray, keys: Keys, options: BakeOptions) -> NDArray[np.bool_]:
    if options.largest_error <= 0:
        return np.ones(len(values), bool)
    full = 1.0 if item.channel.kind == "shape_key" else None
    return reduce_keys(keys.frames, values, tolerance(values, options.largest_error, full), keys.gap_starts)
