# SPDX-License-Identifier: MIT
"""Takes in the scene: the cleaning that is stored with them, edits in the panel, what goes to the bake."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from scenes import make_rows, write_take

from bdfm_infer.export import export
from bdfm_infer.parameters import AU_NAMES
from bdfm_infer.take import Take

TIMES = np.arange(50) / 25


def store(path, **settings):
    """Put settings into a take's JSON file, as another program would."""
    facts = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(facts | {"settings": settings}))
    return path


def unit(performance, name):
    return performance.values[:, AU_NAMES.index(name)]


@pytest.fixture
def cleaning():
    return bpy.context.scene.bdfm.cleaning


def test_stored_cleaning_comes_into_the_panel(part, tmp_path, cleaning):
    path = store(
        write_take(tmp_path / "t.csv", TIMES, AU12=0.6),
        calibration={"neutral": {"AU12": 0.2}, "gain": {"AU12": 1.5}},
        smoothing={"method": "one_euro", "cutoff_hz": {"head": 2.5}},
        edits={"units": {"AU26": {"offset": 0.25}}, "rotation": {"yaw": 0.5}, "swap": True},
    )
    bpy.ops.bdfm.load_take(filepath=str(path))
    assert cleaning.AU12.neutral == pytest.approx(0.2) and cleaning.AU12.gain == 1.5
    assert (cleaning.method, cleaning.cutoff_head, cleaning.cutoff_lids) == ("one_euro", 2.5, 14)
    assert (cleaning.AU26.offset, cleaning.gain_yaw, cleaning.swap) == (0.25, 0.5, True)
    performance = part("ui.takes").scene_performance(bpy.context.scene)
    assert unit(performance, "AU12") == pytest.approx(1.5 * 0.4 / 0.8, abs=1e-6)
    assert unit(performance, "AU26") == pytest.approx(0.25)


def test_edits_act_at_once_and_undo_with_the_scene(part, tmp_path, cleaning):
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "t.csv", TIMES, AU12=0.6, AU26=0.3)))
    performance = part("ui.takes").scene_performance
    assert performance(bpy.context.scene) is performance(bpy.context.scene)
    cleaning.AU12.gain, cleaning.AU26.mute = 0.5, True
    assert unit(performance(bpy.context.scene), "AU12") == pytest.approx(0.3)
    assert not unit(performance(bpy.context.scene), "AU26").any()
    cleaning.method = "zero_phase"
    cleaning.AU26.mute = False
    assert unit(performance(bpy.context.scene), "AU26") == pytest.approx(0.3)


def test_a_take_named_by_a_script_has_its_stored_cleaning(part, tmp_path):
    path = store(write_take(tmp_path / "t.csv", TIMES, AU12=0.6), edits={"units": {"AU12": {"gain": 0.5}}})
    bpy.context.scene.bdfm.take = str(path)
    assert unit(part("ui.takes").scene_performance(bpy.context.scene), "AU12") == pytest.approx(0.3)
    assert unit(part("ui.takes").performance_of(path), "AU12") == pytest.approx(0.3)
    none = part("core.edits").Edits()
    assert unit(part("ui.takes").performance_of(path, none), "AU12") == pytest.approx(0.6)


def test_unsaved_edits_survive_in_the_blend_file(part, tmp_path):
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "t.csv", TIMES, AU12=0.6)))
    bpy.context.scene.bdfm.cleaning.AU12.gain = 0.5
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert unit(part("ui.takes").scene_performance(bpy.context.scene), "AU12") == pytest.approx(0.3)


def test_settings_that_cannot_be_used_leave_the_scene_as_it_was(tmp_path):
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "good.csv", TIMES)))
    bad = store(write_take(tmp_path / "bad.csv", TIMES), edits={"units": {"AU12": {"gain": "strong"}}})
    with pytest.raises(RuntimeError, match="stored edits cannot be used"):
        bpy.ops.bdfm.load_take(filepath=str(bad))
    assert bpy.context.scene.bdfm.take.endswith("good.csv")


