# SPDX-License-Identifier: MIT
"""Numbered images: one that is missing is named."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from synthetic_face import picture

from bdfm_infer import CaptureOptions, Predictor, capture
from bdfm_infer.errors import BdfmError
from bdfm_infer.sequences import first_gap


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["f_0001.png", "f_0002.png", "f_0010.png"], "f_0003.png"),
        (["2.png", "1.png", "4.png"], None),
        (["shot8.1.png", "shot9.1.png", "shot11.1.png"], None),
        (["take2_8.png", "take2_9.png", "take2_11.png"], "take2_10.png"),
        (["1.png", "3.png", "5.png"], None),
        (["1.png", "3.png", "7.png"], "5.png"),
        (["a1.png", "b3.png", "c9.png"], None),
        (["cover.png", "1.png", "3.png"], None),
        (["1.png"], None),
        ([], None),
    ],
)
def test_the_first_gap(names: list[str], missing: str | None) -> None:
    assert first_gap([Path(name) for name in names]) == missing


def test_a_gap_is_said_of_a_sequence_alone(predictor: Predictor, tmp_path: Path) -> None:
    for number in (1, 2, 10):
        cv2.imwrite(str(tmp_path / f"f_{number:04d}.png"), picture(160, 120, (80, 60, 60, 0.6, 0)))
    for sequence in (True, False):
        said: list[BdfmError] = []
        capture(tmp_path, None, CaptureOptions(sequence=sequence), predictor=predictor, warn=said.append)
        assert [("f_0003.png is missing" in str(warning)) for warning in said] == [True] * sequence
