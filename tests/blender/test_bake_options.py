# SPDX-License-Identifier: MIT
"""Which keys a bake makes: speed, range, fewer keys; and what turns with the head."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from scenes import animate, armature, make_performance, mapping_data, mesh

KEY = {"kind": "shape_key", "name": "smile"}
SMILE = 'key_blocks["smile"].value'


@pytest.fixture
def smile(curve_of):
    """The F-curve of the smile."""
    return lambda face: curve_of(face.data.shape_keys, SMILE)


@pytest.mark.parametrize(("fps", "base"), [(24, 1.0), (24, 1.001), (30, 1.001)])
@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_a_video_at_another_speed(bake, smile, fps, base, speed):
    """A moment of the video lies where the slower or faster video would show it, at uneven frame rates as well."""
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = fps, base
    face = mesh("Face", ["smile"])
    times = np.cumsum(np.where(np.arange(120) % 3, 1 / 30, 1 / 10))
    bake(face, make_performance(times, AU12=times / 10), {"AU12": [KEY]}, start=101, speed=speed)
    for seconds in (1.0, 3.0, 5.0):
        assert smile(face).evaluate(101 + seconds / speed * fps / base) == pytest.approx(seconds / 10, abs=1e-4)


def test_a_range_bakes_a_part(bake, smile):
    face = mesh("Face", ["smile"])
    times = np.arange(49) / 24
    report = bake(face, make_performance(times, AU12=times / 2), {"AU12": [KEY]}, first=10, last=20)
    assert [key.co.x for key in smile(face).keyframe_points] == list(range(10, 21))
    assert smile(face).evaluate(13) == pytest.approx(0.25, abs=1e-6)
    assert (report.first, report.last, report.keys) == (10, 20, 11)


def test_a_range_in_the_active_action_replaces_that_part_alone(bake, smile):
    face = mesh("Face", ["smile"])
    times = np.arange(49) / 24
    bake(face, make_performance(times, AU12=0.2), {"AU12": [KEY]})
    bake(face, make_performance(times, AU12=0.8), {"AU12": [KEY]}, target="ACTIVE_ACTION", first=10, last=20)
    values = {key.co.x: round(key.co.y, 5) for key in smile(face).keyframe_points}
    assert values == {frame: 0.8 if 10 <= frame <= 20 else 0.2 for frame in range(1, 50)}


def test_a_range_without_the_take_changes_nothing(bake, part):
    face = mesh("Face", ["smile"])
    with pytest.raises(part("core.errors").TimingError, match="from frame 1 to 25"):
        bake(face, make_performance(np.arange(25) / 24, AU12=1), {"AU12": [KEY]}, first=100, last=200)
    assert not bpy.data.actions and face.data.shape_keys.animation_data is None


@pytest.mark.parametrize("error", [0.002, 0.02])
def test_fewer_keys_within_the_stated_error_at_every_frame(bake, part, error):
    rig = armature("Rig", {"jaw": "QUATERNION", "lip": "XYZ"})
    face = mesh("Face", ["smile"], rig)
    times = np.arange(600) / 24
    random = np.random.default_rng(4)
    smooth = 0.5 + 0.4 * np.sin(times) + random.normal(0, 0.002, 600)
    channels = {
        "AU12": [KEY, {"kind": "bone_location", "bone": "lip", "axis": "y", "amount": 0.03}],
        "AU26": [{"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 30}],
        "yaw": [{"kind": "bone_rotation", "bone": "jaw", "axis": "y", "degrees_per_degree": 1}],
    }
    performance = make_performance(times, lost=range(200, 260), AU12=smooth, AU26=smooth**2, yaw=20 * smooth)
    curves = {}
    for name, options in (("all", {}), ("fewer", {"largest_error": error})):
        report = bake(rig, performance, channels, **options)
        assert report.written == report.curves * report.keys or name == "fewer"
        for id_block in (rig, face.data.shape_keys):
            for curve in part("blender.versions").channels_of(id_block).fcurves:
                curves[name, curve.data_path, curve.array_index] = curve
    assert report.written < 0.7 * report.curves * report.keys
    frames = [frame for frame in range(1, 601) if not 200 < frame < 261]
    for (name, path, index), fewer in curves.items():
        if name == "all":
            continue
        whole = np.array([curves["all", path, index].evaluate(frame) for frame in frames])
        reduced = np.array([fewer.evaluate(frame) for frame in frames])
        same = [c for (n, p, _), c in curves.items() if n == "all" and p == path]
        reach = 1.0 if path == SMILE else max(np.ptp([c.evaluate(frame) for frame in frames]) for c in same)
        assert np.abs(whole - reduced).max() <= error * reach + 1e-6
    rotations = [[key.co.x for key in curve.keyframe_points] for (n, p, _), curve in curves.items()
                 if n == "fewer" and "quaternion" in p]  # fmt: skip
    assert all(keys == rotations[0] for keys in rotations), "the four curves of a rotation have the same keys"


@pytest.mark.parametrize("inherits", [True, False])
@pytest.mark.parametrize("head", ["MAPPED", "HEAD", "NECK", "BOTH", "NONE"])
def test_what_turns_with_the_head(bake, head, inherits):
    """The head turns as far as in the video, whether or not it goes along with the neck; so does a posed one."""
    rig = armature("Rig", {"head": "XYZ", "neck": "QUATERNION"})
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bones = rig.data.edit_bones
    bones["neck"].head, bones["neck"].tail, bones["neck"].roll = (0, 0, 0), (0, 0.2, 1), 0.7
    bones["head"].head, bones["head"].tail, bones["head"].parent = (0, 0.2, 1), (0, 0.2, 2), bones["neck"]
    bones["head"].use_inherit_rotation = inherits
    bpy.ops.object.mode_set(mode="OBJECT")
    mesh("Face", ["smile"], rig)
    rest = rig.pose.bones["head"].matrix.to_quaternion()
    channels = {
        "AU12": [KEY],
        "yaw": [{"kind": "bone_rotation", "bone": "head", "axis": "up", "degrees_per_degree": 1}],
    }
    bake(rig, make_performance([0, 1], AU12=[0, 1], yaw=[0, 40]), channels, head=head)
    bpy.context.scene.frame_set(25)
    neck = {"NECK": 40, "BOTH": 20}.get(head, 0)
    expected = (0 if head == "NONE" else 40 - neck if inherits else 40, neck)
    turned = [np.degrees(rig.pose.bones[name].matrix_basis.to_quaternion().angle) for name in ("head", "neck")]
    assert turned == pytest.approx(expected, abs=1e-3)
    total = rig.pose.bones["head"].matrix.to_quaternion() @ rest.inverted()
    assert np.degrees(total.angle) == pytest.approx(0 if head == "NONE" else 40, abs=1e-3)
    if head != "NONE":
        assert abs(total.axis.z) == pytest.approx(1, abs=1e-5), "the head turns about the character's own up"


def test_the_trial_of_the_neck_leaves_no_trace(bake):
    rig = armature("Rig", {"head": "XYZ", "neck": "AXIS_ANGLE"})
    bone = rig.pose.bones["neck"]
    bone.rotation_axis_angle, bone.location, bone.scale = (7.5, 0, 1, 0), (0, 0.1, 0), (1, 1.5, 1)
    bone.keyframe_insert("location", frame=1)
    channels = {"yaw": [{"kind": "bone_rotation", "bone": "head", "axis": "up", "degrees_per_degree": 1}]}
    before = tuple(bone.rotation_axis_angle), tuple(bone.location), tuple(bone.scale)
    bake(rig, make_performance([0, 1], yaw=[0, 40]), channels, head="BOTH")
    after = tuple(bone.rotation_axis_angle), tuple(bone.location), tuple(bone.scale)
    for now, then in zip(after, before, strict=True):
        assert now == pytest.approx(then, abs=1e-6)


def test_a_rig_without_a_neck_says_so(bake):
    rig = armature("Rig", {"head": "XYZ"})
    channels = {"yaw": [{"kind": "bone_rotation", "bone": "head", "axis": "up", "degrees_per_degree": 1}]}
    report = bake(rig, make_performance([0, 1], yaw=[0, 40]), channels, head="BOTH")
    assert any("neck" in str(missing) for missing in report.missing)


def test_nothing_left_to_bake_is_an_error(bake, part):
    rig = armature("Rig", {"head": "XYZ"})
    channels = {"yaw": [{"kind": "bone_rotation", "bone": "head", "axis": "up", "degrees_per_degree": 1}]}
    with pytest.raises(part("core.errors").NoMappingError, match="nothing of Test rig is left"):
        bake(rig, make_performance([0, 1], yaw=[0, 40]), channels, head="NONE")
    assert not bpy.data.actions


@pytest.mark.parametrize("with_strips", [False, True])
def test_progress_goes_from_nothing_to_all(bake_steps, with_strips):
    face = mesh("Face", [f"key {number}" for number in range(20)])
    if with_strips:
        animate(face, {1: 0.0, 20: 0.4}, "key 1")
        animation = face.data.shape_keys.animation_data
        animation.nla_tracks.new().strips.new("old", 1, animation.action)
    channels = {"AU12": [KEY | {"name": f"key {number}"} for number in range(20)]}
    shares = list(bake_steps(face, make_performance([0, 1], AU12=[0, 1]), channels, additive=with_strips))
    assert len(shares) >= 20 and shares == sorted(shares)
    assert shares[0] < 0.1 and 0.9 < shares[-1] <= 1


@pytest.mark.parametrize("name", ['a "quoted" name', "two\nlines", "back\\slash", "[0]", "笑顔", "x" * 63])
def test_names_of_any_kind(bake, name):
    rig = armature("Rig " + name[:20], {name[:60]: "QUATERNION"})
    face = mesh("Face " + name[:20], [name], rig)
    face[name[:60]] = 0.0
    bpy.context.view_layer.update()
    channels = {
        "AU12": [
            KEY | {"name": name},
            {"kind": "bone_rotation", "bone": name[:60], "axis": "x", "degrees": 30},
            {"kind": "custom_property", "owner": "object", "name": name[:60]},
        ]
    }
    for target in ("NEW_ACTION", "ACTIVE_ACTION", "NLA_STRIP"):
        performance = make_performance([0, 1], name=name, AU12=[0, 0.5])
        report = bake(rig, performance, channels, target=target)
        assert not report.missing and report.curves == 6
        bpy.context.scene.frame_set(25)
        assert face.data.shape_keys.key_blocks[name].value == pytest.approx(0.5, abs=1e-6)
        assert face[name[:60]] == pytest.approx(0.5, abs=1e-6)
        angle = rig.pose.bones[name[:60]].matrix_basis.to_quaternion().angle
        assert np.degrees(angle) == pytest.approx(15, abs=1e-3)


def test_an_object_that_was_deleted_meanwhile_is_a_report(part):
    rig = armature("Rig", {"jaw": "XYZ"})
    face = mesh("Face", ["smile"], rig)
    mapping = part("core.mapping").Mapping.from_dict(mapping_data({"AU12": [KEY]}))
    (character,) = part("blender.rig").characters_in([rig], bpy.context.scene)
    module = part("blender.bake")
    bpy.data.objects.remove(face)
    with pytest.raises(module.BakeError, match="Rig: one of its objects was deleted"):
        module.bake(make_performance([0, 1], AU12=1), character, mapping, module.scene_time(bpy.context.scene, 1))
    assert not bpy.data.actions


def test_objects_and_keys_that_were_renamed_meanwhile(part):
    face = mesh("Face", ["smile", "frown"])
    mapping = part("core.mapping").Mapping.from_dict(mapping_data({"AU12": [KEY, KEY | {"name": "frown"}]}))
    (character,) = part("blender.rig").characters_in([face], bpy.context.scene)
    face.name = face.data.name = "Other"
    face.data.shape_keys.key_blocks["frown"].name = "scowl"
    module = part("blender.bake")
    performance = make_performance([0, 1], AU12=1)
    report = module.bake(performance, character, mapping, module.scene_time(bpy.context.scene, 1))
    assert report.curves == 1
    assert [missing.name for missing in report.missing] == ["frown"]
