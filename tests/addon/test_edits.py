# SPDX-License-Identifier: MIT
"""Edits before the bake: what each does to the values, and what stored ones may hold."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdfm_infer.parameters import AU_NAMES, N_AU
from blender_addon.core.edits import Edits, EditsError, UnitEdit, edited
from blender_addon.core.mapping import SOURCES


def values(**channels: float) -> np.ndarray[Any, Any]:
    """Two rows with the named channels, all others 0, and one row without a face."""
    row = np.array([channels.get(name, 0.0) for name in SOURCES])
    return np.stack([row, row / 2, np.full(len(SOURCES), np.nan)])


def column(table: np.ndarray[Any, Any], name: str) -> list[float]:
    return [float(x) for x in table[:2, SOURCES.index(name)]]


def test_no_edits_change_nothing() -> None:
    before = values(AU12=0.7, yaw=-20, eye_closed_left=1)
    np.testing.assert_array_equal(edited(before, Edits()), before)


def test_gain_offset_and_limits() -> None:
    edits = Edits({"AU12": UnitEdit(gain=2), "AU26": UnitEdit(offset=0.25, high=0.5), "AU04": UnitEdit(low=0.1)})
    result = edited(values(AU12=0.6, AU26=0.4, AU10=0.3), edits)
    assert column(result, "AU12") == pytest.approx([1.0, 0.6])
    assert column(result, "AU26") == pytest.approx([0.5, 0.45])
    assert column(result, "AU04") == pytest.approx([0.1, 0.1])
    assert column(result, "AU10") == pytest.approx([0.3, 0.15])
    assert np.isnan(result[2]).all()


def test_a_lower_limit_above_the_upper_wins() -> None:
    assert column(edited(values(AU12=0.5), Edits({"AU12": UnitEdit(low=0.8, high=0.2)})), "AU12") == [0.8, 0.8]


def test_mute_and_solo() -> None:
    face = values(AU12=0.6, AU26=0.4, AU01=0.2, pitch=10)
    muted = edited(face, Edits({"AU12": UnitEdit(mute=True, offset=0.5)}))
    assert column(muted, "AU12") == [0, 0]
    assert column(muted, "AU26") == pytest.approx([0.4, 0.2])
    alone = edited(face, Edits({"AU26": UnitEdit(solo=True, gain=0.5), "AU12": UnitEdit(gain=2)}))
    assert column(alone, "AU26") == pytest.approx([0.2, 0.1])
    assert column(alone, "AU12") == column(alone, "AU01") == [0, 0]
    assert column(alone, "pitch") == [10, 5]
    assert np.isnan(alone[2]).all()


def test_swapped_sides() -> None:
    face = values(eye_closed_left=1, jaw_right=0.4, AU12=0.6, yaw=30, pitch=10, roll=-5)
    result = edited(face, Edits(swap=True, units={"eye_closed_right": UnitEdit(gain=0.5)}))
    assert column(result, "eye_closed_left") == [0, 0]
    assert column(result, "eye_closed_right") == pytest.approx([0.5, 0.25])
    assert column(result, "jaw_left") == pytest.approx([0.4, 0.2])
    assert column(result, "AU12") == pytest.approx([0.6, 0.3])
    assert result[0, N_AU:].tolist() == [-30, 10, 5]


def test_rotation_gains() -> None:
    assert edited(values(yaw=30, roll=8), Edits(rotation={"yaw": 0.5, "roll": 0}))[0, N_AU:].tolist() == [15, 0, 0]


unit_edits = st.builds(
    UnitEdit,
    gain=st.floats(0, 10),
    offset=st.floats(-1, 1),
    low=st.floats(0, 1),
    high=st.floats(0, 1),
    mute=st.booleans(),
    solo=st.booleans(),
)


@given(st.dictionaries(st.sampled_from(AU_NAMES), unit_edits), st.booleans(), st.floats(-10, 10))
def test_stored_edits_do_the_same(units: dict[str, UnitEdit], swap: bool, gain: float) -> None:
    edits = Edits(units, swap, {"yaw": gain})
    again = Edits.from_json(json.loads(json.dumps(edits.to_json())))
    face = np.random.default_rng(0).uniform(0, 1, (4, len(SOURCES)))
    np.testing.assert_array_equal(edited(face, again), edited(face, edits))
    assert edited(face, edits)[:, :N_AU].min() >= 0 and edited(face, edits)[:, :N_AU].max() <= 1


@pytest.mark.parametrize(
    "data",
    [
        [1],
        {"units": [1]},
        {"units": {"AU99": {}}},
        {"units": {"AU12": {"gain": "x"}}},
        {"units": {"AU12": {"gain": -1}}},
        {"units": {"AU12": {"offset": float("nan")}}},
        {"units": {"AU12": {"high": 1e999}}},
        {"rotation": {"yaw": None}},
        {"rotation": {"tilt": 1}},
    ],
)
def test_damaged_edits_are_refused(data: Any) -> None:
    with pytest.raises(EditsError, match="Set them again"):
        Edits.from_json(data)


def test_members_of_a_later_version_are_ignored() -> None:
    assert Edits.from_json({"units": {"AU12": {"gain": 2, "curve": [1]}}, "later": 1}) == Edits({"AU12": UnitEdit(2.0)})
