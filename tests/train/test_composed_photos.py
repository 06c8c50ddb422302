# SPDX-License-Identifier: MIT
"""Photos composed of two: eyes and brows of one, mouth and chin of another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_training import make_shard

import bdfm_infer
from bdfm_infer import alignment
from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_train.cli import main
from bdfm_train.config import Config
from bdfm_train.data import composed_photos as composing
from bdfm_train.data.composed_photos import (
    compose,
    composed_grades,
    composed_photos,
    load_composed_photos,
    save_composed_photos,
)
from bdfm_train.data.photos import Photo, cut_out, held_out_photos, load_photos
from bdfm_train.errors import ArraysError, SourcesError
from bdfm_train.recover import recover_reader


@pytest.fixture(scope="module")
def judged(sources_root: Path) -> list[Photo]:
    return [photo for photo in load_photos(sources_root, "train")[:200] if photo.grades is not None]


@pytest.fixture(scope="module")
def composed(judged: list[Photo]) -> list[Photo]:
    return composed_photos(judged, 40, seed=3)


def halves(photo: Photo, photos: list[Photo]) -> tuple[Photo, Photo]:
    """The two that a photo was composed of, cut out as it is."""
    upper, lower = (next(p for p in photos if p.name == name) for name in photo.name.split("+"))
    return cut_out(upper, composing.SIZE), cut_out(lower, composing.SIZE)


def shape(photo: Photo, part: slice) -> np.ndarray:
    """Landmarks of a part about their mean, in units of the distance between the eyes."""
    points = photo.landmarks[part] - photo.landmarks[part].mean(0)
    eyes = photo.landmarks[36:42].mean(0) - photo.landmarks[42:48].mean(0)
    return points / np.linalg.norm(eyes)


def test_grades_come_from_the_half_that_shows_a_unit() -> None:
    upper, lower = np.full(N_AU, 1.0, np.float32), np.full(N_AU, 2.0, np.float32)
    upper[AU_NAMES.index("AU09")] = lower[AU_NAMES.index("AU09")] = 0.0
    lower[AU_NAMES.index("AU15")] = np.nan
    grades = dict(zip(AU_NAMES, composed_grades(upper, lower), strict=True))
    for unit in ("AU01", "AU02", "AU04", "AU05", "AU07", "eye_closed_left", "eye_closed_right"):
        assert grades[unit] == 1.0
    for unit in ("AU10", "AU12", "AU14", "AU17", "AU25", "AU26", "jaw_left"):
        assert grades[unit] == 2.0
    assert grades["AU09"] == 0.0 and np.isnan(grades["AU06"]) and np.isnan(grades["AU15"])


def test_eyes_are_those_of_one_photo_and_the_mouth_that_of_the_other(
    composed: list[Photo], judged: list[Photo]
) -> None:
    for photo in composed:
        upper, lower = halves(photo, judged)
        np.testing.assert_allclose(photo.landmarks[17:29], upper.landmarks[17:29], atol=1e-4)
        np.testing.assert_allclose(photo.landmarks[36:48], upper.landmarks[36:48], atol=1e-4)
        to_lower, to_upper = (np.abs(shape(photo, slice(48, 68)) - shape(of, slice(48, 68))) for of in (lower, upper))
        assert to_lower.max() < 0.12  # the other head's size and turn differ a little
        assert to_lower.mean() < to_upper.mean() or to_upper.max() < 0.12
        assert photo.origin is None and photo.image.shape == (composing.SIZE, composing.SIZE)


def test_pictures_follow_their_landmarks(composed: list[Photo], judged: list[Photo]) -> None:
    """Eyes look as in the upper photo, mouths as in the lower one, whose light may differ."""
    of_mouth, of_eyes = [], []
    for photo in composed:
        upper, lower = halves(photo, judged)
        of_eyes.append(likeness(photo, (upper, lower), slice(36, 48)))
        of_mouth.append(likeness(photo, (lower, upper), slice(48, 68)))
    for found in (of_mouth, of_eyes):
        right, wrong = np.median(found, axis=0)
        assert right > 0.85 and right > wrong + 0.2


def likeness(photo: Photo, others: tuple[Photo, Photo], part: slice) -> list[float]:
    """Correlation of a part's pixels with those of others."""
    pixels, *of_others = (patch(item, part).ravel() for item in (photo, *others))
    return [float(np.corrcoef(pixels, other)[0, 1]) for other in of_others]


