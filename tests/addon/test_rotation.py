# SPDX-License-Identifier: MIT
"""Rotation vectors to quaternions, Euler angles and axis-angle: right by hand, by matrix, and steady over time."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blender_addon.core.rotation import EULER_ORDERS, to_axis_angle, to_euler, to_matrix, to_quaternion

ANGLE = st.floats(-6, 6)
VECTORS = st.lists(st.tuples(ANGLE, ANGLE, ANGLE), min_size=1, max_size=8).map(np.array)
FULL_TURNS = np.linspace(0, 4 * math.pi, 721)
STEP = float(FULL_TURNS[1])


def about(axis: int, angle: float) -> NDArray[np.float64]:
    """Matrix of a turn about one coordinate axis."""
    c, s = math.cos(angle), math.sin(angle)
    matrix = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


def test_quarter_turns_by_hand() -> None:
    half = math.sqrt(0.5)
    vectors = np.array([[0, 0, 0], [math.pi / 2, 0, 0], [0, math.pi / 2, 0], [0, 0, -math.pi / 2]])
    np.testing.assert_allclose(to_quaternion(vectors[:1]), [[1, 0, 0, 0]])
    np.testing.assert_allclose(to_quaternion(vectors[1:2]), [[half, half, 0, 0]])
    np.testing.assert_allclose(to_quaternion(vectors[2:3]), [[half, 0, half, 0]])
    np.testing.assert_allclose(to_quaternion(vectors[3:]), [[half, 0, 0, -half]])
    np.testing.assert_allclose(to_axis_angle(vectors[3:]), [[math.pi / 2, 0, 0, -1]])
    np.testing.assert_allclose(to_matrix(vectors[1:2])[0] @ (0, 1, 0), (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(to_matrix(vectors[3:])[0] @ (1, 0, 0), (0, -1, 0), atol=1e-12)


def test_small_rotations_keep_their_precision() -> None:
    np.testing.assert_allclose(to_quaternion([[2e-9, 0, 0]]), [[1, 1e-9, 0, 0]], rtol=1e-12)


@given(VECTORS, st.sampled_from(EULER_ORDERS))
def test_euler_angles_give_the_rotation_back(vectors: NDArray[np.float64], order: str) -> None:
    """In Blender's order "XYZ" the turn about x comes first."""
    first, second, third = ("XYZ".index(axis) for axis in order)
    for angles, matrix in zip(to_euler(vectors, order), to_matrix(vectors), strict=True):
        composed = about(third, angles[third]) @ about(second, angles[second]) @ about(first, angles[first])
        np.testing.assert_allclose(composed, matrix, atol=1e-6)


@given(VECTORS)
def test_quaternions_and_axis_angle_give_the_rotation_back(vectors: NDArray[np.float64]) -> None:
    quaternions = to_quaternion(vectors)
    np.testing.assert_allclose(np.linalg.norm(quaternions, axis=1), 1)
    assert (np.einsum("ij,ij->i", quaternions[1:], quaternions[:-1]) >= 0).all()
    axis_angle = to_axis_angle(vectors)
    np.testing.assert_allclose(np.linalg.norm(axis_angle[:, 1:], axis=1), 1)
    np.testing.assert_allclose(axis_angle[:, :1] * axis_angle[:, 1:], vectors, atol=1e-9)
    for vector, matrix in zip(vectors, to_matrix(vectors), strict=True):
        angle = np.linalg.norm(vector)
        k = np.cross(np.eye(3), vector / angle if angle else vector)
        np.testing.assert_allclose(matrix, np.eye(3) + math.sin(angle) * k + (1 - math.cos(angle)) * k @ k, atol=1e-9)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("order", EULER_ORDERS)
def test_two_full_turns_are_steady(axis: int, order: str) -> None:
    """Through both poles and past 360 degrees no step is larger than the turn itself."""
    vectors = FULL_TURNS[:, None] * np.eye(3)[axis]
    assert np.abs(np.diff(to_euler(vectors, order), axis=0)).max() == pytest.approx(STEP)
    assert np.abs(np.diff(to_quaternion(vectors), axis=0)).max() <= STEP
    assert np.abs(np.diff(to_axis_angle(vectors), axis=0)).max() == pytest.approx(STEP)


def test_a_nod_through_rest_does_not_flip_the_axis() -> None:
    nod = np.linspace(-0.3, 0.3, 13)[:, None] * np.array([1.0, 0, 0])
    np.testing.assert_allclose(to_axis_angle(nod), [[-angle, -1, 0, 0] for angle in nod[:, 0]], atol=1e-12)


def test_no_rotation_at_all() -> None:
    rest = np.zeros((3, 3))
    np.testing.assert_array_equal(to_euler(rest), rest)
    np.testing.assert_array_equal(to_axis_angle(rest), [[0, 0, 1, 0]] * 3)
    for convert, width in ((to_quaternion, 4), (to_axis_angle, 4), (to_euler, 3)):
        assert convert(np.zeros((0, 3))).shape == (0, width)


@pytest.mark.parametrize("convert", [to_quaternion, to_axis_angle, *(partial(to_euler, order=o) for o in EULER_ORDERS)])
def test_bones_side_by_side_know_nothing_of_each_other(convert: Callable[[NDArray[np.float64]], Any]) -> None:
    """One turns twice about itself, one nods through rest, one rests first, one always."""
    still = np.zeros_like(FULL_TURNS)
    bones = [
        np.stack([FULL_TURNS, FULL_TURNS / 2, still], axis=1),
        np.stack([np.sin(FULL_TURNS), still, still], axis=1),
        np.stack([still, np.maximum(FULL_TURNS - 5, 0), still], axis=1),
        np.stack([still, still, still], axis=1),
    ]
    together = convert(np.stack(bones, axis=1))
    for place, bone in enumerate(bones):
        np.testing.assert_allclose(together[:, place], convert(bone), atol=1e-12)


def test_unknown_order_is_refused() -> None:
    with pytest.raises(ValueError, match="'XXY' is none of XYZ"):
        to_euler([[0, 0, 0]], "XXY")
