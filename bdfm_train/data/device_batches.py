# SPDX-License-Identifier: MIT
"""Batches made on the device that trains: a GPU learns faster than processors can crop.

What they hold is what :mod:`bdfm_train.data.batches` says, by the same chances, but for crops without a face, which are
textures and misplaced renders alone. Pictures lie in the device's memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bdfm_infer.parameters import (
    BROW_SLICE,
    IDENTITY_SLICE,
    MIRRORED_AU,
    parameter_from_intensity,
)
from bdfm_train.constants import constant
from bdfm_train.networks.segmentation import normalise

from . import device_augment as augment
from .augment import COARSE, FAR, FINE, IGNORED, PARSING_SIZE
from .batches import CHANGED_SHARE, UNKNOWN_CLASS, Batch
from .crops import BORROWED_SHARE, COARSE_SHARE, FAR_SHARE, MIRRORED_CLASS, is_side_view
from .device_augment import Chance
from .judgements import GradedChoice, intensity_bounds
from .photo_pictures import PhotoPictures
from .shards import N_TARGETS, Shard, ShardPool

_KINDS: Final = (FINE, COARSE, FAR)
_TEXTURES: Final = 0.5
"""Of the crops without a face; the others lie beside one, show a part of it, or it small or turned."""


@dataclass
class Pictures:
    """Pictures in the device's memory; a folder's shards are joined as they arrive.

    Attributes:
        images: (n, s, s) uint8.
        landmarks: (n, 68, 2) float32 pixels.
        labels: (n, s / 2, s / 2) uint8.
    """

    images: Tensor
    landmarks: Tensor
    labels: Tensor

    @classmethod
    def on(cls, device: torch.device, source: Shard | PhotoPictures) -> Pictures:
        """Those of a shard or of photos, moved to a device."""
        return cls(*(torch.from_numpy(x).to(device) for x in (source.images, source.landmarks, source.labels)))

    def __len__(self) -> int:
        return len(self.images)

    def labels_of(self, index: Tensor, matrix: Tensor) -> Tensor:
        """Classes (k, 48, 48) int64 of crops, :data:`IGNORED` outside the picture."""
        every_other = torch.arange(PARSING_SIZE, device=matrix.device) * 2.0
        at = (augment.sources(matrix, every_other) / 2.0).round().long()
        side = self.labels.shape[-1]
        inside = ((at >= 0) & (at < side)).all(-1)
        x, y = at.clamp(0, side - 1).unbind(-1)
        return torch.where(inside, self.labels[index[:, None, None], y, x].long(), IGNORED)


class Renders:
    """The renders of a pool on a device.

    Args:
        pool: shards, refreshed by whoever owns it.
        device: where they go.

    Attributes:
        pictures: of all shards.
        parameters: (n, 269) float16.
        identity_known: (n,) bool.
    """

    def __init__(self, pool: ShardPool, device: torch.device) -> None:
        self.pool, self.device = pool, device
        self._rows: dict[str, slice] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take in what the pool has by now, and let go of what it has no more."""
        shards = self.pool.shards
        if shards.keys() == self._rows.keys():
            return
        parts = [self._here(self._rows[name]) if name in self._rows else self._load(shards[name]) for name in shards]
        ends = np.cumsum([len(part[0]) for part in parts]).tolist()
        self._rows = {name: slice(*ends_of) for name, ends_of in zip(shards, pairwise([0, *ends]), strict=True)}
        images, landmarks, labels, parameters, known = (torch.cat(column) for column in zip(*parts, strict=True))
        self.pictures = Pictures(images, landmarks, labels)
        self.parameters, self.identity_known = parameters, known

    def _here(self, rows: slice) -> tuple[Tensor, ...]:
        of = self.pictures
        columns = (of.images, of.landmarks, of.labels, self.parameters, self.identity_known)
        return tuple(column[rows] for column in columns)

    def _load(self, shard: Shard) -> tuple[Tensor, ...]:
        of = Pictures.on(self.device, shard)
        known = torch.full((len(of),), shard.head == "a", device=self.device)
        return of.images, of.landmarks, of.labels, torch.from_numpy(shard.parameters).to(self.device), known


