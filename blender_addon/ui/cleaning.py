# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""The artist's cleaning of the loaded take, as settings of the scene: undo works on them, the file saves them."""

from __future__ import annotations

from typing import Any

import bpy

from bdfm_infer.calibrate import Calibration
from bdfm_infer.parameters import ACTION_UNITS, ROTATION
from bdfm_infer.smooth import CUTOFF_HZ, Smoothing

from ..core.cleaning import Cleaning
from ..core.edits import MAX_GAIN, Edits, UnitEdit

MOST_NEUTRAL = 0.95
DIGITS = 4
"""Blender keeps 32 bits: 0.7 comes back as 0.69999999."""
METHOD_ITEMS = [
    ("none", "None", "Values as they were captured"),
    ("one_euro", "One Euro", "Steady at rest, follows fast moves; never looks ahead"),
    ("zero_phase", "Zero Phase", "Weighs the frames before and after, so that nothing comes late"),
]


class BDFM_PG_unit(bpy.types.PropertyGroup):
    """Edits of one action unit."""

    gain: bpy.props.FloatProperty(
        name="Gain", description="Makes the action unit stronger or weaker", default=1, min=0, max=MAX_GAIN, soft_max=3
    )
    offset: bpy.props.FloatProperty(
        name="Offset", description="Added to the action unit throughout", default=0, min=-1, max=1
    )
    low: bpy.props.FloatProperty(
        name="Low", description="The action unit never goes below this", default=0, min=0, max=1
    )
    high: bpy.props.FloatProperty(
        name="High", description="The action unit never goes above this", default=1, min=0, max=1
    )
    mute: bpy.props.BoolProperty(name="Mute", description="Leave this action unit at rest")
    solo: bpy.props.BoolProperty(name="Solo", description="Leave all other action units at rest, unless they are solo")
    neutral: bpy.props.FloatProperty(
        name="Neutral", description="What this face shows at rest; taken out", default=0, min=0, max=MOST_NEUTRAL
    )
    curve: bpy.props.BoolProperty(name="Curve", description="Show the curve of this action unit below")


def _cutoff(group: str) -> Any:
    return bpy.props.FloatProperty(
        name=group.title(),
        description="Movements faster than this are smoothed, in cycles a second; lower is smoother",
        default=CUTOFF_HZ[group],
        min=0.1,
        max=100,
        soft_max=30,
    )


def _rotation_gain(name: str) -> Any:
    return bpy.props.FloatProperty(
        name=name.title(), description="Size of the head's turns; 0 is none", default=1, min=-MAX_GAIN, max=MAX_GAIN
    )


class BDFM_PG_cleaning(bpy.types.PropertyGroup):
    """Smoothing, calibration and edits."""

    take: bpy.props.StringProperty(description="The take that these settings belong to")
    method: bpy.props.EnumProperty(
        name="Smoothing",
        description="How the curves are smoothed",
        items=METHOD_ITEMS,
    )
    swap: bpy.props.BoolProperty(
        name="Swap Left and Right", description="For a video that was recorded mirrored, as by a selfie camera"
    )
    rest_first: bpy.props.IntProperty(name="First", description="First frame of the face at rest", default=1)
    rest_last: bpy.props.IntProperty(name="Last", description="Last frame of the face at rest", default=24)
    limits: bpy.props.BoolProperty(name="Limits", description="Show the limits instead of gain and offset")

    __annotations__ |= {name: bpy.props.PointerProperty(type=BDFM_PG_unit) for name in ACTION_UNITS}
    __annotations__ |= {f"cutoff_{group}": _cutoff(group) for group in CUTOFF_HZ}
    __annotations__ |= {f"gain_{name}": _rotation_gain(name) for name in ROTATION}


def read_cleaning(group: BDFM_PG_cleaning) -> Cleaning:
    """What the scene's settings say."""
    units, neutral = {}, {}
    for name in ACTION_UNITS:
        unit = getattr(group, name)
        numbers = (round(value, DIGITS) for value in (unit.gain, unit.offset, unit.low, unit.high))
        units[name] = UnitEdit(*numbers, unit.mute, unit.solo)
        if unit.neutral:
            neutral[name] = round(unit.neutral, DIGITS)
    return Cleaning(
        Calibration(neutral),
        Smoothing(group.method, {name: round(getattr(group, f"cutoff_{name}"), DIGITS) for name in CUTOFF_HZ}),
        Edits(units, group.swap, {name: round(getattr(group, f"gain_{name}"), DIGITS) for name in ROTATION}),
    )


def write_cleaning(group: BDFM_PG_cleaning, cleaning: Cleaning) -> None:
    """The inverse of :func:`read_cleaning`."""
    for name in ACTION_UNITS:
        unit, edit = getattr(group, name), cleaning.edits.units.get(name, UnitEdit())
        unit.gain, unit.offset, unit.low, unit.high = edit.gain, edit.offset, edit.low, edit.high
        unit.mute, unit.solo = edit.mute, edit.solo
        unit.neutral = cleaning.calibration.neutral.get(name, 0.0)
    group.method = cleaning.smoothing.method
    for name, hertz in CUTOFF_HZ.items():
        setattr(group, f"cutoff_{name}", cleaning.smoothing.cutoff_hz.get(name, hertz))
    group.swap = cleaning.edits.swap
    for name in ROTATION:
        setattr(group, f"gain_{name}", cleaning.edits.rotation.get(name, 1.0))


CLASSES = (BDFM_PG_unit, BDFM_PG_cleaning)
