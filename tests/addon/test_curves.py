# SPDX-License-Identifier: MIT
"""The picture of curves: each lane shows what was captured and what is baked, at the right height and time."""

from __future__ import annotations

import numpy as np
import pytest

from blender_addon.core.curves import AFTER, BEFORE, CURSOR, LOST, MARGIN, SIZE, draw_curves, with_cursor


def middle(picture: np.ndarray, colour: int, column: int, lane: slice = slice(0, SIZE)) -> float:
    """Mean height of the pixels of one colour in a column, 0 to 1 of the lane."""
    rows = np.flatnonzero(picture[lane, column] == colour)
    height = len(range(*lane.indices(SIZE)))
    return float((rows.mean() - MARGIN) / (height - 1 - 2 * MARGIN))


@pytest.mark.parametrize("rows", [2, 50, 10_000])
def test_heights_are_the_values(rows: int) -> None:
    seconds = np.linspace(2.0, 5.0, rows)
    before, after = np.full((rows, 1), 0.25), np.linspace(0, 1, rows)[:, None]
    picture = draw_curves(seconds, before, after)
    for column in (0, 6, 96, 162, 318):
        assert middle(picture, AFTER, column) == pytest.approx((column + 0.5) / SIZE, abs=0.01)
    assert middle(picture, BEFORE, 0) == pytest.approx(0.25, abs=0.01)
    assert not (picture[:, 3] == BEFORE).any()  # a gap between two dashes


def test_a_blink_of_one_frame_is_not_lost_among_ten_thousand() -> None:
    after = np.zeros((10_000, 1))
    after[5_000] = 1.0
    picture = draw_curves(np.arange(10_000) / 30, after, after)
    assert (picture[SIZE - 1 - MARGIN] == AFTER).sum() in (1, 2)


def test_lanes_from_top_to_bottom() -> None:
    seconds = np.arange(100) / 25
    after = np.repeat([[0.9, 0.5, 0.1]], 100, axis=0)
    picture = draw_curves(seconds, after, after)
    lanes = [slice(213, 320), slice(107, 213), slice(0, 107)]
    assert [middle(picture, AFTER, 4, lane) for lane in lanes] == pytest.approx([0.9, 0.5, 0.1], abs=0.02)


def test_stripes_where_the_face_is_lost() -> None:
    seconds = np.arange(1000) / 25
    values = np.full((1000, 1), 0.5)
    values[250:500] = np.nan
    picture = draw_curves(seconds, values, values)
    striped = np.flatnonzero((picture == LOST).any(axis=0))
    assert (striped[0], striped[-1]) == pytest.approx((SIZE / 4, SIZE / 2), abs=1)
    assert not np.isin(picture[:, striped[0] : striped[-1] + 1], [BEFORE, AFTER]).any()
    all_lost = np.full((1000, 1), np.nan)
    assert not (draw_curves(seconds, all_lost, all_lost) == AFTER).any()


def test_the_cursor_is_at_its_time_and_only_within_the_take() -> None:
    seconds = np.linspace(10, 20, 100)
    picture = draw_curves(seconds, np.zeros((100, 1)), np.zeros((100, 1)))
    assert np.flatnonzero((with_cursor(picture, seconds, 15) == CURSOR).all(axis=0)).tolist() == [160]
    assert with_cursor(picture, seconds, 20)[0, -1] == CURSOR
    for outside in (9.9, 20.1):
        assert not (with_cursor(picture, seconds, outside) == CURSOR).any()
    assert not (picture == CURSOR).any()


def test_one_row_is_a_picture() -> None:
    picture = draw_curves(np.array([3.0]), np.array([[0.5]]), np.array([[0.5]]))
    assert middle(picture, AFTER, 100) == pytest.approx(0.5, abs=0.01)
