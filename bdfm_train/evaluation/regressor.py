# SPDX-License-Identifier: MIT
"""What R (paper, section 2.4) is worth without the plain head: on renders, and on photos judged by eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bdfm_infer.parameters import (
    AU_NAMES,
    AU_SLICE,
    IDENTITY_BASE,
    IDENTITY_SLICE,
    POSE_SLICE,
    degrees_from_parameter,
    intensity_from_parameter,
)
from bdfm_train.data.photos import Photo, aligned_crops, crop_faces
from bdfm_train.data.shards import Shard
from bdfm_train.errors import MeasureError
from bdfm_train.networks.representation import described
from bdfm_train.networks.segmentation import normalise

from .datasets.labels import STRONGEST
from .statistics import auc, icc31, mean_absolute_error

CLEAR: Final = 2
"""Grade from which a judged photo counts as showing an action unit; those of grade 0 count as not showing it."""
LEAST: Final = 5
"""Photos that must show a unit, and that must not, for its AUC to be told."""
_BATCH: Final = 64

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Figures:
    """R's figures. Those on renders are means over the action units, then over the sets of renders.

    Attributes:
        icc: ICC(3,1) of action units on renders.
        correlation: Pearson's, likewise.
        mae: mean absolute error of their intensities, 0 to 5.
        degrees: mean absolute error of yaw and pitch on renders.
        identity: correlation of all identity values, less their base, on renders of head A; NaN without such.
        auc: mean over the units that enough held-out photos show.
        units: how many those are.
    """

    icc: float
    correlation: float
    mae: float
    degrees: float
    identity: float
    auc: float
    units: int


@torch.no_grad()
def read(segmentation: nn.Module, regressor: nn.Module, crops: NDArray[np.uint8]) -> FloatArray:
    """R's parameters (n, 269), cut to [0, 1], of aligned crops (n, s, s)."""
    regressor.eval()
    device = next(regressor.parameters()).device
    parts = []
    for part in torch.from_numpy(crops).split(_BATCH):
        seen = segmentation(normalise(part.to(device)))
        parts.append(regressor(*described(seen)).clamp(0.0, 1.0).cpu())
    return torch.cat(parts).numpy()


def measure(
    segmentation: nn.Module, regressor: nn.Module, size: int, renders: list[Shard], photos: list[Photo]
) -> Figures:
    """R's figures.

    Args:
        segmentation: F_seg or the landmark network that R reads, on R's device.
        regressor: R.
        size: side of F_seg's input.
        renders: of identities never trained on.
        photos: judged ones, never trained on.

    Raises:
        MeasureError: there are no renders.
    """
    if not renders:
        raise MeasureError("R is measured on renders; name a shard of held-out ones.")
    rows, identities = [], []
    for shard in renders:
        crops = crop_faces(shard.images, shard.landmarks, size)
        found, truth = read(segmentation, regressor, crops), shard.parameters.astype(np.float32)
        rows.append(_on_renders(found, truth))
        if shard.head == "a":
            ours, theirs = (y[:, IDENTITY_SLICE].ravel() - IDENTITY_BASE for y in (found, truth))
            identities.append(float(np.corrcoef(ours, theirs)[0, 1]))
    identity = float(np.mean(identities)) if identities else float("nan")
    icc, correlation, mae, degrees = np.mean(rows, axis=0).tolist()
    aucs = _on_photos(read(segmentation, regressor, aligned_crops(photos, size)), photos) if photos else []
    return Figures(icc, correlation, mae, degrees, identity, float(np.mean(aucs)) if aucs else float("nan"), len(aucs))


def _on_renders(found: FloatArray, truth: FloatArray) -> tuple[float, float, float, float]:
    """ICC(3,1), Pearson's correlation and error of action units, error of pose in degrees."""
    ours, theirs = (intensity_from_parameter(y[:, AU_SLICE]) * STRONGEST for y in (found, truth))
    columns = list(zip(theirs.T, ours.T, strict=True))
    angles = (degrees_from_parameter(y[:, POSE_SLICE]) for y in (found, truth))
    return (
        float(np.nanmean([icc31(t, o) for t, o in columns])),
        float(np.mean([np.corrcoef(t, o)[0, 1] for t, o in columns if np.ptp(t) > 0 and np.ptp(o) > 0] or [0.0])),
        mean_absolute_error(theirs.ravel(), ours.ravel()),
        mean_absolute_error(*(a.ravel() for a in angles)),
    )


def _on_photos(found: FloatArray, photos: list[Photo]) -> list[float]:
    """AUC of each action unit that enough of the judged photos show."""
    unknown = np.full(len(AU_NAMES), np.nan, np.float32)
    grades = np.stack([unknown if photo.grades is None else photo.grades for photo in photos])
    values = []
    for unit in range(len(AU_NAMES)):
        told = (grades[:, unit] >= CLEAR) | (grades[:, unit] == 0)
        truth = grades[told, unit] >= CLEAR
        if truth.sum() >= LEAST and (~truth).sum() >= LEAST:
            values.append(auc(truth, found[told, AU_SLICE.start + unit]))
    return values
