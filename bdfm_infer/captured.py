# SPDX-License-Identifier: MIT
"""A table just as a capture wrote it, read in one go: an hour's in seconds. numpy alone.

:mod:`.table` reads all others, and says what is wrong with one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from .rows import COLUMNS, FACE, LIMITS, VALUES, Row

_HEADER: Final = ",".join(COLUMNS)
_NO_FACE, _NANS = "," * len(VALUES), ",nan" * len(VALUES)
_FIRST, _UNITS = len(COLUMNS) - len(VALUES), len(COLUMNS) - len(VALUES) + 3 + len(FACE)
_LOW, _HIGH = np.array([LIMITS[column] for column in COLUMNS]).T


def captured_rows(lines: Sequence[str]) -> list[Row] | None:
    """Rows of a table, the header first; None where anything in it is not as a capture writes it."""
    if lines[0] != _HEADER or len(lines) == 1:
        return None
    filled = [f"{line.removesuffix(_NO_FACE)}{_NANS}" if line.endswith(_NO_FACE) else line for line in lines[1:]]
    try:
        cells = np.loadtxt(filled, delimiter=",", comments=None, ndmin=2)
    except ValueError:
        return None
    if cells.shape[1] != len(COLUMNS):
        return None
    frames, times, confidence, success = cells.T[:_FIRST]
    found = success == 1
    is_right = (cells >= _LOW) & (cells <= _HIGH)
    is_right[~found, _FIRST:] = True
    if not (is_right.all() and np.isfinite(cells[:, :_FIRST]).all() and (np.diff(times) >= 0).all()):
        return None
    whole = zip(frames.tolist(), times.tolist(), confidence.tolist(), found.tolist(), cells, strict=True)
    return [
        Row(int(frame), time, sure, row[_FIRST : _FIRST + 3], row[_FIRST + 3 : _UNITS], row[_UNITS:])
        if seen
        else Row(int(frame), time, sure)
        for frame, time, sure, seen, row in whole
    ]
