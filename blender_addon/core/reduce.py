# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys within a stated error (Ramer-Douglas-Peucker, all stretches of a curve at once)."""

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
        worst = np.maximum.reduceat(errors, kept)
        stretch = np.cumsum(keep) - 1
        candidates = np.flatnonzero((errors > largest_error) & (errors == worst[stretch]))
        if not len(candidates):
            return keep
        _, first = np.unique(stretch[candidates], return_index=True)
        keep[candidates[first]] = True


def tolerance(values: ArrayLike, share: float, full: float | None = None) -> float:
    """The error that ``share`` of the full movement is, in the values' own unit.

    Args:
        values: (m, c).
        full: the full movement; None: how far the column that moves most goes in this take.
    """
    reach = float(np.ptp(np.asarray(values, np.float64), axis=0).max()) if full is None else full
    return share * reach
