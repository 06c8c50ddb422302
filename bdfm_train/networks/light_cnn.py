# SPDX-License-Identifier: MIT
"""LightCNN-29 v2 (Wu et al. 2018), the paper's F_rec (section 2.5, identity loss).

Modules have the names of the published code, so that the published file fits; it is loaded by
:func:`bdfm_train.networks.published.load_light_cnn`. :class:`LightCnnIdentity` gives it the call of our own
:class:`bdfm_train.networks.identity.IdentityNetwork`.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.alignment import FIVE_POINTS

SIZE: Final = 128
"""Side of the network's input."""
EYES_Y, EYES_TO_MOUTH = 40.0, 48.0
"""Pixels from the top to the middle of the eyes, and from there to the middle of the mouth, in that input."""
BRIGHTNESS, CONTRAST = 0.45, 0.2
"""Mean and deviation that a normalised crop is given back; the network was trained on grey values in [0, 1]."""


class MaxFeatureMap(nn.Module):
    """Convolution to twice the channels, of which the larger half wins at each place."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.filter = nn.Conv2d(inputs, 2 * outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.filter(x).chunk(2, 1)
        return torch.maximum(first, second)


class _Group(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_a = MaxFeatureMap(inputs, inputs, 1)
        self.conv = MaxFeatureMap(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.conv_a(x))


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = MaxFeatureMap(channels, channels, 3)
        self.conv2 = MaxFeatureMap(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.conv1(x))


class LightCnn29(nn.Module):
    """LightCNN-29 v2 without its classifier: grey faces to embeddings of 256 values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = MaxFeatureMap(1, 48, 5)
        self.block1, self.group1 = _residuals(48, 1), _Group(48, 96)
        self.block2, self.group2 = _residuals(96, 2), _Group(96, 192)
        self.block3, self.group3 = _residuals(192, 3), _Group(192, 128)
        self.block4, self.group4 = _residuals(128, 4), _Group(128, 128)
        self.fc = nn.Linear(128 * (SIZE // 16) ** 2, 256)

    def forward(self, faces: Tensor) -> Tensor:
        """Embeddings (n, 256) of grey faces (n, 1, 128, 128) in [0, 1]; not of unit length."""
        x = _pool(self.conv1(faces))
        x = _pool(self.group1(self.block1(x)))
        x = _pool(self.group2(self.block2(x)))
        x = self.group3(self.block3(x))
        x = _pool(self.group4(self.block4(x)))
        return self.fc(x.flatten(1))


class LightCnnIdentity(nn.Module):
    """LightCNN with the call of our own identity network.

    The network was trained on faces whose eyes and mouth lie at fixed heights; the aligned crop is carried there. What
    lies below the crop repeats its last row.
    """

    placement: Tensor

    def __init__(self, network: LightCnn29) -> None:
        super().__init__()
        self.network = network
        eyes, mouth = FIVE_POINTS[:2].mean(0), FIVE_POINTS[3:].mean(0)
        side = EYES_TO_MOUTH / (mouth[1] - eyes[1])
        """Of the whole crop in the network's input, pixels."""
        shrink = SIZE / side
        left, top = eyes[0] - shrink / 2, eyes[1] - EYES_Y / side
        matrix = [[shrink, 0.0, 2 * left + shrink - 1], [0.0, shrink, 2 * top + shrink - 1]]
        self.register_buffer("placement", torch.tensor([matrix], dtype=torch.float32), persistent=False)

    def faces(self, crops: Tensor) -> Tensor:
        """The network's input (n, 1, 128, 128) made from normalised crops (n, 1, 96, 96)."""
        shape = [len(crops), 1, SIZE, SIZE]
        grid = functional.affine_grid(self.placement.expand(len(crops), -1, -1), shape, align_corners=False)
        faces = functional.grid_sample(crops, grid, padding_mode="border", align_corners=False)
        return (faces * CONTRAST + BRIGHTNESS).clamp(0.0, 1.0)

    def forward(self, crops: Tensor) -> Tensor:
        """Embeddings (n, 256) of unit length, of normalised crops (n, 1, 96, 96)."""
        return functional.normalize(self.network(self.faces(crops)))


def _residuals(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Residual(channels) for _ in range(count)))


def _pool(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 2) + functional.avg_pool2d(x, 2)
