# SPDX-License-Identifier: MIT
"""The face detector on a reduced frame: peaks of its score map, each with five points."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .network import session

OUTPUTS: Final = ("score", "points")
"""Of ``detector.onnx``."""

STRIDE: Final = 4
"""Pixels of the network's input a cell of its score map."""

_MULTIPLE: Final = 32
_MOST: Final = 16
_SAME_FACE: Final = 0.5
"""Peaks closer than this part of the larger face's extent are one face."""


class Detector:
    """``detector.onnx``: a grey picture to five points a face. Safe to call from several threads.

    Args:
        model: content of the ONNX file.
        threshold: score from which a peak counts, 0 to 1.
    """

    def __init__(self, model: bytes, threshold: float) -> None:
        self._session: Any = session(model, ("image",), OUTPUTS)
        self._threshold = threshold

    def __call__(self, image: NDArray[np.uint8], longer_side: int) -> list[NDArray[np.float64]]:
        """Find faces in a picture that is first reduced until its longer side is at most ``longer_side``.

        Args:
            image: (h, w) grey or (h, w, 3) BGR uint8.
            longer_side: pixels; a smaller picture is taken as it is.

        Returns:
            Five points (5, 2) of each face in pixels of ``image``, best score first, at most 16.
        """
        height, width = image.shape[:2]
        scale = min(1.0, longer_side / max(height, width))
        small = reduced(image, scale)
        small_height, small_width = small.shape
        padded = cv2.copyMakeBorder(
            small, 0, -small_height % _MULTIPLE, 0, -small_width % _MULTIPLE, cv2.BORDER_REPLICATE
        )
        score, points = self._session.run(OUTPUTS, {"image": padded[None]})
        back = np.array([width / small_width, height / small_height])
        return [(found + 0.5) * back - 0.5 for found in _peaks(score[0], points[0], self._threshold)]


def reduced(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """A grey picture at ``scale`` (at most 1), filtered."""
    if scale < 1.0:
        size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def _peaks(score: NDArray[np.float32], points: NDArray[np.float32], threshold: float) -> list[NDArray[np.float64]]:
    """Five points, pixels of the network's input, at the local maxima of the score map (h, w); best first."""
    neighbourhood = cv2.dilate(score, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((score >= neighbourhood) & (score >= threshold))
    kept: list[NDArray[np.float64]] = []
    for i in np.argsort(-score[rows, columns], kind="stable"):
        row, column = rows[i], columns[i]
        centre = np.array([column + 0.5, row + 0.5]) * STRIDE
        face = points[:, row, column].reshape(5, 2).astype(np.float64) + centre
        if all(np.linalg.norm(face.mean(0) - other.mean(0)) > _SAME_FACE * _extent(face, other) for other in kept):
            kept.append(face)
        if len(kept) == _MOST:
            break
    return kept


def _extent(*faces: NDArray[np.float64]) -> float:
    return max(float(np.ptp(face, axis=0).max()) for face in faces)
