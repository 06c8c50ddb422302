# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rig does with its head when its neck turns."""

from __future__ import annotations

import bpy
from mathutils import Matrix

TRIAL = 0.5
"""Radians."""
POSE = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")


def takes_along(armature: bpy.types.Object, neck: str, head: str) -> float:
    """Share of a turn of one bone that another makes with it, 0 to 1; 1 where it cannot be told.

    Parents do not say: constraints and options of a rig, such as Rigify's Head Follow, undo what they give. So the bone
    is turned, looked at and put back.
    """
    bone, other = armature.pose.bones[neck], armature.pose.bones[head]
    layer = bpy.context.view_layer
    layer.update()
    before = bone.matrix.to_quaternion(), other.matrix.to_quaternion()
    pose = {name: tuple(getattr(bone, name)) for name in POSE}
    bone.matrix_basis = bone.matrix_basis @ Matrix.Rotation(TRIAL, 4, "Y")
    layer.update()
    turned, followed = (
        there.rotation_difference(item.matrix.to_quaternion()).angle
        for there, item in zip(before, (bone, other), strict=True)
    )
    for name, values in pose.items():
        setattr(bone, name, values)
    layer.update()
    return min(1.0, followed / turned) if turned > TRIAL / 2 else 1.0
