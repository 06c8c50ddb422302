# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of target that a mapping can move."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from .json_node import Node
from .records import Reader, read_record
from .rig import Vector

SIDES: Final = ("left", "right")
BONE_AXES: Final[dict[str, Vector]] = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
BODY_AXES: Final = ("left", "up", "front")
OWNERS: Final = ("object", "armature", "pose_bone")


@dataclass(frozen=True, kw_only=True)
class Target(ABC):
    """What one source moves. The subclasses add what is moved and by how much.

    Attributes:
        aliases: other names to look for.
        side: ``left`` or ``right`` (the character's own) where the target belongs to one side.
        min, max: limits of the sum over all sources, in the unit of the amount; None: no limit.
        instead_of: name of a target of the same source; this one is used only where the rig lacks that.
        extra: keys that this version does not know; kept when the mapping is saved.
    """

    kind: ClassVar[str]
    aliases: tuple[str, ...] = ()
    side: str | None = None
    min: float | None = None
    max: float | None = None
    instead_of: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    @abstractmethod
    def label(self) -> str:
        """The name that is looked for on the rig."""

    @property
    @abstractmethod
    def per_unit(self) -> float:
        """The amount for a source value of 1: an action unit at its strongest, or one degree of head rotation."""


@dataclass(frozen=True, kw_only=True)
class ShapeKey(Target):
    """A shape key, on every mesh that has it. Without limits of its own it stays within 0 and 1.

    Attributes:
        name: name to look for.
        objects: names of mesh objects, or patterns of them (``*``, ``?``, ``[ab]``); empty: every mesh.
        weight: value of the key for a source value of 1.
    """

    kind: ClassVar[str] = "shape_key"
    name: str
    objects: tuple[str, ...] = ()
    weight: float = 1.0

    @property
    def label(self) -> str:
        return self.name

    @property
    def per_unit(self) -> float:
        return self.weight


@dataclass(frozen=True, kw_only=True)
class CustomProperty(Target):
    """A custom property.

    Attributes:
        owner: ``object`` (the armature object or a mesh), ``armature`` (its data) or ``pose_bone``.
        name: name to look for.
        bone: the pose bone, for that owner.
        objects: names or patterns of object names, for the owner ``object``; empty: every object.
        weight: value for a source value of 1.
    """

    kind: ClassVar[str] = "custom_property"
    owner: str
    name: str
    bone: str | None = None
    objects: tuple[str, ...] = ()
    weight: float = 1.0

    @property
    def label(self) -> str:
        return self.name

    @property
    def per_unit(self) -> float:
        return self.weight


@dataclass(frozen=True, kw_only=True)
class BoneTarget(Target):
    """A pose bone.

    Attributes:
        bone: name to look for.
        axis: ``x``, ``y``, ``z`` of the bone, or (not for a scale) ``left``, ``up``, ``front`` of the character.
    """

    bone: str
    axis: str

    @property
    def label(self) -> str:
        return self.bone


@dataclass(frozen=True, kw_only=True)
class BoneLocation(BoneTarget):
    """A pose bone's location.

    Attributes:
        amount: in reference lengths; in the armature's units where ``reference`` is None.
        reference: name of one of the mapping's reference lengths.
    """

    kind: ClassVar[str] = "bone_location"
    amount: float
    reference: str | None = None

    @property
    def per_unit(self) -> float:
        return self.amount


@dataclass(frozen=True, kw_only=True)
class BoneRotation(BoneTarget):
    """A pose bone's rotation. Rotations on one bone are added as rotation vectors, the head's angles as one of them.

    Attributes:
        degrees: for an action unit of 1.
        degrees_per_degree: for one degree of head rotation.
    """

    kind: ClassVar[str] = "bone_rotation"
    degrees: float | None = None
    degrees_per_degree: float | None = None

    @property
    def per_unit(self) -> float:
        return (self.degrees if self.degrees_per_degree is None else self.degrees_per_degree) or 0.0


@dataclass(frozen=True, kw_only=True)
class BoneScale(BoneTarget):
    """A pose bone's scale along one axis.

    Attributes:
        amount: added to 1; the limits hold for the sum of the amounts.
    """

    kind: ClassVar[str] = "bone_scale"
    amount: float

    @property
    def per_unit(self) -> float:
        return self.amount


KINDS: Final[dict[str, type[Target]]] = {
    cls.kind: cls for cls in (ShapeKey, BoneLocation, BoneRotation, BoneScale, CustomProperty)
}


_READERS: Final[dict[str, Reader]] = {
    **dict.fromkeys(("name", "bone", "reference", "instead_of"), Node.name),
    **dict.fromkeys(("aliases", "objects"), Node.names),
    **dict.fromkeys(("weight", "amount", "degrees", "degrees_per_degree", "min", "max"), Node.number),
    "side": lambda node: node.choice(SIDES),
    "axis": lambda node: node.choice((*BONE_AXES, *BODY_AXES)),
    "owner": lambda node: node.choice(OWNERS),
}


def read_target(node: Node, warnings: list[str]) -> Target:
    """One target of a mapping's channel; unknown keys are kept and add a line to ``warnings``.

    Raises:
        MappingError: with the place and the reason.
    """
    members = node.members()
    if "kind" not in members:
        node.fail("{place}: the key 'kind' is missing.")
    kind = KINDS[members.pop("kind").choice(KINDS)]
    target = read_record(kind, node, members, _READERS, warnings)
    if target.min is not None and target.max is not None and target.min > target.max:
        node.fail("{place}: min {min:g} is above max {max:g}.", min=target.min, max=target.max)
    if isinstance(target, BoneScale) and target.axis in BODY_AXES:
        members["axis"].fail("{place}: a bone is scaled along its own x, y or z.")
    if isinstance(target, CustomProperty) and (target.bone is not None) != (target.owner == "pose_bone"):
        node.fail("{place}: 'bone' goes with the owner pose_bone, and only with it.")
    return target
