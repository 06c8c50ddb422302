# SPDX-License-Identifier: MIT
"""Shards of renders as ``bdfm_train.face_model.renders`` writes them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

N_TARGETS: Final = 25
"""Pose and action units, the first values of the parameter vector."""


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
        """Read one file."""
        with np.load(path) as data:
            landmarks = data["landmarks"].astype(np.float32)
            return cls(data["images"], data["parameters"], landmarks, data["labels"], str(data["head"]))


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
        """Take in new files; whether there were any."""
        paths = sorted(self.folder.glob(self.pattern), key=lambda path: path.stat().st_mtime)[-self.limit :]
        new = {path.name: self.shards.get(path.name) or Shard.load(path) for path in paths}
        changed = new.keys() != self.shards.keys()
        self.shards = new
        return changed

    def draw(self, rng: random.Random) -> tuple[Shard, int]:
        """A random render: its shard and index."""
        shard = rng.choice(list(self.shards.values()))
        return shard, rng.randrange(len(shard.images))
