# SPDX-License-Identifier: MIT
"""VGG16 (Simonyan and Zisserman 2015) up to relu4_3: the features F of the perceptual loss (paper, section 2.2, Eq. 2).

Modules have the names of torchvision's, so that the published file fits; it is loaded by
:func:`bdfm_train.networks.published.load_vgg16`.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's RGB, for values in [0, 1]."""

_STAGES: Final = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))
_READ: Final = (1, 2, 3)
"""Stages whose last map is returned: the second, third and fourth."""


class Vgg16(nn.Module):
    """The convolutions of configuration D up to relu4_3."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        self._ends: list[int] = []
        for stage, widths in enumerate(_STAGES):
            if stage:
                layers.append(nn.MaxPool2d(2, 2))
            for width in widths:
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
                inputs = width
            if stage in _READ:
                self._ends.append(len(layers) - 1)
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps of RGB pictures (n, 3, h, w) in [0, 1].

        Returns:
            relu2_2 (n, 128, h/2, w/2), relu3_3 (n, 256, h/4, w/4), relu4_3 (n, 512, h/8, w/8).
        """
        x = (images - self.mean) / self.deviation
        maps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._ends:
                maps.append(x)
        relu2_2, relu3_3, relu4_3 = maps
        return relu2_2, relu3_3, relu4_3
