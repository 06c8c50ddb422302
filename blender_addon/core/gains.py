# SPDX-License-Identifier: GPL-3.0-or-later
"""How strongly one character shows a performance: a gain for all, one for each action unit and head angle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bdfm_infer.parameters import N_AU

from .mapping import SOURCES

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Gains:
    """Factors of one character.

    Attributes:
        overall: of all action units.
        own: by name as in ``mapping.SOURCES``, times ``overall`` for an action unit; those that are absent are 1.

    Raises:
        ValueError: an unknown name.
    """

    overall: float = 1.0
    own: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.own:
            if name not in SOURCES:
                raise ValueError(f"{name!r} is no action unit or head angle; they are {', '.join(SOURCES)}")


NO_GAINS: Final = Gains()


def strengthened(values: ArrayLike, gains: Gains) -> FloatArray:
    """Values as one character shows them.

    Args:
        values: (m, 26), columns as in ``mapping.SOURCES``; NaN rows remain so. Action units stay within 0 to 1.
    """
    result = np.array(values, np.float64)
    result *= [gains.own.get(name, 1.0) for name in SOURCES]
    result[:, :N_AU] = np.clip(gains.overall * result[:, :N_AU], 0.0, 1.0)
    return result
