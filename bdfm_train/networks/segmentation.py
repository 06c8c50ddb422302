# SPDX-License-Identifier: MIT
"""F_seg (paper, section 2.3): BiSeNet with a ResNet18 context path, 14 classes, and 68 landmarks beside them.

As in the published code that the paper uses, the spatial path is the ResNet's own early stage. Crops are small, so the
stem halves them once where ResNet18's halves twice. The weights of attention refinement come from a linear layer where
BiSeNet has a 1 x 1 convolution with BN, which sees one pixel there. Landmarks are read twice: coarsely from the last
stage, wherever they lie, and as the mean place of a heat map over f_gb, which tells one lid or lip from the other by a
fraction of a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.alignment import N_LANDMARKS
from bdfm_train.face_model.labels import LABELS

from .layers import ConvBlock, ResidualBlock

_LEAST_DEVIATION: Final = 0.05
"""Of white, added to a crop's deviation, so that noise in an even one stays small."""


@dataclass(frozen=True)
class FaceFeatures:
    """What F_seg sees in n crops of size s.

    Attributes:
        stages: maps C_1, C_2, C_3 of the last three ResNet stages, at s/4, s/8, s/16.
        early: map of the first ResNet stage, (n, width, s/2, s/2).
        fused: f_gb, output of the feature fusion module, (n, 2 width, s/4, s/4).
        parsing: logits, (n, 14, s/4, s/4).
        embedding: what the coarse landmarks are read from, (n, 256).
        coarse: landmarks (n, 68, 2) in crop units.
        heat: heat maps of the landmarks, (n, 68, s/4, s/4); each adds up to 1 less the weight of its coarse place.
        landmarks: the same as ``coarse``, finer.
    """

    stages: tuple[Tensor, Tensor, Tensor]
    early: Tensor
    fused: Tensor
    parsing: Tensor
    embedding: Tensor
    coarse: Tensor
    heat: Tensor
    landmarks: Tensor


