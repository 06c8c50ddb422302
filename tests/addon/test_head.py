# SPDX-License-Identifier: MIT
"""Which bones turn with the head of the video."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rigs import FACE_FORWARD, UPRIGHT, bone

from blender_addon.core import rotation
from blender_addon.core.head import HeadPlacement, find_neck, place_head
from blender_addon.core.mapping import SOURCES, Mapping
from blender_addon.core.matching import Resolution, resolve
from blender_addon.core.retarget import retarget
from blender_addon.core.rig import Rig

BONES = {"head": bone(z=1.7, matrix=FACE_FORWARD), "neck": bone(z=1.6, matrix=UPRIGHT), "ORG-neck": bone(z=1.6)}


def turns(
    data: dict[str, Any], bones: dict[str, Any], placement: HeadPlacement, along: float = 1.0
) -> tuple[dict[str, Any], Resolution]:
    """Rotation matrices of the bones in armature space for a turned head, and the mapping on the rig."""
    data["channels"] = data["channels"] | {
        "yaw": [{"kind": "bone_rotation", "bone": "head", "axis": "up", "degrees_per_degree": 1}],
        "pitch": [{"kind": "bone_rotation", "bone": "head", "axis": "left", "degrees_per_degree": -1}],
        "roll": data["channels"].get("roll", []),
    }
    rig = Rig("Hero", {"Face": ("smile_L",)}, bones)
    resolution = place_head(resolve(Mapping.from_dict(data), rig), placement, lambda neck, head: along)
    values = np.zeros((1, len(SOURCES)))
    values[0, -3] = 40
    found = {}
    for channel in retarget(resolution, values):
        if channel.kind == "bone_rotation":
            rest = np.array(bones[channel.owner].matrix)
            found[channel.owner] = rest @ rotation.to_matrix(channel.values)[0] @ rest.T
    return found, resolution


def about_up(degrees: float) -> Any:
    return rotation.to_matrix([[0, 0, np.radians(degrees)]])[0]


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        ("MAPPED", {"head": 40}),
        ("HEAD", {"head": 40}),
        ("NECK", {"neck": 40}),
        ("BOTH", {"head": 20, "neck": 20}),
        ("NONE", {}),
    ],
)
def test_the_angle_goes_to_the_chosen_bones(data: dict[str, Any], placement: Any, expected: dict[str, float]) -> None:
    found, resolution = turns(data, BONES, placement)
    assert set(found) == set(expected)
    for name, degrees in expected.items():
        np.testing.assert_allclose(found[name], about_up(degrees), atol=1e-9)
    assert any(place.source == "AU12" for place in resolution.targets), "the face stays"


@pytest.mark.parametrize(
    ("placement", "along", "expected"),
    [
        ("BOTH", 0.0, {"head": 40, "neck": 20}),
        ("BOTH", 0.5, {"head": 30, "neck": 20}),
        ("NECK", 0.0, {"head": 40, "neck": 40}),
        ("NECK", 0.25, {"head": 30, "neck": 40}),
    ],
)
def test_the_head_makes_up_for_what_the_neck_does_not_take_along(
    data: dict[str, Any], placement: Any, along: float, expected: dict[str, float]
) -> None:
    found, _ = turns(data, BONES, placement, along)
    assert set(found) == set(expected)
    for name, degrees in expected.items():
        np.testing.assert_allclose(found[name], about_up(degrees), atol=1e-9)


def test_a_mapping_that_shares_the_angle_out(data: dict[str, Any]) -> None:
    """Six tenths on the head, four on the neck: put together again before the artist's choice."""
    shares = (("head", 0.6), ("neck", 0.4))
    data["channels"]["roll"] = [
        {"kind": "bone_rotation", "bone": name, "axis": "front", "degrees_per_degree": share} for name, share in shares
    ]
    _, resolution = turns(data, BONES, "HEAD")
    (roll,) = [place for place in resolution.targets if place.source == "roll"]
    assert roll.owner == "head" and roll.target.per_unit * roll.unit == pytest.approx(1.0)


def test_without_a_neck_the_head_turns_alone_and_that_is_said(data: dict[str, Any]) -> None:
    found, resolution = turns(data, {"head": BONES["head"]}, "BOTH")
    np.testing.assert_allclose(found["head"], about_up(40), atol=1e-9)
    assert any("neck" in str(missing) for missing in resolution.missing)


@pytest.mark.parametrize(
    ("names", "neck"),
    [
        (("ORG-neck", "DEF-neck", "neck"), "neck"),
        (("CC_Base_NeckTwist01", "CC_Base_NeckTwist02"), "CC_Base_NeckTwist02"),
        (("mixamorig:Neck",), "mixamorig:Neck"),
        (("手首.L", "首", "足首.L"), "首"),
        (("spine", "necklace", "手首.L"), None),
    ],
)
def test_the_neck_is_found_by_its_name(names: tuple[str, ...], neck: str | None) -> None:
    bones = {name: bone(z=1.5 + 0.05 * place) for place, name in enumerate(names)}
    assert find_neck(Rig("Hero", {}, bones | {"head": bone(z=1.7)}), "head") == neck
