# SPDX-License-Identifier: MIT
"""Trains F_rec of our own (paper, section 2.5): ``python -m bdfm_train identity``.

Views of a rendered identity differ in expression, pose, camera, light and look; a photo is a person of its own, seen
under strong changes. A supervised contrastive loss draws views of a person together and pushes others away. That alone
learns slowly from a few thousand people, so a linear layer, not kept, also has to read the shape of the face at rest
off each render's embedding.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from bdfm_infer.alignment import N_LANDMARKS
from bdfm_train.config import TrainingConfig
from bdfm_train.data.identities import Counts, IdentityBatch, IdentityPool
from bdfm_train.networks.checkpoints import read_checkpoint, restore, write_checkpoint
from bdfm_train.networks.identity import IdentityNetwork

from .average import WeightAverage
from .precision import training_precision
from .steps import learning_rate
from .work import CPU, adamw, descend, make_folder, set_rate, write_line

_KEYS: Final = ("network", "average", "optimizer", "step")
_LONGEST_GRADIENT: Final = 2.0


@dataclass(frozen=True)
class IdentitySettings:
    """Settings of F_rec's training.

    Attributes:
        counts: people and views in a batch.
        temperature: of the contrastive loss.
        shape: weight of the shape's squared error.
        training: learning rate and the like.
        log_steps, save_steps: how often a line is written, and a checkpoint.
    """

    counts: Counts
    temperature: float
    shape: float
    training: TrainingConfig
    log_steps: int
    save_steps: int


SETTINGS: Final = IdentitySettings(
    counts=Counts(rendered=48, photographed=8, views=3),
    temperature=0.1,
    shape=2.0,
    training=TrainingConfig(learning_rate=2e-3, weight_decay=1e-3, warm_up_steps=50, average=0.99),
    log_steps=25,
    save_steps=100,
)


class ShapedNetwork(nn.Module):
    """F_rec and the layer that reads shapes off its embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.network = IdentityNetwork()
        self.shape = nn.Linear(IdentityNetwork.EMBEDDING, 3 * N_LANDMARKS)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (n, 256) and shapes (n, 204) of normalised crops (n, 1, 96, 96)."""
        embeddings = self.network(crops)
        return embeddings, self.shape(embeddings * IdentityNetwork.EMBEDDING**0.5)


def contrastive_loss(embeddings: Tensor, person: Tensor, temperature: float) -> Tensor:
    """The supervised contrastive loss (Khosla et al. 2020, Eq. 2).

    Args:
        embeddings: (n, c) of unit length.
        person: (n,) whom each shows; those who are there once do not count as anchors.
        temperature: by which cosines are divided.
    """
    cosines = embeddings @ embeddings.T / temperature
    itself = torch.eye(len(person), dtype=torch.bool, device=person.device)
    likelihood = cosines.masked_fill(itself, -math.inf).log_softmax(1)
    same = (person[:, None] == person[None, :]) & ~itself
    count = same.sum(1)
    anchors = count > 0
    return -(likelihood.masked_fill(~same, 0.0).sum(1)[anchors] / count[anchors]).mean()


def train_identity(
    pool: IdentityPool,
    work: Path,
    steps: int,
    seed: int = 0,
    settings: IdentitySettings = SETTINGS,
    device: torch.device = CPU,
) -> Path:
    """Train F_rec, resuming from ``work`` where a run was broken off.

    Args:
        pool: renders and photos.
        work: where ``identity.pt`` and ``identity.jsonl`` go.
        steps: length of the whole run; the learning rate falls to nothing over it.
        seed: of weights and batches. The same seed, data and steps give the same weights, resumed or not.
        settings: sizes of a batch, learning rate and the like.
        device: where the network computes; batches are made on the CPU.

    Returns:
        Path of the checkpoint.

    Raises:
        CheckpointError: the checkpoint to resume is damaged or another network's, or cannot be written.
        DivergedError: the loss is not finite; the last checkpoint is intact.
    """
    torch.manual_seed(seed)
    network = ShapedNetwork().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = WeightAverage(network.network, settings.training.average)
    optimizer = adamw(network, settings.training.weight_decay)
    checkpoint, step = work / "identity.pt", 0
    if checkpoint.exists():
        step = _resume(checkpoint, network, average, optimizer)
    make_folder(work)

    def save() -> None:
        state = {
            "network": network.state_dict(),
            "average": average.network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": step,
        }
        write_checkpoint(state, checkpoint)

    began, first = time.monotonic(), step
    losses: list[dict[str, float]] = []
    while step < steps:
        set_rate(optimizer, learning_rate(settings.training, step, step / steps))
        batch = pool.draw(settings.counts, np.random.default_rng((seed, step)))
        losses.append(_step(network, batch, settings, optimizer, step + 1, checkpoint))
        step += 1
        average.update(step)
        if step % settings.log_steps == 0:
            rate = (step - first) / (time.monotonic() - began)
            means = {name: round(float(np.mean([loss[name] for loss in losses])), 4) for name in losses[0]}
            write_line(work / "identity.jsonl", {"step": step, "steps_a_second": round(rate, 3)} | means)
            losses.clear()
        if step % settings.save_steps == 0:
            save()
    save()
    return checkpoint


def _step(
    network: ShapedNetwork,
    batch: IdentityBatch,
    settings: IdentitySettings,
    optimizer: torch.optim.Optimizer,
    number: int,
    checkpoint: Path,
) -> dict[str, float]:
    network.train()
    device = network.shape.weight.device
    crops, person, truth = (x.to(device) for x in (batch.crops, batch.person, batch.shape))
    with training_precision(device):
        embeddings, shapes = network(crops.contiguous(memory_format=torch.channels_last))
    contrast = contrastive_loss(embeddings, person, settings.temperature)
    shape = (shapes[: len(truth)].float() - truth).square().mean()
    losses = {"contrast": contrast, "shape": shape}
    return descend(losses, contrast + settings.shape * shape, optimizer, _LONGEST_GRADIENT, number, checkpoint)


def _resume(checkpoint: Path, network: ShapedNetwork, average: WeightAverage, optimizer: torch.optim.Optimizer) -> int:
    state = read_checkpoint(checkpoint, "identity", _KEYS)
    restore(checkpoint, state, network=network, average=average.network, optimizer=optimizer)
    return int(state["step"])
