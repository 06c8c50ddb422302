# SPDX-License-Identifier: MIT
"""T, the facial representation (paper, section 2.3, Eq. 5): T_i = beta_i A_i(I) C_i(I), or what stands in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from torch import Tensor
from torch.nn import functional

from bdfm_train.face_model.labels import LABEL

from .landmark_network import LandmarkMaps

PARTS: Final[dict[str, tuple[int, tuple[str, ...]]]] = {
    "eyes": (0, ("l_eye", "r_eye")),
    "brows": (0, ("l_brow", "r_brow")),
    "nose": (1, ("nose",)),
    "mouth": (1, ("u_lip", "inner_mouth", "l_lip")),
    "face": (2, ("skin", "ears")),
}
"""Each component's stage of the ResNet, as in the paper, and the classes whose probabilities add up to its mask A_i.

The paper names the classes of the brows alone; those of the silhouette, skin and ears, are our choice.
"""

BETA: Final[dict[str, float]] = {"eyes": 1.0, "brows": 1.0, "nose": 1.0, "mouth": 1.0, "face": 1.0}
"""The weights beta_i; the paper does not print its own."""


@dataclass(frozen=True)
class Representation:
    """T_eyes, T_brows (n, 2w, s/4, s/4), T_nose, T_mouth (n, 4w, s/8, s/8), T_face (n, 8w, s/16, s/16)."""

    eyes: Tensor
    brows: Tensor
    nose: Tensor
    mouth: Tensor
    face: Tensor

    @property
    def local(self) -> tuple[Tensor, ...]:
        """What identity and action units are read from (section 2.4)."""
        return self.eyes, self.nose, self.mouth, self.face

    @property
    def around_brows(self) -> tuple[Tensor, ...]:
        """What the brow style is read from."""
        return (self.brows,)


class ParsedFeatures(Protocol):
    """What T is made of: our own F_seg's features or those of the published one (:mod:`.bisenet`)."""

    @property
    def stages(self) -> tuple[Tensor, Tensor, Tensor]:
        """Maps C_1, C_2, C_3, each half as large as the one before."""

    @property
    def fused(self) -> Tensor:
        """f_gb."""

    @property
    def parsing(self) -> Tensor:
        """Logits of the 14 classes, as large as C_1."""


def described(seen: ParsedFeatures | LandmarkMaps) -> tuple[Tensor, Representation | LandmarkMaps]:
    """What R reads of what a network saw: f_gb and T of F_seg, heat maps and :class:`LandmarkMaps` of a landmark
    network."""
    return (seen.heat, seen) if isinstance(seen, LandmarkMaps) else (seen.fused, represent(seen))


def represent(features: ParsedFeatures) -> Representation:
    """T of what F_seg saw."""
    probabilities = features.parsing.softmax(1)
    parts = {}
    for part, (stage, classes) in PARTS.items():
        feature = features.stages[stage]
        mask = sum(probabilities[:, LABEL[name]] for name in classes)
        assert isinstance(mask, Tensor)
        mask = functional.avg_pool2d(mask[:, None], 2**stage)
        parts[part] = BETA[part] * mask * feature
    return Representation(**parts)
