# SPDX-License-Identifier: MIT
"""Photos composed of two: brows and eyes of one, mouth and chin of another, as judged in either.

Faces show together what goes together, and a reader may learn to read one off the other. Composed photos show both
apart, on people that nobody is: what is read of brows there is read off brows.

``python -m bdfm_train composed-photos --out FILE.npz`` writes them for ``held-out --composed``,
:func:`load_composed_photos` reads them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer import alignment
from bdfm_infer.parameters import AU_NAMES, EYES
from bdfm_train.arrays import Form, read_arrays, write_arrays
from bdfm_train.errors import SourcesError

from .changed_photos import PICTURE_FORMS, SIZE
from .expression_augmentation import move_landmarks
from .judgements import GradedChoice
from .photos import Photo, cut_out

FloatArray = NDArray[np.float32]

UPPER: Final = ("AU01", "AU02", "AU04", "AU05", "AU07", *EYES)
"""Action units that the upper photo decides."""
ACROSS: Final = ("AU06", "AU09")
"""Those that show in both halves: absent where they are absent in both, else not known."""

CANDIDATES: Final = 16
"""Lower photos of which the one is taken whose head is turned most like the upper one's."""

TURNED_ALIKE: Final = 1.2
"""Largest difference of two such heads, pixels between landmarks of the eyes and nose laid over each other."""

_TRIES: Final = 20
"""Draws for each picture, after which there are too few heads turned alike."""

_RIGID: Final = np.array([*range(27, 36), 36, 39, 42, 45])
"""Landmarks that move with the head, and little with expressions."""
_LOWER_SHARE: Final = np.zeros(68)
"""How far each landmark goes with the lower photo."""
_LOWER_SHARE[[1, 2, 14, 15]] = 0.2, 0.6, 0.6, 0.2
_LOWER_SHARE[3:14] = 1.0
_LOWER_SHARE[29:36] = 0.15, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5
_LOWER_SHARE[48:] = 1.0
_INWARD: Final = 0.06
"""How far within the outline of the jaw the lower face ends, of the way to the mouth."""


def composed_photos(photos: list[Photo], count: int, seed: int) -> list[Photo]:
    """Photos composed of two of those that were judged, cut out around the face.

    Args:
        photos: as they were taken.
        count: pictures to make.
        seed: of what is drawn. Expressions of either half come often (:class:`~.judgements.GradedChoice`).

    Raises:
        SourcesError: too few photos were judged, or turn their heads alike.
    """
    judged = [(cut_out(photo, SIZE), photo.grades) for photo in photos if photo.grades is not None]
    too_few = SourcesError(f"{len(photos)} photos: too few were judged and turn their heads alike to compose {count}.")
    if not judged:
        raise too_few
    cut, grades = [photo for photo, _ in judged], np.stack([grade for _, grade in judged])
    in_upper = np.isin(AU_NAMES, UPPER)
    upper_choice, lower_choice = (GradedChoice(np.where(half, grades, np.nan)) for half in (in_upper, ~in_upper))
    rng = np.random.default_rng(seed)
    made: list[Photo] = []
    for _ in range(_TRIES * count):
        if len(made) == count:
            return made
        upper = upper_choice.draw(rng)
        others = [i for i in (lower_choice.draw(rng) for _ in range(CANDIDATES)) if i != upper]
        lower = min(others, key=lambda i: _difference(cut[upper], cut[i]), default=upper)
        if lower != upper and turned_alike(cut[upper], cut[lower]):
            made.append(replace(compose(cut[upper], cut[lower]), grades=composed_grades(grades[upper], grades[lower])))
    raise too_few


