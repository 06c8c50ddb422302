# SPDX-License-Identifier: MIT
"""The command ``blender -b SCENE.blend --command bdfm``, called as Blender calls it: exit codes, files, messages.

bpy as a module has no command line; in a Blender that has one ``tests/window/drive.py`` runs it.
"""

from __future__ import annotations

import os

import bpy
import numpy as np
import pytest
from scenes import mapping_data, mesh, select, write_take

from bdfm_infer.errors import WriteError

TIMES = np.arange(25) / 24


@pytest.fixture(autouse=True)
def own_mappings(keep_mappings):
    smile, grin = ({"AU12": [{"kind": "shape_key", "name": name}]} for name in ("smile", "grin"))
    hand = mapping_data(grin, id="hand", fingerprint={"shape_keys": ["none", "of", "these"]})
    keep_mappings(mapping_data(smile), hand)


@pytest.fixture
def command(part):
    """Runs the command with these words."""
    module = part("blender.command_line")
    services = part("ui.command").services()
    return lambda *words: module.execute(services, [str(word) for word in words])


@pytest.fixture
def take(tmp_path):
    return write_take(tmp_path / "smile.csv", TIMES, AU12=0.5 * TIMES)


def baked(path, frame=25, key="smile"):
    """Values of a key in a file, by object."""
    bpy.ops.wm.open_mainfile(filepath=str(path))
    bpy.context.scene.frame_set(frame)
    return {
        item.name: pytest.approx(item.data.shape_keys.key_blocks[key].value, abs=1e-4)
        for item in bpy.data.objects
        if item.type == "MESH" and item.data.shape_keys and key in item.data.shape_keys.key_blocks
    }


def test_one_take_goes_onto_all_that_a_mapping_fits(command, take, tmp_path, capsys):
    for name, key in (("Anna", "smile"), ("Berta", "smile"), ("Cube", "Key 1")):
        mesh(name, [key])
    out = tmp_path / "new folder" / "baked.blend"
    assert command(take, "-o", out) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0].startswith("Anna: 1 channels, frames 1 to 25")
    assert "2 of 2 characters" in said.out
    assert baked(out) == {"Anna": 0.5, "Berta": 0.5}


def test_several_takes_go_onto_the_named_characters(command, take, tmp_path):
    other = write_take(tmp_path / "other.csv", TIMES, AU12=TIMES)
    for name in ("Anna", "Berta"):
        mesh(name, ["smile"])
    out = tmp_path / "baked.blend"
    assert command(other, take, "-o", out, "--characters", "Berta", "Anna", "--start", "-9") == 0
    assert baked(out, frame=15) == {"Anna": 0.5, "Berta": 1.0}


def test_a_failure_is_told_by_the_exit_code_and_the_others_are_saved(command, take, tmp_path, capsys, part):
    mesh("Anna", ["smile"])
    out = tmp_path / "baked.blend"
    assert command(take, "-o", out, "--characters", "Anna", "Zoe") == part("blender.command_line").SOME_FAILED
    assert "Zoe: not in this scene" in capsys.readouterr().err
    assert baked(out) == {"Anna": 0.5}


def test_where_nothing_is_baked_nothing_is_saved(command, take, tmp_path, part):
    mesh("Cube", ["Key 1"])
    out = tmp_path / "baked.blend"
    assert command(take, "-o", out, "--characters", "Cube") == part("blender.command_line").NONE_BAKED
    assert command(take, "-o", out) == part("blender.batch").BatchError.exit_code
    assert command(tmp_path / "none.csv", "-o", out, "--characters", "Cube") == part("blender.command_line").NONE_BAKED
    assert not out.exists()


def test_no_file_is_overwritten_unless_asked_for(command, take, tmp_path, part):
    mesh("Anna", ["smile"])
    out = tmp_path / "baked.blend"
    out.write_text("mine")
    assert command(take, "-o", out) == 19
    assert out.read_text() == "mine"
    assert command(take, "-o", out, "--overwrite") == 0
    assert baked(out) == {"Anna": 0.5}


@pytest.mark.parametrize("words", [(), ("--overwrite",)])
def test_the_scene_itself_is_never_changed(command, take, tmp_path, capsys, words):
    mesh("Anna", ["smile"])
    scene, link = tmp_path / "scene.blend", tmp_path / "link.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(scene))
    before = scene.read_bytes()
    os.link(scene, link)
    for out in (scene, link):
        assert command(take, "-o", out, *words) == WriteError.exit_code
        assert "is the scene itself" in capsys.readouterr().err
    assert scene.read_bytes() == before
    scene.unlink()
    assert command(take, "-o", link, "--overwrite") == 0
    assert baked(link) == {"Anna": 0.5}


