# SPDX-License-Identifier: MIT
"""Trains R on unlabelled photos as in the paper (sections 2.5 and 3.2): ``python -m bdfm_train paper``.

G, F_seg and F_rec are frozen. The same seed, photos and number of steps give the same weights, resumed or not.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bdfm_train.config import Config
from bdfm_train.networks.checkpoints import (
    build_regressor,
    fill_regressor,
    read_checkpoint,
    restore,
    write_checkpoint,
)
from bdfm_train.networks.regressor import ParameterRegressor

from .average import WeightAverage
from .losses import total_loss
from .objective import FrozenNetworks, PaperObjective
from .own_losses import OwnLoss
from .precision import training_precision
from .processes import Processes
from .steps import learning_rate
from .work import adamw, descend, make_folder, refuse_other_settings, set_rate, write_line

CHECKPOINT: Final = "paper.pt"
LOG: Final = "paper.jsonl"
_KEYS: Final = ("regressor", "trained", "optimizer", "step", "config", "settings")
_LONGEST_GRADIENT: Final = 2.0
NAMES: Final = ("content", "identity", "parameter", "loopback", "adversarial", "total")
"""What the log holds of each step."""


@dataclass(frozen=True)
class Intervals:
    """Steps between lines of the log and between checkpoints."""

    log: int = 25
    save: int = 100


def train_paper(
    config: Config,
    frozen: FrozenNetworks,
    photos: NDArray[np.uint8],
    work: Path,
    steps: int,
    process: Processes,
    seed: int = 0,
    start: Path | None = None,
    intervals: Intervals = Intervals(),
    own: Sequence[OwnLoss] = (),
) -> Path:
    """Train R, resuming from ``work`` where a run was broken off.

    Args:
        config: sizes; photos in a step of one process, learning rate and losses of its section ``paper``.
        frozen: G, F_seg and F_rec.
        photos: (n, s, s) uint8 grey, aligned, s the side of F_seg's input.
        work: where ``paper.pt`` and ``paper.jsonl`` go.
        steps: length of the whole run; the learning rate falls to nothing over it.
        process: this process and its device.
        seed: of weights and batches.
        start: checkpoint of R, whose averaged weights are the first; random ones where there is none.
        intervals: how often to log and save.
        own: losses beside the paper's.

    Returns:
        Path of the checkpoint, which ``load_regressor`` reads.

    Raises:
        CheckpointError: the checkpoint to resume is damaged or of other settings, or cannot be written; or ``start`` is
            of another size.
        DivergedError: a loss is not finite; the last checkpoint is intact.
    """
    torch.manual_seed(seed)
    settings, checkpoint, device = config.paper, work / CHECKPOINT, process.device
    regressor = build_regressor(config, frozen.segmentation)
    if start is not None:
        fill_regressor(regressor, start)
    regressor.to(device).train()
    average = WeightAverage(regressor, settings.training.average)
    optimizer = adamw(regressor, settings.training.weight_decay)
    run_settings = _settings(config, own, frozen, seed)
    step = _resume(checkpoint, run_settings, regressor, average, optimizer) if checkpoint.exists() else 0
    objective = process.spread(PaperObjective(regressor, frozen.to(device), settings.loss, own))
    make_folder(work)

    def save() -> None:
        state = {
            "regressor": average.network.state_dict(),
            "trained": regressor.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": step,
            "config": config.kept,
            "settings": run_settings,
        }
        if process.rank == 0:
            write_checkpoint(state, checkpoint)

    since: dict[str, list[float]] = defaultdict(list)
    began, first = time.monotonic(), step
    while step < steps:
        set_rate(optimizer, learning_rate(settings.training, step, step / steps))
        rng = np.random.default_rng((seed, step, process.rank))
        losses = _step(
            objective, draw(photos, settings.photos, rng).to(device), optimizer, config, own, checkpoint, step
        )
        step += 1
        average.update(step)
        for name, value in losses.items():
            since[name].append(value)
        if step % intervals.log == 0 or step == steps:
            if process.rank == 0:
                rate = {"steps_a_second": round((step - first) / (time.monotonic() - began), 3)}
                write_line(work / LOG, {"step": step} | {k: round(fmean(v), 5) for k, v in since.items()} | rate)
            since.clear()
        if step % intervals.save == 0:
            save()
    save()
    return checkpoint


def draw(photos: NDArray[np.uint8], count: int, rng: np.random.Generator) -> Tensor:
    """Random photos (count, s, s) uint8, half of them mirrored."""
    chosen = photos[rng.integers(len(photos), size=count)]
    mirrored = rng.random(count) < 0.5
    return torch.from_numpy(np.where(mirrored[:, None, None], chosen[:, :, ::-1], chosen))


def _step(
    objective: nn.Module,
    crops: Tensor,
    optimizer: torch.optim.Optimizer,
    config: Config,
    own: Sequence[OwnLoss],
    checkpoint: Path,
    step: int,
) -> dict[str, float]:
    weights = {loss.name: loss.weight for loss in own}
    with training_precision(crops.device):
        losses = objective(crops)
    total = total_loss({name: losses[name] for name in losses if name not in weights}, config.paper.loss)
    for name, weight in weights.items():
        total = total + weight * losses[name]
    return descend(losses | {"total": total}, total, optimizer, _LONGEST_GRADIENT, step + 1, checkpoint)


def _settings(config: Config, own: Sequence[OwnLoss], frozen: FrozenNetworks, seed: int) -> dict[str, Any]:
    network = asdict(config.network) | {"blocks": list(config.network.blocks)}
    losses = asdict(config.paper.loss) | {loss.name: loss.weight for loss in own}
    return {"network": network, "loss": losses, "seed": seed, **frozen.fingerprints}


def _resume(
    checkpoint: Path,
    settings: dict[str, Any],
    regressor: ParameterRegressor,
    average: WeightAverage,
    optimizer: torch.optim.Optimizer,
) -> int:
    state = read_checkpoint(checkpoint, "paper", _KEYS)
    refuse_other_settings(checkpoint, state["settings"], settings)
    restore(checkpoint, state, trained=regressor, regressor=average.network, optimizer=optimizer)
    return int(state["step"])
