# SPDX-License-Identifier: MIT
"""Alignment of faces, and the rules by which a crop is judged."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_face import canonical_landmarks

from bdfm_infer import alignment
from bdfm_infer.faces import Face, Fit
from bdfm_infer.network import Reading
from bdfm_infer.parameters import N_AU


def similarity(x: float, y: float, side: float, roll: float) -> np.ndarray:
    """From crop units to a picture: centre, side, degrees clockwise."""
    a = np.radians(roll)
    turn = side * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return np.c_[turn, [x, y] - turn @ [0.5, 0.5]]


@given(st.floats(-50, 900), st.floats(-50, 900), st.floats(8, 900), st.floats(-80, 80))
def test_place_and_roll_of_a_face(x: float, y: float, side: float, roll: float) -> None:
    points = alignment.apply(similarity(x, y, side, roll), alignment.FIVE_POINTS)
    matrix = alignment.alignment(points)
    assert alignment.roll(matrix) == pytest.approx(roll, abs=1e-6)
    again = alignment.crop_units(alignment.apply(matrix, points))
    np.testing.assert_allclose(again, alignment.FIVE_POINTS, atol=1e-9)
    reading = Reading(canonical_landmarks(), np.zeros(2, np.float32), np.zeros(N_AU, np.float32), 1.0)
    face = Face.from_reading(reading, matrix)
    np.testing.assert_allclose(face.place, [x, y, side], rtol=1e-5, atol=1e-3)
    assert face.rotation[2] == pytest.approx(roll, abs=1e-3)


@pytest.mark.parametrize("side", [60, 150, 400, 900])
@pytest.mark.parametrize("centre", [(700, 500), (40, 30), (1390, 970)])
def test_crop_of_the_part_is_that_of_the_whole(side: float, centre: tuple[float, float]) -> None:
    """What lies beyond the crop is not looked at; the crop is the same as if it were."""
    noise = np.random.default_rng(1).integers(0, 255, (63, 89), np.uint8)
    image = cv2.resize(noise, (1424, 1008), interpolation=cv2.INTER_CUBIC)
    matrix = alignment.alignment(alignment.apply(similarity(*centre, side, 17), alignment.FIVE_POINTS))
    whole, turned = image, matrix.copy()
    while np.hypot(*turned[:, 0]) < 0.5:
        whole = cv2.resize(whole, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        turned = np.c_[turned[:, :2] * 2, turned[:, 2] + turned[:, :2].sum(1) / 2]
    size = (alignment.CROP_SIZE, alignment.CROP_SIZE)
    expected = cv2.warpAffine(whole, turned, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    difference = np.abs(alignment.crop(image, matrix).astype(int) - expected)
    assert difference.max() <= 1


def test_crop_wholly_outside_is_the_border() -> None:
    image = np.full((48, 64), 77, np.uint8)
    for place in ((-500, 20, 60, 0), (900, 900, 60, 30)):
        matrix = alignment.alignment(alignment.apply(similarity(*place), alignment.FIVE_POINTS))
        assert (alignment.crop(image, matrix) == 77).all()


@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(0.8, 1.25), st.floats(-20, 20))
def test_misfit_is_how_far_the_crop_would_move(dx: float, dy: float, scale: float, roll: float) -> None:
    move = similarity(0.5 + dx, 0.5 + dy, scale, roll)
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    back = np.linalg.inv(np.r_[move, [[0, 0, 1]]])[:2]
    expected = np.linalg.norm(alignment.apply(back, corners) - corners, axis=1).max()
    assert Fit.of(alignment.apply(move, canonical_landmarks())).misfit == pytest.approx(expected, abs=1e-4)


DEPTH = np.array([0.0, 0.0, 0.2, 0.06, 0.06])
"""How far the five points lie towards the camera, in sides of the aligned square: nose and mouth before the eyes."""


def turned(yaw: float, pitch: float) -> np.ndarray:
    """Landmarks of a face turned by angles in degrees, aligned as well as it can be."""
    y, p = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    points = (np.c_[alignment.FIVE_POINTS - 0.5, DEPTH] @ about_y.T @ about_x.T)[:, :2]
    points = alignment.apply(alignment.alignment(points, size=1), points) + 0.5
    landmarks = canonical_landmarks()
    landmarks[36:42], landmarks[42:48] = points[0], points[1]
    landmarks[30], landmarks[48], landmarks[54] = points[2:]
    return landmarks


@pytest.mark.parametrize("yaw", range(-90, 91, 15))
@pytest.mark.parametrize("pitch", [-40, 0, 40])
def test_turned_heads_are_plausible(yaw: int, pitch: int) -> None:
    assert Fit.of(turned(yaw, pitch)).is_plausible


def test_implausible_faces() -> None:
    frontal = canonical_landmarks()
    assert not Fit.of(np.full_like(frontal, 0.5)).is_plausible
    assert not Fit.of(np.full_like(frontal, np.nan)).is_plausible
    assert not Fit.of(frontal * [1, -1] + [0, 1]).is_plausible
    assert not Fit.of(frontal + 0.6).is_plausible
    assert not Fit.of(alignment.apply(similarity(0.5, 0.5, 0.3, 0), frontal)).is_plausible
    mouth_over_eyes = frontal.copy()
    mouth_over_eyes[48:68, 1] -= 0.45
    assert not Fit.of(mouth_over_eyes).is_plausible
