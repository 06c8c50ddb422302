# SPDX-License-Identifier: MIT
"""Where a bake goes: a new action, the active action, an NLA strip; and that the artist's own keys outlive it."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Quaternion
from scenes import animate, armature, make_performance, mesh

SMILE = 'key_blocks["smile"].value'
KEY = {"kind": "shape_key", "name": "smile"}
JAW = {"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 30}
TIMES = np.arange(25) / 24
"""Seconds of a take that ends at frame 25, or 49 where it begins at 25."""

OUTSIDE = {
    -40: ("CONSTANT", "AUTO"),
    -30: ("ELASTIC", "EASE_OUT"),
    -20: ("BACK", "EASE_IN"),
    -10: ("BEZIER", "AUTO"),
    20: ("BEZIER", "EASE_IN_OUT"),
    60: ("BEZIER", "AUTO"),
    70: ("BOUNCE", "EASE_IN"),
    80: ("LINEAR", "AUTO"),
}
"""Keys of the artist around the frames 25 to 49, with their interpolation and easing."""
ATTRIBUTES = ("interpolation", "easing", "amplitude", "back", "period", "type", "select_control_point")


def smile_key(face):
    return face.data.shape_keys.key_blocks["smile"]


def artists_keys(face, curve_of):
    """Keys around the frames 25 to 49 with every attribute set, and two within that range."""
    animate(face, {frame: 0.1 + place * 0.09 for place, frame in enumerate(OUTSIDE)} | {30: 0.9, 49: 0.1})
    curve = curve_of(face.data.shape_keys, SMILE)
    for place, key in enumerate(curve.keyframe_points):
        key.interpolation, key.easing = OUTSIDE.get(round(key.co.x), ("BEZIER", "AUTO"))
        key.amplitude, key.back, key.period = 0.5 + place / 10, 2 + place / 10, 5 + place / 10
        key.handle_left_type = key.handle_right_type = "FREE" if place % 2 else "ALIGNED"
        key.handle_left = (key.co.x - 2.5, key.co.y - 0.03)
        key.handle_right = (key.co.x + 2.5, key.co.y + 0.03)
        key.type = "EXTREME" if place % 2 else "KEYFRAME"
        key.select_control_point = bool(place % 3)
    curve.update()
    return curve


def described(curve, keep):
    """All that a key is, by frame."""
    return {
        key.co.x: (
            key.co.y,
            *(getattr(key, name) for name in ATTRIBUTES),
            key.handle_left_type,
            key.handle_right_type,
            tuple(key.handle_left),
            tuple(key.handle_right),
        )
        for key in curve.keyframe_points
        if keep(key.co.x)
    }


def outside(frame):
    return frame < 25 or frame > 49


def test_the_active_action_keeps_the_keys_outside_the_bake(bake, curve_of):
    face = mesh("Face", ["smile"])
    curve = artists_keys(face, curve_of)
    action = face.data.shape_keys.animation_data.action
    before = described(curve, outside)
    assert len(before) == len(OUTSIDE)
    samples = np.concatenate([np.linspace(-45, 20, 400), np.linspace(60, 90, 200)])
    shown = [curve.evaluate(frame) for frame in samples]
    report = bake(face, make_performance(TIMES, AU12=TIMES), {"AU12": [KEY]}, start=25, target="ACTIVE_ACTION")
    assert face.data.shape_keys.animation_data.action == action
    assert report.actions == (action.name,) and len(bpy.data.actions) == 1
    curve = curve_of(face.data.shape_keys, SMILE)
    assert described(curve, outside) == before
    assert [curve.evaluate(frame) for frame in samples] == pytest.approx(shown, abs=1e-6)
    inside = [key.co.x for key in curve.keyframe_points if not outside(key.co.x)]
    assert inside == list(range(25, 50))
    interpolations = [key.interpolation for key in curve.keyframe_points if not outside(key.co.x)]
    assert interpolations == ["LINEAR"] * 24 + ["BEZIER"], "the last key leads softly to the artist's next"
    assert [curve.evaluate(25 + 24 * t) for t in TIMES] == pytest.approx(TIMES, abs=1e-6)


def test_automatic_handles_do_not_bend_the_curve_outside_the_bake(bake, curve_of):
    """A new neighbour at another height would re-aim the handles at -10 and 60, on their far side too."""
    face = mesh("Face", ["smile"])
    animate(face, {-30: 0.0, -10: 0.4, 30: 0.9, 60: 0.3, 80: 0.0})
    curve = curve_of(face.data.shape_keys, SMILE)
    for key in curve.keyframe_points:
        key.handle_left_type = key.handle_right_type = "AUTO"
    curve.update()
    samples = np.concatenate([np.linspace(-30, -10, 100), np.linspace(60, 80, 100)])
    shown = [curve.evaluate(frame) for frame in samples]
    bake(face, make_performance(TIMES, AU12=0.05), {"AU12": [KEY]}, start=25, target="ACTIVE_ACTION")
    curve = curve_of(face.data.shape_keys, SMILE)
    assert [curve.evaluate(frame) for frame in samples] == pytest.approx(shown, abs=1e-5)
    kept = {key.co.x: key.handle_left_type for key in curve.keyframe_points if outside(key.co.x)}
    assert kept[-30] == kept[80] == "AUTO"


def test_the_active_action_keeps_its_other_channels(bake, curve_of):
    rig = armature("Rig", {"jaw": "XYZ", "spine": "QUATERNION"})
    mesh("Face", ["smile", "frown"], rig)
    rig.keyframe_insert("location", frame=1)
    rig.pose.bones["spine"].keyframe_insert("rotation_quaternion", frame=7)
    bake(rig, make_performance(TIMES, AU12=TIMES, AU26=TIMES), {"AU12": [KEY], "AU26": [JAW]}, target="ACTIVE_ACTION")
    location = curve_of(rig, "location", 2)
    assert [key.co.x for key in location.keyframe_points] == [1]
    assert [key.co.x for key in curve_of(rig, 'pose.bones["spine"].rotation_quaternion', 3).keyframe_points] == [7]
    jaw = curve_of(rig, 'pose.bones["jaw"].rotation_euler')
    assert jaw.group.name == "jaw"
    assert jaw.evaluate(25) == pytest.approx(np.radians(30), abs=1e-6)
    bpy.context.scene.frame_set(25)
    assert smile_key(bpy.data.objects["Face"]).value == pytest.approx(1, abs=1e-6)


def test_the_active_action_twice_gives_the_second_take(bake, curve_of):
    face = mesh("Face", ["smile"])
    for amount in (0.2, 0.7):
        bake(face, make_performance(TIMES, AU12=amount), {"AU12": [KEY]}, target="ACTIVE_ACTION")
    assert len(bpy.data.actions) == 1
    curve = curve_of(face.data.shape_keys, SMILE)
    assert len(curve.keyframe_points) == 25
    assert {round(key.co.y, 5) for key in curve.keyframe_points} == {0.7}


def test_an_active_action_that_is_empty(bake):
    """From Blender 4.4 on it has no slot for the face yet."""
    face = mesh("Face", ["smile"])
    action = bpy.data.actions.new("Empty")
    face.data.shape_keys.animation_data_create().action = action
    bake(face, make_performance(TIMES, AU12=TIMES), {"AU12": [KEY]}, target="ACTIVE_ACTION")
    assert list(bpy.data.actions) == [action]
    bpy.context.scene.frame_set(25)
    assert smile_key(face).value == pytest.approx(1, abs=1e-6)


def test_without_an_active_action_there_is_a_new_one(bake):
    rig = armature("Rig", {"jaw": "XYZ"})
    face = mesh("Face", ["smile"], rig)
    rig.keyframe_insert("location", frame=1)
    walk = rig.animation_data.action
    performance = make_performance(TIMES, AU12=TIMES, AU26=TIMES)
    report = bake(rig, performance, {"AU12": [KEY], "AU26": [JAW]}, target="ACTIVE_ACTION")
    assert rig.animation_data.action == walk
    assert {walk.name, face.data.shape_keys.animation_data.action.name} == set(report.actions)
    assert len(report.actions) == 2


def test_new_keys_swing_when_they_are_set_to_elastic_later(bake, curve_of):
    """Keys that are added by script have no amplitude, back and period of their own."""
    face = mesh("Face", ["smile"])
    bake(face, make_performance(TIMES, AU12=TIMES), {"AU12": [KEY]})
    key = curve_of(face.data.shape_keys, SMILE).keyframe_points[3]
    assert (key.amplitude, key.back, key.period) == pytest.approx((0.8, 1.70158, 4.1))


def test_locked_channels_are_left_alone_and_named(bake, curve_of):
    face = mesh("Face", ["smile", "frown"])
    curve = artists_keys(face, curve_of)
    curve.lock = True
    before = described(curve, lambda frame: True)
    channels = {"AU12": [KEY, KEY | {"name": "frown"}]}
    report = bake(face, make_performance(TIMES, AU12=TIMES), channels, start=25, target="ACTIVE_ACTION")
    assert described(curve_of(face.data.shape_keys, SMILE), lambda frame: True) == before
    assert report.curves == 1
    assert any("smile" in warning and "locked" in warning for warning in report.warnings)


def test_channels_that_hold_samples_are_left_alone_and_named(bake, curve_of):
    """Keys that are added to such a curve would share its memory with the samples."""
    face = mesh("Face", ["smile", "frown"])
    animate(face, {1: 0.2, 20: 0.6})
    curve_of(face.data.shape_keys, SMILE).convert_to_samples(1, 21)
    channels = {"AU12": [KEY, KEY | {"name": "frown"}]}
    report = bake(face, make_performance(TIMES, AU12=TIMES), channels, target="ACTIVE_ACTION")
    curve = curve_of(face.data.shape_keys, SMILE)
    assert len(curve.sampled_points) == 20 and not len(curve.keyframe_points)
    assert report.curves == 1
    assert any("samples" in warning for warning in report.warnings)


@pytest.mark.parametrize("whole_group", [False, True])
def test_channels_that_are_muted_are_named(bake, curve_of, whole_group):
    """Before Blender 4.4 a muted group mutes its channels; later its button mutes each of them."""
    face = mesh("Face", ["smile"])
    bake(face, make_performance(TIMES, AU12=0.1), {"AU12": [KEY]})
    curve = curve_of(face.data.shape_keys, SMILE)
    (curve.group if whole_group else curve).mute = True
    report = bake(face, make_performance(TIMES, AU12=TIMES), {"AU12": [KEY]}, target="ACTIVE_ACTION")
    bpy.context.scene.frame_set(25)
    assert any("muted" in warning for warning in report.warnings) == (smile_key(face).value < 1)
    assert smile_key(face).value < 1 or (whole_group and bpy.app.version >= (4, 4, 0))
    assert curve_of(face.data.shape_keys, SMILE).keyframe_points[24].co.y == pytest.approx(1, abs=1e-6)


def test_a_key_on_a_part_of_a_frame_is_no_second_key(bake, curve_of):
    face = mesh("Face", ["smile"])
    animate(face, {24.9: 0.5, 24.996: 0.5, 49.004: 0.5})
    assert len(curve_of(face.data.shape_keys, SMILE).keyframe_points) == 3
    bake(face, make_performance(TIMES, AU12=TIMES), {"AU12": [KEY]}, start=25, target="ACTIVE_ACTION")
    keys = {key.co.x: key.co.y for key in curve_of(face.data.shape_keys, SMILE).keyframe_points}
    assert list(keys) == pytest.approx([24.9, *range(25, 50)])
    assert list(keys.values()) == pytest.approx([0.5, *TIMES], abs=1e-6)


def test_an_action_that_is_linked_is_refused(bake, part, tmp_path):
    bpy.data.actions.new("Walk").use_fake_user = True
    path = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(path), link=True) as (there, here):
        here.actions = list(there.actions)
    face = mesh("Face", ["smile"])
    face.data.shape_keys.animation_data_create().action = here.actions[0]
    with pytest.raises(part("blender.bake").BakeError, match="linked"):
        bake(face, make_performance(TIMES, AU12=TIMES), {"AU12": [KEY]}, target="ACTIVE_ACTION")


def test_an_action_that_moves_another_head_is_named(bake, part):
    face, twin = mesh("Face", ["smile"]), mesh("Twin", ["smile"])
    bake(face, make_performance(TIMES, AU12=TIMES), {"AU12": [KEY]})
    there = face.data.shape_keys.animation_data
    animation = twin.data.shape_keys.animation_data_create()
    animation.action = there.action
    if part("blender.versions").LAYERED_ACTIONS:
        animation.action_slot = there.action_slot
    report = bake(face, make_performance(TIMES, AU12=TIMES), {"AU12": [KEY]}, target="ACTIVE_ACTION")
    assert any("moves others as well" in warning for warning in report.warnings)


def test_a_strip_on_a_new_track_leaves_the_active_action_alone(bake, curve_of, part):
    rig = armature("Rig", {"jaw": "XYZ"})
    face = mesh("Face", ["smile"], rig)
    rig.keyframe_insert("location", frame=1)
    action = rig.animation_data.action
    performance = make_performance(TIMES, name="clip", AU12=TIMES, AU26=TIMES)
    report = bake(rig, performance, {"AU12": [KEY], "AU26": [JAW]}, start=101, target="NLA_STRIP")
    assert rig.animation_data.action == action and not action.use_fake_user
    assert face.data.shape_keys.animation_data.action is None
    for id_block in (rig, face.data.shape_keys):
        (track,) = id_block.animation_data.nla_tracks
        (strip,) = track.strips
        assert track.name == "clip"
        assert (strip.frame_start, strip.frame_end) == (101, 125)
        assert strip.action.name in report.actions
    scene = bpy.context.scene
    for frame, amount in ((101, 0), (113, 0.5), (125, 1)):
        scene.frame_set(frame)
        assert smile_key(face).value == pytest.approx(amount, abs=1e-5)
        assert rig.pose.bones["jaw"].rotation_euler.x == pytest.approx(np.radians(30) * amount, abs=1e-5)
    bake(rig, make_performance(TIMES, name="other", AU12=0.25), {"AU12": [KEY]}, start=201, target="NLA_STRIP")
    assert [track.name for track in face.data.shape_keys.animation_data.nla_tracks] == ["clip", "other"]
    scene.frame_set(113)
    assert smile_key(face).value == pytest.approx(0.5, abs=1e-5), "a strip hides nothing outside its own frames"
    scene.frame_set(210)
    assert smile_key(face).value == pytest.approx(0.25, abs=1e-5)


def test_an_active_action_that_hides_the_strip_is_named(bake):
    face = mesh("Face", ["smile"])
    animate(face, {1: 0.5})
    report = bake(face, make_performance(TIMES, AU12=TIMES), {"AU12": [KEY]}, target="NLA_STRIP")
    assert any("wins over the strip" in warning for warning in report.warnings)


def test_a_strip_that_the_nla_does_not_play_is_named(bake):
    face = mesh("Face", ["smile"])
    animation = face.data.shape_keys.animation_data_create()
    animation.use_nla = False
    performance = make_performance(TIMES, AU12=TIMES)
    assert any("switched off" in text for text in bake(face, performance, {"AU12": [KEY]}, target="NLA_STRIP").warnings)
    assert not bake(face, performance, {"AU12": [KEY]}).warnings


@pytest.mark.parametrize("target", ["NEW_ACTION", "NLA_STRIP"])
def test_a_track_that_plays_alone_is_named(bake, target):
    face = mesh("Face", ["smile"])
    animate(face, {1: 0.2})
    animation = face.data.shape_keys.animation_data
    track = animation.nla_tracks.new()
    track.strips.new("old", 1, animation.action)
    track.is_solo = True
    report = bake(face, make_performance(TIMES, AU12=TIMES), {"AU12": [KEY]}, target=target)
    bpy.context.scene.frame_set(20)
    assert smile_key(face).value < 0.5
    assert any("Face Shape Keys: its NLA plays one track alone" in warning for warning in report.warnings)


def test_a_scene_that_stretches_time_is_named(bake):
    face = mesh("Face", ["smile"])
    bpy.context.scene.render.frame_map_new = 200
    report = bake(face, make_performance(TIMES, AU12=TIMES), {"AU12": [KEY]})
    bpy.context.scene.frame_set(25)
    assert smile_key(face).value == pytest.approx(11.5 / 24, abs=1e-3)
    assert any("Time Stretching, 100 to 200, plays keyframes at 50 %" in warning for warning in report.warnings)


@pytest.mark.parametrize("start", [-200, 0, 5000])
def test_a_strip_anywhere_in_time(bake, start):
    rig = armature("Rig", {"jaw": "XYZ"})
    face = mesh("Face", ["smile"], rig)
    performance = make_performance(TIMES, AU12=TIMES, AU26=TIMES)
    bake(rig, performance, {"AU12": [KEY], "AU26": [JAW]}, start=start, target="NLA_STRIP")
    for id_block in (rig, face.data.shape_keys):
        (strip,) = id_block.animation_data.nla_tracks[0].strips
        assert (strip.action_frame_start, strip.action_frame_end) == (start, start + 24)
        assert (strip.frame_start, strip.frame_end, strip.scale) == (start, start + 24, 1)
    bpy.context.scene.frame_set(start + 12)
    assert smile_key(face).value == pytest.approx(0.5, abs=1e-5)


def test_a_strip_of_one_frame(bake):
    face = mesh("Face", ["smile"])
    bake(face, make_performance([0], AU12=[0.6]), {"AU12": [KEY]}, start=50, target="NLA_STRIP")
    bpy.context.scene.frame_set(50)
    assert smile_key(face).value == pytest.approx(0.6, abs=1e-5)


def test_slots_and_groups_have_names_for_people(bake, part):
    rig = armature("Rig", {"jaw": "XYZ"})
    face = mesh("Face", ["smile"], rig)
    bake(rig, make_performance(TIMES, AU12=TIMES, AU26=TIMES), {"AU12": [KEY], "AU26": [JAW]})
    channels = part("blender.versions").channels_of
    assert [group.name for group in channels(rig).groups] == ["jaw"]
    assert [group.name for group in channels(face.data.shape_keys).groups] == ["Face"]
    names = {item: item.animation_data.action.name for item in (rig, face.data.shape_keys)}
    if part("blender.versions").LAYERED_ACTIONS:
        slots = [item.animation_data.action_slot.name_display for item in (rig, face.data.shape_keys)]
        assert slots == ["Rig", "Face Shape Keys"]
        assert set(names.values()) == {"take · Rig"}
    else:
        assert names[rig] == "take · Rig" and names[face.data.shape_keys] == "take · Rig · Face Shape Keys"


def test_a_quaternion_does_not_spin_into_the_bake(bake):
    """The artist's key holds a rotation of 10 degrees with the opposite sign, which is the same rotation."""
    rig = armature("Rig", {"jaw": "QUATERNION"})
    bone = rig.pose.bones["jaw"]
    bone.rotation_quaternion = -Quaternion((1, 0, 0), np.radians(10))
    bone.keyframe_insert("rotation_quaternion", frame=1)
    bake(rig, make_performance(TIMES, AU26=TIMES), {"AU26": [JAW]}, start=21, target="ACTIVE_ACTION")
    for frame in range(1, 22):
        bpy.context.scene.frame_set(frame)
        turned = 2 * np.arccos(min(1, abs(bone.matrix_basis.to_quaternion().w)))
        assert np.degrees(turned) < 10.1


