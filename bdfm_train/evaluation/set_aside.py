# SPDX-License-Identifier: MIT
"""AUC of action units that ``faces/expressions.csv`` does not judge, on photos set aside before the first training.

``python -m bdfm_train set-aside``. Judgements: ``bdfm_train/data/judged_set_aside.csv``.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer import Predictor
from bdfm_infer.parameters import ACTION_UNITS, AU_NAMES
from bdfm_train.data.photos import set_aside
from bdfm_train.errors import MeasureError

from .expressions import read_photos
from .statistics import auc, auc_interval

WANTED: Final = (20, 40)
"""Photos that should show a unit, and that should not, for its figure to say something."""

_TABLE: Final = Path(__file__).parents[1] / "data" / "judged_set_aside.csv"


def load_judged(path: Path = _TABLE) -> tuple[tuple[str, ...], dict[str, NDArray[np.float64]]]:
    """File names (n) and, by unit, judgements (n,): 1 there, 0 not there, NaN not judged.

    Raises:
        MeasureError: a photo was not set aside, a column is no action unit, or a judgement is none of 1, 0, nothing.
    """
    aside = set_aside()
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    names = tuple(row.pop("file") for row in rows)
    units = tuple(rows[0])
    strange = [unit for unit in units if unit not in AU_NAMES] + [name for name in names if name not in aside]
    if strange:
        raise MeasureError(f"{path}: {strange[0]} is no action unit, or no photo that was set aside.")
    value = {"1": 1.0, "0": 0.0, "": np.nan}
    try:
        return names, {unit: np.array([value[row[unit]] for row in rows]) for unit in units}
    except KeyError as error:
        raise MeasureError(f"{path}: judgement {error}; write 1, 0 or nothing.") from error


def report(sources: Path, predictor: Predictor) -> str:
    """The table of AUCs."""
    names, judged = load_judged()
    read, action_units, found = read_photos(sources, names, predictor)
    order = [names.index(name) for name in read]
    lines = [
        f"{len(read)} photos set aside and judged by eye, face found in {int(found.sum())}",
        f"{'unit':24s}{'there':>6s}{'not':>5s}{'AUC':>7s}  95 % interval",
    ]
    for unit, all_judged in judged.items():
        truth = all_judged[order]
        lines.append(unit_line(unit, truth, action_units[:, AU_NAMES.index(unit)]))
    return "\n".join(lines)


def unit_line(unit: str, truth: NDArray[np.float64], score: NDArray[np.float64]) -> str:
    """One unit's figures; truth (n,) with NaN where it was not judged."""
    known = ~np.isnan(truth)
    there = truth[known] > 0
    counts = (int(there.sum()), int((~there).sum()))
    start = f"{unit + ' ' + ACTION_UNITS[unit]:24s}{counts[0]:6d}{counts[1]:5d}"
    if not all(counts):
        return f"{start}      -  none to tell apart"
    low, high = auc_interval(there, score[known])
    few = "" if counts[0] >= WANTED[0] and counts[1] >= WANTED[1] else "  too few to say much"
    return f"{start}{auc(there, score[known]):7.3f}  {low:.3f} to {high:.3f}{few}"
