# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of curves before and after the cleaning, one above the other; numpy alone draws it."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Pixels = NDArray[np.int32]
"""(height, width), rows from the bottom up, each number red + 256 green + 65536 blue + alpha in the highest byte."""

SIZE: Final = 320
"""Side of the picture, pixels."""
MARGIN: Final = 3
DASH: Final = 3
"""Pixels on, pixels off: what was captured is dashed, what is baked is solid."""


def _colour(red: int, green: int, blue: int) -> int:
    return int(np.array([red, green, blue, 255], np.uint8).view(np.int32)[0])


GROUND: Final = _colour(29, 29, 29)
EDGE: Final = _colour(70, 70, 70)
LOST: Final = _colour(80, 56, 40)
BEFORE: Final = _colour(150, 150, 150)
AFTER: Final = _colour(245, 170, 60)
CURSOR: Final = _colour(90, 150, 240)


def draw_curves(seconds: FloatArray, before: FloatArray, after: FloatArray) -> Pixels:
    """One lane for each curve, the first on top, all over the same time; where the face is lost the ground is striped.

    Args:
        seconds: (n,) ascending.
        before, after: (n, k) in [0, 1]; NaN where the face is lost.
    """
    picture = np.full((SIZE, SIZE), GROUND, np.int32)
    at = np.linspace(seconds[0], seconds[-1], SIZE + 1)
    edges = np.searchsorted(seconds, at)
    edges[-1] = len(seconds)
    places = np.interp(at, seconds, np.arange(len(seconds)))
    lanes = np.linspace(SIZE, 0, max(before.shape[1], 1) + 1).round().astype(int)
    lost = _lost_columns(edges, before)
    stripes = (np.add.outer(np.arange(SIZE), np.arange(SIZE)) // 4) % 2 == 0
    picture[stripes & lost] = LOST
    dashes = (np.arange(SIZE) // DASH) % 2 == 0
    for lane, (top, bottom) in enumerate(pairwise(lanes)):
        picture[bottom] = EDGE
        low, high = bottom + MARGIN, top - 1 - MARGIN
        for values, colour, columns in ((before, BEFORE, dashes), (after, AFTER, np.ones(SIZE, bool))):
            drawn = _line(edges, places, np.clip(values[:, lane], 0, 1), high - low)
            picture[low : high + 1][drawn & columns & ~lost] = colour
    return picture


def with_cursor(picture: Pixels, seconds: FloatArray, now: float) -> Pixels:
    """The picture with a line at a moment, where that lies within the take."""
    span = seconds[-1] - seconds[0]
    place = (now - seconds[0]) / span if span > 0 else 0.0
    if not 0 <= place <= 1:
        return picture
    picture = picture.copy()
    picture[:, min(int(place * SIZE), SIZE - 1)] = CURSOR
    return picture


def _lost_columns(edges: NDArray[np.int64], values: FloatArray) -> NDArray[np.bool_]:
    """Columns, (SIZE,), in which no row shows a face; one without a row is as the row before it.

    Args:
        edges: (SIZE + 1,) first row of each column, and the number of rows.
    """
    missing = np.isnan(values).any(axis=1)
    first = np.minimum(edges[:-1], len(missing) - 1)
    empty = edges[1:] == edges[:-1]
    first[empty] = np.maximum(first[empty] - 1, 0)
    found = np.concatenate([[0], np.cumsum(~missing)])
    return np.where(empty, missing[first], found[edges[1:]] == found[edges[:-1]])


def _line(edges: NDArray[np.int64], places: FloatArray, values: FloatArray, height: int) -> NDArray[np.bool_]:
    """Pixels (height + 1, SIZE) of a curve: in each column from its lowest to its highest value, joined to the next.

    Args:
        edges: as above.
        places: (SIZE + 1,) the same edges, as rows with their fraction.
    """
    rows = np.arange(len(values))
    found = np.isfinite(values)
    filled = np.interp(rows, rows[found], values[found]) if found.any() else np.zeros(len(values))
    at_edges = np.interp(places, rows, filled)
    low, high = np.minimum(at_edges[:-1], at_edges[1:]), np.maximum(at_edges[:-1], at_edges[1:])
    starts = np.minimum(edges[:-1], len(values) - 1)
    several = edges[1:] > edges[:-1]
    low = np.where(several, np.minimum(low, np.minimum.reduceat(filled, starts)), low)
    high = np.where(several, np.maximum(high, np.maximum.reduceat(filled, starts)), high)
    ladder = np.arange(height + 1)[:, None]
    return (ladder >= np.floor(low * height)) & (ladder <= np.ceil(high * height))
