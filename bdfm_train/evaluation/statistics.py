# SPDX-License-Identifier: MIT
"""Area under the ROC curve, with a bootstrap interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
