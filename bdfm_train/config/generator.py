# SPDX-License-Identifier: MIT
"""The configuration of G, ``generator.toml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bdfm_train.errors import ConfigError

from .strict import make, read_toml

OWN_CONFIG: Final = Path(__file__).parent / "generator.toml"


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes and settings of G's training.

    Attributes:
        widths: channels of its seven hidden layers.
        perceptual: weight lambda of the perceptual loss (paper, Eq. 3).
        perceptual_share: of each batch on which it is taken, 0 to 1; on a CPU its networks cost as much as G.
        batch: pairs in a step.
        coarse_steps: at first, that learn small pictures by the content loss alone.
        learning_rate: highest; a cosine takes it to nothing over the run.
        warm_up_steps: over which the rate rises at first.
        average: decay of the weights' running mean.
    """

    widths: tuple[int, int, int, int, int, int, int]
    perceptual: float
    perceptual_share: float
    batch: int
    coarse_steps: int
    learning_rate: float
    warm_up_steps: int
    average: float

    @classmethod
    def load(cls, path: Path = OWN_CONFIG) -> GeneratorConfig:
        """Read a TOML file, by default the one that comes with the package.

        Raises:
            ConfigError: the file cannot be read, has a key too many or too few, or a value out of range.
        """
        config = make(cls, read_toml(path), path)
        if not all(config.widths):
            raise ConfigError(f"{path}: widths must be above 0.")
        return config
