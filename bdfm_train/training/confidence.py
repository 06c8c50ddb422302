# SPDX-License-Identifier: MIT
"""Goes on training the confidence of a reader whose other weights are done: ``python -m bdfm_train confidence``.

Nothing else changes, so what detection needs costs no accuracy elsewhere. Faces are renders and photos as the reader
learned them, and renders as they come out of frames; the rest are crops that were taken for a face.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.parameters import parameter_from_degrees
from bdfm_train.data.augment import photograph
from bdfm_train.data.batches import Batch, BatchMaker, feed, normalised
from bdfm_train.data.crops import is_side_view
from bdfm_train.data.photos import load_photos
from bdfm_train.data.shards import ShardPool
from bdfm_train.detector.mine import MinedFaces
from bdfm_train.networks.checkpoints import load_config, load_reader, read_checkpoint, write_checkpoint
from bdfm_train.networks.reader import FaceReader, evidence

SATURATED_CONFIDENCE = 0.9
"""Confidence of a face turned beyond 60 degrees, where the angle saturates."""

_COUNTS = (20, 20, 40)
"""Renders, photos and crops without a face in a batch."""
_MINED, _BESIDE = 32, 12
"""Faces out of frames in a batch, and crops beside them."""
_REPEATS, _BATCHES = 6, 4
"""Steps after each new batch, and how many of the batches seen so far make up a step."""
_LEARNING_RATE = 1e-3


def wanted_confidence(yaw: Tensor) -> Tensor:
    """Confidence (n,) that faces of this yaw parameter (n,) should have."""
    return torch.where(is_side_view(yaw), SATURATED_CONFIDENCE, 1.0)


def confidence_error(renders: Tensor, photos: Tensor, negatives: Tensor, parameters: Tensor) -> Tensor:
    """Mean cross-entropy of logits.

    Args:
        renders, photos, negatives: (n,), (m,), (k,) what was read.
        parameters: (n, 2 or more) of the renders.
    """
    truth = torch.cat([wanted_confidence(parameters[:, 0]), torch.ones(len(photos)), torch.zeros(len(negatives))])
    return functional.binary_cross_entropy_with_logits(torch.cat([renders, photos, negatives]), truth)


def train_confidence(
    checkpoint: Path,
    sources: Path,
    shards: Path,
    pattern: str,
    negatives: Path,
    faces: Path,
    minutes: float,
    seed: int,
    out: Path,
) -> float:
    """Train for a number of minutes and write the reader anew.

    What the frozen part makes of each crop is kept and shown again: it costs a hundred times what the confidence costs.

    Args:
        checkpoint: of a reader.
        sources: folder that holds ``faces``.
        shards, pattern: folder and names of the renders; wide ones teach side views.
        negatives, faces: crops that the commands ``negatives`` and ``faces`` wrote.
        minutes: length of the run.
        seed: of the batches.
        out: checkpoint to write, that of the reader with another confidence.

    Returns:
        Mean cross-entropy on the crops of the last tenth of the run, each before it is learned from.
    """
    torch.manual_seed(seed)
    state = read_checkpoint(checkpoint, "reader", ("average", "config"))
    reader = load_reader(checkpoint).requires_grad_(False)
    face = reader.face.requires_grad_(True)
    pool = ShardPool(shards, pattern, load_config(checkpoint).batch.shards)
    pool.refresh()
    maker = BatchMaker(load_photos(sources, "train"), pool, _COUNTS, seed, np.load(negatives), reader.crop_size)
    batches = feed(maker)
    mined, rng = MinedFaces(**np.load(faces)), np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(face.parameters(), _LEARNING_RATE, weight_decay=0.05)
    seen, truth = list[Tensor](), list[Tensor]()
    began, errors = time.monotonic(), list[float]()
    while (share := (time.monotonic() - began) / 60.0 / minutes) < 1.0:
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * (0.5 + 0.5 * math.cos(math.pi * share))
        new, wanted = _evidence(reader, next(batches), mined, rng)
        with torch.no_grad():
            errors.append(_error(face, new, wanted).item())
        seen.append(new)
        truth.append(wanted)
        for _ in range(_REPEATS):
            chosen = torch.randint(len(seen), (_BATCHES,)).tolist()
            error = _error(face, torch.cat([seen[i] for i in chosen]), torch.cat([truth[i] for i in chosen]))
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
    write_checkpoint(state | {"average": reader.state_dict()}, out)
    return float(np.mean(errors[-max(1, len(errors) // 10) :]))


def _evidence(reader: FaceReader, batch: Batch, mined: MinedFaces, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """What is read from a batch's crops (n, k), in half precision, and the confidence (n,) that they should have."""
    chosen, beside = rng.integers(len(mined.crops), size=_MINED), rng.integers(len(mined.beside), size=_BESIDE)
    shown = [mined.crops[i] for i in chosen] + [mined.beside[i] for i in beside]
    from_frames = normalised([photograph(crop, rng) for crop in shown])
    with torch.no_grad():
        features = reader.segmentation(torch.cat([batch.renders, batch.photos, from_frames, batch.negatives]))
    yaw = torch.from_numpy(parameter_from_degrees(mined.yaw[chosen]))
    truth = [
        wanted_confidence(batch.parameters[:, 0]),
        torch.ones(len(batch.photos)),
        wanted_confidence(yaw),
        torch.zeros(_BESIDE + len(batch.negatives)),
    ]
    return evidence(features).half(), torch.cat(truth)


def _error(face: nn.Module, seen: Tensor, truth: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(face(seen.float())[:, 0], truth)