class DeviceBatchMaker:
    """Draws batches on a device.

    Args:
        photos: those of the part ``train``, and changed ones.
        pool: shards of renders.
        counts: renders, photos and negatives in a batch.
        seed: of all that is drawn.
        size: side of the crops.
        device: where all of it happens.

    Attributes:
        readings: (n, 23) action units that teachers read from the photos, handed out with them; None for none.
    """

    def __init__(
        self,
        photos: PhotoPictures,
        pool: ShardPool,
        counts: tuple[int, int, int],
        seed: int,
        size: int,
        device: torch.device,
    ) -> None:
        self.pool, self.counts, self.seed, self.size, self.device = pool, counts, seed, size, device
        self.renders = Renders(pool, device)
        self.photos = Pictures.on(device, photos)
        self.origin = torch.from_numpy(photos.origin).to(device)
        self.changes = torch.from_numpy(photos.changes).to(device)
        limits = np.stack([np.stack(intensity_bounds(grades)) for grades in photos.grades])
        bounds = parameter_from_intensity(limits + photos.changes[:, None]).astype(np.float32)
        self.bounds = torch.from_numpy(bounds).to(device)
        self.weights = torch.from_numpy(_weights(photos)).to(device)
        self.readings: Tensor | None = None
        self._mirrored_class = torch.from_numpy(MIRRORED_CLASS).long().to(device)

    def refresh(self) -> None:
        """Take in the shards that arrived."""
        self.pool.refresh()
        self.renders.refresh()

    def batches(self, first: int) -> Iterator[Batch]:
        """Batches without end, from that number on."""
        number = first
        while True:
            yield self.draw(number)
            number += 1

    @property
    def photo_count(self) -> int:
        """How many photos there are, with those of changed expression."""
        return len(self.photos)

    def photo_views(self, rows: range, size: int, seed: int | None) -> Tensor:
        """Crops (k, size, size) about 0..1 of these photos, aligned without error, or with that of a seed."""
        index = torch.arange(rows.start, rows.stop, device=self.device)
        return self._views(index, size, None if seed is None else Chance(self.device, seed, rows.start))

    @torch.no_grad()
    def draw(self, number: int) -> Batch:
        """The batch of that number; the same number, seed, shards and device give the same one."""
        chance = Chance(self.device, self.seed, number)
        n_renders, n_photos, n_negatives = self.counts
        chosen = chance.choose(self.weights, n_photos)
        of_photos = self._crops(self.photos, chosen, chance)
        clean = self._views(self.origin[chosen], self.size)
        drawn = chance.integers(len(self.renders.pictures), n_renders)
        parameters = self.renders.parameters[drawn].float()
        looks = clean[chance.integers(n_photos, n_renders)]
        of_renders = self._crops(self.renders.pictures, drawn, chance, is_side_view(parameters[:, 0]), looks)
        targets = parameters[:, :N_TARGETS]
        targets = torch.where(of_renders.mirrored[:, None], augment.mirror_parameters(targets), targets)
        bounds = self.bounds[chosen]
        sides = of_photos.mirrored[:, None, None]
        return Batch(
            renders=normalise(of_renders.crops, white=1.0),
            parameters=targets,
            identity=parameters[:, IDENTITY_SLICE],
            identity_known=self.renders.identity_known[drawn] & ~of_renders.mirrored,
            brow_style=parameters[:, BROW_SLICE].argmax(1),
            render_landmarks=of_renders.landmarks,
            render_parsing=of_renders.parsing,
            photos=normalise(of_photos.crops, white=1.0),
            clean_photos=normalise(clean, white=1.0),
            photo_landmarks=of_photos.landmarks,
            photo_parsing=of_photos.parsing,
            photo_bounds=torch.where(sides, bounds[..., constant(MIRRORED_AU, self.device)], bounds),
            photo_change=self.changes[chosen],
            mirrored=of_photos.mirrored,
            negatives=normalise(self._negatives(n_negatives, chance), white=1.0),
            photo_readings=None if self.readings is None else self.readings[self.origin[chosen]],
        )

    def _views(self, index: Tensor, size: int, chance: Chance | None = None) -> Tensor:
        """Crops (k, size, size) of photos, aligned without error, or with that of ``chance``."""
        landmarks = self.photos.landmarks[index]
        if chance is None:
            matrix = augment.alignments(augment.five_points(landmarks))
        else:
            matrix = augment.jittered_alignments(landmarks, _KINDS, torch.zeros_like(index), chance)
        return augment.crops(self.photos.images[index], matrix, size)

    def _crops(
        self,
        pictures: Pictures,
        index: Tensor,
        chance: Chance,
        side_view: Tensor | None = None,
        looks: Tensor | None = None,
    ) -> _Crops:
        n, landmarks = len(index), pictures.landmarks[index]
        kind = (chance.uniform(n) < COARSE_SHARE).long()
        if side_view is not None:
            kind = torch.where(side_view & (chance.uniform(n) < FAR_SHARE), 2, kind)
        matrix = augment.jittered_alignments(landmarks, _KINDS, kind, chance)
        parsing = pictures.labels_of(index, matrix)
        crops = augment.tone_parts(augment.crops(pictures.images[index], matrix, self.size), parsing, chance)
        crops = augment.photograph(crops, chance)
        if looks is not None:
            borrowing = chance.order(n)[: round(BORROWED_SHARE * n)]
            crops[borrowing] = augment.borrow_look(crops[borrowing], looks[borrowing], chance)
        units = (augment.apply(matrix, landmarks) + 0.5) / augment.CROP_SIZE
        mirrored = chance.uniform(n) < 0.5
        turned, sides = self._mirrored_class[parsing.flip(-1)], mirrored[:, None, None]
        parsing = torch.where(sides, turned, parsing)
        return _Crops(
            crops=torch.where(sides, crops.flip(-1), crops),
            landmarks=torch.where(sides, augment.mirror_landmarks(units), units),
            parsing=torch.where(parsing == IGNORED, UNKNOWN_CLASS, parsing),
            mirrored=mirrored,
        )

    def _negatives(self, count: int, chance: Chance) -> Tensor:
        n_textures = round(_TEXTURES * count)
        n = count - n_textures
        index = chance.integers(len(self.renders.pictures), n)
        landmarks = self.renders.pictures.landmarks[index]
        matrix = augment.alignments(augment.five_points(landmarks))
        kind = chance.integers(4, n)
        zero, one = torch.zeros(n, device=self.device), torch.ones(n, device=self.device)
        way, far = chance.uniform(n, high=2 * torch.pi), chance.uniform(n, low=0.4, high=0.9)
        near, small = chance.uniform(n, low=1.9, high=4.0), chance.uniform(n, low=0.2, high=0.5)
        scale = torch.where(kind == 1, near, torch.where(kind == 2, small, one))
        angle = torch.where(kind == 3, torch.deg2rad(chance.uniform(n, low=75.0, high=285.0)), zero)
        beside = torch.stack([way.cos(), way.sin()], 1) * far[:, None]
        part = chance.normal(n, 2) * 0.3 * scale[:, None]
        shift = torch.where((kind == 0)[:, None], beside, torch.where((kind == 1)[:, None], part, zero[:, None]))
        matrix = augment.moved(matrix, angle, scale, shift * augment.CROP_SIZE)
        beside_faces = augment.crops(self.renders.pictures.images[index], matrix, self.size)
        nothing = augment.texture(n_textures, self.size, chance)
        return augment.photograph(torch.cat([beside_faces, nothing]), chance)


@dataclass(frozen=True)
class _Crops:
    crops: Tensor
    landmarks: Tensor
    parsing: Tensor
    mirrored: Tensor


def _weights(photos: PhotoPictures) -> NDArray[np.float32]:
    """How often each picture is drawn."""
    changed = photos.origin != np.arange(len(photos.origin))
    share = CHANGED_SHARE if changed.any() else 0.0
    weights = np.zeros(len(changed))
    weights[~changed] = GradedChoice(photos.grades[~changed]).shares * (1.0 - share)
    weights[changed] = share / max(1, changed.sum())
    return weights.astype(np.float32)
