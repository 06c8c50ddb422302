# SPDX-License-Identifier: MIT
"""Blinks close the eyes; everything else about the eyes stays."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from bdfm_infer.parameters import AU_NAMES, EYES
from blender_addon.core.blinks import complete_blinks
from blender_addon.core.cleaning import Cleaning
from blender_addon.core.edits import Edits, UnitEdit
from blender_addon.core.performance import Performance

LEFT, RIGHT = COLUMNS = [AU_NAMES.index(eye) for eye in EYES]
BLINK = [0.1, 0.1, 0.3, 0.75, 0.8, 0.5, 0.2, 0.1, 0.1]
"""A blink of a real speaker at 25 frames a second."""


def completed(left: ArrayLike, right: ArrayLike | None = None, fps: float = 25) -> NDArray[np.float64]:
    values = np.zeros((len(np.asarray(left)), len(AU_NAMES) + 3))
    values[:, LEFT] = left
    values[:, RIGHT] = left if right is None else right
    return complete_blinks(np.arange(len(values)) / fps, values)[:, COLUMNS]


def test_a_blink_reaches_one_and_keeps_its_course() -> None:
    left, right = completed(BLINK, np.array(BLINK) * 0.9).T
    assert left.max() == right.max() == pytest.approx(1)
    assert left.argmax() == np.argmax(BLINK)
    assert (left >= BLINK).all()
    assert np.array_equal(np.argsort(left, kind="stable"), np.argsort(BLINK, kind="stable"))
    assert left[[0, 1, 7, 8]] == pytest.approx(0.1), "nothing changes beside it"


def test_a_row_of_blinks_is_completed_one_by_one() -> None:
    left = completed(BLINK * 3)[:, 0]
    assert left.reshape(3, -1).max(axis=1) == pytest.approx(1)
    assert left[[0, 8, 9, 26]] == pytest.approx(0.1)


@pytest.mark.parametrize("fps", [12, 24, 60, 120])
def test_at_any_rate(fps: float) -> None:
    times = np.arange(0, 2, 1 / fps)
    lids = np.interp(times, [0.9, 1.0, 1.05, 1.25], [0.1, 0.78, 0.78, 0.1])
    assert completed(lids, fps=fps).max() == pytest.approx(1)


@pytest.mark.parametrize(
    "lids",
    [
        [0.1] * 10 + [0.55, 0.55] + [0.1] * 10,
        [0.1] + [0.7] * 20 + [0.1],
        np.concatenate([np.linspace(0.1, 0.7, 25), np.linspace(0.7, 0.1, 25)]),
        [0.3] * 40,
        [0.0] * 5,
        [0.8],
    ],
    ids=["half closed", "held", "slow", "sleepy", "open", "one picture"],
)
def test_what_is_no_blink_stays(lids: ArrayLike) -> None:
    assert np.array_equal(completed(lids), np.column_stack([lids, lids]))


def test_a_wink_closes_one_eye() -> None:
    left, right = completed(BLINK, np.array(BLINK) * 0.4).T
    assert left.max() == pytest.approx(1)
    assert np.array_equal(right, np.array(BLINK) * 0.4)


def test_a_blink_beside_a_lost_face() -> None:
    lids = np.array([np.nan, np.nan, *BLINK, np.nan])
    result = completed(lids)[:, 0]
    assert np.array_equal(np.isnan(result), np.isnan(lids))
    assert np.nanmax(result) == pytest.approx(1)
    cut = [0.1, 0.4, 0.8, np.nan, np.nan]
    assert np.array_equal(completed(cut)[:, 0], cut, equal_nan=True)


def test_as_an_edit_it_comes_before_the_gains_and_is_stored() -> None:
    values = np.zeros((len(BLINK), len(AU_NAMES) + 3))
    values[:, LEFT] = values[:, RIGHT] = BLINK
    edits = Edits({"eye_closed_left": UnitEdit(gain=0.5)})
    off = Edits({"eye_closed_left": UnitEdit(gain=0.5)}, complete_blinks=False)
    for stored in (edits, off):
        assert Edits.from_json(stored.to_json()) == stored
    assert Edits().to_json() == {} and Edits.from_json({}).complete_blinks
    shown = Cleaning(edits=edits).edited(Performance("t", np.arange(len(BLINK)) / 25, values)).values
    assert shown[:, [LEFT, RIGHT]].max(axis=0) == pytest.approx([0.5, 1])
    as_read = Cleaning(edits=off).edited(Performance("t", np.arange(len(BLINK)) / 25, values)).values
    assert as_read[:, [LEFT, RIGHT]].max(axis=0) == pytest.approx([0.5 * max(BLINK), max(BLINK)])
