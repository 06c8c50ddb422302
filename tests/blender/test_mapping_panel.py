# SPDX-License-Identifier: MIT
"""Editing a mapping in the panel: targets added, changed, removed; saved, and never overwritten unasked."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from scenes import armature, make_performance, mapping_data, mesh, select

CHANNELS = {
    "AU12": [
        {"kind": "shape_key", "name": "smile_L", "side": "left"},
        {"kind": "shape_key", "name": "smile_R", "side": "right"},
        {"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 5, "curve": "kept"},
    ],
    "yaw": [{"kind": "bone_rotation", "bone": "jaw", "axis": "up", "degrees_per_degree": 1}],
}


@pytest.fixture
def folder(part, keep_mappings):
    data = mapping_data(CHANNELS, fingerprint={"shape_keys": ["smile_L", "smile_R"]}, author="kept too")
    path = keep_mappings(data)
    part("ui.characters").forget_rows()
    return path


@pytest.fixture
def rig(folder):
    item = armature("Rig", {"jaw": "XYZ", 'lip "1"\n': "QUATERNION"})
    item.pose.bones["jaw"]["open"] = 0.0
    mesh("Face", ["smile_L", "smile_R", "frown"], item)
    select(item)
    return item


def own():
    return bpy.context.scene.bdfm.own_mapping


def contents(source):
    return [target.content() for target in own().targets if target.source == source]


def add(*choice):
    return bpy.ops.bdfm.add_target(target=json.dumps(choice))


def test_what_is_not_changed_is_saved_as_it_was(rig, folder, part):
    bpy.ops.bdfm.edit_mapping()
    assert bpy.ops.bdfm.save_mapping(overwrite=True) == {"FINISHED"}
    before = mapping_data(CHANNELS, fingerprint={"shape_keys": ["smile_L", "smile_R"]}, author="kept too")
    Mapping = part("core.mapping").Mapping
    saved = Mapping.load(folder / "test_rig.json")
    assert saved.channels == Mapping.from_dict(before).channels
    assert saved.extra == {"author": "kept too"} and saved.name == "Test rig"
    assert json.loads((folder / "test.json").read_text()) == before


def test_edit_save_and_bake_with_it(rig, folder, part):
    bpy.ops.bdfm.edit_mapping()
    own().source = "AU12"
    assert own().active_target().content()["name"] == "smile_L"
    own().active_target().amount = 0.6
    own().active = 2
    jaw = own().active_target()
    jaw.amount, jaw.axis, jaw.side = -7.5, "up", "right"
    jaw.use_max, jaw.high = True, 30
    own().source = "AU15"
    assert own().active_target() is None
    assert add("shape_key", "frown", None, "object") == {"FINISHED"}
    assert add("bone_location", 'lip "1"\n', None, "object") == {"FINISHED"}
    assert add("custom_property", "open", "jaw", "pose_bone") == {"FINISHED"}
    assert own().active_target().content() == {
        "kind": "custom_property", "owner": "pose_bone", "name": "open", "bone": "jaw"
    }  # fmt: skip
    own().active_target().amount = 2
    own().name = "My rig"
    bpy.ops.bdfm.save_mapping()
    mapping = part("core.mapping").Mapping.load(folder / "my_rig.json")
    smile, _, jaw = mapping.channels["AU12"]
    assert (smile.weight, jaw.degrees, jaw.axis, jaw.side, jaw.max) == (0.6, -7.5, "up", "right", 30)
    assert jaw.extra == {"curve": "kept"}
    assert [target.kind for target in mapping.channels["AU15"]] == ["shape_key", "bone_location", "custom_property"]
    assert mapping.channels["AU15"][2].weight == 2
    assert rig["bdfm_mapping"] == "my_rig"


def test_removing_targets(rig):
    bpy.ops.bdfm.edit_mapping()
    own().source = "AU12"
    for left in (2, 1, 0):
        bpy.ops.bdfm.remove_target()
        assert len(contents("AU12")) == left
    assert not bpy.ops.bdfm.remove_target.poll()
    assert len(contents("yaw")) == 1


def test_limits_stay_in_order(rig):
    bpy.ops.bdfm.edit_mapping()
    own().source = "AU12"
    target = own().active_target()
    target.use_max, target.high = True, 0.4
    target.use_min, target.low = True, 0.9
    assert target.content()["min"] <= target.content()["max"]
    target.use_min = target.use_max = False
    assert "min" not in target.content() and "max" not in target.content()
    target.side = "both"
    assert "side" not in target.content()


def test_a_target_that_is_none_is_a_report(rig, folder):
    bpy.ops.bdfm.edit_mapping()
    own().source = "AU12"
    add("bone_scale", "jaw", None, "object")
    own().active_target().axis = "left"
    with pytest.raises(RuntimeError, match="own x, y or z"):
        bpy.ops.bdfm.save_mapping()
    assert [path.name for path in folder.iterdir()] == ["test.json"]


def test_nothing_is_overwritten_unasked(rig, folder):
    (folder / "hero.json").write_text("the artist's")
    bpy.ops.bdfm.edit_mapping()
    own().name = "Hero"
    with pytest.raises(RuntimeError, match="is there already"):
        bpy.ops.bdfm.save_mapping()
    assert (folder / "hero.json").read_text() == "the artist's"
    bpy.ops.bdfm.save_mapping(overwrite=True)
    assert json.loads((folder / "hero.json").read_text())["id"] == "hero"


def test_a_new_mapping_is_recognised_by_what_it_moves(rig, folder, part):
    bpy.ops.bdfm.new_mapping()
    own().source = "AU15"
    add("shape_key", "frown", None, "object")
    bpy.ops.bdfm.save_mapping()
    mapping = part("core.mapping").Mapping.load(folder / "rig.json")
    assert mapping.fingerprint.shape_keys == ("frown",) and mapping.confidence == "experimental"
    assert mapping.combine and "yaw" not in mapping.channels, "the rig has no bone that is known as a head"


def test_undo_takes_one_edit_back(rig):
    bpy.ops.bdfm.edit_mapping()
    own().source = "AU12"
    bpy.ops.ed.undo_push(message="editing")
    bpy.ops.bdfm.remove_target("EXEC_DEFAULT", True)
    assert len(contents("AU12")) == 2
    bpy.ops.ed.undo()
    assert len(contents("AU12")) == 3


def test_a_head_bone_that_no_mapping_knows_is_chosen_and_turns(folder, part):
    item = armature("Robot", {"skull": "QUATERNION", "torso": "XYZ"})
    select(item)
    assert not bpy.ops.bdfm.choose_head_bone.poll()
    bpy.ops.bdfm.start_posing()
    assert own().head_bone() == ""
    assert {choice[0] for choice in part("ui.mapping_targets")._bone_items(None, bpy.context)} == {"skull", "torso"}
    assert bpy.ops.bdfm.choose_head_bone(bone="torso") == {"FINISHED"}
    assert bpy.ops.bdfm.choose_head_bone(bone="skull") == {"FINISHED"}
    assert own().head_bone() == "skull" and len(own().targets) == 3
    bpy.ops.bdfm.finish_posing()
    own().name = "Robot"
    assert bpy.ops.bdfm.save_mapping() == {"FINISHED"}
    (character,) = part("blender.rig").characters_in([item], bpy.context.scene)
    mapping = part("core.mapping").Mapping.load(folder / "robot.json")
    performance = make_performance(np.arange(3) / 24, yaw=[0.0, 30.0, 30.0])
    bake = part("blender.bake")
    bake.bake(performance, character, mapping, bake.scene_time(bpy.context.scene, 1))
    bpy.context.scene.frame_set(2)
    left = item.pose.bones["skull"].matrix.to_3x3() @ item.data.bones["skull"].matrix_local.to_3x3().inverted()
    np.testing.assert_allclose(np.array(left.to_euler()), [0, 0, np.radians(30)], atol=1e-5)
    assert mapping.aliases["head"][0] == "skull", "so that up can be measured by it"


def test_a_character_without_bones_has_no_head_to_choose(folder, part):
    face = mesh("Bust", ["smile"])
    select(face)
    bpy.ops.bdfm.new_mapping()
    with pytest.raises(RuntimeError, match="no bone"):
        bpy.ops.bdfm.choose_head_bone()


def test_everything_of_the_rig_can_be_found(rig, part):
    bpy.ops.bdfm.edit_mapping()
    items = [json.loads(item[0]) for item in part("ui.mapping_targets")._target_items(None, bpy.context)]
    assert ["shape_key", "frown", None, "object"] in items
    assert ["bone_scale", 'lip "1"\n', None, "object"] in items
    assert ["custom_property", "open", "jaw", "pose_bone"] in items


def test_the_edited_mapping_is_in_the_saved_file(rig, tmp_path):
    bpy.ops.bdfm.edit_mapping()
    own().source = "AU12"
    own().active_target().amount = 0.3
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert contents("AU12")[0]["weight"] == 0.3 and own().character.name == "Rig"


def test_the_panels_draw_in_every_state(rig, draw_characters):
    draw_characters()
    bpy.ops.bdfm.check()
    bpy.ops.bdfm.edit_mapping()
    for source in ("AU12", "yaw", "AU01"):
        own().source = source
        draw_characters()
    bpy.ops.bdfm.start_posing()
    assert not bpy.ops.bdfm.close_mapping.poll()
    draw_characters()
    bpy.data.objects.remove(rig)
    draw_characters()
    bpy.ops.bdfm.finish_posing()
    bpy.ops.bdfm.save_mapping()
    bpy.ops.bdfm.close_mapping()
    draw_characters()


def test_buttons_are_grey_without_a_mapping():
    for operator in ("add_target", "remove_target", "save_mapping", "close_mapping", "capture_pose", "finish_posing"):
        assert not getattr(bpy.ops.bdfm, operator).poll()
