# SPDX-License-Identifier: MIT
"""Faces to paste into pictures: photos with their landmarks and renders with their masks, grey, with five points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.alignment import five_points
from bdfm_train.arrays import Form, read_arrays, write_arrays
from bdfm_train.data.photos import Photo
from bdfm_train.face_model.labels import LABEL, LABELS

Image = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

FACE_HEIGHT: Final = 1.19
"""Height from hairline to chin in heights of the box around the 68 landmarks: the photos' median."""
_FORMS: Final[Mapping[str, Form]] = {
    "images": Form(("n", "s", "s"), np.uint8),
    "labels": Form(("n", "s", "s"), np.uint8, most=len(LABELS) - 1),
    "landmarks": Form(("n", 68, 2), np.float32),
    "yaw": Form(("n",), np.float32, -180.0, 180.0),
}


@dataclass(frozen=True)
class Face:
    """A picture with one face.

    Attributes:
        image: (h, w) uint8 grey.
        mask: (h, w) uint8, 255 on head, hair and neck; None where the picture is a photo.
        points: (5, 2) float32 pixels, the five points of :mod:`bdfm_infer.alignment`.
        outline: (n, 2) float32 pixels, points that the face's ellipse encloses.
        height: pixels from hairline to chin of the upright face.
    """

    image: Image
    mask: Image | None
    points: FloatArray
    outline: FloatArray
    height: float


def spread(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Size of faces by their five points (..., 5, 2): root mean square distance from their mean, pixels."""
    centred = points - points.mean(-2, keepdims=True)
    return np.sqrt((centred**2).sum(-1).mean(-1))


def face_of_photo(photo: Photo) -> Face:
    """A photo as a face to paste."""
    points = five_points(photo.landmarks).astype(np.float32)
    return Face(photo.image, None, points, photo.oval, float(np.ptp(photo.oval[:, 1])))


@dataclass(frozen=True)
class Renders:
    """Renders of heads.

    Attributes:
        images: (n, s, s) uint8 grey.
        labels: (n, s, s) uint8 label maps; what is background is cut away.
        landmarks: (n, 68, 2) float32 pixels.
        yaw: (n,) float32 degrees, -180 to 180.
    """

    images: Image
    labels: Image
    landmarks: FloatArray
    yaw: FloatArray

    @classmethod
    def load(cls, path: Path) -> Renders:
        """Read what :meth:`save` wrote.

        Raises:
            ArraysError: the file is missing, damaged or another one.
        """
        return cls(*read_arrays(path, _FORMS, "file of renders for the detector", "bdfm_train.detector.render"))

    def save(self, path: Path) -> None:
        """Write an .npz.

        Raises:
            ArraysError: it cannot be written.
        """
        write_arrays(path, vars(self))

    def __len__(self) -> int:
        return len(self.images)

    def shows_face(self, index: int) -> bool:
        """Whether the nose and an eye or a brow are in sight: not all under hair, not turned away."""
        seen = set(np.unique(self.labels[index]).tolist())
        around_eyes = {LABEL[name] for name in ("l_eye", "r_eye", "l_brow", "r_brow")}
        return LABEL["nose"] in seen and bool(seen & around_eyes)

    def face(self, index: int) -> Face:
        """One render as a face to paste."""
        landmarks = self.landmarks[index]
        mask = np.where(self.labels[index] != LABEL["background"], 255, 0).astype(np.uint8)
        height = FACE_HEIGHT * float(np.ptp(landmarks[:, 1]))
        return Face(self.images[index], mask, five_points(landmarks).astype(np.float32), landmarks, height)
