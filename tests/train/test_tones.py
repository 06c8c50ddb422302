# SPDX-License-Identifier: MIT
"""Lips and brows of another tone: where they change a picture, by how much, and what is read of them."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from test_device_batches import CPU, maker_of, photos
from test_training import make_batch_maker, make_shard

from bdfm_infer import alignment
from bdfm_infer.parameters import AU_NAMES, N_AU, N_POSE
from bdfm_train.data import augment, crops, device_augment
from bdfm_train.data.augment import IGNORED, photo_labels, tone_parts, toned
from bdfm_train.data.device_augment import Chance
from bdfm_train.data.photo_pictures import PhotoPictures
from bdfm_train.evaluation.held_out import TONE_CHECKS, Readings, ToneCheck, tone_errors
from bdfm_train.face_model.labels import LABEL
from bdfm_train.networks.reader import ExportedReader

UPPER, LOWER = LABEL["u_lip"], LABEL["l_lip"]
BROWS = LABEL["l_brow"], LABEL["r_brow"]


def parts() -> np.ndarray:
    """Labels of skin with an upper lip in rows 30 to 35 and a lower one in rows 36 to 43, columns 12 to 35.

    Brows are in rows 8 to 13, columns 6 to 19 and 28 to 41.
    """
    labels = np.full((48, 48), LABEL["skin"], np.uint8)
    labels[:4] = IGNORED
    labels[30:36, 12:36], labels[36:44, 12:36] = UPPER, LOWER
    labels[8:14, 6:20], labels[8:14, 28:42] = BROWS
    return labels


def test_a_tone_changes_its_part_alone() -> None:
    crop = np.full((96, 96), 100, np.uint8)
    dark = toned(crop, parts(), {"u_lip": 0.5, "l_lip": 1.2})
    assert (dark[62:70, 26:70] == 50).all() and (dark[74:86, 26:70] == 120).all()
    far = np.ones((96, 96), bool)
    far[58:90, 22:74] = False
    assert (dark[far] == 100).all()
    assert (toned(np.full((96, 96), 240, np.uint8), parts(), {"l_lip": 1.6})[74:86, 26:70] == 255).all()


def test_lips_and_brows_are_toned_apart_and_as_often_as_is_said() -> None:
    crop = np.full((96, 96), 100, np.uint8)
    rng = np.random.default_rng(1)
    made = [tone_parts(crop, parts(), rng) for _ in range(400)]
    changed = np.array([(picture != crop).any() for picture in made])
    assert changed.mean() == pytest.approx(augment.TONED, abs=0.08)
    places = ((66, 48), (80, 48), (22, 26), (22, 70))
    upper, lower, left, right = (np.array([picture[at] for picture in made])[changed] / 100 for at in places)
    assert (left == right).all()
    for tones in (upper, lower, left):
        assert tones.min() >= augment.LEAST_TONE - 0.01 and tones.max() <= augment.MOST_TONE + 0.01
    assert np.median(upper) < 0.9 < np.median(lower) < np.median(left)
    assert np.abs(np.corrcoef([upper, lower, left]) - np.eye(3)).max() < 0.3


def test_on_a_device_they_are_toned_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_augment, "TONED", 1.0)
    tones = ((("u_lip",), -0.5, 0.0), (("l_lip",), 0.2, 0.0), (("l_brow", "r_brow"), 0.4, 0.0))
    monkeypatch.setattr(device_augment, "TONES", tones)
    factors = {name: np.exp(mean) for names, mean, _ in tones for name in names}
    crop = np.random.default_rng(2).integers(20, 200, (3, 96, 96), np.uint8)
    labels = torch.from_numpy(np.stack([parts()] * 3)).long()
    found = device_augment.tone_parts(torch.from_numpy(crop) / 255.0, labels, Chance(CPU, 0))
    for before, after in zip(crop, found, strict=True):
        expected = toned(before, parts(), factors)
        assert np.abs(after.numpy() * 255 - expected).max() < 0.6


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_photos_and_renders_are_toned_before_anything_else_happens_to_them(
    monkeypatch: pytest.MonkeyPatch, chance: float
) -> None:
    seen: list[np.ndarray] = []

    def record(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        seen.append(crop)
        return crop.astype(np.float32)

    monkeypatch.setattr(augment, "TONED", chance)
    monkeypatch.setattr(augment, "toned", lambda crop, labels, factors: np.zeros_like(crop))
    monkeypatch.setattr(crops, "photograph", record)
    maker = make_batch_maker()
    maker.draw()
    photos_and_renders = seen[:7]
    assert len(photos_and_renders) == sum(maker.counts[:2])
    assert all((not crop.any()) == (chance == 1.0) for crop in photos_and_renders)


def test_batches_of_a_device_are_toned_by_their_own_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def record(x: torch.Tensor, labels: torch.Tensor, chance: Chance) -> torch.Tensor:
        seen.append((len(x), labels))
        return x

    monkeypatch.setattr(device_augment, "tone_parts", record)
    maker = maker_of(PhotoPictures.of(photos()), make_shard())
    maker.draw(0)
    assert sorted(count for count, _ in seen) == sorted(maker.counts[:2])
    assert all(labels.shape == (count, 48, 48) for count, labels in seen)


class ReadsTone(torch.nn.Module):
    """Reads as an action unit how much darker than 255 a part of the crops is."""

    def __init__(self, unit: str, part: np.ndarray) -> None:
        super().__init__()
        self.unit, self.part = AU_NAMES.index(unit), torch.from_numpy(part)

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
        units = torch.zeros(len(crops), N_AU)
        units[:, self.unit] = 1 - crops[:, self.part].float().mean(1) / 255
        return torch.zeros(len(crops), 68, 2), torch.zeros(len(crops), N_POSE), units, torch.ones(len(crops))


@pytest.mark.parametrize("check", TONE_CHECKS, ids=lambda check: check.unit)
def test_what_another_tone_is_read_as_is_told(check: ToneCheck) -> None:
    landmarks = photos()[0].landmarks.copy()
    for first, middle in ((17, 92.0), (22, 132.0)):
        landmarks[first : first + 5] = np.stack([np.linspace(-12, 12, 5) + middle, np.full(5, 84.0)], 1)
    landmarks[[27, 31, 33, 35]] = [[112, 100], [104, 125], [112, 128], [120, 125]]
    grey = replace(photos()[0], image=np.full((224, 224), 120, np.uint8), landmarks=landmarks)
    nothing = np.zeros(N_AU, np.float32)
    shown = [replace(grey, grades=nothing), replace(grey, grades=nothing), replace(grey, grades=None)]
    for name in check.absent:
        shown.append(replace(grey, grades=np.eye(N_AU, dtype=np.float32)[AU_NAMES.index(name)]))
    matrix = alignment.alignment(alignment.five_points(grey.landmarks))
    points, oval = (alignment.apply(matrix, x).astype(np.float32) for x in (grey.landmarks, grey.oval))
    white, labels = np.full((96, 96), 255, np.uint8), photo_labels(points, oval)
    places = [toned(white, labels, {name: 0.0}) == 0 for name in check.parts]
    assert all(place.any() for place in places)
    part = np.any(places, axis=0)
    readings = Readings(cast(ExportedReader, ReadsTone(check.unit, part)))
    found = tone_errors(readings, shown, check)
    assert found is not None and found.count == 2
    assert found.as_taken == pytest.approx(1 - 120 / 255)
    assert found.toned == pytest.approx(1 - check.factor * 120 / 255, abs=1e-6)
    assert tone_errors(readings, shown[2:], check) is None
