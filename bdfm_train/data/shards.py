# SPDX-License-Identifier: MIT
"""Shards of renders as ``bdfm_train.face_model.renders`` writes them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import N_AU, N_PARAMETERS, N_POSE
from bdfm_train.arrays import Form, read_arrays
from bdfm_train.errors import ArraysError
from bdfm_train.face_model.labels import LABELS

N_TARGETS: Final = N_POSE + N_AU
"""Pose and action units, the first values of the parameter vector."""

_FORMS: Final[Mapping[str, Form]] = {
    "images": Form(("n", "s", "s"), np.uint8),
    "parameters": Form(("n", N_PARAMETERS), np.float16, 0.0, 1.0),
    "landmarks": Form(("n", 68, 2), np.float32),
    "labels": Form(("n", "t", "t"), np.uint8, most=len(LABELS) - 1),
    "head": Form((), np.str_),
}


@dataclass(frozen=True)
class Shard:
    """Renders in memory.

    Attributes:
        images: (n, s, s) uint8 grey.
        parameters: (n, 269) float16.
        landmarks: (n, 68, 2) float32 pixels.
        labels: (n, s / 2, s / 2) uint8 classes.
        head: ``a`` or ``b``; identity values mean something else on each.
    """

    images: NDArray[np.uint8]
    parameters: NDArray[np.float16]
    landmarks: NDArray[np.float32]
    labels: NDArray[np.uint8]
    head: str

    @classmethod
    def load(cls, path: Path) -> Shard:
        """Read one file.

        Raises:
            ArraysError: it is missing, damaged, or no shard of renders.
        """
        images, parameters, landmarks, labels, head = read_arrays(
            path, _FORMS, "shard of renders", "bdfm_train.face_model.renders"
        )
        return cls(images, parameters, landmarks, labels, str(head))


@dataclass
class ShardPool:
    """The newest shards of a folder, looked for again while training runs.

    Args:
        folder: where shards arrive.
        pattern: which files count.
        limit: how many are kept; the oldest go first.
    """

    folder: Path
    pattern: str
    limit: int
    shards: dict[str, Shard] = field(default_factory=dict)

    def refresh(self) -> bool:
        """Take in new files; whether there were any.

        Raises:
            ArraysError: there is no file, or one is damaged.
        """
        try:
            found = list(self.folder.glob(self.pattern))
        except (ValueError, NotImplementedError) as error:
            raise ArraysError(f"{self.pattern!r} is no pattern of names in a folder ({error}).") from error
        paths = sorted(found, key=lambda path: (path.stat().st_mtime, path.name))[-self.limit :]
        if not paths:
            raise ArraysError(
                f"{self.folder} holds no {self.pattern}. Make renders: python -m bdfm_train.face_model.renders --help"
            )
        new = {path.name: self.shards.get(path.name) or Shard.load(path) for path in sorted(paths)}
        changed = new.keys() != self.shards.keys()
        self.shards = new
        return changed

    def draw(self, rng: random.Random) -> tuple[Shard, int]:
        """A random render: its shard and index."""
        shard = rng.choice(list(self.shards.values()))
        return shard, rng.randrange(len(shard.images))
