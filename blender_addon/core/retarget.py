# SPDX-License-Identifier: GPL-3.0-or-later
"""From the values of a take to the values of a rig's channels."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bdfm_infer.parameters import N_AU, ROTATION

from .head_angles import shared_turn
from .mapping import SOURCES
from .matching import Resolution, ResolvedTarget
from .rig import OwnerKind
from .targets import BoneLocation, BoneRotation, BoneScale, BoneTarget, ShapeKey

FloatArray = NDArray[np.float64]

SHAPE_KEY_LIMITS: Final = (0.0, 1.0)
READABLE: Final = (*SOURCES, *ROTATION)
"""Rows that targets read: the values of a take, then the :func:`.head_angles.shared_turn` of its three angles."""
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
    """Channels of a rig for m moments of a take, see :class:`Retargeting`.

    Args:
        resolution: the mapping laid over the rig.
        values: (m, 26), columns as in ``mapping.SOURCES``: 23 action units in [0, 1], then yaw, pitch, roll in degrees.
    """
    return Retargeting(resolution).channels(values)


class Retargeting:
    """A mapping laid over a rig, made ready once for any moments of takes.

    Bones turn by the head's angles as one rotation, see :func:`.head_angles.shared_turn`; keys, properties, locations
    and scales take them one by one. Contributions to one target are added, then held within its limits; where several
    targets state limits, the widest hold. ``combine`` weakens contributions before they are added.
    """

    def __init__(self, resolution: Resolution) -> None:
        columns = list(dict.fromkeys(map(_read_by, resolution.targets)))
        self._rows = [row for row, _, _ in columns]
        self._combine = [
            (
                SOURCES.index(rule.by),
                [rule.weakens(READABLE[row], side, name) for row, side, name in columns],
            )
            for rule in resolution.mapping.combine
        ]
        groups: dict[tuple[object, ...], list[ResolvedTarget]] = defaultdict(list)
        for place in resolution.targets:
            groups[_group(place)].append(place)
        self._amounts = _Sums(
            [(columns.index(_read_by(place)), place.target.per_unit * place.unit) for place in places]
            for places in groups.values()
        )
        self._lows, self._highs = np.array([_limits(places) for places in groups.values()]).reshape(-1, 2).T
        parts: dict[_Moved, list[list[tuple[int, float]]]] = {}
        for number, places in enumerate(groups.values()):
            for moved, vector in _moves(places[0]):
                for component, share in zip(parts.setdefault(moved, [[] for _ in vector]), vector, strict=True):
                    component.append((number, share))
        self._components = _Sums(chain.from_iterable(parts.values()))
        ends = np.cumsum([len(components) for components in parts.values()], dtype=int).tolist()
        self._moved = [(moved, slice(end - len(parts[moved]), end)) for moved, end in zip(parts, ends, strict=True)]

    def channels(self, values: ArrayLike) -> list[Channel]:
        """Channels for values (m, 26) as :func:`retarget` takes them; the same ones in the same order each time."""
        values = np.asarray(values, np.float64).T
        read = np.concatenate([values, shared_turn(values[N_AU:])])[self._rows]
        for by, reduced in self._combine:
            read[reduced] *= 1 - values[by].clip(0.0, 1.0)
        amounts = self._amounts.of(read).clip(self._lows[:, None], self._highs[:, None])
        components = self._components.of(amounts)
        return [Channel(**vars(moved), values=_values(moved.kind, components[where])) for moved, where in self._moved]


class _Sums:
    """Weighted sums of rows.

    Args:
        sums: for each sum, the numbers of the rows that are added and their weights; never empty.
    """

    def __init__(self, sums: Iterable[list[tuple[int, float]]]) -> None:
        terms = list(sums)
        self._starts = np.cumsum([0, *map(len, terms)])[:-1]
        self._rows = [row for term in terms for row, _ in term]
        self._weights = np.array([[weight] for term in terms for _, weight in term])

    def of(self, values: FloatArray) -> FloatArray:
        """Of rows (k, m), (s, m). Not by a product of matrices, which would wait for threads of numpy's own."""
        return np.add.reduceat(values[self._rows] * self._weights, self._starts)


@dataclass(frozen=True)
class _Moved:
    """What a channel moves: all but its values."""

    kind: str
    owner_kind: OwnerKind
    owner: str
    name: str = ""
    index: int | None = None


def _values(kind: str, components: FloatArray) -> FloatArray:
    """Values of a channel, see :class:`Channel`, from its components (c, m)."""
    if kind == "bone_rotation":
        return components.T
    return components[0] + (1.0 if kind == "bone_scale" else 0.0)


def _read_by(place: ResolvedTarget) -> tuple[int, str | None, str]:
    """What a target reads, as a row of :data:`READABLE`, and its side and name, by which that is weakened."""
    turns_with_head = place.source in ROTATION and isinstance(place.target, BoneRotation)
    row = SOURCES.index(place.source)
    return (row + len(ROTATION) if turns_with_head else row), place.target.side, place.target.label


def _group(place: ResolvedTarget) -> tuple[object, ...]:
    """What is added up and limited together: one key or property, or one axis of a bone."""
    axis = place.target.axis if isinstance(place.target, BoneTarget) else ""
    return place.target.kind, place.owner_kind, place.owner, place.name, axis, place.direction


def _limits(places: list[ResolvedTarget]) -> tuple[float, float]:
    lows = [place.target.min * place.unit for place in places if place.target.min is not None]
    highs = [place.target.max * place.unit for place in places if place.target.max is not None]
    low, high = SHAPE_KEY_LIMITS if isinstance(places[0].target, ShapeKey) else (-np.inf, np.inf)
    return min(lows, default=low), max(highs, default=high)


def _moves(place: ResolvedTarget) -> list[tuple[_Moved, tuple[float, ...]]]:
    """The channels that a target's amount goes to, with what an amount of 1 adds to the components of each."""
    kind, direction = place.target.kind, place.direction or ()
    if isinstance(place.target, BoneRotation):
        return [(_Moved(kind, "pose_bone", place.owner), tuple(map(math.radians, direction)))]
    if isinstance(place.target, BoneLocation):
        moving = [(index, share) for index, share in enumerate(direction) if abs(share) > SMALLEST]
        return [(_Moved(kind, "pose_bone", place.owner, index=index), (share,)) for index, share in moving]
    if isinstance(place.target, BoneScale):
        return [(_Moved(kind, "pose_bone", place.owner, index=int(np.argmax(direction))), (1.0,))]
    return [(_Moved(kind, place.owner_kind, place.owner, place.name), (1.0,))]
