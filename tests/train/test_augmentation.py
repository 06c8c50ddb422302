# SPDX-License-Identifier: MIT
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from bdfm_infer.parameters import base_face
from bdfm_train.data import changed_photos
from bdfm_train.data.augmentation_sheets import write_sheets
from bdfm_train.data.expression_augmentation import ExpressionAugmenter
from bdfm_train.data.photos import Photo
from bdfm_train.data.pose_augmentation import PoseAugmenter
from bdfm_train.errors import FitError
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.landmark_fit import intensities_of, photo_points
from bdfm_train.face_model.looks import View
from bdfm_train.face_model.render import Renderer
from bdfm_train.face_model.sampler import Sampler

SIDE = 160


@dataclass
class Scene:
    """Head A, a renderer whose landmarks lie where those of photos do, and both augmenters."""

    head: Head
    renderer: Renderer
    pose: PoseAugmenter
    expression: ExpressionAugmenter

    def photo(self, yaw: float = 0.0, pitch: float = 0.0, seed: int | None = None) -> Photo:
        """A render as if it were a photo; the base face or a random one."""
        y = base_face()
        if seed is not None:
            y, _ = Sampler(self.head, None, np.random.default_rng(seed)).parameters()
        render = self.renderer(y, view=View(rotation=(yaw, pitch, 0.0)))
        grey = cv2.cvtColor(render.image, cv2.COLOR_RGB2GRAY)
        oval = render.landmarks[[*range(17), *range(26, 16, -1), *[17] * 9]]  # along jaw and brows
        return Photo("render.png", grey, render.landmarks.astype(np.float32), oval.astype(np.float32))


@pytest.fixture(scope="module")
def scene(heads_folder: Path) -> Scene:
    head = Head.load(heads_folder, "a")
    seen_as_photos = replace(head, landmarks=photo_points(head))
    return Scene(head, Renderer(seen_as_photos, (SIDE, SIDE)), PoseAugmenter(head), ExpressionAugmenter(head))


def eye_distance(landmarks: np.ndarray) -> float:
    return float(np.linalg.norm(landmarks[36:42].mean(0) - landmarks[42:48].mean(0)))


@pytest.mark.parametrize(("yaw", "pitch", "seed"), [(0, 0, 1), (25, -5, 2), (-40, 10, 3), (10, 15, 4)])
def test_a_fit_finds_pose_and_landmarks_of_a_render(scene: Scene, yaw: float, pitch: float, seed: int) -> None:
    photo = scene.photo(yaw, pitch, seed)
    fitter = scene.pose.fitter
    fit = fitter.fit(photo.landmarks)
    assert fit.camera.rotation[0] == pytest.approx(yaw, abs=3)
    assert fit.camera.rotation[1] == pytest.approx(pitch, abs=6)  # a long chin looks like a face turned up
    distance = np.linalg.norm(fitter.landmarks(fit) - photo.landmarks, axis=1).mean()
    assert distance < 0.02 * eye_distance(scene.photo(0, 0, seed).landmarks)
    assert np.all((fit.parameters >= 0) & (fit.parameters <= 1))


def test_a_base_face_is_fitted_at_rest(scene: Scene) -> None:
    fit = scene.pose.fitter.fit(scene.photo().landmarks)
    assert fit.error < 0.005
    assert intensities_of(fit).max() < 0.1


@pytest.mark.parametrize("points", [np.zeros((68, 2)), np.full((68, 2), np.nan), np.ones((5, 2))])
def test_what_are_no_landmarks_is_refused(scene: Scene, points: np.ndarray) -> None:
    with pytest.raises(FitError, match="68 landmarks"):
        scene.pose.fitter.fit(points)


def test_turning_by_nothing_gives_back_the_photo(scene: Scene) -> None:
    photo = scene.photo(12, 0, seed=5)
    fit = scene.pose.fitter.fit(photo.landmarks)
    turned = scene.pose.turn(photo, fit, 0, 0)
    face = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(np.round(photo.landmarks).astype(np.int32)), 1)
    difference = np.abs(turned.photo.image.astype(int) - photo.image)[face == 1]
    assert np.quantile(difference, 0.98) <= 1  # places are rounded to a 32nd of a pixel
    assert np.abs(turned.photo.landmarks - photo.landmarks).max() < 0.01
    assert np.abs(turned.photo.oval - photo.oval).max() < 0.01
    assert (turned.yaw, turned.pitch) == pytest.approx(fit.camera.rotation[:2])


