# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bake will do on one character, before it does any of it: the checks look at this, the bake writes it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.additive import aligned, property_values
from ..core.gains import strengthened
from ..core.mapping import Mapping
from ..core.matching import Resolution
from ..core.performance import Performance
from ..core.retarget import Channel, retarget
from ..core.timing import Keys, SceneTime, resample
from .bake_options import BakeOptions
from .bake_warnings import action_findings, scene_findings
from .bone_checks import gimbal_findings
from .checks import findings
from .existing import curve_values, modifiers_muted, plays_strips, sampled_values
from .finding import Finding
from .gains import gains_of
from .neck import placed
from .properties import FloatArray, Property, properties_of
from .rig import Character, objects_of, refuse_unevaluated

SAMPLING = 0.45
"""Share of a bake that plays the scene, where it has to be played."""

PLANNED = 0.5
"""Share of a bake that its plan takes."""

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """What a bake will do on one character.

    Attributes:
        resolution: the mapping as it is laid over the character.
        keys: where keys go, with the values of the performance.
        items: the properties that get them.
        values: of each property, (m, c) in its own unit.
        findings: everything that the bake meets.
    """

    resolution: Resolution
    keys: Keys
    items: list[Property]
    values: list[FloatArray]
    findings: list[Finding]


def plan_steps(
    performance: Performance,
    character: Character,
    mapping: Mapping,
    time: SceneTime,
    options: BakeOptions,
    play_strips: bool = True,
) -> Generator[float, None, Plan]:
    """Work a bake out in small steps. Yields the share of the bake that is done, 0 to :data:`PLANNED`.

    Args:
        performance, character, mapping, time, options: as for a bake.
        play_strips: whether an additive bake adds to what NLA strips do, for which the scene is played frame by frame;
            else that is left out.

    Raises:
        TimingError: no row of the take shows a face, or none lies in the range.
        NoMappingError: nothing of the mapping is on the character, or is left of it.
        NotEvaluatedError: strips or the neck have to be seen to move, and are not.
    """
    resolution = placed(character, mapping, options.head)
    keys = resample(performance.timestamps, performance.values, time).within(options.first, options.last)
    if options.additive:
        keys = keys.filled()
    items = properties_of(character, retarget(resolution, strengthened(keys.values, gains_of(character.top))))
    with modifiers_muted(items if options.additive and options.target == "ACTIVE_ACTION" else ()):
        values = yield from _values(character, items, keys.frames, options, play_strips)
    found = findings(character, resolution, [_shown(*pair) for pair in zip(items, values, strict=True)])
    found += [*gimbal_findings(items, values), *scene_findings(bpy.context.scene), *action_findings(items, options)]
    return Plan(resolution, keys, items, values, found)


def finished(steps: Generator[float, None, T]) -> T:
    """What steps return, once they have all been taken."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def _values(
    character: Character,
    items: Sequence[Property],
    frames: NDArray[np.int64],
    options: BakeOptions,
    play_strips: bool,
) -> Generator[float, None, list[FloatArray]]:
    """What each property is to be, (m, c) in its own unit."""
    on_strips = [item for item in items if options.additive and plays_strips(item.id_block)]
    for id_block in dict.fromkeys(item.id_block for item in on_strips):
        refuse_unevaluated(character.name, objects_of(character, id_block))
    played = on_strips if play_strips else []
    begun = SAMPLING if played else 0.0
    sampled = (yield from sampled_values(bpy.context.scene, played, frames, begun)) if played else []
    shown: dict[int, FloatArray | None] = {id(item): None for item in on_strips}
    shown |= {id(item): values for item, values in zip(played, sampled, strict=True)}
    found: list[FloatArray] = []
    for number, item in enumerate(items):
        existing = shown.get(id(item))
        if options.additive and id(item) not in shown:
            existing = curve_values(item, frames)
        values = property_values(item.channel, item.rotation_mode, existing)
        if item.rotation_mode and options.target == "ACTIVE_ACTION":
            values = aligned(item.rotation_mode, values, near=curve_values(item, frames[:1])[0])
        found.append(values)
        yield begun + (PLANNED - begun) * number / len(items)
    return found


def _shown(item: Property, values: FloatArray) -> Channel:
    """The channel with what the property will show, for the checks."""
    return item.channel if item.rotation_mode else replace(item.channel, values=values[:, 0])
