# SPDX-License-Identifier: MIT
"""Mixes of ARKit keys for action units: measured against a face, fitted to one, read from tables."""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from scipy.optimize import lsq_linear

from bdfm_train.face_model.compare import cosine
from bdfm_train.face_model.mesh import Floats

from .faces import UNITS, Face

Mix = Mapping[str, float]
"""Weights of keys; ``*`` at the end of a name stands for both sides."""

DATA: Final = Path(__file__).parent / "data" / "arkit.toml"
MAPPING: Final = Path(__file__).resolve().parents[2] / "rig_mappings" / "arkit.json"
MOST_KEYS: Final = 4
SIDES: Final = ("Left", "Right")
WORTH: Final = 0.01
"""A key that raises the cosine by less is left out."""


def usual_table() -> dict[str, Mix]:
    """The usual one-to-one table."""
    table: dict[str, Mix] = tomllib.loads(DATA.read_text(encoding="utf-8"))["usual"]
    return table


def plausible_keys() -> dict[str, list[str]]:
    """By action unit, the keys that an animator expects in it, its own key first."""
    table: dict[str, list[str]] = tomllib.loads(DATA.read_text(encoding="utf-8"))["plausible"]
    return table


def mapping_mixes(path: Path = MAPPING) -> dict[str, Mix]:
    """The shape keys of a mapping file, by action unit."""
    channels = json.loads(path.read_text(encoding="utf-8"))["channels"]
    return {unit: {target["name"]: target.get("weight", 1.0) for target in channels[unit]} for unit in UNITS}


def field(face: Face, key: str) -> Floats:
    """Offsets (V, 3) of a key, or of its two sides."""
    if key in face.keys:
        return face.keys[key]
    left, right = (face.keys[key[:-1] + side] for side in SIDES)
    return left + right


def offsets(face: Face, mix: Mix) -> Floats:
    """Offsets (V, 3) of a mix."""
    return np.asarray(sum(weight * field(face, key) for key, weight in mix.items()))


def measure(face: Face, unit: str, mix: Mix) -> tuple[float, float]:
    """:func:`closeness` of a mix to the face's own action unit."""
    return closeness(offsets(face, mix), face.units[unit])


def closeness(moved: Floats, own: Floats) -> tuple[float, float]:
    """Cosine between two fields of offsets (V, 3), and how large the first is beside the second (norms)."""
    return cosine(moved, own), float(np.linalg.norm(moved) / np.linalg.norm(own))


def best_mix(face: Face, unit: str, keys: Iterable[str], most: float = np.inf) -> dict[str, float]:
    """The mix of these keys, none below 0 or above ``most``, that comes closest to the action unit."""
    keys = list(keys)
    triangle, aim = _reduced(face, unit, keys)
    weights = lsq_linear(triangle, aim, (0.0, most), method="bvls").x
    return dict(zip(keys, weights.tolist(), strict=True))


def fitted_mix(face: Face, unit: str, plausible: list[str]) -> dict[str, float]:
    """At most four plausible keys, the unit's own among them, each from 0 to 1, with the best cosine."""
    best, score = {}, -1.0
    for count in range(1, MOST_KEYS + 1):
        for keys in itertools.combinations(plausible, count):
            if plausible[0] in keys and key_count(keys) <= MOST_KEYS:
                mix = best_mix(face, unit, keys, 1.0)
                found = measure(face, unit, mix)[0]
                if found > score + WORTH:
                    best, score = mix, found
    return best


def all_keys(face: Face) -> list[str]:
    """The keys that an action unit could be made of: both sides together, without gaze, tongue and jaw sideways."""
    names = {name.removesuffix("Left").removesuffix("Right") for name in face.keys}
    paired = {name for name in names if all(name + side in face.keys for side in SIDES)}
    kept = [name + "*" * (name in paired) for name in sorted(names) if not name.startswith(("eyeLook", "tongue"))]
    return [key for key in kept if key not in ("jaw*", "mouth*")]


def key_count(keys: Iterable[str]) -> int:
    """How many shape keys these names stand for."""
    return sum(2 if key.endswith("*") else 1 for key in keys)


def _reduced(face: Face, unit: str, keys: list[str]) -> tuple[Floats, Floats]:
    """The least-squares system of keys and action unit, brought to as many rows as there are keys."""
    system = np.column_stack([field(face, key).ravel() for key in keys])
    basis, triangle = np.linalg.qr(system)
    return triangle, basis.T @ face.units[unit].ravel()
