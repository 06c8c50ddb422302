# SPDX-License-Identifier: MIT
"""A take on top of what a character does already."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Euler, Quaternion
from scenes import animate, armature, make_performance, mesh

SMILE = 'key_blocks["smile"].value'
KEY = {"kind": "shape_key", "name": "smile"}
JAW = {"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 30}
TIMES = np.arange(25) / 24
"""Seconds of a take that ends at frame 25."""


def smile_key(face):
    return face.data.shape_keys.key_blocks["smile"]


@pytest.mark.parametrize("target", ["NEW_ACTION", "ACTIVE_ACTION", "NLA_STRIP"])
def test_additive_adds_to_what_the_key_did(bake, target):
    """The artist's smile goes from .1 to .5; the take adds a quarter of what it shows."""
    face = mesh("Face", ["smile"])
    animate(face, {1: 0.1, 25: 0.5, 60: 0.0})
    shown = {}
    for frame in range(1, 26):
        bpy.context.scene.frame_set(frame)
        shown[frame] = smile_key(face).value
    channels = {"AU12": [KEY | {"weight": 0.25}]}
    bake(face, make_performance(TIMES, AU12=TIMES), channels, target=target, additive=True)
    if target == "NLA_STRIP":
        face.data.shape_keys.animation_data.action = None
    for frame in (1, 2, 13, 24, 25):
        bpy.context.scene.frame_set(frame)
        assert smile_key(face).value == pytest.approx(shown[frame] + 0.25 * (frame - 1) / 24, abs=1e-5)


@pytest.mark.parametrize("with_strips", [False, True])
def test_additive_beneath_a_modifier_counts_it_once(bake, curve_of, with_strips):
    """A modifier adds .1 to whatever the active action's keys say, before the bake and after it."""
    face = mesh("Face", ["smile"])
    animate(face, {1: 0.2, 25: 0.2})
    animation = face.data.shape_keys.animation_data
    if with_strips:
        animation.nla_tracks.new().strips.new("old", 1, animation.action)
    modifier = curve_of(face.data.shape_keys, SMILE).modifiers.new("GENERATOR")
    modifier.use_additive, modifier.coefficients = True, (0.1, 0)
    bpy.context.scene.frame_set(13)
    assert smile_key(face).value == pytest.approx(0.3, abs=1e-6)
    report = bake(face, make_performance(TIMES, AU12=0.3), {"AU12": [KEY]}, target="ACTIVE_ACTION", additive=True)
    bpy.context.scene.frame_set(13)
    assert smile_key(face).value == pytest.approx(0.6, abs=1e-6)
    assert not curve_of(face.data.shape_keys, SMILE).modifiers[0].mute
    assert [warning for warning in report.warnings if "Face: shape key 'smile' has modifiers" in warning]


def test_additive_onto_a_cycle_goes_on_with_it(bake, curve_of):
    face = mesh("Face", ["smile"])
    animate(face, {1: 0.0, 5: 0.4, 9: 0.0})
    curve_of(face.data.shape_keys, SMILE).modifiers.new("CYCLES")
    bake(face, make_performance(TIMES, AU12=0.3), {"AU12": [KEY]}, target="ACTIVE_ACTION", additive=True)
    for frame, value in ((5, 0.7), (13, 0.7), (17, 0.3), (21, 0.7)):
        bpy.context.scene.frame_set(frame)
        assert smile_key(face).value == pytest.approx(value, abs=1e-3)


def test_additive_onto_a_pose_without_keys(bake):
    face = mesh("Face", ["smile"])
    smile_key(face).value = 0.25
    bake(face, make_performance(TIMES, AU12=0.5), {"AU12": [KEY]}, additive=True)
    bpy.context.scene.frame_set(7)
    assert smile_key(face).value == pytest.approx(0.75, abs=1e-6)


def test_additive_onto_strips_adds_to_what_is_seen(bake):
    face = mesh("Face", ["smile"])
    bake(face, make_performance(TIMES, AU12=TIMES / 2), {"AU12": [KEY]}, target="NLA_STRIP")
    bpy.context.scene.frame_set(3)
    bake(face, make_performance(TIMES, AU12=0.25), {"AU12": [KEY]}, additive=True)
    assert bpy.context.scene.frame_current == 3
    for frame in (1, 13, 25):
        bpy.context.scene.frame_set(frame)
        assert smile_key(face).value == pytest.approx(0.25 + (frame - 1) / 48, abs=1e-5)


def test_additive_where_the_face_is_lost_keeps_what_the_key_did(bake):
    """The artist's smile goes up and down in the gap; the take stays at .2 before and after it."""
    face = mesh("Face", ["smile"])
    animate(face, {1: 0.0, 10: 0.0, 13: 0.6, 16: 0.0})
    performance = make_performance(TIMES, lost=range(8, 20), AU12=0.2)
    bake(face, performance, {"AU12": [KEY]}, additive=True)
    bpy.context.scene.frame_set(13)
    assert smile_key(face).value == pytest.approx(0.8, abs=1e-5)
    bpy.context.scene.frame_set(5)
    assert smile_key(face).value == pytest.approx(0.2, abs=1e-5)


@pytest.mark.parametrize("mode", ["QUATERNION", "AXIS_ANGLE", "XYZ", "ZXY"])
def test_additive_composes_rotations(bake, mode):
    """First the artist's turn, then the take's about the turned bone's own axis."""
    rig = armature("Rig", {"jaw": mode})
    bone = rig.pose.bones["jaw"]
    artist = Euler((0.3, -0.9, 0.5)).to_quaternion()
    path = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(mode, "rotation_euler")
    if mode == "QUATERNION":
        bone.rotation_quaternion = artist
    elif mode == "AXIS_ANGLE":
        axis, angle = artist.to_axis_angle()
        bone.rotation_axis_angle = (angle, *axis)
    else:
        bone.rotation_euler = artist.to_euler(mode)
    bone.keyframe_insert(path, frame=1)
    bake(rig, make_performance(TIMES, AU26=TIMES), {"AU26": [JAW]}, additive=True, target="ACTIVE_ACTION")
    for frame in (1, 13, 25):
        bpy.context.scene.frame_set(frame)
        expected = artist @ Quaternion((1, 0, 0), np.radians(30) * (frame - 1) / 24)
        assert abs(bone.matrix_basis.to_quaternion().dot(expected)) == pytest.approx(1, abs=1e-6)


def test_additive_multiplies_scales_and_adds_locations(bake):
    rig = armature("Rig", {"lip": "XYZ"})
    bone = rig.pose.bones["lip"]
    bone.location, bone.scale = (0.5, 1, 0), (2, 1, 1)
    channels = {
        "AU12": [
            {"kind": "bone_location", "bone": "lip", "axis": "x", "amount": 0.25},
            {"kind": "bone_scale", "bone": "lip", "axis": "x", "amount": 0.5},
        ]
    }
    bake(rig, make_performance(TIMES, AU12=TIMES), channels, additive=True)
    bpy.context.scene.frame_set(25)
    assert tuple(bone.location) == pytest.approx((0.75, 1, 0), abs=1e-6)
    assert tuple(bone.scale) == pytest.approx((3, 1, 1), abs=1e-6)
