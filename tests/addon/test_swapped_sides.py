# SPDX-License-Identifier: MIT
"""A mapping for a rig whose names of left and right are swapped moves each side as it did on a rig with true names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rigs import bone

from blender_addon.core.mapping import SOURCES, Mapping
from blender_addon.core.mapping_edit import swapped_sides
from blender_addon.core.matching import resolve
from blender_addon.core.retarget import retarget
from blender_addon.core.rig import Rig

PAIRS = (("mouth.L", "mouth.R"), ("lid.T.L.002", "lid.T.R.002"), ("Bip01 LCheek", "Bip01 RCheek"))


def pair(kind: str, number: int, **amounts: Any) -> list[dict[str, Any]]:
    """Targets of a pair of bones, moved the same way as seen from the middle."""
    sides = zip(PAIRS[number], ("left", "right"), (1, -1), strict=True)
    return [
        {"kind": kind, "bone": name, "side": side} | {key: sign * value if key in ("amount", "degrees") else value
                                                        for key, value in amounts.items()}
        for name, side, sign in sides
    ]  # fmt: skip


MAPPING = {
    "format_version": 1,
    "id": "sides",
    "name": "Sides",
    "confidence": "experimental",
    "fingerprint": {"bones": ["jaw"]},
    "directions": {"left": ["eye.R", "eye.L"], "up": ["hips", "head"]},
    "channels": {
        "AU05": pair("bone_location", 1, axis="left", amount=0.2),
        "AU12": pair("bone_location", 0, axis="left", amount=1) + pair("bone_rotation", 2, axis="z", degrees=15),
        "AU20": pair("bone_location", 0, axis="x", amount=0.5),
        "AU26": [{"kind": "bone_rotation", "bone": "jaw", "axis": "left", "degrees": 35}],
        "jaw_left": [{"kind": "bone_location", "bone": "jaw", "axis": "left", "amount": 1, "side": "left"}],
        "jaw_right": [{"kind": "bone_location", "bone": "jaw", "axis": "left", "amount": -1, "side": "right"}],
        "eye_closed_left": [
            {"kind": "bone_rotation", "bone": "lid.T.L.002", "axis": "x", "degrees": 20, "side": "left"},
            {"kind": "shape_key", "name": "blink_L", "side": "left"},
        ],
        "eye_closed_right": [{"kind": "shape_key", "name": "blink_R", "side": "right"}],
        "yaw": [{"kind": "bone_rotation", "bone": "head", "axis": "up", "degrees_per_degree": 1}],
        "pitch": [{"kind": "bone_rotation", "bone": "head", "axis": "left", "degrees_per_degree": -1}],
        "roll": [{"kind": "bone_rotation", "bone": "head", "axis": "front", "degrees_per_degree": -1}],
    },
    "combine": [{"reduce": "AU05", "on": "left", "by": "eye_closed_left"}],
}


def movements(mapping: Mapping, left: float) -> dict[Any, Any]:
    """What each strongest source does, by where on the face it does it.

    Args:
        left: where on X what is named left lies; 1 is the truth.
    """
    bones = {"hips": bone(), "head": bone(z=5), "jaw": bone(y=-1, z=5)}
    bones |= {"eye.L": bone(x=left, y=-1, z=6), "eye.R": bone(x=-left, y=-1, z=6)}
    for number, (one, other) in enumerate(PAIRS):
        bones |= {one: bone(x=left, y=-1, z=7 + number), other: bone(x=-left, y=-1, z=7 + number)}
    places = {name: each.head for name, each in bones.items()} | {"blink_L": left, "blink_R": -left}
    rig = Rig("Hero", {"Face": ("blink_L", "blink_R")}, bones)
    rows = np.eye(len(SOURCES)) + np.eye(len(SOURCES))[SOURCES.index("eye_closed_left")] / 2
    channels = retarget(resolve(mapping, rig), rows)
    return {
        (channel.kind, channel.index, places[channel.name or channel.owner]): channel.values.round(9).tolist()
        for channel in channels
    }


def test_each_side_moves_as_on_a_rig_with_true_names() -> None:
    mapping = Mapping.from_dict(MAPPING)
    assert movements(swapped_sides(mapping), -1) == movements(mapping, 1)
    assert movements(mapping, -1) != movements(mapping, 1)


def test_swapped_twice_is_the_mapping_itself() -> None:
    mapping = Mapping.from_dict(MAPPING)
    assert movements(swapped_sides(swapped_sides(mapping)), 1) == movements(mapping, 1)


@pytest.mark.parametrize("name", ["jaw", "tongue"])
def test_a_bone_without_a_twin_stays(name: str) -> None:
    target = {"kind": "bone_location", "bone": name, "axis": "x", "amount": 1, "side": "left"}
    mapping = Mapping.from_dict(MAPPING | {"channels": {"jaw_left": [target]}, "combine": []})
    assert swapped_sides(mapping).channels == mapping.channels


def test_a_stand_in_stands_for_the_twin() -> None:
    channels: Any = MAPPING["channels"]
    leader, *others = channels["eye_closed_left"]
    stand_in = {"kind": "bone_scale", "bone": "jaw", "axis": "x", "amount": 1, "instead_of": leader["bone"]}
    with_it = MAPPING | {"channels": channels | {"eye_closed_left": [leader, stand_in, *others]}}
    assert movements(swapped_sides(Mapping.from_dict(with_it)), -1) == movements(Mapping.from_dict(MAPPING), 1)
