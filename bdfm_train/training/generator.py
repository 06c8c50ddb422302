# SPDX-License-Identifier: MIT
"""Trains G on pairs of parameters and renders (paper, section 2.2, Eq. 1-3): ``python -m bdfm_train generator``.

The first steps learn pictures of 32 pixels, where a step costs a third: what moves where is learned there.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.avatar import SIZE
from bdfm_train.config.generator import GeneratorConfig
from bdfm_train.errors import CheckpointError, PairsError
from bdfm_train.face_model.pairs import PREFIX, Pairs
from bdfm_train.networks.checkpoints import fingerprint, read_checkpoint, restore, write_checkpoint
from bdfm_train.networks.generator import COARSE_SIZE, Generator, perceptual_distance

from .average import WeightAverage
from .precision import training_precision
from .work import CPU, descend, make_folder, refuse_other_settings, saving, set_rate, write_line

COMMAND: Final = "generator"
_KEYS: Final = ("generator", "average", "optimizer", "step", "config", "head")
_LOG_STEPS: Final = 100
_SAVE_STEPS: Final = 500
_LONGEST_GRADIENT: Final = 1.0


class PairPool:
    """Shards of one head in a folder, looked for again while training runs, all of them kept in memory.

    Args:
        folder: where shards lie and may go on arriving.
        head: name of the head.
    """

    def __init__(self, folder: Path, head: str) -> None:
        self.head = head
        self._folder = folder
        self._shards: dict[str, Pairs] = {}
        self.refresh()
        if not self._shards:
            raise PairsError(
                f"{folder} holds no pairs of head {head}. Make them: python -m bdfm_train.face_model.pairs --help"
            )

    def refresh(self) -> None:
        """Take in new shards."""
        for path in sorted(self._folder.glob(f"{PREFIX}_{self.head}_*.npz")):
            if path.name not in self._shards:
                self._shards[path.name] = Pairs.load(path)

    def __len__(self) -> int:
        return sum(len(shard.images) for shard in self._shards.values())

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Random pairs: parameters (count, 269), pictures (count, 3, 128, 128) RGB in [0, 1]."""
        shards = list(self._shards.values())
        chosen = [shards[i] for i in rng.integers(len(shards), size=count)]
        places = [int(rng.integers(len(shard.images))) for shard in chosen]
        y = np.stack([shard.parameters[i] for shard, i in zip(chosen, places, strict=True)])
        images = np.stack([shard.images[i] for shard, i in zip(chosen, places, strict=True)])
        return torch.from_numpy(y), pictures(images)


