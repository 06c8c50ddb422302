# SPDX-License-Identifier: MIT
"""Tables of ``python -m bdfm_train rig-fit``: how close mixes of ARKit keys come to action units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from .faces import UNITS, Face
from .mixes import Mix, all_keys, best_mix, fitted_mix, measure, plausible_keys

SIZES: Final = (0.7, 1.4)
"""A size between these is right."""

ODD: Final = {
    "AU04": "folds the brows into a crease of 18 mm, four times the travel of any brow key of this face",
    "AU06": "lifts nose wings, lips and corners of the mouth more than the cheek",
    "AU10": "hardly moves (1.6 mm)",
    "AU14": "widens the mouth; a dimpler draws the corners in",
    "AU16": "lifts the upper lip by 4 mm and narrows the mouth, as a funnel does",
    "AU20": "pulls corners and upper lip down twice as far as outward, as a frown does",
    "AU23": "puckers and sucks the cheeks in",
}
"""Action units of Rocketbox whose artist's key is no model to follow, and why."""

Score = tuple[float, float]
"""Cosine and size."""


def columns(face: Face, tables: Mapping[str, Mapping[str, Mix]]) -> dict[str, dict[str, Score]]:
    """By name of a table, the score of each action unit on a face; then that of its best mix of any keys."""
    scores = {name: {unit: measure(face, unit, mixes[unit]) for unit in UNITS} for name, mixes in tables.items()}
    keys = all_keys(face)
    return scores | {"best": {unit: measure(face, unit, best_mix(face, unit, keys)) for unit in UNITS}}


def fitted_table(face: Face) -> dict[str, Mix]:
    """At most four plausible keys for each action unit, fitted to one face."""
    plausible = plausible_keys()
    return {unit: fitted_mix(face, unit, plausible[unit]) for unit in UNITS}


def markdown(face: Face, scores: Mapping[str, Mapping[str, Score]], odd: Mapping[str, str]) -> str:
    """One face's table: cosine and size by action unit, then means over all and over those that are not odd."""
    lines = [f"| AU on {face.name} | {' | '.join(scores)} |", "|---|" + "---|" * len(scores)]
    for unit in UNITS:
        cells = [f"{column[unit][0]:+.2f} x{column[unit][1]:.2f}" for column in scores.values()]
        lines.append(f"| {unit}{'*' if unit in odd else ''} | {' | '.join(cells)} |")
    kept = [unit for unit in UNITS if unit not in odd]
    for label, units in {f"mean of {len(UNITS)}": UNITS, f"mean of {len(kept)} without *": kept}.items():
        if label.endswith("*") and not odd:
            continue
        means = [f"{np.mean([column[unit][0] for unit in units]):.3f}" for column in scores.values()]
        lines.append(f"| {label} | {' | '.join(means)} |")
    low, high = SIZES
    right = [sum(low <= column[unit][1] <= high for unit in UNITS) for column in scores.values()]
    lines.append(f"| sizes within {low}-{high} | {' | '.join(map(str, right))} |")
    return "\n".join(lines)


def mixes_text(table: Mapping[str, Mix]) -> str:
    """One line for each action unit: keys and weights."""
    return "\n".join(
        f"{unit}: {', '.join(f'{key} {weight:.2f}' for key, weight in mix.items())}" for unit, mix in table.items()
    )
