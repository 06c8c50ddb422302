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

_CLOSE: Final = 0.08
_SETTLED: Final = 0.2
_MOST_MISFIT: Final = 0.8
_MOST_RESIDUAL: Final = 0.18
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


@dataclass(frozen=True, slots=True)
class Fit:
    """How well the landmarks read in a crop agree with the crop's alignment.

    Attributes:
        residual: distance (root mean square) of the five points from their canonical places, once a similarity has
            carried them as close as it can, in units of the crop's side: 0 for a frontal face, 0.15 for one in
            profile, 0.21 for points heaped on one spot.
        misfit: how far a corner of the crop moves at most by that similarity, in units of its side.
    """

    residual: float
    misfit: float

    @classmethod
    def of(cls, landmarks: NDArray[np.floating]) -> Fit:
        """Of landmarks (68, 2) in units of the crop's side; infinite where they are not finite."""
        if not np.isfinite(landmarks).all():
            return cls(np.inf, np.inf)
        points = alignment.five_points(landmarks.astype(np.float64))
        again = alignment.alignment(points, size=1)
        again[:, 2] += 0.5  # from the pixel of a crop of one pixel to units of its side
        off = alignment.apply(again, points) - alignment.FIVE_POINTS
        moves = alignment.apply(again, _CORNERS) - _CORNERS
        return cls(float(np.sqrt((off**2).sum(1).mean())), float(np.sqrt((moves**2).sum(1).max())))

    @property
    def is_plausible(self) -> bool:
        """Whether these can be landmarks of a face to which the crop is about to be aligned."""
        return self.residual <= _MOST_RESIDUAL and self.misfit <= _MOST_MISFIT

    @property
    def is_settled(self) -> bool:
        """Whether the crop has come to rest on the face: a face draws it to itself, other things do not."""
        return self.misfit <= _SETTLED

    @property
    def is_close(self) -> bool:
        """Whether the crop's values can be taken without aligning it again."""
        return self.misfit <= _CLOSE
