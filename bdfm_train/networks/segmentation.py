# SPDX-License-Identifier: MIT
"""F_seg (paper, section 2.3): BiSeNet with a ResNet18 context path, 14 classes, and 68 landmarks beside them.

As in the published code that the paper uses, the spatial path is the ResNet's own early stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.alignment import N_LANDMARKS

from .layers import ConvBlock, ResidualBlock

CLASSES: Final = (
    "background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "nose", "u_lip", "inner_mouth", "l_lip", "ears",
    "neck", "hair", "cloth",
)  # fmt: skip
"""The classes of the parsing; left and right are the person's own."""


@dataclass(frozen=True)
class FaceFeatures:
    """What F_seg sees in n crops of size s.

    Attributes:
        stages: maps C_1, C_2, C_3 of the last three ResNet stages, at s/4, s/8, s/16.
        fused: f_gb, output of the feature fusion module, (n, 2 width, s/4, s/4).
        parsing: logits, (n, 14, s/4, s/4).
        embedding: what the landmarks are read from, (n, 256).
        landmarks: (n, 68, 2) in crop units.
    """

    stages: tuple[Tensor, Tensor, Tensor]
    fused: Tensor
    parsing: Tensor
    embedding: Tensor
    landmarks: Tensor


class AttentionRefinement(nn.Module):
    """BiSeNet's attention refinement module."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.reduce = ConvBlock(inputs, outputs)
        self.weights = nn.Sequential(nn.Linear(outputs, outputs), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        x = self.reduce(x)
        return x * self.weights(x.mean((2, 3)))[:, :, None, None]


class FeatureFusion(nn.Module):
    """BiSeNet's feature fusion module."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mix = ConvBlock(inputs, outputs, 1)
        self.weights = nn.Sequential(
            nn.Linear(outputs, outputs // 4), nn.ReLU(), nn.Linear(outputs // 4, outputs), nn.Sigmoid()
        )

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        x = self.mix(torch.cat([spatial, context], 1))
        return x + x * self.weights(x.mean((2, 3)))[:, :, None, None]


class SegmentationNetwork(nn.Module):
    """F_seg.

    Args:
        width: channels of the first stage; 64 is ResNet18's own.
        blocks: residual blocks of the four stages; (2, 2, 2, 2) is ResNet18's own.
        crop_size: side of the input, a multiple of 16.
    """

    EMBEDDING: Final = 256

    def __init__(self, width: int, blocks: tuple[int, int, int, int], crop_size: int) -> None:
        super().__init__()
        w = width
        self.stem = ConvBlock(1, w, 5, 2)
        self.stage1 = _stage(w, w, blocks[0], 1)
        self.stage2 = _stage(w, 2 * w, blocks[1], 2)
        self.stage3 = _stage(2 * w, 4 * w, blocks[2], 2)
        self.stage4 = _stage(4 * w, 8 * w, blocks[3], 2)
        self.refine3 = AttentionRefinement(4 * w, 2 * w)
        self.refine4 = AttentionRefinement(8 * w, 2 * w)
        self.whole = nn.Sequential(nn.Linear(8 * w, 2 * w), nn.ReLU())
        self.fuse = FeatureFusion(4 * w, 2 * w)
        self.parse = nn.Sequential(ConvBlock(2 * w, w), nn.Conv2d(w, len(CLASSES), 1))
        self.embed = nn.Sequential(
            ConvBlock(8 * w, 2 * w, 1),
            nn.Flatten(),
            nn.Linear(2 * w * (crop_size // 16) ** 2, self.EMBEDDING),
            nn.ReLU(),
            nn.Dropout(0.1),
        )
        self.locate = nn.Linear(self.EMBEDDING, 2 * N_LANDMARKS)

    def forward(self, crops: Tensor) -> FaceFeatures:
        """Features of normalised crops (n, 1, s, s)."""
        c1 = self.stage2(self.stage1(self.stem(crops)))
        c2 = self.stage3(c1)
        c3 = self.stage4(c2)
        deep = self.refine4(c3) + self.whole(c3.mean((2, 3)))[:, :, None, None]
        context = self.refine3(c2) + functional.interpolate(deep, scale_factor=2.0, mode="nearest")
        fused = self.fuse(c1, functional.interpolate(context, scale_factor=2.0, mode="nearest"))
        embedding = self.embed(c3)
        return FaceFeatures(
            stages=(c1, c2, c3),
            fused=fused,
            parsing=self.parse(fused),
            embedding=embedding,
            landmarks=self.locate(embedding).view(-1, N_LANDMARKS, 2) + 0.5,
        )


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    first = ResidualBlock(inputs, outputs, stride)
    return nn.Sequential(first, *(ResidualBlock(outputs, outputs) for _ in range(blocks - 1)))


def normalise(crops: Tensor) -> Tensor:
    """Each crop (n, s, s), any grey scale, to mean 0 and deviation 1: float32 (n, 1, s, s)."""
    x = crops.float() / 255.0
    mean = x.mean((1, 2), keepdim=True)
    deviation = (x - mean).square().mean((1, 2), keepdim=True).sqrt()
    return ((x - mean) / (deviation + 0.05))[:, None]
