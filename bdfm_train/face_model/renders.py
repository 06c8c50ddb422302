# SPDX-License-Identifier: MIT
"""Shards of renders for training.

``python -m bdfm_train.face_model.renders --heads DIR --head a --count N --seed S --out FILE.npz`` writes one.
A shard holds grey pictures, their parameters, landmarks, label maps at half size. ``--benchmark`` prints
renders a second and core instead.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import N_PARAMETERS, base_face
from bdfm_train.arrays import write_arrays
from bdfm_train.cli_options import whole
from bdfm_train.command import run

from .camera import photograph
from .head import Head, built_heads
from .looks import default_look, random_look, random_view
from .performance import Performances
from .render import Render, Renderer
from .sampler import Sampler
from .sources import sources_root

SIZE: Final = 144
LUMINANCE: Final = np.array([0.299, 0.587, 0.114], np.float32)

FloatArray = NDArray[np.float32]


class Sample(NamedTuple):
    """One random render: parameters (269,), rotation (3,) in degrees (beyond what the parameters can say), picture."""

    parameters: FloatArray
    rotation: FloatArray
    render: Render


def random_renders(
    renderer: Renderer, performances: Performances | None, seed: int, wide: bool = False
) -> Iterator[Sample]:
    """Endless random renders; the same seed gives the same pictures. ``wide``: yaw to 90 degrees."""
    rng = np.random.default_rng(seed)
    sampler = Sampler(renderer.head, performances, rng)
    while True:
        parameters, rotation = sampler.parameters(wide)
        look = random_look(renderer.head, renderer.shape, rng)
        yield Sample(parameters, rotation, renderer(parameters, look, random_view(rotation, rng)))


def grey(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One channel (H, W) with the usual weights or, now and then, others (cameras and films differ)."""
    weights = LUMINANCE if rng.random() < 0.7 else rng.dirichlet([2, 2, 1]).astype(np.float32)
    return np.clip(image @ weights + 0.5, 0, 255).astype(np.uint8)


def write_shard(
    head: Head, performances: Performances | None, count: int, seed: int, out: Path, wide: bool = False
) -> None:
    """Render ``count`` faces into ``out`` (.npz); the file appears when it is whole. ``wide``: yaw to 90 degrees.

    Raises:
        ArraysError: it cannot be written.
    """
    renderer = Renderer(head, (SIZE, SIZE))
    rng = np.random.default_rng((seed, 1))
    images = np.empty((count, SIZE, SIZE), np.uint8)
    parameters = np.empty((count, N_PARAMETERS), np.float16)
    landmarks = np.empty((count, 68, 2), np.float32)
    labels = np.empty((count, SIZE // 2, SIZE // 2), np.uint8)
    for i, sample in zip(range(count), random_renders(renderer, performances, seed, wide), strict=False):
        images[i] = photograph(grey(sample.render.image, rng), rng)
        parameters[i] = sample.parameters
        landmarks[i] = sample.render.landmarks
        labels[i] = sample.render.labels[::2, ::2]
    arrays: dict[str, NDArray[Any]] = {"images": images, "parameters": parameters, "landmarks": landmarks}
    write_arrays(out, arrays | {"labels": labels, "head": np.array(head.name)})


def benchmark(head: Head, performances: Performances | None, count: int = 300) -> None:
    """Print renders of 128 px a second of one core: supersampling 2, shadow, lashes, hair, folds."""
    renderer = Renderer(head)
    y, look = base_face(), default_look(head, renderer.shape)
    renders = random_renders(renderer, performances, seed=0)
    for _ in range(20):
        next(renders)
    started = time.process_time()
    for _ in range(count):
        next(renders)
    drawn = count / (time.process_time() - started)
    started = time.process_time()
    for _ in range(count):
        renderer(y, look)
    same = count / (time.process_time() - started)
    print(
        f"head {head.name}: {drawn:.0f} random renders a second and core, {same:.0f} of one face "
        f"(128 px, supersampling 2, {len(head.faces)} triangles)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heads", type=Path, required=True, help="folder of the built heads")
    parser.add_argument("--head", help="a, b, or one of your own; all where left out (benchmark only)")
    parser.add_argument("--count", type=whole(1), default=4000)
    parser.add_argument("--seed", type=whole(0), default=0)
    parser.add_argument("--wide", action="store_true", help="yaw to 90 degrees")
    parser.add_argument("--out", type=Path, help="shard to write, .npz")
    parser.add_argument("--benchmark", action="store_true", help="print renders a second and core")
    arguments = parser.parse_args()
    performances = Performances(sources_root())
    if arguments.benchmark:
        for name in [arguments.head] if arguments.head else built_heads(arguments.heads):
            benchmark(Head.load(arguments.heads, name), performances)
        return
    if not arguments.head or not arguments.out:
        parser.error("--head and --out are needed to write a shard")
    head = Head.load(arguments.heads, arguments.head)
    write_shard(head, performances, arguments.count, arguments.seed, arguments.out, arguments.wide)


if __name__ == "__main__":
    raise SystemExit(run(main))
