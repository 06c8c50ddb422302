# SPDX-License-Identifier: MIT
"""Head angles of a take as OpenFace's, and back. numpy alone.

Both stand for one rotation in the camera's axes (x to the right of the picture, y down, z away from the camera), taken
apart differently: of a take it is ``Rz(roll) Rx(-pitch) Ry(-yaw)``, the head turns by its yaw first; of OpenFace it is
``Rx Ry Rz`` of its three angles (``RotationHelpers.h``), it tilts by ``pose_Rz`` first. One angle alone is the same in
both but for its sign.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
X, Y, Z = range(3)


def to_openface(rotation: FloatArray) -> FloatArray:
    """``pose_Rx``, ``pose_Ry``, ``pose_Rz``, (n, 3) radians, of yaw, pitch and roll, (n, 3) degrees."""
    yaw, pitch, roll = np.radians(rotation).T
    m = _turn(Z, roll) @ _turn(X, -pitch) @ _turn(Y, -yaw)
    return np.stack(
        [
            np.arctan2(-m[:, 1, 2], m[:, 2, 2]),
            np.arcsin(np.clip(m[:, 0, 2], -1, 1)),
            np.arctan2(-m[:, 0, 1], m[:, 0, 0]),
        ],
        axis=1,
    )


def from_openface(angles: FloatArray) -> FloatArray:
    """Yaw, pitch and roll, (n, 3) degrees, of ``pose_Rx``, ``pose_Ry``, ``pose_Rz``, (n, 3) radians. Pitch is within 90
    degrees, yaw and roll within 180."""
    x, y, z = angles.T
    m = _turn(X, x) @ _turn(Y, y) @ _turn(Z, z)
    yaw, roll = np.arctan2(m[:, 2, 0], m[:, 2, 2]), np.arctan2(-m[:, 0, 1], m[:, 1, 1])
    return np.degrees(np.stack([yaw, -np.arcsin(np.clip(m[:, 2, 1], -1, 1)), roll], axis=1))


def _turn(axis: int, angles: FloatArray) -> FloatArray:
    """Matrices (n, 3, 3) that turn about an axis by angles (n,) in radians."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    made = np.zeros((len(angles), 3, 3))
    made[:, axis, axis] = 1
    made[:, first, first] = made[:, second, second] = np.cos(angles)
    made[:, second, first] = np.sin(angles)
    made[:, first, second] = -made[:, second, first]
    return made
