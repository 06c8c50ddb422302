# SPDX-License-Identifier: MIT
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bdfm_infer import Predictor
from bdfm_infer.parameters import AU_NAMES, AU_SLICE, IDENTITY_SLICE, intensity_from_parameter
from bdfm_train.errors import MeasureError
from bdfm_train.evaluation.datasets.labels import STRONGEST
from bdfm_train.evaluation.readings import Readings
from bdfm_train.evaluation.render_draw import TEST, draw_action_units, draw_person, fingerprint, skin_angle
from bdfm_train.evaluation.render_test import RenderTest, report, run, together, unit_figures
from bdfm_train.face_model.head import Head


@pytest.fixture(scope="module")
def head(heads_folder: Path) -> Head:
    return Head.load(heads_folder, "a")


def test_units_are_drawn_as_the_file_says() -> None:
    rng = np.random.default_rng(5)
    units = np.array([draw_action_units(rng) for _ in range(3000)])
    assert units.min() == 0
    assert units.max() <= 1
    # Each unit comes often enough to be told from noise, none as a rule; some faces are at rest.
    shown = (units > 0).mean(0)
    assert shown.min() > 0.05
    assert shown.max() < 0.35
    assert 0.03 < (units == 0).all(1).mean() < 0.12
    left, right = (AU_NAMES.index(f"jaw_{side}") for side in ("left", "right"))
    assert not ((units[:, left] > 0) & (units[:, right] > 0)).any()


def test_a_person_is_drawn_the_same_however_many_are_drawn(head: Head) -> None:
    first, again, other = draw_person(head, 7), draw_person(head, 7), draw_person(head, 8)
    np.testing.assert_array_equal(first.parameters, again.parameters)
    np.testing.assert_array_equal(first.look.palette, again.look.palette)
    assert (first.parameters[:, IDENTITY_SLICE] != other.parameters[:, IDENTITY_SLICE]).any()
    # Both pictures show one person, the first at rest.
    np.testing.assert_array_equal(first.parameters[0, IDENTITY_SLICE], first.parameters[1, IDENTITY_SLICE])
    assert intensity_from_parameter(first.parameters[0, AU_SLICE]).max() == 0
    assert np.abs(first.rotation[0]).max() <= max(TEST["rest_pose"]["most"])


def test_the_people_are_those_that_the_test_was_written_with(head: Head) -> None:
    assert fingerprint(head) == TEST["fingerprint"][head.name]


def test_a_fingerprint_tells_other_people(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fingerprint(head)
    assert found == fingerprint(head)
    monkeypatch.setitem(TEST["seed"], "a", TEST["seed"]["a"] + 1)  # type: ignore[index]
    assert found != fingerprint(head)


def test_skin_angle_falls_with_darkness(head: Head) -> None:
    look = draw_person(head, 0).look
    palette = look.palette.copy()
    angles = []
    for gain in (1.0, 0.6, 0.3):
        palette[0] = gain
        angles.append(skin_angle(head, replace(look, palette=palette.copy())))
    assert angles[0] > angles[1] > angles[2]
    # By hand: sRGB (.9, .72, .6) has L 77.1 and b 21.4; atan2(27.1, 21.4) is 51.7 degrees.
    palette[0] = np.array([0.9, 0.72, 0.6]) / head.skin_means[0]
    white = replace(look, skins=(0, 0), palette=palette, tone=look.tone._replace(skin_mix=0.0))
    assert skin_angle(head, white) == pytest.approx(51.7, abs=1.5)


def test_trial_reads_units_and_pose_on_renders(heads_folder: Path) -> None:
    test = run(heads_folder, "a", Predictor(), 24)
    assert test.readings.found.mean() > 0.9
    truth, read = test.readings.labels[1::2], test.readings.action_units[1::2]
    used = test.readings.found[1::2]
    assert np.corrcoef(truth[used].ravel(), read[used].ravel())[0, 1] > 0.2  # 24 x 23 values: chance is within .09
    assert np.nanmean(np.abs(test.rotation - test.read_rotation)) < 5
    assert set(test.groups) == {"skin", "sex", "age"}
    text = report(test)
    assert "head a: 24 people never seen" in text
    assert "AU23 with AU24" in text
    assert "yaw 45 to 60" in text


def synthetic(read: np.ndarray, found: np.ndarray | None = None) -> RenderTest:
    """40 people of whom the AU12 of the second frame is 0 to 1; ``read`` (80, 23) is what was read."""
    labels = np.zeros((80, 23))
    labels[1::2, AU_NAMES.index("AU12")] = np.linspace(0, 1, 40) * STRONGEST
    people = np.repeat(np.arange(40), 2)
    rotation = np.linspace([-60, -20, 0], [60, 20, 0], 40)
    names = np.repeat(["dark", "light"], 20)
    readings = Readings(people.astype(str), people, labels, read)
    return RenderTest("a", False, readings, rotation, rotation + np.array([1, -2, 3]), {"skin": names})


def test_figures_leave_the_frames_at_rest_out_and_the_reference_takes_them_off() -> None:
    truth = np.linspace(0, 1, 40)
    read = np.zeros((80, 23))
    column = AU_NAMES.index("AU12")
    own = np.tile([0.0, 0.2, 0.4, 0.1], 10)  # what each face shows at rest
    read[::2, column], read[1::2, column] = own, own + (1 - own) * truth
    test = synthetic(read)
    calibrated, without = test.readings.calibrated("neutral")
    assert without == 0
    assert unit_figures(calibrated)[column] == pytest.approx(1, abs=1e-3)
    assert unit_figures(test.readings)[column] < 0.95
    read[1, :] = np.nan
    assert np.isfinite(unit_figures(test.readings)[column])


def test_units_that_are_taken_for_each_other_agree_together() -> None:
    read = np.zeros((80, 23))
    first, second = AU_NAMES.index("AU12"), AU_NAMES.index("AU14")
    read[1::2, second] = np.linspace(0, 1, 40)  # the truth is an AU12
    test = synthetic(read)
    assert unit_figures(test.readings)[first] == pytest.approx(0)
    assert np.isnan(unit_figures(test.readings)[second])  # absent in all
    assert together(test.readings, ("AU12", "AU14")) == pytest.approx(1)


def test_report_gives_pose_by_yaw_and_says_when_the_faces_are_others() -> None:
    read = np.zeros((80, 23))
    read[1::2, AU_NAMES.index("AU12")] = np.linspace(0, 1, 40)
    lines = report(synthetic(read)).splitlines()
    assert any("NOT the faces" in line for line in lines)
    assert [line.split() for line in lines if line.startswith("yaw 0 to 15")] == [
        ["yaw", "0", "to", "15", "1.00", "2.00", "3.00", "10", "of", "10"]
    ]
    assert any(line.startswith("skin dark: 20 faces are too few") for line in lines)


def test_no_face_at_all_is_an_error() -> None:
    with pytest.raises(MeasureError, match="no face was found in any of 40 renders"):
        report(synthetic(np.full((80, 23), np.nan)))


def test_one_person_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="two people"):
        run(tmp_path, "a", Predictor(), 1)
