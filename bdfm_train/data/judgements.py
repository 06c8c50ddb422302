# SPDX-License-Identifier: MIT
"""Action units of photos, judged by eye by several judges: some photos are for training, others for a check."""

from __future__ import annotations

import csv
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_train.errors import SourcesError

FloatArray = NDArray[np.float32]

INTERVALS: Final = np.array([[0.0, 0.04], [0.2, 0.42], [0.5, 0.76], [0.78, 1.0]], np.float32)
"""Least and largest intensity that agrees with each grade: 0 absent, 1 slight, 2 clear, 3 strong; the mean of
judges lies between."""

LEARNED: Final = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU12", "AU15", "AU25", "AU26",
    "eye_closed_left", "eye_closed_right",
)  # fmt: skip
"""Units that enough photos show for their absence to be learned as such."""

HARDLY: Final = 0.05
"""Largest intensity that agrees with the absence of a unit that few photos show. What renders alone teach is else read
into every face up to this bound, and into smiles most."""

OVERLOOKED: Final = ("AU26", "AU25")
"""The first is easily overlooked where it is slight and the second is graded: lips gape as far in photos in which
judges saw no jaw drop as in those of a slight one. There its absence agrees with all that is less than slight."""

_FOLDER: Final = Path(__file__).parent
TABLES: Final = tuple(
    _FOLDER / f"judged_{name}.csv" for name in ("photos", "close_up", "close_up_again", "upper_face_again")
)
"""One for each judge; the first names all photos."""


def load_grades() -> dict[str, FloatArray]:
    """Grades of the judged photos, the mean of those judges who could see the place, as in :func:`load_table`.

    What the first could not see is not known.
    """
    first, *others = (load_table(path) for path in TABLES)
    result = {}
    for name, grades in first.items():
        seen = np.stack([grades, *(table[name] for table in others if name in table)])
        known = ~np.isnan(seen)
        mean = np.where(known, seen, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        result[name] = np.where(np.isnan(grades), np.nan, mean).astype(np.float32)
    return result


def load_table(path: Path) -> dict[str, FloatArray]:
    """One judge's grades by file name: (23,) float32, 0 to 3, in the order of ``parameters.AU_NAMES``, NaN where not
    known.

    Raises:
        SourcesError: a column is no action unit, or a grade is none of 0, 1, 2, 3.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        unknown = set(rows.fieldnames or ()) - {"file", *AU_NAMES}
        if unknown:
            raise SourcesError(f"{path}: {', '.join(sorted(unknown))} is no action unit.")
        grades = {}
        for row in rows:
            name = row.pop("file")
            grades[name] = np.full(N_AU, np.nan, np.float32)
            for unit, grade in row.items():
                if grade not in ("", "0", "1", "2", "3"):
                    raise SourcesError(f"{path}: {unit} of {name} is {grade!r}. Write 0, 1, 2, 3 or nothing.")
                if grade:
                    grades[name][AU_NAMES.index(unit)] = float(grade)
        return grades


@dataclass(frozen=True)
class Agreement:
    """How far the judges of an action unit agree.

    Attributes:
        seen: by judge, in how many photos he saw it.
        pairs: number of judgements of one photo by two judges.
        correlation: of the grades of two judges, mean over the pairs of judges; NaN where no two of them saw it.
        reliability: expected correlation of the mean of all judges of it with that of as many others (Spearman-Brown).
    """

    seen: tuple[int, ...]
    pairs: int
    correlation: float
    reliability: float


def agreement_of_judges() -> dict[str, Agreement]:
    """By action unit, how far those judges agree who looked for it."""
    tables = [load_table(path) for path in TABLES]
    names = list(tables[0])
    unknown = np.full(N_AU, np.nan, np.float32)
    grades = np.stack([[table.get(name, unknown) for name in names] for table in tables])
    result = {}
    for i, unit in enumerate(AU_NAMES):
        looked = [column for column in grades[:, :, i] if not np.isnan(column).all()]
        pairs, correlations = 0, []
        for x, y in itertools.combinations(looked, 2):
            both = ~np.isnan(x) & ~np.isnan(y)
            pairs += int(both.sum())
            if x[both].any() and y[both].any():
                correlations.append(float(np.corrcoef(x[both], y[both])[0, 1]))
        r = float(np.mean(correlations)) if correlations else float("nan")
        seen = tuple(int((column > 0).sum()) for column in looked)
        result[unit] = Agreement(seen, pairs, r, len(looked) * r / (1 + (len(looked) - 1) * r))
    return result


def intensity_bounds(grades: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Least and largest intensity (23,) that agrees with a photo's grades; 0 and 1 where nothing is known.

    Args:
        grades: (23,), None for a photo that was not judged.
    """
    low, high = np.zeros(N_AU, np.float32), np.ones(N_AU, np.float32)
    if grades is not None:
        for i, name in enumerate(AU_NAMES):
            if grades[i] > 0 or (grades[i] == 0 and name in LEARNED):
                low[i], high[i] = (np.interp(grades[i], range(4), side) for side in INTERVALS.T)
            elif grades[i] == 0:
                high[i] = HARDLY
        hidden, behind = (AU_NAMES.index(name) for name in OVERLOOKED)
        if grades[hidden] == 0 and grades[behind] >= 1:
            high[hidden] = INTERVALS[1, 0]
    return low, high


class GradedChoice:
    """Draws photos so that those with expressions, and units that few show, come often.

    Args:
        grades: (n, 23) of the photos, NaN where not known.
    """

    def __init__(self, grades: FloatArray) -> None:
        known = np.nan_to_num(grades)
        columns = [AU_NAMES.index(name) for name in LEARNED]
        self._by_unit = [known[:, i] / known[:, i].sum() for i in columns if known[:, i].any()]
        self._count = len(grades)

    @property
    def shares(self) -> FloatArray:
        """How often each photo is drawn, (n,), together 1."""
        even = np.full(self._count, 1.0 / self._count, np.float32)
        return (even + np.mean(self._by_unit, 0)) / 2 if self._by_unit else even

    def draw(self, rng: np.random.Generator) -> int:
        """Index of a photo: half of the draws from all alike, half by the grade of a unit, each unit as often."""
        if not self._by_unit or rng.random() < 0.5:
            return int(rng.integers(self._count))
        return int(rng.choice(self._count, p=self._by_unit[rng.integers(len(self._by_unit))]))
