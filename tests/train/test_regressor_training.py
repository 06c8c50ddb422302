# SPDX-License-Identifier: MIT
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bdfm_infer.parameters import AU_SLICE, BROW_SLICE, IDENTITY_SLICE, N_PARAMETERS, POSE_SLICE
from bdfm_train.config import Config
from bdfm_train.data.batches import Batch
from bdfm_train.data.training_data import TrainingData
from bdfm_train.errors import CheckpointError
from bdfm_train.networks.checkpoints import build_reader, load_regressor
from bdfm_train.training.regressor import regressor_losses, train_regressor
from bdfm_train.training.work import Length, Run

SOURCES = os.environ.get("BDFM_SOURCES")


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    crops, parts = torch.zeros(4, 1, 96, 96), torch.zeros(4, 48, 48, dtype=torch.long)
    return Batch(
        renders=crops,
        parameters=torch.rand(4, 25, generator=generator),
        identity=torch.rand(4, 208, generator=generator),
        identity_known=torch.tensor([True, False, True, False]),
        brow_style=torch.tensor([0, 5, 7, 35]),
        render_landmarks=torch.zeros(4, 68, 2),
        render_parsing=parts,
        photos=crops,
        clean_photos=crops,
        photo_landmarks=torch.zeros(4, 68, 2),
        photo_parsing=parts,
        photo_bounds=torch.tensor([0.0, 1.0]).view(1, 2, 1).expand(4, 2, 23),
        photo_change=torch.zeros(4, 23),
        mirrored=torch.tensor([False, False, False, False]),
        negatives=crops,
    )


EVEN = torch.ones(23)


def truth(batch: Batch) -> torch.Tensor:
    y = torch.zeros(4, N_PARAMETERS)
    y[:, POSE_SLICE] = batch.parameters[:, POSE_SLICE]
    y[:, AU_SLICE] = batch.parameters[:, AU_SLICE]
    y[:, IDENTITY_SLICE] = batch.identity
    y[torch.arange(4), BROW_SLICE.start + batch.brow_style] = 1.0
    return y


def test_the_truth_costs_nothing(batch: Batch) -> None:
    y = truth(batch)
    assert all(value.item() == 0.0 for value in regressor_losses(batch, y, y, y[:, AU_SLICE], EVEN).values())


def test_identity_of_head_b_and_of_mirrored_faces_does_not_count(batch: Batch) -> None:
    y, z = truth(batch), truth(batch)
    z[[1, 3], IDENTITY_SLICE] = 0.0
    assert regressor_losses(batch, z, y, y[:, AU_SLICE], EVEN)["identity"].item() == 0.0
    z[0, IDENTITY_SLICE] = batch.identity[0] + 0.5
    # one of the two known rows is off by 0.5 everywhere: 0.25 / 2
    assert regressor_losses(batch, z, y, y[:, AU_SLICE], EVEN)["identity"].item() == pytest.approx(0.125, rel=1e-5)


def test_a_mirrored_photo_is_held_against_the_mirrored_teacher(batch: Batch) -> None:
    mirrored = replace(batch, mirrored=torch.ones(4, dtype=torch.bool))
    student, teacher = torch.zeros(4, N_PARAMETERS), torch.zeros(4, 23)
    left, right = 21, 22
    student[:, AU_SLICE.start + left], teacher[:, right] = 1.0, 1.0
    y = truth(batch)
    assert regressor_losses(mirrored, y, student, teacher, EVEN)["consistency"].item() == 0.0
    assert regressor_losses(batch, y, student, teacher, EVEN)["consistency"].item() == pytest.approx(2 / 23)


@pytest.mark.skipif(not SOURCES, reason="BDFM_SOURCES is not set")
@pytest.mark.parametrize("by_landmarks", [False, True])
def test_a_short_training_of_r_leaves_weights_that_load(tmp_path: Path, by_landmarks: bool) -> None:
    assert SOURCES
    rng = np.random.default_rng(1)
    np.savez(
        tmp_path / "one.npz",
        images=rng.integers(0, 256, (8, 144, 144), np.uint8),
        parameters=rng.random((8, 269)).astype(np.float16),
        landmarks=rng.uniform(40, 100, (8, 68, 2)).astype(np.float32),
        labels=rng.integers(0, 14, (8, 72, 72), np.uint8),
        head="a",
    )
    reader = build_reader(Config.load("lite"))
    torch.save({"average": reader.state_dict(), "config": "lite"}, tmp_path / "reader.pt")
    data = TrainingData(Path(SOURCES), tmp_path)
    path = train_regressor(tmp_path / "reader.pt", data, Run(tmp_path, Length(0.02)), by_landmarks=by_landmarks)
    assert torch.load(path, weights_only=True)["step"] >= 1
    regressor = load_regressor(path)
    assert not regressor.training
    assert regressor.pose.reduce[0].in_channels == (68 if by_landmarks else 64)
    with pytest.raises(CheckpointError, match="was trained with another network"):
        again = Run(tmp_path / "again", Length(0.02))
        train_regressor(tmp_path / "reader.pt", data, again, start=path, by_landmarks=not by_landmarks)
