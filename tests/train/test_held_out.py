# SPDX-License-Identifier: MIT
"""What is read from renders against their truth, and what reading twice comes to."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch

from bdfm_infer.alignment import N_LANDMARKS
from bdfm_infer.network import Reading
from bdfm_infer.parameters import AU_NAMES, N_AU, N_POSE, degrees_from_parameter, intensity_from_parameter
from bdfm_train.data.photos import Origin, Photo
from bdfm_train.data.shards import N_TARGETS, Shard
from bdfm_train.evaluation.held_out import Readings, ReadTwice, gains, read_crops, render_errors, report
from bdfm_train.networks.reader import ExportedReader

LEFT, RIGHT = AU_NAMES.index("eye_closed_left"), AU_NAMES.index("eye_closed_right")


class Reads(torch.nn.Module):
    """Says what it was told to, whatever it sees."""

    def __init__(self, parameters: np.ndarray) -> None:
        super().__init__()
        self.parameters_read = torch.from_numpy(parameters)

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
        read = self.parameters_read
        return torch.zeros(len(crops), 68, 2), read[:, :N_POSE], read[:, N_POSE:], torch.ones(len(crops))


def test_sides_are_told_apart_by_the_difference_of_left_and_right() -> None:
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(40, 100, (40, 68, 2)).astype(np.float32)
    shard = Shard(
        rng.integers(0, 256, (40, 144, 144), np.uint8),
        rng.random((40, 269)).astype(np.float16),
        landmarks,
        rng.integers(0, 14, (40, 72, 72), np.uint8),
        "a",
    )
    read = shard.parameters[:, :N_TARGETS].astype(np.float32)
    right = render_errors(cast(ExportedReader, Reads(read)), shard)
    assert right.correlation == pytest.approx(1.0) and right.degrees == pytest.approx(0.0, abs=1e-3)
    assert right.sides == pytest.approx({"jaw_left": 1.0, "eye_closed_left": 1.0})
    swapped = read.copy()
    swapped[:, N_POSE + LEFT], swapped[:, N_POSE + RIGHT] = read[:, N_POSE + RIGHT], read[:, N_POSE + LEFT]
    assert render_errors(cast(ExportedReader, Reads(swapped)), shard).sides["eye_closed_left"] == pytest.approx(-1.0)


class ReadsGrey(torch.nn.Module):
    """Reads each crop's mean grey as AU09, and a tenth of it as AU12."""

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
        grey = crops.float().mean((1, 2)) / 255
        units = torch.zeros(len(crops), N_AU)
        units[:, AU_NAMES.index("AU09")], units[:, AU_NAMES.index("AU12")] = grey, grey / 10
        return torch.zeros(len(crops), 68, 2), torch.zeros(len(crops), N_POSE), units, torch.ones(len(crops))


def test_gains_tell_how_much_is_read_of_what_was_added_to_a_photo() -> None:
    landmarks = np.random.default_rng(0).uniform(40, 100, (68, 2)).astype(np.float32)
    photo = Photo("a.jpg", np.full((144, 144), 51, np.uint8), landmarks, landmarks[:36])
    changed = []
    for unit, grey, added in (*[("AU09", 153, 0.8)] * 6, *[("AU12", 102, 0.4)] * 6, *[("AU17", 51, 0.9)] * 4):
        change = np.zeros(N_AU, np.float32)
        change[AU_NAMES.index(unit)] = added
        changed.append(replace(photo, image=np.full_like(photo.image, grey), origin=Origin(photo, change)))
    found = gains(Readings(cast(ExportedReader, ReadsGrey())), changed)
    assert found.keys() == {"AU09", "AU12"}
    assert (found["AU09"].count, found["AU12"].count) == (6, 6)
    assert found["AU09"].share == pytest.approx(0.4 / 0.8) and found["AU12"].share == pytest.approx(0.02 / 0.4)
    assert found["AU09"].correlation > 0.8 > 0.1 > found["AU12"].correlation


class Counts(ReadsGrey):
    """Counts the crops that it reads."""

    crops = 0

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.crops += len(crops)
        return super().forward(crops)


def test_each_photo_is_read_once_for_all_figures() -> None:
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(40, 100, (68, 2)).astype(np.float32)
    photos, changed = [], []
    for number in range(6):
        grades = np.where(np.arange(N_AU) == AU_NAMES.index("AU12"), float(1 + number % 3), 0.0).astype(np.float32)
        image = np.full((144, 144), 40 + 30 * number, np.uint8)
        photos.append(Photo(f"{number}.jpg", image, landmarks, landmarks[:36], grades))
        change = np.where(np.arange(N_AU) == AU_NAMES.index("AU09"), 0.3 + number / 10, 0.0).astype(np.float32)
        origin = Origin(photos[-1], change)
        changed += [replace(photos[-1], image=image + added, grades=None, origin=origin) for added in (8, 9)]
    model = Counts()
    said = report(cast(ExportedReader, model), photos, {}, changed)
    assert [line.split(":")[0] for line in said.splitlines()] == [
        "landmarks of 6 held-out photos",
        "concordance with grades by eye",
        "AU25 of 6 shut mouths",
        "AU04 of 6 faces without lowered brows",
        "share that is read of what was added to 12 held-out photos",
    ]
    assert model.crops == len(photos) + 2 * len(photos) + len(changed)  # as taken, each check's tone, changed


class Weighs(torch.nn.Module):
    """Reads of each crop weighted means of its pixels, other ones of its mirror image."""

    def __init__(self) -> None:
        super().__init__()
        count = 2 * N_LANDMARKS + N_TARGETS + 1
        self.weights = torch.rand(96 * 96, count, generator=torch.Generator().manual_seed(1)).softmax(0)

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
        read = (crops.float().flatten(1) / 255) @ self.weights
        landmarks, pose, units, confidence = read.split((2 * N_LANDMARKS, N_POSE, N_AU, 1), 1)
        return landmarks.unflatten(1, (N_LANDMARKS, 2)), pose, units, confidence[:, 0]


def test_reading_twice_is_what_an_accurate_predictor_does() -> None:
    crops = np.random.default_rng(2).integers(0, 256, (3, 96, 96), np.uint8)
    crops[:, :, :40] //= 3
    once = Weighs()
    landmarks, parameters = read_crops(cast(ExportedReader, ReadTwice(cast(ExportedReader, once))), crops)

    def reading(crop: np.ndarray) -> Reading:
        points, pose, units, confidence = (x[0].numpy() for x in once(torch.from_numpy(crop.copy())[None]))
        return Reading(points, degrees_from_parameter(pose), intensity_from_parameter(units), float(confidence))

    for crop, points, values in zip(crops, landmarks, parameters, strict=True):
        plain, both = reading(crop), reading(crop).averaged(reading(crop[:, ::-1]).mirrored)
        assert np.abs(both.landmarks - plain.landmarks).max() > 1e-3
        np.testing.assert_allclose(points, both.landmarks, atol=1e-5)
        np.testing.assert_allclose(degrees_from_parameter(values[:N_POSE]), both.angles, atol=1e-3)
        np.testing.assert_allclose(intensity_from_parameter(values[N_POSE:]), both.action_units, atol=1e-5)