@pytest.mark.parametrize(("yaw", "pitch"), [(20, 0), (-30, 0), (0, 12)])
def test_a_turned_face_is_the_one_that_the_renderer_draws_there(scene: Scene, yaw: float, pitch: float) -> None:
    photo, truth = scene.photo(), scene.photo(yaw, pitch)
    fit = scene.pose.fitter.fit(photo.landmarks)
    turned = scene.pose.turn(photo, fit, yaw, pitch)
    found = turned.photo.landmarks - turned.photo.landmarks[30]  # the renderer keeps the head in the middle
    expected = truth.landmarks - truth.landmarks[30]
    assert np.linalg.norm(found - expected, axis=1).mean() < 0.03 * eye_distance(photo.landmarks)
    again = scene.pose.fitter.fit(turned.photo.landmarks)
    assert again.camera.rotation[:2] == pytest.approx((turned.yaw, turned.pitch), abs=3)
    patch = turned.photo.image.astype(float), truth.image.astype(float)
    mouth = [
        image_around(image, points[51])
        for image, points in zip(patch, (turned.photo.landmarks, truth.landmarks), strict=True)
    ]
    assert np.corrcoef(mouth[0].ravel(), mouth[1].ravel())[0, 1] > 0.8


def image_around(image: np.ndarray, point: np.ndarray, reach: int = 14) -> np.ndarray:
    return cv2.getRectSubPix(image.astype(np.float32), (2 * reach, reach), tuple(map(float, point)))


def test_an_expression_with_nothing_added_is_the_photo_itself(scene: Scene) -> None:
    photo = scene.photo(15, 5, seed=6)
    warped = scene.expression.warp(photo, scene.expression.fitter.fit(photo.landmarks), {})
    assert np.abs(warped.image.astype(int) - photo.image).max() <= 1
    assert np.array_equal(warped.landmarks, photo.landmarks)
    assert np.array_equal(warped.oval, photo.oval)


def moved(scene: Scene, photo: Photo, **change: float) -> tuple[Photo, np.ndarray]:
    warped = scene.expression.warp(photo, scene.expression.fitter.fit(photo.landmarks), change)
    return warped, (warped.landmarks - photo.landmarks) / eye_distance(photo.landmarks)


def test_a_smile_moves_the_corners_of_the_mouth_up_and_outwards(scene: Scene) -> None:
    _, move = moved(scene, scene.photo(), AU12=1.0)
    right, left = move[48], move[54]  # of the picture's left and right
    assert right[0] < -0.03 and left[0] > 0.03
    assert right[1] < -0.03 and left[1] < -0.03
    assert np.abs(move[36:48]).max() < 0.03  # lids stay


def test_raised_brows_rise_and_the_mouth_stays(scene: Scene) -> None:
    _, move = moved(scene, scene.photo(), AU01=1.0, AU02=1.0)
    assert move[17:27, 1].max() < -0.02
    assert np.abs(move[48:]).max() < 0.01


def test_an_opened_mouth_shows_dark_and_closed_lids_meet(scene: Scene) -> None:
    photo = scene.photo()
    opened, _ = moved(scene, photo, AU26=0.7, AU25=0.5)
    column, row = np.round(opened.landmarks[[62, 66]].mean(0)).astype(int)
    lip = np.round(photo.landmarks[57]).astype(int)
    assert opened.image[row, column] < 0.6 * photo.image[lip[1], lip[0]]
    closed, _ = moved(scene, photo, eye_closed_left=1.0, eye_closed_right=1.0)
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        before = photo.landmarks[lower, 1] - photo.landmarks[upper, 1]
        assert 0 <= closed.landmarks[lower, 1] - closed.landmarks[upper, 1] < 0.35 * before


def test_a_unit_is_added_only_up_to_its_end(scene: Scene) -> None:
    fitter = scene.expression.fitter
    fit = fitter.fit(scene.photo().landmarks)
    once, twice = (scene.expression.displacement(fit, {"AU15": value}) for value in (1.0, 2.0))
    assert np.array_equal(once, twice)


def test_sheets_are_written(scene: Scene, tmp_path: Path) -> None:
    paths = write_sheets(scene.head, [scene.photo()], tmp_path)
    assert sorted(path.name for path in paths) == ["composed_0.png", "expressions_0.png", "turned_0.png"]
    shapes = {path.name: cv2.imread(str(path)).shape for path in paths}
    assert shapes["turned_0.png"] == (SIDE, 9 * SIDE, 3)
    assert shapes["composed_0.png"] == (changed_photos.SIZE, changed_photos.SIZE, 3)
