# SPDX-License-Identifier: MIT
"""Calibration: rest becomes 0, the strongest stays 1, and nothing is lost on the way through JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdfm_infer.calibrate import Calibration
from bdfm_infer.errors import BdfmError, TakeFormatError
from bdfm_infer.parameters import AU_NAMES, EYES, N_AU
from bdfm_infer.rows import Row
from bdfm_infer.take import Take

ROOT = Path(__file__).resolve().parents[2]


def take(values: list[float | None]) -> Take:
    """One frame a value at 10 frames a second; all action units alike; None is no face."""
    return Take.from_rows(
        [
            Row(i, i / 10, 1.0) if v is None else Row(i, i / 10, 1.0, np.zeros(3), np.ones(3), np.full(N_AU, v))
            for i, v in enumerate(values)
        ]
    )


def test_rest_becomes_nothing_and_the_strongest_remains() -> None:
    calibration = Calibration({"AU04": 0.3})
    done = calibration.apply(take([0.1, 0.3, 0.65, 1.0, None]))
    np.testing.assert_allclose(done.channel("AU04"), [0, 0, 0.5, 1, np.nan])
    np.testing.assert_allclose(done.channel("AU05"), [0.1, 0.3, 0.65, 1, np.nan])


def test_gain_is_limited() -> None:
    done = Calibration(gain={"AU12": 2.0, "AU26": 0.0}).apply(take([0.2, 0.8]))
    np.testing.assert_allclose(done.channel("AU12"), [0.4, 1.0])
    np.testing.assert_allclose(done.channel("AU26"), [0.0, 0.0])


def test_neutral_of_a_stretch_leaves_the_eyes_out() -> None:
    source = take([0.9, 0.2, None, 0.3, 0.4, 0.9])
    neutral = Calibration.from_take(source, 0.1, 0.4).neutral
    assert neutral["AU01"] == pytest.approx(0.3)
    assert set(AU_NAMES) - set(neutral) == {"eye_closed_left", "eye_closed_right"}
    assert Calibration.from_take(source, 0.5, 0.5).neutral["AU01"] == pytest.approx(0.9)
    assert Calibration.from_take(source).neutral["AU01"] == pytest.approx(0.4)
    with pytest.raises(BdfmError, match="neutral"):
        Calibration.from_take(source, 0.2, 0.2)


@given(
    st.dictionaries(st.sampled_from(AU_NAMES), st.floats(0, 0.95)),
    st.dictionaries(st.sampled_from(AU_NAMES), st.floats(0, 10)),
)
def test_through_json(neutral: dict[str, float], gain: dict[str, float]) -> None:
    calibration = Calibration(neutral, gain)
    assert Calibration.from_settings(json.loads(json.dumps(calibration.to_settings()))) == calibration
    done = calibration.apply(take([0.0, 0.5, 1.0])).action_units
    assert ((done >= 0) & (done <= 1)).all()
    assert (np.diff(done, axis=0) >= 0).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"neutral": {"AU99": 0.1}},
        {"neutral": {"AU01": 1}},
        {"neutral": {"AU01": "x"}},
        {"gain": {"AU01": -1}},
        {"gain": 3},
        [1],
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object]) -> None:
    with pytest.raises(TakeFormatError, match="calibration"):
        Calibration.from_settings(settings)


def test_automatic_neutral_is_that_of_the_calm_frames() -> None:
    times = np.arange(200) / 25
    units = np.zeros((200, N_AU))
    units[:, AU_NAMES.index("AU12")] = np.where(times < 4, 0.2, 0.7)
    units[:, AU_NAMES.index("AU26")] = np.where(times < 4, 0.0, 0.5 + 0.4 * np.sin(times * 9))
    units[:, AU_NAMES.index("AU04")] = 0.1
    units[20:30, AU_NAMES.index("eye_closed_left")] = 1.0
    rotation = np.zeros((200, 3))
    rotation[60:100, 0] = 50.0
    units[60:100] *= 0.1  # a profile in which little is seen: not the face at rest
    rows = [Row(i, t, 0.9, rotation[i], np.zeros(3), units[i]) for i, t in enumerate(times)]
    found = Calibration.automatic(Take.from_rows([*rows, Row(200, 8.0, 0.0)]))
    assert found.neutral["AU12"] == pytest.approx(0.2) and found.neutral["AU04"] == pytest.approx(0.1)
    assert found.neutral["AU26"] == 0.0
    assert not set(EYES) & set(found.neutral)
    with pytest.raises(BdfmError, match="no face"):
        Calibration.automatic(Take.from_rows([Row(0, 0.0, 0.0)]))


@pytest.mark.parametrize("calm", [0.0, 0.03])
def test_automatic_neutral_is_no_expression_that_is_held_for_long(calm: float) -> None:
    """Brows up in the first half, a smile in the second, and hardly a moment or none in which the face does nothing."""
    waver = np.random.default_rng(1).normal(0, 0.015, (240, N_AU))
    units = np.full((240, N_AU), 0.1)
    share = np.arange(240) / 240
    units[share < 0.5, AU_NAMES.index("AU01")] = 0.6
    units[share >= 0.5, AU_NAMES.index("AU12")] = 0.8
    units[share < calm] = 0.1
    values = np.clip(units + waver, 0, 1)
    rows = [Row(i, i / 30, 1.0, np.zeros(3), np.zeros(3), row) for i, row in enumerate(values)]
    found = Calibration.automatic(Take.from_rows(rows))
    np.testing.assert_allclose(list(found.neutral.values()), 0.1, atol=0.05)
    done = found.apply(Take.from_rows(rows))
    assert done.channel("AU01")[20:100].mean() > 0.5 and done.channel("AU12")[140:].mean() > 0.7


def test_automatic_neutral_of_the_sample_clip() -> None:
    """Its face raises the brows for four of eight seconds, and smiles for five."""
    sample = Take.read(ROOT / "examples" / "clip" / "sample_truth.csv")
    assert np.median(sample.channel("AU01")) > 0.5 and np.median(sample.channel("AU12")) > 0.7
    found = Calibration.automatic(sample)
    assert max(found.neutral[name] for name in ("AU01", "AU02", "AU05", "AU12", "AU26")) < 0.2
