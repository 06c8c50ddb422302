# SPDX-License-Identifier: MIT
"""What the trainings share: losses of action units, batch statistics kept apart, and the learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import torch
from torch import Tensor, nn

from bdfm_infer.parameters import AU_NAMES, AU_SLICE, MIRRORED_AU
from bdfm_train.config import Config, TrainingConfig


def limit_threads(count: int) -> None:
    """Threads of the networks; pictures are made by one beside them."""
    cv2.setNumThreads(1)
    torch.set_num_threads(count)


def action_unit_error(read: Tensor, truth: Tensor) -> Tensor:
    """Squared error of action units (n, 23), weighted 1 + 3 y: absolute error collapses to their median. (n, 23)."""
    return (read - truth).square() * (1.0 + 3.0 * truth)


def emphasis_of(config: Config) -> Tensor:
    """Weights (23,) of the action units' errors."""
    return torch.tensor([config.emphasis.get(name, 1.0) for name in AU_NAMES])


def steadiness_error(read: Tensor, teacher: Tensor, mirrored: Tensor) -> Tensor:
    """How far the action units of photos are from the teacher's, which saw them clean and not mirrored.

    Args:
        read, teacher: (m, 25) or more parameters.
        mirrored: (m,) bool, whether the photo that was read is mirrored.
    """
    units = teacher[:, AU_SLICE]
    target = torch.where(mirrored[:, None], units[:, list(MIRRORED_AU)], units)
    return (read[:, AU_SLICE] - target).square().mean()


def judged_error(read: Tensor, bounds: Tensor) -> Tensor:
    """How far the action units of photos are from what was judged by eye: squared distance to the bounds.

    Args:
        read: (m, 23) parameters.
        bounds: (m, 2, 23) least and largest parameter.
    """
    return ((bounds[:, 0] - read).clamp_min(0) + (read - bounds[:, 1]).clamp_min(0)).square().mean()


def learning_rate(training: TrainingConfig, step: int, share: float) -> float:
    """Warm-up over the first steps, then a cosine to nothing over the run.

    Args:
        training: its settings.
        step: from 0.
        share: of the run that is done, 0 to 1.
    """
    warm = min(1.0, (step + 1) / training.warm_up_steps)
    return training.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * share)) + 1e-5


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Batch normalisation by the batch itself that leaves the running statistics as they are."""
    layers = _batch_norms(network)
    momenta = [layer.momentum for layer in layers]
    set_momentum(network, 0.0)
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


def set_momentum(network: nn.Module, momentum: float) -> None:
    """How fast the running statistics of batch normalisation follow."""
    for layer in _batch_norms(network):
        layer.momentum = momentum


def _batch_norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
