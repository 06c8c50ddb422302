# SPDX-License-Identifier: MIT
"""Batches: renders with all their truth, photos with landmarks, and crops that show no face."""

from __future__ import annotations

import itertools
import queue
import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bdfm_infer.alignment import CROP_SIZE
from bdfm_infer.parameters import N_AU
from bdfm_train.networks.segmentation import normalise

from .augment import IGNORED, photograph
from .crops import FloatArray, misplaced_crop, photo_crop, photo_view, render_crop, texture_crop
from .judgements import GradedChoice
from .photos import Photo
from .shards import ShardPool

UNKNOWN_CLASS = -100
"""Target class that the loss passes over."""
_MINED_SHARE = 0.6
CHANGED_SHARE = 0.3
"""Of the photos in a batch, where there are photos of changed expression."""
_REFRESH_SECONDS: Final = 60.0
"""After which a process that makes batches looks for new shards."""
_LAST: Final = 2**40
"""A number that no run reaches."""


@dataclass(frozen=True)
class Batch:
    """One step's data. Crops are normalised, (n, 1, s, s); landmarks are in crop units; parsing is (n, 48, 48).

    Attributes:
        renders, photos: crops as a camera might show them.
        clean_photos: the same photos, aligned without error, as the teacher sees them.
        negatives: crops without an aligned face.
        photo_readings: (m, 23) what teachers read from the clean photos; None asks the mean of the reader's weights.
        parameters: (n, 25) of the renders, pose and action units.
        identity: (n, 208) of the renders.
        identity_known: (n,) bool, whether it may be learned.
        brow_style: (n,) index, of the renders.
        photo_bounds: (m, 2, 23) least and largest action unit parameters that agree with what was judged by eye.
        photo_change: (m, 23) what the photos' action units have more than those of the clean ones, before the mirror.
        mirrored: (m,) bool, whether a photo was mirrored.
    """

    renders: Tensor
    parameters: Tensor
    identity: Tensor
    identity_known: Tensor
    brow_style: Tensor
    render_landmarks: Tensor
    render_parsing: Tensor
    photos: Tensor
    clean_photos: Tensor
    photo_landmarks: Tensor
    photo_parsing: Tensor
    photo_bounds: Tensor
    photo_change: Tensor
    mirrored: Tensor
    negatives: Tensor
    photo_readings: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        moved: dict[str, Any] = {k: None if v is None else v.to(device) for k, v in vars(self).items()}
        return Batch(**moved)


class BatchMaker:
    """Draws batches.

    Args:
        photos: those of the part ``train``.
        pool: shards of renders.
        counts: renders, photos and negatives in a batch.
        seed: of all that is drawn.
        mined: (n, 96, 96) crops without a face that the detector took for one.
        size: side of the crops.
        changed: photos of ``photos`` with their expression changed.

    Attributes:
        readings: (n, 23) action units that teachers read from ``photos``, handed out with them; None for none.
    """

    device: Final = torch.device("cpu")

    def __init__(
        self,
        photos: list[Photo],
        pool: ShardPool,
        counts: tuple[int, int, int],
        seed: int,
        mined: NDArray[np.uint8] | None = None,
        size: int = CROP_SIZE,
        changed: Sequence[Photo] = (),
    ) -> None:
        self.photos, self.pool, self.counts, self.mined, self.size = photos, pool, counts, mined, size
        self.changed, self.seed = changed, seed
        self.readings: Tensor | None = None
        self._rows = {photo.name: row for row, photo in enumerate(photos)}
        unknown = np.full(N_AU, np.nan, np.float32)
        self.graded = GradedChoice(np.stack([unknown if p.grades is None else p.grades for p in photos]))
        self._begin(0)

    def _begin(self, number: int) -> None:
        self.rng = np.random.default_rng((self.seed, number))
        self.choice = random.Random(f"{self.seed} {number}")

    def refresh(self) -> None:
        """Take in the shards that arrived."""
        self.pool.refresh()

    def draw(self, number: int = 0) -> Batch:
        """The batch of that number; the same number, seed and shards give the same one."""
        self._begin(number)
        n_renders, n_photos, n_negatives = self.counts
        drawn, photos = [], []
        for _ in range(n_photos):
            photo = self._photo()
            drawn.append(self._rows[photo.as_taken.name])
            photos.append(photo_crop(photo, self.rng, self.size))
        renders = [
            render_crop(*self.pool.draw(self.choice), self.choice.choice(photos).clean, self.rng)
            for _ in range(n_renders)
        ]
        return Batch(
            renders=network_crops([item.crop for item in renders]),
            parameters=_stack([item.parameters for item in renders]),
            identity=_stack([item.identity for item in renders]),
            identity_known=torch.tensor([item.identity_known for item in renders]),
            brow_style=torch.tensor([item.brow_style for item in renders]),
            render_landmarks=_stack([item.landmarks for item in renders]),
            render_parsing=_classes([item.labels for item in renders]),
            photos=network_crops([item.crop for item in photos]),
            clean_photos=network_crops([item.clean for item in photos]),
            photo_landmarks=_stack([item.landmarks for item in photos]),
            photo_parsing=_classes([item.labels for item in photos]),
            photo_bounds=_stack([item.bounds for item in photos]),
            photo_change=_stack([item.change for item in photos]),
            mirrored=torch.tensor([item.mirrored for item in photos]),
            negatives=network_crops([_enlarged(self._negative(), self.size) for _ in range(n_negatives)]),
            photo_readings=None if self.readings is None else self.readings[drawn],
        )

    @property
    def photo_count(self) -> int:
        """How many photos there are, without those of changed expression."""
        return len(self.photos)

    def photo_views(self, rows: range, size: int, seed: int | None) -> Tensor:
        """Crops (k, size, size) about 0..1 of these photos, aligned without error, or with that of a seed."""
        rng = None if seed is None else np.random.default_rng((seed, rows.start))
        return torch.from_numpy(np.stack([photo_view(self.photos[row], size, rng) for row in rows]))

    def _photo(self) -> Photo:
        if self.changed and self.rng.random() < CHANGED_SHARE:
            return self.changed[self.rng.integers(len(self.changed))]
        return self.photos[self.graded.draw(self.rng)]

    def _negative(self) -> FloatArray:
        if self.mined is not None and self.choice.random() < _MINED_SHARE:
            return photograph(self.mined[self.choice.randrange(len(self.mined))], self.rng)
        kind = self.choice.random()
        if kind < 0.5:
            return texture_crop(self.rng)
        if kind < 0.75:
            photo = self.choice.choice(self.photos)
            return misplaced_crop(photo.image, photo.landmarks, self.rng)
        shard, index = self.pool.draw(self.choice)
        return misplaced_crop(shard.images[index], shard.landmarks[index], self.rng)


