# SPDX-License-Identifier: MIT
"""What is read from renders against their truth."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch

from bdfm_infer.parameters import AU_NAMES, N_POSE
from bdfm_train.data.shards import N_TARGETS, Shard
from bdfm_train.evaluation.held_out import render_errors
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
