# SPDX-License-Identifier: MIT
"""Photos warped to other expressions by their 68 landmarks (paper, section 3.1).

How the landmarks move for an action unit is taken from our own head, fitted to the photo. Between them the picture
follows triangle by triangle, so that a lid can close over the eye and lips can meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, cKDTree

from bdfm_infer.parameters import AU_NAMES
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.landmark_fit import LandmarkFit, LandmarkFitter, intensities_of, photo_points
from bdfm_train.face_model.raster import FAR, Seen, rasterize

from .photos import Photo

Floats = NDArray[np.float64]

_SAME: Final = 0.08
"""Share of the distance between the eyes within which a point of the face's outline goes with a landmark."""
_BORDER: Final = np.array([[0, 0], [0.5, 0], [1, 0], [0, 0.5], [1, 0.5], [0, 1], [0.5, 1], [1, 1]])
"""Points that stay where they are, shares of the picture's width and height."""
_INNER_LIPS: Final = slice(60, 68)
_EYES_AND_LIPS: Final = (slice(36, 42), slice(42, 48), slice(48, 60))
_FACING: Final = np.array([[37, 41], [38, 40], [43, 47], [44, 46], [61, 67], [62, 66], [63, 65]])
"""Landmarks of lids and inner lips that lie above each other."""
_SMOOTH: Final = 0.07
"""Share of the distance between the eyes over which the folds between triangles are smoothed."""
_SHADE: Final = 0.75
"""How much of the light is lost in a mouth that the photo shows closed."""


class ExpressionAugmenter:
    """Warps photos.

    Args:
        head: whose action units move the landmarks.
    """

    def __init__(self, head: Head) -> None:
        self.fitter = LandmarkFitter(head, photo_points(head))

    def displacement(self, fit: LandmarkFit, change: Mapping[str, float]) -> Floats:
        """How the landmarks of a fitted head move, (68, 2) pixels.

        Args:
            fit: of ``self.fitter``.
            change: intensities to add by action unit; what the fit found and this together stay within 0..1.
        """
        intensities = intensities_of(fit)
        for name, value in change.items():
            intensities[AU_NAMES.index(name)] += value
        return self.fitter.landmarks(fit, np.clip(intensities, 0, 1)) - self.fitter.landmarks(fit, intensities_of(fit))

    def warp(self, photo: Photo, fit: LandmarkFit, change: Mapping[str, float]) -> Photo:
        """The photo with its expression changed; nothing is known of its action units by eye.

        Args:
            photo: uint8 (h, w) or (h, w, 3).
            fit: of ``self.fitter`` to its landmarks.
            change: as in :meth:`displacement`.
        """
        source = photo.landmarks.astype(np.float64)
        target = _closed(source + self.displacement(fit, change), source)
        moved = move_landmarks(photo, target)
        return replace(moved, image=_shade_mouth(moved.image, source[_INNER_LIPS], target[_INNER_LIPS]))


def move_landmarks(photo: Photo, target: Floats) -> Photo:
    """The photo warped so that its landmarks come to lie at ``target``, (68, 2) pixels; its outline goes with them.

    Nothing is known of its action units by eye then.
    """
    source = photo.landmarks.astype(np.float64)
    eyes = float(np.linalg.norm(source[36:42].mean(0) - source[42:48].mean(0)))
    distance, nearest = cKDTree(source[:17]).query(photo.oval)
    on_outline = distance < _SAME * eyes
    oval = photo.oval + np.where(on_outline[:, None], (target - source)[nearest], 0)

    height, width = photo.image.shape[:2]
    still = np.concatenate([photo.oval[~on_outline], _BORDER * [width - 1, height - 1]])
    moves = _triangle_by_triangle(np.concatenate([source, still]), np.concatenate([target, still]), (height, width))
    moves = _smoothed(moves, target, _SMOOTH * eyes)
    grid = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), axis=2)
    image = cv2.remap(photo.image, grid + moves, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Photo(photo.name, image, target.astype(np.float32), oval.astype(np.float32))


def _triangle_by_triangle(source: Floats, target: Floats, shape: tuple[int, int]) -> NDArray[np.float32]:
    """From each pixel to where it comes from, (h, w, 2), when points (n, 2) move from source to target."""
    middle = (source + target) / 2  # lips apart in either picture are apart here
    triangles = Delaunay(middle, qhull_options="QJ").simplices
    edges = middle[triangles[:, 1:]] - middle[triangles[:, :1]]
    clockwise = edges[:, 0, 0] * edges[:, 1, 1] > edges[:, 1, 0] * edges[:, 0, 1]
    triangles[clockwise] = triangles[clockwise][:, ::-1]
    triangles = triangles.astype(np.int32)

    at = np.column_stack([target + 0.5, np.zeros(len(target))]).astype(np.float32)
    index, weights = np.full(shape, -1, np.int32), np.zeros((*shape, 2), np.float32)
    rasterize(at, triangles, np.full(shape, FAR), Seen(index, weights))
    moves = (source - target)[triangles[index]]
    w1, w2 = weights[..., :1], weights[..., 1:]
    between = (1 - w1 - w2) * moves[..., 0, :] + w1 * moves[..., 1, :] + w2 * moves[..., 2, :]
    between[index < 0] = 0
    return between.astype(np.float32)


def _closed(target: Floats, source: Floats) -> Floats:
    """Target landmarks in which lids and lips meet halfway where the move has carried one past the other."""
    down = source[8] - source[36:48].mean(0)
    crossed = _FACING[((target - source)[_FACING[:, 1]] - (target - source)[_FACING[:, 0]]) @ down < 0]
    crossed = crossed[(target[crossed[:, 1]] - target[crossed[:, 0]]) @ down < 0]
    target = target.copy()
    target[crossed] = target[crossed].mean(1, keepdims=True)
    return target


def _smoothed(moves: NDArray[np.float32], target: Floats, width: float) -> NDArray[np.float32]:
    """Moves (h, w, 2) without folds, except at eyes and lips, whose edges are to stay sharp."""
    sharp = np.zeros(moves.shape[:2], np.float32)
    for part in _EYES_AND_LIPS:
        cv2.fillConvexPoly(sharp, cv2.convexHull(np.round(target[part]).astype(np.int32)), 1.0)
    sharp = cv2.GaussianBlur(cv2.dilate(sharp, np.ones((5, 5))), (0, 0), 2.0)[..., None]
    return moves * sharp + cv2.GaussianBlur(moves, (0, 0), width) * (1 - sharp)


def _shade_mouth(image: NDArray[np.uint8], source: Floats, target: Floats) -> NDArray[np.uint8]:
    """Darken the inner mouth by the share of its opening that the warp has made; inner lips (8, 2) before and after."""
    before, after = (float(np.linalg.norm(lips[1:4] - lips[7:4:-1], axis=1).mean()) for lips in (source, target))
    made = 1 - before / max(after, 1e-6)
    if made <= 0:
        return image
    mask = np.zeros(image.shape[:2], np.float32)
    cv2.fillPoly(mask, [np.round(target * 16).astype(np.int32)], 1.0, shift=4)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.0) * (made * _SHADE)
    return (image * (1 - mask.reshape(*mask.shape, *[1] * (image.ndim - 2))) + 0.5).astype(np.uint8)