@pytest.mark.parametrize("name", ["俳優 テイク 1", "Größe & Maß (neu)", "שחקן", "a'b\"c"])
def test_names_in_any_script(part, tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    path = write_take(folder / f"{name}.csv", TIMES, AU12=0.6)
    bpy.ops.bdfm.load_take(filepath=str(path))
    bpy.context.scene.bdfm.cleaning.AU12.gain = 0.5
    bpy.ops.bdfm.save_cleaning()
    assert unit(part("ui.takes").performance_of(path), "AU12") == pytest.approx(0.3)


@pytest.mark.parametrize("tool", ["openface", "livelinkface"])
def test_tables_of_other_tools_are_takes(part, tmp_path, tool):
    times = np.arange(90) / 30
    table = tmp_path / f"{tool}.csv"
    rows = make_rows(times, AU12=0.6, eye_closed_left=0.8, eye_closed_right=0.8, yaw=10)
    export(Take.from_rows(rows), tool, table)
    before = table.read_bytes()
    bpy.ops.bdfm.load_take(filepath=str(table))
    assert unit(part("ui.takes").scene_performance(bpy.context.scene), "AU12") == pytest.approx(0.6, abs=2e-3)
    bpy.context.scene.bdfm.cleaning.AU12.gain = 0.5
    bpy.ops.bdfm.save_cleaning()
    assert table.read_bytes() == before
    bpy.ops.bdfm.load_take(filepath=str(table))
    performance = part("ui.takes").scene_performance(bpy.context.scene)
    assert unit(performance, "AU12") == pytest.approx(0.3, abs=2e-3)
    assert unit(performance, "eye_closed_right") == pytest.approx(0.8, abs=2e-3)
    assert performance.values[:, len(AU_NAMES)] == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("AU04", "AU4", "column 'AU04' is missing"),
        ("0.6000", "lots", "line 2, column AU12: 'lots' is not a number"),
        ("0.6000", "6", "line 2, column AU12: 6 is not from 0 to 1"),
    ],
)
def test_tables_edited_by_hand_are_named_and_left_alone(part, tmp_path, old, new, message):
    path = write_take(tmp_path / "t.csv", TIMES, AU12=0.6)
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "good.csv", TIMES)))
    path.write_text(path.read_text().replace(old, new, 1))
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match=message):
        bpy.ops.bdfm.load_take(filepath=str(path))
    assert path.read_bytes() == before
    assert bpy.context.scene.bdfm.take.endswith("good.csv")


def test_a_take_of_a_newer_version_is_left_alone(tmp_path):
    path = write_take(tmp_path / "t.csv", TIMES)
    path.with_suffix(".json").write_text('{"format_version": 9, "settings": {"new": 1}}')
    with pytest.raises(RuntimeError, match="newer version"):
        bpy.ops.bdfm.load_take(filepath=str(path))
    assert path.with_suffix(".json").read_text() == '{"format_version": 9, "settings": {"new": 1}}'


def test_a_batch_of_takes_does_not_fill_the_memory(part, tmp_path):
    takes = part("ui.takes")
    shown = write_take(tmp_path / "shown.csv", TIMES, AU12=0.6)
    bpy.ops.bdfm.load_take(filepath=str(shown))
    for number in range(takes.KEPT + 5):
        takes.performance_of(write_take(tmp_path / f"{number}.csv", TIMES))
    assert len(takes._loaded) == takes.KEPT + 1
    assert takes.loaded_take(bpy.context.scene) is not None


@pytest.mark.parametrize("facts", ["", '{"counts": {"frames": 0, "without_face": 0}}', '{"counts": null}', "[]"])
def test_a_take_whose_facts_count_nothing_is_read_for_faces(part, tmp_path, facts):
    has_face = part("ui.capture_session")._has_face
    for name, lost, expected in (("seen", [], True), ("lost", [0, 1], False)):
        path = write_take(tmp_path / f"{name}.csv", [0, 1], lost=lost)
        assert has_face(path) == expected
        path.with_suffix(".json").unlink()
        if facts:
            path.with_suffix(".json").write_text(facts[:-1] + ', "format_version": 1}' if facts[0] == "{" else facts)
        assert has_face(path) == (expected and facts != "[]")
    assert not has_face(tmp_path / "gone.csv")
