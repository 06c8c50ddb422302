# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters in a scene: an armature with its meshes, or meshes alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Object
from mathutils import Matrix

from ..core.errors import AddonError
from ..core.retarget import Channel
from ..core.rig import Axes, Bone, OwnerKind, PropertyOwner, Rig, Vector
from .versions import ensure_pose

ROTATION_PROPERTIES = {"QUATERNION": ("rotation_quaternion", 4), "AXIS_ANGLE": ("rotation_axis_angle", 4)}
"""Property of a pose bone and its length by rotation mode; all other modes are orders of Euler angles."""
EULER = ("rotation_euler", 3)
BONE_VALUES = ("location", *(name for name, _ in (*ROTATION_PROPERTIES.values(), EULER)), "scale")
"""What poses a bone: its location, its rotation in each mode, its scale."""


class NotEvaluatedError(AddonError):
    """What has to be seen to move is not evaluated in the active view layer; the message names it and the way out."""

    code = "not_evaluated"
    exit_code = 43


@dataclass(frozen=True)
class Character:
    """What moves together.

    Attributes:
        name: of its armature, or of the object on top of its meshes.
        armature: the armature object, or None.
        meshes: every mesh object that belongs to it: face, lashes, teeth, tongue, clothes.
        top: the object on top, whose name the character has: the armature, a mesh, or an empty.
    """

    name: str
    armature: Object | None
    meshes: tuple[Object, ...]
    top: Object

    @property
    def objects(self) -> tuple[Object, ...]:
        """Armature and meshes."""
        return (self.armature, *self.meshes) if self.armature else self.meshes


@dataclass(frozen=True)
class Place:
    """Where one value of a channel stands: an RNA path from its data-block, and the index in a vector."""

    id_block: bpy.types.ID
    path: str
    index: int


def characters_in(selection: Iterable[Object], scene: bpy.types.Scene) -> list[Character]:
    """The characters that own the selected objects, each once, in the order of the selection.

    An armature owns the meshes that it deforms and those beneath it. Meshes without an armature belong together
    beneath their topmost mesh, or beneath the empty that holds them. A selected empty stands for all beneath it.
    """
    heads: dict[Object, list[Object]] = {}
    for selected in selection:
        for item in [selected] if selected.type != "EMPTY" else selected.children_recursive:
            head = top_of(item)
            if head is not None:
                heads[head] = []
    for item in scene.objects:
        if item.type == "MESH" and (head := top_of(item)) in heads:
            heads[head].append(item)
    return [
        Character(head.name, head if head.type == "ARMATURE" else None, tuple(meshes), head)
        for head, meshes in heads.items()
    ]


def character_of(item: Object, scene: bpy.types.Scene) -> Character | None:
    """The one character that an object belongs to; None for a lamp, or an empty above several."""
    found = characters_in([item], scene)
    return found[0] if len(found) == 1 else None


def object_named(scene: bpy.types.Scene, name: str) -> Object | None:
    """An object of a scene by its full name, which tells linked ones from local ones of the same name; where none has
    that full name, by its name alone.
    """
    first = scene.objects.get(name)
    if first is not None and first.name_full == name:
        return first
    return next((item for item in scene.objects if item.name_full == name), first)


def read_rig(character: Character) -> Rig:
    """Names and rest pose of a character, for the choice and the matching of a mapping."""
    armature = character.armature
    if armature is not None:
        ensure_pose(armature)
    return Rig(
        name=character.name,
        shape_keys={
            mesh.name: tuple(key.name for key in mesh.data.shape_keys.key_blocks[1:])
            for mesh in character.meshes
            if mesh.data.shape_keys
        },
        bones={bone.name: _read_bone(bone) for bone in armature.data.bones} if armature else {},
        properties=tuple(owner for owner in _property_owners(character) if owner.properties),
    )


def refuse_unevaluated(name: str, objects: Iterable[Object]) -> None:
    """Say that something cannot be looked at in motion, where Blender evaluates none of its objects.

    Raises:
        NotEvaluatedError: it is so.
    """
    graph = bpy.context.evaluated_depsgraph_get()
    if not any(item.evaluated_get(graph).is_evaluated for item in objects):
        raise NotEvaluatedError(
            rpt_(
                "{name}: the bake has to see it move, and it is not in the active view layer or is disabled in "
                "viewports. Tick its collection in the outliner, and enable it there."
            ).format(name=name)
        )


