# SPDX-License-Identifier: MIT
"""Smoothing: by time, without lag, blinks kept, gaps never bridged."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdfm_infer.errors import TakeFormatError
from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_infer.rows import Row
from bdfm_infer.smooth import CUTOFF_HZ, GROUPS, METHODS, Smoothing, one_euro, zero_phase
from bdfm_infer.take import Take

RNG = np.random.default_rng(3)


def take(times: np.ndarray, values: np.ndarray, success: np.ndarray | None = None) -> Take:
    """All channels alike."""
    success = np.ones(len(times), bool) if success is None else success
    return Take.from_rows(
        [
            Row(i, t, 1.0, np.full(3, v), np.ones(3), np.full(N_AU, v)) if found else Row(i, t, 0.0)
            for i, (t, v, found) in enumerate(zip(times, values, success, strict=True))
        ]
    )


def test_groups_hold_each_channel_once() -> None:
    members = [name for group in GROUPS.values() for name in group]
    assert sorted(members) == sorted(("yaw", "pitch", "roll", *AU_NAMES))


@pytest.mark.parametrize("method", METHODS)
def test_constant_and_length_stay(method: str) -> None:
    times = np.cumsum(RNG.uniform(0.005, 0.2, 50))
    done = Smoothing(method).apply(take(times, np.full(50, 0.3)))
    np.testing.assert_allclose(done.action_units, 0.3, atol=1e-12)
    np.testing.assert_allclose(done.rotation, 0.3, atol=1e-12)


@pytest.mark.parametrize("fps", [60, 120, 240])
def test_zero_phase_halves_the_power_at_the_cutoff(fps: int) -> None:
    times = np.arange(0, 4, 1 / fps)
    for cutoff in (4.0, 8.0):
        wave = np.sin(2 * np.pi * cutoff * times)
        done = zero_phase(times, wave[:, None], cutoff)[:, 0]
        middle = slice(fps, -fps)
        gain = (done[middle] @ wave[middle]) / (wave[middle] @ wave[middle])
        assert gain == pytest.approx(np.sqrt(0.5), abs=0.01)
        lag = done[middle] @ np.cos(2 * np.pi * cutoff * times)[middle]
        assert abs(lag) < 1e-6 * (wave[middle] @ wave[middle]) + 1e-6


def test_zero_phase_goes_by_time_not_by_row() -> None:
    fine = np.arange(0, 3, 1 / 120)
    slow = np.sin(2 * np.pi * 1.5 * fine)
    chosen = np.flatnonzero((np.arange(len(fine)) % 2 == 0) | ((fine * 5).astype(int) % 2 == 0))
    whole = zero_phase(fine, slow[:, None], 4.0)[chosen, 0]
    some = zero_phase(fine[chosen], slow[chosen, None], 4.0)[:, 0]
    inside = (fine[chosen] > 0.2) & (fine[chosen] < 2.8)
    # Twice as many frames in every second fifth of a second draw the mean towards them by less than a hundredth.
    assert np.abs(whole - some)[inside].max() < 0.01


def test_noise_of_a_still_head_falls_and_a_blink_stays() -> None:
    times = np.arange(0, 4, 1 / 30)
    noise = 0.05 * RNG.standard_normal(len(times))
    blink = np.zeros(len(times))
    blink[60:64] = [0.6, 1.0, 1.0, 0.5]
    for method in ("zero_phase", "one_euro"):
        still = Smoothing(method).apply(take(times, noise))
        assert still.channel("yaw").std() < 0.65 * noise.std()
        shut = Smoothing(method).apply(take(times, blink)).channel("eye_closed_left")
        assert shut.max() > 0.8
        assert abs(int(shut.argmax()) - 61.5) <= 1
        assert shut[:57].max() < 0.02


@settings(max_examples=30)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.sampled_from(METHODS))
def test_gaps_are_never_bridged(found: list[bool], method: str) -> None:
    success = np.array(found)
    times = np.arange(len(success)) / 30
    level = np.cumsum(np.r_[False, success[1:] & ~success[:-1]]) % 2.0
    done = Smoothing(method).apply(take(times, level, success))
    assert (np.isnan(done.action_units).all(1) == ~success).all()
    np.testing.assert_allclose(done.action_units[success], np.tile(level[success][:, None], N_AU), atol=1e-12)


def test_one_euro_uses_no_frame_that_follows() -> None:
    times = np.arange(40) / 30
    values = RNG.uniform(0, 1, (40, 2))
    whole = one_euro(times, values, 8.0, 3.0)
    np.testing.assert_array_equal(whole[:25], one_euro(times[:25], values[:25], 8.0, 3.0))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("times", [[0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0]])
def test_rows_of_equal_times_stay_numbers(method: str, times: list[float]) -> None:
    values = RNG.uniform(0, 1, len(times))
    done = Smoothing(method).apply(take(np.array(times), values))
    assert ((done.action_units >= values.min()) & (done.action_units <= values.max())).all()


def test_through_json() -> None:
    for smoothing in (Smoothing(), Smoothing("one_euro"), Smoothing("zero_phase", {"head": 2.0})):
        again = Smoothing.from_settings(json.loads(json.dumps(smoothing.to_settings())))
        assert again.method == smoothing.method
        assert {**CUTOFF_HZ, **again.cutoff_hz} == {**CUTOFF_HZ, **smoothing.cutoff_hz}


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "best"},
        {"cutoff_hz": {"ears": 1}},
        *({"cutoff_hz": {"head": value}} for value in (0, float("inf"), float("nan"), 10**400)),
        {"cutoff_hz": 1},
        "x",
    ],
)
def test_settings_that_make_no_sense(settings: object) -> None:
    with pytest.raises(TakeFormatError, match="smoothing"):
        Smoothing.from_settings(settings)
