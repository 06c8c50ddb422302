# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from bdfm_train.errors import MeasureError
from bdfm_train.evaluation.statistics import auc, auc_interval

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
