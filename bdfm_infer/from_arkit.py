# SPDX-License-Identifier: MIT
"""ARKit's 52 shapes to action units: the inverse of the weights that :mod:`bdfm_infer.export` uses. numpy alone."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .export import arkit_table, weakens
from .parameters import AU_NAMES

FloatArray = NDArray[np.float64]

SWEEPS: Final = 40
RIDGE: Final = 1e-6
CHUNK: Final = 2_000
_UNSEEN: Final = 1e-3
"""Least sum of squared weights that a unit must have, to be told from the shapes."""


def units_from_arkit(shapes: FloatArray) -> FloatArray:
    """Action units (n, 23) in [0, 1] whose shapes come nearest, by least squares, to ``shapes`` (n, 52).

    A unit that a closed eye hides is 0. Shapes that no unit moves, such as the cheek's puff, are lost.
    """
    parts = [_units(shapes[start : start + CHUNK]) for start in range(0, len(shapes), CHUNK)]
    return np.concatenate(parts) if parts else np.zeros((0, len(AU_NAMES)))


def _units(shapes: FloatArray) -> FloatArray:
    weights = _weights(shapes)
    against = np.einsum("nuc,nvc->nuv", weights, weights)
    wanted = np.einsum("nuc,nc->nu", weights, shapes)
    unlimited = np.linalg.solve(against + RIDGE * np.eye(len(AU_NAMES)), wanted[..., None])[..., 0]
    values = np.clip(unlimited, 0.0, 1.0)
    for _ in range(SWEEPS):
        for unit in range(values.shape[1]):
            own = against[:, unit, unit]
            rest = wanted[:, unit] - np.einsum("nv,nv->n", against[:, unit], values) + own * values[:, unit]
            values[:, unit] = np.where(own > _UNSEEN, np.clip(rest / np.maximum(own, _UNSEEN), 0.0, 1.0), 0.0)
    return values


def _weights(shapes: FloatArray) -> FloatArray:
    """Weights (n, 23, 52) from units to shapes, each row's weakened by the eyes that it shows closed."""
    table = arkit_table()
    order, by_unit = table["order"], table["weights"]
    plain = np.array([[by_unit[unit].get(name, 0.0) for name in order] for unit in AU_NAMES])
    weights = np.repeat(plain[None], len(shapes), axis=0)
    for rule in table["combine"]:
        unit, names = AU_NAMES.index(rule["reduce"]), by_unit[rule["by"]]
        closed = np.mean([shapes[:, order.index(name)] / weight for name, weight in names.items()], axis=0)
        weakened = np.array([weakens(rule, name) for name in order])
        weights[:, unit] *= 1.0 - np.clip(closed, 0.0, 1.0)[:, None] * weakened
    return weights
