# SPDX-License-Identifier: MIT
"""Where the pictures of a training lie, and the batches that are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from bdfm_infer.alignment import CROP_SIZE
from bdfm_train.arrays import read_array
from bdfm_train.config import Config

from .batches import BatchMaker
from .changed_photos import load_changed_photos
from .device_batches import DeviceBatchMaker
from .photo_pictures import PhotoPictures
from .photos import load_photos
from .shards import ShardPool


@dataclass(frozen=True)
class TrainingData:
    """What a training sees.

    Attributes:
        sources: folder that holds ``faces``.
        shards: folder where shards of renders lie and may go on arriving.
        pattern: names of the shards.
        changed: photos of changed expression that ``python -m bdfm_train changed-photos`` wrote.
        negatives: crops that ``python -m bdfm_train negatives`` wrote.
        pictures: photos that ``python -m bdfm_train photo-pictures`` wrote. Where they are given, batches are made on
            the device that trains, and ``sources``, ``changed`` and ``negatives`` are not looked at.
        times: how many times as many pictures a batch holds as the configuration says.
    """

    sources: Path
    shards: Path
    pattern: str = "*.npz"
    changed: Path | None = None
    negatives: Path | None = None
    pictures: Path | None = None
    times: int = 1

    def batches(self, config: Config, seed: int, negatives: int) -> BatchMaker:
        """Draws batches of as many renders and photos as the configuration says, and of ``negatives`` crops without a
        face. New shards are seen when its pool is refreshed.

        Raises:
            ArraysError: there is no shard, or one, the changed photos or the negatives, is damaged.
        """
        pool = self._pool(config)
        photos = load_photos(self.sources, "train")
        changed = () if self.changed is None else load_changed_photos(self.changed, photos)
        mined = None if self.negatives is None else read_array(self.negatives, CROP_SIZE, "bdfm_train negatives")
        counts = self._counts(config, negatives)
        return BatchMaker(photos, pool, counts, seed, mined, config.network.crop_size, changed)

    def device_batches(self, config: Config, seed: int, device: torch.device) -> DeviceBatchMaker:
        """Draws batches on a device, of the pictures.

        Raises:
            ArraysError: there is no shard, or one, or the pictures, is damaged.
        """
        assert self.pictures is not None
        photos, counts = PhotoPictures.load(self.pictures), self._counts(config, config.batch.negatives)
        return DeviceBatchMaker(photos, self._pool(config), counts, seed, config.network.crop_size, device)

    def _counts(self, config: Config, negatives: int) -> tuple[int, int, int]:
        return config.batch.renders * self.times, config.batch.photos * self.times, negatives * self.times

    def _pool(self, config: Config) -> ShardPool:
        pool = ShardPool(self.shards, self.pattern, config.batch.shards)
        pool.refresh()
        return pool
