# SPDX-License-Identifier: MIT
"""Goes on training the confidence of a reader whose other weights are done: ``python -m bdfm_train confidence``.

Nothing else changes, so what detection needs costs no accuracy elsewhere: half of a batch shows faces, half shows crops
that were taken for one.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bdfm_train.data.batches import Batch, BatchMaker, feed
from bdfm_train.data.crops import is_side_view
from bdfm_train.data.photos import load_photos
from bdfm_train.data.shards import ShardPool
from bdfm_train.networks.checkpoints import load_config, load_reader, read_checkpoint, write_checkpoint
from bdfm_train.networks.reader import FaceReader

SATURATED_CONFIDENCE = 0.85
"""Confidence of a face turned beyond 60 degrees, where the angle saturates."""

_COUNTS = (32, 16, 48)
"""Renders, photos and crops without a face in a batch."""
_LEARNING_RATE = 2e-3


def confidence_error(renders: Tensor, photos: Tensor, negatives: Tensor, parameters: Tensor) -> Tensor:
    """Mean cross-entropy of logits.

    Args:
        renders, photos, negatives: (n,), (m,), (k,) what was read.
        parameters: (n, 2 or more) of the renders; where the yaw saturates :data:`SATURATED_CONFIDENCE` is asked for.
    """
    of_renders = torch.ones(len(renders))
    of_renders[torch.from_numpy(is_side_view(parameters.numpy()))] = SATURATED_CONFIDENCE
    truth = torch.cat([of_renders, torch.ones(len(photos)), torch.zeros(len(negatives))])
    return functional.binary_cross_entropy_with_logits(torch.cat([renders, photos, negatives]), truth)


def train_confidence(
    checkpoint: Path, sources: Path, shards: Path, pattern: str, negatives: Path, minutes: float, seed: int, out: Path
) -> float:
    """Train for a number of minutes and write the reader anew.

    Args:
        checkpoint: of a reader.
        sources: folder that holds ``faces``.
        shards, pattern: folder and names of the renders; wide ones teach side views.
        negatives: crops that ``python -m bdfm_train negatives`` wrote.
        minutes: length of the run.
        seed: of the batches.
        out: checkpoint to write, that of the reader with another confidence.

    Returns:
        Mean cross-entropy of the last hundred steps.
    """
    torch.manual_seed(seed)
    state = read_checkpoint(checkpoint, "reader", ("average", "config"))
    reader = load_reader(checkpoint).requires_grad_(False)
    reader.face.requires_grad_(True)
    pool = ShardPool(shards, pattern, load_config(checkpoint).batch.shards)
    pool.refresh()
    batches = feed(BatchMaker(load_photos(sources, "train"), pool, _COUNTS, seed, np.load(negatives), reader.crop_size))
    optimizer = torch.optim.AdamW(reader.face.parameters(), _LEARNING_RATE, weight_decay=0.01)
    began, errors = time.monotonic(), list[float]()
    while (share := (time.monotonic() - began) / 60.0 / minutes) < 1.0:
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * (0.5 + 0.5 * math.cos(math.pi * share))
        error = _step(reader, next(batches))
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    write_checkpoint(state | {"average": reader.state_dict()}, out)
    return float(np.mean(errors[-100:]))


def _step(reader: FaceReader, batch: Batch) -> Tensor:
    with torch.no_grad():
        features = reader.segmentation(torch.cat([batch.renders, batch.photos, batch.negatives]))
    logits = reader.confidence(features)
    return confidence_error(
        *logits.split([len(batch.renders), len(batch.photos), len(batch.negatives)]), batch.parameters
    )
