# SPDX-License-Identifier: MIT
"""Photos of training cut out around the face, to be cropped on the device that trains.

``python -m bdfm_train photo-pictures --out FILE.npz`` writes them, so that a machine with a GPU needs no source data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import N_AU
from bdfm_train.arrays import Form, read_arrays, write_arrays
from bdfm_train.errors import ArraysError

from .augment import photo_labels
from .photos import Photo, cut_out

SIZE: Final = 192
"""Side of the pictures, pixels; an aligned crop takes up two thirds of it."""
_FORMS: Final[Mapping[str, Form]] = {
    "images": Form(("n", SIZE, SIZE), np.uint8),
    "landmarks": Form(("n", 68, 2), np.float32),
    "labels": Form(("n", SIZE // 2, SIZE // 2), np.uint8),
    "grades": Form(("n", N_AU), np.float32, least=0.0, unknown=True),
    "origin": Form(("n",), np.int64, least=0),
    "changes": Form(("n", N_AU), np.float32, 0.0, 1.0),
}

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class PhotoPictures:
    """Photos, then photos of changed expression.

    Attributes:
        images: (n, 192, 192) uint8 grey, upright.
        landmarks: (n, 68, 2) float32 pixels.
        labels: (n, 96, 96) uint8 classes that the landmarks give away.
        grades: (n, 23) float32 as judged by eye, NaN where not known; of a changed photo those of its origin.
        origin: (n,) int64 index of the photo before its expression was changed, its own for a photo as it was taken.
        changes: (n, 23) float32 intensities that it shows more than its origin.
    """

    images: NDArray[np.uint8]
    landmarks: FloatArray
    labels: NDArray[np.uint8]
    grades: FloatArray
    origin: NDArray[np.int64]
    changes: FloatArray

    @classmethod
    def of(cls, photos: Sequence[Photo], changed: Sequence[Photo] = ()) -> PhotoPictures:
        """Cut out photos, and photos of changed expression whose origins are among them."""
        index = {photo.name: i for i, photo in enumerate(photos)}
        unknown, unchanged = np.full(N_AU, np.nan, np.float32), np.zeros(N_AU, np.float32)
        cut = [cut_out(photo, SIZE) for photo in (*photos, *changed)]
        grades = [unknown if photo.grades is None else photo.grades for photo in photos]
        origins = [photo.origin for photo in changed if photo.origin is not None]
        from_photos = [index[origin.photo.name] for origin in origins]
        return cls(
            images=np.stack([photo.image for photo in cut]),
            landmarks=np.stack([photo.landmarks for photo in cut]),
            labels=np.stack([photo_labels(photo.landmarks, photo.oval, SIZE) for photo in cut]),
            grades=np.stack([*grades, *(grades[i] for i in from_photos)]),
            origin=np.array([*range(len(photos)), *from_photos], np.int64),
            changes=np.stack([*(unchanged for _ in photos), *(origin.change for origin in origins)]),
        )

    @classmethod
    def load(cls, path: Path) -> PhotoPictures:
        """Read a file.

        Raises:
            ArraysError: it is missing, damaged, or no file of photos.
        """
        pictures = cls(*read_arrays(path, _FORMS, "file of photos", "bdfm_train photo-pictures"))
        if pictures.origin.max() >= len(pictures.origin):
            raise ArraysError(f"{path} names the origin of a photo that it does not hold. Make it again.")
        return pictures

    def save(self, path: Path) -> None:
        """Write the file, compressed; it appears when it is whole.

        Raises:
            ArraysError: it cannot be written.
        """
        write_arrays(path, dict(vars(self)), compressed=True)
