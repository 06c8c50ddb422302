# SPDX-License-Identifier: MIT
"""Tables 1 and 2 of the paper (section 3.3) with our rows in them: ``python -m bdfm_train tables``.

ICC(3,1) and mean absolute error on intensities from 0 to 5, ours being five times what ``Predictor`` reads. Sets
without intensities (MMI, FaceWarehouse) give an AUC for each unit instead.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer import Predictor
from bdfm_infer.parameters import AU_NAMES
from bdfm_train.errors import MeasureError

from .datasets import bp4d, ck_plus, disfa, face_warehouse, mmi, table
from .datasets.labels import STRONGEST, Dataset
from .readings import Readings, Reference, read_dataset
from .statistics import auc, icc31, mean_absolute_error

PAPER: Final[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "data" / "paper_tables.toml").read_text(encoding="utf-8")
)
LOADERS: Final[dict[str, Callable[[Path], Dataset]]] = {
    "bp4d": bp4d.load,
    "disfa": disfa.load,
    "ck_plus": ck_plus.load,
    "mmi": mmi.load,
    "face_warehouse": face_warehouse.load,
    "labels": table.load,
}
"""By the option that names the folder, or the CSV file."""

TITLES: Final = {"icc": "ICC(3,1)", "mae": "MAE"}
Measure = Callable[[NDArray[np.floating], NDArray[np.floating]], float]


def scores(readings: Readings, units: tuple[str, ...], measure: Measure) -> list[float]:
    """A measure of each unit over the frames in which it is coded and a face was found; NaN where it has no value."""
    values = []
    for unit in units:
        i = AU_NAMES.index(unit)
        used = readings.found & ~np.isnan(readings.labels[:, i])
        truth, read = readings.labels[used, i], readings.action_units[used, i] * STRONGEST
        values.append(measure(truth, read) if len(truth) > 1 else float("nan"))
    return values


def presence_auc(truth: NDArray[np.floating], read: NDArray[np.floating]) -> float:
    """AUC of a unit that is there (1) or not (0); NaN where all frames are alike."""
    try:
        return auc(truth > 0, read)
    except MeasureError:
        return float("nan")


def report(sources: Mapping[str, Path], predictor: Predictor, reference: Reference | None, every: int = 1) -> str:
    """A table for each set.

    Args:
        sources: folder, or CSV file, of each key of :data:`LOADERS`.
        predictor: reads the frames.
        reference: print rows with a person's face at rest as reference as well.
        every: read each n-th labelled frame alone.

    Raises:
        MeasureError: no set is named, or none of its frames could be read.
        DatasetError: a set is not as it should be.
    """
    if not sources:
        raise MeasureError(f"Name at least one of {', '.join('--' + key.replace('_', '-') for key in LOADERS)}.")
    datasets = {key: LOADERS[key](path) for key, path in sources.items()}
    return "\n\n".join(_report(key, dataset, predictor, reference, every) for key, dataset in datasets.items())


def _report(key: str, dataset: Dataset, predictor: Predictor, reference: Reference | None, every: int) -> str:
    readings = read_dataset(dataset, predictor, every)
    labelled = sum(len(clip.frames[::every]) for clip in dataset.clips)
    if not readings.found.any():
        absent = labelled - len(readings.labels)
        raise MeasureError(
            f"{dataset.title}: no face was found in any of {labelled} labelled frames"
            + (f", of which the videos lack {absent}: their numbers count from 0." if absent else ".")
        )
    lines = [
        f"{PAPER[key]['title'] if key in PAPER else dataset.title}: {len(np.unique(readings.subjects))} people, "
        f"face found in {int(readings.found.sum())} of {labelled} labelled frames; the others are left out"
    ]
    ours = {"ours": readings}
    if reference is not None:
        calibrated, without = readings.calibrated(reference)
        ours[f"ours, {reference}"] = calibrated
        lines.append(f"with the {reference} as reference: {without} have none and stay as they are")
    measures: dict[str, tuple[str, Measure]] = {"auc": ("AUC", presence_auc)}
    if dataset.graded:
        measures = {"icc": (TITLES["icc"], icc31), "mae": (TITLES["mae"], mean_absolute_error)}
    averages: dict[str, dict[str, float]] = {name: {} for name in ours}
    for measure_key, (title, measure) in measures.items():
        lines += ["", _row(title, [unit.removeprefix("AU") for unit in dataset.units], "Avg")]
        for method, row in PAPER.get(key, {}).get(measure_key, {}).items():
            lines.append(_row(method, [_figure(v) for v in row["values"]], _figure(row["average"])))
        for name, read in ours.items():
            values = scores(read, dataset.units, measure)
            averages[name][measure_key] = mean = float(np.nanmean(values)) if not np.isnan(values).all() else np.nan
            lines.append(_row(name, [_figure(v) for v in values], _figure(mean)))
            if np.isnan(values).any():
                lines.append("  -: the labels of that unit are the same in all frames; it is not in the average")
    if "supervised" in PAPER.get(key, {}):
        lines += ["", *_supervised(PAPER[key]["supervised"], averages)]
    return "\n".join(lines)


def _supervised(rows: dict[str, Any], averages: dict[str, dict[str, float]]) -> list[str]:
    """Table 2: averages alone."""
    lines = [rows["title"], _row("", ["ICC", "MAE"], "")]
    for name, row in ({k: v for k, v in rows.items() if k != "title"} | averages).items():
        lines.append(_row(name, [_figure(row["icc"]), _figure(row["mae"])], ""))
    return lines


def _row(name: str, cells: list[str], last: str) -> str:
    return (f"{name:14s}" + "".join(f"{cell[-6:]:>7s}" for cell in cells) + f"{last:>7s}").rstrip()


def _figure(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"
