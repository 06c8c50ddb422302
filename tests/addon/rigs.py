# SPDX-License-Identifier: MIT
"""What hand-made rigs are put together from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blender_addon.core.rig import Bone

MAPPINGS = Path(__file__).resolve().parents[2] / "rig_mappings"
UPRIGHT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
FACE_FORWARD = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))
"""A bone whose own x is the character's left, y its up and z its front."""


def bone(x: float = 0.0, y: float = 0.0, z: float = 0.0, length: float = 0.1, matrix: Any = UPRIGHT) -> Bone:
    return Bone((x, y, z), length, matrix, matrix)