def test_a_mapping_that_moves_nothing_is_named(command, take, tmp_path, capsys):
    mesh("Anna", ["smile"])
    assert command(take, "-o", tmp_path / "b.blend", "--mapping", "hand") == 50
    assert "Nothing of the mapping 'hand'" in capsys.readouterr().err


def test_the_mapping_of_the_command_comes_before_all_others(command, take, tmp_path):
    mesh("Anna", ["smile", "grin"])
    mesh("Berta", ["smile"])
    out = tmp_path / "baked.blend"
    assert command(take, "-o", out, "--mapping", "hand") == 0
    assert baked(out, key="grin") == {"Anna": 0.5}
    assert bpy.data.objects["Berta"].data.shape_keys.animation_data is None


@pytest.mark.parametrize("words", [[], ["--characters", "Anna"]])
def test_a_mapping_that_is_not_there_is_named(command, take, tmp_path, capsys, words):
    mesh("Anna", ["smile"])
    assert command(take, "-o", tmp_path / "b.blend", "--mapping", "smiel", *words) in (32, 52)
    assert "There is no mapping 'smiel'" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--characters", "Anna"]])
def test_of_a_linked_character_the_override_is_baked(command, take, tmp_path, words):
    """Both stand in the scene, by one name."""
    library, out = tmp_path / "library.blend", tmp_path / "baked.blend"
    mesh("Anna", ["smile"])
    bpy.ops.wm.save_as_mainfile(filepath=str(library))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.objects = ["Anna"]
    (linked,) = wanted.objects
    scene = bpy.context.scene
    scene.collection.objects.link(linked)
    own = linked.override_create(remap_local_usages=False)
    scene.collection.objects.link(own)
    own.data = own.data.override_create(remap_local_usages=False)
    assert linked in scene.objects.values() and scene.objects["Anna"] == linked
    command(take, "-o", out, *words)
    assert own.data.shape_keys.animation_data.action is not None


def test_the_lists_of_the_file(command, take, tmp_path, part):
    out = tmp_path / "baked.blend"
    assert command("-o", out) == part("blender.batch").BatchError.exit_code
    select(mesh("Anna", ["smile"]))
    bpy.ops.bdfm.batch_add_characters()
    bpy.ops.bdfm.batch_add_takes(directory=str(tmp_path), files=[{"name": take.name}])
    bpy.context.scene.bdfm.batch.pairing = "PAIRS"
    bpy.data.objects["Anna"].bdfm_gains.overall = 2
    assert command("-o", out) == 0
    assert baked(out) == {"Anna": 1.0}


def test_what_is_not_said_is_as_in_the_panel(command, take, tmp_path):
    head = mesh("Anna", ["smile"])
    bpy.context.scene.bdfm.start_frame = 11
    bpy.context.scene.bdfm.bake.target = "NLA_STRIP"
    out = tmp_path / "baked.blend"
    assert command(take, "-o", out) == 0
    (track,) = head.data.shape_keys.animation_data.nla_tracks
    assert tuple(round(track.strips[0].action.frame_range[side]) for side in (0, 1)) == (11, 35)
    assert command(take, "-o", tmp_path / "again.blend", "--target", "new", "--start", "1") == 0
    assert tuple(head.data.shape_keys.animation_data.action.frame_range) == (1, 25)


@pytest.mark.parametrize("words", [[], ["take.csv"], ["--target", "moon", "-o", "x.blend"], ["--start", "one"]])
def test_wrong_usage(command, words, capsys):
    assert command(*words) == 2
    assert "--command bdfm" in capsys.readouterr().err


def test_takes_and_characters_that_do_not_pair(command, take, tmp_path, part):
    refused = part("blender.batch").BatchError.exit_code
    assert command(take, take, "-o", tmp_path / "x.blend") == refused
    assert command(take, take, "-o", tmp_path / "x.blend", "--characters", "A", "B", "C") == refused


def test_help(command, capsys):
    assert command("--help") == 0
    said = capsys.readouterr().out
    for word in ("TAKE", "--characters", "--mapping", "--start", "--target", "--output", "Exit codes", "50"):
        assert word in said
