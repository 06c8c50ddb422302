# SPDX-License-Identifier: MIT
"""The face reader: F_seg (paper, section 2.3), and beside the paper a plain head on its embedding and landmarks for
pose and action units, and the confidence."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.alignment import CROP_SIZE, N_LANDMARKS
from bdfm_infer.parameters import N_AU, N_POSE
from bdfm_train.errors import CheckpointError

from .regressor import ParameterRegressor, RegressorInputs
from .representation import described
from .segmentation import FaceFeatures, SegmentationNetwork, in_full_precision, normalise

_HIDDEN = 384
"""Of the plain head's two hidden layers."""
_CELL = 32
"""Side, in pixels of the crop, of a cell that the last stage and f_gb are pooled to for the confidence."""


@dataclass(frozen=True)
class Reading:
    """What is read from n crops.

    Attributes:
        features: what F_seg sees.
        parameters: (n, 25) pose and action unit parameters, not clipped.
        confidence: (n,) logit that the crop shows an aligned face.
    """

    features: FaceFeatures
    parameters: Tensor
    confidence: Tensor


class FaceReader(nn.Module):
    """F_seg with the plain head.

    Args:
        width: channels of F_seg's first stage.
        blocks: residual blocks of its four stages.
        crop_size: side of the input, a multiple of 32.
    """

    def __init__(self, width: int, blocks: tuple[int, int, int, int], crop_size: int) -> None:
        super().__init__()
        self.crop_size = crop_size
        self.segmentation = SegmentationNetwork(width, blocks, crop_size)
        inputs = SegmentationNetwork.EMBEDDING + 2 * N_LANDMARKS
        self.head = nn.Sequential(
            nn.Linear(inputs, _HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, N_POSE + N_AU),
        )
        inputs += (8 * width + self.segmentation.fused_channels) * (crop_size // _CELL) ** 2
        self.face = nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, crops: Tensor) -> Reading:
        """Reading of normalised crops (n, 1, s, s)."""
        features = self.segmentation(crops)
        with in_full_precision(crops):
            parameters = self.head(joined(features).float())
        return Reading(features, parameters, self.confidence(features))

    def confidence(self, features: FaceFeatures) -> Tensor:
        """Logit (n,) that what F_seg saw is an aligned face."""
        return self.face(evidence(features))[:, 0]


def evidence(features: FaceFeatures) -> Tensor:
    """What the confidence is read from, (n, k): embedding, landmarks, the last stage and f_gb, both pooled."""
    pooled = [functional.avg_pool2d(x, _CELL // step) for x, step in ((features.stages[2], 16), (features.fused, 4))]
    return torch.cat([joined(features), *(x.flatten(1) for x in pooled)], 1)


def joined(features: FaceFeatures) -> Tensor:
    return torch.cat([features.embedding, (features.landmarks - 0.5).flatten(1)], 1)


class ExportedReader(nn.Module):
    """The reader as ``bdfm_infer`` runs it: uint8 crops in, landmarks, pose, action units and confidence out.

    Args:
        reader: trained.
        regressor: R; pose and action units are then the mean of what it and the plain head read.

    Raises:
        CheckpointError: R was trained on another network than F_seg of this size, such as a landmark network.
    """

    def __init__(self, reader: FaceReader, regressor: ParameterRegressor | None = None) -> None:
        super().__init__()
        fused = reader.segmentation.fused_channels
        if regressor is not None and regressor.inputs != RegressorInputs.of_t(fused // 2, fused):
            raise CheckpointError(
                "R reads another network than this reader's F_seg. Name R's checkpoint of this reader."
            )
        self.reader, self.regressor = reader, regressor

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Crops (n, 96, 96) uint8 to landmarks (n, 68, 2), pose (n, 2), action units (n, 23) and confidence (n,)."""
        normal = normalise(crops)
        if (size := self.reader.crop_size) != CROP_SIZE:
            normal = functional.interpolate(normal, size=(size, size), mode="bilinear", align_corners=False)
        reading = self.reader(normal)
        parameters = reading.parameters
        if self.regressor is not None:
            by_r = self.regressor.performance(*described(reading.features))
            parameters = (parameters + by_r) / 2
        parameters = parameters.clamp(0.0, 1.0)
        return (
            reading.features.landmarks,
            parameters[:, :N_POSE],
            parameters[:, N_POSE:],
            reading.confidence.sigmoid(),
        )