def pictures(images: np.ndarray) -> Tensor:
    """Images (n, 128, 128, 3) uint8 as G draws them: (n, 3, 128, 128) in [0, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255.0


def generator_losses(drawn: Tensor, real: Tensor, features: nn.Module | None, share: float = 1.0) -> dict[str, Tensor]:
    """The content loss (paper, Eq. 1) and, where there are ``features``, the perceptual loss (Eq. 2).

    Args:
        drawn, real: (n, 3, 128, 128) RGB in [0, 1].
        features: from such pictures to feature maps; frozen.
        share: of the pictures on which the perceptual loss is taken.
    """
    losses = {"content": functional.l1_loss(drawn, real)}
    some = math.ceil(share * len(drawn))
    if features is not None and some:
        with torch.no_grad():
            expected = features(real[:some])
        losses["perceptual"] = perceptual_distance(features(drawn[:some]), expected)
    return losses


def total_loss(losses: dict[str, Tensor], perceptual: float) -> Tensor:
    """L_G (paper, Eq. 3): the content loss, and ``perceptual`` (lambda) times the perceptual one where there is one."""
    return losses["content"] + perceptual * losses.get("perceptual", 0.0)


def train_generator(
    config: GeneratorConfig,
    pairs: Path,
    head: str,
    work: Path,
    steps: int,
    features: nn.Module | None = None,
    seed: int = 0,
    start: Path | None = None,
    device: torch.device = CPU,
) -> Path:
    """Train G of one head, resuming from ``work`` where a run was broken off.

    Args:
        config: sizes and settings.
        pairs: folder of shards; new ones are taken in meanwhile.
        head: name of the head.
        work: where the checkpoint and the log go.
        steps: length of the whole run; the learning rate falls to nothing over it.
        features: of the perceptual loss; None leaves it out.
        seed: of weights and batches. The same seed, shards and steps give the same weights, resumed or not.
        start: checkpoint of a G of these widths, of another head perhaps, whose averaged weights are the first.
        device: where the networks compute; a checkpoint of one device goes on on another.

    Returns:
        Path of the checkpoint.

    Raises:
        PairsError: no pairs, or a damaged shard.
        CheckpointError: the checkpoint to resume is damaged, another G's, of another seed or other losses, or cannot be
            written.
        DivergedError: a loss is not finite; the last checkpoint is intact.
    """
    torch.manual_seed(seed)
    pool = PairPool(pairs, head)
    generator = (Generator(config.widths) if start is None else load_generator(start)[0].train()).to(device)
    if features is not None:
        features.to(device)
    average = WeightAverage(generator, config.average)
    optimizer = torch.optim.Adam(generator.parameters(), config.learning_rate, fused=True)
    checkpoint, step = work / "generator.pt", 0
    settings = {
        "seed": seed,
        "loss": {name: getattr(config, name) for name in ("perceptual", "perceptual_share", "coarse_steps")},
        "feature network": None if features is None else fingerprint(features),
    }
    if checkpoint.exists():
        step = _resume(checkpoint, config, head, settings, generator, average, optimizer)
    make_folder(work)

    def save() -> None:
        state = {
            "generator": generator.state_dict(),
            "average": average.network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": step,
            "config": asdict(config),
            "head": head,
            "settings": settings,
        }
        write_checkpoint(state, checkpoint)

    began, first = time.monotonic(), step
    recent: list[dict[str, float]] = []
    with saving(save):
        while step < steps:
            set_rate(optimizer, learning_rate(config, step, steps))
            y, real = pool.draw(config.batch, np.random.default_rng((seed, step)))
            y, real = y.to(device), real.to(device)
            recent.append(_step(generator, y, real, features, config, step, optimizer, checkpoint))
            step += 1
            average.update(step)
            if step % _LOG_STEPS == 0:
                rate = round((step - first) / (time.monotonic() - began), 2)
                names = recent[-1].keys()
                means = {name: round(fmean(one[name] for one in recent if name in one), 5) for name in names}
                write_line(work / "generator.jsonl", {"step": step, "pairs": len(pool), "steps_a_second": rate} | means)
                recent.clear()
                pool.refresh()
            if step % _SAVE_STEPS == 0:
                save()
    save()
    return checkpoint


def learning_rate(config: GeneratorConfig, step: int, steps: int) -> float:
    """Warm-up, then a cosine to nothing at the last of ``steps``."""
    warm = min(1.0, (step + 1) / max(config.warm_up_steps, 1))
    return config.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def load_generator(checkpoint: Path) -> tuple[Generator, str]:
    """G with averaged weights, ready to draw, and its head.

    Raises:
        CheckpointError: the file is missing, damaged or no checkpoint of G.
    """
    state = read_checkpoint(checkpoint, COMMAND, _KEYS)
    try:
        generator = Generator(tuple(state["config"]["widths"]))
        generator.load_state_dict(state["average"])
    except (RuntimeError, KeyError, TypeError) as error:
        raise CheckpointError(f"{checkpoint} was trained with another G: {error}") from error
    return generator.eval(), str(state["head"])


def _resume(
    checkpoint: Path,
    config: GeneratorConfig,
    head: str,
    settings: dict[str, Any],
    generator: Generator,
    average: WeightAverage,
    optimizer: torch.optim.Optimizer,
) -> int:
    state = read_checkpoint(checkpoint, COMMAND, _KEYS)
    if state["head"] != head or tuple(state["config"]["widths"]) != config.widths:
        raise CheckpointError(f"{checkpoint} belongs to another head or configuration. Choose another folder.")
    refuse_other_settings(checkpoint, state.get("settings", {}), settings)
    restore(checkpoint, state, generator=generator, average=average.network, optimizer=optimizer)
    return int(state["step"])


def _step(
    generator: Generator,
    y: Tensor,
    real: Tensor,
    features: nn.Module | None,
    config: GeneratorConfig,
    step: int,
    optimizer: torch.optim.Optimizer,
    checkpoint: Path,
) -> dict[str, float]:
    with training_precision(y.device):
        if step < config.coarse_steps:
            small = functional.avg_pool2d(real, SIZE // COARSE_SIZE)
            losses = generator_losses(generator.coarse(y).float(), small, None)
        else:
            losses = generator_losses(generator(y).float(), real, features, config.perceptual_share)
    total = total_loss(losses, config.perceptual)
    return descend(losses, total, optimizer, _LONGEST_GRADIENT, step + 1, checkpoint)
