# SPDX-License-Identifier: MIT
"""Layers that the networks share; attention and squeeze-and-excitation are those of R (paper, section 2.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvBlock(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
        )


class ResidualBlock(nn.Module):
    """The basic block of ResNet18 (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = ConvBlock(inputs, outputs, 3, stride)
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(self.first(x)) + self.shortcut(x))


class SqueezeExcitation(nn.Module):
    """Channel weights from the pooled channels (SENet); for maps (n, c, h, w) and vectors (n, c)."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.weights = nn.Sequential(
            nn.Linear(channels, channels // reduction),
            nn.ReLU(),
            nn.Linear(channels // reduction, channels),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 2:
            return x * self.weights(x)
        return x * self.weights(x.mean((2, 3)))[:, :, None, None]


class AttentionBlock(nn.Module):
    """Two convolutions whose result is weighted by channel, then by place, and added to the input.

    The paper (Fig. 3b) shows the block in a picture alone; channel and spatial attention in this order are our choice.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ConvBlock(channels, channels), nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )
        self.channel = SqueezeExcitation(channels)
        self.place = nn.Conv2d(2, 1, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.channel(self.body(x))
        summary = torch.cat([y.mean(1, keepdim=True), y.amax(1, keepdim=True)], 1)
        return functional.relu(x + y * torch.sigmoid(self.place(summary)))
