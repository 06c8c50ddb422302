# SPDX-License-Identifier: MIT
"""A tongue put out on photos of an open mouth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bdfm_train.data import changed_photos as changes
from bdfm_train.data.photos import Photo, load_photos
from bdfm_train.data.tongue import put_out_tongue
from bdfm_train.face_model.head import Head


@pytest.fixture(scope="module")
def opened(sources_root: Path, heads_folder: Path) -> list[Photo]:
    """Photos whose jaw was dropped wide, without a tongue."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "CHANGES", ((1.0, {"AU26": (0.8, 1.0), "AU25": (0.5, 0.6)}),))
        patch.setattr(changes, "TONGUE_OUT", 0.0)
        originals = load_photos(sources_root, "train")[:24:8]
        return changes.changed_photos(Head.load(heads_folder, "a"), originals, 1, seed=3)


def test_it_covers_the_inner_mouth_and_the_lower_lip_and_nothing_above(opened: list[Photo]) -> None:
    for photo in opened:
        for seed in range(5):
            with_tongue = put_out_tongue(photo, np.random.default_rng(seed))
            np.testing.assert_array_equal(with_tongue.landmarks, photo.landmarks)
            assert with_tongue.origin is photo.origin
            differs = np.abs(with_tongue.image.astype(int) - photo.image) > 4
            lip = (photo.landmarks[66] + photo.landmarks[57]) / 2
            x, y = np.round(lip).astype(int)
            assert differs[y - 2 : y + 3, x - 2 : x + 3].mean() > 0.5
            rows, columns = np.nonzero(differs)
            down = photo.landmarks[8] - photo.landmarks[33]
            above = (np.stack([columns, rows], 1) - photo.landmarks[62]) @ (down / np.linalg.norm(down)) < -2
            assert not above.any()


def test_a_closed_mouth_keeps_it_in(opened: list[Photo]) -> None:
    landmarks = opened[0].landmarks.copy()
    landmarks[[65, 66, 67]] = landmarks[[63, 62, 61]]
    closed = replace(opened[0], landmarks=landmarks)
    assert put_out_tongue(closed, np.random.default_rng(0)) is closed


def test_it_comes_with_a_dropped_jaw_alone(
    sources_root: Path, heads_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Photo] = []
    monkeypatch.setattr(changes, "TONGUE_OUT", 1.0)
    monkeypatch.setattr(changes, "put_out_tongue", lambda photo, rng: shown.append(photo) or photo)
    made = changes.changed_photos(Head.load(heads_folder, "a"), load_photos(sources_root, "train")[:24:8], 12, seed=1)
    dropped = [photo for photo in made if photo.origin and photo.origin.change[changes.AU_NAMES.index("AU26")] > 0]
    assert 0 < len(dropped) < len(made)
    assert len(shown) == len(dropped) and all(
        one.image is other.image for one, other in zip(shown, dropped, strict=True)
    )


def test_it_comes_out_of_a_hardly_dropped_jaw_too(
    sources_root: Path, heads_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slight = [change for change in changes.CHANGES if change[1].get("AU26", (0, 1))[1] <= 0.4 and "AU25" in change[1]]
    monkeypatch.setattr(changes, "CHANGES", tuple(slight))
    monkeypatch.setattr(changes, "TONGUE_OUT", 0.0)
    made = changes.changed_photos(Head.load(heads_folder, "a"), load_photos(sources_root, "train")[:96:8], 1, seed=2)
    with_tongue = [put_out_tongue(photo, np.random.default_rng(0)) for photo in made]
    assert np.mean([a is not b for a, b in zip(made, with_tongue, strict=True)]) > 0.5