class LandmarkHeat(nn.Module):
    """Finer landmarks: the mean of the heat map's cells and of the coarse place, each by its weight.

    Args:
        inputs, channels: of the maps, and of those that the heat is read from.
        side: of the maps.
    """

    cells: Tensor

    DOUBT: Final = 9.0
    """Logit of the coarse place at first: the heat map has to earn its weight."""

    def __init__(self, inputs: int, channels: int, side: int) -> None:
        super().__init__()
        self.register_buffer("cells", _cell_centres_and_doubt(side), persistent=False)
        self.heat = nn.Sequential(ConvBlock(inputs, channels), nn.Conv2d(channels, N_LANDMARKS, 1))
        self.doubt = nn.Parameter(torch.full((1, N_LANDMARKS, 1), self.DOUBT))

    def forward(self, maps: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Heat maps (n, 68, s, s) and landmarks (n, 68, 2) of maps (n, inputs, s, s) and coarse landmarks, all in crop
        units."""
        heat = self.heat(maps).reshape(-1, N_LANDMARKS, self.cells.shape[0] - 1).float()
        with in_full_precision(maps):
            weights = functional.pad(heat - self.doubt, (0, 1)).softmax(2)
            seen, doubted = (weights @ self.cells).split((2, 1), dim=2)
            landmarks = seen + doubted * coarse.float()
        return weights[..., :-1].unflatten(2, maps.shape[2:]), landmarks


def _cell_centres_and_doubt(side: int) -> Tensor:
    """What the weights of a square map's cells, row by row, and of the coarse place are multiplied by.

    Returns:
        (side * side + 1, 3). By the first two columns cells give their centres x, y in crop units, the coarse place
        nothing; by the third one the weight of the coarse place is kept.
    """
    at = (torch.arange(side) + 0.5) / side
    centres = torch.stack([at.repeat(side), at.repeat_interleave(side), torch.zeros(side * side)], 1)
    return torch.cat([centres, torch.tensor([[0.0, 0.0, 1.0]])])


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
        return x * (1 + self.weights(x.mean((2, 3))))[:, :, None, None]


class SegmentationNetwork(nn.Module):
    """F_seg.

    Args:
        width: channels of the first stage; 64 is ResNet18's own.
        blocks: residual blocks of the four stages; (2, 2, 2, 2) is ResNet18's own.
        crop_size: side of the input, a multiple of 16.

    Attributes:
        fused_channels: of f_gb.
    """

    EMBEDDING: Final = 256

    def __init__(self, width: int, blocks: tuple[int, int, int, int], crop_size: int) -> None:
        super().__init__()
        w = width
        self.fused_channels = 2 * w
        self.stem = ConvBlock(1, w, 5, 2)
        self.stage1 = _stage(w, w, blocks[0], 1)
        self.stage2 = _stage(w, 2 * w, blocks[1], 2)
        self.stage3 = _stage(2 * w, 4 * w, blocks[2], 2)
        self.stage4 = _stage(4 * w, 8 * w, blocks[3], 2)
        self.refine3 = AttentionRefinement(4 * w, 2 * w)
        self.refine4 = AttentionRefinement(8 * w, 2 * w)
        self.whole = nn.Sequential(nn.Linear(8 * w, 2 * w), nn.ReLU())
        self.fuse = FeatureFusion(4 * w, 2 * w)
        self.parse = nn.Sequential(ConvBlock(2 * w, w), nn.Conv2d(w, len(LABELS), 1))
        self.embed = nn.Sequential(
            ConvBlock(8 * w, 2 * w, 1),
            nn.Flatten(),
            nn.Linear(2 * w * (crop_size // 16) ** 2, self.EMBEDDING),
            nn.ReLU(),
            nn.Dropout(0.1),
        )
        self.locate = nn.Linear(self.EMBEDDING, 2 * N_LANDMARKS)
        self.refine_landmarks = LandmarkHeat(2 * w, w, crop_size // 4)

    def forward(self, crops: Tensor) -> FaceFeatures:
        """Features of normalised crops (n, 1, s, s)."""
        early = self.stage1(self.stem(crops))
        c1 = self.stage2(early)
        c2 = self.stage3(c1)
        c3 = self.stage4(c2)
        deep = self.refine4(c3) + self.whole(c3.mean((2, 3)))[:, :, None, None]
        context = self.refine3(c2) + functional.interpolate(deep, scale_factor=2.0, mode="nearest")
        fused = self.fuse(c1, functional.interpolate(context, scale_factor=2.0, mode="nearest"))
        embedding = self.embed(c3)
        with in_full_precision(crops):
            coarse = self.locate(embedding.float()).view(-1, N_LANDMARKS, 2) + 0.5
        heat, landmarks = self.refine_landmarks(fused, coarse)
        return FaceFeatures(
            stages=(c1, c2, c3),
            early=early,
            fused=fused,
            parsing=self.parse(fused),
            embedding=embedding,
            coarse=coarse,
            heat=heat,
            landmarks=landmarks,
        )


def in_full_precision(like: Tensor) -> torch.autocast:
    """Within it, what a training computes in 16 bits is computed in 32: half a pixel of a crop is .005 in crop units,
    and bfloat16 tells places near 1 apart by .004."""
    return torch.autocast(like.device.type, enabled=False)


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    first = ResidualBlock(inputs, outputs, stride)
    return nn.Sequential(first, *(ResidualBlock(outputs, outputs) for _ in range(blocks - 1)))


def normalise(crops: Tensor, white: float = 255.0) -> Tensor:
    """Each crop (n, s, s), grey from 0 to ``white``, to mean 0 and deviation 1: float32 (n, 1, s, s)."""
    x = crops.float()
    x = x - x.mean((1, 2), keepdim=True)
    deviation = x.square().mean((1, 2), keepdim=True).sqrt()
    return (x / (deviation + white * _LEAST_DEVIATION))[:, None]
