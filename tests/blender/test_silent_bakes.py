# SPDX-License-Identifier: MIT
"""What a bake onto a character cannot show as it was captured, or moves beside it, is named."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from scenes import animate, armature, make_performance, mesh

KEY = {"kind": "shape_key", "name": "smile"}
JAW = {"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 30}
TIMES = np.arange(25) / 24


@pytest.fixture
def said(bake):
    """Warnings of a bake in which the smile and the jaw go from 0 to 1."""

    def run(item, *targets, **options):
        report = bake(item, make_performance(TIMES, AU12=TIMES), {"AU12": list(targets)}, **options)
        return " ".join(report.warnings)

    return run


@pytest.mark.parametrize(
    ("value", "weight", "is_named"), [(0, 0.8, True), (False, 1, True), (0.0, 0.8, False), (0, 100, False)]
)
def test_a_property_of_whole_numbers(said, value, weight, is_named):
    face = mesh("Face", ["smile"])
    face["smile"] = value
    target = {"kind": "custom_property", "owner": "object", "name": "smile", "weight": weight}
    assert ("whole numbers" in said(face, target)) == is_named


@pytest.mark.parametrize("connected", [False, True])
def test_a_location_of_a_connected_bone(said, connected):
    rig = armature("Rig", {"neck": "XYZ", "jaw": "XYZ"})
    bpy.ops.object.mode_set(mode="EDIT")
    neck, jaw = rig.data.edit_bones["neck"], rig.data.edit_bones["jaw"]
    neck.tail, jaw.parent, jaw.use_connect = jaw.head, neck, connected
    bpy.ops.object.mode_set(mode="OBJECT")
    assert "connected" not in said(rig, JAW)
    target = {"kind": "bone_location", "bone": "jaw", "axis": "x", "amount": 0.1}
    assert ("'jaw' is connected" in said(rig, target)) == connected


def test_a_rest_position_is_named_and_mended(said, part):
    rig = armature("Rig", {"jaw": "XYZ"})
    face = mesh("Face", ["smile"], rig)
    rig.data.pose_position = "REST"
    assert "rest position" in said(rig, JAW, KEY)
    assert "rest position" not in said(face, KEY)
    part("blender.mends").show_pose(rig.data)
    assert "rest position" not in said(rig, JAW)


@pytest.mark.parametrize(
    ("blend", "influence", "target", "is_named"),
    [
        ("ADD", 1.0, "NEW_ACTION", True),
        ("REPLACE", 0.5, "ACTIVE_ACTION", True),
        ("REPLACE", 1.0, "NEW_ACTION", False),
        ("ADD", 1.0, "NLA_STRIP", False),
    ],
)
def test_an_action_that_the_nla_blends(said, blend, influence, target, is_named):
    face = mesh("Face", ["smile", "frown"])
    animate(face, {1: 0.0, 9: 0.5}, key="frown")
    animation = face.data.shape_keys.animation_data
    animation.nla_tracks.new().strips.new("old", 1, animation.action.copy())
    animation.action_blend_type, animation.action_influence = blend, influence
    assert ("an influence of" in said(face, KEY, target=target)) == is_named


@pytest.mark.parametrize("is_own", [False, True])
def test_a_mesh_that_another_character_has_too(said, is_own):
    face = mesh("Face", ["smile"])
    twin = bpy.data.objects.new("Twin", face.data)
    bpy.context.scene.collection.objects.link(twin)
    twin.parent = face if is_own else None
    assert ("belongs to Twin" in said(face, KEY)) == (not is_own)


def test_an_armature_that_another_character_has_too(said):
    """Its poses are of each object, its own properties of both."""
    rig = armature("Rig", {"jaw": "XYZ"})
    rig.data["open"] = 0.0
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("Twin", rig.data))
    assert "Twin" not in said(rig, JAW)
    assert "belongs to Twin" in said(rig, {"kind": "custom_property", "owner": "armature", "name": "open"})


@pytest.mark.parametrize("additive", [False, True])
def test_angles_that_an_additive_bake_brings_near_90_degrees(said, additive):
    rig = armature("Rig", {"jaw": "XYZ"})
    jaw = rig.pose.bones["jaw"]
    jaw.rotation_euler.y = 1.0
    jaw.keyframe_insert("rotation_euler", frame=1)
    target = JAW | {"axis": "y"}
    assert ("middle axis" in said(rig, target, target="ACTIVE_ACTION", additive=additive)) == additive
