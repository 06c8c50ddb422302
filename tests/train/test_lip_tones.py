# SPDX-License-Identifier: MIT
"""Lips of another tone: where they change a picture, by how much, and what is read of them."""

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
from bdfm_train.data.augment import IGNORED, photo_labels, tone_lips, toned
from bdfm_train.data.device_augment import Chance
from bdfm_train.data.photo_pictures import PhotoPictures
from bdfm_train.evaluation.held_out import DARK_LIP, shut_mouths
from bdfm_train.networks.reader import ExportedReader
from bdfm_train.networks.segmentation import CLASSES

UPPER, LOWER = CLASSES.index("u_lip"), CLASSES.index("l_lip")


def lips() -> np.ndarray:
    """Labels of skin with an upper lip in rows 30 to 35 and a lower one in rows 36 to 43, columns 12 to 35."""
    labels = np.full((48, 48), CLASSES.index("skin"), np.uint8)
    labels[:4] = IGNORED
    labels[30:36, 12:36], labels[36:44, 12:36] = UPPER, LOWER
    return labels


def test_a_tone_changes_its_part_alone() -> None:
    crop = np.full((96, 96), 100, np.uint8)
    dark = toned(crop, lips(), {"u_lip": 0.5, "l_lip": 1.2})
    assert (dark[62:70, 26:70] == 50).all() and (dark[74:86, 26:70] == 120).all()
    far = np.ones((96, 96), bool)
    far[58:90, 22:74] = False
    assert (dark[far] == 100).all()
    assert (toned(np.full((96, 96), 240, np.uint8), lips(), {"l_lip": 1.6})[74:86, 26:70] == 255).all()


def test_lips_are_toned_apart_and_as_often_as_is_said() -> None:
    crop = np.full((96, 96), 100, np.uint8)
    rng = np.random.default_rng(1)
    made = [tone_lips(crop, lips(), rng) for _ in range(400)]
    changed = np.array([(picture != crop).any() for picture in made])
    assert changed.mean() == pytest.approx(augment.TONED, abs=0.08)
    upper, lower = (np.array([picture[row, 48] for picture in made])[changed] / 100 for row in (66, 80))
    assert upper.min() >= augment.LEAST_TONE - 0.01 and upper.max() <= augment.MOST_TONE + 0.01
    assert np.median(upper) < 0.9 < np.median(lower)
    assert abs(np.corrcoef(upper, lower)[0, 1]) < 0.3


def test_on_a_device_lips_are_toned_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_augment, "TONED", 1.0)
    monkeypatch.setattr(device_augment, "LIPS", (("u_lip", -0.5, 0.0), ("l_lip", 0.2, 0.0)))
    crop = np.random.default_rng(2).integers(20, 200, (3, 96, 96), np.uint8)
    labels = torch.from_numpy(np.stack([lips()] * 3)).long()
    found = device_augment.tone_lips(torch.from_numpy(crop) / 255.0, labels, Chance(CPU, 0))
    for before, after in zip(crop, found, strict=True):
        expected = toned(before, lips(), {"u_lip": np.exp(-0.5), "l_lip": np.exp(0.2)})
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

    monkeypatch.setattr(device_augment, "tone_lips", record)
    maker = maker_of(PhotoPictures.of(photos()), make_shard())
    maker.draw(0)
    assert sorted(count for count, _ in seen) == sorted(maker.counts[:2])
    assert all(labels.shape == (count, 48, 48) for count, labels in seen)


class ReadsDarkness(torch.nn.Module):
    """Reads as AU25 how dark a part of the crops is."""

    def __init__(self, part: np.ndarray) -> None:
        super().__init__()
        self.part = torch.from_numpy(part)

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
        units = torch.zeros(len(crops), N_AU)
        units[:, AU_NAMES.index("AU25")] = 1 - crops[:, self.part].float().mean(1) / 255
        return torch.zeros(len(crops), 68, 2), torch.zeros(len(crops), N_POSE), units, torch.ones(len(crops))


def test_shut_mouths_tell_what_a_dark_upper_lip_is_read_as() -> None:
    grey = replace(photos()[0], image=np.full((224, 224), 200, np.uint8))
    grades = np.zeros(N_AU, np.float32)
    parted = grades.copy()
    parted[AU_NAMES.index("AU25")] = 1
    shown = [replace(grey, grades=grades), replace(grey, grades=grades), replace(grey, grades=parted)]
    matrix = alignment.alignment(alignment.five_points(grey.landmarks))
    points, oval = (alignment.apply(matrix, x).astype(np.float32) for x in (grey.landmarks, grey.oval))
    lip = toned(np.full((96, 96), 255, np.uint8), photo_labels(points, oval), {"u_lip": 0.0}) == 0
    assert lip.any()
    model = cast(ExportedReader, ReadsDarkness(lip))
    found = shut_mouths(model, [*shown, replace(grey, grades=None)])
    assert found is not None and found.count == 2
    assert found.as_taken == pytest.approx(1 - 200 / 255)
    assert found.dark == pytest.approx(1 - DARK_LIP * 200 / 255)
    assert shut_mouths(model, shown[2:]) is None
