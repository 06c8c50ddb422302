# SPDX-License-Identifier: GPL-3.0-or-later
"""Blinks that close the eyes.

Lids that meet are seldom read as wholly closed, so that many characters blink half. A quick closure is a blink, and in
a blink the lids meet: its peak becomes 1. Eyes that are held half shut, a squint, and slow lids stay as they are.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_NAMES, EYES

FloatArray = NDArray[np.float64]

_COLUMNS: Final = [AU_NAMES.index(eye) for eye in EYES]
CLOSED: Final = 0.6
"""What at least one eye must show for a blink."""
LONGEST_S: Final = 0.5
"""From the middle of the closing to the middle of the opening; blinks take 0.1 to 0.4 seconds."""
ALONG: Final = 0.7
"""Share of the stronger eye's peak that the other must reach to take part; below it is a wink."""


def complete_blinks(timestamps: FloatArray, values: FloatArray) -> FloatArray:
    """A copy in which every blink reaches 1.

    Between the rest before a blink and that after it, values are stretched from the higher of the two up; nothing else
    changes, and no value gets smaller. A blink in which the face is lost stays.

    Args:
        timestamps: (n,) seconds.
        values: (n, 23 or more), columns as ``AU_NAMES``; NaN rows are rows without a face.
    """
    result = values.copy()
    both = values[:, _COLUMNS].max(axis=1)
    for peak in _peaks(both):
        start, end = _foot(both, peak, -1), _foot(both, peak, 1)
        rest = max(both[start], both[end])
        inside = np.flatnonzero(both[start : end + 1] >= (rest + both[peak]) / 2) + start
        if timestamps[inside[-1]] - timestamps[inside[0]] > LONGEST_S:
            continue
        for eye in _COLUMNS:
            _stretch(result[start : end + 1, eye], ALONG * both[peak])
    return result


def _peaks(both: FloatArray) -> NDArray[np.intp]:
    """The highest row of each run of rows that are closed."""
    closed = np.concatenate([[False], both >= CLOSED, [False]])
    edges = np.flatnonzero(np.diff(closed.astype(np.int8)))
    return np.array([a + int(both[a:b].argmax()) for a, b in zip(edges[::2], edges[1::2], strict=True)], np.intp)


def _foot(both: FloatArray, peak: int, step: int) -> int:
    """Where a blink begins or ends: the last row on the way down from its peak."""
    row = peak
    while 0 <= row + step < len(both) and (both[row + step] < both[row] or both[row + step] >= CLOSED):
        row += step
    return row


def _stretch(part: FloatArray, least: float) -> None:
    """Stretch one eye's blink (m,) in place, so that its peak is 1; one that is no part of it stays."""
    peak, rest = part.max(), max(part[0], part[-1])
    if least <= peak < 1 and rest < peak:
        part[:] = np.where(part > rest, np.minimum(rest + (part - rest) * (1 - rest) / (peak - rest), 1), part)
