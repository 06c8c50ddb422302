# SPDX-License-Identifier: MIT
"""Figures that say how well readings agree with a truth: AUC, concordance with grades, ICC, mean absolute error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from bdfm_train.errors import MeasureError


def auc(truth: NDArray[np.bool_], score: NDArray[np.floating]) -> float:
    """Probability that a positive scores above a negative, ties counted half (Mann-Whitney).

    Args:
        truth: (n,) bool.
        score: (n,) any scale.

    Raises:
        MeasureError: all are positive or all negative.
    """
    positive, negative = score[truth], score[~truth]
    if not len(positive) or not len(negative):
        raise MeasureError("An AUC needs positives and negatives; there is only one kind.")
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left")
    up_to = np.searchsorted(ordered, positive, "right")
    return float((below + up_to).mean() / 2.0 / len(negative))


def concordance(grade: NDArray[np.floating], score: NDArray[np.floating]) -> float:
    """Probability that of two things of different grade the higher has the higher score, ties counted half.

    The AUC where there are two grades.

    Args:
        grade: (n,).
        score: (n,) any scale.

    Raises:
        MeasureError: all have one grade.
    """
    higher = grade[:, None] > grade[None, :]
    if not higher.any():
        raise MeasureError("A concordance needs things of two grades or more.")
    right = (score[:, None] > score[None, :]) + 0.5 * (score[:, None] == score[None, :])
    return float(right[higher].mean())


def auc_interval(
    truth: NDArray[np.bool_], score: NDArray[np.floating], share: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of :func:`auc`; positives and negatives are drawn apart, so that neither runs out."""
    rng = np.random.default_rng(seed)
    positive, negative = np.flatnonzero(truth), np.flatnonzero(~truth)
    values = []
    for _ in range(draws):
        index = np.concatenate([rng.choice(positive, len(positive)), rng.choice(negative, len(negative))])
        values.append(auc(truth[index], score[index]))
    low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def icc(ratings: NDArray[np.floating]) -> tuple[float, float, float]:
    """Intraclass correlations (1,1), (2,1), (3,1) of Shrout and Fleiss (1979, Psychological Bulletin 86, 420-428).

    Args:
        ratings: (n, k), n targets rated by k judges.

    Returns:
        Three values, each at most 1; NaN where the ratings do not differ at all.

    Raises:
        MeasureError: fewer than two targets or judges, or a rating that is no number.
    """
    n, k = ratings.shape
    if n < 2 or k < 2 or not np.isfinite(ratings).all():
        raise MeasureError("An intraclass correlation needs two targets and two judges or more, each rating a number.")
    ratings = np.asarray(ratings, np.float64)
    between = k * ((ratings.mean(1) - ratings.mean()) ** 2).sum() / (n - 1)
    judges = n * ((ratings.mean(0) - ratings.mean()) ** 2).sum() / (k - 1)
    within = ((ratings - ratings.mean(1, keepdims=True)) ** 2).sum() / (n * (k - 1))
    error = (within * n * (k - 1) - judges * (k - 1)) / ((n - 1) * (k - 1))

    def share(noise: float, spread: float) -> float:
        return float((between - noise) / spread) if spread > 0 else float("nan")

    return (
        share(within, between + (k - 1) * within),
        share(error, between + (k - 1) * error + k * (judges - error) / n),
        share(error, between + (k - 1) * error),
    )


def icc31(truth: NDArray[np.floating], score: NDArray[np.floating]) -> float:
    """ICC(3,1) of a truth and its reading, the measure of the paper (section 3.3): 1 where they differ by a constant.

    Args:
        truth: (n,).
        score: (n,) on the same scale.

    Returns:
        At most 1. NaN where the truth is the same everywhere: there is nothing then that a reading could agree with.
    """
    if np.ptp(truth) == 0:
        return float("nan")
    return icc(np.stack([truth, score], 1))[2]


def mean_absolute_error(truth: NDArray[np.floating], score: NDArray[np.floating]) -> float:
    """Mean of |truth - score|, in their unit; both (n,)."""
    return float(np.abs(np.asarray(truth, np.float64) - score).mean())


def rank_correlation(truth: NDArray[np.floating], score: NDArray[np.floating]) -> float:
    """Spearman's correlation of two (n,), equal values sharing their mean rank; NaN where one of them is constant."""
    if np.ptp(truth) == 0 or np.ptp(score) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(truth), rankdata(score))[0, 1])
