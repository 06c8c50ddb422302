# SPDX-License-Identifier: MIT
"""R, the facial parameter regressor (paper, section 2.4): four sub-regressors on f_gb and T."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.alignment import N_LANDMARKS
from bdfm_infer.parameters import N_AU, N_BROW_STYLES, N_IDENTITY, N_POSE

from .landmark_network import LandmarkMaps
from .layers import AttentionBlock, ConvBlock, SqueezeExcitation
from .representation import Representation


class SubRegressor(nn.Module):
    """Feature fusion, convolution of stride 2 with BN, two attention blocks, two FC layers, the first with SE.

    Feature fusion brings maps to one size and concatenates them: larger ones are pooled, smaller ones repeated. The
    paper (Fig. 3) prints no widths; which of the FC layers has the SE block is our choice.

    Args:
        inputs: channels of all maps together.
        outputs: number of parameters.
        channels: width inside.
        size: side that the maps are pooled to.
    """

    def __init__(self, inputs: int, outputs: int, channels: int, size: int) -> None:
        super().__init__()
        self.size = size
        half = (size + 1) // 2
        self.reduce = ConvBlock(inputs, channels, 3, 2)
        self.attend = nn.Sequential(AttentionBlock(channels), AttentionBlock(channels))
        self.first = nn.Linear(channels * half * half, 2 * channels)
        self.excite = SqueezeExcitation(2 * channels)
        self.second = nn.Linear(2 * channels, outputs)

    def forward(self, *maps: Tensor) -> Tensor:
        fused = torch.cat([_resize(x, self.size) for x in maps], 1)
        x = self.attend(self.reduce(fused)).flatten(1)
        return self.second(self.excite(functional.relu(self.first(x))))


@dataclass(frozen=True)
class RegressorInputs:
    """Channels of the maps that R reads pose, identity and action units, and brow style from."""

    pose: int
    local: int
    brows: int

    @classmethod
    def of_t(cls, width: int, fused_channels: int) -> RegressorInputs:
        """Of f_gb and T; ``width`` is that of F_seg's first stage."""
        return cls(fused_channels, (2 + 4 + 4 + 8) * width, 2 * width)

    @classmethod
    def of_landmarks(cls, width: int) -> RegressorInputs:
        """Of a landmark network's heat maps and first layers (Fig. 6); ``width`` is that of its first stage."""
        local = (1 + 2) * width + N_LANDMARKS
        return cls(N_LANDMARKS, local, local)


class ParameterRegressor(nn.Module):
    """R: pose from f_gb; identity and action units from T_eyes, T_nose, T_mouth, T_face; brow style from T_brows.

    Args:
        inputs: channels of what it reads.
        channels: width of the sub-regressors.
        size: side that maps are pooled to before they are joined.
    """

    def __init__(self, inputs: RegressorInputs, channels: int, size: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.pose = SubRegressor(inputs.pose, N_POSE, channels, size)
        self.identity = SubRegressor(inputs.local, N_IDENTITY, channels, size)
        self.action_units = SubRegressor(inputs.local, N_AU, channels, size)
        self.brow_style = SubRegressor(inputs.brows, N_BROW_STYLES, channels, size)

    def forward(self, whole: Tensor, parts: Representation | LandmarkMaps) -> Tensor:
        """The 269 parameters, (n, 269); brow styles sum to 1, the others are not clipped to [0, 1].

        Args:
            whole: f_gb, or heat maps of landmarks.
            parts: T, or what stands in its place.
        """
        style = self.brow_style(*parts.around_brows).softmax(1)
        return torch.cat([self.performance(whole, parts), self.identity(*parts.local), style], 1)

    def performance(self, whole: Tensor, parts: Representation | LandmarkMaps) -> Tensor:
        """Pose and action units alone, (n, 25)."""
        return torch.cat([self.pose(whole), self.action_units(*parts.local)], 1)


def _resize(x: Tensor, size: int) -> Tensor:
    if x.shape[-1] > size:
        return functional.adaptive_avg_pool2d(x, size)
    if x.shape[-1] < size:
        return functional.interpolate(x, size=(size, size), mode="nearest")
    return x
