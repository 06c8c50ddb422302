# SPDX-License-Identifier: MIT
"""What trained readers say of photos whose action units nobody measured, for another reader to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import torch
from torch import Tensor

from bdfm_train.networks.reader import FaceReader
from bdfm_train.networks.segmentation import normalise

from .precision import training_precision
from .steps import mirror_mean, with_mirror_images

_AT_ONCE: Final = 128


class PhotoViews(Protocol):
    """What makes batches of photos, as far as a teacher looks at it."""

    @property
    def photo_count(self) -> int:
        """How many photos there are."""

    def photo_views(self, rows: range, size: int, seed: int | None) -> Tensor:
        """Crops (k, size, size) about 0..1 of these photos, aligned without error, or with that of a seed."""


@torch.no_grad()
def read_photos(teachers: Sequence[FaceReader], photos: PhotoViews, seed: int, device: torch.device) -> Tensor:
    """The action units (n, 23), in [0, 1], of photos: the mean of what all teachers read of two crops of each, of which
    one is aligned without error, and of their mirror images.

    Args:
        teachers: on the device.
        photos: that of a photo of changed expression is what this one shows.
        seed: of the crops' errors of alignment.
        device: where it is computed, and where the result lies.
    """
    parts = []
    for first in range(0, photos.photo_count, _AT_ONCE):
        rows = range(first, min(first + _AT_ONCE, photos.photo_count))
        read = [
            _read(teacher, photos.photo_views(rows, teacher.crop_size, view).to(device))
            for teacher in teachers
            for view in (None, seed)
        ]
        parts.append(torch.stack(read).mean(0))
    return torch.cat(parts)


def _read(teacher: FaceReader, crops: Tensor) -> Tensor:
    with training_precision(crops.device):
        read = teacher(with_mirror_images(normalise(crops, white=1.0))).parameters.float()
    return mirror_mean(read).clamp(0.0, 1.0)
