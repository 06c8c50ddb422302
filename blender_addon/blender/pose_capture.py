# SPDX-License-Identifier: GPL-3.0-or-later
"""A character's pose: read, kept as text, put back exactly as it was."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Object
from mathutils import Euler, Quaternion, Vector

from ..core.additive import rotation_values
from ..core.errors import AddonError
from ..core.mapping import SOURCES, Mapping
from ..core.matching import resolve
from ..core.names import NameIndex
from ..core.pose import BonePose, Captured, Pose, captured
from ..core.rest import NotOnRigError, RestPose, measured_bones
from ..core.retarget import retarget
from ..core.rig import OwnerKind, Rig
from .rig import BONE_VALUES, EULER, ROTATION_PROPERTIES, Character, owner_of, read_rig

REFERENCE = "eyes"
"""The reference length for captured locations, where a mapping and the rig have it."""


class PoseError(AddonError):
    """A kept pose cannot be read."""

    code = "bad_pose"
    exit_code = 38


def capture(character: Character, rest: Pose, mapping: Mapping) -> Captured:
    """Targets for the pose that a character is in, see :func:`core.pose.captured`."""
    rig = read_rig(character)
    return captured(read_pose(character), rest, rig, _reference(mapping, rig))


def read_pose(character: Character) -> Pose:
    """What stands on a character now, without what drivers move."""
    return _pose(character, _read_values(character))


def keep(character: Character) -> str:
    """The pose as text, exact to the last bit, for :func:`put_back` and :func:`kept_pose`."""
    return json.dumps(_read_values(character))


def kept_pose(character: Character, text: str) -> Pose:
    """The pose that :func:`keep` wrote.

    Raises:
        PoseError: it is damaged.
    """
    return _pose(character, _kept_values(text))


def put_back(character: Character, text: str) -> list[str]:
    """Bring a character into the pose that :func:`keep` wrote. Returns what is no longer there.

    Raises:
        PoseError: it is damaged.
    """
    values, lost = _kept_values(text), []
    meshes = {mesh.name: mesh.data.shape_keys for mesh in character.meshes}
    for mesh, kept_keys in values["keys"].items():
        blocks = meshes[mesh].key_blocks if meshes.get(mesh) else {}
        for name, value in kept_keys.items():
            if name in blocks:
                blocks[name].value = value
            else:
                lost.append(f"{mesh}: {name}")
    bones = character.armature.pose.bones if character.armature else {}
    for name, bone in values["bones"].items():
        if name not in bones:
            lost.append(name)
            continue
        bones[name].rotation_mode = bone["mode"]
        for value in BONE_VALUES:
            setattr(bones[name], value, bone[value])
    owners = {(kind, name): owner for kind, name, owner in _owners(character)}
    for kind, owner_name, name, value in values["properties"]:
        owner = owners.get((kind, owner_name))
        if owner is not None and name in owner:
            owner[name] = value
        else:
            lost.append(f"{owner_name}: {name}")
    for item in character.objects:
        item.update_tag()
    return lost


def strike(character: Character, mapping: Mapping, source: str) -> None:
    """Bring a character into the pose that one source gives it at 1; what that source does not move stays.

    Raises:
        NoMappingError: nothing that the source moves is on the character.
    """
    alone = replace(mapping, channels={source: mapping.channels.get(source, ())})
    values = np.eye(len(SOURCES))[[SOURCES.index(source)]]
    for channel in retarget(resolve(alone, read_rig(character)), values):
        block, _ = owner_of(character, channel)
        owner = block.pose.bones[channel.owner] if channel.owner_kind == "pose_bone" else block
        if channel.kind == "shape_key":
            block.key_blocks[channel.name].value = channel.values[0]
        elif channel.kind == "custom_property":
            owner[channel.name] = type(owner[channel.name])(channel.values[0])
        elif channel.kind == "bone_rotation":
            attribute, _ = ROTATION_PROPERTIES.get(owner.rotation_mode, EULER)
            setattr(owner, attribute, rotation_values(owner.rotation_mode, channel.values)[0])
        else:
            getattr(owner, channel.kind.removeprefix("bone_"))[channel.index or 0] = channel.values[0]
        block.update_tag()


def _kept_values(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
        kept: dict[str, Any] = {part: values[part] for part in ("keys", "bones", "properties")}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PoseError(rpt_("The rest pose kept in this file is damaged. Cancel posing, and begin again.")) from error
    return kept


def _read_values(character: Character) -> dict[str, Any]:
    """Everything that can be posed, as plain data."""
    bones = character.armature.pose.bones if character.armature else ()
    return {
        "keys": {
            mesh.name: {key.name: key.value for key in mesh.data.shape_keys.key_blocks[1:]}
            for mesh in character.meshes
            if mesh.data.shape_keys
        },
        "bones": {
            bone.name: {"mode": bone.rotation_mode} | {value: list(getattr(bone, value)) for value in BONE_VALUES}
            for bone in bones
        },
        "properties": [
            (kind, owner_name, name, value)
            for kind, owner_name, owner in _owners(character)
            for name, value in owner.items()
            if isinstance(value, int | float)
        ],
    }


def _pose(character: Character, values: dict[str, Any]) -> Pose:
    driven = set(_driven(character))
    shape_keys = {mesh.name: mesh.data.shape_keys for mesh in character.meshes}
    escape = bpy.utils.escape_identifier
    keys = {
        mesh: {
            name: value
            for name, value in kept.items()
            if (shape_keys.get(mesh), f'key_blocks["{escape(name)}"].value', 0) not in driven
        }
        for mesh, kept in values["keys"].items()
    }
    bones = {
        name: _bone_pose(
            bone, {value: _indices(driven, character.armature, _path(name, value)) for value in BONE_VALUES}
        )
        for name, bone in values["bones"].items()
    }
    owners = {(kind, name): owner for kind, name, owner in _owners(character)}
    properties: dict[tuple[OwnerKind, str, str], float] = {}
    for kind, owner_name, name, value in values["properties"]:
        owner = owners.get((kind, owner_name))
        prefix = _path(owner_name) if kind == "pose_bone" else ""
        if owner is None or (owner.id_data, f'{prefix}["{escape(name)}"]', 0) not in driven:
            properties[kind, owner_name, name] = float(value)
    return Pose(keys, bones, properties)


def _path(bone: str, value: str = "") -> str:
    """RNA path of a pose bone, or of a value of it."""
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"]' + (f".{value}" if value else "")


def _bone_pose(bone: dict[str, Any], driven: dict[str, set[int]]) -> BonePose:
    """A pose bone's location, rotation and scale, at rest along and about the axes that a driver moves."""
    return BonePose(
        location=_at_rest(bone["location"], driven["location"], 0.0),
        rotation=_rotation(bone, driven),
        scale=_at_rest(bone["scale"], driven["scale"], 1.0),
    )


