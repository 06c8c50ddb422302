# SPDX-License-Identifier: MIT
"""AUC on the photos judged by eye, through the package's own ``Predictor``, on the JPEG alone.

``python -m bdfm_train expressions``. The photos are for measuring only; they are measured once a candidate.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import ACTION_UNITS, AU_NAMES
from bdfm_infer.predictor import Predictor
from bdfm_train.data.photos import judgements
from bdfm_train.errors import MeasureError

from .statistics import auc, auc_interval

READ_BY: Final[dict[str, tuple[str, ...]]] = {
    "smile": ("AU12",),
    "jaw_drop": ("AU26",),
    "brow_raise": ("AU01", "AU02"),
    "brow_lower": ("AU04",),
    "eyes_closed": ("eye_closed_left", "eye_closed_right"),
    "eyes_wide": ("AU05",),
    "nose_wrinkle": ("AU09", "AU10"),
}
"""The action units whose sum is held against each judgement."""

GOALS: Final = {
    "smile": 0.99,
    "jaw_drop": 0.92,
    "brow_raise": 0.90,
    "brow_lower": 0.78,
    "eyes_closed": 0.98,
    "eyes_wide": 0.94,
    "nose_wrinkle": 0.88,
}


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


def read_judged(sources: Path, predictor: Predictor) -> JudgedReadings:
    """Read every judged photo, one pass, no mirror."""
    judged = judgements(sources)
    names, rows, found = [], [], []
    with tarfile.open(sources / "faces" / "photos.tar") as archive:
        for member in archive:
            name = Path(member.name).name
            if name not in judged:
                continue
            file = archive.extractfile(member)
            assert file is not None
            image = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)
            face = predictor.predict(image)
            names.append(name)
            found.append(face is not None)
            rows.append(np.zeros(len(AU_NAMES)) if face is None else face.action_units)
    kinds = next(iter(judged.values()))
    truth = {kind: np.array([judged[name][kind] for name in names]) for kind in kinds}
    return JudgedReadings(tuple(names), np.array(rows, np.float64), np.array(found), truth)


def report(readings: JudgedReadings) -> str:
    """The table of AUCs with their goals, then every action unit against every judgement."""
    lines = [
        f"{len(readings.names)} photos judged by eye, face found in {int(readings.found.sum())}",
        f"{'judgement':13s} {'positive':>8s} {'AUC':>6s}  {'95 % interval':15s} {'goal':>5s}",
    ]
    for kind, units in READ_BY.items():
        truth = readings.truth[kind]
        score = readings.action_units[:, [AU_NAMES.index(unit) for unit in units]].sum(1)
        low, high = auc_interval(truth, score)
        value = auc(truth, score)
        verdict = "reached" if value >= GOALS[kind] else "within .05" if value >= GOALS[kind] - 0.05 else "not reached"
        lines.append(
            f"{kind:13s} {int(truth.sum()):8d} {value:6.3f}  {low:.3f} to {high:.3f}  {GOALS[kind]:5.2f}  {verdict}"
        )
    kinds = [kind for kind in readings.truth if readings.truth[kind].any()]
    lines += [
        "",
        "AUC of each action unit against each judgement",
        f"{'':17s}" + " ".join(f"{k[:11]:>11s}" for k in kinds),
    ]
    for index, unit in enumerate(ACTION_UNITS):
        values = []
        for kind in kinds:
            try:
                values.append(f"{auc(readings.truth[kind], readings.action_units[:, index]):11.3f}")
            except MeasureError:
                values.append(f"{'-':>11s}")
        lines.append(f"{unit:17s}" + " ".join(values))
    return "\n".join(lines)
