# SPDX-License-Identifier: MIT
"""Trains the detector on one core: ``python -m bdfm_train.detector.train --renders HEADS.npz ... --out DIR``.

Needs ``BDFM_SOURCES`` and the files that ``bdfm_train.detector.render`` writes. Stopped and called again with the same
folder it goes on, to the same weights as if it had not been stopped. Negatives that the network takes for a face come
back in later batches.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from bdfm_infer.detector import STRIDE
from bdfm_train.cli_options import whole
from bdfm_train.command import run
from bdfm_train.data.photos import load_photos
from bdfm_train.detector.backgrounds import backgrounds
from bdfm_train.detector.data import SHAPES, Composer, Sample, targets
from bdfm_train.detector.faces import Face, Image, Renders, face_of_photo, spread
from bdfm_train.detector.model import Detector, point_loss, score_loss
from bdfm_train.face_model.sources import sources_root
from bdfm_train.networks.checkpoints import read_checkpoint, restore, write_checkpoint
from bdfm_train.training.average import WeightAverage
from bdfm_train.training.precision import training_precision
from bdfm_train.training.steps import limit_threads
from bdfm_train.training.work import CPU, adamw, descend, make_folder, set_rate

POSITIVES: Final = 16
NEGATIVES: Final = 4
HARD: Final = 2
"""Pictures of a batch: with faces, without, and without from among those mistaken earlier."""

MISTAKEN: Final = 0.15
"""Score from which a picture without a face is kept to be shown again."""

N_BACKGROUNDS: Final = 3000
LEARNING_RATE: Final = 3e-3
WARM_UP: Final = 200
AVERAGE: Final = 0.999
POINTS: Final = 4.0
"""Weight of the points' loss beside the score's."""

REPORT: Final = 500
"""Steps between checkpoints."""
CHECKED: Final = (128, 160)
"""Height and width of the pictures that each checkpoint is reported on."""

_SEED: Final = 100
_LONGEST_GRADIENT: Final = 5.0


class Batch(NamedTuple):
    """Images (n, 1, h, w) uint8 and, float32, what :class:`bdfm_train.detector.data.Targets` says of each."""

    images: Tensor
    heat: Tensor
    points: Tensor
    spread: Tensor
    weight: Tensor


def batch_of(samples: list[Sample]) -> Batch:
    """Pictures of one shape with their targets."""
    images = torch.from_numpy(np.stack([sample.image for sample in samples]))[:, None]
    wanted = [targets(sample) for sample in samples]
    maps = (np.stack([getattr(t, name) for t in wanted]) for name in Batch._fields[1:])
    return Batch(images, *(torch.from_numpy(m) for m in maps))


class _Pictures(IterableDataset[Batch]):
    """Endless batches from a step on, positives first; what a step shows depends on its number alone."""

    def __init__(self, composer: Composer, first: int) -> None:
        self.composer, self.first = composer, first

    def __iter__(self) -> Iterator[Batch]:
        for step in itertools.count(self.first):
            self.composer.rng = np.random.default_rng((_SEED, step))
            cv2.setRNGSeed(step)
            shape = SHAPES[self.composer.rng.integers(len(SHAPES))]
            positives = [self.composer.positive(shape) for _ in range(POSITIVES)]
            yield batch_of(positives + [self.composer.negative(shape) for _ in range(NEGATIVES)])


class _HardNegatives:
    """Pictures without a face that were mistaken for one, by shape."""

    def __init__(self, kept: list[Tensor]) -> None:
        self.kept: dict[tuple[int, ...], deque[Tensor]] = defaultdict(lambda: deque(maxlen=128))
        for image in kept:
            self.kept[image.shape].append(image)

    def state(self) -> list[Tensor]:
        """All of them, (h, w) uint8, to begin with in a resumed run."""
        return [image for images in self.kept.values() for image in images]

    def extended(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """The batch with :data:`HARD` of them at its end, where there are so many of its shape."""
        kept = self.kept[batch.images.shape[2:]]
        if len(kept) < HARD:
            return batch
        chosen = [kept[i].numpy() for i in rng.choice(len(kept), HARD, replace=False)]
        old = batch_of([Sample(image, np.zeros((0, 5, 2), np.float32)) for image in chosen])
        return Batch(*(torch.cat(parts) for parts in zip(batch, old, strict=True)))

    def keep(self, batch: Batch, scores: Tensor) -> None:
        """Keep those of the fresh negatives whose best score is above :data:`MISTAKEN`."""
        for i in range(POSITIVES, POSITIVES + NEGATIVES):
            if scores[i] > MISTAKEN:
                self.kept[batch.images.shape[2:]].append(batch.images[i, 0].clone())


def found(network: nn.Module, samples: list[Sample]) -> tuple[float, float, float]:
    """Share of faces hit by the best cell around them, their points' error in spreads, share of silent negatives."""
    hits, errors, silent = [], [], []
    with torch.no_grad():
        for sample in samples:
            logits, points = network(torch.from_numpy(sample.image)[None, None].float())
            score = torch.sigmoid(logits)[0].numpy()
            if len(sample.points) == 0:
                silent.append(score.max() < 0.3)
                continue
            row, column = np.unravel_index(score.argmax(), score.shape)
            place = points[0, :, row, column].numpy().reshape(5, 2) + (np.array([column, row]) + 0.5) * STRIDE
            error = np.abs(place - sample.points).mean((1, 2)) / spread(sample.points)
            hits.append(score.max() >= 0.3 and error.min() < 0.4)
            if hits[-1]:
                errors.append(error.min())
    return float(np.mean(hits)), float(np.mean(errors)) if errors else math.inf, float(np.mean(silent))


