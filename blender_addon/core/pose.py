# SPDX-License-Identifier: GPL-3.0-or-later
"""From a pose that shows one action unit to the targets of that action unit."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from .mapping_edit import TargetData, side_of
from .rig import OwnerKind, Rig, Vector

AXES: Final = ("x", "y", "z")
SMALLEST_VALUE: Final = 0.01
"""Of a shape key or custom property; smaller differences are slips of the hand."""
SMALLEST_ANGLE: Final = 0.25
"""Degrees."""
SMALLEST_SHIFT: Final = 0.002
"""In lengths of the bone."""
SMALLEST_SCALE: Final = 0.005
SAME: Final = 1e-4
DIGITS: Final = 6
"""Significant digits of what is written."""


@dataclass(frozen=True)
class BonePose:
    """A pose bone in its own space.

    Attributes:
        location: (3,) armature units. rotation: (3,) rotation vector in degrees. scale: (3,).
    """

    location: Vector = (0.0, 0.0, 0.0)
    rotation: Vector = (0.0, 0.0, 0.0)
    scale: Vector = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Pose:
    """What an artist can move on a character by hand; what a driver moves is not in it.

    Attributes:
        keys: values of shape keys by mesh object and name.
        bones: by name.
        properties: values of numeric custom properties by kind of owner, name of owner, and name.
    """

    keys: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    bones: Mapping[str, BonePose] = field(default_factory=dict)
    properties: Mapping[tuple[OwnerKind, str, str], float] = field(default_factory=dict)


@dataclass(frozen=True)
class Captured:
    """The targets of one pose.

    Attributes:
        targets: as in a mapping's file.
        notes: what does not start from zero, a line each: a bake would.
    """

    targets: tuple[TargetData, ...]
    notes: tuple[str, ...]


def captured(pose: Pose, rest: Pose, rig: Rig, reference: tuple[str, float] | None = None) -> Captured:
    """Targets that bring a character at rest into a pose, for an action unit of 1.

    Args:
        pose, rest: of the same character. What differs between them by less than the smallest amounts is left out.
        rig: its bones' lengths.
        reference: name and length, in armature units, of the reference length for locations; None: armature units.
    """
    targets = [*_keys(pose, rest), *_properties(pose, rest), *_bones(pose, rest, rig, reference)]
    return Captured(tuple(targets), tuple(_notes(pose, rest)))


def _keys(pose: Pose, rest: Pose) -> Iterator[TargetData]:
    """One target for a key that has the same value on every mesh; else one for each mesh that it moves on."""
    by_name: dict[str, dict[str, float]] = defaultdict(dict)
    for mesh, keys in pose.keys.items():
        for name, value in keys.items():
            by_name[name][mesh] = value
    for name, values in by_name.items():
        moved = {mesh: value for mesh, value in values.items() if _moved(value, rest.keys.get(mesh, {}).get(name, 0.0))}
        if not moved or not name.strip():
            continue
        alike = max(values.values()) - min(values.values()) < SAME
        for mesh, value in list(moved.items())[: 1 if alike else None]:
            target = {"kind": "shape_key", "name": name} | ({} if alike else {"objects": [_literally(mesh)]})
            limits = ({"min": _number(value)} if value < 0 else {}) | ({"max": _number(value)} if value > 1 else {})
            yield target | {"weight": _number(value)} | limits | _side(name)


def _properties(pose: Pose, rest: Pose) -> Iterator[TargetData]:
    owners = Counter((kind, name) for kind, _, name in pose.properties)
    for (kind, owner, name), value in pose.properties.items():
        if not name.strip() or not _moved(value, rest.properties.get((kind, owner, name), 0.0)):
            continue
        target: TargetData = {"kind": "custom_property", "owner": kind, "name": name}
        if kind == "pose_bone":
            target["bone"] = owner
        elif kind == "object" and owners[kind, name] > 1:
            target["objects"] = [_literally(owner)]
        yield target | {"weight": _number(value)} | (_side(name) or _side(owner if kind == "pose_bone" else ""))


def _bones(pose: Pose, rest: Pose, rig: Rig, reference: tuple[str, float] | None) -> Iterator[TargetData]:
    unit = reference[1] if reference else 1.0
    refer = {"reference": reference[0]} if reference else {}
    for name, bone in pose.bones.items():
        before = rest.bones.get(name, BonePose())
        shift = SMALLEST_SHIFT * (rig.bones[name].length if name in rig.bones else 1.0)
        target = {"bone": name}
        if math.dist(bone.location, before.location) > shift:
            for axis, value in zip(AXES, bone.location, strict=True):
                if abs(value) > shift:
                    amount = {"axis": axis, "amount": _number(value / unit)}
                    yield {"kind": "bone_location"} | target | amount | refer | _side(name)
        if math.dist(bone.rotation, before.rotation) > SMALLEST_ANGLE:
            for axis, value in zip(AXES, bone.rotation, strict=True):
                if abs(value) > SMALLEST_ANGLE / 10:
                    yield {"kind": "bone_rotation"} | target | {"axis": axis, "degrees": _number(value)} | _side(name)
        for axis, value, old in zip(AXES, bone.scale, before.scale, strict=True):
            if abs(value - old) > SMALLEST_SCALE:
                yield {"kind": "bone_scale"} | target | {"axis": axis, "amount": _number(value - 1)} | _side(name)


def _notes(pose: Pose, rest: Pose) -> Iterator[str]:
    for mesh, keys in pose.keys.items():
        for name, value in keys.items():
            before = rest.keys.get(mesh, {}).get(name, 0.0)
            if _moved(value, before) and abs(before) > SMALLEST_VALUE:
                yield f"{mesh}: shape key {name!r} rests at {before:.2f}; a bake starts it at 0."
    for (_, owner, name), value in pose.properties.items():
        before = next((old for (_, o, n), old in rest.properties.items() if (o, n) == (owner, name)), 0.0)
        if _moved(value, before) and abs(before) > SMALLEST_VALUE:
            yield f"{owner}: the property {name!r} rests at {before:.2f}; a bake starts it at 0."
    for name, bone in pose.bones.items():
        before_bone = rest.bones.get(name, BonePose())
        if _differ(bone, before_bone) and _differ(before_bone, BonePose()):
            yield f"Bone {name!r} does not rest in its rest position; a bake starts it there."


def _moved(value: float, before: float) -> bool:
    return abs(value - before) > SMALLEST_VALUE


def _differ(one: BonePose, other: BonePose) -> bool:
    limits = (SMALLEST_VALUE, SMALLEST_ANGLE, SMALLEST_SCALE)
    pairs = ((one.location, other.location), (one.rotation, other.rotation), (one.scale, other.scale))
    return any(math.dist(*pair) > limit for pair, limit in zip(pairs, limits, strict=True))


def _number(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _side(name: str) -> TargetData:
    side = side_of(name)
    return {"side": side} if side else {}


def _literally(name: str) -> str:
    """A pattern that matches this name alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
