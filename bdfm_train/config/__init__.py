# SPDX-License-Identifier: MIT
"""Configurations of the networks, one TOML file each: ``lite`` ships."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from bdfm_train.errors import ConfigError


@dataclass(frozen=True)
class NetworkConfig:
    """Channels of ResNet18's first stage, residual blocks of its stages, R's width and pooled side, side of a crop."""

    width: int
    blocks: tuple[int, int, int, int]
    regressor_channels: int
    regressor_size: int
    crop_size: int


@dataclass(frozen=True)
class BatchConfig:
    """Pictures in a step, and how many shards of renders are kept in memory."""

    renders: int
    photos: int
    negatives: int
    shards: int


@dataclass(frozen=True)
class TrainingConfig:
    """Learning rate, weight decay, steps of warm-up, decay of the weights' average."""

    learning_rate: float
    weight_decay: float
    warm_up_steps: int
    average: float


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses of :mod:`bdfm_train.training.reader`."""

    landmarks_renders: float
    landmarks_photos: float
    action_units: float
    pose: float
    parsing: float
    confidence: float
    consistency: float


@dataclass(frozen=True)
class Config:
    """One configuration; ``emphasis`` multiplies the loss of an action unit, 1 where it is not named."""

    name: str
    network: NetworkConfig
    batch: BatchConfig
    training: TrainingConfig
    loss: LossConfig
    emphasis: dict[str, float]

    @classmethod
    def load(cls, name: str) -> Config:
        """Read ``NAME.toml`` of this folder.

        Raises:
            ConfigError: there is no such configuration.
        """
        folder = Path(__file__).parent
        path = folder / f"{name}.toml"
        if not path.exists():
            known = ", ".join(sorted(p.stem for p in folder.glob("*.toml")))
            raise ConfigError(f"There is no configuration {name!r}. Choose one of: {known}.")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        network = data["network"]
        network["blocks"] = tuple(network["blocks"])
        return cls(
            name,
            NetworkConfig(**network),
            BatchConfig(**data["batch"]),
            TrainingConfig(**data["training"]),
            LossConfig(**data["loss"]),
            data["emphasis"],
        )
