# SPDX-License-Identifier: MIT
"""The package as a library: wrong arguments are refused by name, results cannot be changed by accident."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from synthetic_face import picture

from bdfm_infer import BdfmError, CaptureOptions, Predictor, Take, capture
from bdfm_infer.calibrate import Calibration
from bdfm_infer.errors import TakeFormatError
from bdfm_infer.export import export
from bdfm_infer.parameters import N_AU
from bdfm_infer.rows import Row

FACE = (80.0, 60.0, 60.0, 0.6, 0.0)


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    paths = [str(tmp_path / name) for name in ("one.png", "two.png")]
    for path in paths:
        cv2.imwrite(path, picture(160, 120, FACE))
    return paths


@pytest.fixture
def take() -> Take:
    return Take.from_rows([Row(i, i / 30, 0.9, np.zeros(3), np.ones(3), np.full(N_AU, 0.5)) for i in range(3)])


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (None, TypeError),
        ([[1, 2], [3, 4]], TypeError),
        (np.zeros((64, 64, 3), np.float32), TypeError),
        (np.zeros((64, 64), np.uint16), TypeError),
        (np.zeros((0, 0), np.uint8), ValueError),
        (np.zeros((0, 64, 3), np.uint8), ValueError),
        (np.zeros((64, 64, 4), np.uint8), ValueError),
        (np.zeros(64, np.uint8), ValueError),
    ],
)
def test_what_is_no_picture(image: Any, kind: type[Exception], predictor: Predictor) -> None:
    for call in (predictor.predict, predictor.faces):
        with pytest.raises(kind, match="an image is"):
            call(image)


def test_no_face_has_a_negative_number(predictor: Predictor) -> None:
    with pytest.raises(ValueError, match="negative"):
        predictor.predict(picture(160, 120, FACE), face=-1)


def test_images_by_their_names(photos: list[str], predictor: Predictor) -> None:
    take = capture(photos, predictor=predictor)
    assert take.files == ("one.png", "two.png")
    assert take.success.all()


def test_facts_in_memory_are_those_on_disk(photos: list[str], predictor: Predictor, tmp_path: Path) -> None:
    kept = capture(photos, predictor=predictor)
    capture(photos, tmp_path / "take", predictor=predictor)
    assert kept.facts == json.loads((tmp_path / "take.json").read_text())


@pytest.mark.parametrize("rate", [float("inf"), float("nan"), 0.0])
def test_images_come_at_a_finite_rate(rate: float) -> None:
    with pytest.raises(ValueError, match="image_fps"):
        CaptureOptions(image_fps=rate)


def test_names_that_there_are_not(take: Take, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'arkit' is no format; they are openface, livelinkface"):
        export(take, "arkit", tmp_path / "a.csv")
    with pytest.raises(ValueError, match="'AU99' is no channel; they are yaw"):
        take.channel("AU99")


def test_a_take_is_not_changed_by_accident(take: Take) -> None:
    given = np.zeros((3, N_AU))
    changed = take.with_values(action_units=given)
    for each in (take, changed, take.processed(), take.chosen(take.success)):
        with pytest.raises(ValueError, match="read-only"):
            each.channel("AU12")[:] = 1
    given[:] = 1  # what was handed over stays its owner's


@pytest.mark.parametrize("settings", [{"calibration": {"gain": {"AU12": 10**400}}}, {"smoothing": {"cutoff_hz": 1}}])
def test_settings_that_cannot_be_used(take: Take, settings: dict[str, Any]) -> None:
    damaged = Take(**{**vars(take), "facts": {"settings": settings}})
    with pytest.raises(TakeFormatError, match="Set it again"):
        damaged.processed()
    with pytest.raises(BdfmError):
        Calibration.from_settings({"gain": {"AU12": 10**400}})
