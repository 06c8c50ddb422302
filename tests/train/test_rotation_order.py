# SPDX-License-Identifier: MIT
"""Yaw, pitch and roll are one rotation, which three packages compute, each in axes of its own: all mean the same."""

from __future__ import annotations

import numpy as np

from bdfm_infer.openface_angles import to_openface
from bdfm_train.face_model.render import rotation_matrix
from blender_addon.core import rotation
from blender_addon.core.head_angles import AXES, shared_turn

ANGLES = np.random.default_rng(7).uniform([-180, -90, -180], [180, 90, 180], (500, 3))
"""Degrees of yaw, pitch and roll."""
DOWN_AND_AWAY = np.diag([1.0, -1.0, -1.0])
"""From the face model's axes (the person's left, up, towards the camera) to OpenFace's (the picture's right, down,
away) and back."""


def model_matrices() -> np.ndarray:
    return np.array([rotation_matrix(*angles) for angles in ANGLES])


def test_openface_and_the_renderer_turn_the_head_alike() -> None:
    x, y, z = (
        rotation.to_matrix(angles[:, None] * axis)
        for angles, axis in zip(to_openface(ANGLES).T, np.eye(3), strict=True)
    )
    np.testing.assert_allclose(DOWN_AND_AWAY @ (x @ y @ z) @ DOWN_AND_AWAY, model_matrices(), atol=1e-6)


def test_characters_and_the_renderer_turn_the_head_alike() -> None:
    """A character's axes are those of the face model: its left, up, front."""
    vectors = np.radians(shared_turn(ANGLES.T)).T @ AXES
    np.testing.assert_allclose(rotation.to_matrix(vectors), model_matrices(), atol=1e-6)
