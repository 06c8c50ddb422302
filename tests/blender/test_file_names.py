# SPDX-License-Identifier: MIT
"""Names of files and folders that are not in UTF-8, as older systems left them: Linux alone has them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from footage import SAMPLE
from scenes import mapping_data, mesh, select, write_take

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="such names are refused by the file system")

NAME = os.fsdecode(b"caf\xe9 \x83e\x83X")
SPELLED = r"caf\udce9 \udc83e\udc83X"
REFUSAL = r"The name caf\\udce9 \\udc83e\\udc83X\S* is not in UTF-8\. Rename the file or folder\."
TIMES = np.arange(3) / 24
SMILE = {"AU12": [{"kind": "shape_key", "name": "smile"}]}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / NAME
    folder.mkdir()
    return folder


@pytest.fixture
def preferences(part):
    return bpy.context.preferences.addons[part("ui.preferences").ADDON].preferences


@pytest.fixture
def drawn(part, monkeypatch):
    """Texts that are drawn, whole: background mode has no width into which they would be broken."""
    texts = []
    monkeypatch.setattr(part("ui.sidebar"), "_lines", lambda text, *_: texts.append(text) or [text])
    return texts


def capture():
    """Capture what is chosen. Nothing runs afterwards, and the clip can be captured again."""
    with pytest.raises(RuntimeError, match=REFUSAL):
        bpy.ops.bdfm.capture()
    state = bpy.context.window_manager.bdfm_capture
    (item,) = state.queue
    assert item.state == "FAILED" and SPELLED in item.message
    assert not state.running and bpy.ops.bdfm.capture.poll()


def test_a_video(folder):
    bpy.context.scene.bdfm.source = "before.mp4"
    with pytest.raises(RuntimeError, match=REFUSAL):
        bpy.ops.bdfm.choose_video(filepath=str(folder / "clip.mp4"))
    assert bpy.context.scene.bdfm.source == "before.mp4"


def test_videos_for_the_queue(folder):
    with pytest.raises(RuntimeError, match=REFUSAL):
        bpy.ops.bdfm.queue_add(directory=str(folder), files=[{"name": "clip.mp4"}])
    assert not bpy.context.window_manager.bdfm_capture.queue


def test_a_strip(folder):
    (folder / "clip.mp4").symlink_to(SAMPLE)
    editor = bpy.context.scene.sequence_editor_create()
    strips = editor.strips if bpy.app.version >= (4, 4, 0) else editor.sequences
    strips.new_movie("Shot", str(SAMPLE), 1, 1).filepath = str(folder / "clip.mp4")
    choice = bpy.context.scene.bdfm.capture
    choice.kind, choice.strip, choice.face = "STRIP", "Shot", "PICKED"
    with pytest.raises(RuntimeError, match=REFUSAL):
        bpy.ops.bdfm.find_faces()
    choice.face = "LARGEST"
    capture()


def test_the_folder_of_the_takes(folder):
    bpy.context.scene.bdfm.source, bpy.context.scene.bdfm.take_folder = str(SAMPLE), str(folder)
    capture()
    assert not list(folder.iterdir())


def test_a_take(tmp_path):
    before = write_take(tmp_path / "before.csv", TIMES)
    bpy.ops.bdfm.load_take(filepath=str(before))
    with pytest.raises(RuntimeError, match=REFUSAL):
        bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / f"{NAME}.csv", TIMES)))
    assert bpy.context.scene.bdfm.take == str(before)


def test_takes_for_the_batch(folder):
    write_take(folder / "a.csv", TIMES)
    with pytest.raises(RuntimeError, match=REFUSAL):
        bpy.ops.bdfm.batch_add_takes(directory=str(folder), files=[{"name": "a.csv"}])
    assert not bpy.context.scene.bdfm.batch.takes


def test_a_take_of_the_command(part, keep_mappings, tmp_path):
    """It is kept nowhere, so it is baked."""
    keep_mappings(mapping_data(SMILE))
    head = mesh("Anna", ["smile"])
    take = write_take(tmp_path / f"{NAME}.csv", TIMES, AU12=0.5)
    words = [str(take), "-o", str(tmp_path / "out.blend")]
    assert part("blender.command_line").execute(part("ui.command").services(), words) == 0
    assert head.data.shape_keys.animation_data.action.name.startswith(SPELLED)


def test_a_mapping_that_is_refused(part, layout, drawn, preferences, keep_mappings):
    (keep_mappings() / f"{NAME}.json").write_text('{"x": 1}')
    part("ui.characters").draw_characters(layout, bpy.context)
    part("ui.preferences").draw_preferences(layout, preferences, bpy.context)
    assert len([text for text in drawn if f"{SPELLED}.json" in text and "'format_version' is missing" in text]) == 2


def test_the_folder_of_own_mappings(part, layout, drawn, preferences, folder, keep_mappings):
    (keep_mappings(mapping_data(SMILE)) / "test.json").rename(folder / "test.json")
    preferences.mappings_folder = str(folder)
    part("ui.preferences").draw_preferences(layout, preferences, bpy.context)
    assert [Path(text).name for text in drawn] == [SPELLED]
    select(mesh("Anna", ["smile"]))
    bpy.ops.bdfm.edit_mapping()
    assert bpy.ops.bdfm.save_mapping() == {"FINISHED"}
    assert {Path(path).name for path in folder.iterdir()} > {"test.json"}


def test_presets(part, tmp_path):
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "t.csv", TIMES)))
    bpy.context.scene.bdfm.cleaning.preset = "Anna"
    bpy.ops.bdfm.save_preset()
    folder = part("ui.cleaning").presets_folder()
    (folder / f"{NAME}.json").write_bytes((folder / "Anna.json").read_bytes())
    names = part("ui.cleaning")._preset_names(None, bpy.context, "")
    assert "Anna" in names and all(name.encode() for name in names)
