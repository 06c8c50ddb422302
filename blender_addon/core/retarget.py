# SPDX-License-Identifier: GPL-3.0-or-later
"""From the values of a take to the values of a rig's channels."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .mapping import SOURCES, Mapping
from .matching import Resolution, ResolvedTarget
from .rig import OwnerKind
from .targets import BoneLocation, BoneRotation, BoneScale, BoneTarget, ShapeKey

FloatArray = NDArray[np.float64]

SHAPE_KEY_LIMITS: Final = (0.0, 1.0)
SMALLEST: Final = 1e-6
"""Components of a direction below this are rounding errors, not movements."""


@dataclass(frozen=True)
class Channel:
    """One animated value of a rig.

    Attributes:
        kind: ``shape_key``, ``bone_location``, ``bone_rotation``, ``bone_scale`` or ``custom_property``.
        owner_kind, owner: the mesh object, pose bone, object or armature data-block.
        name: of the shape key or property; empty for bones.
        index: 0 to 2 for a location or scale, of which only moving axes come; None for the others.
        values: (m,) float64; (m, 3) rotation vectors in radians, in the bone's own space, for ``bone_rotation``.
    """

    kind: str
    owner_kind: OwnerKind
    owner: str
    name: str
    index: int | None
    values: FloatArray


def retarget(resolution: Resolution, values: ArrayLike) -> list[Channel]:
    """Channels of a rig for m moments of a take.

    Contributions to one target are added, then held within its limits; where several targets state limits, the widest
    hold. ``combine`` weakens contributions before they are added.

    Args:
        resolution: the mapping laid over the rig.
        values: (m, 26), columns as in ``mapping.SOURCES``: 23 action units in [0, 1], then yaw, pitch, roll in degrees.
    """
    values = np.asarray(values, np.float64)
    weakened, nothing = _Weakening(resolution.mapping, values), np.zeros(len(values))
    groups: dict[tuple[object, ...], list[ResolvedTarget]] = defaultdict(list)
    for place in resolution.targets:
        groups[_group(place)].append(place)
    channels: list[Channel] = []
    turning: dict[str, FloatArray] = {}
    shifted: dict[tuple[str, int], FloatArray] = {}
    for places in groups.values():
        first = places[0]
        amounts = _limit(sum((_contribution(place, weakened) for place in places), nothing), places)
        direction = first.direction or ()
        if isinstance(first.target, BoneRotation):
            vectors = np.radians(amounts)[:, None] * np.array(direction)
            turning[first.owner] = turning.get(first.owner, 0.0) + vectors
        elif isinstance(first.target, BoneLocation):
            for index, share in enumerate(direction):
                if abs(share) > SMALLEST:
                    shifted[first.owner, index] = shifted.get((first.owner, index), nothing) + amounts * share
        elif isinstance(first.target, BoneScale):
            index = int(np.argmax(direction))
            channels.append(Channel("bone_scale", "pose_bone", first.owner, "", index, 1 + amounts))
        else:
            channels.append(Channel(first.target.kind, first.owner_kind, first.owner, first.name, None, amounts))
    channels += [
        Channel("bone_location", "pose_bone", bone, "", index, moved) for (bone, index), moved in shifted.items()
    ]
    channels += [Channel("bone_rotation", "pose_bone", bone, "", None, vectors) for bone, vectors in turning.items()]
    return channels


def _group(place: ResolvedTarget) -> tuple[object, ...]:
    """What is added up and limited together: one key or property, or one axis of a bone."""
    axis = place.target.axis if isinstance(place.target, BoneTarget) else ""
    return place.target.kind, place.owner_kind, place.owner, place.name, axis, place.direction


def _contribution(place: ResolvedTarget, weakened: _Weakening) -> FloatArray:
    return weakened.column(place.source, place.target.side) * (place.target.per_unit * place.unit)


def _limit(amounts: FloatArray, places: list[ResolvedTarget]) -> FloatArray:
    lows = [place.target.min * place.unit for place in places if place.target.min is not None]
    highs = [place.target.max * place.unit for place in places if place.target.max is not None]
    low, high = SHAPE_KEY_LIMITS if isinstance(places[0].target, ShapeKey) else (-np.inf, np.inf)
    return amounts.clip(min(lows, default=low), max(highs, default=high))


class _Weakening:
    """The columns of the sources, after ``combine``."""

    def __init__(self, mapping: Mapping, values: FloatArray) -> None:
        self._mapping = mapping
        self._columns = dict(zip(SOURCES, values.T, strict=True))
        self._known: dict[tuple[str, str | None], FloatArray] = {}

    def column(self, source: str, side: str | None) -> FloatArray:
        """Values of a source (m,) as they reach targets of one side, or of none."""
        if (source, side) not in self._known:
            column = self._columns[source]
            for rule in self._mapping.combine:
                if rule.reduce == source and rule.on in (None, side):
                    column = column * (1 - np.clip(self._columns[rule.by], 0.0, 1.0))
            self._known[source, side] = column
        return self._known[source, side]
