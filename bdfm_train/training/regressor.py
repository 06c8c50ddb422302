# SPDX-License-Identifier: MIT
"""Trains R on the frozen F_seg of a face reader (paper, section 2.4), or on a landmark network in its place (Fig. 6):
``python -m bdfm_train regressor``.

Renders give all 269 parameters (identity on head A alone); on photos a mean teacher asks for steady action units
and grades by eye hold them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.parameters import AU_SLICE, BROW_SLICE, IDENTITY_SLICE, POSE_SLICE
from bdfm_train.data.batches import Batch, feed
from bdfm_train.data.training_data import TrainingData
from bdfm_train.errors import CheckpointError
from bdfm_train.networks.checkpoints import (
    build_regressor,
    fill_regressor,
    fingerprint,
    load_config,
    load_landmark_network,
    load_segmentation,
    read_checkpoint,
    restore,
    write_checkpoint,
)
from bdfm_train.networks.landmark_network import LandmarkNetwork
from bdfm_train.networks.representation import described
from bdfm_train.networks.segmentation import SegmentationNetwork

from .average import WeightAverage
from .objective import Seen
from .own_losses import OwnLoss, with_own
from .precision import training_precision
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
from .work import Clock, Run, adamw, descend, make_folder, refuse_other_settings, saving, set_rate, write_line


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
        "judged": judged_error(photos[:, AU_SLICE], batch.photo_bounds, batch.photo_change, batch.mirrored),
    }


WEIGHTS = {
    "action_units": 15.0,
    "sides": 10.0,
    "pose": 5.0,
    "identity": 5.0,
    "brow_style": 0.05,
    "consistency": 2.0,
    "judged": 50.0,
}
"""Of the losses by name."""
_LONGEST_GRADIENT = 2.0
_LOG_STEPS, _SAVE_STEPS = 100, 200


def train_regressor(
    checkpoint: Path,
    data: TrainingData,
    run: Run,
    start: Path | None = None,
    own: Sequence[OwnLoss] = (),
    by_landmarks: bool = False,
) -> Path:
    """Train R, resuming where a run was broken off.

    Args:
        checkpoint: of a face reader, whose F_seg is frozen.
        data: what it sees; crops without a face play no part.
        run: where, how long and by what; ``regressor.pt`` and the log are kept there.
        start: R's weights to begin with, trained on an earlier F_seg of the same size.
        own: losses beside those of :data:`WEIGHTS`.
        by_landmarks: R reads the landmark network of the checkpoint (Fig. 6), not F_seg.

    Returns:
        Path of R's averaged weights.

    Raises:
        ArraysError: there is no shard, or one is damaged.
        CheckpointError: a checkpoint is damaged or of another network, the one to resume of another F_seg, another seed
            or other losses, or one cannot be written.
        DivergedError: a loss is not finite; the last checkpoint is intact.
    """
    torch.manual_seed(run.seed)
    make_folder(run.work)
    config = load_config(checkpoint)
    load = load_landmark_network if by_landmarks else load_segmentation
    segmentation = load(checkpoint, config)
    maker = data.batches(config, run.seed, negatives=1)
    regressor = build_regressor(config, segmentation)
    if start is not None:
        fill_regressor(regressor, start)
    regressor.to(run.device).train()
    average = WeightAverage(regressor, config.training.average)
    optimizer = adamw(regressor, config.training.weight_decay)
    path, f_seg = run.work / "regressor.pt", fingerprint(segmentation)
    losses = WEIGHTS | {loss.name: loss.weight for loss in own}
    settings = {"seed": run.seed, "loss": losses, "emphasis": config.emphasis}
    step, minutes = _resume(path, f_seg, settings, regressor, average, optimizer) if path.exists() else (0, 0.0)
    segmentation.to(run.device)
    batches = feed(maker, step, workers=run.workers)
    emphasis, clock = emphasis_of(config, run.device), Clock(minutes)

    def save() -> None:
        state = {
            "regressor": average.network.state_dict(),
            "trained": regressor.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": step,
            "minutes": clock.minutes,
            "f_seg": f_seg,
            "config": config.kept,
            "settings": settings,
        }
        write_checkpoint(state, path)

    with saving(save):
        while (share := run.length.share(step, clock.minutes)) < 1.0:
            set_rate(optimizer, learning_rate(config.training, step, share))
            batch = next(batches).to(run.device)
            values = _step(segmentation, regressor, average.network, batch, emphasis, own, optimizer, step + 1, path)
            step += 1
            average.update(step)
            if step % _LOG_STEPS == 0:
                write_line(run.work / "regressor.jsonl", {"step": step, "minutes": round(clock.minutes, 2)} | values)
                maker.refresh()
            if step % _SAVE_STEPS == 0:
                save()
    save()
    return path


def _resume(
    path: Path,
    f_seg: str,
    settings: dict[str, Any],
    regressor: nn.Module,
    average: WeightAverage,
    optimizer: torch.optim.Optimizer,
) -> tuple[int, float]:
    """Steps and minutes that are done."""
    keys = ("regressor", "trained", "optimizer", "step", "minutes", "f_seg")
    state = read_checkpoint(path, "regressor", keys)
    if state["f_seg"] != f_seg:
        raise CheckpointError(
            f"{path} was trained on another F_seg. Choose another folder; --start {path} begins with these weights."
        )
    refuse_other_settings(path, state.get("settings", {}), settings)
    restore(path, state, trained=regressor, regressor=average.network, optimizer=optimizer)
    return int(state["step"]), float(state["minutes"])


def _step(
    segmentation: SegmentationNetwork | LandmarkNetwork,
    regressor: nn.Module,
    teacher: nn.Module,
    batch: Batch,
    emphasis: Tensor,
    own: Sequence[OwnLoss],
    optimizer: torch.optim.Optimizer,
    number: int,
    path: Path,
) -> dict[str, float]:
    teacher.eval()
    with training_precision(emphasis.device):
        with torch.no_grad():
            clean_photos = with_mirror_images(batch.clean_photos)
            renders, photos, clean_seen = (_seen(segmentation, x) for x in (batch.renders, batch.photos, clean_photos))
            clean = mirror_mean(teacher(clean_seen.whole, clean_seen.parts).float())
        both = renders.joined(photos)
        read = regressor(both.whole, both.parts).float()
    n = len(batch.renders)
    losses = regressor_losses(batch, read[:n], read[n:], clean, emphasis)
    losses, total = with_own(losses, WEIGHTS, own, batch, read[:n], read[n:])
    return descend(losses, total, optimizer, _LONGEST_GRADIENT, number, path)


def _seen(network: SegmentationNetwork | LandmarkNetwork, crops: Tensor) -> Seen:
    return Seen(*described(network(crops.contiguous(memory_format=torch.channels_last))))
