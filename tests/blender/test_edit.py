# SPDX-License-Identifier: MIT
"""The buttons of the panel Take: edits, smoothing, the face at rest, what is saved where."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from scenes import write_take

from bdfm_infer.parameters import AU_NAMES
from bdfm_infer.take import Take

TIMES = np.arange(50) / 25


@pytest.fixture
def take(tmp_path):
    """A take whose face rests at a smile of 0.2 for one second, with a blink, then smiles wide; its CSV file."""
    smile = np.where(TIMES < 1, 0.2, 0.6)
    blink = np.where((TIMES > 0.3) & (TIMES < 0.5), 0.9, 0.0)
    path = write_take(tmp_path / "t.csv", TIMES, lost=[40], AU12=smile, eye_closed_left=blink, eye_closed_right=blink)
    bpy.context.scene.render.fps = 25
    bpy.ops.bdfm.load_take(filepath=str(path))
    return path


@pytest.fixture
def cleaning():
    return bpy.context.scene.bdfm.cleaning


@pytest.fixture
def unit(part):
    """Values of an action unit as they are baked."""
    return lambda name: part("ui.takes").scene_performance(bpy.context.scene).values[:, AU_NAMES.index(name)]


@pytest.mark.parametrize("method", ["FRAME", "RANGE", "AUTOMATIC"])
def test_the_face_at_rest(take, cleaning, unit, method):
    bpy.context.scene.frame_set(11)  # in the middle of the blink
    cleaning.rest_first, cleaning.rest_last = 20, 2
    before = unit("eye_closed_left")
    bpy.ops.bdfm.calibrate(method=method)
    assert cleaning.AU12.neutral == pytest.approx(0.2)
    assert unit("AU12")[:25] == pytest.approx(0, abs=1e-6)
    assert unit("AU12")[25] == pytest.approx(0.5)
    np.testing.assert_array_equal(unit("eye_closed_left"), before)
    bpy.ops.bdfm.clear_calibration()
    assert unit("AU12")[0] == pytest.approx(0.2)


def test_no_face_to_take_for_rest(take):
    bpy.context.scene.frame_set(41)
    with pytest.raises(RuntimeError, match="No frame of that stretch shows a face"):
        bpy.ops.bdfm.calibrate(method="FRAME")


def test_blinks_stay_crisp_while_the_head_is_smoothed(part, tmp_path, cleaning):
    times = np.arange(150) / 30
    rng = np.random.default_rng(0)
    blink = np.interp(times, [2.0, 2.1, 2.2], [0, 1, 0])
    path = write_take(tmp_path / "b.csv", times, eye_closed_left=blink, yaw=20 + rng.normal(0, 1, 150))
    bpy.ops.bdfm.load_take(filepath=str(path))
    for method in ("one_euro", "zero_phase"):
        cleaning.method = method
        values = part("ui.takes").scene_performance(bpy.context.scene).values
        assert values[:, AU_NAMES.index("eye_closed_left")].max() > 0.75
        assert values[10:, len(AU_NAMES)].std() < 0.7


def test_cleaning_is_saved_with_the_take(take, cleaning, unit):
    table = take.read_bytes()
    cleaning.AU12.gain, cleaning.method, cleaning.swap, cleaning.AU26.high = 0.7, "zero_phase", True, 0.5
    bpy.ops.bdfm.calibrate(method="AUTOMATIC")
    wanted = unit("AU12")
    bpy.ops.bdfm.save_cleaning()
    assert take.read_bytes() == table
    facts = json.loads(take.with_suffix(".json").read_text())
    assert facts["settings"]["edits"]["units"]["AU12"] == {"gain": 0.7}
    assert facts["source"] == {"name": "clip.mp4"}
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.bdfm.load_take(filepath=str(take))
    np.testing.assert_allclose(unit("AU12"), wanted)
    assert bpy.context.scene.bdfm.cleaning.AU26.high == 0.5


def test_a_take_in_a_folder_that_cannot_be_written(take, cleaning):
    take.with_suffix(".json.part").mkdir()
    cleaning.AU12.gain = 0.7
    with pytest.raises(RuntimeError, match="cannot be written"):
        bpy.ops.bdfm.save_cleaning()
    assert Take.read(take).facts.get("settings") is None
    assert cleaning.AU12.gain == pytest.approx(0.7)


def test_edits_are_reset_alone(take, cleaning):
    bpy.ops.bdfm.calibrate(method="AUTOMATIC")
    cleaning.AU12.gain, cleaning.gain_roll, cleaning.swap, cleaning.method = 0.7, 0.0, True, "one_euro"
    bpy.ops.bdfm.reset_edits()
    assert (cleaning.AU12.gain, cleaning.gain_roll, cleaning.swap) == (1, 1, False)
    assert cleaning.method == "one_euro" and cleaning.AU12.neutral == pytest.approx(0.2)


@pytest.mark.parametrize("name", ["Anna", "俳優", "Müller / Ost"])
def test_presets(take, cleaning, part, name):
    folder = part("ui.cleaning").presets_folder()
    cleaning.preset = name
    cleaning.AU12.gain = 0.7
    bpy.ops.bdfm.calibrate(method="AUTOMATIC")
    assert not bpy.ops.bdfm.load_preset.poll()
    bpy.ops.bdfm.save_preset()
    assert len(list(folder.glob("*.json"))) == 1
    cleaning.AU12.gain = 0.1
    bpy.ops.bdfm.clear_calibration()
    bpy.ops.bdfm.load_preset()
    assert cleaning.AU12.gain == pytest.approx(0.7) and cleaning.AU12.neutral == pytest.approx(0.2)
    bpy.ops.bdfm.remove_preset()
    assert not list(folder.glob("*.json"))


def test_one_undo_takes_a_calibration_back(take):
    bpy.ops.ed.undo_push(message="start")
    bpy.ops.bdfm.calibrate(method="AUTOMATIC")
    bpy.ops.ed.undo_push(message="calibrated")
    bpy.ops.ed.undo()
    assert bpy.context.scene.bdfm.cleaning.AU12.neutral == 0


def test_buttons_need_a_take():
    for operator in (bpy.ops.bdfm.save_cleaning, bpy.ops.bdfm.calibrate, bpy.ops.bdfm.save_preset):
        with pytest.raises(RuntimeError, match="Capture a video or load a take first"):
            operator()


def test_curves_of_the_chosen_units_or_of_those_that_move(take, cleaning, part):
    loaded, chosen = part("ui.takes").loaded_take(bpy.context.scene), part("ui.curves").chosen_units
    assert chosen(bpy.context.scene, loaded) == ("AU12", "eye_closed_left", "eye_closed_right")
    cleaning.AU26.curve = cleaning.AU04.curve = True
    assert chosen(bpy.context.scene, loaded) == ("AU04", "AU26")


def test_all_panels_draw(take, cleaning, part, capfd, layout):
    bpy.ops.bdfm.calibrate(method="AUTOMATIC")
    cleaning.shown = "low"
    draws = [
        part("ui.edit").draw_edit,
        part("ui.edit").draw_smoothing,
        part("ui.calibrate").draw_calibrate,
        part("ui.presets").draw_presets,
        part("ui.curves").draw_curves_panel,
        part("ui.take_panel").draw_take,
        part("ui.values").draw_values,
    ]
    for frame in (-5, 1, 41, 50, 51, 900):
        bpy.context.scene.frame_set(frame)
        for draw in draws:
            draw(layout, bpy.context)
    assert "not found" not in "".join(capfd.readouterr())
