# SPDX-License-Identifier: MIT
"""How well G imitates the renderer on pairs never seen (paper, section 2.2).

``python -m bdfm_train generator-eval``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bdfm_infer.alignment import five_points
from bdfm_infer.avatar import SIZE
from bdfm_train.arrays import write_picture
from bdfm_train.face_model.pairs import Pairs
from bdfm_train.networks.generator import Generator, aligned_crops
from bdfm_train.networks.segmentation import SegmentationNetwork
from bdfm_train.training.generator import pictures

WINDOW: Final = 11
DEVIATION: Final = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Likeness:
    """Means over n pairs.

    Attributes:
        ssim: structural similarity, 1 where pictures are equal.
        l1: absolute difference of RGB in [0, 1].
        landmarks: distance of the 68 landmarks that F_seg reads from both pictures, % of the eyes' distance.
    """

    n: int
    ssim: float
    l1: float
    landmarks: float


def ssim(a: Image, b: Image) -> float:
    """Structural similarity (Wang et al. 2004) of two pictures (h, w, c) uint8: mean over pixels and channels.

    Gaussian window of 11 x 11 pixels and deviation 1.5, K1 .01, K2 .03; only where the window lies within the picture.
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _windowed(x), _windowed(y)
    variance_x = _windowed(x * x) - mean_x**2
    variance_y = _windowed(y * y) - mean_y**2
    covariance = _windowed(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    return float((luminance * structure).mean())


def _windowed(x: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = WINDOW // 2
    return cv2.GaussianBlur(x, (WINDOW, WINDOW), DEVIATION)[inside:-inside, inside:-inside]


@torch.no_grad()
def draw(generator: Generator, parameters: NDArray[np.float32]) -> Image:
    """G's pictures (n, 128, 128, 3) uint8 of parameters (n, 269)."""
    parts = [generator(part) for part in torch.from_numpy(parameters).split(64)]
    return (torch.cat(parts) * 255.0 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).numpy()


@torch.no_grad()
def read_landmarks(segmentation: SegmentationNetwork, images: Image) -> NDArray[np.float32]:
    """Landmarks (n, 68, 2) in crop units that F_seg reads off aligned pictures (n, 128, 128, 3) uint8."""
    parts: list[Tensor] = []
    for start in range(0, len(images), 64):
        parts.append(segmentation(aligned_crops(pictures(images[start : start + 64]))).landmarks)
    return torch.cat(parts).numpy()


def likeness(real: Image, drawn: Image, segmentation: SegmentationNetwork) -> Likeness:
    """How much pictures (n, 128, 128, 3) uint8 are like the renders."""
    truth, found = read_landmarks(segmentation, real), read_landmarks(segmentation, drawn)
    corners = five_points(truth)
    eyes = np.maximum(np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1), 0.1)
    distance = np.linalg.norm(found - truth, axis=2).mean(1)
    return Likeness(
        n=len(real),
        ssim=float(np.mean([ssim(a, b) for a, b in zip(real, drawn, strict=True)])),
        l1=float(np.abs(real.astype(np.float32) - drawn).mean() / 255.0),
        landmarks=float((distance / eyes).mean() * 100.0),
    )


def report(generator: Generator, pairs: Pairs, segmentation: SegmentationNetwork) -> str:
    """Likeness of uniform and of realistic faces, a line each; beside it that of a mean picture, to compare with."""
    drawn = draw(generator, pairs.parameters)
    lines = []
    for name, kind in (("uniform", pairs.uniform), ("as faces occur", ~pairs.uniform)):
        real = pairs.images[kind]
        mean = np.repeat((real.mean(0, keepdims=True) + 0.5).astype(np.uint8), len(real), axis=0)
        for what, images in (("G", drawn[kind]), ("mean picture", mean)):
            it = likeness(real, images, segmentation)
            lines.append(
                f"head {pairs.head}, {name}, {it.n} pairs, {what}: SSIM {it.ssim:.3f}, L1 {it.l1:.4f}, "
                f"landmarks {it.landmarks:.2f} % of the eyes' distance"
            )
    return "\n".join(lines)


def write_sheet(generator: Generator, pairs: Pairs, path: Path, columns: int = 12, rows: int = 4) -> None:
    """A sheet of renders with G's pictures below them: in each pair of rows the same faces."""
    n = columns * rows
    drawn = draw(generator, pairs.parameters[:n])
    strips = []
    for start in range(0, min(n, len(drawn)), columns):
        for images in (pairs.images[start : start + columns], drawn[start : start + columns]):
            blank = np.zeros((columns - len(images), SIZE, SIZE, 3), np.uint8)
            strips.append(np.concatenate([*images, *blank], axis=1))
    write_picture(path, np.concatenate(strips)[..., ::-1])
