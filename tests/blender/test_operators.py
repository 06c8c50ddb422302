# SPDX-License-Identifier: MIT
"""What the artist presses: loading, baking onto the selection, undo; reports in place of tracebacks."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from scenes import armature, mapping_data, mesh, select, write_take

TIMES = np.arange(25) / 24


@pytest.fixture
def own_mappings(keep_mappings):
    """A folder of own mappings with one for the tests' rig."""
    return keep_mappings(mapping_data({"AU12": [{"kind": "shape_key", "name": "smile"}]}))


@pytest.fixture
def take(tmp_path):
    return write_take(tmp_path / "smile.csv", TIMES, AU12=TIMES)


def test_bake_onto_every_selected_character_by_its_names(own_mappings, take):
    heads = [mesh(name, ["smile"]) for name in ("Anna", "Berta", "Carl")]
    bpy.ops.bdfm.load_take(filepath=str(take))
    select(*heads[:2])
    assert bpy.ops.bdfm.bake() == {"FINISHED"}
    assert [action.name for action in bpy.data.actions] == ["smile · Anna", "smile · Berta"] or len(
        bpy.data.actions
    ) == 2
    bpy.context.scene.frame_set(25)
    assert [head.data.shape_keys.key_blocks["smile"].value for head in heads] == pytest.approx([1, 1, 0], abs=1e-4)


def test_the_start_frame_moves_everything(own_mappings, take):
    head = mesh("Anna", ["smile"])
    select(head)
    bpy.ops.bdfm.load_take(filepath=str(take))
    bpy.context.scene.bdfm.start_frame = 101
    bpy.ops.bdfm.bake()
    bpy.context.scene.frame_set(113)
    assert head.data.shape_keys.key_blocks["smile"].value == pytest.approx(0.5, abs=1e-4)


def test_undo_brings_everything_back(own_mappings, take):
    rig = armature("Rig", {"jaw": "XYZ"})
    mesh("Anna", ["smile"], rig)
    face = bpy.data.objects["Anna"]
    face.data.shape_keys.key_blocks["smile"].value = 0.25
    face.data.shape_keys.keyframe_insert('key_blocks["smile"].value', frame=1)
    old = face.data.shape_keys.animation_data.action.name
    select(rig)
    bpy.ops.bdfm.load_take(filepath=str(take))
    bpy.ops.ed.undo_push(message="before the bake")
    bpy.ops.bdfm.bake("EXEC_DEFAULT", True)
    assert bpy.data.objects["Anna"].data.shape_keys.animation_data.action.name != old
    bpy.ops.ed.undo()
    keys = bpy.data.objects["Anna"].data.shape_keys
    assert [action.name for action in bpy.data.actions] == [old]
    assert keys.animation_data.action.name == old
    assert not bpy.data.actions[old].use_fake_user
    assert keys.key_blocks["smile"].value == pytest.approx(0.25)
    assert bpy.context.scene.bdfm.take == str(take)


def test_a_rig_that_no_mapping_fits_is_a_report(own_mappings, take):
    select(mesh("Cube", ["Key 1"]))
    bpy.ops.bdfm.load_take(filepath=str(take))
    with pytest.raises(RuntimeError, match="Cube: no mapping fits"):
        bpy.ops.bdfm.bake()
    assert not bpy.data.actions


def test_one_refused_character_does_not_stop_the_others(own_mappings, take):
    heads = [mesh("Cube", ["Key 1"]), mesh("Anna", ["smile"])]
    select(*heads)
    bpy.ops.bdfm.load_take(filepath=str(take))
    assert bpy.ops.bdfm.bake() == {"FINISHED"}
    assert heads[0].data.shape_keys.animation_data is None
    assert heads[1].data.shape_keys.animation_data.action


