# SPDX-License-Identifier: MIT
"""A performance on top of what is there: sums, products, and rotations that are composed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from blender_addon.core import rotation
from blender_addon.core.additive import aligned, all_property_values, property_values, rotation_values
from blender_addon.core.retarget import Channel

MODES = ("QUATERNION", "AXIS_ANGLE", *rotation.EULER_ORDERS)
RANDOM = np.random.default_rng(5)


def channel(kind: str, values: NDArray[np.float64]) -> Channel:
    return Channel(kind, "pose_bone", "jaw", "", None, values)


def matrices(mode: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices (m, 3, 3), worked out another way than the code does."""
    if mode == "AXIS_ANGLE":
        return rotation.to_matrix(values[:, :1] * values[:, 1:])
    if mode == "QUATERNION":
        half = np.arccos(np.clip(values[:, :1], -1, 1))
        sine = np.sin(half)
        return rotation.to_matrix(
            2 * half * np.divide(values[:, 1:], sine, where=sine > 0, out=np.zeros((len(sine), 3)))
        )
    total = np.tile(np.eye(3), (len(values), 1, 1))
    for axis in mode:
        index = "XYZ".index(axis)
        total = rotation.to_matrix(values[:, [index]] * np.eye(3)[index]) @ total
    return total


@pytest.mark.parametrize("mode", MODES)
def test_rotations_are_composed(mode: str) -> None:
    there, added = RANDOM.uniform(-1.2, 1.2, (2, 40, 3))
    existing = rotation_values(mode, there)
    got = property_values(channel("bone_rotation", added), mode, existing)
    expected = rotation.to_matrix(there) @ rotation.to_matrix(added)
    np.testing.assert_allclose(matrices(mode, got), expected, atol=1e-7)


@pytest.mark.parametrize("mode", MODES)
def test_no_movement_changes_no_rotation(mode: str) -> None:
    there = np.linspace([0, 0, 0], [0.4, -0.8, 0.9], 30)
    existing = rotation_values(mode, there)
    got = property_values(channel("bone_rotation", np.zeros((30, 3))), mode, existing)
    np.testing.assert_allclose(aligned(mode, got, existing[0]), existing, atol=1e-9)


def test_all_at_once_is_each_by_itself() -> None:
    modes = [*MODES, *MODES, "", ""]
    channels = [channel("bone_rotation", RANDOM.uniform(-3, 3, (9, 3))) for _ in MODES + MODES]
    channels += [channel("shape_key", RANDOM.uniform(0, 1, 9)), channel("bone_scale", RANDOM.uniform(0, 1, 9))]
    expected = [property_values(*pair) for pair in zip(channels, modes, strict=True)]
    for got, alone in zip(all_property_values(channels, modes), expected, strict=True):
        np.testing.assert_allclose(got, alone, atol=1e-12)


def test_a_quaternion_that_is_not_whole() -> None:
    """Blender normalises quaternions; nought is no rotation."""
    existing = np.array([[2.0, 0, 0, 0], [0.0, 0, 0, 0]])
    vectors = np.array([[0.5, 0, 0], [0.5, 0, 0]])
    got = property_values(channel("bone_rotation", vectors), "QUATERNION", existing)
    np.testing.assert_allclose(got, rotation.to_quaternion(vectors))


def test_the_others() -> None:
    values = np.array([1.5, 0.5])
    existing = np.array([[2.0], [3.0]])
    for kind, expected in (
        ("bone_location", [3.5, 3.5]),
        ("shape_key", [3.5, 3.5]),
        ("custom_property", [3.5, 3.5]),
        ("bone_scale", [3.0, 1.5]),
    ):
        assert property_values(channel(kind, values), "", existing)[:, 0].tolist() == expected, kind
        assert property_values(channel(kind, values), "")[:, 0].tolist() == values.tolist()


@pytest.mark.parametrize(
    ("mode", "near", "first"),
    [
        ("QUATERNION", [-1.0, 0, 0, 0], [-1.0, 0, 0, 0]),
        ("QUATERNION", [0.9, 0.1, 0, 0], [1.0, 0, 0, 0]),
        ("XYZ", [6.2, -12.5, 0.2], [2 * np.pi, -4 * np.pi, 0]),
        ("AXIS_ANGLE", [0.3, 0, -1, 0], [0.0, 0, -1, 0]),
    ],
)
def test_a_rotation_is_written_near_to_what_was_there(mode: str, near: Any, first: Any) -> None:
    values = rotation_values(mode, np.linspace([0, 0, 0], [0, 0.3, 0], 5))
    got = aligned(mode, values, np.array(near))
    np.testing.assert_allclose(got[0], first, atol=1e-12)
    np.testing.assert_allclose(matrices(mode, got), matrices(mode, values), atol=1e-7)
