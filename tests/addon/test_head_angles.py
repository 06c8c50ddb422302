# SPDX-License-Identifier: MIT
"""Yaw, pitch and roll together are one rotation, whichever bones share it out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rigs import FACE_FORWARD, UPRIGHT, bone

from blender_addon.core import rotation
from blender_addon.core.head import place_head
from blender_addon.core.head_angles import shared_turn
from blender_addon.core.mapping import SOURCES, Mapping
from blender_addon.core.matching import resolve
from blender_addon.core.retarget import retarget
from blender_addon.core.rig import Rig

TRIPLES = [(40, 30, 0), (20, 15, 0), (-25, 10, 35), (60, -50, -40), (0, 0, 12), (90, 90, 90), (0, 0, 0)]
MODEL_TO_ARMATURE = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Of left, up, front, for a character that faces -Y."""
HEAD = {
    "yaw": [{"kind": "bone_rotation", "bone": "head", "axis": "up", "degrees_per_degree": 1}],
    "pitch": [{"kind": "bone_rotation", "bone": "head", "axis": "left", "degrees_per_degree": -1}],
    "roll": [{"kind": "bone_rotation", "bone": "head", "axis": "front", "degrees_per_degree": -1}],
}


def matrix(yaw: float, pitch: float, roll: float) -> Any:
    """Of a face model's head: turned, then nodded, then tilted; axes left, up, front."""
    a, b, c = np.deg2rad([yaw, -pitch, -roll])
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    tilt = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return tilt @ nod @ turn


@pytest.mark.parametrize("placement", ["HEAD", "BOTH"])
@pytest.mark.parametrize("angles", TRIPLES)
def test_head_and_neck_make_the_rotation_of_the_angles(data: dict[str, Any], placement: Any, angles: Any) -> None:
    bones = {"head": bone(z=1.7, matrix=FACE_FORWARD), "neck": bone(z=1.6, matrix=UPRIGHT)}
    data["channels"] = HEAD
    resolution = place_head(resolve(Mapping.from_dict(data), Rig("Hero", {}, bones)), placement)
    total = np.eye(3)
    for channel in retarget(resolution, [[0.0] * (len(SOURCES) - 3) + list(angles)]):
        rest = np.array(bones[channel.owner].matrix)
        total = total @ rest @ rotation.to_matrix(channel.values)[0] @ rest.T
    expected = MODEL_TO_ARMATURE @ matrix(*angles) @ MODEL_TO_ARMATURE.T
    np.testing.assert_allclose(total, expected, atol=1e-9)


def test_one_angle_alone_is_itself_and_a_lost_face_stays_lost() -> None:
    angles = np.array([[300.0, 0, 0, np.nan], [0, -170, 0, np.nan], [0, 0, 45, np.nan]])
    np.testing.assert_allclose(shared_turn(angles), angles, atol=1e-9)


def test_the_turn_goes_on_smoothly_through_large_angles() -> None:
    angles = np.linspace([-90, -90, -90], [90, 90, 90], 2000).T
    assert np.abs(np.diff(shared_turn(angles))).max() < 1


def test_keys_and_properties_take_the_angles_one_by_one(data: dict[str, Any]) -> None:
    data["channels"] = {"yaw": [{"kind": "shape_key", "name": "turn", "weight": 0.01}]}
    resolution = resolve(Mapping.from_dict(data), Rig("Hero", {"Face": ("turn",)}))
    (channel,) = retarget(resolution, [[0.0] * (len(SOURCES) - 3) + [40, 30, 20]])
    assert channel.values == pytest.approx([0.4])
