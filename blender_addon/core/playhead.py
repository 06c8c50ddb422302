# SPDX-License-Identifier: GPL-3.0-or-later
"""A performance at moments of one's own choice."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .performance import Performance

FloatArray = NDArray[np.float64]

SNAP = 1e-6
"""Share of the way between two rows that counts as none."""


def values_at(performance: Performance, seconds: ArrayLike) -> FloatArray:
    """Values (m, 26) at times (m,) of the take, interpolated between its rows, NaN where the face is lost.

    Before the first and after the last row they are those of that row.
    """
    times, at = performance.timestamps, np.atleast_1d(np.asarray(seconds, np.float64))
    after = np.searchsorted(times, at, side="right")
    before, after = np.maximum(after - 1, 0), np.minimum(after, len(times) - 1)
    span = times[after] - times[before]
    share = np.clip((at - times[before]) / np.where(span > 0, span, 1.0), 0.0, 1.0)
    before = np.where(share > 1 - SNAP, after, before)
    after = np.where(share < SNAP, before, after)
    return performance.values[before] + share[:, None] * (performance.values[after] - performance.values[before])
