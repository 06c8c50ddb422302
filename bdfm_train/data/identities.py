# SPDX-License-Identifier: MIT
"""Batches for F_rec (paper, section 2.5): several views of each of many people, some of them photos with one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bdfm_infer import alignment
from bdfm_infer.alignment import MIRRORED_LANDMARK
from bdfm_train.errors import IdentityShardError
from bdfm_train.face_model.identities import IdentityShard

from .augment import COARSE, FINE, borrow_look, jittered_alignment, photograph
from .batches import network_crops
from .photos import Photo

_COARSE_SHARE: Final = 0.2
_BORROWED_SHARE: Final = 0.3
_CHANGED_SHARE: Final = 0.3
"""Of the renders, which differ from view to view already."""
_MIRROR: Final = np.array([-1, 1, 1], np.float32)

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class IdentityBatch:
    """Crops of several people; the renders come first.

    Attributes:
        crops: (n, 1, 96, 96) normalised.
        person: (n,) int64, whom each shows; the numbers mean nothing beyond the batch.
        shape: (m, 204) what the face at rest of each of the m renders differs in from the base face, each value divided
            by its deviation over all renders.
    """

    crops: Tensor
    person: Tensor
    shape: Tensor


@dataclass(frozen=True)
class Counts:
    """How many people of renders and of photos are in a batch, and how many views of each."""

    rendered: int
    photographed: int
    views: int


class IdentityPool:
    """All that F_rec learns from, in memory.

    Args:
        shards: renders; identities of two shards are different people.
        photos: each a person of its own.

    Raises:
        IdentityShardError: there is no shard, or one holds a single view of somebody.
    """

    def __init__(self, shards: Sequence[IdentityShard], photos: Sequence[Photo]) -> None:
        self._shards, self._photos = shards, photos
        self._views: list[tuple[IdentityShard, NDArray[np.intp]]] = []
        for shard in shards:
            starts = np.flatnonzero(shard.first_views)
            self._views += [(shard, views) for views in np.split(np.arange(len(shard.images)), starts[1:])]
        if not self._views or min(len(views) for _, views in self._views) < 2:
            raise IdentityShardError(
                "F_rec learns from shards with two views or more of each identity. "
                "Make them: python -m bdfm_train.face_model.identities --help"
            )

        shapes = np.concatenate([shard.shape[shard.first_views] for shard in shards])
        self._spread = np.maximum(shapes.std(0), 1e-6)

    def __len__(self) -> int:
        """Rendered identities."""
        return len(self._views)

    def draw(self, counts: Counts, rng: np.random.Generator) -> IdentityBatch:
        """A batch; the same state of ``rng`` gives the same one. Nobody is in it twice."""
        crops: list[FloatArray] = []
        shapes: list[FloatArray] = []
        person: list[int] = []
        for number, i in enumerate(rng.permutation(len(self._views))[: counts.rendered]):
            shard, views = self._views[i]
            for view in rng.choice(views, min(counts.views, len(views)), replace=False):
                image, landmarks, shape = shard.images[view], shard.landmarks[view], shard.shape[view] / self._spread
                if rng.random() < _CHANGED_SHARE:
                    crop = changed_crop(image, landmarks, self._look(rng), rng)
                else:
                    crop = alignment.crop(image, jittered_alignment(landmarks, FINE, rng)).astype(np.float32) / 255.0
                if rng.random() < 0.5:
                    crop, shape = crop[:, ::-1], shape[MIRRORED_LANDMARK] * _MIRROR
                crops.append(crop)
                shapes.append(shape.ravel())
                person.append(number)
        for number, i in enumerate(rng.permutation(len(self._photos))[: counts.photographed]):
            photo = self._photos[i]
            for _ in range(counts.views):
                crop = changed_crop(photo.image, photo.landmarks, self._look(rng), rng)
                crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
                person.append(counts.rendered + number)
        shape = torch.from_numpy(np.stack(shapes).astype(np.float32))
        return IdentityBatch(network_crops(crops), torch.tensor(person), shape)

    def _look(self, rng: np.random.Generator) -> Photo | None:
        if not self._photos or rng.random() >= _BORROWED_SHARE:
            return None
        return self._photos[rng.integers(len(self._photos))]


def changed_crop(
    image: NDArray[np.uint8], landmarks: FloatArray, look: Photo | None, rng: np.random.Generator
) -> FloatArray:
    """A crop (96, 96) of a face, about 0..1, as another camera might show it: place, light, noise, occlusion.

    Args:
        image: (h, w) uint8.
        landmarks: (68, 2) pixels.
        look: photo whose low frequencies it borrows.
        rng: source of chance.
    """
    matrix = jittered_alignment(landmarks, COARSE if rng.random() < _COARSE_SHARE else FINE, rng)
    crop = photograph(alignment.crop(image, matrix), rng)
    if look is not None:
        crop = borrow_look(crop, alignment.crop_face(look.image, look.landmarks).astype(np.float32) / 255.0, rng)
    return crop
