# SPDX-License-Identifier: MIT
"""A performance at one moment: between rows, outside of them, and where the face is lost."""

from __future__ import annotations

import numpy as np
import pytest

from blender_addon.core.performance import Performance
from blender_addon.core.playhead import values_at


@pytest.fixture
def performance() -> Performance:
    """Rows at 0, 0.5, 1 and 3 seconds with the values 0, 1, none and 4."""
    values = np.repeat([[0.0], [1.0], [np.nan], [4.0]], 26, axis=1)
    return Performance("take", np.array([0.0, 0.5, 1.0, 3.0]), values)


@pytest.mark.parametrize(("seconds", "value"), [(-9, 0), (0, 0), (0.125, 0.25), (0.5, 1), (3, 4), (99, 4)])
def test_found(performance: Performance, seconds: float, value: float) -> None:
    assert values_at(performance, seconds).tolist() == [[value] * 26]


@pytest.mark.parametrize("seconds", [0.6, 1.0, 2.9])
def test_lost(performance: Performance, seconds: float) -> None:
    assert np.isnan(values_at(performance, seconds)).all()


def test_many_moments(performance: Performance) -> None:
    found = values_at(performance, [0.25, 0.75, 3])
    assert found.shape == (3, 26)
    np.testing.assert_array_equal(found[:, 0], [0.5, np.nan, 4])
