# SPDX-License-Identifier: MIT
"""The panels draw into a real layout of Blender, in every state, without an error."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from addon_texts import shown
from footage import sample_frames, write_clip
from scenes import armature, make_rows, mapping_data, mesh, select, write_take

from bdfm_infer.parameters import ACTION_UNITS, EYES
from bdfm_infer.take import TakeWriter


@pytest.fixture
def drawn(part, layout, capfd):
    """Draw all panels; a property or icon that is not there shows on standard error, a mistake raises."""

    def draw():
        capfd.readouterr()
        capture, values, bake = part("ui.capture_panel"), part("ui.values"), part("ui.bake_panel")
        for function in (
            capture.draw_capture,
            capture.draw_clip,
            part("ui.take_panel").draw_take,
            values.draw_values,
            bake.draw_bake,
            bake.draw_options,
            bake.draw_reports,
        ):
            function(layout, bpy.context)
        assert "not found" not in "".join(capfd.readouterr())
        return layout

    return draw


def test_panels_are_registered_in_the_tab(part):
    panels = [cls for cls in part("ui").CLASSES if issubclass(cls, bpy.types.Panel)]
    assert len(panels) > 5
    for panel in panels:
        assert panel.is_registered and panel.bl_category == "BDFM"


def test_empty_file(drawn, part):
    drawn()
    assert not part("ui.values").BDFM_PT_values.poll(bpy.context)


def test_a_take_characters_and_reports(drawn, part, tmp_path):
    folder = tmp_path / "mappings"
    folder.mkdir()
    channels = {"AU12": [{"kind": "shape_key", "name": "smile"}, {"kind": "shape_key", "name": "smirk"}]}
    for name in ("one", "two"):
        (folder / f"{name}.json").write_text(json.dumps(mapping_data(channels, id=name)))
    (folder / "corrupt.json").write_text("{")
    bpy.context.preferences.addons[part("ui.preferences").ADDON].preferences.mappings_folder = str(folder)
    times = np.arange(25) / 24
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "t.csv", times, lost=[3], AU12=times)))
    assert part("ui.values").BDFM_PT_values.poll(bpy.context)
    rig = armature("Rig", {"jaw": "XYZ"})
    mesh("Face", ["smile"], rig)
    select(rig, mesh("Cube"))
    drawn()
    bpy.ops.bdfm.bake()
    for frame in (-10, 1, 4, 25, 400):
        bpy.context.scene.frame_set(frame)
        drawn()
    (report,) = part("ui.bake").last_reports
    assert [missing.name for missing in report.missing] == ["smirk"]


def test_a_running_capture(drawn):
    progress = bpy.context.window_manager.bdfm_capture
    progress.running, progress.factor, progress.text = True, 0.5, "half"
    drawn()
    progress.running = False


def test_a_take_that_is_not_in_memory(drawn):
    bpy.context.scene.bdfm.take = "//gone.csv"
    drawn()


def texts(layout, draw):
    """What a panel shows."""
    column = layout.column()
    draw(column, bpy.context)
    return shown(column)


def test_what_a_capture_could_not_do_stays_in_the_panel_until_the_next_one(part, layout, monkeypatch, tmp_path):
    monkeypatch.setattr(part("ui.sidebar"), "room", lambda margin: 10_000)
    settings, state = bpy.context.scene.bdfm, bpy.context.window_manager.bdfm_capture
    draw = part("ui.capture_panel").draw_capture
    for name in ("gone", "lost"):
        settings.source = str(tmp_path / f"{name}.mp4")
        bpy.ops.bdfm.enqueue()
    with pytest.raises(RuntimeError, match="no such file"):
        bpy.ops.bdfm.capture_queue()
    messages = [item.message for item in state.queue]
    assert len(set(messages)) == 2 and all("no such file" in message for message in messages)
    assert {*messages} <= {*texts(layout, draw)}
    state.running = True
    assert not {*messages} & {*texts(layout, draw)}
    state.running = False
    write_clip(tmp_path / "good.avi", sample_frames(2))
    settings.source = str(tmp_path / "good.avi")
    bpy.ops.bdfm.capture()
    assert [item.state for item in state.queue] == ["FAILED", "FAILED", "DONE"]
    assert not {item.message for item in state.queue} & {*texts(layout, draw)}


def test_why_a_file_was_refused_stays_in_the_panel_until_one_is_loaded(part, layout, monkeypatch, tmp_path):
    monkeypatch.setattr(part("ui.sidebar"), "room", lambda margin: 10_000)
    draw = part("ui.capture_panel").draw_capture
    (tmp_path / "bad.csv").write_text("x")
    before = texts(layout, draw)
    with pytest.raises(RuntimeError):
        bpy.ops.bdfm.load_take(filepath=str(tmp_path / "bad.csv"))
    (said,) = texts(layout, draw)[len(before) :]
    assert "bad.csv" in said
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "t.csv", [0, 1])))
    assert texts(layout, draw) == before


@pytest.mark.parametrize("complete", [True, False])
def test_a_take_that_was_stopped_says_so(part, layout, tmp_path, complete):
    writer = TakeWriter(tmp_path / "t.csv", {})
    for row in make_rows([0, 1]):
        writer.append(row)
    writer.close(complete)
    bpy.ops.bdfm.load_take(filepath=str(writer.path))
    said = texts(layout, part("ui.take_panel").draw_take)
    assert ("Stopped before the clip's end" in said) != complete


def test_a_rest_can_be_changed_at_any_action_unit_and_does_not_vanish(part, layout, tmp_path):
    draw, eyes = part("ui.calibrate").draw_calibrate, [ACTION_UNITS[name] for name in EYES]
    labels = [f"{name} {meaning}" if name.startswith("AU") else meaning for name, meaning in ACTION_UNITS.items()]

    def rests():
        said = texts(layout, draw)
        return [label for label in labels if any(text.startswith(label) for text in said)]

    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "t.csv", [0, 1], AU01=0.2, AU12=0.5)))
    assert rests() == []
    bpy.ops.bdfm.calibrate(method="FRAME")
    assert rests() == [label for label in labels if label not in eyes] and len(rests()) == 21
    group = bpy.context.scene.bdfm.cleaning
    group.AU01.neutral = 0
    assert len(rests()) == 21
    group.eye_closed_left.neutral = 0.1  # out of a file that was edited by hand
    assert len(rests()) == 22
    bpy.ops.bdfm.clear_calibration()
    assert rests() == []


def test_values_shown_are_those_of_the_frame(part, tmp_path):
    times = np.arange(50) / 25
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "t.csv", times, AU12=times / 2)))
    loaded = part("ui.takes").loaded_take(bpy.context.scene)
    for seconds, row in ((-1, 0), (0, 0), (0.039, 0), (0.04, 1), (1, 25), (9, 49)):
        assert loaded.row_at(seconds) == row


def test_preferences_draw(part, layout, tmp_path):
    (tmp_path / "corrupt.json").write_text("{")
    preferences = bpy.context.preferences.addons[part("ui.preferences").ADDON].preferences
    preferences.mappings_folder = str(tmp_path)
    part("ui.preferences").draw_preferences(layout, preferences, bpy.context)
    assert "corrupt.json" in "".join(shown(layout))
