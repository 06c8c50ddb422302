# SPDX-License-Identifier: MIT
"""What every training does alike: steps that end where a loss is no number, lengths, folders."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from bdfm_train.errors import CheckpointError, DivergedError
from bdfm_train.training.work import Descent, Length, descend, make_folder


def test_an_infinite_gradient_does_not_reach_the_weights(tmp_path: Path) -> None:
    layer = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(layer.parameters(), 1.0)
    before = layer.weight.clone()
    loss = layer.weight.sum().abs() * 0.0 + (layer.weight - layer.weight.detach()).abs().sqrt().sum()
    assert loss.isfinite()  # zero, with a gradient that is no number
    with pytest.raises(DivergedError, match="step 7"):
        descend({"x": loss}, loss, optimizer, 1.0, 7, tmp_path / "x.pt")
    assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("spoilt", ["loss", "gradient"])
def test_a_fused_optimizer_keeps_its_weights_until_someone_asks(spoilt: str, tmp_path: Path) -> None:
    layer = nn.Linear(1, 1, bias=False)
    descent = Descent(torch.optim.AdamW(layer.parameters(), 0.1, fused=True), 1.0, tmp_path / "x.pt")

    def step(number: int, factor: float = 1.0) -> None:
        loss = layer.weight.square().sum()
        shown = loss * factor if spoilt == "loss" else loss
        descent.step({"x": shown}, loss if spoilt == "loss" else loss * factor, number)

    before = layer.weight.clone()
    step(6)
    assert descent.values() == {"x": pytest.approx(before.square().item(), abs=1e-5)}
    good = layer.weight.clone()
    assert not torch.equal(good, before)
    step(7, math.nan)
    step(8)
    step(9, math.nan)
    assert torch.equal(layer.weight, good)
    with pytest.raises(DivergedError, match=r"not finite at step 7"):
        descent.values()


def test_length_is_in_steps_where_they_are_given() -> None:
    assert Length(10.0).share(999, 5.0) == 0.5
    assert Length(10.0, 4).share(1, 99.0) == 0.25
    assert Length(0.0).share(0, 0.0) == Length(1.0, 0).share(0, 0.0) == 1.0


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="Name another"):
        make_folder(tmp_path / "file")


@pytest.mark.skipif(sys.platform != "linux", reason="the folder is Linux's")
def test_a_folder_in_which_nobody_may_write_is_said() -> None:
    with pytest.raises(CheckpointError, match="/proc is no folder that can be written"):
        make_folder(Path("/proc"))
