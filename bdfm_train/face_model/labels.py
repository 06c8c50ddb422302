# SPDX-License-Identifier: MIT
"""Heads, classes of the label maps and materials of the mesh: names and numbers, the only place that states them."""

from __future__ import annotations

from typing import Final

HEADS: Final = ("a", "b")
"""MakeHuman's and ICT-FaceKit's."""

LABELS: Final = (
    "background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "nose",
    "u_lip", "inner_mouth", "l_lip", "ears", "neck", "hair", "cloth",
)  # fmt: skip
"""The 14 classes of a label map in their order; left and right are the person's own."""

LABEL: Final = {name: i for i, name in enumerate(LABELS)}

SKIN, EYE, TEETH, MOUTH = 0, 1, 2, 3
"""Materials of a triangle: which texture it samples (skin atlas, iris, teeth, tongue and gums)."""
