# SPDX-License-Identifier: MIT
"""Trains R on the frozen F_seg of a face reader (paper, section 2.4): ``python -m bdfm_train regressor``.

Renders give all 269 parameters (identity on head A alone); on photos a mean teacher asks for steady action units.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.parameters import AU_SLICE, BROW_SLICE, IDENTITY_SLICE, POSE_SLICE
from bdfm_train.data.batches import Batch, BatchMaker, feed
from bdfm_train.data.changed_photos import load_changed_photos
from bdfm_train.data.photos import load_photos
from bdfm_train.data.shards import ShardPool
from bdfm_train.networks.checkpoints import build_regressor, load_config, load_reader, load_regressor, write_checkpoint
from bdfm_train.networks.representation import Representation, represent
from bdfm_train.networks.segmentation import SegmentationNetwork

from .average import WeightAverage
from .steps import (
    action_unit_error,
    emphasis_of,
    judged_error,
    learning_rate,
    mirror_mean,
    sidedness_error,
    steadiness_error,
    with_mirror_images,
)


def regressor_losses(
    batch: Batch, renders: Tensor, photos: Tensor, teacher: Tensor, emphasis: Tensor
) -> dict[str, Tensor]:
    """The losses of one step, by name.

    Args:
        batch: the truth.
        renders: (n, 269) what R says of the renders.
        photos: (m, 269) what R says of the photos.
        teacher: (m, 23) action units that the mean teacher reads from the clean photos.
        emphasis: (23,) weights of the action units.
    """
    units, true_units = renders[:, AU_SLICE], batch.parameters[:, AU_SLICE]
    known = batch.identity_known
    identity = (
        (renders[known, IDENTITY_SLICE] - batch.identity[known]).square().mean() if known.any() else renders.sum() * 0
    )
    style = renders[:, BROW_SLICE].clamp_min(1e-6).log()
    return {
        "action_units": (action_unit_error(units, true_units) * emphasis).mean(),
        "sides": sidedness_error(units, true_units),
        "pose": (renders[:, POSE_SLICE] - batch.parameters[:, POSE_SLICE]).abs().mean(),
        "identity": identity,
        "brow_style": functional.nll_loss(style, batch.brow_style),
        "consistency": steadiness_error(photos, teacher, batch.photo_change, batch.mirrored),
        "judged": judged_error(photos[:, AU_SLICE], batch.photo_bounds),
    }


_WEIGHTS = {
    "action_units": 15.0,
    "sides": 10.0,
    "pose": 5.0,
    "identity": 5.0,
    "brow_style": 0.05,
    "consistency": 2.0,
    "judged": 15.0,
}


def train_regressor(
    checkpoint: Path,
    sources: Path,
    shards: Path,
    pattern: str,
    work: Path,
    minutes: float,
    seed: int = 0,
    start: Path | None = None,
    changed: Path | None = None,
) -> Path:
    """Train R for a number of minutes.

    Args:
        checkpoint: of a face reader, whose F_seg is frozen.
        sources: folder that holds ``faces``.
        shards: folder of renders.
        pattern: names of the shards.
        work: where ``regressor.pt`` and the log go.
        minutes: length of the run.
        seed: of weights and batches.
        start: R's weights to go on from, trained on an earlier F_seg of the same size.
        changed: photos of changed expression that ``python -m bdfm_train changed-photos`` wrote.

    Returns:
        Path of R's averaged weights.
    """
    torch.manual_seed(seed)
    work.mkdir(parents=True, exist_ok=True)
    reader = load_reader(checkpoint)
    config = load_config(checkpoint)
    segmentation = reader.segmentation.requires_grad_(False).eval()
    pool = ShardPool(shards, pattern, config.batch.shards)
    pool.refresh()
    counts = (config.batch.renders, config.batch.photos, 1)
    photos = load_photos(sources, "train")
    more = () if changed is None else load_changed_photos(changed, photos)
    batches = feed(BatchMaker(photos, pool, counts, seed, size=config.network.crop_size, changed=more))
    regressor = build_regressor(config) if start is None else load_regressor(start)
    regressor.train()
    average = WeightAverage(regressor, config.training.average)
    rate = config.training.learning_rate
    optimizer = torch.optim.AdamW(regressor.parameters(), rate, weight_decay=config.training.weight_decay)
    emphasis = emphasis_of(config)
    began, step = time.monotonic(), 0
    with (work / "regressor.jsonl").open("a", encoding="utf-8") as log:
        while (share := (time.monotonic() - began) / 60.0 / minutes) < 1.0:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config.training, step, share)
            losses = _step(segmentation, regressor, average.network, next(batches), emphasis, optimizer)
            step += 1
            average.update(regressor, step)
            if step % 100 == 0:
                print(json.dumps({"step": step, "minutes": round(share * minutes, 2)} | losses), file=log, flush=True)
    path = work / "regressor.pt"
    write_checkpoint({"regressor": average.network.state_dict(), "config": config.name, "step": step}, path)
    return path


def _step(
    segmentation: SegmentationNetwork,
    regressor: nn.Module,
    teacher: nn.Module,
    batch: Batch,
    emphasis: Tensor,
    optimizer: torch.optim.Optimizer,
) -> dict[str, float]:
    teacher.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.no_grad():
            clean_photos = with_mirror_images(batch.clean_photos)
            seen = [_seen(segmentation, x) for x in (batch.renders, batch.photos, clean_photos)]
            clean = mirror_mean(teacher(*seen[2]).float())
        joined = _join(seen[0], seen[1])
        read = regressor(*joined).float()
    n = len(batch.renders)
    losses = regressor_losses(batch, read[:n], read[n:], clean, emphasis)
    total: Tensor = sum((_WEIGHTS[name] * value for name, value in losses.items()), torch.zeros(()))
    optimizer.zero_grad()
    total.backward()
    nn.utils.clip_grad_norm_(regressor.parameters(), 2.0)
    optimizer.step()
    return {name: round(value.item(), 5) for name, value in losses.items()}


def _seen(segmentation: SegmentationNetwork, crops: Tensor) -> tuple[Tensor, Representation]:
    features = segmentation(crops.contiguous(memory_format=torch.channels_last))
    return features.fused, represent(features)


def _join(a: tuple[Tensor, Representation], b: tuple[Tensor, Representation]) -> tuple[Tensor, Representation]:
    parts = {name: torch.cat([getattr(a[1], name), getattr(b[1], name)]) for name in vars(a[1])}
    return torch.cat([a[0], b[0]]), Representation(**parts)
