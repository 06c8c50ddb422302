# SPDX-License-Identifier: MIT
"""G, the generator that imitates the renderer (paper, section 2.2), and how F_seg sees its pictures."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.alignment import CROP_SIZE
from bdfm_infer.parameters import AU_SLICE, N_PARAMETERS, POSE_SLICE

from .segmentation import SegmentationNetwork, normalise

COARSE_SIZE: Final = 32
"""Side of the pictures with which training begins."""
LUMINANCE: Final = (0.299, 0.587, 0.114)

Widths = tuple[int, int, int, int, int, int, int]

_START, _SAME, _DOUBLE = (4, 1, 0), (3, 1, 1), (4, 2, 1)
"""Kernel, stride and padding: from 1 x 1 to 4 x 4, at one size, to twice the size."""
_LAYERS: Final = (_START, _SAME, _DOUBLE, _SAME, _DOUBLE, _DOUBLE, _DOUBLE)
_COARSE_LAYERS: Final = 6

_POSE_SCALE, _AU_SCALE = 10.0, 3.0
"""How far pose and action units are spread before the first layer. Two values of pose move every pixel and would drown
among 244 of identity: with these scales a fifth of the steps reaches the same error."""


class Generator(nn.Module):
    """Eight transposed convolutions in DCGAN's manner with instance normalisation (paper, section 2.2).

    The first takes y from 1 x 1 to 4 x 4, two of stride 1 stand at 4 and at 8 pixels, five double the side to 128, the
    last of them draws RGB. The paper prints no widths and does not say where its layers of stride 1 stand; on small
    maps they cost little and let pose, action units and identity act on each other early. Instance normalisation
    stands behind all but the last and never sees a map of 1 x 1, of which it would leave nothing.

    Args:
        widths: channels of the maps at 4, 4, 8, 8, 16, 32 and 64 pixels.
    """

    scale: Tensor

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        scale = torch.ones(N_PARAMETERS)
        scale[POSE_SLICE], scale[AU_SLICE] = _POSE_SCALE, _AU_SCALE
        self.register_buffer("scale", scale, persistent=False)
        inputs = (N_PARAMETERS, *widths[:-1])
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    nn.ConvTranspose2d(n, m, *shape, bias=False), nn.InstanceNorm2d(m, affine=True), nn.ReLU()
                )
                for n, m, shape in zip(inputs, widths, _LAYERS, strict=True)
            )
        )
        self.draw = nn.ConvTranspose2d(widths[-1], 3, *_DOUBLE)
        self.sketch = nn.Conv2d(widths[_COARSE_LAYERS - 1], 3, 1)

    def forward(self, y: Tensor) -> Tensor:
        """Pictures (n, 3, 128, 128), RGB in [0, 1], of parameters (n, 269) in [0, 1]."""
        return self.draw(self.layers(self._inputs(y))).sigmoid()

    def coarse(self, y: Tensor) -> Tensor:
        """Small pictures (n, 3, 32, 32), RGB in [0, 1], of what the first six layers know; for training alone."""
        return self.sketch(self.layers[:_COARSE_LAYERS](self._inputs(y))).sigmoid()

    def _inputs(self, y: Tensor) -> Tensor:
        return ((2.0 * y - 1.0) * self.scale)[:, :, None, None]


def aligned_crops(pictures: Tensor, size: int = CROP_SIZE) -> Tensor:
    """What F_seg reads, (n, 1, size, size) normalised, of aligned pictures (n, 3, 128, 128), RGB in [0, 1].

    G draws faces as :mod:`bdfm_infer.alignment` would have placed them, so nothing is warped.
    """
    red, green, blue = LUMINANCE
    grey = red * pictures[:, :1] + green * pictures[:, 1:2] + blue * pictures[:, 2:]
    crops = functional.interpolate(grey, size=(size, size), mode="bilinear", align_corners=False)
    return normalise(crops[:, 0], white=1.0)


class SegmentationFeatures(nn.Module):
    """Features of a frozen F_seg for the perceptual loss, where no published VGG16 is at hand.

    Args:
        segmentation: trained F_seg; it is frozen.
    """

    def __init__(self, segmentation: SegmentationNetwork) -> None:
        super().__init__()
        self.segmentation = segmentation.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """C_1, C_2 and C_3 of aligned pictures (n, 3, 128, 128), RGB in [0, 1]."""
        c1 = self.segmentation.stage2(self.segmentation.stage1(self.segmentation.stem(aligned_crops(images))))
        c2 = self.segmentation.stage3(c1)
        return c1, c2, self.segmentation.stage4(c2)


def perceptual_distance(drawn: tuple[Tensor, ...], real: tuple[Tensor, ...]) -> Tensor:
    """L_per, the distance of feature maps (paper, Eq. 2), mean over the maps.

    The paper prints the norm itself; here it is squared, and each map's is given in units of the real map's mean
    square, so that one weight lambda fits any feature network.
    """
    pairs = [(a.float(), b.float()) for a, b in zip(drawn, real, strict=True)]
    return torch.stack([(a - b).square().mean() / b.square().mean() for a, b in pairs]).mean()
