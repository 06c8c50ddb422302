# SPDX-License-Identifier: MIT
"""AUC on the photos judged by eye, through the package's own ``Predictor``, on the JPEG alone.

``python -m bdfm_train expressions``. The photos are for measuring only; they are measured once a candidate.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import ACTION_UNITS, AU_NAMES, EYES
from bdfm_infer.predictor import Predictor
from bdfm_train.data.photos import archive_photos, judgements
from bdfm_train.errors import MeasureError

from .statistics import auc, auc_interval

READ_BY: Final[dict[str, tuple[str, ...]]] = {
    "smile": ("AU12",),
    "jaw_drop": ("AU26",),
    "brow_raise": ("AU01", "AU02"),
    "brow_lower": ("AU04",),
    "eyes_closed": EYES,
    "eyes_wide": ("AU05",),
    "nose_wrinkle": ("AU09", "AU10"),
}
"""The action units whose sum is held against each judgement."""

BELONGS: Final[dict[str, tuple[str, ...]]] = {
    "smile": ("AU06", "AU07", "AU12", "AU25"),
    "jaw_drop": ("AU16", "AU25", "AU26"),
    "brow_raise": ("AU01", "AU02", "AU05"),
    "brow_lower": ("AU04", "AU07"),
    "eyes_wide": ("AU01", "AU02", "AU05"),
    "eyes_closed": EYES,
    "nose_wrinkle": ("AU04", "AU07", "AU09", "AU10"),
    "tongue_out": ("AU16", "AU25", "AU26"),
}
"""The action units that are part of each expression."""

RISES: Final = 0.75
"""AUC from which an action unit counts as rising with an expression."""

GOALS: Final = {
    "smile": 0.99,
    "jaw_drop": 0.97,
    "brow_raise": 0.96,
    "brow_lower": 0.92,
    "eyes_closed": 0.99,
    "eyes_wide": 0.97,
    "nose_wrinkle": 0.93,
}
NEAR: Final = 0.03


@dataclass(frozen=True)
class JudgedReadings:
    """What was read from the judged photos.

    Attributes:
        names: of the n photos.
        action_units: (n, 23) intensities; zeros where no face was found.
        found: (n,) bool.
        truth: judgement to (n,) bool.
    """

    names: tuple[str, ...]
    action_units: NDArray[np.float64]
    found: NDArray[np.bool_]
    truth: dict[str, NDArray[np.bool_]]


def read_photos(
    sources: Path, names: Collection[str], predictor: Predictor
) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.bool_]]:
    """Read photos of the archive, one pass, no mirror.

    Returns:
        Names in the archive's order, intensities (n, 23), zeros where no face was found, and whether one was (n,).

    Raises:
        SourcesError: the archive is missing, or lacks one of the photos.
    """
    read, rows, found = [], [], []
    for name, image in archive_photos(sources, names):
        face = predictor.predict(image)
        read.append(name)
        found.append(face is not None)
        rows.append(np.zeros(len(AU_NAMES)) if face is None else face.action_units)
    return tuple(read), np.array(rows, np.float64).reshape(-1, len(AU_NAMES)), np.array(found, bool)


def read_judged(sources: Path, predictor: Predictor) -> JudgedReadings:
    """Read every judged photo."""
    judged = judgements(sources)
    names, action_units, found = read_photos(sources, judged, predictor)
    kinds = next(iter(judged.values()))
    truth = {kind: np.array([judged[name][kind] for name in names]) for kind in kinds}
    return JudgedReadings(names, action_units, found, truth)


def report(readings: JudgedReadings) -> str:
    """The table of AUCs with their goals, then :func:`matrix`."""
    lines = [
        f"{len(readings.names)} photos judged by eye, face found in {int(readings.found.sum())}",
        f"{'judgement':13s} {'positive':>8s} {'AUC':>6s}  {'95 % interval':15s} {'goal':>5s}",
    ]
    for kind, units in READ_BY.items():
        truth = readings.truth[kind]
        score = _score(readings, units)
        low, high = auc_interval(truth, score)
        value = auc(truth, score)
        verdict = (
            "reached" if value >= GOALS[kind] else f"within {NEAR:g}" if value >= GOALS[kind] - NEAR else "not reached"
        )
        lines.append(
            f"{kind:13s} {int(truth.sum()):8d} {value:6.3f}  {low:.3f} to {high:.3f}  {GOALS[kind]:5.2f}  {verdict}"
        )
    return "\n".join([*lines, *_without_tongues(readings), "", *matrix(readings)])


def _without_tongues(readings: JudgedReadings) -> list[str]:
    """Most photos with the tongue out are judged as no jaw drop, though the jaw is dropped: its AUC without them."""
    out = readings.truth["tongue_out"]
    truth, score = readings.truth["jaw_drop"][~out], _score(readings, READ_BY["jaw_drop"])[~out]
    if not out.any() or truth.all() or not truth.any():
        return []
    return [f"jaw_drop {auc(truth, score):.3f} without the {int(out.sum())} photos judged tongue_out"]


def worst(readings: JudgedReadings, count: int) -> str:
    """For each judgement, the photos that show it and are read as least, and those that do not and are read as most."""
    lines = []
    for kind, units in READ_BY.items():
        truth, score = readings.truth[kind], _score(readings, units) / len(units)
        order = np.argsort(score, kind="stable")
        for what, chosen in (("missed in", order[truth[order]]), ("wrongly in", order[~truth[order]][::-1])):
            names = ", ".join(f"{readings.names[i]} ({score[i]:.2f})" for i in chosen[:count])
            lines.append(f"{kind}, by {' and '.join(units)}, most {what}: {names}")
    return "\n".join(lines)


def _score(readings: JudgedReadings, units: tuple[str, ...]) -> NDArray[np.float64]:
    """(n,) sum of the units."""
    return readings.action_units[:, [AU_NAMES.index(unit) for unit in units]].sum(1)


def matrix(readings: JudgedReadings) -> list[str]:
    """AUC of each action unit against each judgement; a star where one rises that does not belong to the expression.

    What goes together in these photos rises together: below, each star is measured again on the photos that do not show
    what the unit itself stands for.
    """
    kinds = [kind for kind in readings.truth if readings.truth[kind].any()]
    lines = [
        f"AUC of each action unit against each judgement; * above {RISES:g} and no part of the expression",
        f"{'':17s}" + " ".join(f"{k[:11]:>12s}" for k in kinds),
    ]
    stars = []
    for index, unit in enumerate(ACTION_UNITS):
        score, cells = readings.action_units[:, index], []
        for kind in kinds:
            value = auc(readings.truth[kind], score)
            star = value > RISES and unit not in BELONGS.get(kind, ())
            cells.append(f"{value:11.3f}{'*' if star else ' '}")
            if star:
                stars.append(f"{unit} with {kind}: {value:.3f}, {_by_itself(readings, kind, unit, score)}")
        lines.append(f"{unit:17s}" + " ".join(cells))
    return [*lines, f"{len(stars)} stars", *stars]


def _by_itself(readings: JudgedReadings, kind: str, unit: str, score: NDArray[np.float64]) -> str:
    """A unit's AUC against a judgement over the photos that were not judged to show that unit."""
    own = [other for other, units in READ_BY.items() if unit in units]
    if not own:
        return "itself not judged"
    alone = ~np.any([readings.truth[other] for other in own], axis=0)
    positive = int((readings.truth[kind] & alone).sum())
    try:
        value = f"{auc(readings.truth[kind][alone], score[alone]):.3f}"
    except MeasureError:
        value = "none"
    return f"{value} without {', '.join(own)} ({positive} positive of {int(alone.sum())})"
