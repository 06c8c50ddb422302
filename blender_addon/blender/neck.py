# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones of a character turn with the head of the video, by what its rig does when the neck turns."""

from __future__ import annotations

from functools import partial

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from mathutils import Matrix

from ..core.errors import NoMappingError
from ..core.head import HeadPlacement, place_head
from ..core.mapping import Mapping
from ..core.matching import Resolution, resolve
from .rig import BONE_VALUES, Character, read_rig, refuse_unevaluated

TRIAL = 0.5
"""Radians."""


def placed(character: Character, mapping: Mapping, head: HeadPlacement) -> Resolution:
    """A mapping laid over a character as it is baked, shown and checked.

    Args:
        head: what turns with the head, see :func:`core.head.place_head`.

    Raises:
        NoMappingError: nothing of the mapping is on the character, or is left of it.
        NotEvaluatedError: a turn of the neck has to be tried, and is not seen.
    """
    resolution = place_head(resolve(mapping, read_rig(character)), head, partial(takes_along, character.armature))
    if not resolution.targets:
        raise NoMappingError(
            rpt_("{character}: with these options nothing of {mapping} is left to bake.").format(
                character=character.name, mapping=mapping.name
            )
        )
    return resolution


def takes_along(armature: bpy.types.Object, neck: str, head: str) -> float:
    """Share of a turn of one bone that another makes with it, 0 to 1; 1 where it cannot be told.

    Parents do not say: constraints and options of a rig, such as Rigify's Head Follow, undo what they give. So the bone
    is turned, looked at and put back.

    Raises:
        NotEvaluatedError: nothing of the armature is seen to move in the active view layer.
    """
    refuse_unevaluated(armature.name, [armature])
    bone, other = armature.pose.bones[neck], armature.pose.bones[head]
    layer = bpy.context.view_layer
    pose = {name: tuple(getattr(bone, name)) for name in BONE_VALUES}
    shown, armature.data.pose_position = armature.data.pose_position, "POSE"
    layer.update()
    before = bone.matrix.to_quaternion(), other.matrix.to_quaternion()
    bone.matrix_basis = bone.matrix_basis @ Matrix.Rotation(TRIAL, 4, "Y")
    layer.update()
    turned, followed = (
        there.rotation_difference(item.matrix.to_quaternion()).angle
        for there, item in zip(before, (bone, other), strict=True)
    )
    for name, values in pose.items():
        setattr(bone, name, values)
    armature.data.pose_position = shown
    layer.update()
    return min(1.0, followed / turned) if turned > TRIAL / 2 else 1.0
