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
from bdfm_train.constants import constant


def limit_threads(count: int) -> None:
    """Threads of the networks; pictures are made by one beside them."""
    cv2.setNumThreads(1)
    torch.set_num_threads(count)


def action_unit_error(read: Tensor, truth: Tensor) -> Tensor:
    """Squared error of action units (n, 23), weighted 1 + 3 y: absolute error collapses to their median. (n, 23)."""
    return (read - truth).square() * (1.0 + 3.0 * truth)


def emphasis_of(config: Config, device: torch.device) -> Tensor:
    """Weights (23,) of the action units' errors."""
    return constant([config.emphasis.get(name, 1.0) for name in AU_NAMES], device)


CHANGE_WEIGHT = 3.0
"""How much more an action unit counts that was changed by 1 than one that was not."""


def mirror_mean(read: Tensor) -> Tensor:
    """The mean action units of photos and of their mirror images.

    Args:
        read: (2 m, 25) or more parameters, of m photos, then of their mirror images.

    Returns:
        (m, 23), for the photos as they are.
    """
    straight, mirrored = read[:, AU_SLICE].chunk(2)
    return (straight + mirrored[:, constant(MIRRORED_AU, read.device)]) / 2


def with_mirror_images(crops: Tensor) -> Tensor:
    """Crops (m, 1, s, s), then their mirror images: (2 m, 1, s, s)."""
    return torch.cat([crops, crops.flip(-1)])


def steadiness_error(read: Tensor, teacher: Tensor, change: Tensor, mirrored: Tensor) -> Tensor:
    """How far the action units of photos are from the teacher's, which saw them clean, unchanged and not mirrored.

    Args:
        read: (m, 25) or more parameters.
        teacher: (m, 23) action units.
        change: (m, 23) what was added to the action units of the photos that were read.
        mirrored: (m,) bool, whether the photo that was read is mirrored.
    """
    units = _as_read((teacher + change).clamp(0.0, 1.0), mirrored)
    return ((read[:, AU_SLICE] - units).square() * change_weight(change, mirrored)).mean()


def change_weight(change: Tensor, mirrored: Tensor) -> Tensor:
    """What each action unit of a photo counts, (m, 23): few photos show what is added, the others show it is absent."""
    return _as_read(1.0 + CHANGE_WEIGHT * change.abs(), mirrored)


def _as_read(units: Tensor, mirrored: Tensor) -> Tensor:
    """Action units (m, 23) of photos as they were taken, with left and right exchanged where they were mirrored."""
    return torch.where(mirrored[:, None], units[:, constant(MIRRORED_AU, units.device)], units)


SIDED = [(i, other) for i, other in enumerate(MIRRORED_AU) if other > i]
"""Action units of the left with those of the right."""


def sidedness_error(read: Tensor, truth: Tensor) -> Tensor:
    """Squared error of left less right of the action units that have sides, (n, 23) both, weighted by the truth's.

    Without it a wink ends as two half-closed eyes: few faces differ between their sides.
    """
    left, right = constant(SIDED, read.device).unbind(1)
    wanted = truth[:, left] - truth[:, right]
    return ((read[:, left] - read[:, right] - wanted).square() * (1.0 + 3.0 * wanted.abs())).mean()


_SPANS = (
    (37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65), (19, 37), (24, 44), (21, 39), (22, 42),
    (17, 36), (26, 45), (21, 22), (48, 33), (54, 33), (51, 33), (57, 33), (8, 33), (48, 54),
)  # fmt: skip
"""Landmarks whose distance tells an expression: lids, lips, brows over eyes, mouth and chin under the nose."""


def span_error(landmarks: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of the way from one landmark to another (n, 68, 2), crop units.

    An error that all landmarks share costs nothing here; one lid that follows the other does.
    """
    first, second = constant(_SPANS, landmarks.device).unbind(1)
    return ((landmarks[:, first] - landmarks[:, second]) - (truth[:, first] - truth[:, second])).abs().mean()


def judged_error(read: Tensor, bounds: Tensor, change: Tensor, mirrored: Tensor) -> Tensor:
    """How far the action units of photos are from what was judged by eye: squared distance to the bounds.

    Args:
        read: (m, 23) parameters.
        bounds: (m, 2, 23) least and largest parameter.
        change, mirrored: as in :func:`steadiness_error`; the bounds have moved with both.
    """
    beyond = (bounds[:, 0] - read).clamp_min(0) + (read - bounds[:, 1]).clamp_min(0)
    return (beyond.square() * change_weight(change, mirrored)).mean()


def learning_rate(training: TrainingConfig, step: int, share: float) -> float:
    """Warm-up over the first steps, then a cosine to nothing, but for 1e-5, over the run.

    Args:
        training: its settings.
        step: from 0.
        share: of the run that is done, 0 to 1.
    """
    warm = min(1.0, (step + 1) / max(training.warm_up_steps, 1))
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
