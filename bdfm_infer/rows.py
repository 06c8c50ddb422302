# SPDX-License-Identifier: MIT
"""One frame's values, and the columns of a table that holds them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .parameters import AU_NAMES, ROTATION

FACE: Final = ("face_x", "face_y", "face_size")
VALUES: Final = (*ROTATION, *FACE, *AU_NAMES)
"""The columns that are empty where no face was found."""
COLUMNS: Final = ("frame", "timestamp", "confidence", "success", *VALUES)

FRAMES: Final = (-(2**31), 2**31)
"""Least and highest number of a frame."""
DEGREES: Final = (-720.0, 720.0)
PIXELS: Final = (-1e6, 1e6)
LIMITS: Final = {
    **dict.fromkeys(COLUMNS, (-math.inf, math.inf)),
    "frame": FRAMES,
    **dict.fromkeys(ROTATION, DEGREES),
    **dict.fromkeys(FACE, PIXELS),
    **dict.fromkeys(("confidence", *AU_NAMES), (0, 1)),
}
"""Least and highest number in each column."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """What was read in one frame.

    Attributes:
        frame: number in the source, from 0.
        timestamp: presentation time in the source, seconds.
        confidence: 0 to 1, of the face in this frame.
        rotation: (3,) yaw, pitch, roll in degrees (signs: :mod:`bdfm_infer.parameters`); None without a face.
        face: (3,) centre x, y and size in pixels of the source; None without a face.
        action_units: (23,) intensities in [0, 1]; None without a face.
        file: the image's name where the source is a folder or a list of images.
    """

    frame: int
    timestamp: float
    confidence: float
    rotation: FloatArray | None = None
    face: FloatArray | None = None
    action_units: FloatArray | None = None
    file: str | None = None

    @property
    def success(self) -> bool:
        """Whether a face was found."""
        return self.action_units is not None
