# SPDX-License-Identifier: MIT
"""How identities of a head spread and go together, as ``data/identity_prior.toml`` says."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import N_IDENTITY

from .head import Head

_PRIOR: Final[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "data" / "identity_prior.toml").read_text(encoding="utf-8")
)


def identity_mix(head: Head) -> NDArray[np.float64]:
    """Carries 209 independent normal numbers to t = 2 (y - 0.5) of a person's identity parameters y: (208, 209)."""
    names = head.identity_names
    mix = np.zeros((N_IDENTITY, N_IDENTITY + 1))
    mix[np.diag_indices(N_IDENTITY)] = [_PRIOR["spread"][group] for group in head.identity_groups]
    for left, name in enumerate(names):
        if name.startswith("l-") and "r-" + name[2:] in names:
            right = names.index("r-" + name[2:])
            mix[right] = _PRIOR["sides"]["shared"] * mix[left] + _PRIOR["sides"]["own"] * mix[right]
    for i, name in enumerate(names):
        if any(part in name for part in _PRIOR["brow_height"]["parameters"]):
            mix[i, -1] = _PRIOR["brow_height"]["spread"]
    return mix
