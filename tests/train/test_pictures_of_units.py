# SPDX-License-Identifier: MIT
"""The add-on's pictures of the action units, made again from a built head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bdfm_infer.parameters import AU_NAMES
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.pictures import SIZE, write_pictures


def test_one_small_picture_of_each_action_unit(heads_folder: Path, tmp_path: Path) -> None:
    paths = write_pictures(Head.load(heads_folder, "b"), tmp_path)
    assert [path.stem for path in paths] == list(AU_NAMES)
    pictures = [np.asarray(Image.open(path).convert("RGB"), float) for path in paths]
    assert {picture.shape for picture in pictures} == {(SIZE, SIZE, 3)}
    assert sum(path.stat().st_size for path in paths) < 400_000
    left, right = (pictures[AU_NAMES.index(f"eye_closed_{side}")] for side in ("left", "right"))
    difference = np.abs(left - right).sum(axis=2)
    assert (difference > 60).sum() > 50, "the eyes close one at a time"
