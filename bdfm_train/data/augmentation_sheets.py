# SPDX-License-Identifier: MIT
"""Sheets of augmented photos to look at: ``python -m bdfm_train augmentation-sheets --heads DIR --out DIR``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_NAMES
from bdfm_train.arrays import write_picture
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.sheets import grid, tag

from .changed_photos import SIZE
from .composed_photos import compose, turned_alike
from .expression_augmentation import ExpressionAugmenter
from .fold_augmentation import FoldAugmenter
from .photos import Photo, cut_out
from .pose_augmentation import PoseAugmenter

TURNS: Final = ((-45, 0), (-30, 0), (-15, 0), (15, 0), (30, 0), (45, 0), (0, 15), (0, -15))
"""Degrees of yaw and pitch that each column adds."""
EXPRESSIONS: Final[Mapping[str, Mapping[str, float]]] = {
    "smile": {"AU06": 0.5, "AU12": 0.8},
    "surprise": {"AU01": 0.7, "AU02": 0.7, "AU05": 0.6, "AU25": 0.3, "AU26": 0.5},
    "sadness": {"AU01": 0.7, "AU15": 0.8, "AU17": 0.4},
    "anger": {"AU04": 0.9, "AU07": 0.5, "AU24": 0.5},
    "disgust": {"AU09": 0.8, "AU10": 0.6},
    "pucker": {"AU18": 0.9},
    "jaw aside": {"jaw_left": 0.9},
    "eyes closed": {"eye_closed_left": 1.0, "eye_closed_right": 1.0},
}
"""Action units that each column adds to what the fit found."""
ROWS: Final = 8

Image = NDArray[np.uint8]


def write_sheets(head: Head, photos: list[Photo], folder: Path) -> list[Path]:
    """Write sheets of photos turned, with other expressions, and composed of two; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    pose, expression, folds = PoseAugmenter(head), ExpressionAugmenter(head), FoldAugmenter(head)
    paths = []
    for start in range(0, len(photos), ROWS):
        part = photos[start : start + ROWS]
        sheets = {
            "turned": [tile for photo in part for tile in _turned(pose, photo)],
            "expressions": [tile for photo in part for tile in _expressions(expression, folds, photo)],
            "composed": list(_composed([cut_out(photo, SIZE) for photo in part])),
        }
        for name, tiles in sheets.items():
            paths.append(folder / f"{name}_{start // ROWS}.png")
            write_picture(paths[-1], grid(tiles, len(tiles) // len(part))[..., ::-1])
    return paths


def _turned(augmenter: PoseAugmenter, photo: Photo) -> Iterable[Image]:
    fit = augmenter.fitter.fit(photo.landmarks)
    yaw, pitch, _ = fit.camera.rotation
    yield tag(_marked(photo), f"yaw {yaw:.0f} pitch {pitch:.0f}")
    for turn in TURNS:
        turned = augmenter.turn(photo, fit, *turn)
        yield tag(_marked(turned.photo), f"yaw {turned.yaw:.0f} pitch {turned.pitch:.0f}")


def _expressions(augmenter: ExpressionAugmenter, folds: FoldAugmenter, photo: Photo) -> Iterable[Image]:
    fit = augmenter.fitter.fit(photo.landmarks)
    rng = np.random.default_rng(0)
    yield _marked(photo)
    for name, change in EXPRESSIONS.items():
        gained = np.array([change.get(unit, 0.0) for unit in AU_NAMES], np.float32)
        yield tag(_marked(folds.fold(augmenter.warp(photo, fit, change), fit, gained, rng)), name)


def _composed(photos: list[Photo]) -> Iterable[Image]:
    """Each photo with the mouth of each whose head is turned alike; with its own it is as it was."""
    for upper, lower in itertools.product(photos, photos):
        if lower is upper:
            yield _marked(upper)
        elif turned_alike(upper, lower):
            yield _marked(compose(upper, lower))
        else:
            yield np.zeros((SIZE, SIZE, 3), np.uint8)


def _marked(photo: Photo) -> Image:
    """A photo in colour with small dots at its landmarks."""
    image = cv2.cvtColor(photo.image, cv2.COLOR_GRAY2RGB)
    for x, y in np.round(photo.landmarks).astype(int):
        if 0 <= x < image.shape[1] and 0 <= y < image.shape[0]:
            image[y, x] = 0, 255, 0
    return image
