# SPDX-License-Identifier: MIT
"""The add-on's pictures of the action units, made again from a built head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bdfm_infer.parameters import AU_NAMES
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.looks import default_look
from bdfm_train.face_model.pictures import NOSE_BRIDGE, SIZE, posed, write_pictures
from bdfm_train.face_model.render import Renderer

CHIN = 8
"""Number of its landmark."""


def test_one_small_picture_of_each_action_unit(heads_folder: Path, tmp_path: Path) -> None:
    paths = write_pictures(Head.load(heads_folder, "b"), tmp_path)
    assert [path.stem for path in paths] == list(AU_NAMES)
    pictures = [np.asarray(Image.open(path).convert("RGB"), float) for path in paths]
    assert {picture.shape for picture in pictures} == {(SIZE, SIZE, 3)}
    assert sum(path.stat().st_size for path in paths) < 400_000
    left, right = (pictures[AU_NAMES.index(f"eye_closed_{side}")] for side in ("left", "right"))
    difference = np.abs(left - right).sum(axis=2)
    assert (difference > 60).sum() > 50, "the eyes close one at a time"
    left, right = (pictures[AU_NAMES.index(f"jaw_{side}")] for side in ("left", "right"))
    assert np.abs(left - right).mean() > 6, "the jaw goes to one side or the other"


def test_the_jaw_is_seen_whole_and_on_its_side_of_the_middle(heads_folder: Path) -> None:
    head = Head.load(heads_folder, "b")
    renderer = Renderer(head, (SIZE, SIZE), supersampling=1)
    look = default_look(head, renderer.shape)
    chin, bridge = {}, {}
    for name in ("AU26", "jaw_left", "jaw_right"):
        face, view = posed(name)
        landmarks = renderer(face, look, view).landmarks
        chin[name], bridge[name] = landmarks[CHIN], landmarks[NOSE_BRIDGE]
        assert 0 < chin[name][1] < 0.96 * SIZE, f"{name} cuts the chin"
    for name, sign in (("jaw_left", 1), ("jaw_right", -1)):
        assert sign * (chin[name] - bridge[name])[0] > SIZE / 20, "the person's left is the picture's right"
