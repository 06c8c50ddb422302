# SPDX-License-Identifier: MIT
"""A running mean of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class WeightAverage:
    """Exponential moving average of weights and batch statistics; faster at first.

    Args:
        network: the one that is trained.
        decay: of the average once many steps are done.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step, counted from 1."""
        decay = min(self.decay, 1.0 - 1.0 / (step / 10.0 + 1.0))
        mine, theirs = self.network.state_dict(), network.state_dict()
        for name, value in mine.items():
            if value.dtype.is_floating_point:
                value.mul_(decay).add_(theirs[name], alpha=1.0 - decay)
            else:
                value.copy_(theirs[name])
