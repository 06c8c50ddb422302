# SPDX-License-Identifier: MIT
"""A small convolutional detector: score and five points at stride 4, after CenterNet (Zhou et al. 2019).

The backbone goes down to stride 32, so that a face as tall as a picture of 160 px lies within its receptive field, and
comes back to stride 4 by additions, so that a face of 12 px keeps a cell of its own. Points are read as a shape times
a size: the size is the exponential of one map, the shape ten maps, so that small and large faces weigh alike.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

UNIT: Final = 8.0
"""Pixels of spread (see :func:`bdfm_train.detector.faces.spread`) where the size map is 0."""

PRIOR: Final = 0.01
"""Score of an untrained network."""


class _Conv(nn.Sequential):
    """Convolution without bias, batch normalisation and, unless told otherwise, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, relu: bool = True):
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *([nn.ReLU()] if relu else []))


class _Block(nn.Module):
    """Residual block: depthwise, then pointwise convolution."""

    def __init__(self, channels: int, kernel: int = 3):
        super().__init__()
        self.body = nn.Sequential(
            _Conv(channels, channels, kernel, groups=channels),
            _Conv(channels, channels, 1, relu=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(_Conv(inputs, outputs, stride=2), *[_Block(outputs) for _ in range(blocks)])


class Detector(nn.Module):
    """Grey picture to score logits and points.

    Args:
        width: channels after the first convolution; the other stages follow from it.
    """

    def __init__(self, width: int = 16):
        super().__init__()
        widths = [2 * width, 3 * width, 4 * width, 6 * width]
        neck = 2 * width
        self.stem = _Conv(1, width, stride=2)
        self.stages = nn.ModuleList(
            _stage(i, o, n) for i, o, n in zip([width, *widths[:-1]], widths, [1, 2, 3, 2], strict=True)
        )
        self.laterals = nn.ModuleList(_Conv(w, neck, 1, relu=False) for w in widths)
        self.merges = nn.ModuleList(_Block(neck) for _ in widths[:-1])
        self.tail = _Block(neck, 5)
        self.head = nn.Conv2d(neck, 12, 1)
        assert self.head.bias is not None
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():
            self.head.bias[0] = -torch.log(torch.tensor(1 / PRIOR - 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Score logits and points.

        Args:
            image: (n, 1, h, w) float32, 0 to 255; h and w multiples of 32.

        Returns:
            logits (n, h/4, w/4), and points (n, 10, h/4, w/4): x0, y0 .. x4, y4 in input pixels relative to the
            cell's centre, ((column + 0.5) * 4, (row + 0.5) * 4).
        """
        x = self.stem(image / 127.5 - 1.0)
        laterals = []
        for stage, lateral in zip(self.stages, self.laterals, strict=True):
            x = stage(x)
            laterals.append(lateral(x))
        y = functional.relu(laterals[-1])
        for lateral_map, merge in zip(laterals[-2::-1], self.merges, strict=True):
            y = merge(functional.relu(functional.interpolate(y, scale_factor=2.0, mode="nearest") + lateral_map))
        out = self.head(self.tail(y))
        size = UNIT * torch.exp(out[:, 1:2].clamp(-3.0, 3.0))
        return out[:, 0], size * out[:, 2:]


def score_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """Focal loss on a heat map of Gaussians (CornerNet; exponents 2 and 4), for each face. Both (n, h, w)."""
    positive = (heat >= 1.0).float()
    score = torch.sigmoid(logits)
    hit = functional.logsigmoid(logits) * (1 - score) ** 2 * positive
    miss = functional.logsigmoid(-logits) * score**2 * (1 - heat) ** 4 * (1 - positive)
    return -(hit + miss).sum() / positive.sum().clamp(min=1.0)


def point_loss(points: Tensor, target: Tensor, spread: Tensor, weight: Tensor) -> Tensor:
    """Mean distance of points by coordinate, in units of the face's spread.

    Args:
        points, target: (n, 10, h, w) pixels relative to the cells' centres.
        spread: (n, h, w) pixels, size of the face that a cell belongs to; 1 where there is none.
        weight: (n, h, w), 0 where a cell belongs to no face.
    """
    error = (points - target).abs().mean(1) / spread
    return (error * weight).sum() / weight.sum().clamp(min=1e-6)
