# SPDX-License-Identifier: MIT
"""The panels draw into a real layout of Blender, in every state, without an error."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from scenes import armature, mapping_data, mesh, select, write_take


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
