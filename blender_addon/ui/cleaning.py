# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""The artist's cleaning of the loaded take, as settings of the scene: undo works on them, the file saves them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import bpy

from bdfm_infer.calibrate import Calibration
from bdfm_infer.parameters import ACTION_UNITS, ROTATION
from bdfm_infer.smooth import CUTOFF_HZ, Smoothing

from ..core.cleaning import Cleaning
from ..core.edits import MAX_GAIN, Edits, UnitEdit
from ..core.presets import list_presets

MOST_NEUTRAL = 0.95
DIGITS = 4
"""Blender keeps 32 bits: 0.7 comes back as 0.69999999."""
EDIT_ITEMS = [
    ("gain", "Gain", "How strong each action unit is"),
    ("offset", "Offset", "What is added to each action unit"),
    ("low", "Low", "What each action unit never goes below"),
    ("high", "High", "What each action unit never goes above"),
]
METHOD_ITEMS = [
    ("none", "None", "Values as they were captured"),
    ("one_euro", "One Euro", "Steady at rest, follows fast moves; never looks ahead"),
    ("zero_phase", "Zero Phase", "Weighs the frames before and after, so that nothing comes late"),
]


listeners: list[Callable[[], None]] = []
"""Called when the artist changes what is baked."""
_quiet = False


def _changed(owner: bpy.types.PropertyGroup | None, context: bpy.types.Context | None) -> None:
    if not _quiet:
        for listener in listeners:
            listener()


def _preset_names(self: bpy.types.PropertyGroup, context: bpy.types.Context, typed: str) -> list[str]:
    return list_presets(presets_folder())


def presets_folder() -> Path:
    """Where presets are kept; it may not be there yet."""
    return Path(bpy.utils.user_resource("SCRIPTS", path="presets")) / "bdfm_face_capture"


def _number(name: str, description: str, default: float, **limits: float) -> Any:
    return bpy.props.FloatProperty(
        name=name, description=description, default=default, step=5, update=_changed, **limits
    )


def _switch(name: str, description: str, default: bool = False) -> Any:
    return bpy.props.BoolProperty(name=name, description=description, default=default, update=_changed)


class BDFM_PG_unit(bpy.types.PropertyGroup):
    """Edits of one action unit."""

    gain: _number("Gain", "Makes the action unit stronger or weaker", 1, min=0, max=MAX_GAIN, soft_max=3)
    offset: _number("Offset", "Added to the action unit throughout", 0, min=-1, max=1)
    low: _number("Low", "The action unit never goes below this", 0, min=0, max=1)
    high: _number("High", "The action unit never goes above this", 1, min=0, max=1)
    mute: _switch("Mute", "Leave this action unit at rest")
    solo: _switch("Solo", "Leave all other action units at rest, unless they are solo as well")
    neutral: _number("Neutral", "What this face shows at rest, taken out of the take", 0, min=0, max=MOST_NEUTRAL)
    curve: bpy.props.BoolProperty(name="Curve", description="Show the curve of this action unit in the panel Curves")


class BDFM_PG_cleaning(bpy.types.PropertyGroup):
    """Smoothing, calibration and edits."""

    take: bpy.props.StringProperty(description="The take that these settings belong to")
    method: bpy.props.EnumProperty(
        name="Smoothing", description="How the curves are smoothed", items=METHOD_ITEMS, update=_changed
    )
    swap: _switch("Swap Left and Right", "For a video that was recorded mirrored, as by a selfie camera")
    complete_blinks: _switch(
        "Complete Blinks",
        "Let quick closures of the eyes close them wholly. Eyes that are held half shut stay so",
        True,
    )
    shown: bpy.props.EnumProperty(name="Shown", description="What the list shows of each action unit", items=EDIT_ITEMS)
    preset: bpy.props.StringProperty(
        name="Preset", description="Name of a preset", search=_preset_names, search_options={"SUGGESTION"}, maxlen=60
    )
    rest_first: bpy.props.IntProperty(name="First", description="First frame of the face at rest", default=1)
    rest_last: bpy.props.IntProperty(name="Last", description="Last frame of the face at rest", default=24)

    __annotations__ |= {name: bpy.props.PointerProperty(type=BDFM_PG_unit) for name in ACTION_UNITS}
    __annotations__ |= {
        f"cutoff_{group}": _number(
            group.title(), "Cycles a second; what moves faster is smoothed", hertz, min=0.1, max=100, soft_max=30
        )
        for group, hertz in CUTOFF_HZ.items()
    }
    __annotations__ |= {
        f"gain_{name}": _number(name.title(), "Size of the head's turns; 0 is none", 1, min=-MAX_GAIN, max=MAX_GAIN)
        for name in ROTATION
    }


_read: tuple[tuple[Any, ...], Cleaning] | None = None


def read_cleaning(group: BDFM_PG_cleaning) -> Cleaning:
    """What the scene's settings say. While they say the same, the same object."""
    global _read
    units = [getattr(group, name) for name in ACTION_UNITS]
    numbers = tuple((u.gain, u.offset, u.low, u.high, u.mute, u.solo, u.neutral) for u in units)
    cutoffs = tuple(getattr(group, f"cutoff_{name}") for name in CUTOFF_HZ)
    gains = tuple(getattr(group, f"gain_{name}") for name in ROTATION)
    key = (numbers, cutoffs, gains, group.method, group.swap, group.complete_blinks)
    if _read is None or _read[0] != key:
        _read = key, _cleaning(*key)
    return _read[1]


def _cleaning(
    numbers: tuple[Any, ...],
    cutoffs: tuple[float, ...],
    gains: tuple[float, ...],
    method: str,
    swap: bool,
    complete_blinks: bool,
) -> Cleaning:
    def rounded(names: Iterable[str], values: Iterable[float]) -> dict[str, float]:
        return {name: round(value, DIGITS) for name, value in zip(names, values, strict=True)}

    neutral = rounded(ACTION_UNITS, (unit[-1] for unit in numbers))
    edits = {}
    for name, (*values, mute, solo, _) in zip(ACTION_UNITS, numbers, strict=True):
        gain, offset, low, high = (round(value, DIGITS) for value in values)
        edits[name] = UnitEdit(gain, offset, low, high, mute, solo)
    return Cleaning(
        Calibration({name: value for name, value in neutral.items() if value}),
        Smoothing(method, rounded(CUTOFF_HZ, cutoffs)),
        Edits(edits, swap, rounded(ROTATION, gains), complete_blinks),
    )


def write_cleaning(group: BDFM_PG_cleaning, cleaning: Cleaning) -> None:
    """The inverse of :func:`read_cleaning`; the listeners are called once."""
    global _quiet
    _quiet = True
    for name in ACTION_UNITS:
        unit, edit = getattr(group, name), cleaning.edits.units.get(name, UnitEdit())
        unit.gain, unit.offset, unit.low, unit.high = edit.gain, edit.offset, edit.low, edit.high
        unit.mute, unit.solo = edit.mute, edit.solo
        unit.neutral = cleaning.calibration.neutral.get(name, 0.0)
    group.method = cleaning.smoothing.method
    for name, hertz in CUTOFF_HZ.items():
        setattr(group, f"cutoff_{name}", cleaning.smoothing.cutoff_hz.get(name, hertz))
    group.swap = cleaning.edits.swap
    group.complete_blinks = cleaning.edits.complete_blinks
    for name in ROTATION:
        setattr(group, f"gain_{name}", cleaning.edits.rotation.get(name, 1.0))
    _quiet = False
    _changed(None, None)


CLASSES = (BDFM_PG_unit, BDFM_PG_cleaning)
