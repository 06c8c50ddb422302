# SPDX-License-Identifier: MIT
"""Folds of the skin carried over from renders to photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from bdfm_infer.parameters import AU_NAMES, N_AU, base_face
from bdfm_train.data.fold_augmentation import FoldAugmenter
from bdfm_train.data.photos import Photo
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.landmark_fit import LandmarkFit, LandmarkFitter, photo_points
from bdfm_train.face_model.looks import View
from bdfm_train.face_model.render import Renderer

SIDE = 160
BROWS, NOSE, CHIN = ([21, 22], [27, 28], [8, 57])


@dataclass
class Scene:
    """A resting face of head A as if it were a photo, its fit, and what draws folds into it."""

    augmenter: FoldAugmenter
    photo: Photo
    fit: LandmarkFit

    def ratio(self, gained: Mapping[str, float], photo: Photo | None = None, seed: int = 0) -> np.ndarray:
        """What a photo is multiplied by, (h, w)."""
        photo = photo or self.photo
        folded = self.augmenter.fold(photo, self.fit, units(gained), np.random.default_rng(seed))
        np.testing.assert_array_equal(folded.landmarks, photo.landmarks)
        return (folded.image + 1.0) / (photo.image + 1.0)


def units(values: Mapping[str, float]) -> np.ndarray:
    return np.array([values.get(name, 0.0) for name in AU_NAMES], np.float32)


def around(scene: Scene, landmarks: list[int], reach: float = 0.25) -> np.ndarray:
    """Mask (h, w) about the middle of some landmarks, a share of the distance between the eyes wide."""
    points = scene.photo.landmarks
    eyes = np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0))
    rows, columns = np.indices(scene.photo.image.shape)
    x, y = points[landmarks].mean(0)
    return np.hypot(columns - x, rows - y) < reach * eyes


@pytest.fixture(scope="module")
def scene(heads_folder: Path) -> Scene:
    head = Head.load(heads_folder, "a")
    points = photo_points(head)
    render = Renderer(replace(head, landmarks=points), (SIDE, SIDE))(base_face(), view=View())
    grey = cv2.cvtColor(render.image, cv2.COLOR_RGB2GRAY)
    oval = cv2.convexHull(render.landmarks)[:, 0]
    photo = Photo("render.png", grey, render.landmarks, oval)
    return Scene(FoldAugmenter(head), photo, LandmarkFitter(head, points).fit(render.landmarks))


@pytest.mark.parametrize(
    ("unit", "there", "elsewhere"), [("AU04", BROWS, CHIN), ("AU09", NOSE, CHIN), ("AU17", CHIN, NOSE)]
)
def test_a_unit_folds_the_skin_where_it_pulls(scene: Scene, unit: str, there: list[int], elsewhere: list[int]) -> None:
    ratios = [scene.ratio({unit: 1.0}, seed=seed) for seed in range(4)]
    folded, smooth = (np.mean([r[around(scene, p)].std() for r in ratios]) for p in (there, elsewhere))
    assert folded > 0.02 and folded > 3 * smooth
    assert np.mean([r[around(scene, there)].min() for r in ratios]) < 0.9


def test_folds_are_as_deep_as_the_unit_is_strong(scene: Scene) -> None:
    slight, strong = (scene.ratio({"AU04": value})[around(scene, BROWS)].std() for value in (0.3, 1.0))
    assert strong > 2 * slight


def test_a_unit_without_folds_leaves_the_photo_as_it_is(scene: Scene) -> None:
    jaw = scene.augmenter.fold(scene.photo, scene.fit, units({"AU26": 1.0}), np.random.default_rng(0))
    assert jaw is scene.photo
    nothing = scene.augmenter.fold(scene.photo, scene.fit, np.zeros(N_AU, np.float32), np.random.default_rng(0))
    assert nothing is scene.photo


def test_folds_go_with_the_landmarks_and_stay_within_the_face(scene: Scene) -> None:
    photo, by = scene.photo, np.array([6, -4], np.float32)
    shifted = Photo(photo.name, np.roll(photo.image, (-4, 6), (0, 1)), photo.landmarks + by, photo.oval + by)
    here, there = scene.ratio({"AU04": 1.0, "AU09": 1.0}), scene.ratio({"AU04": 1.0, "AU09": 1.0}, shifted)
    inner = np.s_[20:-20, 20:-20]
    assert np.corrcoef(np.roll(here, (-4, 6), (0, 1))[inner].ravel(), there[inner].ravel())[0, 1] > 0.9
    assert np.corrcoef(here[inner].ravel(), there[inner].ravel())[0, 1] < 0.6
    outside = np.ones(photo.image.shape, np.uint8)
    cv2.fillPoly(outside, [np.round(photo.oval).astype(np.int32)], 0)
    np.testing.assert_array_equal(here[outside > 0], 1.0)


def test_dark_skin_folds_by_the_same_ratio(scene: Scene) -> None:
    dark = replace(scene.photo, image=scene.photo.image // 3)
    at = around(scene, BROWS)
    here, there = scene.ratio({"AU04": 1.0})[at], scene.ratio({"AU04": 1.0}, dark)[at]
    assert there.std() == pytest.approx(here.std(), rel=0.2)
