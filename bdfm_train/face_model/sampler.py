# SPDX-License-Identifier: MIT
"""Random faces as they occur: identities, expressions, poses (paper, section 2.2)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import (
    AU_NAMES,
    AU_SLICE,
    BROW_SLICE,
    EYES,
    IDENTITY_SLICE,
    MIRRORED_AU,
    N_AU,
    N_BROW_STYLES,
    N_PARAMETERS,
    POSE_SLICE,
    parameter_from_degrees,
    parameter_from_intensity,
)

from .head import Head
from .identity_prior import identity_mix
from .performance import TRAINING_ROWS, Performances

_DATA: Final = Path(__file__).parent / "data"
_COMBINATIONS: Final[dict[str, Any]] = tomllib.loads((_DATA / "combinations.toml").read_text("utf-8"))
UNIT: Final = {name: i for i, name in enumerate(AU_NAMES)}
LIDS: Final = [UNIT[eye] for eye in EYES]
JAW: Final = UNIT["AU26"]
EXCLUSIVE: Final = [[UNIT[name] for name in names] for names in _COMBINATIONS["exclusive"]]
FAINT: Final[dict[int, float]] = {UNIT[name]: weight for name, weight in _COMBINATIONS["faint"].items()}
"""Faint units and how often each is drawn, relative to the others."""
SINGLE_SHARE, PERFORMANCE_SHARE, FAINT_SHARE = 0.35, 0.20, 0.33
"""Shares of faces with few independent units and of recorded frames, the rest are prototypes with noise; and of faces
of all kinds in which a faint unit is drawn besides."""

FloatArray = NDArray[np.float32]


class Sampler:
    """Draws parameters of one head.

    Args:
        head: whose identity groups are drawn.
        performances: recorded expressions; without them their share goes to the prototypes.
        rng: source of chance; the same state gives the same faces.
    """

    def __init__(self, head: Head, performances: Performances | None, rng: np.random.Generator) -> None:
        self._rng = rng
        self._recorded = performances.rows(TRAINING_ROWS) if performances else None
        self._identity_mix = identity_mix(head)
        prototypes = _COMBINATIONS["prototype"]
        self._prototypes = [{UNIT[name]: value for name, value in p["units"].items()} for p in prototypes]
        weights = np.array([p["weight"] for p in prototypes])
        self._weights = weights / weights.sum()
        self._faint_weights = np.array(list(FAINT.values())) / sum(FAINT.values())

    def parameters(self, wide: bool = False) -> tuple[FloatArray, FloatArray]:
        """One face: parameters (269,) and its true rotation (3,), degrees of yaw, pitch, roll.

        Args:
            wide: turn the head up to 90 degrees of yaw (detector); the parameter saturates at 60.
        """
        rotation = self.rotation(wide)
        y = np.zeros(N_PARAMETERS, np.float32)
        y[POSE_SLICE] = parameter_from_degrees(rotation[:2])
        y[AU_SLICE] = parameter_from_intensity(self.action_units())
        y[IDENTITY_SLICE] = self.identity(self._rng.uniform(0.35, 1.0))
        y[BROW_SLICE.start + self._rng.integers(N_BROW_STYLES)] = 1
        return y, rotation

    def identity(self, strength: float = 1.0) -> FloatArray:
        """Identity parameters (208,) in [0, 1]; ``strength`` scales the prior's spread."""
        t = self._identity_mix @ self._rng.normal(size=self._identity_mix.shape[1])
        return (0.5 + 0.5 * np.clip(t * strength, -1, 1)).astype(np.float32)

    def rotation(self, wide: bool = False) -> FloatArray:
        """Yaw, pitch, roll (3,) in degrees: mostly within 30, tails to 60 of yaw and 40 of pitch; ``wide`` to 90."""
        rng = self._rng
        if wide and rng.random() < 0.5:
            yaw = rng.uniform(-90, 90)
        else:
            yaw = rng.uniform(-60, 60) if rng.random() < 0.25 else np.clip(rng.normal(0, 14), -60, 60)
        pitch = rng.uniform(-40, 40) if rng.random() < 0.15 else np.clip(rng.normal(0, 9), -40, 40)
        return np.array([yaw, pitch, np.clip(rng.normal(0, 6), -25, 25)], np.float32)

    def action_units(self) -> FloatArray:
        """Intensities (23,) in [0, 1]."""
        kind = self._rng.random()
        if kind < SINGLE_SHARE:
            units = self.small_set()
        elif kind < SINGLE_SHARE + PERFORMANCE_SHARE and self._recorded is not None:
            units = self._recorded_frame(self._recorded)
        else:
            units = self._prototype()
        return self._with_faint(units) if self._rng.random() < FAINT_SHARE else units

    def _with_faint(self, units: FloatArray) -> FloatArray:
        faint = self._rng.choice(list(FAINT), p=self._faint_weights)
        for rivals in EXCLUSIVE:
            if faint in rivals:
                units[rivals] = 0
        if faint in LIDS:
            units[LIDS] = 0
        units[faint] = self._rng.beta(1.5, 1.0)
        return self._finish(units)

    def small_set(self) -> FloatArray:
        """Few units, each for itself; of the sets in ``EXCLUSIVE`` at most one unit is above rest."""
        rng = self._rng
        units = np.where(rng.random(N_AU) < 0.7, 0, rng.beta(1.2, 1.6, N_AU))
        units[LIDS] = rng.random() if rng.random() < 0.3 else 0
        if rng.random() < 0.25:
            units[LIDS[rng.integers(2)]] = 0
        if rng.random() < 0.7:
            units[[UNIT["jaw_left"], UNIT["jaw_right"]]] = 0
        if rng.random() < 0.2:
            units[JAW] = rng.beta(1.5, 1.0)
        for rivals in EXCLUSIVE:
            drawn = [i for i in rivals if units[i] > 0]
            for i in drawn:
                if len(drawn) > 1 and i != JAW:
                    units[i] = 0
            if len(drawn) > 1 and JAW not in drawn:
                units[drawn[rng.integers(len(drawn))]] = rng.beta(1.2, 1.6)
        return self._finish(units)

    def _recorded_frame(self, recorded: FloatArray) -> FloatArray:
        rng = self._rng
        units = recorded[rng.integers(len(recorded))] * rng.uniform(0.7, 1.2)
        if rng.random() < 0.5:
            units[LIDS] = 0
        if rng.random() < 0.5:
            units = units[list(MIRRORED_AU)]
        return self._finish(units)

    def _prototype(self) -> FloatArray:
        rng = self._rng
        units = np.zeros(N_AU)
        strength = rng.beta(1.5, 1.2)
        for i, value in self._prototypes[rng.choice(len(self._prototypes), p=self._weights)].items():
            units[i] = min(value * strength * rng.uniform(0.3, 1.3), 1) * (rng.random() < 0.88)
        if rng.random() < 0.5:
            for i in rng.choice(UNIT["jaw_left"], rng.integers(1, 3), replace=False):
                units[i] = max(units[i], rng.beta(1, 3))
        if rng.random() < 0.12:
            units[LIDS] = rng.beta(2, 1)
        return self._finish(units)

    def _finish(self, units: NDArray[np.floating]) -> FloatArray:
        if units[LIDS].max() > 0.3:
            units[UNIT["AU05"]] = 0
        return np.clip(units, 0, 1).astype(np.float32)
