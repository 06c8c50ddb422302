# SPDX-License-Identifier: MIT
"""Pairs of parameters and renders that teach G (paper, section 2.2).

``python -m bdfm_train.face_model.pairs --heads DIR --head a --count 80000 --seed 1 --out DIR`` writes shards of 4,000
pairs and leaves alone those that are there. All pairs show one look, drawn straight into the frame of
:mod:`bdfm_infer.alignment` by the face's own five landmarks: roll, size and place are gone, as they are for a photo.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer import alignment
from bdfm_infer.avatar import SIZE
from bdfm_infer.parameters import BROW_SLICE, N_BROW_STYLES, N_PARAMETERS, POSE_SLICE, degrees_from_parameter
from bdfm_train.arrays import Form, read_arrays, write_arrays
from bdfm_train.cli_options import whole
from bdfm_train.command import run
from bdfm_train.errors import PairsError

from .head import Head
from .looks import View, default_look
from .performance import Performances
from .render import Render, Renderer
from .sampler import Sampler
from .sources import sources_root

SHARD_SIZE: Final = 4000
PREFIX: Final = "pairs"
_MODULE: Final = "bdfm_train.face_model.pairs"
_FORMS: Final[Mapping[str, Form]] = {
    "images": Form(("n", SIZE, SIZE, 3), np.uint8),
    "parameters": Form(("n", N_PARAMETERS), np.float32, 0.0, 1.0),
    "landmarks": Form(("n", 68, 2), np.float32),
    "uniform": Form(("n",), np.bool_),
    "head": Form((), np.str_),
}

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Pairs:
    """Pairs in memory.

    Attributes:
        images: (n, 128, 128, 3) uint8 RGB, aligned.
        parameters: (n, 269) float32, the product's parameters.
        landmarks: (n, 68, 2) float32 pixels.
        uniform: (n,) bool: drawn uniformly, as the paper draws; otherwise as faces occur.
        head: ``a`` or ``b``.
    """

    images: NDArray[np.uint8]
    parameters: FloatArray
    landmarks: FloatArray
    uniform: NDArray[np.bool_]
    head: str

    @classmethod
    def load(cls, path: Path) -> Pairs:
        """Read one shard.

        Raises:
            PairsError: the file is no shard of pairs.
        """
        images, parameters, landmarks, uniform, head = read_arrays(path, _FORMS, "shard of pairs", _MODULE, PairsError)
        return cls(images, parameters, landmarks, uniform, str(head))


class PairRenderer:
    """Draws aligned pictures of one head in the one look that G imitates.

    Args:
        head: which head.
    """

    def __init__(self, head: Head) -> None:
        self.renderer = Renderer(head, (SIZE, SIZE))
        self._look = default_look(head, self.renderer.shape)

    def __call__(self, y: FloatArray) -> Render:
        """The render of parameters ``y`` (269,)."""
        return self.renderer(y, self._look, self.aligned_view(y))

    def aligned_view(self, y: FloatArray) -> View:
        """The view in which the five landmarks of a face lie where :mod:`bdfm_infer.alignment` would carry them."""
        yaw, pitch = map(float, degrees_from_parameter(y[POSE_SLICE]))
        plain = View(rotation=(yaw, pitch, 0.0))
        points = alignment.five_points(self.renderer.landmarks(y, plain))
        matrix = alignment.alignment(points, SIZE)
        middle = np.full(2, (SIZE - 1) / 2)
        right, down = (alignment.apply(matrix, middle) - middle) / SIZE
        return replace(
            plain,
            rotation=(yaw, pitch, -alignment.roll(matrix)),
            zoom=float(np.hypot(matrix[0, 0], matrix[1, 0])),
            shift=(float(right), float(down)),
        )


def uniform_parameters(rng: np.random.Generator) -> FloatArray:
    """Parameters (269,) drawn uniformly, the brow style one-hot (paper, Eq. 1)."""
    y = rng.random(N_PARAMETERS, np.float32)
    y[BROW_SLICE] = np.eye(N_BROW_STYLES, dtype=np.float32)[rng.integers(N_BROW_STYLES)]
    return y


def draw_pairs(renderer: PairRenderer, sampler: Sampler, count: int, rng: np.random.Generator) -> Pairs:
    """Pairs by turns: a uniform one, then one as the sampler draws faces."""
    images = np.empty((count, SIZE, SIZE, 3), np.uint8)
    parameters = np.empty((count, N_PARAMETERS), np.float16)
    landmarks = np.empty((count, alignment.N_LANDMARKS, 2), np.float32)
    uniform = np.arange(count) % 2 == 0
    for i in range(count):
        y = uniform_parameters(rng) if uniform[i] else sampler.parameters()[0]
        parameters[i] = y
        render = renderer(parameters[i].astype(np.float32))
        images[i], landmarks[i] = render.image, render.landmarks
    return Pairs(images, parameters.astype(np.float32), landmarks, uniform, renderer.renderer.head.name)


def shard_path(folder: Path, head: str, seed: int, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"{PREFIX}_{head}_{seed}_{number:03d}.npz"


def write_pairs(
    head: Head, performances: Performances | None, count: int, seed: int, folder: Path, shard_size: int = SHARD_SIZE
) -> list[Path]:
    """Write ``count`` pairs as shards; each file appears when it is whole, and those that exist are kept.

    The same seed gives the same shards. Returns the paths of those that were written.

    Raises:
        PairsError: the disk is full or the folder cannot be written; the shards done so far stay.
    """
    renderer = PairRenderer(head)
    written = []
    for number, start in enumerate(range(0, count, shard_size)):
        path = shard_path(folder, head.name, seed, number)
        if path.exists():
            continue
        rng = np.random.default_rng((seed, number))
        pairs = draw_pairs(renderer, Sampler(head, performances, rng), min(shard_size, count - start), rng)
        _save(pairs, path)
        written.append(path)
    return written


def _save(pairs: Pairs, path: Path) -> None:
    write_arrays(path, vars(pairs) | {"parameters": pairs.parameters.astype(np.float16)}, error=PairsError)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heads", type=Path, required=True, help="folder of the built heads")
    parser.add_argument("--head", required=True, help="which built head: a, b, or one of your own")
    parser.add_argument("--count", type=whole(1), default=80_000)
    parser.add_argument("--shard-size", type=whole(1), default=SHARD_SIZE)
    parser.add_argument("--seed", type=whole(0), default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards")
    options = parser.parse_args()
    head = Head.load(options.heads, options.head)
    began = time.monotonic()
    paths = write_pairs(
        head, Performances(sources_root()), options.count, options.seed, options.out, options.shard_size
    )
    print(f"{len(paths)} shards in {time.monotonic() - began:.0f} s: {options.out}")


if __name__ == "__main__":
    raise SystemExit(run(main))