def owner_of(character: Character, channel: Channel) -> tuple[bpy.types.ID, str]:
    """The data-block that holds a channel's F-curves, and the RNA path from it to the channel's owner."""
    armature = character.armature
    if channel.owner_kind == "mesh":
        return mesh_named(character, channel.owner).data.shape_keys, ""
    if channel.owner_kind == "object" or armature is None:
        return next(item for item in character.objects if item.name == channel.owner), ""
    if channel.owner_kind == "armature":
        return armature.data, ""
    return armature, f'pose.bones["{bpy.utils.escape_identifier(channel.owner)}"]'


def objects_of(character: Character, id_block: bpy.types.ID) -> list[Object]:
    """A character's objects that a data-block moves: an object itself, or those that have these shape keys or data."""
    return [item for item in character.objects if id_block in (item, item.data, getattr(item.data, "shape_keys", None))]


def mesh_named(character: Character, name: str) -> Object:
    """One of a character's meshes."""
    return next(mesh for mesh in character.meshes if mesh.name == name)


def places_of(character: Character, channel: Channel) -> list[Place]:
    """Where the values of a channel stand: one place, or one for each number of a bone's rotation."""
    id_block, prefix = owner_of(character, channel)
    name = bpy.utils.escape_identifier(channel.name)
    if channel.kind == "shape_key":
        return [Place(id_block, f'key_blocks["{name}"].value', 0)]
    if channel.kind == "custom_property":
        return [Place(id_block, f'{prefix}["{name}"]', 0)]
    if channel.kind == "bone_rotation":
        mode = id_block.pose.bones[channel.owner].rotation_mode
        attribute, count = ROTATION_PROPERTIES.get(mode, EULER)
        return [Place(id_block, f"{prefix}.{attribute}", index) for index in range(count)]
    return [Place(id_block, f"{prefix}.{channel.kind.removeprefix('bone_')}", channel.index or 0)]


def top_of(item: Object) -> Object | None:
    """The object that stands for the character which ``item`` is part of."""
    if item.type == "ARMATURE":
        return item
    if item.type != "MESH":
        return None
    armature = _armature_of(item)
    if armature is not None:
        return armature
    head = item
    while head.parent is not None and head.parent.type in ("MESH", "EMPTY"):
        head = head.parent
        if head.type == "EMPTY":
            break
    return head


def _armature_of(mesh: Object) -> Object | None:
    for modifier in mesh.modifiers:
        if modifier.type == "ARMATURE" and modifier.object is not None:
            return modifier.object
    above = mesh.parent
    while above is not None:
        if above.type == "ARMATURE":
            return above
        if above.type == "MESH":
            return _armature_of(above)
        above = above.parent
    return None


def _read_bone(bone: bpy.types.Bone) -> Bone:
    own = _axes(bone.matrix_local)
    around = _axes(bone.parent.matrix_local if bone.parent is not None else Matrix())
    along = own if bone.use_local_location else around
    return Bone(head=_vector(bone.head_local), length=bone.length, matrix=own, location_axes=along)


def _axes(matrix: Matrix) -> Axes:
    x, y, z = matrix.to_3x3()
    return _vector(x), _vector(y), _vector(z)


def _vector(v: Sequence[float]) -> Vector:
    return v[0], v[1], v[2]


def _property_owners(character: Character) -> Iterator[PropertyOwner]:
    for item in character.objects:
        yield _property_owner("object", item)
    if character.armature is not None:
        yield _property_owner("armature", character.armature.data)
        for bone in character.armature.pose.bones:
            yield _property_owner("pose_bone", bone)


def _property_owner(kind: OwnerKind, owner: bpy.types.ID | bpy.types.PoseBone) -> PropertyOwner:
    numeric = tuple(name for name, value in owner.items() if isinstance(value, int | float))
    return PropertyOwner(kind, owner.name, numeric)
