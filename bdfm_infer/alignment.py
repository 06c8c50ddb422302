# SPDX-License-Identifier: MIT
"""Alignment of a face by five points (paper, section 2.3). Used by capture and by training, so that they cannot drift.

Points are pixels, x to the right, y down; pixel centres lie at whole numbers as in OpenCV. "Left" and "right" in the
names of the five points are the picture's; iBUG landmarks 36-41 are the eye at the picture's left.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]

CROP_SIZE: Final = 96
"""Side of the network's input, pixels."""

N_LANDMARKS: Final = 68

FIVE_POINTS: Final = np.array([[0.33, 0.40], [0.67, 0.40], [0.50, 0.58], [0.37, 0.75], [0.63, 0.75]])
"""Where eyes, nose tip and mouth corners lie in an aligned crop, in units of its side. Shape (5, 2)."""

# fmt: off
MIRRORED_LANDMARK: Final = np.array([
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 27, 28, 29, 30,
    35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55,
    64, 63, 62, 61, 60, 67, 66, 65,
])
"""Index of the iBUG landmark that each one becomes in a mirrored picture. Shape (68,)."""
# fmt: on


def five_points(landmarks: FloatArray) -> FloatArray:
    """Eye centres, nose tip and mouth corners, (..., 5, 2), of iBUG landmarks (..., 68, 2)."""
    return np.stack(
        [
            landmarks[..., 36:42, :].mean(-2),
            landmarks[..., 42:48, :].mean(-2),
            landmarks[..., 30, :],
            landmarks[..., 48, :],
            landmarks[..., 54, :],
        ],
        axis=-2,
    )


def alignment(points: FloatArray, size: int = CROP_SIZE) -> NDArray[np.float64]:
    """The similarity that carries five points of a picture onto :data:`FIVE_POINTS` of a crop, by least squares.

    Args:
        points: (5, 2) pixels.
        size: side of the crop, pixels.

    Returns:
        (2, 3) float64 for :func:`cv2.warpAffine`.
    """
    source = np.asarray(points, np.float64)
    target = FIVE_POINTS * size - 0.5
    source_mean, target_mean = source.mean(0), target.mean(0)
    a, b = source - source_mean, target - target_mean
    spread = max(float((a * a).sum()), 1e-9)
    cosine = float((a * b).sum()) / spread
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.c_[turn, target_mean - turn @ source_mean]


def crop(image: NDArray[np.uint8], matrix: FloatArray, size: int = CROP_SIZE) -> NDArray[np.uint8]:
    """The aligned crop of a picture; what lies outside repeats its border. Strong reductions are filtered first.

    Args:
        image: (h, w) or (h, w, 3) uint8.
        matrix: (2, 3) from :func:`alignment`.
        size: side of the crop.
    """
    matrix = np.asarray(matrix, np.float64)
    image, matrix = _around_crop(image, matrix, size)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    while scale < 0.5 and min(image.shape[:2]) >= 4:
        image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        matrix = np.c_[matrix[:, :2] * 2.0, matrix[:, 2] + matrix[:, :2].sum(1) * 0.5]
        scale *= 2.0
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def crop_face(image: NDArray[np.uint8], landmarks: FloatArray, size: int = CROP_SIZE) -> NDArray[np.uint8]:
    """The crop of a picture that its face's landmarks (68, 2), in pixels, align."""
    return crop(image, alignment(five_points(landmarks), size), size)


def _around_crop(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], size: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The part of a picture that a crop can see, and the matrix from it: reductions then cost the face, not the frame.

    The part starts at a multiple of 16 px so that reductions fall on the same grid as those of the whole picture.
    """
    height, width = image.shape[:2]
    corners = apply(invert(matrix), np.array([[0.0, 0.0], [size, 0.0], [0.0, size], [size, size]]))
    margin = 2.0 / max(float(np.hypot(matrix[0, 0], matrix[1, 0])), 1e-9) + 2.0
    left, top = np.clip((corners.min(0) - margin) // 16 * 16, 0, [(width - 1) // 16 * 16, (height - 1) // 16 * 16])
    right, bottom = np.clip((corners.max(0) + margin) // 16 * 16 + 16, [left + 16, top + 16], [width + 16, height + 16])
    part = image[int(top) : int(bottom), int(left) : int(right)]
    return part, np.c_[matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ [left, top]]


def apply(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """Points (..., 2) carried by a (2, 3) affine."""
    return points @ np.asarray(matrix)[:, :2].T + np.asarray(matrix)[:, 2]


def invert(matrix: FloatArray) -> NDArray[np.float64]:
    """The inverse of a (2, 3) affine."""
    return cv2.invertAffineTransform(np.asarray(matrix, np.float64))


def crop_units(pixels: FloatArray, size: int = CROP_SIZE) -> FloatArray:
    """Pixels of a crop to units of its side, 0 to 1 from edge to edge."""
    return (pixels + 0.5) / size


def crop_pixels(units: FloatArray, size: int = CROP_SIZE) -> FloatArray:
    """Inverse of :func:`crop_units`."""
    return units * size - 0.5


def mirror_landmarks(landmarks: FloatArray) -> FloatArray:
    """Landmarks (..., 68, 2) in crop units of the mirrored crop."""
    out = landmarks[..., MIRRORED_LANDMARK, :].copy()
    out[..., 0] = 1.0 - out[..., 0]
    return out


def roll(matrix: FloatArray) -> float:
    """Head roll in degrees that an alignment took out, positive clockwise as the camera sees it."""
    return float(np.degrees(np.arctan2(-matrix[1][0], matrix[0][0])))