def compose(upper: Photo, lower: Photo) -> Photo:
    """The upper photo with mouth, cheeks and chin of the lower one, in its own light; nothing is known of its action
    units.

    Args:
        upper, lower: of the same size, landmarks within the picture.
    """
    size = upper.image.shape[::-1]
    matrix, _ = cv2.estimateAffinePartial2D(lower.landmarks[_RIGID], upper.landmarks[_RIGID], method=cv2.LMEDS)
    image = cv2.warpAffine(lower.image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    landmarks, oval = (alignment.apply(matrix, points) for points in (lower.landmarks, lower.oval))
    placed = Photo(lower.name, image, landmarks.astype(np.float32), oval.astype(np.float32))
    first = upper.landmarks.astype(np.float64)
    target = first + _LOWER_SHARE[:, None] * (landmarks - first)
    base, face = move_landmarks(upper, target), move_landmarks(placed, target)
    mask = _lower_face(target, upper.image.shape)
    x, y, width, height = cv2.boundingRect(mask)
    source, destination = (cv2.cvtColor(photo.image, cv2.COLOR_GRAY2BGR) for photo in (face, base))
    blended = cv2.seamlessClone(source, destination, mask, (x + width // 2, y + height // 2), cv2.NORMAL_CLONE)
    return replace(base, name=f"{upper.name}+{lower.name}", image=blended[..., 0].copy())


def composed_grades(upper: FloatArray, lower: FloatArray) -> FloatArray:
    """Grades (23,) of a photo composed of two with these, NaN where not known."""
    grades = np.where(np.isin(AU_NAMES, UPPER), upper, lower)
    absent = (upper == 0) & (lower == 0)
    return np.where(np.isin(AU_NAMES, ACROSS) & ~absent, np.nan, grades).astype(np.float32)


def turned_alike(upper: Photo, lower: Photo) -> bool:
    """Whether two heads, cut out as :func:`composed_photos` does, are turned so alike that they can be composed."""
    return _difference(upper, lower) <= TURNED_ALIKE


def _difference(upper: Photo, lower: Photo) -> float:
    """How differently two heads are turned, in the units of :data:`TURNED_ALIKE`."""
    here, there = (photo.landmarks[_RIGID] - photo.landmarks[_RIGID].mean(0) for photo in (upper, lower))
    return float(np.abs(here - there).mean())


def _lower_face(landmarks: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """255 from below the lids to within the jaw's outline, 0 elsewhere."""
    jaw = landmarks[2:15] + _INWARD * (landmarks[48:60].mean(0) - landmarks[2:15])
    below_lids = [(landmarks[a] + landmarks[b]) / 2 for a, b in ((46, 35), (40, 31))]
    outline = np.stack([*jaw, below_lids[0], landmarks[29], below_lids[1]])
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 255)
    mask[:2], mask[-2:], mask[:, :2], mask[:, -2:] = 0, 0, 0, 0
    return mask


def save_composed_photos(photos: list[Photo], path: Path) -> None:
    """Write what :func:`composed_photos` made; the file appears when it is whole.

    Raises:
        ArraysError: it cannot be written.
    """
    arrays = {
        "names": np.array([photo.name.split("+") for photo in photos]),
        "images": np.stack([photo.image for photo in photos]),
        "landmarks": np.stack([photo.landmarks for photo in photos]),
        "ovals": np.stack([photo.oval for photo in photos]),
    }
    write_arrays(path, arrays, compressed=True)


def load_composed_photos(path: Path, photos: list[Photo]) -> list[Photo]:
    """Composed photos, graded as those of ``photos`` are that they were composed of.

    Raises:
        ArraysError: the file is missing or damaged.
        SourcesError: it was made of other photos.
    """
    forms = {"names": Form(("n", 2), np.str_), **PICTURE_FORMS}
    names, *rows = read_arrays(path, forms, "file of composed photos", "bdfm_train composed-photos")
    grades = {photo.name: photo.grades for photo in photos if photo.grades is not None}
    if unknown := sorted({str(name) for name in names.ravel()} - grades.keys()):
        raise SourcesError(f"{path}: {unknown[0]} is no judged photo of this part. Make the file anew.")
    return [
        Photo(f"{upper}+{lower}", image, landmarks, oval, composed_grades(grades[str(upper)], grades[str(lower)]))
        for (upper, lower), image, landmarks, oval in zip(names, *rows, strict=True)
    ]
