# SPDX-License-Identifier: MIT
"""Means of a network's weights: over the steps of a run, and over runs that went on from one another."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from bdfm_train.errors import CheckpointError
from bdfm_train.networks.checkpoints import config_of, read_checkpoint, write_checkpoint


class WeightAverage:
    """Exponential moving average of weights and batch statistics; faster at first.

    Args:
        network: the one that is trained, on its device.
        decay: of the average once many steps are done.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        self._real = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counts = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the network's weights after a step, counted from 1."""
        decay = min(self.decay, 1.0 - 1.0 / (step / 10.0 + 1.0))
        mine, theirs = map(list, zip(*self._real, strict=True))
        torch._foreach_lerp_(mine, theirs, 1.0 - decay)
        for mean, value in self._counts:
            mean.copy_(value)


def mean_of_runs(checkpoints: list[Path], out: Path) -> None:
    """Write the mean of the averaged weights of several readers, or of several R.

    Worth trying where one run went on from the weights of another (Wortsman et al. 2022, "Model soups"); runs that
    began apart have nothing in common.

    Args:
        checkpoints: of one network and one configuration; one that is named twice counts twice.
        out: checkpoint to write, to be read like those.

    Raises:
        CheckpointError: a file is missing, damaged, or of another network or configuration than the first.
    """
    states = [read_checkpoint(path, "reader", ("config",)) for path in checkpoints]
    part = "average" if "average" in states[0] else "regressor"
    for path, state in zip(checkpoints, states, strict=True):
        if part not in state:
            raise CheckpointError(f"{path} is no checkpoint like the others. Choose readers alone, or R alone.")
        if config_of(state, path).network != config_of(states[0], path).network or _sizes(state[part]) != _sizes(
            states[0][part]
        ):
            raise CheckpointError(f"{path} is of another network than {checkpoints[0]}. Choose runs of one.")
    mean = {name: _mean([state[part][name] for state in states]) for name in states[0][part]}
    write_checkpoint({part: mean, "config": states[0]["config"], "step": states[-1].get("step", 0)}, out)


def _sizes(weights: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in weights.items()}


def _mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean(0) if values[0].dtype.is_floating_point else values[0]
