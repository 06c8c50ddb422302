# SPDX-License-Identifier: MIT
"""A baked head is turned as the angles of the take say, in any rotation mode, alone and with its neck."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from scenes import armature, make_performance, mapping_data

TRIPLES = [(0, 0, 0), (40, 30, 0), (20, 15, 0), (-25, 10, 35), (60, -50, -40)]
HEAD = {
    source: [{"kind": "bone_rotation", "bone": "head", "axis": axis, "degrees_per_degree": amount}]
    for source, axis, amount in (("yaw", "up", 1), ("pitch", "left", -1), ("roll", "front", -1))
}


def turned(yaw, pitch, roll):
    """By yaw first, then pitch, then roll, of a character that faces -Y: left is X, up is Z."""
    turn, nod, tilt = (
        Matrix.Rotation(np.radians(angle), 3, axis)
        for angle, axis in ((yaw, "Z"), (-pitch, "X"), (-roll, (0.0, -1.0, 0.0)))
    )
    return np.array(tilt @ nod @ turn)


@pytest.mark.parametrize("placement", ["HEAD", "BOTH"])
@pytest.mark.parametrize("mode", ["QUATERNION", "AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
def test_the_baked_head_has_the_matrix_of_the_angles(part, mode, placement):
    rig = armature("Rig", {"neck": mode, "head": mode})
    bpy.ops.object.mode_set(mode="EDIT")
    bones = rig.data.edit_bones
    bones["neck"].tail, bones["head"].roll, bones["head"].parent = (0, 0.4, 1), 0.7, bones["neck"]
    bpy.ops.object.mode_set(mode="OBJECT")
    bake = part("blender.bake")
    (character,) = part("blender.rig").characters_in([rig], bpy.context.scene)
    mapping = part("core.mapping").Mapping.from_dict(mapping_data(HEAD, fingerprint={"bones": ["head"]}))
    time = bake.scene_time(bpy.context.scene, 1.0)
    angles = dict(zip(("yaw", "pitch", "roll"), np.array(TRIPLES).T, strict=True))
    performance = make_performance(np.arange(len(TRIPLES)) / time.rate, **angles)
    options = part("blender.bake_options").BakeOptions(head=placement)
    bake.bake(performance, character, mapping, time, options)
    head = rig.pose.bones["head"]
    rest = np.array(head.bone.matrix_local.to_3x3())
    for number, triple in enumerate(TRIPLES):
        bpy.context.scene.frame_set(1 + number)
        np.testing.assert_allclose(np.array(head.matrix.to_3x3()), turned(*triple) @ rest, atol=2e-5)
