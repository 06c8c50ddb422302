# SPDX-License-Identifier: MIT
"""What a trained reader says of photos whose action units nobody measured, for another reader to learn from."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from bdfm_train.data.device_augment import Chance
from bdfm_train.data.device_batches import DeviceBatchMaker
from bdfm_train.networks.reader import FaceReader
from bdfm_train.networks.segmentation import normalise

from .precision import training_precision
from .steps import mirror_mean, with_mirror_images

_VIEWS: Final = 4
_AT_ONCE: Final = 128


@torch.no_grad()
def read_photos(teacher: FaceReader, maker: DeviceBatchMaker, seed: int) -> Tensor:
    """The action units (n, 23), in [0, 1], of a maker's photos: the mean of several crops and their mirror images.

    Args:
        teacher: on the maker's device.
        maker: whose photos are read; that of a photo of changed expression is what this one shows.
        seed: of the crops' errors of alignment.
    """
    chance, rows = Chance(maker.device, seed), []
    for index in torch.arange(len(maker.photos), device=maker.device).split(_AT_ONCE):
        views = [maker.photo_crops(index, teacher.crop_size)]
        views += [maker.photo_crops(index, teacher.crop_size, chance) for _ in range(_VIEWS - 1)]
        with training_precision(maker.device):
            crops = [with_mirror_images(normalise(view, white=1.0)) for view in views]
            read = [mirror_mean(teacher(both).parameters.float()) for both in crops]
        rows.append(torch.stack(read).mean(0).clamp(0.0, 1.0))
    return torch.cat(rows)
