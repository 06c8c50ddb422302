# SPDX-License-Identifier: MIT
"""Where a scene's take comes from when a file is opened, moved, appended from or undone in, and its table changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
import numpy as np
import pytest
from scenes import write_take

from bdfm_infer.parameters import AU_NAMES
from bdfm_infer.take import Take

TIMES = np.arange(25) / 25


@pytest.fixture
def tables(monkeypatch):
    """Names of the tables that are read from now on."""
    names, read = [], Take.read
    monkeypatch.setattr(Take, "read", lambda path: names.append(Path(path).name) or read(path))
    return names


@pytest.fixture
def project(tmp_path):
    """A saved file with two scenes, each with a take below its folder."""
    folder = tmp_path / "project"
    (folder / "takes").mkdir(parents=True)
    for name in ("one", "two"):
        write_take(folder / "takes" / f"{name}.csv", TIMES, AU12=0.5)
    bpy.ops.bdfm.load_take(filepath=str(folder / "takes" / "one.csv"))
    bpy.context.scene.name = "One"
    other = bpy.data.scenes.new("Two")
    with bpy.context.temp_override(scene=other):
        bpy.ops.bdfm.load_take(filepath=str(folder / "takes" / "two.csv"))
    bpy.ops.bdfm.batch_add_takes(directory=str(folder / "takes"), files=[{"name": "two.csv"}])
    save(folder / "shot.blend")
    return folder


def save(path, **options):
    bpy.ops.wm.save_as_mainfile(filepath=str(path), **options)


def reopen(path):
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return bpy.context.scene


def smile(part, scene):
    return part("ui.takes").scene_performance(scene).values[0, AU_NAMES.index("AU12")]


def test_opening_a_file_reads_the_take_that_is_shown_and_others_when_they_are_asked_for(project, part, tables):
    scene = reopen(project / "shot.blend")
    assert tables == ["one.csv"]
    for asked in (scene, bpy.data.scenes["Two"], bpy.data.scenes["Two"]):
        assert part("ui.takes").loaded_take(asked).name == asked.name.lower()
    assert tables == ["one.csv", "two.csv"]


def test_the_timer_reads_one_take_after_the_other(project, part, tables):
    takes = part("ui.takes")
    takes.forget_takes()
    takes._awaited.update(str(project / "takes" / f"{name}.csv") for name in ("one", "two"))
    assert takes._read_awaited() == 0.0 and len(tables) == 1
    assert takes._read_awaited() is None and len(tables) == 2


def test_a_take_that_cannot_be_read_is_not_tried_at_each_drawing(part, tables, tmp_path):
    bpy.context.scene.bdfm.take = str(tmp_path / "gone.csv")
    for _ in range(3):
        assert part("ui.takes").loaded_take(bpy.context.scene) is None
    assert tables == ["gone.csv"]
    assert "gone.csv: cannot be read as a take" in bpy.context.window_manager.bdfm_capture.refused
    write_take(tmp_path / "gone.csv", TIMES, AU12=0.5)
    assert smile(part, bpy.context.scene) == 0.5
    assert part("ui.takes").loaded_take(bpy.context.scene) is not None


def test_a_file_whose_take_is_gone_says_so_in_the_panel(project):
    (project / "takes" / "one.csv").unlink()
    bpy.ops.wm.open_mainfile(filepath=str(project / "shot.blend"))
    assert "one.csv: cannot be read as a take" in bpy.context.window_manager.bdfm_capture.refused


def test_the_add_on_is_enabled_while_a_file_is_open(project, part):
    part("ui.takes").forget_takes()
    assert part("ui.values").BDFM_PT_values.poll(bpy.context)
    assert bpy.ops.bdfm.fit_scene_range.poll()


def test_a_scene_that_is_appended_has_its_take(project, part):
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(project / "shot.blend")) as (_, into):
        into.scenes = ["Two"]
    assert part("ui.takes").loaded_take(into.scenes[0]).name == "two"


def test_undo_brings_back_a_take_that_is_not_in_memory_any_more(part, tmp_path):
    count = part("ui.takes").KEPT + 4
    bpy.ops.ed.undo_push(message="start")
    for number in range(count):
        bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / f"{number}.csv", TIMES)))
        bpy.ops.ed.undo_push(message=str(number))
    for _ in range(count - 1):
        bpy.ops.ed.undo()
    assert part("ui.takes").loaded_take(bpy.context.scene).name == "0"


def test_a_table_that_was_replaced_is_read_again(part, tmp_path):
    path = write_take(tmp_path / "t.csv", TIMES, AU12=0.5)
    bpy.ops.bdfm.load_take(filepath=str(path))
    write_take(tmp_path / "new.csv", TIMES, AU12=0.75).replace(path)
    assert smile(part, bpy.context.scene) == 0.75
    assert part("ui.takes").loaded_take(bpy.context.scene).raw.values[0, AU_NAMES.index("AU12")] == 0.75


def paths(scene):
    settings = scene.bdfm
    return [settings.take, settings.cleaning.take, *(item.path for item in settings.batch.takes)]


@pytest.mark.parametrize("move", [shutil.move, shutil.copytree])
def test_takes_below_the_files_folder_move_with_it(project, part, move, tmp_path):
    move(project, tmp_path / "elsewhere")
    scene = reopen(tmp_path / "elsewhere" / "shot.blend")
    takes = tmp_path / "elsewhere" / "takes"
    assert paths(scene) == [str(takes / name) for name in ("one.csv", "one.csv", "two.csv")]
    assert paths(bpy.data.scenes["Two"]) == [str(takes / "two.csv")] * 2
    assert part("ui.takes").loaded_take(scene).path == takes / "one.csv"


def test_takes_that_did_not_come_along_stay_where_they_are(project, tmp_path):
    before = paths(bpy.context.scene)
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(project / "shot.blend", tmp_path / "elsewhere")
    assert paths(reopen(tmp_path / "elsewhere" / "shot.blend")) == before


def test_a_file_that_is_saved_elsewhere_keeps_its_takes(project, tmp_path):
    before, elsewhere = paths(bpy.context.scene), tmp_path / "elsewhere"
    elsewhere.mkdir()
    save(elsewhere / "copy.blend", copy=True)
    save(elsewhere / "shot.blend")
    assert paths(bpy.context.scene) == before
    for name in ("copy", "shot"):
        assert paths(reopen(elsewhere / f"{name}.blend")) == before


def test_takes_move_from_one_system_to_another(part, tmp_path):
    moved = part("ui.project")._moved
    assert moved(r"C:\Shots\a\takes\t.csv", r"c:\shots\a", tmp_path) == tmp_path / "takes" / "t.csv"
    assert moved("/shots/ab/t.csv", "/shots/a", tmp_path) is None and moved("", "/", tmp_path) is None


def test_a_path_of_the_files_folder_is_refused_until_the_file_has_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_take(tmp_path / "t.csv", TIMES)
    settings = bpy.context.scene.bdfm
    settings.source, settings.take_folder = "//clip.mp4", "//takes"
    named = {"directory": "//", "files": [{"name": "t.csv"}]}
    for press, options in (
        (bpy.ops.bdfm.capture, {}),
        (bpy.ops.bdfm.load_take, {"filepath": "//t.csv"}),
        (bpy.ops.bdfm.queue_add, named),
        (bpy.ops.bdfm.batch_add_takes, named),
    ):
        with pytest.raises(RuntimeError, match="begins in the folder of the file, which is not saved yet"):
            press(**options)
    settings.source = str(tmp_path / "clip.mp4")
    with pytest.raises(RuntimeError, match="//takes begins in the folder"):
        bpy.ops.bdfm.capture()
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".json"] == ["t.csv"]
    save(tmp_path / "shot.blend")
    bpy.ops.bdfm.load_take(filepath="//t.csv")
    assert settings.take == str(tmp_path / "t.csv")


def test_a_path_of_the_current_folder_is_kept_from_the_root(tmp_path, monkeypatch):
    write_take(tmp_path / "t.csv", TIMES)
    monkeypatch.chdir(tmp_path)
    bpy.ops.bdfm.load_take(filepath="t.csv")
    assert bpy.context.scene.bdfm.take == str(tmp_path / "t.csv")