def feed(maker: BatchMaker, first: int = 0, ahead: int = 6, workers: int = 0) -> Iterator[Batch]:
    """Batches from the number ``first`` on, made while the network computes.

    Args:
        maker: draws them.
        first: number of the first one.
        ahead: how many are made ahead.
        workers: processes that make them, each of which looks for new shards by itself; 0 for a thread of this one. A
            CPU that trains needs no more than the thread, a GPU as many processes as there are cores.

    Raises:
        ArraysError: a shard that arrived is damaged.
    """
    return _made_by_processes(maker, first, ahead, workers) if workers else _made_by_thread(maker, first, ahead)


def _made_by_thread(maker: BatchMaker, first: int, ahead: int) -> Iterator[Batch]:
    batches: queue.Queue[Batch | Exception] = queue.Queue(ahead)

    def work() -> None:
        try:
            for number in itertools.count(first):
                batches.put(maker.draw(number))
        except Exception as error:
            batches.put(error)

    threading.Thread(target=work, daemon=True).start()
    while True:
        batch = batches.get()
        if isinstance(batch, Exception):
            raise batch
        yield batch


def _made_by_processes(maker: BatchMaker, first: int, ahead: int, workers: int) -> Iterator[Batch]:
    numbers = range(first, _LAST)
    loader = DataLoader(
        _Drawn(maker), batch_size=None, sampler=numbers, num_workers=workers, prefetch_factor=max(2, ahead // workers)
    )
    return iter(loader)


class _Drawn(Dataset[Batch]):
    """A maker's batches by number, as torch's loader wants them."""

    def __init__(self, maker: BatchMaker) -> None:
        self.maker, self.looked = maker, time.monotonic()

    def __getitem__(self, number: int) -> Batch:
        if time.monotonic() - self.looked > _REFRESH_SECONDS:
            self.looked = time.monotonic()
            self.maker.refresh()
        return self.maker.draw(number)


def network_crops(crops: Sequence[FloatArray]) -> Tensor:
    """Crops (s, s) of one size, about 0..1, as networks take them: (n, 1, s, s) normalised."""
    return normalise(torch.from_numpy(np.stack(crops)), white=1.0)


def _enlarged(crop: FloatArray, size: int) -> FloatArray:
    return crop if len(crop) == size else cv2.resize(crop, (size, size))


def _stack(arrays: Sequence[FloatArray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays).astype(np.float32))


def _classes(labels: Sequence[NDArray[np.uint8]]) -> Tensor:
    x = torch.from_numpy(np.stack(labels).astype(np.int64))
    return torch.where(x == IGNORED, UNKNOWN_CLASS, x)
