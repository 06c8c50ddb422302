# SPDX-License-Identifier: MIT
"""The 269 face parameters: names, order, ranges, base values, units and signs. The only place that states them,
with ``data/action_units.toml`` for the action units.

A parameter vector is ``y``, float32, shape (269,), every value in [0, 1] (paper, section 2.2)::

    [ yaw, pitch | 23 action units | 208 identity | 36 brow styles, one-hot ]

* **Pose.** 0.5 is frontal; 0 and 1 are -60 and +60 degrees. Yaw is positive when the head turns to the person's own
  left, pitch when the face turns up. Roll is no parameter: it comes from the alignment of the picture and is positive
  clockwise as the camera sees it. Beyond 60 degrees the angle saturates.
* **Action units.** 0.02 is the base (at rest), 1 the strongest. AU26 = 1 is a fully open jaw (FACS 26 to 27).
  Left and right are the person's own.
* **Identity.** 0.5 is the base face; the meaning of each value belongs to the head (:mod:`bdfm_train.face_model`).
* **Brow style.** One-hot.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

POSE: Final = ("yaw", "pitch")

ACTION_UNIT_TABLE: Final = Path(__file__).parent / "data" / "action_units.toml"
"""States the action units: names, order, and how the heads of :mod:`bdfm_train.face_model` show them."""

NO_ACTION_UNIT: Final = "base"
"""The table's entry for a head at rest."""

ACTION_UNITS: Final[dict[str, str]] = {
    name: entry["name"]
    for name, entry in tomllib.loads(ACTION_UNIT_TABLE.read_text(encoding="utf-8")).items()
    if name != NO_ACTION_UNIT
}
"""The 23 action units in their order, each with the name that FACS or an animator gives it."""

AU_NAMES: Final = tuple(ACTION_UNITS)
EYES: Final = ("eye_closed_left", "eye_closed_right")
ROTATION: Final = ("yaw", "pitch", "roll")
"""Head rotation as it stands in a take, degrees: by its yaw first, then its pitch, then its roll, each about an axis of
the resting head."""

N_POSE: Final = len(POSE)
N_AU: Final = len(AU_NAMES)
N_IDENTITY: Final = 208
N_BROW_STYLES: Final = 36
N_PARAMETERS: Final = N_POSE + N_AU + N_IDENTITY + N_BROW_STYLES

POSE_SLICE: Final = slice(0, N_POSE)
AU_SLICE: Final = slice(N_POSE, N_POSE + N_AU)
IDENTITY_SLICE: Final = slice(N_POSE + N_AU, N_POSE + N_AU + N_IDENTITY)
BROW_SLICE: Final = slice(N_POSE + N_AU + N_IDENTITY, N_PARAMETERS)

POSE_BASE: Final = 0.5
AU_BASE: Final = 0.02
IDENTITY_BASE: Final = 0.5
MAX_ANGLE: Final = 60.0
"""Degrees of yaw or pitch at parameter value 1."""

MIRRORED_AU: Final = tuple(
    AU_NAMES.index(name.replace("left", "#").replace("right", "left").replace("#", "right")) for name in AU_NAMES
)
"""Index of the action unit that each one becomes in a mirrored picture."""

MIRRORED_ROTATION: Final = (-1.0, 1.0, -1.0)
"""Factors of yaw, pitch and roll in a mirrored picture."""

FloatArray = NDArray[np.float32]


def base_face() -> FloatArray:
    """Parameters of the base face: frontal, at rest, base identity, first brow style. Shape (269,)."""
    y = np.zeros(N_PARAMETERS, np.float32)
    y[POSE_SLICE] = POSE_BASE
    y[AU_SLICE] = AU_BASE
    y[IDENTITY_SLICE] = IDENTITY_BASE
    y[BROW_SLICE.start] = 1.0
    return y


def intensity_from_parameter(parameter: ArrayLike) -> FloatArray:
    """Action unit parameters (0.02 at rest) to intensities (0 at rest), both in [0, 1]. Any shape.

    The one place where the base value is removed.
    """
    return np.clip((np.asarray(parameter, np.float32) - AU_BASE) / (1 - AU_BASE), 0.0, 1.0)


def parameter_from_intensity(intensity: ArrayLike) -> FloatArray:
    """Inverse of :func:`intensity_from_parameter`."""
    return AU_BASE + (1 - AU_BASE) * np.clip(np.asarray(intensity, np.float32), 0.0, 1.0)


def degrees_from_parameter(parameter: ArrayLike) -> FloatArray:
    """Pose parameters in [0, 1] to degrees in [-60, 60]. Any shape."""
    return (np.clip(np.asarray(parameter, np.float32), 0.0, 1.0) - POSE_BASE) * (2 * MAX_ANGLE)


def parameter_from_degrees(degrees: ArrayLike) -> FloatArray:
    """Inverse of :func:`degrees_from_parameter`; saturates beyond 60 degrees."""
    return np.clip(np.asarray(degrees, np.float32) / (2 * MAX_ANGLE) + POSE_BASE, 0.0, 1.0)
