# SPDX-License-Identifier: MIT
"""A facial landmark network in place of F_seg (paper, section 3.4, Fig. 6).

The paper takes a published one, whose last heat maps stand for the face as a whole and the features of whose first two
layers for its parts. Here it is a network of F_seg's structure, trained for landmarks alone (``landmarks.toml``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

from .segmentation import SegmentationNetwork

MOUTH: Final = slice(48, 68)
"""Of the 68 landmarks."""


@dataclass(frozen=True)
class LandmarkMaps:
    """What stands in place of T.

    Attributes:
        early, later: features of the first two layers, (n, width, s/2, s/2) and (n, 2 width, s/4, s/4).
        heat: heat maps of the landmarks, (n, 68, s/4, s/4).
    """

    early: Tensor
    later: Tensor
    heat: Tensor

    @property
    def mouth(self) -> Tensor:
        """Heat maps of the mouth's 20 landmarks."""
        return self.heat[:, MOUTH]

    @property
    def local(self) -> tuple[Tensor, ...]:
        """What identity and action units are read from."""
        return self.early, self.later, self.heat

    @property
    def around_brows(self) -> tuple[Tensor, ...]:
        """What the brow style is read from."""
        return self.local


class LandmarkNetwork(nn.Module):
    """Heat maps and first layers of a network that was trained for landmarks.

    Args:
        network: the trained one.
    """

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> LandmarkMaps:
        """Maps of normalised crops (n, 1, s, s)."""
        seen = self.network(crops)
        return LandmarkMaps(seen.early, seen.stages[0], seen.heat)
