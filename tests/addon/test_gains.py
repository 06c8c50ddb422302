# SPDX-License-Identifier: MIT
"""A character's gains: what they do to the values of a performance."""

from __future__ import annotations

import numpy as np
import pytest

from bdfm_infer.parameters import N_AU
from blender_addon.core.gains import NO_GAINS, Gains, strengthened
from blender_addon.core.mapping import SOURCES

RNG = np.random.default_rng(0)


def table() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Four rows, the last one without a face."""
    values = np.concatenate([RNG.uniform(0, 1, (4, N_AU)), RNG.uniform(-40, 40, (4, 3))], axis=1)
    values[3] = np.nan
    return values


def test_no_gains_change_nothing() -> None:
    values = table()
    np.testing.assert_array_equal(strengthened(values, NO_GAINS), values)


def test_the_gain_of_a_unit_times_the_one_of_all_and_limited() -> None:
    values = np.full((1, len(SOURCES)), 0.4)
    found = strengthened(values, Gains(0.5, {"AU12": 3.0, "AU26": 10.0, "AU04": 0.0}))[0]
    expected = dict.fromkeys(SOURCES, 0.2) | {"AU12": 0.6, "AU26": 1.0, "AU04": 0.0}
    expected |= dict.fromkeys(("yaw", "pitch", "roll"), 0.4)
    assert dict(zip(SOURCES, found, strict=True)) == pytest.approx(expected)


def test_the_head_turns_beyond_one_and_the_other_way() -> None:
    values = table()
    found = strengthened(values, Gains(own={"yaw": 2.0, "pitch": 0.0, "roll": -1.0}))
    np.testing.assert_allclose(found[:, N_AU:], values[:, N_AU:] * [2, 0, -1])
    np.testing.assert_array_equal(found[:, :N_AU], values[:, :N_AU])


def test_the_values_given_are_left_alone_and_a_lost_face_stays_lost() -> None:
    values = table()
    before = values.copy()
    found = strengthened(values, Gains(2.0, {"AU12": 0.0}))
    np.testing.assert_array_equal(values, before)
    assert np.isnan(found[3]).all() and np.isfinite(found[:3]).all()


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="AU99"):
        Gains(own={"AU99": 2.0})
