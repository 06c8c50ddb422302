# SPDX-License-Identifier: MIT
"""Fewer keys: no frame lies further from its value than was stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blender_addon.core.reduce import reduce_keys, tolerance


def largest_error(frames: NDArray[np.int64], values: NDArray[np.float64], keep: NDArray[np.bool_]) -> float:
    lines = [np.interp(frames, frames[keep], column[keep]) for column in values.T]
    return float(np.abs(values - np.stack(lines, axis=1)).max())


@given(seed=st.integers(0, 10_000), columns=st.integers(1, 4), error=st.sampled_from([0.0, 1e-3, 0.01, 0.1, 1.0, 10.0]))
def test_every_frame_is_within_the_error(seed: int, columns: int, error: float) -> None:
    random = np.random.default_rng(seed)
    frames = np.cumsum(random.integers(1, 4, 200))
    values = random.standard_normal((200, columns)).cumsum(axis=0) * 0.05
    gaps = random.random(200) < 0.02
    gaps[-1] = False
    keep = reduce_keys(frames, values, error, gaps)
    assert largest_error(frames, values, keep) <= error + 1e-12
    assert keep[[0, -1]].all() and keep[gaps].all() and keep[1:][gaps[:-1]].all()


def test_a_straight_line_needs_its_ends_alone() -> None:
    frames = np.arange(100)
    keep = reduce_keys(frames, frames[:, None] * [0.25, -2.0], 1e-9, np.zeros(100, bool))
    assert np.flatnonzero(keep).tolist() == [0, 99]


def test_a_corner_stays_and_noise_goes() -> None:
    frames = np.arange(101)
    values = np.minimum(frames, 40.0)[:, None] / 40 + np.random.default_rng(0).uniform(-0.004, 0.004, (101, 1))
    keep = reduce_keys(frames, values, 0.02, np.zeros(101, bool))
    assert keep.sum() <= 4
    assert np.abs(np.flatnonzero(keep) - 40).min() <= 2


def test_no_error_keeps_what_is_not_on_a_line() -> None:
    values = np.random.default_rng(2).random((50, 1))
    assert reduce_keys(np.arange(50), values, 0.0, np.zeros(50, bool)).all()


def test_one_key() -> None:
    assert reduce_keys([5], [[1.0]], 0.1, np.zeros(1, bool)).tolist() == [True]


def test_the_tolerance_is_a_share_of_the_movement() -> None:
    values = np.array([[0.0, 1.0], [0.5, 5.0], [0.25, 3.0]])
    assert tolerance(values, 0.01) == pytest.approx(0.04)
    assert tolerance(values, 0.01, full=1.0) == pytest.approx(0.01)
    assert tolerance(np.ones((3, 1)), 0.01) == 0