def patch(photo: Photo, part: slice) -> np.ndarray:
    """Pixels about a part's landmarks, brought to one size."""
    points = photo.landmarks[part]
    low, high = points.min(0), points.max(0)
    scale = 32 / (high - low)
    matrix = np.c_[np.diag(scale), -low * scale]
    return alignment.crop(photo.image, matrix, 32).astype(float)


def test_the_light_goes_on_over_the_seam(judged: list[Photo]) -> None:
    upper, lower = (cut_out(photo, composing.SIZE) for photo in judged[:2])
    dark = Photo(lower.name, (lower.image * 0.4).astype(np.uint8), lower.landmarks, lower.oval)
    one, other = compose(upper, lower), compose(upper, dark)
    mask = composing._lower_face(one.landmarks.astype(float), one.image.shape) > 0
    gap = np.abs(one.image[mask].astype(float) - other.image[mask])
    assert gap.mean() < 0.5 * (0.6 * lower.image[mask].astype(float)).mean()
    above = int(one.landmarks[[41, 40, 46, 47], 1].max())
    np.testing.assert_array_equal(one.image[:above], other.image[:above])


def test_heads_that_are_turned_differently_are_not_composed(
    judged: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composing, "CANDIDATES", 2)
    for photo in composed_photos(judged, 10, seed=5):
        assert composing.turned_alike(*halves(photo, judged))


def test_photos_that_cannot_be_composed_are_refused(judged: list[Photo], monkeypatch: pytest.MonkeyPatch) -> None:
    for photos in (judged[:1], [replace(photo, grades=None) for photo in judged[:9]]):
        with pytest.raises(SourcesError, match="too few"):
            composed_photos(photos, 2, seed=0)
    monkeypatch.setattr(composing, "TURNED_ALIKE", 0.0)
    with pytest.raises(SourcesError, match="turn their heads alike"):
        composed_photos(judged, 2, seed=0)


def test_they_come_back_from_their_file_with_their_grades(
    composed: list[Photo], judged: list[Photo], tmp_path: Path
) -> None:
    path = tmp_path / "composed.npz"
    save_composed_photos(composed, path)
    for one, other in zip(composed, load_composed_photos(path, judged), strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.landmarks, other.landmarks)
        assert one.grades is not None and other.grades is not None
        np.testing.assert_array_equal(one.grades, other.grades)
    with pytest.raises(SourcesError, match="no judged photo of this part"):
        load_composed_photos(path, judged[:1])
    with pytest.raises(ArraysError, match="composed-photos"):
        load_composed_photos(tmp_path / "none.npz", judged)


def test_commands_write_them_and_measure_by_them(
    tmp_path: Path, sources_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = held_out_photos(sources_root)[:60]
    monkeypatch.setattr("bdfm_train.data.photos.held_out_photos", lambda _: photos)
    path, reader = tmp_path / "composed.npz", tmp_path / "reader.pt"
    assert main(["composed-photos", "--count", "20", "--out", str(path)]) == 0
    assert "20 photos" in capsys.readouterr().out
    made = load_composed_photos(path, photos)
    assert len(made) == 20
    recover_reader(Path(bdfm_infer.__file__).parent / "weights", Config.load("lite"), photos[:12], reader)
    np.savez(tmp_path / "renders.npz", **vars(make_shard(4)))
    arguments = ["held-out", "--checkpoint", str(reader), "--renders", str(tmp_path / "renders.npz")]
    assert main([*arguments, "--composed", str(path)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "the mouth of another" in line)
    assert "the same on 20 photos" in line and float(line.split("mean ")[1].split(";")[0]) > 0.5
    assert main(arguments) == 0
    assert "the mouth of another" not in capsys.readouterr().out
