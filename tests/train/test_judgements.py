# SPDX-License-Identifier: MIT
"""Action units judged by eye: the table, what it allows, which photos are drawn, how far a reading is from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_train.data.judgements import (
    HARDLY,
    INTERVALS,
    LEARNED,
    OVERLOOKED,
    TABLES,
    GradedChoice,
    agreement_of_judges,
    intensity_bounds,
    load_grades,
    load_table,
)
from bdfm_train.data.photos import judgements, load_photos, set_aside
from bdfm_train.errors import SourcesError
from bdfm_train.evaluation.statistics import auc, concordance
from bdfm_train.training.steps import judged_error

AU09, AU12 = AU_NAMES.index("AU09"), AU_NAMES.index("AU12")


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "judged.csv"
    path.write_text("# note\n" + text)
    return path


def test_grades_are_read_by_name_and_what_is_missing_is_unknown(tmp_path: Path) -> None:
    grades = load_table(table(tmp_path, "file,AU12,AU01\na.jpg,2,\nb.jpg,0,3\n"))
    assert grades["a.jpg"][AU12] == 2 and grades["b.jpg"][0] == 3
    assert np.isnan(grades["a.jpg"][0]) and np.isnan(grades["a.jpg"][AU09])


@pytest.mark.parametrize(
    "text", ["file,AU99\na.jpg,1\n", "file,AU12\na.jpg,4\n", "file,AU12\na.jpg,0.7\n", "file,AU12\na.jpg,x\n"]
)
def test_a_wrong_table_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourcesError):
        load_table(table(tmp_path, text))


def test_bounds_say_what_is_known_and_little_of_units_that_few_photos_show() -> None:
    grades = np.full(N_AU, np.nan, np.float32)
    grades[AU12], grades[AU09] = 3, 0
    low, high = intensity_bounds(grades)
    assert (low[AU12], high[AU12]) == tuple(INTERVALS[3])
    assert "AU09" not in LEARNED and (low[AU09], high[AU09]) == (0, np.float32(HARDLY))
    assert low.sum() == low[AU12] and high.sum() == pytest.approx(N_AU - 2 + high[AU12] + HARDLY)
    grades[AU09] = 1
    assert intensity_bounds(grades)[0][AU09] == INTERVALS[1, 0]
    grades[AU12] = 1.5  # one judge said slight, the other clear
    assert np.stack(intensity_bounds(grades))[:, AU12] == pytest.approx((INTERVALS[1] + INTERVALS[2]) / 2)
    np.testing.assert_array_equal(intensity_bounds(None), [np.zeros(N_AU), np.ones(N_AU)])


def test_a_slight_jaw_drop_may_be_overlooked_behind_parted_lips_alone() -> None:
    grades = np.full(N_AU, np.nan, np.float32)
    jaw, lips = (AU_NAMES.index(name) for name in OVERLOOKED)
    grades[jaw], highest = 0, {}
    for parted in (0, 0.5, 1, 3):
        grades[lips] = parted
        low, high = intensity_bounds(grades)
        assert low[jaw] == 0
        highest[parted] = high[jaw]
    assert highest == {0: INTERVALS[0, 1], 0.5: INTERVALS[0, 1], 1: INTERVALS[1, 0], 3: INTERVALS[1, 0]}
    grades[jaw] = 2
    assert np.stack(intensity_bounds(grades))[:, jaw] == pytest.approx(INTERVALS[2])


def test_grades_are_the_mean_of_the_judges_and_unknown_where_the_first_saw_nothing() -> None:
    tables = [load_table(path) for path in TABLES]
    first = tables[0]
    assert all(len(table) > 0.95 * len(first) and table.keys() <= first.keys() for table in tables[1:])
    several = 0
    for name, grades in load_grades().items():
        np.testing.assert_array_equal(np.isnan(grades), np.isnan(first[name]))
        for i in np.flatnonzero(~np.isnan(grades)):
            seen = [table[name][i] for table in tables if name in table and not np.isnan(table[name][i])]
            assert grades[i] == pytest.approx(sum(seen) / len(seen))
            several += len(set(seen)) > 1
    assert several > 1000


def test_judges_agree_where_an_expression_is_plain() -> None:
    agreement = agreement_of_judges()
    for unit in ("AU12", "AU26", "eye_closed_left"):
        assert agreement[unit].pairs > 1500 and min(agreement[unit].seen) > 50 and agreement[unit].correlation > 0.75
    assert agreement["jaw_left"].seen == () and np.isnan(agreement["jaw_left"].correlation)
    brows = agreement["AU02"]
    assert len(brows.seen) == len(TABLES)
    assert brows.reliability == pytest.approx(4 * brows.correlation / (1 + 3 * brows.correlation))


def test_rare_expressions_are_drawn_often() -> None:
    grades = np.zeros((100, N_AU), np.float32)
    grades[7, AU12] = 2
    grades[20:, AU_NAMES.index("AU04")] = 1
    choice, rng = GradedChoice(grades), np.random.default_rng(0)
    drawn = np.array([choice.draw(rng) for _ in range(1000)])
    assert 0.2 < np.mean(drawn == 7) < 0.3
    assert len(np.unique(drawn)) > 90


def test_error_is_the_squared_distance_to_the_bounds_by_hand() -> None:
    bounds = torch.tensor([0.0, 1.0])[:, None].repeat(1, N_AU)[None]
    bounds[0, :, AU12] = torch.tensor([0.2, 0.5])

    def error(value: float, change: float = 0.0, changed: int = AU12, mirrored: bool = False) -> float:
        read, added = torch.full((1, N_AU), 0.3), torch.zeros(1, N_AU)
        read[0, AU12], added[0, changed] = value, change
        return judged_error(read, bounds, added, torch.tensor([mirrored])).item()

    assert error(0.1) == pytest.approx(0.1**2 / N_AU)
    assert error(0.8) == pytest.approx(0.3**2 / N_AU)
    assert error(0.3) == 0
    assert error(0.1, change=0.4) == pytest.approx((1 + 3 * 0.4) * 0.1**2 / N_AU)
    assert error(0.1, change=0.4, changed=AU12 - 1) == pytest.approx(0.1**2 / N_AU)


def test_what_was_added_on_one_side_counts_on_the_other_in_a_mirror_image() -> None:
    left, right = AU_NAMES.index("eye_closed_left"), AU_NAMES.index("eye_closed_right")
    bounds = torch.stack([torch.zeros(N_AU), torch.ones(N_AU)])[None]
    bounds[0, 0, right] = 0.6
    added = torch.zeros(1, N_AU)
    added[0, left] = 0.6
    read = torch.zeros(1, N_AU)
    assert judged_error(read, bounds, added, torch.tensor([True])).item() == pytest.approx((1 + 3 * 0.6) * 0.36 / N_AU)
    assert judged_error(read, bounds, added, torch.tensor([False])).item() == pytest.approx(0.36 / N_AU)


def test_concordance_by_hand() -> None:
    grade, score = np.array([0.0, 1.0, 2.0]), np.array([0.1, 0.3, 0.2])
    assert concordance(grade, score) == pytest.approx(2 / 3)
    assert concordance(grade > 0, np.array([0.1, 0.1, 0.3])) == auc(grade > 0, np.array([0.1, 0.1, 0.3]))


def test_nothing_that_measures_is_judged_for_training(sources_root: Path) -> None:
    judged = set(load_grades())
    assert not judged & set(judgements(sources_root)) and not judged & set_aside()
    photos = load_photos(sources_root, "train")
    assert np.mean([photo.grades is not None for photo in photos]) > 0.95
