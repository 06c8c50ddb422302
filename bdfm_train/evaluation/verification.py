# SPDX-License-Identifier: MIT
"""Does F_rec tell people apart? ``python -m bdfm_train verification``.

Of all pairs of crops, how often does a pair of one person lie closer than a pair of two (paper, section 2.5)?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bdfm_train.data.batches import network_crops
from bdfm_train.data.identities import changed_crop
from bdfm_train.data.photos import Photo, crop_faces
from bdfm_train.errors import MeasureError
from bdfm_train.face_model.identities import IdentityShard

from .statistics import auc

PHOTO_VIEWS: Final = 3
"""Changed crops of each photo."""
_GROUPS: Final = 20

FloatArray = NDArray[np.float32]
Embed = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Verification:
    """An AUC and the half width of its 95 % interval, by leaving out a twentieth of the people at a time."""

    value: float
    margin: float

    def __str__(self) -> str:
        return f"{self.value:.3f} +- {self.margin:.3f}"


@torch.no_grad()
def embed(network: Embed, crops: Tensor) -> FloatArray:
    """Embeddings (n, c) of unit length of normalised crops (n, 1, 96, 96)."""
    return torch.cat([network(part) for part in crops.split(128)]).float().numpy()


def by_pixels(crops: Tensor) -> Tensor:
    """The crops themselves as embeddings of unit length: what a network must be better than."""
    return torch.nn.functional.normalize(crops.flatten(1))


def verification(
    embeddings: FloatArray, person: NDArray[np.integer], first: NDArray[np.bool_] | None = None
) -> Verification:
    """AUC of the cosine over all pairs: those of one person against those of two.

    Args:
        embeddings: (n, c) of unit length.
        person: (n,) whom each shows.
        first: (n,) bool; where given, only pairs of one that is and one that is not count.

    Raises:
        MeasureError: there is nobody with two crops, or only one person.
    """
    value = _auc(embeddings, person, first)
    people = np.unique(person)
    groups = np.array_split(np.random.default_rng(0).permutation(people), min(_GROUPS, len(people) // 2))
    if len(groups) < 2:
        raise MeasureError("A verification AUC needs four people or more.")
    left_out = []
    for group in groups:
        rest = ~np.isin(person, group)
        left_out.append(_auc(embeddings[rest], person[rest], None if first is None else first[rest]))
    deviation = np.sqrt((len(groups) - 1) / len(groups) * np.square(np.array(left_out) - np.mean(left_out)).sum())
    return Verification(value, float(1.96 * deviation))


def _auc(embeddings: FloatArray, person: NDArray[np.integer], first: NDArray[np.bool_] | None) -> float:
    a, b = np.triu_indices(len(person), 1)
    if first is not None:
        mixed = first[a] != first[b]
        a, b = a[mixed], b[mixed]
    cosines = (embeddings @ embeddings.T)[a, b]
    return auc(person[a] == person[b], cosines)


def render_crops(shard: IdentityShard) -> Tensor:
    """The renders of a shard as crops aligned without error."""
    return network_crops(list(crop_faces(shard.images, shard.landmarks) / np.float32(255.0)))


def photo_crops(photos: Sequence[Photo], seed: int = 0) -> tuple[Tensor, NDArray[np.intp]]:
    """:data:`PHOTO_VIEWS` changed crops of each photo, and which photo each shows; the same seed gives the same."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(len(photos)), PHOTO_VIEWS)
    crops = [changed_crop(photos[i].image, photos[i].landmarks, None, rng) for i in person]
    return network_crops([crop[:, ::-1] if rng.random() < 0.5 else crop for crop in crops]), person


def report(networks: dict[str, Embed], shards: dict[str, IdentityShard], photos: Sequence[Photo]) -> str:
    """A block of lines for each set of crops, a line for each network and one for the pixels themselves."""
    lines = []
    every = networks | {"pixels alone": by_pixels}
    for name, shard in shards.items():
        crops, people = render_crops(shard), len(np.unique(shard.identity))
        lines.append(f"{name}: head {shard.head}, {len(crops)} renders of {people} identities never seen")
        for title, network in every.items():
            embeddings = embed(network, crops)
            all_pairs = verification(embeddings, shard.identity)
            as_drawn = verification(embeddings, shard.identity, shard.first_views)
            lines.append(f"  {title}: AUC {all_pairs}, G's resting face against the other views {as_drawn}")
    if photos:
        crops, person = photo_crops(photos)
        lines.append(f"{len(photos)} photos never seen, {PHOTO_VIEWS} changed crops of each")
        for title, network in every.items():
            lines.append(f"  {title}: AUC {verification(embed(network, crops), person)}")
    return "\n".join(lines)
