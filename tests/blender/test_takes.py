# SPDX-License-Identifier: MIT
"""Takes in the scene: the cleaning that is stored with them, edits in the panel, what goes to the bake."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from scenes import write_take

from bdfm_infer.parameters import AU_NAMES

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
