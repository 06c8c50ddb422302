# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""A character's gains, kept on its top object beside its mapping; bake, preview, batch and checks read them here."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import bpy
from bpy.types import Object

from bdfm_infer.parameters import ACTION_UNITS, ROTATION

from ..core.edits import MAX_GAIN
from ..core.gains import NO_GAINS, Gains
from ..core.mapping import SOURCES

PROPERTY = "bdfm_gains"
DIGITS = 4
"""Blender keeps 32 bits: 0.7 comes back as 0.69999999."""

listeners: list[Callable[[], None]] = []
"""Called when the artist changes a gain."""


def _changed(owner: BDFM_PG_gains, context: bpy.types.Context) -> None:
    for listener in listeners:
        listener()


def _gain(name: str, description: str, least: float = 0.0) -> Any:
    return bpy.props.FloatProperty(
        name=name,
        description=description,
        default=1,
        min=least,
        max=MAX_GAIN,
        soft_min=max(least, -3),
        soft_max=3,
        step=5,
        options=set(),
        override={"LIBRARY_OVERRIDABLE"},
        update=_changed,
    )


class BDFM_PG_gains(bpy.types.PropertyGroup):
    """Gains of one character, for every take that is baked onto it or shown on it."""

    overall: _gain("Gain", "Makes the expressions of this character stronger or weaker")

    __annotations__ |= {
        name: _gain(meaning.title(), "Makes this action unit stronger or weaker on this character, times Gain")
        for name, meaning in ACTION_UNITS.items()
    }
    __annotations__ |= {
        name: _gain(name.title(), "Size of the head's turns on this character; 0 is none", -MAX_GAIN)
        for name in ROTATION
    }

    def reset(self) -> None:
        """Make all of them 1."""
        for name in ("overall", *SOURCES):
            self.property_unset(name)
        _changed(self, bpy.context)


def gains_of(top: Object | None) -> Gains:
    """The gains kept on a character's top object; all 1 where there are none."""
    group = getattr(top, PROPERTY, None)
    if group is None:
        return NO_GAINS
    read = {name: round(getattr(group, name), DIGITS) for name in ("overall", *SOURCES)}
    changed = {name: gain for name, gain in read.items() if gain != 1 and math.isfinite(gain)}
    return Gains(changed.pop("overall", 1.0), changed)


def attach() -> None:
    """Give objects their gains."""
    pointer = bpy.props.PointerProperty(type=BDFM_PG_gains, override={"LIBRARY_OVERRIDABLE"})
    setattr(Object, PROPERTY, pointer)


def detach() -> None:
    """Take them away again; the file keeps what was set."""
    delattr(Object, PROPERTY)
