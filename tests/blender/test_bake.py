# SPDX-License-Identifier: MIT
"""Takes on rigs: what Blender shows at a frame is what the take says at that time."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Quaternion
from scenes import armature, make_performance, mesh

KEY = {"kind": "shape_key", "name": "smile"}


def at_frame(frame, read):
    bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
    return read()


def curves(part, id_block):
    channels = part("blender.versions").channels_of(id_block)
    return list(channels.fcurves) if channels else []


def test_shape_keys_follow_on_every_mesh(bake):
    rig = armature("Rig", {"head": "QUATERNION"})
    face, lashes = mesh("Face", ["smile"], rig), mesh("Lashes", ["smile", "other"], rig)
    times = np.arange(48) / 24
    values = np.linspace(0, 1, 48)
    report = bake(rig, make_performance(times, AU12=values), {"AU12": [KEY | {"weight": 0.5}]})
    assert (report.curves, report.keys, report.first, report.last) == (2, 48, 1, 48)
    for frame in (1, 17, 48):
        for item in (face, lashes):
            shown = at_frame(frame, lambda item=item: item.data.shape_keys.key_blocks["smile"].value)
            assert shown == pytest.approx(values[frame - 1] * 0.5, abs=1e-6)
    height = face.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices[0].co.z
    assert height == pytest.approx(0.5, abs=1e-5)


def test_objects_that_share_a_mesh_get_one_curve(bake, part):
    face = mesh("Face", ["smile"])
    twin = bpy.data.objects.new("Twin", face.data)
    bpy.context.scene.collection.objects.link(twin)
    twin.parent = face
    report = bake(face, make_performance([0, 1], AU12=[0, 1]), {"AU12": [KEY]})
    assert report.curves == 1
    assert len(curves(part, face.data.shape_keys)) == 1


@pytest.mark.parametrize("mode", ["QUATERNION", "AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
def test_bone_rotation_in_every_mode(bake, mode):
    rig = armature("Rig", {"jaw": mode, "other": mode})
    channels = {
        "AU26": [{"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 30}],
        "AU25": [{"kind": "bone_rotation", "bone": "jaw", "axis": "y", "degrees": 40}],
        "jaw_left": [{"kind": "bone_rotation", "bone": "jaw", "axis": "z", "degrees": -25}],
    }
    amounts = np.linspace(0, 1, 25)
    bake(rig, make_performance(np.arange(25) / 24, AU26=amounts, AU25=amounts, jaw_left=amounts), channels)
    for frame in (1, 9, 25):
        vector = np.radians([30, 40, -25]) * amounts[frame - 1]
        angle = float(np.linalg.norm(vector))
        expected = Quaternion(vector / angle if angle else (0, 1, 0), angle)
        basis = at_frame(frame, lambda: rig.pose.bones["jaw"].matrix_basis.to_quaternion())
        assert abs(basis.dot(expected)) == pytest.approx(1, abs=1e-6)
    assert rig.pose.bones["jaw"].rotation_mode == mode


def test_bone_location_and_scale(bake):
    rig = armature("Rig", {"lip": "QUATERNION", "far": "XYZ"})
    channels = {
        "AU12": [
            {"kind": "bone_location", "bone": "lip", "axis": "y", "amount": 0.5, "reference": "wide"},
            {"kind": "bone_scale", "bone": "lip", "axis": "x", "amount": 0.1},
        ]
    }
    bake(rig, make_performance([0, 1], AU12=[0, 1]), channels, mapping={"reference_lengths": {"wide": ["lip", "far"]}})
    bone = rig.pose.bones["lip"]
    assert at_frame(25, lambda: tuple(bone.location)) == pytest.approx((0, 0.5, 0), abs=1e-6)
    assert at_frame(25, lambda: tuple(bone.scale)) == pytest.approx((1.1, 1, 1), abs=1e-6)
    assert at_frame(1, lambda: tuple(bone.scale)) == pytest.approx((1, 1, 1), abs=1e-6)


def test_custom_properties_of_object_bone_and_armature(bake):
    rig = armature("Rig", {"board": "XYZ"})
    rig["on_object"] = 0.0
    rig.data["on_data"] = 0.0
    rig.pose.bones["board"]['on "bone"'] = 0.0
    bpy.context.view_layer.update()
    channels = {
        "AU12": [
            {"kind": "custom_property", "owner": "object", "name": "on_object"},
            {"kind": "custom_property", "owner": "armature", "name": "on_data", "weight": 2},
            {"kind": "custom_property", "owner": "pose_bone", "bone": "board", "name": 'on "bone"', "weight": -1},
        ]
    }
    report = bake(rig, make_performance([0, 1], AU12=[0, 0.8]), channels)
    assert report.curves == 3 and not report.missing
    bpy.context.scene.frame_set(25)
    assert rig["on_object"] == pytest.approx(0.8, abs=1e-6)
    assert rig.data["on_data"] == pytest.approx(1.6, abs=1e-6)
    assert rig.pose.bones["board"]['on "bone"'] == pytest.approx(-0.8, abs=1e-6)


def test_new_curves_are_seen_at_once(bake):
    rig = armature("Rig", {"board": "XYZ"})
    rig["smile"] = 0.0
    channels = {"AU12": [{"kind": "custom_property", "owner": "object", "name": "smile"}]}
    for amount in (0.25, 0.75):
        bpy.context.view_layer.update()
        bake(rig, make_performance([0, 1], AU12=amount), channels)
        bpy.context.view_layer.update()
        assert rig["smile"] == pytest.approx(amount, abs=1e-6)


@pytest.mark.parametrize(("fps", "base"), [(24, 1.0), (25, 1.0), (30, 1.001), (30, 1.0), (60, 1.0), (24, 1.001)])
def test_a_moment_lies_at_its_time_at_every_frame_rate(bake, part, fps, base):
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = fps, base
    face = mesh("Face", ["smile"])
    times = np.arange(300) / 30
    bake(face, make_performance(times, AU12=np.clip(times / 10, 0, 1)), {"AU12": [KEY]}, start=101)
    (curve,) = curves(part, face.data.shape_keys)
    for seconds in (1.0, 5.0, 9.9):
        assert curve.evaluate(101 + seconds * fps / base) == pytest.approx(seconds / 10, abs=1e-4)


def test_variable_frame_rate_goes_by_time(bake, part):
    times = np.cumsum(np.where(np.arange(120) % 3, 1 / 30, 1 / 10))
    face = mesh("Face", ["smile"])
    bake(face, make_performance(times, AU12=times / 10), {"AU12": [KEY]})
    (curve,) = curves(part, face.data.shape_keys)
    for seconds in np.linspace(times[0] + 1 / 24, times[-1] - 1 / 24, 13):
        assert curve.evaluate(1 + seconds * 24) == pytest.approx(seconds / 10, abs=1e-4)


def test_a_gap_is_held_then_eased_without_keys(bake, part):
    face = mesh("Face", ["smile"])
    times = np.arange(97) / 24
    values = np.where(times < 2, 0.2, 0.8)
    bake(face, make_performance(times, lost=range(25, 73), AU12=values), {"AU12": [KEY]})
    (curve,) = curves(part, face.data.shape_keys)
    frames = [key.co.x for key in curve.keyframe_points]
    assert frames == [*range(1, 26), *range(74, 98)]
    gap = np.array([curve.evaluate(frame) for frame in np.linspace(25, 74, 50)])
    assert gap[0] == pytest.approx(0.2, abs=1e-6) and gap[-1] == pytest.approx(0.8, abs=1e-6)
    assert (np.diff(gap) >= 0).all()
    assert (gap[:16] - 0.2 < 0.1 * 0.6).all(), "held for the first third"
    assert np.diff(gap)[-1] < 0.5 * np.diff(gap).max(), "arrives softly"
    assert all(curve.evaluate(frame + 0.5) == pytest.approx(0.2, abs=1e-6) for frame in range(1, 24))


def test_each_bake_makes_a_new_action_and_keeps_the_old(bake, part):
    face = mesh("Face", ["smile"])
    first = bake(face, make_performance([0, 1], AU12=[0, 1]), {"AU12": [KEY]})
    second = bake(face, make_performance([0, 1], AU12=[0, 0.3]), {"AU12": [KEY]})
    assert set(first.actions).isdisjoint(second.actions)
    old = bpy.data.actions[first.actions[0]]
    assert old.use_fake_user
    assert face.data.shape_keys.animation_data.action.name == second.actions[0]
    (curve,) = curves(part, face.data.shape_keys)
    assert curve.evaluate(25) == pytest.approx(0.3, abs=1e-6)
    face.data.shape_keys.animation_data.action = old
    if part("blender.versions").LAYERED_ACTIONS:
        face.data.shape_keys.animation_data.action_slot = old.slots[0]
    assert curves(part, face.data.shape_keys)[0].evaluate(25) == pytest.approx(1, abs=1e-6)


def test_one_action_for_a_whole_character_where_actions_have_slots(bake, part):
    rig = armature("Rig", {"jaw": "XYZ"})
    mesh("Face", ["smile"], rig)
    channels = {"AU12": [KEY], "AU26": [{"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 30}]}
    report = bake(rig, make_performance([0, 1], name="clip", AU12=[0, 1]), channels)
    assert len(report.actions) == (1 if part("blender.versions").LAYERED_ACTIONS else 2)
    assert report.actions[0].startswith("clip · Rig")


def test_actions_that_moved_more_than_the_face_are_named(bake):
    rig = armature("Rig", {"jaw": "XYZ"})
    rig.keyframe_insert("location", frame=1)
    channels = {"AU26": [{"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 30}]}
    report = bake(rig, make_performance([0, 1], AU26=[0, 1]), channels)
    assert any("3 channels" in warning for warning in report.warnings)


def test_limits_drivers_and_mutes_are_reported(bake):
    face = mesh("Face", ["smile", "frown", "blink"])
    keys = face.data.shape_keys.key_blocks
    keys["smile"].slider_max = 0.5
    keys["frown"].driver_add("value").driver.expression = "0.25"
    keys["blink"].mute = True
    channels = {"AU12": [KEY, KEY | {"name": "frown"}, KEY | {"name": "blink"}]}
    report = bake(face, make_performance([0, 1], AU12=[0, 1]), channels)
    for name, reason in (("smile", "Widen"), ("frown", "driver"), ("blink", "muted")):
        assert any(name in warning and reason in warning for warning in report.warnings)


def test_missing_targets_are_reported_with_the_nearest_names(bake):
    face = mesh("Face", ["smile", "browInnerUpp"])
    report = bake(face, make_performance([0, 1], AU12=[0, 1]), {"AU12": [KEY], "AU01": [KEY | {"name": "browInnerUp"}]})
    assert [missing.name for missing in report.missing] == ["browInnerUp"]
    assert "browInnerUpp" in report.missing[0].nearest


def test_a_take_without_a_face_changes_nothing(bake, part):
    face = mesh("Face", ["smile"])
    with pytest.raises(part("core.errors").TimingError):
        bake(face, make_performance([0, 1], lost=[0, 1]), {"AU12": [KEY]})
    assert not bpy.data.actions


def library_file(tmp_path):
    rig = armature("Rig", {"jaw": "XYZ"})
    mesh("Face", ["smile"], rig)
    path = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(path), link=True) as (there, here):
        here.objects = list(there.objects)
    for item in here.objects:
        bpy.context.scene.collection.objects.link(item)
    return here.objects


def test_linked_characters_are_refused_with_the_reason(bake, part, tmp_path):
    library_file(tmp_path)
    with pytest.raises(part("blender.bake").BakeError, match="linked from"):
        bake(bpy.data.objects["Rig"], make_performance([0, 1], AU12=[0, 1]), {"AU12": [KEY]})
    assert not bpy.data.actions


def test_an_override_whose_mesh_is_still_linked_is_refused(bake, part, tmp_path):
    library_file(tmp_path)
    face = bpy.data.objects["Face"].override_create(remap_local_usages=True)
    with pytest.raises(part("blender.bake").BakeError, match="linked from"):
        bake(face, make_performance([0, 1], AU12=[0, 1]), {"AU12": [KEY]})
    face.data.override_create(remap_local_usages=True)
    bake(face, make_performance([0, 1], AU12=[0, 1]), {"AU12": [KEY]})


def test_tweak_mode_is_refused(bake, part):
    face = mesh("Face", ["smile"])
    bake(face, make_performance([0, 1], AU12=[0, 1]), {"AU12": [KEY]})
    animation = face.data.shape_keys.animation_data
    track = animation.nla_tracks.new()
    track.strips.new("strip", 1, animation.action)
    animation.action = None
    animation.use_tweak_mode = True
    if not animation.use_tweak_mode:
        pytest.fail("tweak mode was not entered")
    with pytest.raises(part("blender.bake").BakeError, match="tweak"):
        bake(face, make_performance([0, 1], AU12=[0, 1]), {"AU12": [KEY]})
