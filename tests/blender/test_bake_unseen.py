# SPDX-License-Identifier: MIT
"""What is not evaluated in the active view layer cannot be looked at in motion: refused, where that is needed."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from scenes import animate, armature, make_performance, mesh

KEY = {"kind": "shape_key", "name": "smile"}
TIMES = np.arange(25) / 24
YAW = {"yaw": [{"kind": "bone_rotation", "bone": "head", "axis": "up", "degrees_per_degree": 1}]}


def put_away(item):
    """Into a collection that is not in the view layer."""
    collection = bpy.data.collections.new("Away")
    bpy.context.scene.collection.children.link(collection)
    bpy.context.scene.collection.objects.unlink(item)
    collection.objects.link(item)
    bpy.context.view_layer.layer_collection.children["Away"].exclude = True


def disable(item):
    item.hide_viewport = True


def hide(item):
    """By the eye, which Blender evaluates all the same."""
    item.hide_set(True)


def in_strips(face):
    """What an artist has animated on the key, pushed down."""
    animate(face, {1: 0.0, 25: 0.5})
    animation = face.data.shape_keys.animation_data
    animation.nla_tracks.new().strips.new("old", 1, animation.action)
    animation.action = None


@pytest.mark.parametrize("away", [put_away, disable])
def test_strips_that_are_not_seen_are_refused(bake, part, away):
    face = mesh("Face", ["smile"])
    in_strips(face)
    away(face)
    performance = make_performance(TIMES, AU12=0.25)
    with pytest.raises(part("blender.rig").NotEvaluatedError, match=r"Face: .* view layer"):
        bake(face, performance, {"AU12": [KEY]}, additive=True)
    assert not bake(face, performance, {"AU12": [KEY]}).warnings


def test_what_is_hidden_by_the_eye_is_seen(bake, curve_of):
    face = mesh("Face", ["smile"])
    in_strips(face)
    hide(face)
    bake(face, make_performance(TIMES, AU12=0.25), {"AU12": [KEY]}, additive=True)
    curve = curve_of(face.data.shape_keys, 'key_blocks["smile"].value')
    assert [curve.evaluate(frame) for frame in (1, 13, 25)] == pytest.approx([0.25, 0.5, 0.75], abs=0.02)


@pytest.fixture
def rig():
    """A head that does not turn with its neck."""
    item = armature("Rig", {"neck": "XYZ", "head": "XYZ"})
    bpy.ops.object.mode_set(mode="EDIT")
    bones = item.data.edit_bones
    bones["head"].parent, bones["head"].use_inherit_rotation = bones["neck"], False
    bpy.ops.object.mode_set(mode="OBJECT")
    return item


@pytest.mark.parametrize("away", [put_away, disable])
def test_a_neck_that_cannot_be_tried_is_refused(bake, part, rig, away):
    away(rig)
    performance = make_performance(TIMES, yaw=40)
    with pytest.raises(part("blender.rig").NotEvaluatedError, match=r"Rig: .* view layer"):
        bake(rig, performance, YAW, head="BOTH")
    assert bake(rig, performance, YAW, head="HEAD").curves == 3


@pytest.mark.parametrize("shown", ["POSE", "REST"])
def test_a_neck_is_tried_in_a_rest_position_too(bake, rig, shown):
    rig.data.pose_position = shown
    bake(rig, make_performance(TIMES, yaw=40), YAW, head="BOTH")
    assert rig.data.pose_position == shown
    bpy.context.scene.frame_set(5)
    angles = [np.degrees(rig.pose.bones[name].matrix_basis.to_quaternion().angle) for name in ("neck", "head")]
    assert angles == pytest.approx([20, 40], abs=0.01)
