# SPDX-License-Identifier: MIT
"""Specificity on judged photos, and mirror images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bdfm_infer import Predictor
from bdfm_infer.faces import Face
from bdfm_infer.parameters import AU_NAMES
from bdfm_train.data.photos import Photo
from bdfm_train.errors import MeasureError
from bdfm_train.evaluation import mirror
from bdfm_train.evaluation.expressions import BELONGS, READ_BY, JudgedReadings, matrix, report, worst

SAMPLE = Path(__file__).parents[2] / "examples" / "clip" / "sample.mp4"


def judged(columns: dict[str, list[float]], truth: dict[str, list[int]]) -> JudgedReadings:
    n = len(next(iter(truth.values())))
    values = np.zeros((n, len(AU_NAMES)))
    for unit, column in columns.items():
        values[:, AU_NAMES.index(unit)] = column
    names = tuple(f"{i}.jpg" for i in range(n))
    return JudgedReadings(names, values, np.ones(n, bool), {k: np.array(v, bool) for k, v in truth.items()})


def test_every_unit_that_is_held_against_a_judgement_is_part_of_it() -> None:
    assert all(set(units) <= set(BELONGS[kind]) for kind, units in READ_BY.items())


def test_a_star_marks_what_rises_and_does_not_belong() -> None:
    readings = judged(
        {"AU12": [1, 0.9, 0, 0], "AU15": [0.9, 0.8, 0.1, 0.1], "AU04": [0, 0, 1, 1]}, {"smile": [1, 1, 0, 0]}
    )
    lines = {line.split()[0]: line for line in matrix(readings)[2:25]}
    assert list(lines) == list(AU_NAMES)
    assert lines["AU12"].split() == ["AU12", "1.000"]
    assert lines["AU15"].split() == ["AU15", "1.000*"]
    assert lines["AU04"].split() == ["AU04", "0.000"]
    assert matrix(readings)[25:] == ["1 stars", "AU15 with smile: 1.000, itself not judged"]


def test_what_is_shown_together_is_measured_again_by_itself() -> None:
    # AU26 rises with raised brows because the mouths of the first three are open; of the others it says nothing.
    readings = judged(
        {"AU26": [1, 1, 1, 0, 0.1, 0, 0, 0, 0, 0.1]},
        {"brow_raise": [1, 1, 1, 1, 1, 0, 0, 0, 0, 0], "jaw_drop": [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]},
    )
    star = next(line for line in matrix(readings) if line.startswith("AU26 with brow_raise"))
    # Against 0, 0, 0, 0, .1 the open mouths win 15 pairs of 15, 0 ties four (2 of 5), .1 wins four and ties one (4.5).
    assert star == "AU26 with brow_raise: 0.860, 0.650 without jaw_drop (2 positive of 7)"


def test_report_keeps_the_table_of_goals() -> None:
    rng = np.random.default_rng(0)
    truth = {kind: (np.arange(20) % 3 == 0).tolist() for kind in [*READ_BY, "tongue_out"]}
    lines = report(judged({"AU12": rng.random(20).tolist()}, truth)).splitlines()
    assert lines[0] == "20 photos judged by eye, face found in 20"
    assert lines[1].split()[:3] == ["judgement", "positive", "AUC"]
    assert [line.split()[0] for line in lines[2:9]] == list(READ_BY)


def test_a_jaw_behind_a_tongue_that_is_out_is_no_absent_one() -> None:
    # With the tongue at .8 the jaw drop wins 2 pairs of 6, 4 of 4 without.
    truth = {kind: [1, 1, 0, 0, 0] for kind in READ_BY} | {"tongue_out": [0, 0, 1, 0, 0]}
    lines = report(judged({"AU26": [0.7, 0.6, 0.8, 0.1, 0.2]}, truth)).splitlines()
    assert lines[3].split()[:3] == ["jaw_drop", "2", "0.667"]
    assert lines[9] == "jaw_drop 1.000 without the 1 photos judged tongue_out"


def test_the_photos_that_are_read_most_wrongly_are_named() -> None:
    truth = {kind: [1, 1, 0, 0] for kind in READ_BY}
    readings = judged({"AU12": [0.9, 0.1, 0.2, 0.8], "AU01": [1.0, 0.4, 0.0, 0.2]}, truth)
    lines = worst(readings, 1).splitlines()
    assert lines[:2] == [
        "smile, by AU12, most missed in: 1.jpg (0.10)",
        "smile, by AU12, most wrongly in: 3.jpg (0.80)",
    ]
    assert "brow_raise, by AU01 and AU02, most missed in: 1.jpg (0.20)" in lines
    assert len(lines) == 2 * len(READ_BY)


class HalvesPredictor(Predictor):
    """Reads the brightness of a picture's halves: the person's left is the picture's right."""

    def __init__(self, bias: float = 0.0) -> None:
        self._bias = bias

    def predict(self, image: np.ndarray, face: int = 0) -> Face | None:
        if image.max() == 0:
            return None
        middle = image.shape[1] // 2
        right, left = image[:, :middle].mean() / 255, image[:, middle:].mean() / 255
        units = np.zeros(len(AU_NAMES))
        units[AU_NAMES.index("eye_closed_left")], units[AU_NAMES.index("eye_closed_right")] = left + self._bias, right
        rotation = np.array([left - right, 0.5, right - left])
        return Face(np.zeros((68, 2)), rotation, np.array([1.0, 1.0, 1.0]), units, 1.0)


def photo(name: str, left: int, right: int) -> Photo:
    image = np.zeros((8, 8), np.uint8)
    image[:, :4], image[:, 4:] = left, right
    return Photo(name, image, np.zeros((68, 2), np.float32), np.zeros((36, 2), np.float32))


def test_mirror_exchanges_sides_and_turns_yaw_and_roll_round() -> None:
    test = mirror.run([photo("a", 200, 50), photo("dark", 0, 0)], HalvesPredictor())
    assert (test.names, test.photos) == (("a",), 2)
    np.testing.assert_allclose(test.difference, 0, atol=1e-12)
    np.testing.assert_allclose(test.rotation, 0, atol=1e-12)


def test_mirror_tells_a_reader_that_prefers_a_side() -> None:
    test = mirror.run([photo("a", 200, 50), photo("b", 10, 90)], HalvesPredictor(bias=0.1))
    lines = {line.split()[0]: line.split() for line in mirror.report(test).splitlines()}
    assert lines["eye_closed_left"] == ["eye_closed_left", "0.100", "0.100"]
    assert lines["AU12"] == ["AU12", "0.000", "0.000"]
    assert "all units of 0 photos within 0.03" in mirror.report(test)


def test_mirror_of_the_shipped_reader_is_near() -> None:
    found, frame = cv2.VideoCapture(str(SAMPLE)).read()
    assert found
    still = Photo("s", cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.zeros((68, 2)), np.zeros((36, 2)))
    assert np.abs(mirror.run([still], Predictor()).difference).mean() < 0.1


def test_mirror_without_a_face_is_an_error() -> None:
    with pytest.raises(MeasureError, match="any of 1 photos"):
        mirror.run([photo("dark", 0, 0)], HalvesPredictor())
