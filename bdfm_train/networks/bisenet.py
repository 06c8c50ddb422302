# SPDX-License-Identifier: MIT
"""The BiSeNet (Yu et al. 2018) of face-parsing.PyTorch, the F_seg that the paper names (section 2.3).

Modules have the names of the published code, so that the published file fits; it is loaded by
:func:`bdfm_train.networks.published.load_bisenet`. As there, the spatial path is the ResNet's own stage at an eighth of
the picture. Our own F_seg is :mod:`bdfm_train.networks.segmentation`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_train.face_model.labels import LABEL, LABELS

from .light_cnn import BRIGHTNESS, CONTRAST
from .vgg16 import DEVIATION, MEAN

_TABLE: Final[list[tuple[str, str]]] = [
    (theirs, ours)
    for theirs, ours in tomllib.loads(Path(__file__).with_name("bisenet_classes.toml").read_text("utf-8"))["classes"]
]
PUBLISHED_CLASSES: Final = tuple(theirs for theirs, _ in _TABLE)
"""The 19 classes of the published network."""
COUNTS_AS: Final = tuple(LABEL[ours] for _, ours in _TABLE)
"""Which of our 14 classes each of them counts as."""

SIDE: Final = 384
"""Of the pictures that crops are enlarged to: eyes are then as far apart, 128 pixels, as in those it was trained on
(whole heads, 512 pixels)."""


@dataclass(frozen=True)
class ParsedFace:
    """What the published BiSeNet sees in n pictures (h, w).

    Attributes:
        stages: maps C_1 (n, 128, h/8, w/8), C_2 (n, 256, h/16, w/16), C_3 (n, 512, h/32, w/32).
        fused: f_gb, output of the feature fusion module, (n, 256, h/8, w/8).
        published: logits of its 19 classes, (n, 19, h/8, w/8).
    """

    stages: tuple[Tensor, Tensor, Tensor]
    fused: Tensor
    published: Tensor

    @property
    def parsing(self) -> Tensor:
        """Logits of our 14 classes, (n, 14, h/8, w/8): each has the summed probability of what counts as it."""
        logarithms = self.published.log_softmax(1)
        parts = [
            logarithms[:, [i for i, ours in enumerate(COUNTS_AS) if ours == index]].logsumexp(1)
            for index in range(len(LABELS))
        ]
        return torch.stack(parts, 1)


class _ConvBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class _BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class _ResNet18(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(_BasicBlock(64, 64, 1), _BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(_BasicBlock(64, 128, 2), _BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(_BasicBlock(128, 256, 2), _BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(_BasicBlock(256, 512, 2), _BasicBlock(512, 512, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        c1 = self.layer2(self.layer1(x))
        c2 = self.layer3(c1)
        return c1, c2, self.layer4(c2)


class _AttentionRefinement(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = _ConvBlock(inputs, outputs)
        self.conv_atten, self.bn_atten = nn.Conv2d(outputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * torch.sigmoid(self.bn_atten(self.conv_atten(_mean(x))))


class _ContextPath(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.resnet = _ResNet18()
        self.arm16, self.arm32 = _AttentionRefinement(256, 128), _AttentionRefinement(512, 128)
        self.conv_head16, self.conv_head32 = _ConvBlock(128, 128), _ConvBlock(128, 128)
        self.conv_avg = _ConvBlock(512, 128, 1)

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        """The three stages, and the context at an eighth of the picture."""
        c1, c2, c3 = self.resnet(x)
        deep = self.arm32(c3) + self.conv_avg(_mean(c3))
        middle = self.arm16(c2) + self.conv_head32(functional.interpolate(deep, c2.shape[2:]))
        return (c1, c2, c3), self.conv_head16(functional.interpolate(middle, c1.shape[2:]))


class _FeatureFusion(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convblk = _ConvBlock(inputs, outputs, 1)
        self.conv1 = nn.Conv2d(outputs, outputs // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs // 4, outputs, 1, bias=False)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        x = self.convblk(torch.cat([spatial, context], 1))
        return x + x * torch.sigmoid(self.conv2(functional.relu(self.conv1(_mean(x)))))


class _Output(nn.Module):
    def __init__(self, inputs: int, channels: int, classes: int) -> None:
        super().__init__()
        self.conv = _ConvBlock(inputs, channels)
        self.conv_out = nn.Conv2d(channels, classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_out(self.conv(x))


class BiSeNet(nn.Module):
    """The published network without the two outputs that served its training alone."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.cp = _ContextPath()
        self.ffm = _FeatureFusion(256, 256)
        self.conv_out = _Output(256, 256, len(PUBLISHED_CLASSES))
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> ParsedFace:
        """What is seen in RGB pictures (n, 3, h, w) in [0, 1], sides multiples of 32; it was trained on 512."""
        stages, context = self.cp((images - self.mean) / self.deviation)
        fused = self.ffm(stages[0], context)
        return ParsedFace(stages, fused, self.conv_out(fused))


class BiSeNetOnCrops(nn.Module):
    """The published BiSeNet in place of our own F_seg: normalised grey crops in.

    Attributes:
        fused_channels: of f_gb.
    """

    WIDTH: Final = 64
    """Channels of its first stage, ResNet18's own."""
    fused_channels: Final = 256

    def __init__(self, network: BiSeNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> ParsedFace:
        """What is seen in normalised crops (n, 1, s, s); maps are those of pictures of :data:`SIDE`."""
        grey = functional.interpolate(crops, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        return self.network((grey * CONTRAST + BRIGHTNESS).clamp(0.0, 1.0).expand(-1, 3, -1, -1))


def _mean(x: Tensor) -> Tensor:
    return functional.adaptive_avg_pool2d(x, 1)
