# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mapping can be matched against: the names and the rest pose of one character."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Vector = tuple[float, float, float]
Axes = tuple[Vector, Vector, Vector]
"""(3, 3) rows of a rotation whose columns are the x, y and z axes."""
OwnerKind = Literal["mesh", "pose_bone", "object", "armature"]
"""Who owns a channel: a mesh object's shape keys, a pose bone, an object, an armature data-block."""


@dataclass(frozen=True)
class Bone:
    """One bone at rest, in the armature's space.

    Attributes:
        head: (3,) position of the head, armature units.
        length: head to tail, armature units.
        matrix: the bone's own axes, about which it turns.
        location_axes: along which its location goes: its own; without Local Location its parent's, or the armature's.
    """

    head: Vector
    length: float
    matrix: Axes
    location_axes: Axes


@dataclass(frozen=True)
class PropertyOwner:
    """A data-block or bone that has numeric custom properties.

    Attributes:
        kind: ``object``, ``armature`` or ``pose_bone``.
        name: of the object, the armature data-block or the bone.
        properties: names of its numeric custom properties.
    """

    kind: OwnerKind
    name: str
    properties: tuple[str, ...]


@dataclass(frozen=True)
class Rig:
    """One character: at most one armature, and its meshes.

    Attributes:
        name: shown in messages.
        shape_keys: names of the shape keys, without the basis, by mesh object.
        bones: bones of the armature by name.
        properties: owners of custom properties.
    """

    name: str
    shape_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bones: Mapping[str, Bone] = field(default_factory=dict)
    properties: tuple[PropertyOwner, ...] = ()
