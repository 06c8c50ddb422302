# SPDX-License-Identifier: MIT
"""Goes on training the confidence of a reader whose other weights are done: ``python -m bdfm_train confidence``.

Nothing else changes, so what detection needs costs no accuracy elsewhere. Faces are renders and photos as the reader
learned them, and renders as they come out of frames; the rest are crops that were taken for a face.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.alignment import CROP_SIZE
from bdfm_infer.parameters import parameter_from_degrees
from bdfm_train.arrays import read_array
from bdfm_train.data.augment import photograph
from bdfm_train.data.batches import Batch, BatchMaker, feed, network_crops
from bdfm_train.data.crops import is_side_view
from bdfm_train.data.mined_faces import MinedFaces
from bdfm_train.data.photos import load_photos
from bdfm_train.data.shards import ShardPool
from bdfm_train.errors import CheckpointError
from bdfm_train.networks.checkpoints import (
    fingerprint,
    load_config,
    load_reader,
    read_checkpoint,
    write_checkpoint,
)
from bdfm_train.networks.reader import FaceReader, evidence

from .work import Clock, Length, adamw, descend, set_rate

SATURATED_CONFIDENCE = 0.9
"""Confidence of a face turned beyond 60 degrees, where the angle saturates."""

_COUNTS = (20, 20, 40)
"""Renders, photos and crops without a face in a batch."""
_MINED, _BESIDE = 32, 12
"""Faces out of frames in a batch, and crops beside them."""
_REPEATS, _BATCHES = 6, 4
"""Steps after each new batch, and how many of the batches seen so far make up a step."""
_LEARNING_RATE = 1e-3
_SAVE_BATCHES = 25


def wanted_confidence(yaw: Tensor) -> Tensor:
    """Confidence (n,) that faces of this yaw parameter (n,) should have."""
    return torch.where(is_side_view(yaw), SATURATED_CONFIDENCE, 1.0)


def confidence_error(renders: Tensor, photos: Tensor, negatives: Tensor, parameters: Tensor) -> Tensor:
    """Mean cross-entropy of logits.

    Args:
        renders, photos, negatives: (n,), (m,), (k,) what was read.
        parameters: (n, 2 or more) of the renders.
    """
    truth = torch.cat([wanted_confidence(parameters[:, 0]), torch.ones_like(photos), torch.zeros_like(negatives)])
    return functional.binary_cross_entropy_with_logits(torch.cat([renders, photos, negatives]), truth)


def train_confidence(
    checkpoint: Path,
    sources: Path,
    shards: Path,
    pattern: str,
    negatives: Path,
    faces: Path,
    length: Length,
    seed: int,
    out: Path,
) -> float:
    """Train, and write the reader anew; a run that was broken off goes on from ``OUT.unfinished``.

    What the frozen part makes of each crop is kept and shown again: it costs a hundred times what the confidence costs.

    Args:
        checkpoint: of a reader.
        sources: folder that holds ``faces``.
        shards, pattern: folder and names of the renders; wide ones teach side views.
        negatives, faces: crops that the commands ``negatives`` and ``faces`` wrote.
        length: of the run; its steps are batches. In steps, the same seed gives the same weights, resumed or not.
        seed: of the batches.
        out: checkpoint to write, that of the reader with another confidence.

    Returns:
        Mean cross-entropy on the crops of the last tenth of the run, each before it is learned from.

    Raises:
        ArraysError: there is no shard, or a file is damaged.
        CheckpointError: a checkpoint is damaged, or cannot be written.
        DivergedError: the loss is not finite; what was written is intact.
    """
    state = read_checkpoint(checkpoint, "reader", ("average", "config"))
    reader = load_reader(checkpoint).requires_grad_(False)
    face = reader.face.requires_grad_(True)
    pool = ShardPool(shards, pattern, load_config(checkpoint).batch.shards)
    pool.refresh()
    mined = MinedFaces.load(faces)
    without_face = read_array(negatives, CROP_SIZE, "bdfm_train negatives")
    optimizer = adamw(face, weight_decay=0.05)
    unfinished = out.with_name(out.name + ".unfinished")
    seen, truth, errors, minutes = _resume(unfinished, reader, optimizer)
    maker = BatchMaker(load_photos(sources, "train"), pool, _COUNTS, seed, without_face, reader.crop_size)
    batches, clock = feed(maker, len(seen)), Clock(minutes)
    while (share := length.share(len(seen), clock.minutes)) < 1.0:
        set_rate(optimizer, _LEARNING_RATE * (0.5 + 0.5 * math.cos(math.pi * share)))
        rng = np.random.default_rng((seed, len(seen)))
        new, wanted = _evidence(reader, next(batches), mined, rng)
        with torch.no_grad():
            errors.append(_error(face, new, wanted).item())
        seen.append(new)
        truth.append(wanted)
        for _ in range(_REPEATS):
            chosen = rng.integers(len(seen), size=_BATCHES).tolist()
            error = _error(face, torch.cat([seen[i] for i in chosen]), torch.cat([truth[i] for i in chosen]))
            descend({"confidence": error}, error, optimizer, math.inf, len(seen), unfinished)
        if len(seen) % _SAVE_BATCHES == 0:
            run = {"face": face.state_dict(), "optimizer": optimizer.state_dict(), "minutes": clock.minutes}
            data = {"seen": seen, "truth": truth, "errors": errors, "reader": fingerprint(reader.segmentation)}
            write_checkpoint(run | data, unfinished)
    write_checkpoint(state | {"average": reader.state_dict()}, out)
    unfinished.unlink(missing_ok=True)
    return float(np.mean(errors[-max(1, len(errors) // 10) :])) if errors else math.nan


def _resume(
    unfinished: Path, reader: FaceReader, optimizer: torch.optim.Optimizer
) -> tuple[list[Tensor], list[Tensor], list[float], float]:
    """Evidence, wanted confidence and error of each batch so far, and minutes."""
    if not unfinished.exists():
        return [], [], [], 0.0
    keys = ("face", "optimizer", "minutes", "seen", "truth", "errors", "reader")
    state = read_checkpoint(unfinished, "confidence", keys)
    if state["reader"] != fingerprint(reader.segmentation):
        raise CheckpointError(f"{unfinished} belongs to another reader. Move it away, or choose another --out.")
    reader.face.load_state_dict(state["face"])
    optimizer.load_state_dict(state["optimizer"])
    return state["seen"], state["truth"], state["errors"], float(state["minutes"])


def _evidence(reader: FaceReader, batch: Batch, mined: MinedFaces, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """What is read from a batch's crops (n, k), in half precision, and the confidence (n,) that they should have."""
    chosen, beside = rng.integers(len(mined.crops), size=_MINED), rng.integers(len(mined.beside), size=_BESIDE)
    shown = [mined.crops[i] for i in chosen] + [mined.beside[i] for i in beside]
    from_frames = network_crops([photograph(crop, rng) for crop in shown])
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
