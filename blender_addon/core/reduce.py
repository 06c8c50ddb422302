# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys within a stated error.

As by Ramer-Douglas-Peucker keys are added where a straight line is furthest from the curve, but in every run of frames
that is too far off at once, so that long takes need few rounds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def reduce_keys(
    frames: ArrayLike, values: ArrayLike, largest_error: float, gap_starts: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which keys to keep, so that straight lines between them pass every other key within ``largest_error``.

    Both keys beside a gap are kept, as are the first and the last.

    Args:
        frames: (m,) ascending.
        values: (m, c); the c columns keep the same keys.
        largest_error: in the values' own unit, 0 or more.
        gap_starts: (m,) bool, see :class:`.timing.Keys`.

    Returns:
        (m,) bool.
    """
    frames, values = np.asarray(frames, np.float64), np.asarray(values, np.float64)
    keep = gap_starts.copy()
    keep[1:] |= gap_starts[:-1]
    keep[[0, -1]] = True
    while True:
        kept = np.flatnonzero(keep)
        lines = np.stack([np.interp(frames, frames[kept], column[kept]) for column in values.T], axis=1)
        errors = np.abs(values - lines).max(axis=1)
        over = np.flatnonzero(errors > largest_error)
        if not len(over):
            return keep
        starts = np.flatnonzero(np.diff(over, prepend=-2) > 1)
        run = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(over)))
        worst = np.flatnonzero(errors[over] == np.maximum.reduceat(errors[over], starts)[run])
        _, first = np.unique(run[worst], return_index=True)
        keep[over[worst[first]]] = True


def tolerance(values: ArrayLike, share: float, full: float | None = None) -> float:
    """The error that ``share`` of the full movement is, in the values' own unit.

    Args:
        values: (m, c).
        full: the full movement; None: how far the column that moves most goes in this take.
    """
    reach = float(np.ptp(np.asarray(values, np.float64), axis=0).max()) if full is None else full
    return share * reach
