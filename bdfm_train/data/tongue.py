# SPDX-License-Identifier: MIT
"""A tongue put out on photos of an open mouth: the heads put out none, and a network takes one for the lower lip."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .photos import Photo

_ROOM: Final = 0.12
"""Least gap of the lips through which a tongue comes, of the mouth's width inside."""
_HALF_WIDTH: Final = (0.3, 0.5)
"""Of the mouth's width inside."""
_BEYOND: Final = (-0.1, 0.8)
"""How far the tip reaches below the lower lip, of the mouth's width inside."""
_TONE: Final = (0.85, 1.4)
"""Brightness, of the lips'."""
_ROUND: Final = 0.55
"""Where the sides begin to run together, of the length."""

Floats = NDArray[np.float64]


def put_out_tongue(photo: Photo, rng: np.random.Generator) -> Photo:
    """The photo with its tongue out; unchanged where its mouth is not open.

    Args:
        photo: uint8 (h, w).
        rng: draws length, width and tone.
    """
    points = photo.landmarks.astype(np.float64)
    across = points[64] - points[60]
    width, gap = float(np.linalg.norm(across)), float(np.linalg.norm(points[66] - points[62]))
    if gap < _ROOM * width:
        return photo
    down = points[8] - points[33]
    down, across = down / np.linalg.norm(down), across / width
    root = points[62] + rng.uniform(0.2, 0.6) * (points[66] - points[62])
    half = rng.uniform(*_HALF_WIDTH) * width
    length = float((points[57] - root) @ down) + rng.uniform(*_BEYOND) * width
    height, columns = photo.image.shape
    way = np.stack(np.meshgrid(np.arange(columns), np.arange(height)), axis=2) - root
    along, aside = way @ down / length, way @ across / half
    inside = np.clip((_outline(along) - np.abs(aside)) * half + 0.5, 0, 1)
    lips = np.zeros(photo.image.shape, np.uint8)
    cv2.fillPoly(lips, [np.round(points[48:60]).astype(np.int32)], 1)
    cv2.fillPoly(lips, [np.round(points[60:68]).astype(np.int32)], 0)
    tone = rng.uniform(*_TONE) * float(photo.image[lips > 0].mean() if lips.any() else photo.image.mean())
    shade = (0.7 + 0.3 * np.clip(2 * along, 0, 1)) * (1 - 0.25 * aside**2) - 0.15 * np.exp(-((aside / 0.15) ** 2))
    shadow = 1 - 0.3 * cv2.GaussianBlur(np.roll(inside, round(0.1 * width), 0), (0, 0), max(0.5, 0.08 * width))
    image = photo.image * shadow * (1 - inside) + tone * shade * inside
    return replace(photo, image=np.clip(image + 0.5, 0, 255).astype(np.uint8))


def _outline(along: Floats) -> Floats:
    """Half of the tongue's width at shares of its length, of the widest; below 0 where there is none."""
    rounded = 1 - (np.clip(along - _ROUND, 0, None) / (1 - _ROUND)) ** 2
    return np.where((along < 0) | (rounded <= 0), -1.0, np.sqrt(np.clip(rounded, 0, None)))
