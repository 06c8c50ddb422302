# SPDX-License-Identifier: MIT
"""Renders of heads for the detector: ``python -m bdfm_train.detector.render --heads DIR --head a --out FILE.npz``.

Unlike the shards of the face network they show the whole head, turned to 95 degrees of yaw, and a tenth of them from
behind. ``--evaluation`` draws yaw evenly to 90 degrees with a seed of its own.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from bdfm_train.cli_options import whole
from bdfm_train.command import run
from bdfm_train.detector.faces import Renders
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.looks import random_look, random_view
from bdfm_train.face_model.performance import Performances
from bdfm_train.face_model.render import Renderer
from bdfm_train.face_model.renders import grey
from bdfm_train.face_model.sampler import Sampler
from bdfm_train.face_model.sources import sources_root

SIZE: Final = 192
ZOOM: Final = (0.55, 0.72)
"""Range of the view's zoom that leaves room for hair and neck at every yaw."""

EVALUATION_SEED: Final = 90011
"""Training uses seeds below 90,000."""


def _yaw(rng: np.random.Generator, even: bool) -> float:
    if even:
        return rng.uniform(-90, 90)
    kind = rng.random()
    if kind < 0.68:
        return rng.uniform(-95, 95)
    return float(rng.normal() * 20) if kind < 0.9 else rng.uniform(140, 220)


def renders(head: Head, performances: Performances | None, count: int, seed: int, even: bool = False) -> Renders:
    """``count`` random renders of one head, yaw even over -90 to 90 degrees where ``even`` asks for it."""
    renderer, rng = Renderer(head, (SIZE, SIZE)), np.random.default_rng(seed)
    sampler = Sampler(head, performances, rng)
    result = Renders(
        images=np.empty((count, SIZE, SIZE), np.uint8),
        labels=np.empty((count, SIZE, SIZE), np.uint8),
        landmarks=np.empty((count, 68, 2), np.float32),
        yaw=np.empty(count, np.float32),
    )
    for i in range(count):
        yaw, pitch = _yaw(rng, even), float(np.clip(rng.normal() * 14, -35, 35))
        view = random_view(np.array([yaw, pitch, 0.0], np.float32), rng)
        parameters, _ = sampler.parameters()
        look = random_look(head, renderer.shape, rng)
        render = renderer(parameters, look, replace(view, zoom=float(rng.uniform(*ZOOM))))
        result.images[i], result.labels[i] = grey(render.image, rng), render.labels
        result.landmarks[i], result.yaw[i] = render.landmarks, (yaw + 180) % 360 - 180
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=Path, required=True, help="folder of the built heads")
    parser.add_argument("--head", required=True, help="which built head: a, b, or one of your own")
    parser.add_argument("--count", type=whole(1), default=4500)
    parser.add_argument("--seed", type=whole(0), default=11)
    parser.add_argument("--even", action="store_true", help="yaw even over -90 to 90 degrees")
    parser.add_argument("--evaluation", action="store_true", help="the same with the seed of the evaluation")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    seed = EVALUATION_SEED if arguments.evaluation else arguments.seed
    even = arguments.even or arguments.evaluation
    head = Head.load(arguments.heads, arguments.head)
    renders(head, Performances(sources_root()), arguments.count, seed, even).save(arguments.out)


if __name__ == "__main__":
    raise SystemExit(run(main))
