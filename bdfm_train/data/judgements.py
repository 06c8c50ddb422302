# SPDX-License-Identifier: MIT
"""Action units of photos, judged by eye by two judges: some photos are for training, others for a check."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_train.errors import SourcesError

FloatArray = NDArray[np.float32]

INTERVALS: Final = np.array([[0.0, 0.12], [0.12, 0.5], [0.4, 0.85], [0.7, 1.0]], np.float32)
"""Least and largest intensity that agrees with each grade: 0 absent, 1 slight, 2 clear, 3 strong; the mean of two
judges lies halfway."""

LEARNED: Final = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU12", "AU15", "AU25", "AU26",
    "eye_closed_left", "eye_closed_right",
)  # fmt: skip
"""Units that enough photos show for their absence to be learned as such."""

HARDLY: Final = 0.3
"""Largest intensity that agrees with the absence of a unit that few photos show: enough to keep it from rising with
another, without teaching that it never occurs."""

_FOLDER: Final = Path(__file__).parent
TABLES: Final = (_FOLDER / "judged_photos.csv", _FOLDER / "judged_close_up.csv")
"""One for each judge."""


def load_grades() -> dict[str, FloatArray]:
    """Grades of the photos that were judged, the mean of both judges, as in :func:`load_table`.

    What the first could not see is not known; where the second could not, the first's grade stands.
    """
    first, second = (load_table(path) for path in TABLES)
    return {
        name: np.where(np.isnan(second[name]), grades, (grades + second[name]) / 2) if name in second else grades
        for name, grades in first.items()
    }


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


def agreement_of_judges() -> dict[str, tuple[int, int, int, float]]:
    """By action unit: photos that both judged, that the first and that the second saw it in, correlation of grades.

    The correlation is NaN where one of them never saw it.
    """
    first, second = (load_table(path) for path in TABLES)
    both = [name for name in first if name in second]
    a, b = (np.stack([table[name] for name in both]) for table in (first, second))
    result = {}
    for i, unit in enumerate(AU_NAMES):
        known = ~np.isnan(a[:, i]) & ~np.isnan(b[:, i])
        x, y = a[known, i], b[known, i]
        shown = int((x > 0).sum()), int((y > 0).sum())
        result[unit] = len(x), *shown, float(np.corrcoef(x, y)[0, 1]) if min(shown) else float("nan")
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

    def draw(self, rng: np.random.Generator) -> int:
        """Index of a photo: half of the draws from all alike, half by the grade of a unit, each unit as often."""
        if not self._by_unit or rng.random() < 0.5:
            return int(rng.integers(self._count))
        return int(rng.choice(self._count, p=self._by_unit[rng.integers(len(self._by_unit))]))
