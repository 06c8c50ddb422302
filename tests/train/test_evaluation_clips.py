# SPDX-License-Identifier: MIT
"""What is read from clips against what was seen in them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bdfm_infer import Predictor, capture
from bdfm_infer.parameters import AU_NAMES
from bdfm_infer.rows import Row
from bdfm_infer.take import Take
from bdfm_train.errors import MeasureError
from bdfm_train.evaluation.clips import blinks, jump_line, jumps, tremble
from bdfm_train.evaluation.judged_clips import (
    JudgedClip,
    deviation,
    false_blinks,
    load_judged,
    report_lines,
    stretches,
)

SAMPLE = Path(__file__).parents[2] / "examples" / "clip" / "sample.mp4"


def take_of(values: np.ndarray) -> Take:
    rotation, face = np.zeros(3), np.array([10.0, 10.0, 5.0])
    return Take.from_rows([Row(i, i / 25, 1.0, rotation, face, row) for i, row in enumerate(values)])


def test_each_closing_of_both_eyes_is_one_blink() -> None:
    values = np.zeros((30, 23))
    left, right = AU_NAMES.index("eye_closed_left"), AU_NAMES.index("eye_closed_right")
    values[3:6, [left, right]] = 0.9
    values[15:17, [left, right]] = 0.7
    values[22:25, left] = 0.9  # a wink
    assert blinks(take_of(values)) == 2


def test_tremble_passes_over_a_steady_movement() -> None:
    values = np.zeros((40, 23))
    values[:, 0] = np.linspace(0, 1, 40)
    values[1::2, 1] = 0.1
    found = tremble(take_of(values))
    assert found[0] < 1e-9
    assert found[1] == 0.2  # 0, 0.1, 0: second difference 0.2


def judged(eyes: str, mouth: str) -> JudgedClip:
    return JudgedClip(np.array(list(map(int, eyes))), np.array(list(map(int, mouth))))


def test_stretches_touch_both_ends() -> None:
    assert stretches(np.array([1, 1, 0, 1, 0, 1], bool)) == [(0, 2), (3, 4), (5, 6)]
    assert stretches(np.zeros(3, bool)) == []


def test_a_blink_closes_the_eyes_and_half_closed_eyes_are_none() -> None:
    assert judged("001210011000", "0" * 12).blinks == [(2, 5)]


def test_still_is_shut_and_open_eyed_without_the_ends_within_the_clip() -> None:
    clip = judged("0" * 30, "0" * 8 + "1" * 4 + "0" * 4 + "2" * 4 + "0" * 10)
    assert clip.still == [(0, 6), (22, 30)]  # four frames in the middle are too few
    assert judged("0" * 6 + "1" * 3 + "0" * 3, "0" * 12).still == [(0, 4)]


def test_deviation_is_of_each_stretch_about_its_own_mean() -> None:
    values = np.zeros((10, 23))
    values[:5, 0] = 0.2
    values[5:, 0] = 0.8
    values[::2, 1] = 0.1
    found = deviation(take_of(values), [(0, 4), (6, 10)])
    assert found[0] == pytest.approx(0)
    assert found[1] == pytest.approx(0.05)  # half of the time 0, half .1
    assert np.isnan(deviation(take_of(values), [])).all()


def test_a_closing_that_was_not_seen_is_false_unless_it_is_a_frame_away() -> None:
    read = np.array([0, 0.9, 0, 0, 0, 0.9, 0, 0, 0, 0.9])
    eyes = np.array([1, 0, 0, 0, 0, 0, 0, 2, 2, 0])
    assert false_blinks(read, eyes) == 1


def test_report_counts_blinks_and_orders_the_mouth() -> None:
    values = np.zeros((20, 23))
    lids = [AU_NAMES.index("eye_closed_left"), AU_NAMES.index("eye_closed_right")]
    values[3, lids], values[8, lids] = 0.8, 0.3
    values[12:, AU_NAMES.index("AU25")] = 0.6
    clip = judged("00121001210000000000", "0" * 12 + "2" * 8)
    lines = report_lines(take_of(values), clip)
    assert lines[0] == "  blinks seen 2, found 1 (closure above 0.5; at most 0.80, 0.30), false 0"
    assert lines[1].endswith("rank correlation 1.00")
    with pytest.raises(MeasureError, match="19 frames, judged were 20"):
        report_lines(take_of(values[1:]), clip)


def test_the_judged_clips_are_whole() -> None:
    clips = load_judged()
    assert set(clips) == {"lbax4n", "pwij3p", "swiz3n"}
    assert all(len(clip.eyes) == 75 for clip in clips.values())
    assert sum(len(clip.blinks) for clip in clips.values()) >= 2


@pytest.mark.parametrize("rows", ["c,0,0,3\n", "c,0,0,\n", "c,1,0,0\n", "c,0,0,0\nc,2,0,0\n"])
def test_a_bad_judgement_or_a_gap_is_an_error(tmp_path: Path, rows: str) -> None:
    path = tmp_path / "clips.csv"
    path.write_text("# own\nclip,frame,eyes,mouth\n" + rows, encoding="utf-8")
    with pytest.raises(MeasureError, match="c"):
        load_judged(path)


def test_a_face_found_anew_jumps_little(tmp_path: Path) -> None:
    path, sample = tmp_path / "short.avi", cv2.VideoCapture(str(SAMPLE))
    frames = [sample.read()[1] for _ in range(8)]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30, frames[0].shape[1::-1])
    for frame in frames:
        writer.write(frame)
    writer.release()
    predictor = Predictor()
    difference = jumps(path, capture(path, predictor=predictor), predictor)
    assert difference.shape == (8, 23)
    assert difference.mean() < 0.05
    difference[:], difference[5, 2] = 0, 0.46
    assert jump_line(difference).endswith("0.003 apart in the mean, at most 0.460 (AU04, frame 5)")
