# SPDX-License-Identifier: MIT
"""Photos whose expression was changed by a known amount."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bdfm_infer import alignment
from bdfm_infer.parameters import AU_NAMES, MIRRORED_AU, N_AU, parameter_from_intensity
from bdfm_train.data.batches import BatchMaker
from bdfm_train.data.changed_photos import changed_photos, load_changed_photos, save_changed_photos
from bdfm_train.data.crops import photo_crop
from bdfm_train.data.photos import Photo, load_photos
from bdfm_train.data.shards import Shard, ShardPool
from bdfm_train.errors import ArraysError, SourcesError
from bdfm_train.face_model.head import Head


@pytest.fixture(scope="module")
def originals(sources_root: Path) -> list[Photo]:
    return load_photos(sources_root, "train")[:24:8]


@pytest.fixture(scope="module")
def changed(originals: list[Photo], heads_folder: Path) -> list[Photo]:
    return changed_photos(Head.load(heads_folder, "a"), originals, 8, seed=3)


def test_the_landmarks_move_by_what_was_changed(changed: list[Photo]) -> None:
    for photo in changed:
        assert photo.origin is not None and (photo.origin.change != 0).any() and np.abs(photo.origin.change).max() <= 1
        here, before = (alignment.alignment(alignment.five_points(p.landmarks)) for p in (photo, photo.origin.photo))
        moved = alignment.apply(here, photo.landmarks) - alignment.apply(before, photo.origin.photo.landmarks)
        assert 0.1 < np.abs(moved).max() < 40  # pixels of the crop
    opened = [p for p in changed if p.origin and p.origin.change[AU_NAMES.index("AU26")] > 0.3]
    assert opened
    for photo in opened:
        gap = np.linalg.norm(photo.landmarks[62] - photo.landmarks[66]) / np.linalg.norm(
            photo.landmarks[36] - photo.landmarks[45]
        )
        assert gap > 0.1


def test_they_come_back_from_their_file_with_their_origins(
    changed: list[Photo], originals: list[Photo], tmp_path: Path
) -> None:
    path = tmp_path / "changed.npz"
    save_changed_photos(changed, path)
    again = load_changed_photos(path, originals)
    assert len(again) == len(changed)
    for one, other in zip(changed, again, strict=True):
        assert one.origin and other.origin and other.origin.photo is one.origin.photo
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.origin.change, other.origin.change)
    with pytest.raises(SourcesError, match="is none of the photos"):
        load_changed_photos(path, originals[:1])
    with pytest.raises(ArraysError, match="changed-photos"):
        load_changed_photos(tmp_path / "none.npz", originals)


def test_a_crop_knows_the_change_and_shifts_the_grades_by_it(changed: list[Photo]) -> None:
    rng, mirrored = np.random.default_rng(0), set()
    for photo in changed:
        assert photo.origin is not None
        original = photo.origin.photo
        crops = [photo_crop(photo, rng) for _ in range(6)]
        mirrored |= {crop.mirrored for crop in crops}
        for crop in crops:
            np.testing.assert_array_equal(crop.change, photo.origin.change)
            clean = alignment.crop_face(original.image, original.landmarks)
            np.testing.assert_allclose(crop.clean * 255, clean, atol=1e-3)
            plain = photo_crop(Photo("x", original.image, original.landmarks, original.oval, original.grades), rng)
            change = photo.origin.change[list(MIRRORED_AU)] if crop.mirrored else photo.origin.change
            before = plain.bounds[:, list(MIRRORED_AU)] if crop.mirrored != plain.mirrored else plain.bounds
            expected = parameter_from_intensity((before - 0.02) / 0.98 + change)
            np.testing.assert_allclose(crop.bounds, expected, atol=1e-5)
    assert mirrored == {True, False}


def test_batches_hold_some_of_them(changed: list[Photo], originals: list[Photo]) -> None:
    rng = np.random.default_rng(1)
    pool = ShardPool(Path(), "none", 1)
    pool.shards = {
        "one": Shard(
            rng.integers(0, 256, (4, 144, 144), np.uint8),
            rng.random((4, 269)).astype(np.float16),
            np.stack([changed[0].landmarks] * 4),
            rng.integers(0, 14, (4, 72, 72), np.uint8),
            "a",
        )
    }
    maker = BatchMaker(originals, pool, (1, 40, 1), 0, changed=changed)
    share = (maker.draw().photo_change.abs().sum(1) > 0).float().mean().item()
    assert 0.1 < share < 0.6
    plain = BatchMaker(originals, pool, (1, 40, 1), 0).draw().photo_change
    assert plain.shape == (40, N_AU) and not plain.any()
