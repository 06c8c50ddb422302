# SPDX-License-Identifier: MIT
"""Seconds to frames: exact at every frame rate, and no keys where the face is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.core.errors import TimingError
from blender_addon.core.timing import SceneTime, resample

SCENES = {
    "23.976": (24, 1.001),
    "24": (24, 1.0),
    "25": (25, 1.0),
    "29.97": (30, 1.001),
    "30": (30, 1.0),
    "60": (60, 1.0),
}
CLIPS = (15.0, 24.0, 25.0, 30_000 / 1001, 30.0, 50.0, 59.94, 120.0)
NAN = float("nan")


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
@pytest.mark.parametrize("clip_rate", CLIPS)
def test_a_ramp_stays_a_ramp(scene: tuple[float, float], clip_rate: float) -> None:
    """What grows with time in the clip grows with time in the scene, whatever both rates are.

    Time stamps are rounded to a microsecond, as they stand in a take.
    """
    time = SceneTime(*scene, start=7)
    stamps = np.round(np.arange(101) / clip_rate, 6)
    keys = resample(stamps, stamps[:, None] * [1, -3], time)
    seconds = (keys.frames - 7) / (scene[0] / scene[1])
    tolerance = 1e-3 / time.rate  # a sample within 1/1000 of a frame counts as lying on it
    np.testing.assert_allclose(keys.values, seconds[:, None] * [1, -3], atol=3 * tolerance)
    assert keys.frames[0] == 7
    assert keys.frames[-1] == int(np.floor(7 + stamps[-1] * time.rate + 1e-3))
    assert (np.diff(keys.frames) == 1).all()
    assert not keys.gap_starts.any()


def test_equal_rates_give_the_samples_back() -> None:
    stamps = np.round(np.arange(300) * 1001 / 30_000, 6)
    samples = np.random.default_rng(1).random((300, 2))
    keys = resample(stamps, samples, SceneTime(30, 1.001))
    assert keys.frames.tolist() == list(range(1, 301))
    np.testing.assert_array_equal(keys.values, samples)


@given(
    steps=st.lists(st.floats(0.005, 0.2), min_size=1, max_size=40),
    scene=st.sampled_from(list(SCENES.values())),
    start=st.floats(-100, 1000),
)
def test_variable_frame_rate(steps: list[float], scene: tuple[float, float], start: float) -> None:
    time = SceneTime(*scene, start=start)
    stamps = np.concatenate([[0.0], np.cumsum(steps)])
    keys = resample(stamps, 2 * stamps[:, None], time)
    inside = (keys.frames >= time.frames(0)) & (keys.frames <= time.frames(stamps[-1]))
    np.testing.assert_allclose(keys.values[inside, 0], 2 * time.seconds(keys.frames[inside]), atol=2e-3 / time.rate)
    assert inside.sum() >= len(keys.frames) - 2


def test_frames_and_seconds_are_inverse() -> None:
    time = SceneTime(24, 1.001, start=101)
    assert time.frames(1001 / 1000) == pytest.approx(125)
    np.testing.assert_allclose(time.seconds(time.frames([0, 0.5, 7])), [0, 0.5, 7], atol=1e-12)


def test_no_keys_where_the_face_is_lost() -> None:
    """30 fps: rows 3, 4 and 5 show no face, so the frames 4, 5 and 6 get no key and frame 3 begins the gap."""
    values = np.array([0, 1, 2, NAN, NAN, NAN, 6, 7.0])[:, None]
    keys = resample(np.arange(8) / 30, values, SceneTime(30))
    assert keys.frames.tolist() == [1, 2, 3, 7, 8]
    assert keys.values[:, 0].tolist() == pytest.approx([0, 1, 2, 6, 7])
    assert keys.gap_starts.tolist() == [False, False, True, False, False]


def test_a_gap_between_frames_of_the_scene_is_none() -> None:
    """120 fps in a scene of 30: the face is lost for less than a frame, between two of them."""
    values = np.arange(9.0)[:, None]
    values[[1, 2]] = NAN
    keys = resample(np.arange(9) / 120, values, SceneTime(30))
    assert keys.frames.tolist() == [1, 2, 3]
    assert keys.values[:, 0].tolist() == pytest.approx([0, 4, 8])
    assert not keys.gap_starts.any()


def test_nothing_before_the_first_find_and_after_the_last() -> None:
    values = np.array([NAN, NAN, 2, 3, NAN])[:, None]
    keys = resample(np.arange(5) / 30, values, SceneTime(30))
    assert keys.frames.tolist() == [3, 4]
    assert not keys.gap_starts.any()


def test_a_stretch_between_two_frames_gets_one_key() -> None:
    """60 fps in a scene of 24: rows 8 and 9 lie at the frames 4.2 and 4.6, and nothing around them shows a face."""
    values = np.full((20, 1), NAN)
    values[[0, 8, 9, 19], 0] = [0, 8, 9, 19]
    keys = resample(np.arange(20) / 60, values, SceneTime(24))
    assert keys.frames.tolist() == [1, 4, 9]
    assert keys.values[:, 0].tolist() == pytest.approx([0, 8, 19])
    assert keys.gap_starts.tolist() == [True, True, False]


def test_a_row_is_whole_or_lost() -> None:
    values = np.array([[0, 0], [1, NAN], [2, 2.0]])
    assert resample(np.arange(3) / 30, values, SceneTime(30)).frames.tolist() == [1, 3]


def test_time_stamps_that_go_back_are_left_out() -> None:
    values = np.array([0, 1, 99, 98, 2.0])[:, None]
    keys = resample([0, 1 / 30, 1 / 30, 0, 2 / 30], values, SceneTime(30))
    assert keys.frames.tolist() == [1, 2, 3]
    assert keys.values[:, 0].tolist() == pytest.approx([0, 1, 2])


def test_an_image_alone_gives_one_key() -> None:
    keys = resample([0.0], np.ones((1, 26)), SceneTime(24, start=50))
    assert keys.frames.tolist() == [50]
    assert keys.values.tolist() == [[1.0] * 26]


@pytest.mark.parametrize("values", [np.full((3, 1), NAN), np.zeros((0, 1))])
def test_no_face_at_all_is_an_error(values: object) -> None:
    with pytest.raises(TimingError, match="no frame with a face"):
        resample(np.arange(len(values)) / 30, values, SceneTime(30))  # type: ignore[arg-type]


@pytest.mark.parametrize(("fps", "base"), [(0, 1), (24, 0), (-24, 1), (NAN, 1), (24, float("inf"))])
def test_impossible_frame_rates_are_refused(fps: float, base: float) -> None:
    with pytest.raises(TimingError, match="not a positive number"):
        SceneTime(fps, base)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
@pytest.mark.parametrize("speed", [0.5, 0.75, 2.0])
def test_the_speed_stretches_the_take(scene: tuple[float, float], speed: float) -> None:
    """At half speed second 1 of the video lies two seconds after the start."""
    time = SceneTime(*scene, start=7, speed=speed)
    keys = resample(np.arange(121) / 30, np.arange(121)[:, None] / 30, time)
    seconds = (keys.frames - 7) / (scene[0] / scene[1]) * speed
    np.testing.assert_allclose(keys.values[:, 0], seconds, atol=3e-3 / time.rate)
    assert keys.frames[-1] == int(np.floor(7 + 4 / speed * time.rate + 1e-3))
    np.testing.assert_allclose(time.seconds(time.frames([0, 1.5])), [0, 1.5], atol=1e-12)


@pytest.mark.parametrize("speed", [0, -1, NAN, float("inf")])
def test_impossible_speeds_are_refused(speed: float) -> None:
    with pytest.raises(TimingError, match="speed"):
        SceneTime(24, speed=speed)


@pytest.mark.parametrize("stamps", [[0, 1e12], [-1e7, 0], [0, 50_000]])
def test_times_beyond_the_timeline_are_refused_before_they_fill_the_memory(stamps: list[float]) -> None:
    with pytest.raises(TimingError, match="timeline ends"):
        resample(stamps, [[0.0], [1.0]], SceneTime(24))


def test_a_range_takes_keys_at_both_ends() -> None:
    keys = resample(np.arange(10) / 24, np.arange(10.0)[:, None], SceneTime(24))
    assert keys.within(3, 6).frames.tolist() == [3, 4, 5, 6]
    assert keys.within(3, 6).values[:, 0].tolist() == [2, 3, 4, 5]
    assert keys.within(None, 2).frames.tolist() == [1, 2]
    assert keys.within(None, None).frames.tolist() == keys.frames.tolist()
    with pytest.raises(TimingError, match="from frame 1 to 10"):
        keys.within(11, 20)


def test_a_range_keeps_the_gaps_in_it() -> None:
    values = np.array([0, 1, NAN, NAN, 4, 5, NAN, 7.0])[:, None]
    keys = resample(np.arange(8) / 24, values, SceneTime(24)).within(2, 6)
    assert keys.frames.tolist() == [2, 5, 6]
    assert keys.gap_starts.tolist() == [True, False, False]


def test_filled_gaps_are_held_then_eased() -> None:
    values = np.full(103, NAN)[:, None]
    values[[0, 1, 101, 102]] = [[0.0], [0.2], [0.8], [1.0]]
    keys = resample(np.arange(103) / 24, values, SceneTime(24)).filled()
    assert keys.frames.tolist() == list(range(1, 104))
    assert not keys.gap_starts.any()
    gap = keys.values[1:102, 0]
    assert gap[[0, -1]].tolist() == [0.2, 0.8]
    assert (np.diff(gap) >= 0).all()
    assert gap[33] - 0.2 < 0.1 * 0.6, "held for the first third"
    assert keys.values[[0, -1], 0].tolist() == [0.0, 1.0]


def test_curves_go_straight_from_frame_to_frame_and_hold_a_gap() -> None:
    values = np.array([NAN, 0, 1, NAN, NAN, NAN, NAN, 4, 6.0])[:, None]
    keys = resample(np.arange(9) / 24, values, SceneTime(24))
    before, after, share = keys.around([-9, 2, 2.25, 3, 3.5, 7, 7.9, 8, 9, 99])
    first, second = keys.values[before, 0], keys.values[after, 0]
    shown = first * (1 - share) + second * share
    assert shown[[0, 1, 2, 3, 7, 8, 9]].tolist() == [0, 0, 0.25, 1, 4, 6, 6]
    assert 1 < shown[4] < 1.1 < 2.5 < shown[5] < shown[6] < 4, "held at first, then eased into the next find"
    filled = keys.filled()
    before, after, share = keys.around(filled.frames)
    np.testing.assert_allclose(
        filled.values[:, 0], keys.values[before, 0] * (1 - share) + keys.values[after, 0] * share, atol=1e-12
    )
