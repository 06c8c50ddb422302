# SPDX-License-Identifier: MIT
"""Hand-made rigs and a small mapping; no Blender."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from rigs import FACE_FORWARD, bone

from blender_addon.core.rig import PropertyOwner, Rig

settings.register_profile("unhurried", deadline=None)  # a busy machine fails no test
settings.load_profile("unhurried")


@pytest.fixture
def data() -> dict[str, Any]:
    """A mapping with every kind of target."""
    return {
        "format_version": 1,
        "id": "small",
        "name": "Small",
        "confidence": "experimental",
        "fingerprint": {"shape_keys": ["smile_L", "smile_R"], "bones": ["jaw"], "minimum": 0.5},
        "reference_lengths": {"eyes": ["eye.L", "eye.R"], "jaw": ["jaw"]},
        "channels": {
            "AU05": [
                {"kind": "shape_key", "name": "wide_L", "side": "left"},
                {"kind": "shape_key", "name": "wide_R", "side": "right"},
            ],
            "AU12": [
                {"kind": "shape_key", "name": "smile_L", "weight": 0.8, "side": "left"},
                {"kind": "shape_key", "name": "smile_R", "weight": 0.8, "side": "right"},
                {"kind": "bone_location", "bone": "lip", "axis": "y", "amount": 0.1, "reference": "eyes", "max": 0.15},
                {"kind": "bone_scale", "bone": "lip", "axis": "x", "amount": 0.5},
                {"kind": "custom_property", "owner": "object", "name": "smile"},
            ],
            "AU14": [{"kind": "bone_location", "bone": "lip", "axis": "y", "amount": 0.1, "reference": "eyes"}],
            "AU26": [
                {"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 30},
                {"kind": "custom_property", "owner": "pose_bone", "bone": "jaw", "name": "open", "weight": 2},
            ],
            "jaw_left": [{"kind": "bone_rotation", "bone": "jaw", "axis": "z", "degrees": -5, "side": "left"}],
            "yaw": [{"kind": "bone_rotation", "bone": "head", "axis": "up", "degrees_per_degree": 1}],
        },
        "combine": [
            {"reduce": "AU05", "on": "left", "by": "eye_closed_left"},
            {"reduce": "AU05", "on": "right", "by": "eye_closed_right"},
        ],
    }


@pytest.fixture
def rig() -> Rig:
    """A rig that has all of it, the keys on two meshes; its eyes are 0.06 apart."""
    return Rig(
        name="Hero",
        shape_keys={"Head": ("Smile.L", "Smile.R", "wide_L", "wide_R"), "Lashes": ("wide_L", "wide_R")},
        bones={
            "eye.L": bone(x=0.03),
            "eye.R": bone(x=-0.03),
            "lip": bone(),
            "jaw": bone(),
            "head": bone(matrix=FACE_FORWARD),
        },
        properties=(PropertyOwner("object", "Hero", ("Smile",)), PropertyOwner("pose_bone", "jaw", ("open",))),
    )
