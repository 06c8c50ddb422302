# SPDX-License-Identifier: MIT
"""A face that is picked by its place in a photo, and in images that have nothing to do with each other."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from synthetic_face import picture
from test_capture import check

from bdfm_infer import CaptureOptions, Predictor, capture
from bdfm_infer.capture_run import Pick
from bdfm_infer.errors import NoFaceError

LARGE = (90.0, 130.0, 100.0, 0.4, 10.0)
SMALL = (250.0, 70.0, 60.0, 0.9, 0.0)
ON_SMALL = CaptureOptions(pick=Pick(0.0, 255, 65))
ON_NOBODY = CaptureOptions(pick=Pick(0.0, 20, 220))


def photo(path: Path, *faces: tuple[float, ...]) -> Path:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), picture(320, 240, *faces))
    return path


def test_the_picked_face_of_a_photo(predictor: Predictor, tmp_path: Path) -> None:
    take = capture(photo(tmp_path / "one.png", LARGE, SMALL), tmp_path / "take", ON_SMALL, predictor=predictor)
    check(take, {0: SMALL})
    assert take.facts["settings"]["face"] == {"time": 0.0, "x": 255, "y": 65}


def test_a_pick_where_nobody_is_leaves_no_take(predictor: Predictor, tmp_path: Path) -> None:
    source = photo(tmp_path / "one.png", LARGE, SMALL)
    with pytest.raises(NoFaceError, match="Pick it again"):
        capture(source, tmp_path / "take", ON_NOBODY, predictor=predictor)
    assert list(tmp_path.iterdir()) == [source]


def test_of_unrelated_images_the_nearest_face_of_each(predictor: Predictor, tmp_path: Path) -> None:
    shots = tmp_path / "shots"
    for number, faces in enumerate([(LARGE,), (LARGE, SMALL), (SMALL, LARGE)]):
        photo(shots / f"{number}.png", *faces)
    take = capture(shots, tmp_path / "take", ON_SMALL, predictor=predictor)
    assert take.success.tolist() == [False, True, True]
    check(take, {1: SMALL, 2: SMALL})
    assert take.facts["counts"] == {"frames": 3, "without_face": 1}
    with pytest.raises(NoFaceError, match="Pick it again"):
        capture(shots, None, ON_NOBODY, predictor=predictor)