def test_a_property_that_was_added_to_an_animated_object_moves_at_once(bake):
    """Blender does not evaluate a curve that joins an action in use before the object is tagged."""
    rig = armature("Rig", {"jaw": "XYZ"})
    rig.keyframe_insert("location", frame=1)
    bpy.context.view_layer.update()
    rig["smile"] = 0.0
    channels = {"AU12": [{"kind": "custom_property", "owner": "object", "name": "smile"}]}
    bake(rig, make_performance(TIMES, AU12=0.5), channels, target="ACTIVE_ACTION")
    bpy.context.view_layer.update()
    assert rig["smile"] == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("target", ["NEW_ACTION", "ACTIVE_ACTION", "NLA_STRIP"])
@pytest.mark.parametrize("steps_taken", [1, 3, 4])
def test_a_bake_that_is_stopped_leaves_the_character_as_it_was(bake_steps, curve_of, target, steps_taken):
    """Two channels of two data-blocks take four steps; of the last two each writes keys."""
    rig = armature("Rig", {"jaw": "XYZ"})
    face = mesh("Face", ["smile"], rig)
    artists_keys(face, curve_of)
    rig.keyframe_insert("location", frame=1)
    actions = {action.name for action in bpy.data.actions}
    before = described(curve_of(face.data.shape_keys, SMILE), lambda frame: True)
    performance = make_performance(TIMES, AU12=TIMES, AU26=TIMES)
    steps = bake_steps(rig, performance, {"AU12": [KEY], "AU26": [JAW]}, start=25, target=target)
    for _ in range(steps_taken):
        next(steps)
    steps.close()
    assert described(curve_of(face.data.shape_keys, SMILE), lambda frame: True) == before
    assert {action.name for action in bpy.data.actions} == actions
    assert not any(item.animation_data.nla_tracks for item in (rig, face.data.shape_keys))
    assert curve_of(rig, 'pose.bones["jaw"].rotation_euler') is None
    assert curve_of(rig, "location", 2) is not None


def test_a_stopped_bake_leaves_no_slot_in_the_active_action(bake_steps):
    """Before Blender 4.4 an action has no slots."""
    rig = armature("Rig", {"jaw": "XYZ"})
    rig.animation_data_create().action = action = bpy.data.actions.new("Artist's")
    has_slots = bpy.app.version >= (4, 4, 0)
    steps = bake_steps(rig, make_performance(TIMES, AU26=TIMES), {"AU26": [JAW]}, start=25, target="ACTIVE_ACTION")
    for _ in range(2):
        next(steps)
    assert not has_slots or len(action.slots) == 1
    steps.close()
    assert not has_slots or not action.slots
    assert rig.animation_data.action == action
