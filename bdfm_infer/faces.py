# SPDX-License-Identifier: MIT
"""One face in one picture, and the geometry that tells a face that was read well from one that was not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import alignment
from .network import Reading

FloatArray = NDArray[np.float64]

WELL_ALIGNED: Final = 0.08
"""Largest :func:`misfit` with which a crop's values are taken as they are."""

SETTLED: Final = 0.2
"""Largest :func:`misfit` of a crop that is accepted after all readings: a face draws the crop to itself."""

_MOST_RESIDUAL: Final = 0.18
_MOST_MISFIT: Final = 0.8
_LARGEST: Final = 2.0
_CORNERS: Final = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


@dataclass(frozen=True, slots=True)
class Face:
    """A face as it was read.

    Attributes:
        landmarks: (68, 2) float64, pixels of the picture, iBUG order.
        rotation: (3,) yaw, pitch, roll in degrees; signs as in :mod:`bdfm_infer.parameters`.
        place: (3,) centre x, y and side of the aligned square, pixels of the picture.
        action_units: (23,) intensities in [0, 1], order of ``parameters.AU_NAMES``.
        confidence: 0 to 1.
    """

    landmarks: FloatArray
    rotation: FloatArray
    place: FloatArray
    action_units: FloatArray
    confidence: float

    @property
    def size(self) -> float:
        """Side of the aligned square, pixels."""
        return float(self.place[2])

    def distance(self, place: FloatArray) -> float:
        """How far its centre is from another place (x, y, side), in sides of the larger of the two."""
        return float(np.linalg.norm(self.place[:2] - place[:2])) / max(self.size, float(place[2]), 1e-9)

    def lies_in(self, height: int, width: int) -> bool:
        """Whether its centre is within a picture of that size, and its side at most twice the picture's longer one."""
        x, y, side = self.place
        return bool(0 <= x <= width and 0 <= y <= height and side <= _LARGEST * max(height, width))

    @classmethod
    def from_reading(cls, reading: Reading, matrix: FloatArray) -> Face:
        """A crop's reading in the picture.

        Roll and place are those of the landmarks just read, not of the crop, which may be aligned by an earlier frame.

        Args:
            reading: of the crop.
            matrix: (2, 3), the crop's alignment.
        """
        pixels = alignment.crop_pixels(reading.landmarks.astype(np.float64))
        landmarks = alignment.apply(alignment.invert(matrix), pixels)
        own = alignment.alignment(alignment.five_points(landmarks))
        scale = float(np.hypot(own[0, 0], own[1, 0]))
        middle = np.full(2, (alignment.CROP_SIZE - 1) / 2)
        centre = alignment.apply(alignment.invert(own), middle)
        return cls(
            landmarks=landmarks,
            rotation=np.array([*reading.angles, alignment.roll(own)], np.float64),
            place=np.array([*centre, alignment.CROP_SIZE / scale]),
            action_units=reading.action_units.astype(np.float64),
            confidence=reading.confidence,
        )


def misfit(landmarks: NDArray[np.floating]) -> float:
    """How far the crop's corners would move if it were aligned by the landmarks read in it, in units of its side."""
    again = _alignment_again(landmarks)
    return float(np.linalg.norm(alignment.apply(again, _CORNERS) - _CORNERS, axis=1).max())


def is_plausible(landmarks: NDArray[np.floating]) -> bool:
    """Whether landmarks (68, 2), units of the crop's side, can be those of a face that the crop is aligned to.

    The five points, carried as close as a similarity brings them, lie within 0.18 (root mean square) of their canonical
    places; a frontal face has a residual of 0, one in profile of 0.15, points heaped on one spot of 0.21. And that
    similarity moves no corner of the crop by more than 0.8 of its side.
    """
    if not np.isfinite(landmarks).all():
        return False
    points = alignment.five_points(landmarks.astype(np.float64))
    again = _alignment_again(landmarks)
    residual = alignment.apply(again, points) - alignment.FIVE_POINTS
    return float(np.sqrt((residual**2).sum(1).mean())) <= _MOST_RESIDUAL and misfit(landmarks) <= _MOST_MISFIT


def _alignment_again(landmarks: NDArray[np.floating]) -> FloatArray:
    """The similarity from the crop to the crop aligned anew, both in units of their side."""
    points = alignment.five_points(landmarks.astype(np.float64))
    turn = alignment.alignment(points, size=1)
    return np.c_[turn[:, :2], turn[:, 2] + 0.5]
