# SPDX-License-Identifier: GPL-3.0-or-later
"""A performance at one moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .performance import Performance


def values_at(performance: Performance, seconds: float) -> NDArray[np.float64] | None:
    """Values (26,) at a time of the take, interpolated between its rows; before the first and after the last row they
    are those of that row. None where the face is lost."""
    times = performance.timestamps
    after = int(np.searchsorted(times, seconds, side="right"))
    before = max(after - 1, 0)
    after = min(after, len(times) - 1)
    first, second = performance.values[before], performance.values[after]
    span = times[after] - times[before]
    share = float(np.clip((seconds - times[before]) / span, 0.0, 1.0)) if span > 0 else 0.0
    if share < 1e-6:
        second = first
    values = first + share * (second - first)
    return values if np.isfinite(values).all() else None
