# SPDX-License-Identifier: MIT
"""Shards of renders in which the same identity comes again, for F_rec (paper, section 2.5).

``python -m bdfm_train.face_model.identities --heads DIR --head a --count 500 --views 6 --seed S --out FILE.npz``

An identity is a shape: its 208 parameters and its brow style. The first view of each is what G draws for the identity
loss, the resting face in G's one look, turned; the others differ in expression, pose, camera, light and look. Half of
those keep the person's skin, hair and iris, the rest change them too, so that the shape alone stays.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.alignment import five_points
from bdfm_infer.parameters import AU_BASE, AU_SLICE, BROW_SLICE, IDENTITY_SLICE, N_PARAMETERS, base_face
from bdfm_train.arrays import Form, read_arrays, write_arrays
from bdfm_train.cli_options import whole
from bdfm_train.command import run
from bdfm_train.errors import IdentityShardError

from .camera import photograph
from .head import Head
from .looks import Look, random_look, random_view
from .performance import Performances
from .render import Renderer
from .renders import SIZE, grey
from .sampler import Sampler
from .sources import sources_root

STRENGTH: Final = (0.5, 1.0)
"""Range of the identity prior's strength in training; measuring uses 1 alone."""
OWN_LOOK_SHARE: Final = 0.5
_MODULE: Final = "bdfm_train.face_model.identities"
_FORMS: Final[Mapping[str, Form]] = {
    "images": Form(("n", "s", "s"), np.uint8),
    "parameters": Form(("n", N_PARAMETERS), np.float16, 0.0, 1.0),
    "landmarks": Form(("n", 68, 2), np.float32),
    "shape": Form(("n", 68, 3), np.float32),
    "identity": Form(("n",), np.int32, least=0),
    "head": Form((), np.str_),
}

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class IdentityShard:
    """Views of identities in memory, all views of one together.

    Attributes:
        images: (n, s, s) uint8 grey.
        parameters: (n, 269) float16.
        landmarks: (n, 68, 2) float32 pixels.
        shape: (n, 68, 3) float32, :func:`resting_shape` of the identity.
        identity: (n,) int32, numbered from 0 in this shard; view ``i % views`` of each, the first in G's look.
        head: ``a`` or ``b``; identities of different heads or shards are different.
    """

    images: NDArray[np.uint8]
    parameters: NDArray[np.float16]
    landmarks: FloatArray
    shape: FloatArray
    identity: NDArray[np.int32]
    head: str

    @classmethod
    def load(cls, path: Path) -> IdentityShard:
        """Read one shard.

        Raises:
            IdentityShardError: the file is missing, damaged, or no shard of identities.
        """
        images, parameters, landmarks, shape, identity, head = read_arrays(
            path, _FORMS, "shard of identities", _MODULE, IdentityShardError
        )
        return cls(images, parameters, landmarks, shape, identity, str(head))

    @property
    def first_views(self) -> NDArray[np.bool_]:
        """(n,) whether a render is the first of its identity, in G's look."""
        return np.r_[True, self.identity[1:] != self.identity[:-1]]


def resting_shape(head: Head, identity: FloatArray) -> FloatArray:
    """What a face at rest differs in from the base face: its landmarks in space, without size and place.

    Args:
        head: which head.
        identity: (208,) parameters.

    Returns:
        (68, 3) offsets in units of the five points' mean distance from their middle; x to the person's left, y up. On
        both heads they mean the same.
    """
    y = base_face()
    base = _without_size(head.vertices(y)[head.landmarks])
    y[IDENTITY_SLICE] = identity
    return (_without_size(head.vertices(y)[head.landmarks]) - base).astype(np.float32)


def _without_size(points: FloatArray) -> FloatArray:
    five = five_points(points)
    middle = five.mean(0)
    return (points - middle) / np.linalg.norm(five - middle, axis=1).mean()


def draw_identities(
    renderer: Renderer,
    sampler: Sampler,
    count: int,
    views: int,
    strength: tuple[float, float],
    rng: np.random.Generator,
) -> IdentityShard:
    """``views`` pictures of each of ``count`` identities."""
    n = count * views
    images = np.empty((n, *renderer.shape), np.uint8)
    parameters = np.empty((n, N_PARAMETERS), np.float16)
    landmarks = np.empty((n, 68, 2), np.float32)
    shape = np.empty((n, 68, 3), np.float32)
    for first in range(0, n, views):
        person, _ = sampler.parameters()
        person[IDENTITY_SLICE] = sampler.identity(rng.uniform(*strength))
        shape[first : first + views] = resting_shape(renderer.head, person[IDENTITY_SLICE])
        own = random_look(renderer.head, renderer.shape, rng)
        for i in range(first, first + views):
            y, rotation = sampler.parameters()
            y[IDENTITY_SLICE], y[BROW_SLICE] = person[IDENTITY_SLICE], person[BROW_SLICE]
            if i == first:
                y[AU_SLICE] = AU_BASE
                render = renderer(y, None, random_view(rotation, rng))
                images[i] = grey(render.image, rng)
            else:
                look = _new_look(own, random_look(renderer.head, renderer.shape, rng), rng)
                render = renderer(y, look, random_view(rotation, rng))
                images[i] = photograph(grey(render.image, rng), rng)
            parameters[i], landmarks[i] = y, render.landmarks
    identity = np.repeat(np.arange(count, dtype=np.int32), views)
    return IdentityShard(images, parameters, landmarks, shape, identity, renderer.head.name)


def _new_look(own: Look, drawn: Look, rng: np.random.Generator) -> Look:
    """The drawn look, or one's own in the drawn place."""
    if rng.random() >= OWN_LOOK_SHARE:
        return drawn
    return replace(own, light=drawn.light, exposure=drawn.exposure, background=drawn.background, glasses=drawn.glasses)


def write_identities(
    head: Head,
    performances: Performances | None,
    count: int,
    views: int,
    seed: int,
    out: Path,
    strength: tuple[float, float] = STRENGTH,
) -> None:
    """Render a shard into ``out`` (.npz); the same seed gives the same pictures, and the file appears when it is whole.

    Raises:
        IdentityShardError: the file cannot be written.
    """
    rng = np.random.default_rng(seed)
    renderer = Renderer(head, (SIZE, SIZE))
    shard = draw_identities(renderer, Sampler(head, performances, rng), count, views, strength, rng)
    write_arrays(out, vars(shard), error=IdentityShardError)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heads", type=Path, required=True, help="folder of the built heads")
    parser.add_argument("--head", required=True, help="which built head: a, b, or one of your own")
    parser.add_argument("--count", type=whole(1), default=500, help="identities")
    parser.add_argument("--views", type=whole(1), default=6, help="pictures of each")
    parser.add_argument(
        "--strength", type=float, nargs=2, default=STRENGTH, help="of the identity prior, drawn between"
    )
    parser.add_argument("--seed", type=whole(0), default=0)
    parser.add_argument("--out", type=Path, required=True, help="shard to write, .npz")
    options = parser.parse_args()
    head = Head.load(options.heads, options.head)
    performances = Performances(sources_root())
    strength = (options.strength[0], options.strength[1])
    write_identities(head, performances, options.count, options.views, options.seed, options.out, strength)
    print(options.out)


if __name__ == "__main__":
    raise SystemExit(run(main))
