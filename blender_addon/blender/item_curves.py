# SPDX-License-Identifier: GPL-3.0-or-later
"""The F-curves that a bake writes: found, judged, made, and taken away again."""

from __future__ import annotations

from dataclasses import dataclass, field

import bpy

from .properties import Property
from .versions import GROUPS_MUTE, Channels


@dataclass(frozen=True)
class ItemCurve:
    """Where one number of a property is, or will be, animated.

    Attributes:
        curve: None where it is not there yet.
        group: that the curve is in, or will be in; None where it is in none, or will be in a new one.
    """

    curve: bpy.types.FCurve | None
    group: bpy.types.ActionGroup | None

    @property
    def locked(self) -> bool:
        """Whether the artist has locked it, or its group."""
        return any(owner.lock for owner in self.owners)

    @property
    def muted(self) -> bool:
        """Whether it moves nothing."""
        return any(owner.mute for owner in (self.owners if GROUPS_MUTE else [self.curve]) if owner is not None)

    @property
    def sampled(self) -> bool:
        """Whether it holds samples, beside which keys would share their memory."""
        return self.curve is not None and len(self.curve.sampled_points) > 0

    @property
    def writable(self) -> bool:
        """Whether it may take keys."""
        return not (self.locked or self.sampled)

    @property
    def owners(self) -> list[bpy.types.FCurve | bpy.types.ActionGroup]:
        """Curve and group, as far as they are there."""
        return [owner for owner in (self.curve, self.group) if owner is not None]


def item_curve(channels: Channels | None, item: Property, index: int) -> ItemCurve:
    """What is there for one number of a property; ``channels`` is None where nothing is animated yet."""
    if channels is None:
        return ItemCurve(None, None)
    curve = channels.fcurves.find(item.path, index=index)
    return ItemCurve(curve, channels.groups.get(item.group) if curve is None else curve.group)


@dataclass
class NewCurves:
    """The F-curves that a bake makes."""

    _made: list[tuple[Channels, bpy.types.FCurve]] = field(default_factory=list)

    def make(self, channels: Channels, item: Property, index: int) -> bpy.types.FCurve:
        """One more, for one number of a property."""
        curve = channels.fcurves.new(item.path, index=index)
        curve.group = channels.groups.get(item.group) or channels.groups.new(item.group)
        self._made.append((channels, curve))
        return curve

    def remove(self) -> None:
        """Take them all away again."""
        for channels, curve in self._made:
            channels.fcurves.remove(curve)
        self._made.clear()
