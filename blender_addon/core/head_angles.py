# SPDX-License-Identifier: GPL-3.0-or-later
"""The head's three angles as the one rotation that they are."""

from __future__ import annotations

from typing import Final

import numpy as np

from . import rotation
from .rotation import FloatArray

AXES: Final = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""(3, 3), what yaw, pitch and roll turn about: rows of the character's left, up and front."""


def shared_turn(angles: FloatArray) -> FloatArray:
    """What yaw, pitch and roll add to one rotation vector, (3, m) degrees about the axis of each.

    Parts of a vector turn about its axis, so that bones can share it out. Taken one by one the angles would not do:
    they turn one after the other.

    Args:
        angles: (3, m) degrees: the head turns by its yaw first, then nods by its pitch, then tilts by its roll, each
            about an axis of the resting head.
    """
    halves = np.radians(angles)[..., None] / 2
    yaw, pitch, roll = np.concatenate([np.cos(halves), np.sin(halves) * AXES[:, None]], axis=-1)
    turned = rotation.product(roll, rotation.product(pitch, yaw))
    return np.degrees(AXES @ rotation.from_quaternion(turned).T)
