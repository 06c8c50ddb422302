# SPDX-License-Identifier: MIT
"""Photos with their expression changed by a known amount (paper, section 3.1): what photos seldom show. Photos of
training, or held-out ones to measure by.

``python -m bdfm_train changed-photos --heads DIR --out FILE.npz`` writes them, :func:`load_changed_photos` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_train.arrays import Form, read_arrays, write_arrays
from bdfm_train.errors import SourcesError
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.landmark_fit import intensities_of

from .expression_augmentation import ExpressionAugmenter
from .fold_augmentation import FoldAugmenter
from .photos import FACE_OVAL, Origin, Photo, cut_out
from .tongue import put_out_tongue

Range = tuple[float, float]

CHANGES: Final[tuple[tuple[float, Mapping[str, Range]], ...]] = (
    (2.0, {"eye_closed_left": (0.5, 1.0)}),
    (2.0, {"eye_closed_right": (0.5, 1.0)}),
    (1.5, {"eye_closed_left": (0.9, 1.0), "eye_closed_right": (0.9, 1.0)}),
    (1.5, {"jaw_left": (0.4, 1.0), "AU26": (0.0, 0.3)}),
    (1.5, {"jaw_right": (0.4, 1.0), "AU26": (0.0, 0.3)}),
    (2.0, {"AU01": (0.3, 1.0), "AU02": (0.3, 1.0)}),
    (1.0, {"AU01": (0.4, 1.0)}),
    (1.0, {"AU02": (0.4, 1.0)}),
    (1.5, {"AU04": (0.4, 1.0)}),
    (1.0, {"AU05": (0.4, 1.0)}),
    (3.0, {"AU26": (0.15, 0.8), "AU25": (0.1, 0.6)}),
    (2.0, {"AU26": (0.08, 0.4), "AU25": (0.3, 0.8)}),  # as much as a tongue needs to come out
    (1.0, {"AU12": (0.4, 1.0), "AU06": (0.2, 0.6)}),
    (1.0, {"AU15": (0.4, 1.0)}),
    (1.0, {"AU10": (0.4, 1.0)}),
    (1.0, {"AU18": (0.4, 1.0)}),
    (1.5, {"AU20": (0.4, 1.0)}),
    (1.0, {"AU16": (0.4, 1.0), "AU25": (0.0, 0.6)}),
    (2.0, {"AU09": (0.4, 1.0), "AU04": (0.0, 0.5)}),
    (1.5, {"AU09": (0.3, 0.9), "AU10": (0.4, 1.0)}),
    (1.5, {"AU14": (0.4, 1.0)}),
    (1.5, {"AU17": (0.4, 1.0)}),
    (1.0, {"AU06": (0.4, 1.0), "AU07": (0.0, 0.6)}),
    (1.0, {"AU23": (0.4, 1.0)}),
    (1.0, {"AU24": (0.4, 1.0)}),
    (1.0, {"AU04": (0.4, 1.0), "AU07": (0.2, 0.7), "AU24": (0.2, 0.8)}),
    (1.0, {"AU01": (0.4, 1.0), "AU15": (0.3, 0.9), "AU17": (0.2, 0.8)}),
)
"""How often each change is drawn, and the intensities that it adds."""

TONGUE_OUT: Final = 0.5
"""Share, of the pictures whose jaw was dropped, that show the tongue as well."""

SIZE: Final = 144
"""Side of the pictures, pixels; the aligned crop takes up two thirds of it."""
PICTURE_FORMS: Final[Mapping[str, Form]] = {
    "images": Form(("n", SIZE, SIZE), np.uint8),
    "landmarks": Form(("n", 68, 2), np.float32),
    "ovals": Form(("n", len(FACE_OVAL), 2), np.float32),
}
"""Of the pictures in a file of photos made of others."""
_FORMS: Final = {"names": Form(("n",), np.str_), **PICTURE_FORMS, "changes": Form(("n", N_AU), np.float32, 0.0, 1.0)}

FloatArray = NDArray[np.float32]


def changed_photos(head: Head, photos: list[Photo], count: int, seed: int) -> list[Photo]:
    """Each photo ``count`` times with another expression, cut out around the face; ``origin`` says what was changed.

    Args:
        head: whose action units move the landmarks and fold the skin.
        photos: as they were taken.
        count: pictures of each.
        seed: of the changes.
    """
    augmenter, folds, rng = ExpressionAugmenter(head), FoldAugmenter(head), np.random.default_rng(seed)
    weights = np.array([weight for weight, _ in CHANGES])
    made = []
    for photo in photos:
        near = cut_out(photo, SIZE)
        fit = augmenter.fitter.fit(near.landmarks)
        at_first = intensities_of(fit)
        for _ in range(count):
            _, ranges = CHANGES[rng.choice(len(CHANGES), p=weights / weights.sum())]
            change = {name: float(rng.uniform(*span)) for name, span in ranges.items()}
            wanted = at_first.copy()
            for name, value in change.items():
                wanted[AU_NAMES.index(name)] += value
            gained = (np.clip(wanted, 0, 1) - at_first).astype(np.float32)
            folded = folds.fold(augmenter.warp(near, fit, change), fit, gained, rng)
            if "AU26" in change and rng.random() < TONGUE_OUT:
                folded = put_out_tongue(folded, rng)
            made.append(replace(folded, origin=Origin(photo, gained)))
    return made


def save_changed_photos(photos: list[Photo], path: Path) -> None:
    """Write what :func:`changed_photos` made; the file appears when it is whole.

    Raises:
        ArraysError: it cannot be written.
    """
    arrays = {
        "names": np.array([photo.name for photo in photos]),
        "images": np.stack([photo.image for photo in photos]),
        "landmarks": np.stack([photo.landmarks for photo in photos]),
        "ovals": np.stack([photo.oval for photo in photos]),
        "changes": np.stack([photo.origin.change for photo in photos if photo.origin]),
    }
    write_arrays(path, arrays, compressed=True)


def load_changed_photos(path: Path, photos: list[Photo]) -> list[Photo]:
    """Photos of changed expression, each with its origin among ``photos``.

    Raises:
        ArraysError: the file is missing or damaged.
        SourcesError: it was made of other photos.
    """
    by_name = {photo.name: photo for photo in photos}
    rows = read_arrays(path, _FORMS, "file of changed photos", "bdfm_train changed-photos")
    if unknown := sorted({str(name) for name in rows[0]} - by_name.keys()):
        raise SourcesError(f"{path}: {unknown[0]} is none of the photos. Make the file anew, of the same part.")
    return [
        Photo(str(name), image, landmarks, oval, None, Origin(by_name[str(name)], change))
        for name, image, landmarks, oval, change in zip(*rows, strict=True)
    ]