def _pictures_for_checks(composer: Composer) -> list[Sample]:
    return [composer.positive(CHECKED) for _ in range(100)] + [composer.negative(CHECKED) for _ in range(100)]


def train(out: Path, steps: int, photos: list[Face], checks: list[Face], renders: list[Renders], pool: Image) -> None:
    """Train, with checkpoints in ``out / "detector.pt"``.

    Args:
        out: folder; where it holds a checkpoint, training goes on from there.
        steps: in all, counted over restarts.
        photos, renders: faces to learn from.
        checks: faces of held-out photos, reported on at each checkpoint.
        pool: backgrounds (n, h, w) uint8.

    Raises:
        CheckpointError: the checkpoint to resume is damaged or another network's, or cannot be written.
        DivergedError: a loss is not finite; the last checkpoint is intact.
    """
    limit_threads(1)  # before the fork that makes pictures, which would wait for OpenCV's threads for ever
    torch.manual_seed(_SEED)
    make_folder(out)
    path = out / "detector.pt"
    network = Detector().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = WeightAverage(network, AVERAGE)
    average.network.eval()
    optimizer = adamw(network, weight_decay=0.01)
    step, kept = _resume(path, network, average.network, optimizer) if path.is_file() else (0, [])
    samples = _pictures_for_checks(Composer(checks, [], pool, seed=1))
    pictures = _Pictures(Composer(photos, renders, pool, _SEED), step)
    feed = iter(DataLoader(pictures, batch_size=None, num_workers=1, prefetch_factor=6))
    hard = _HardNegatives(kept)
    start, losses = time.monotonic(), deque[tuple[float, float]](maxlen=REPORT)
    while True:
        share = min(step / steps, 1.0)
        if step % REPORT == 0 or share >= 1:
            state = {"network": network.state_dict(), "average": average.network.state_dict(), "hard": hard.state()}
            write_checkpoint(state | {"optimizer": optimizer.state_dict(), "step": step}, path)
            recall, error, silent = found(average.network, samples)
            score, place = np.mean(losses, 0) if losses else (math.nan, math.nan)
            print(
                f"{(time.monotonic() - start) / 60:.1f} min, step {step}: loss {score:.3f} {place:.3f}; "
                f"held out: {recall:.3f} found, points off by {error:.3f}, {silent:.3f} silent",
                flush=True,
            )
            if share >= 1:
                return
        set_rate(optimizer, LEARNING_RATE * min((step + 1) / WARM_UP, 0.505 + 0.495 * math.cos(math.pi * share)))
        batch = hard.extended(next(feed), np.random.default_rng((step, _SEED)))
        with training_precision(CPU):
            logits, points = network(batch.images.float().contiguous(memory_format=torch.channels_last))
        logits, points = logits.float(), points.float()
        on_score = score_loss(logits, batch.heat)
        on_points = point_loss(points, batch.points, batch.spread, batch.weight)
        found_losses = {"score": on_score, "points": on_points}
        values = descend(found_losses, on_score + POINTS * on_points, optimizer, _LONGEST_GRADIENT, step + 1, path)
        hard.keep(batch, torch.sigmoid(logits.detach()).amax((1, 2)))
        losses.append((values["score"], values["points"]))
        step += 1
        average.update(step)


def _resume(
    path: Path, network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, list[Tensor]]:
    """Steps that are done, and pictures that were mistaken."""
    state = read_checkpoint(path, "detector.train", ("network", "average", "optimizer", "step"))
    restore(path, state, network=network, average=average, optimizer=optimizer)
    return int(state["step"]), state.get("hard", [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--renders", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=whole(1), default=7000)
    arguments = parser.parse_args()
    root = sources_root()
    photos, checks = ([face_of_photo(p) for p in load_photos(root, part)] for part in ("train", "held_out"))
    renders = [Renders.load(path) for path in arguments.renders]
    pool = backgrounds(root, N_BACKGROUNDS, seed=1)
    train(arguments.out, arguments.steps, photos, checks, renders, pool)


if __name__ == "__main__":
    raise SystemExit(run(main))
