# SPDX-License-Identifier: MIT
"""Random faces: ranges, exclusions, how often what is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bdfm_infer.parameters import AU_BASE, AU_NAMES, AU_SLICE, BROW_SLICE, POSE_SLICE
from bdfm_train.errors import SourcesError
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.performance import CLIP_ROWS, TRAINING_ROWS, Performances
from bdfm_train.face_model.sampler import EXCLUSIVE, FAINT, LIDS, UNIT, Sampler

DRAWS = 600


@pytest.fixture(scope="module")
def head(heads_folder: Path) -> Head:
    return Head.load(heads_folder, "a")


@pytest.fixture(scope="module")
def performances(sources_root: Path) -> Performances:
    return Performances(sources_root)


@pytest.fixture
def sampler(head: Head, performances: Performances) -> Sampler:
    return Sampler(head, performances, np.random.default_rng(0))


def test_parameters_stay_in_their_ranges(sampler: Sampler) -> None:
    faces = np.array([sampler.parameters()[0] for _ in range(DRAWS)])
    assert faces.min() >= 0 and faces.max() <= 1
    assert faces[:, AU_SLICE].min() >= np.float32(AU_BASE)
    np.testing.assert_array_equal(np.sort(faces[:, BROW_SLICE], axis=1)[:, -2:], [[0, 1]] * DRAWS)
    assert (faces[:, BROW_SLICE].max(axis=0) > 0).sum() >= 30


def test_poses_are_mostly_small_and_saturate_only_where_asked(sampler: Sampler) -> None:
    usual = np.array([sampler.rotation() for _ in range(DRAWS)])
    assert np.abs(usual[:, 0]).max() <= 60 and np.abs(usual[:, 1]).max() <= 40
    assert 0.75 < np.mean(np.abs(usual[:, 0]) < 30) < 0.97
    wide = [sampler.parameters(wide=True) for _ in range(200)]
    beyond = [y[POSE_SLICE][0] for y, rotation in wide if abs(rotation[0]) > 60]
    assert beyond and set(beyond) <= {0.0, 1.0}


def test_small_sets_keep_rivals_apart(sampler: Sampler) -> None:
    drawn = np.array([sampler.small_set() for _ in range(DRAWS)])
    for rivals in EXCLUSIVE:
        assert (drawn[:, rivals] > 0).sum(axis=1).max() == 1
    assert (drawn > 0).mean(axis=0).min() > 0.02


def test_closed_lids_are_not_wide_open(sampler: Sampler) -> None:
    drawn = np.array([sampler.action_units() for _ in range(DRAWS)])
    closed = drawn[:, LIDS].max(axis=1) > 0.3
    assert closed.any() and (drawn[closed, UNIT["AU05"]] == 0).all()


def test_open_mouths_are_drawn_often(sampler: Sampler) -> None:
    jaw = np.array([sampler.action_units()[UNIT["AU26"]] for _ in range(DRAWS)])
    assert np.mean(jaw > 0.5) > 0.1 and jaw.max() > 0.95


def test_faint_units_are_drawn_strongly_now_and_then_without_their_rivals(sampler: Sampler) -> None:
    drawn = np.array([sampler.action_units() for _ in range(4 * DRAWS)])
    for unit in FAINT:
        assert np.mean(drawn[:, unit] > 0.5) > 0.01
    for _ in range(50):
        units = sampler._with_faint(np.full(len(AU_NAMES), 0.9, np.float32))
        assert any((units[rivals] > 0).sum() == 1 for rivals in [*EXCLUSIVE, LIDS])


def test_brow_height_at_rest_is_a_persons_own(sampler: Sampler, head: Head) -> None:
    columns = [i for i, name in enumerate(head.identity_names) if name.endswith("browhead-y")]
    heights = np.array([sampler.identity()[columns] for _ in range(DRAWS)])
    assert len(columns) == 2 and heights.std(axis=0).min() > 0.15
    assert np.corrcoef(heights.T)[0, 1] > 0.6


def test_strength_scales_identity(sampler: Sampler) -> None:
    def spread(strength: float) -> float:
        return float(np.std([sampler.identity(strength) for _ in range(50)]))

    assert spread(0.35) == pytest.approx(0.35 * spread(1.0), rel=0.25)  # clipping and chance


def test_same_state_same_faces(head: Head, performances: Performances) -> None:
    first, again = (Sampler(head, performances, np.random.default_rng(9)) for _ in range(2))
    for _ in range(20):
        np.testing.assert_array_equal(first.parameters()[0], again.parameters()[0])


def test_the_clip_shares_no_row_with_training(performances: Performances) -> None:
    for name, rows in CLIP_ROWS.items():
        total = len(performances.rows({name: slice(None)}))
        assert not set(range(total)[rows]) & set(range(total)[TRAINING_ROWS[name]])
    units = performances.rows(TRAINING_ROWS)
    assert units.shape[1] == len(AU_NAMES) and units.min() >= 0 and units.max() == 1


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match=r"alex_rom_3\.csv"):
        Performances(tmp_path)