def _at_rest(values: Sequence[float], indices: set[int], rest: float) -> tuple[float, float, float]:
    """Three values, those at ``indices`` replaced."""
    x, y, z = (rest if index in indices else value for index, value in enumerate(values))
    return x, y, z


def _rotation(bone: dict[str, Any], driven: dict[str, set[int]]) -> tuple[float, float, float]:
    """Rotation vector in degrees. Of a quaternion or an axis and angle no number stands for an axis: one that a driver
    moves takes all with it.
    """
    mode = bone["mode"]
    attribute, _ = ROTATION_PROPERTIES.get(mode, EULER)
    if attribute != EULER[0] and driven[attribute]:
        return BonePose().rotation
    if mode == "QUATERNION":
        turn = Quaternion(bone["rotation_quaternion"])
    elif mode == "AXIS_ANGLE":
        angle, *axis = bone["rotation_axis_angle"]
        turn = Quaternion(Vector(axis), angle)
    else:
        turn = Euler(_at_rest(bone["rotation_euler"], driven["rotation_euler"], 0.0), mode).to_quaternion()
    turn.normalize()
    axis, angle = turn.to_axis_angle()
    if angle > math.pi:
        axis, angle = -axis, 2 * math.pi - angle
    x, y, z = axis * math.degrees(angle)
    return x, y, z


def _indices(driven: Collection[tuple[bpy.types.ID, str, int]], block: Object | None, path: str) -> set[int]:
    """Which numbers of a property a driver moves."""
    return {index for index in range(4) if (block, path, index) in driven}


def _driven(character: Character) -> Iterator[tuple[bpy.types.ID, str, int]]:
    """Data-block, path and index of everything that an active driver moves."""
    blocks: list[bpy.types.ID] = list(character.objects)
    blocks += [mesh.data.shape_keys for mesh in character.meshes if mesh.data.shape_keys]
    blocks += [character.armature.data] if character.armature else []
    for block in blocks:
        for driver in block.animation_data.drivers if block.animation_data else ():
            if not driver.mute:
                yield block, driver.data_path, driver.array_index


def _owners(character: Character) -> Iterator[tuple[OwnerKind, str, Any]]:
    """Whatever may have custom properties."""
    for item in character.objects:
        yield "object", item.name, item
    if character.armature is not None:
        yield "armature", character.armature.data.name, character.armature.data
        for bone in character.armature.pose.bones:
            yield "pose_bone", bone.name, bone


def _reference(mapping: Mapping, rig: Rig) -> tuple[str, float] | None:
    if REFERENCE not in mapping.reference_lengths:
        return None
    index = NameIndex(rig.bones)
    bones = {}
    for name in measured_bones(mapping):
        found = index.find(name, *mapping.aliases.get(name, ()))
        bones[name] = rig.bones[found[0]] if found else None
    try:
        return REFERENCE, RestPose(mapping, bones, rig.bones).length(REFERENCE)
    except NotOnRigError:
        return None
