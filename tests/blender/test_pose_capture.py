# SPDX-License-Identifier: MIT
"""Capture Pose as AU: from nothing to a mapping that bakes the same channels; nothing is left behind by a cancel."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from mathutils import Euler, Quaternion, Vector
from scenes import armature, make_performance, mapping_data, mesh, select

from bdfm_infer.parameters import AU_NAMES

MODES = {"jaw": "XYZ", "lip.L": "QUATERNION", "lip.R": "ZXY", "brow": "AXIS_ANGLE"}
KNOWN = {
    "AU01": [
        {"kind": "bone_location", "bone": "brow", "axis": "z", "amount": 0.1},
        {"kind": "bone_rotation", "bone": "brow", "axis": "y", "degrees": -20},
    ],
    "AU12": [
        {"kind": "shape_key", "name": "smile", "weight": 0.8},
        {"kind": "bone_location", "bone": "lip.L", "axis": "x", "amount": 0.2},
        {"kind": "bone_location", "bone": "lip.R", "axis": "x", "amount": -0.2},
        {"kind": "bone_rotation", "bone": "lip.L", "axis": "x", "degrees": 12},
        {"kind": "bone_rotation", "bone": "lip.L", "axis": "z", "degrees": 7},
        {"kind": "bone_scale", "bone": "lip.R", "axis": "y", "amount": 0.25},
    ],
    "AU26": [
        {"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 31},
        {"kind": "custom_property", "owner": "pose_bone", "bone": "jaw", "name": 'op"en', "weight": 2},
    ],
    "eye_closed_left": [{"kind": "shape_key", "name": 'blink "L"', "weight": 1.2, "max": 1.2}],
    "jaw_left": [{"kind": "custom_property", "owner": "object", "name": "slide", "weight": -1}],
}


@pytest.fixture
def rig(part, tmp_path):
    """A rig that no mapping knows, and a folder of own mappings that is not there yet."""
    preferences = bpy.context.preferences.addons[part("ui.preferences").ADDON].preferences
    preferences.mappings_folder = str(tmp_path / "not" / "yet")
    item = armature("Strange", MODES)
    item["slide"] = 0.0
    item.pose.bones["jaw"]['op"en'] = 0.0
    for name in ("Face", "Lashes"):
        blocks = mesh(name, ["smile", 'blink "L"', "fat"], item).data.shape_keys.key_blocks
        blocks['blink "L"'].slider_max = 2
    bpy.data.objects["Face"].data.shape_keys.key_blocks["fat"].value = 0.5
    select(item)
    return item


@pytest.fixture
def known(part):
    return part("core.mapping").Mapping.from_dict(mapping_data(KNOWN))


@pytest.fixture
def pose(part, known):
    """Pose the rig as the known mapping would, for one action unit; everything else in its place."""

    def run(item, unit):
        (character,) = part("blender.rig").characters_in([item], bpy.context.scene)
        part("blender.pose_capture").strike(character, known, unit)

    return run


def everything(item):
    """All that can be posed, to the last bit."""
    values = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")
    bones = [(bone.rotation_mode, *(tuple(getattr(bone, value)) for value in values)) for bone in item.pose.bones]
    keys = [(k.name, k.value) for child in item.children for k in child.data.shape_keys.key_blocks]
    return bones, keys, item["slide"], item.pose.bones["jaw"]['op"en']


def own(context=None):
    return bpy.context.scene.bdfm.own_mapping


def test_a_rig_mapped_by_poses_bakes_the_same_channels(rig, part, pose, known, tmp_path):
    assert bpy.ops.bdfm.start_posing() == {"FINISHED"}
    for unit in AU_NAMES:
        assert own().source == unit
        if unit in KNOWN:
            pose(rig, unit)
            bpy.ops.bdfm.capture_pose()
        else:
            bpy.ops.bdfm.step_action_unit()
    bpy.ops.bdfm.finish_posing()
    own().name = "Strange Rig"
    assert bpy.ops.bdfm.save_mapping() == {"FINISHED"}
    assert rig["bdfm_mapping"] == "strange_rig"
    module, rigs = part("core.mapping"), part("blender.rig")
    captured = module.Mapping.load(tmp_path / "not" / "yet" / "strange_rig.json")
    assert {name for name in captured.channels if name in AU_NAMES} == set(KNOWN)

    (character,) = rigs.characters_in([rig], bpy.context.scene)
    assert part("blender.library").load_library(tmp_path / "not" / "yet").choose(rigs.read_rig(character))[0].score == 1
    rng = np.random.default_rng(3)
    performance = make_performance(np.arange(40) / 24, **{name: rng.uniform(0, 1, 40) for name in KNOWN})
    bake = part("blender.bake")
    shown = []
    for mapping in (known, captured):
        time = bake.scene_time(bpy.context.scene, 1)
        bake.bake(performance, character, mapping, time)
        frames = []
        for frame in range(1, 41):
            bpy.context.scene.frame_set(frame)
            matrices = np.array([bone.matrix_basis for bone in rig.pose.bones]).ravel()
            keys = [k.value for child in rig.children for k in child.data.shape_keys.key_blocks]
            frames.append(np.concatenate([matrices, keys, [rig["slide"], rig.pose.bones["jaw"]['op"en']]]))
        shown.append(np.array(frames))
    assert np.ptp(shown[0], axis=0).max() > 1
    np.testing.assert_allclose(shown[1], shown[0], atol=2e-5)


def test_a_new_mapping_begins_with_the_first_unit_an_edited_one_where_it_is(rig):
    own().source = "AU12"
    bpy.ops.bdfm.start_posing()
    assert own().source == AU_NAMES[0]
    bpy.ops.bdfm.finish_posing()
    own().source = "AU12"
    bpy.ops.bdfm.start_posing()
    assert own().source == "AU12"


def test_a_cancel_puts_everything_back(rig, pose):
    rig.pose.bones["lip.L"].rotation_quaternion = (0.9, 0.1, 0.2, 0.3)
    rig.pose.bones["jaw"].rotation_euler = (0.1, 7.0, -0.3)
    rig["slide"] = 0.123456789
    before = everything(rig)
    bpy.ops.bdfm.start_posing()
    for unit in ("AU12", "AU26"):
        pose(rig, unit)
        bpy.ops.bdfm.capture_pose()
    rig.pose.bones["jaw"].rotation_mode = "QUATERNION"
    assert everything(rig) != before
    bpy.ops.bdfm.cancel_posing()
    assert everything(rig) == before
    assert not own().document and not own().rest


def test_a_cancel_keeps_the_mapping_that_was_edited(rig, pose):
    bpy.ops.bdfm.start_posing()
    pose(rig, "AU12")
    bpy.ops.bdfm.capture_pose()
    bpy.ops.bdfm.finish_posing()
    before = [(target.source, target.data) for target in own().targets]
    bpy.ops.bdfm.start_posing()
    pose(rig, "AU26")
    bpy.ops.bdfm.capture_pose()
    assert len(own().targets) > len(before)
    bpy.ops.bdfm.cancel_posing()
    assert [(target.source, json.loads(target.data)) for target in own().targets] == [
        (source, json.loads(data)) for source, data in before
    ]


def test_finishing_puts_the_pose_back(rig, pose):
    before = everything(rig)
    bpy.ops.bdfm.start_posing()
    pose(rig, "AU12")
    bpy.ops.bdfm.capture_pose(go_on=False)
    bpy.ops.bdfm.finish_posing()
    assert everything(rig) == before and own().document


def test_going_back_shows_what_was_captured(rig, pose):
    bpy.ops.bdfm.start_posing()
    pose(rig, "AU01")
    bpy.ops.bdfm.capture_pose()
    brow = rig.pose.bones["brow"]
    assert own().source == "AU02" and tuple(brow.location) == (0, 0, 0)
    bpy.ops.bdfm.step_action_unit(step=-1)
    assert own().source == "AU01" and brow.location.z == pytest.approx(0.1)
    bpy.ops.bdfm.step_action_unit(step=-1)
    assert own().source == "AU01"
    assert bpy.data.objects["Face"].data.shape_keys.key_blocks["fat"].value == 0.5


def test_capturing_again_takes_the_place_of_what_was_captured(rig, pose):
    bpy.ops.bdfm.start_posing()
    pose(rig, "AU12")
    bpy.ops.bdfm.capture_pose(go_on=False)
    rig.pose.bones["lip.L"].location.x = 0.5
    bpy.ops.bdfm.capture_pose(go_on=False)
    amounts = [
        target.content()["amount"]
        for target in own().targets
        if target.source == own().source and target.content().get("bone") == "lip.L" and "amount" in target.content()
    ]
    assert amounts == [pytest.approx(0.5)]


@pytest.mark.parametrize("mode", ["QUATERNION", "AXIS_ANGLE", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
def test_rotations_are_read_in_every_mode(part, mode):
    rig = armature("Rig", {"jaw": mode})
    turn = Euler((0.5, -0.3, 0.2)).to_quaternion()
    bone = rig.pose.bones["jaw"]
    if mode == "QUATERNION":
        bone.rotation_quaternion = -turn
    elif mode == "AXIS_ANGLE":
        bone.rotation_axis_angle = (turn.angle, *turn.axis)
    else:
        bone.rotation_euler = turn.to_euler(mode)
    (character,) = part("blender.rig").characters_in([rig], bpy.context.scene)
    read = Vector(part("blender.pose_capture").read_pose(character).bones["jaw"].rotation)
    assert abs(Quaternion(read.normalized(), np.radians(read.length)).dot(turn)) == pytest.approx(1, abs=1e-6)
    assert read.length < 180


def test_what_a_driver_moves_is_left_out(rig, part):
    keys = bpy.data.objects["Face"].data.shape_keys
    keys.driver_add('key_blocks["smile"].value').driver.expression = "1"
    (character,) = part("blender.rig").characters_in([rig], bpy.context.scene)
    read = part("blender.pose_capture").read_pose(character)
    assert "smile" not in read.keys["Face"] and "smile" in read.keys["Lashes"]


@pytest.mark.parametrize("driven", ["location", "rotation_euler", "rotation_quaternion", "scale"])
def test_what_no_driver_moves_of_a_bone_is_captured(rig, part, driven):
    """The bone turns by Euler angles; a driver on its quaternion moves nothing."""
    jaw = rig.pose.bones["jaw"]
    rig.driver_add(f'pose.bones["jaw"].{driven}', 1).driver.expression = "0.5"
    jaw.location, jaw.rotation_euler, jaw.scale = (0, 0.25, 0.5), (0.2, 0.5, 0), (1, 1.5, 2)
    (character,) = part("blender.rig").characters_in([rig], bpy.context.scene)
    read = part("blender.pose_capture").read_pose(character).bones["jaw"]
    turn = Euler((0.2, 0.0 if driven == "rotation_euler" else 0.5, 0)).to_quaternion()
    assert read.location == pytest.approx((0, 0.0 if driven == "location" else 0.25, 0.5))
    assert read.rotation == pytest.approx(np.degrees(turn.axis * turn.angle), abs=1e-4)
    assert read.scale == pytest.approx((1, 1.0 if driven == "scale" else 1.5, 2))


@pytest.mark.parametrize("mode", ["QUATERNION", "AXIS_ANGLE"])
def test_of_a_rotation_without_angles_all_is_left_out_where_a_driver_moves_a_part(part, mode):
    rig = armature("Rig", {"jaw": mode})
    jaw = rig.pose.bones["jaw"]
    jaw.rotation_quaternion, jaw.rotation_axis_angle = Euler((0, 0.5, 0)).to_quaternion(), (0.5, 0, 1, 0)
    attribute = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}[mode]
    (character,) = part("blender.rig").characters_in([rig], bpy.context.scene)
    read = part("blender.pose_capture").read_pose
    assert any(read(character).bones["jaw"].rotation)
    rig.driver_add(f'pose.bones["jaw"].{attribute}', 3).driver.expression = "0.5"
    assert not any(read(character).bones["jaw"].rotation)


def test_a_pose_at_rest_is_a_report(rig):
    bpy.ops.bdfm.start_posing()
    with pytest.raises(RuntimeError, match="rest pose"):
        bpy.ops.bdfm.capture_pose()
    assert own().source == "AU01"


def test_undo_takes_one_captured_pose_back(rig, pose):
    bpy.ops.bdfm.start_posing()
    pose(rig, "AU01")
    bpy.ops.ed.undo_push(message="posed")
    bpy.ops.bdfm.capture_pose("EXEC_DEFAULT", True)
    assert own().source == "AU02"
    bpy.ops.ed.undo()
    assert own().source == "AU01"
    assert not [target for target in own().targets if target.source == "AU01"]
    assert bpy.data.objects["Strange"].pose.bones["brow"].location.z == pytest.approx(0.1)
    assert own().rest


def test_what_is_renamed_or_gone_meanwhile(rig, pose):
    bpy.ops.bdfm.start_posing()
    pose(rig, "AU12")
    rig.name = "Renamed"
    bpy.ops.bdfm.capture_pose(go_on=False)
    rig.data.bones["jaw"].name = "jaw2"
    face = bpy.data.objects["Face"]
    face.shape_key_remove(face.data.shape_keys.key_blocks["fat"])
    bpy.data.objects.remove(bpy.data.objects["Lashes"])
    assert bpy.ops.bdfm.finish_posing() == {"FINISHED"}
    assert tuple(rig.pose.bones["lip.L"].location) == (0, 0, 0)
    bpy.ops.bdfm.start_posing()
    bpy.data.objects.remove(rig)
    for operator in (bpy.ops.bdfm.capture_pose, bpy.ops.bdfm.step_action_unit):
        with pytest.raises(RuntimeError, match="not in this scene any more"):
            operator()
    assert bpy.ops.bdfm.cancel_posing() == {"FINISHED"}


@pytest.mark.parametrize("damage", ["{", "[]", '{"keys": 1}', "x" * 99])
def test_a_damaged_file_is_a_report(rig, pose, damage):
    bpy.ops.bdfm.start_posing()
    pose(rig, "AU12")
    bpy.ops.bdfm.capture_pose(go_on=False)
    rest, own().rest = own().rest, damage
    with pytest.raises(RuntimeError, match="damaged"):
        bpy.ops.bdfm.capture_pose()
    own().rest, own().targets[-1].data = rest, damage
    with pytest.raises(RuntimeError, match="'kind' is missing"):
        bpy.ops.bdfm.save_mapping()
    own().document = damage
    with pytest.raises(RuntimeError, match="no mapping"):
        bpy.ops.bdfm.save_mapping()
    own().rest = damage
    assert bpy.ops.bdfm.cancel_posing() == {"FINISHED"}
    assert not own().rest


def test_the_run_survives_saving_and_opening(rig, pose, tmp_path):
    before = everything(rig)
    bpy.ops.bdfm.start_posing()
    pose(rig, "AU12")
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    bpy.ops.bdfm.capture_pose(go_on=False)
    bpy.ops.bdfm.cancel_posing()
    assert everything(bpy.data.objects["Strange"]) == before


def test_nothing_to_pose_is_a_report():
    select(mesh("Stone"))
    with pytest.raises(RuntimeError, match="no shape key, bone or custom property"):
        bpy.ops.bdfm.start_posing()
    select()
    with pytest.raises(RuntimeError, match="no character"):
        bpy.ops.bdfm.start_posing()


def test_every_action_unit_has_its_picture(part):
    posing = part("ui.posing")
    for name in AU_NAMES:
        assert tuple(posing.picture_of(name).image_size) == (160, 160)
    posing.forget_pictures()
