# SPDX-License-Identifier: MIT
"""A location towards the character's own left, up or front goes there, whatever axes a bone's location is along."""

from __future__ import annotations

import bpy
import pytest
from mathutils import Vector
from scenes import armature, make_performance


@pytest.mark.parametrize("axis", ["left", "up", "front"])
@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("has_parent", [True, False])
def test_a_bone_goes_where_the_character_s_axis_points(bake, axis, local, has_parent):
    rig = armature("Rig", {"skull": "XYZ", "lip": "XYZ"})
    bpy.ops.object.mode_set(mode="EDIT")
    skull, lip = rig.data.edit_bones["skull"], rig.data.edit_bones["lip"]
    skull.tail, skull.roll = (0.3, 0.8, 0.5), 0.4
    lip.tail, lip.roll, lip.use_local_location = (1.2, 0.3, 0.9), 1.0, local
    lip.parent = skull if has_parent else None
    bpy.ops.object.mode_set(mode="OBJECT")
    target = {"kind": "bone_location", "bone": "lip", "axis": axis, "amount": 0.3}
    bake(rig, make_performance([0, 1], AU12=[0, 1]), {"AU12": [target]})
    bpy.context.scene.frame_set(25)
    towards = {"left": (1, 0, 0), "up": (0, 0, 1), "front": (0, -1, 0)}[axis]
    moved = rig.pose.bones["lip"].head - rig.data.bones["lip"].head_local
    assert (moved - 0.3 * Vector(towards)).length < 1e-6
