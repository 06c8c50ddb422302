# SPDX-License-Identifier: MIT
"""F_rec of our own (paper, section 2.5, Eq. 9), for where the published LightCNN is not at hand.

Small on purpose: 16 M multiply-adds, so that training R on a CPU can afford it in every step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.alignment import CROP_SIZE

from .checkpoints import fill, read_checkpoint
from .layers import ConvBlock, ResidualBlock

WIDTHS: Final = (16, 24, 48, 96)
"""Channels of the stem and the three stages, each of which halves the side."""


class IdentityNetwork(nn.Module):
    """Aligned crops to embeddings in which the same person's crops lie close."""

    EMBEDDING: Final = 256

    def __init__(self) -> None:
        super().__init__()
        stem, first, second, third = WIDTHS
        self.trunk = nn.Sequential(
            ConvBlock(1, stem, 5, 2),
            ResidualBlock(stem, first, 2),
            ResidualBlock(first, second, 2),
            ResidualBlock(second, third, 2),
        )
        self.embed = nn.Linear(third * (CROP_SIZE // 16) ** 2, self.EMBEDDING)

    def forward(self, crops: Tensor) -> Tensor:
        """Embeddings (n, 256) of unit length, of normalised crops (n, 1, 96, 96)."""
        return functional.normalize(self.embed(self.trunk(crops).flatten(1)).float())


def load_identity(checkpoint: Path) -> IdentityNetwork:
    """The network with the averaged weights that ``python -m bdfm_train identity`` wrote, frozen.

    Raises:
        CheckpointError: the file is missing, damaged, or of another network.
    """
    network = IdentityNetwork()
    fill(network, read_checkpoint(checkpoint, "identity", ("average",))["average"], checkpoint)
    return network.requires_grad_(False).eval()
