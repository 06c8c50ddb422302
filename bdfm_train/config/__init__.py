# SPDX-License-Identifier: MIT
"""Configurations of the networks, one TOML file each: ``lite`` ships, ``paper`` has the paper's sizes, ``landmarks``
trains the landmark network of Fig. 6."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bdfm_infer.parameters import AU_NAMES
from bdfm_train.errors import ConfigError

from .strict import make, read_toml

NAMES: Final = ("lite", "paper", "landmarks")
"""The configurations that come with the package."""

STRIDE: Final = 16
"""Pixels of a crop for one of F_seg's last stage: a crop's side is a multiple of it."""

WIDTHS: Final = 8
"""The network's width is a multiple of it: at fewer channels torch's convolutions crash on some processors."""

CONTENTS: Final = ("T", "heatmaps", "none")
"""What the facial content loss compares: the paper's T, heat maps of a landmark network in its place (Fig. 6), nothing.
"""


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
    """Pictures in a step, how many of the renders are normalised among the photos, and shards kept in memory."""

    renders: int
    renders_among_photos: int
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
    spans: float
    action_units: float
    sides: float
    pose: float
    parsing: float
    confidence: float
    consistency: float
    judged: float


@dataclass(frozen=True)
class PaperLossConfig:
    """Weights of the five losses (paper, section 3.2) and which content is compared, one of :data:`CONTENTS`.

    Attributes:
        content: one of :data:`CONTENTS`.
        identity, parameter, loopback, adversarial: w_id, w_pr, w_lp, w_adv of Eq. 7.
        alpha, beta: of identity and action units in the parameter loss, Eq. 10.
        lambda_le: of the image with base identity in the loopback loss, Eq. 11.
    """

    content: str
    identity: float
    parameter: float
    loopback: float
    adversarial: float
    alpha: float
    beta: float
    lambda_le: float


@dataclass(frozen=True)
class PaperConfig:
    """R's training by the paper's losses: photos in a step, steps of a whole run, learning rate, losses."""

    photos: int
    steps: int
    training: TrainingConfig
    loss: PaperLossConfig


@dataclass(frozen=True)
class Config:
    """One configuration; ``emphasis`` multiplies the loss of an action unit, 1 where it is not named."""

    name: str
    network: NetworkConfig
    batch: BatchConfig
    training: TrainingConfig
    loss: LossConfig
    emphasis: dict[str, float]
    paper: PaperConfig

    @classmethod
    def load(cls, name: str) -> Config:
        """Read ``NAME.toml`` of this folder, or the file where ``name`` is a path that ends in ``.toml``.

        A file that ``extends`` one of :data:`NAMES` gives what differs from it.

        Raises:
            ConfigError: there is no such configuration, or the file has a key that is unknown or missing, or a value
                that cannot be.
        """
        folder = Path(__file__).parent
        path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
        if not path.exists():
            raise ConfigError(
                f"There is no configuration {name!r}. Choose one of: {', '.join(NAMES)}, or name a .toml file."
            )
        values = read_toml(path)
        if (base := values.pop("extends", None)) is not None:
            if base not in NAMES:
                raise ConfigError(f"{path}: extends must be one of {', '.join(NAMES)}, not {base!r}.")
            values = _merged(read_toml(folder / f"{base}.toml"), values)
        return _consistent(make(cls, values, path, given={"name": name}), path)

    @property
    def kept(self) -> str | dict[str, Any]:
        """What a checkpoint keeps of it: the name of one that comes with the package, of any other name and values."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return self.name if self.name in NAMES else values

    @classmethod
    def of_kept(cls, kept: str | dict[str, Any], path: Path) -> Config:
        """The configuration of which :attr:`kept` was kept; a setting that it does not have yet is as in ``lite``.

        Args:
            kept: name, or name and values.
            path: of the checkpoint, for messages.

        Raises:
            ConfigError: as :meth:`load`.
        """
        if isinstance(kept, str):
            return cls.load(kept)
        values = _merged(read_toml(Path(__file__).with_name("lite.toml")), kept) | {"emphasis": kept["emphasis"]}
        name = values.pop("name")
        return _consistent(make(cls, values, path, given={"name": name}), path)


def _consistent(config: Config, path: Path) -> Config:
    """The configuration itself.

    Raises:
        ConfigError: a value cannot be, or not beside another one.
    """
    if unknown := sorted(config.emphasis.keys() - set(AU_NAMES)):
        raise ConfigError(f"{path}: [emphasis] {unknown[0]!r} is no action unit.")
    if config.paper.loss.content not in CONTENTS:
        raise ConfigError(f"{path}: [paper.loss] content must be one of {', '.join(CONTENTS)}.")
    batch = config.batch
    if not all((batch.renders, batch.photos, batch.negatives, batch.shards, config.paper.photos)):
        raise ConfigError(f"{path}: [batch] and [paper] pictures of each kind, and shards, must be above 0.")
    if batch.renders_among_photos > batch.renders:
        raise ConfigError(f"{path}: [batch] renders_among_photos are some of the renders, not more than these.")
    size = config.network
    if size.crop_size % STRIDE or not all((size.width, size.regressor_channels, size.regressor_size, size.crop_size)):
        raise ConfigError(f"{path}: [network] sizes must be above 0, and crop_size a multiple of {STRIDE}.")
    if size.width % WIDTHS:
        raise ConfigError(f"{path}: [network] width must be a multiple of {WIDTHS}, not {size.width}.")
    return config


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base with the changes; tables are merged key by key."""
    both = {
        key: _merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in changes.items()
    }
    return base | both
