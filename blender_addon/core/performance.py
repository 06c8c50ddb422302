# SPDX-License-Identifier: GPL-3.0-or-later
"""What is baked: the values of a take after everything that changes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.take import Take

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Performance:
    """A take as it should appear on a character.

    Attributes:
        name: of the take; actions, strips and tracks are named after it.
        timestamps: (n,) float64, seconds.
        values: (n, 26) float64, columns as ``mapping.SOURCES``: 23 action units in [0, 1], then yaw, pitch, roll in
            degrees. A row without a face is NaN.
    """

    name: str
    timestamps: FloatArray
    values: FloatArray

    @classmethod
    def from_take(cls, take: Take, name: str) -> Performance:
        """A take's values as they are; :meth:`Take.processed` applies its settings."""
        return cls(name, take.timestamps, np.concatenate([take.action_units, take.rotation], axis=1))
