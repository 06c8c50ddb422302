# SPDX-License-Identifier: MIT
"""Which rows of a take the pictures show."""

from __future__ import annotations

import numpy as np

from bdfm_infer.take import Take

DEGREES_PER_UNIT = 60.0
"""Degrees of head rotation that count as much as an action unit at its strongest."""


def video_rows(take: Take, rate: float, seconds: float) -> list[int]:
    """Rows for the side-by-side video: about ``rate`` a second, those of the first ``seconds``."""
    wanted = np.arange(take.timestamps[0], min(take.timestamps[-1], take.timestamps[0] + seconds) + 1e-6, 1 / rate)
    nearest = np.abs(take.timestamps[:, None] - wanted).argmin(0)
    return sorted({int(row) for row in nearest})


def sheet_rows(take: Take, columns: int) -> list[int]:
    """Rows with a face that differ most from each other in expression and pose, in order of time.

    The first is the strongest expression; each next one is the farthest from those already chosen.
    """
    shown = np.flatnonzero(take.success)
    values = np.concatenate([take.action_units, take.rotation / DEGREES_PER_UNIT], 1)[shown]
    distance = np.linalg.norm(values - np.median(values, axis=0), axis=1)
    chosen: list[int] = []
    while len(chosen) < min(columns, len(shown)):
        chosen.append(int(distance.argmax()))
        away = np.linalg.norm(values - values[chosen[-1]], axis=1)
        distance = away if len(chosen) == 1 else np.minimum(distance, away)
        distance[chosen] = -1
    return [int(shown[index]) for index in sorted(chosen)]
