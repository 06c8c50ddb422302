# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from bdfm_train.errors import MeasureError
from bdfm_train.evaluation.statistics import auc, auc_interval, icc, icc31, mean_absolute_error, rank_correlation

TRUTH = np.array([True, True, False, False, False])


def test_auc_counts_pairs_in_the_right_order() -> None:
    # Of the six pairs, 0.9 beats all three negatives, 0.4 beats one: 4 of 6.
    assert auc(TRUTH, np.array([0.9, 0.4, 0.5, 0.6, 0.1])) == pytest.approx(4 / 6)


def test_ties_count_half() -> None:
    assert auc(TRUTH, np.zeros(5)) == pytest.approx(0.5)


def test_auc_does_not_depend_on_scale() -> None:
    score = np.array([0.9, 0.4, 0.5, 0.6, 0.1])
    assert auc(TRUTH, np.exp(5 * score)) == auc(TRUTH, score)


def test_one_kind_alone_has_no_auc() -> None:
    with pytest.raises(MeasureError, match="positives and negatives"):
        auc(np.array([True, True]), np.array([0.1, 0.2]))


def test_interval_holds_the_value_and_narrows_with_more_data() -> None:
    rng = np.random.default_rng(1)

    def sample(n: int) -> tuple[np.ndarray, np.ndarray]:
        truth = np.arange(n) < n // 2
        return truth, rng.normal(size=n) + truth

    small, large = sample(40), sample(1000)
    few, many = auc_interval(*small, draws=300), auc_interval(*large, draws=300)
    assert few[0] <= auc(*small) <= few[1]
    assert many[0] <= auc(*large) <= many[1]
    assert many[1] - many[0] < few[1] - few[0]


# Shrout and Fleiss (1979), table 2: six targets, four judges; table 4 gives the correlations.
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def test_intraclass_correlations_are_those_that_were_published() -> None:
    assert icc(SHROUT_FLEISS) == pytest.approx((0.17, 0.29, 0.71), abs=0.005)


def test_icc31_of_a_pair_by_hand() -> None:
    # Truth 0, 1, 2 read as 0, 1, 5. Row means 0, 1, 3.5 about 1.5: MSB = 2 (2.25 + .25 + 4) / 2 = 6.5.
    # Within rows 4.5, of it between judges 3 (.5 ** 2 * 2) = 1.5: MSE = (4.5 - 1.5) / 2 = 1.5; 5 over 8.
    assert icc31(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 5.0])) == pytest.approx(5 / 8)


def test_icc31_forgives_an_offset_and_not_a_factor() -> None:
    truth = np.array([0.0, 1.0, 2.0, 4.0])
    assert icc31(truth, truth + 3) == pytest.approx(1)
    assert icc31(truth, -truth) == pytest.approx(-1)
    assert icc31(truth, truth / 2) == pytest.approx(0.8)  # 2 s / (1 + s ** 2) for a factor s


def test_a_constant_truth_has_no_icc() -> None:
    assert np.isnan(icc31(np.zeros(5), np.array([0.0, 0.1, 0.0, 0.2, 0.0])))
    assert np.isnan(icc31(np.full(5, 2.0), np.full(5, 2.0)))
    assert all(np.isnan(icc(np.ones((4, 3)))))


def test_a_reading_that_never_changes_agrees_with_nothing() -> None:
    assert icc31(np.array([0.0, 1.0, 2.0]), np.ones(3)) == pytest.approx(0)


@pytest.mark.parametrize("ratings", [np.ones((1, 2)), np.ones((5, 1)), np.array([[1.0, np.nan], [2.0, 3.0]])])
def test_too_few_ratings_or_gaps_are_an_error(ratings: np.ndarray) -> None:
    with pytest.raises(MeasureError, match="intraclass"):
        icc(ratings)


def test_mean_absolute_error() -> None:
    assert mean_absolute_error(np.array([0, 5, 2], np.uint8), np.array([1.0, 3.0, 2.0])) == pytest.approx(1)


def test_rank_correlation_sees_order_alone() -> None:
    truth = np.array([0, 0, 1, 2, 2])
    assert rank_correlation(truth, np.exp(np.array([0.0, 0.0, 1.0, 2.0, 2.0]))) == pytest.approx(1)
    # Ranks 1, 2, 3 against 1, 3, 2: 1 - 6 (0 + 1 + 1) / (3 (9 - 1)).
    assert rank_correlation(np.array([0, 1, 2]), np.array([0.1, 0.9, 0.5])) == pytest.approx(0.5)
    assert np.isnan(rank_correlation(np.zeros(4), np.arange(4)))
