# SPDX-License-Identifier: MIT
"""Values of a take to values of a rig's channels: sums, limits, combine, bones."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rigs import MAPPINGS

from blender_addon.core.mapping import SOURCES, Mapping
from blender_addon.core.matching import resolve
from blender_addon.core.retarget import Channel, retarget
from blender_addon.core.rig import Rig

UNIT = st.floats(0, 1, allow_subnormal=False)


def values(**sources: Any) -> NDArray[np.float64]:
    """Rows of a take in which all else is at rest."""
    columns = np.broadcast_arrays(*[np.atleast_1d(sources.get(name, 0.0)) for name in SOURCES])
    return np.stack(columns, axis=1).astype(float)


def bake(data: Dictionary[str, Any], rig: Rig, **sources: Any) -> dict[tuple[str, str, str, int | None], Channel]:
    channels = retarget(resolve(Mapping.from_dict(data), rig), values(**sources))
    found = {(channel.kind, channel.owner, channel.name, channel.index): channel for channel in channels}
    assert len(found) == len(channels), "a channel came twice"
    return found


def test_a_resting_face_leaves_the_rig_at_rest(data: dict[str, Any], rig: Rig) -> None:
    for (kind, *_), channel in bake(data, rig, AU01=[0.0, 0.0]).items():
        assert len(channel.values) == 2
        assert np.array_equal(channel.values, np.full_like(channel.values, 1.0 if kind == "bone_scale" else 0.0)), kind


def test_amounts_of_each_kind(data: dict[str, Any], rig: Rig) -> None:
    channels = bake(data, rig, AU12=0.5, AU26=1.0, yaw=20.0)
    assert channels["shape_key", "Head", "Smile.L", None].values == pytest.approx([0.4])
    assert channels["bone_location", "lip", "", 1].values == pytest.approx([0.5 * 0.1 * 0.06])
    assert channels["bone_scale", "lip", "", 0].values == pytest.approx([1.25])
    assert channels["custom_property", "Hero", "Smile", None].values == pytest.approx([0.5])
    assert channels["custom_property", "jaw", "open", None].values == pytest.approx([2.0])
    np.testing.assert_allclose(channels["bone_rotation", "jaw", "", None].values, [[np.radians(30), 0, 0]])
    np.testing.assert_allclose(channels["bone_rotation", "head", "", None].values, [[0, np.radians(20), 0]], atol=1e-12)


def test_contributions_to_one_place_are_added_then_limited(data: dict[str, Any], rig: Rig) -> None:
    channel = bake(data, rig, AU12=[0.5, 1.0, 1.0], AU14=[0.5, 0.25, 1.0])["bone_location", "lip", "", 1]
    assert channel.values == pytest.approx(np.array([0.1, 0.125, 0.15]) * 0.06)


def test_rotations_on_one_bone_are_added_as_vectors(data: dict[str, Any], rig: Rig) -> None:
    channel = bake(data, rig, AU26=1.0, jaw_left=1.0)["bone_rotation", "jaw", "", None]
    np.testing.assert_allclose(channel.values, np.radians([[30, 0, -5]]))


def test_a_wink_does_not_take_the_other_lid_down(data: dict[str, Any], rig: Rig) -> None:
    channels = bake(data, rig, AU05=[1.0, 1.0, 0.5], eye_closed_left=[0.0, 1.0, 0.25])
    for mesh in ("Head", "Lashes"):
        assert channels["shape_key", mesh, "wide_L", None].values == pytest.approx([1.0, 0.0, 0.375])
        assert channels["shape_key", mesh, "wide_R", None].values == pytest.approx([1.0, 1.0, 0.5])


def test_a_rule_for_no_side_holds_for_all_targets(data: dict[str, Any], rig: Rig) -> None:
    data["combine"] = [{"reduce": "AU05", "by": "eye_closed_left"}, {"reduce": "AU05", "by": "eye_closed_right"}]
    channels = bake(data, rig, AU05=1.0, eye_closed_left=0.5, eye_closed_right=0.5)
    assert channels["shape_key", "Head", "wide_L", None].values == pytest.approx([0.25])


def test_a_rule_for_names_leaves_the_other_targets(data: dict[str, Any], rig: Rig) -> None:
    data["channels"]["AU05"].append({"kind": "shape_key", "name": "smile_L", "side": "left"})
    data["combine"] = [{"reduce": "AU05", "by": "eye_closed_left", "on": "left", "names": ["WIDE*"]}]
    channels = bake(data, rig, AU05=1.0, eye_closed_left=1.0)
    assert channels["shape_key", "Head", "wide_L", None].values == pytest.approx([0.0])
    assert channels["shape_key", "Head", "Smile.L", None].values == pytest.approx([1.0])


def test_a_rule_for_one_side_leaves_targets_without_side(data: dict[str, Any], rig: Rig) -> None:
    data["combine"] = [{"reduce": "AU12", "on": "left", "by": "eye_closed_left"}]
    channels = bake(data, rig, AU12=1.0, eye_closed_left=1.0)
    assert channels["custom_property", "Hero", "Smile", None].values == pytest.approx([1.0])
    assert channels["shape_key", "Head", "Smile.L", None].values == pytest.approx([0.0])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(first=UNIT, second=UNIT, weight=st.floats(-3, 3), low=st.floats(-2, 0), high=st.floats(0, 2))
def test_limits_hold(
    data: dict[str, Any], rig: Rig, first: float, second: float, weight: float, low: float, high: float
) -> None:
    key = {"kind": "shape_key", "name": "smile_L", "weight": weight, "min": low, "max": high}
    data = data | {"channels": {"AU12": [key], "AU14": [{"kind": "shape_key", "name": "smile_L"}]}}
    (channel,) = bake(data, rig, AU12=first, AU14=second).values()
    assert channel.values == pytest.approx([min(max(first * weight + second, low), high)])


def test_a_shape_key_stays_within_0_and_1_unless_told_otherwise(data: dict[str, Any], rig: Rig) -> None:
    key = {"kind": "shape_key", "name": "smile_L", "weight": 3}
    data["channels"] = {"AU12": [key], "AU15": [key | {"weight": -3}]}
    (channel,) = bake(data, rig, AU12=[1.0, 0.0], AU15=[0.0, 1.0]).values()
    assert channel.values.tolist() == [1.0, 0.0]
    data["channels"]["AU15"][0] |= {"min": -1, "max": 2}
    (channel,) = bake(data, rig, AU12=[1.0, 0.0], AU15=[0.0, 1.0]).values()
    assert channel.values.tolist() == [2.0, -1.0]


def test_a_location_along_a_direction_of_the_character(data: dict[str, Any], rig: Rig) -> None:
    """The head's own y is the character's up; the amount is 0.5 of the 0.06 between the eyes."""
    target = {"kind": "bone_location", "bone": "head", "axis": "up", "amount": 0.5, "reference": "eyes"}
    data["channels"] = {"AU12": [target]}
    channels = bake(data, rig, AU12=1.0)
    assert list(channels) == [("bone_location", "head", "", 1)]
    assert channels["bone_location", "head", "", 1].values == pytest.approx([0.03])


def test_a_shipped_mapping_on_a_rig_with_four_keys() -> None:
    mapping = Mapping.load(MAPPINGS / "arkit.json")
    face = Rig("Face", {"Face": ("jawOpen", "mouthSmileLeft", "eyeBlinkLeft", "eyeBlinkRight")})
    channels = retarget(resolve(mapping, face), values(AU26=1.0, AU12=0.7, eye_closed_left=1.0))
    got = {channel.name: float(channel.values[0]) for channel in channels}
    assert got == {
        "jawOpen": 1.0,
        "mouthSmileLeft": pytest.approx(0.7 * 0.75),
        "eyeBlinkLeft": 1.0,
        "eyeBlinkRight": 0.0,
    }