def test_a_mapping_chosen_by_hand(own_mappings, take, part):
    data = mapping_data({"AU12": [{"kind": "shape_key", "name": "grin"}]}, id="hand")
    data["fingerprint"] = {"shape_keys": ["none", "of", "these"]}
    (own_mappings / "hand.json").write_text(json.dumps(data))
    head = mesh("Anna", ["smile", "grin"])
    select(head)
    bpy.ops.bdfm.load_take(filepath=str(take))
    bpy.context.scene.bdfm.mapping = "hand"
    bpy.ops.bdfm.bake()
    bpy.context.scene.frame_set(25)
    assert head.data.shape_keys.key_blocks["grin"].value == pytest.approx(1, abs=1e-4)
    bpy.context.scene.bdfm.mapping = "gone"
    with pytest.raises(RuntimeError, match="no mapping 'gone'"):
        bpy.ops.bdfm.bake()


@pytest.mark.parametrize("content", ["{", "[]", '{"format_version": 99}', "\x00\xff"])
def test_a_corrupt_mapping_is_named_and_the_others_work(own_mappings, take, part, content):
    (own_mappings / "corrupt.json").write_text(content)
    library = part("ui.preferences").library(bpy.context)
    assert [error for error in library.refused if "corrupt.json" in str(error)]
    select(mesh("Anna", ["smile"]))
    bpy.ops.bdfm.load_take(filepath=str(take))
    assert bpy.ops.bdfm.bake() == {"FINISHED"}


def test_a_missing_folder_of_own_mappings_is_no_error(take, part, tmp_path):
    addon = part("ui.preferences").ADDON
    bpy.context.preferences.addons[addon].preferences.mappings_folder = str(tmp_path / "gone")
    assert part("ui.preferences").library(bpy.context).refused == ()


def test_damaged_takes_are_reports(tmp_path):
    for name, content in (("empty.csv", ""), ("text.csv", "hello\n"), ("half.csv", "frame,timestamp\n0,")):
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(RuntimeError, match=name):
            bpy.ops.bdfm.load_take(filepath=str(path))
    with pytest.raises(RuntimeError, match=r"gone\.csv"):
        bpy.ops.bdfm.load_take(filepath=str(tmp_path / "gone.csv"))
    assert bpy.context.scene.bdfm.take == ""


def test_a_take_without_rows_or_faces_is_a_report(own_mappings, tmp_path):
    with pytest.raises(RuntimeError, match="no rows"):
        bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "none.csv", [])))
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "lost.csv", [0, 1], lost=[0, 1])))
    select(mesh("Anna", ["smile"]))
    with pytest.raises(RuntimeError, match="no frame with a face"):
        bpy.ops.bdfm.bake()


def test_a_take_that_vanished_is_a_report(own_mappings, take, part):
    bpy.ops.bdfm.load_take(filepath=str(take))
    take.unlink()
    part("ui.takes")._loaded.clear()
    select(mesh("Anna", ["smile"]))
    with pytest.raises(RuntimeError, match="cannot be read as a take"):
        bpy.ops.bdfm.bake()


def test_buttons_say_why_they_are_grey(take):
    assert not bpy.ops.bdfm.capture.poll()
    assert not bpy.ops.bdfm.bake.poll()
    bpy.ops.bdfm.load_take(filepath=str(take))
    assert not bpy.ops.bdfm.bake.poll()
    select(mesh("Anna"))
    assert bpy.ops.bdfm.bake.poll()


def test_nothing_but_a_lamp_is_a_report(take):
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
    bpy.context.scene.collection.objects.link(lamp)
    bpy.ops.bdfm.load_take(filepath=str(take))
    select(lamp)
    with pytest.raises(RuntimeError, match="Select an armature"):
        bpy.ops.bdfm.bake()


def test_the_take_is_read_again_after_the_file_is_opened(take, tmp_path, part):
    bpy.ops.bdfm.load_take(filepath=str(take))
    path = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    part("ui.takes")._loaded.clear()
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert len(part("ui.takes").loaded_take(bpy.context.scene).take) == 25
