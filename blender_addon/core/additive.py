# SPDX-License-Identifier: GPL-3.0-or-later
"""A performance on top of what a character does already.

Locations, shape keys and custom properties are added, scales multiplied. Rotations are composed: the bone first turns
as it does, then as the performance says, about its own turned axes. Blender's NLA blends with Combine in the same way.
All arrays are float64.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import rotation
from .retarget import Channel

FloatArray = NDArray[np.float64]

QUATERNION: Final = "QUATERNION"
AXIS_ANGLE: Final = "AXIS_ANGLE"


def property_values(channel: Channel, mode: str, existing: FloatArray | None = None) -> FloatArray:
    """Values (m, c) of the property that a channel moves, in the property's own unit.

    Args:
        mode: rotation mode of the bone, for its rotation.
        existing: (m, c), what the property does already and keeps doing beneath; None: nothing of it stays.
    """
    if channel.kind == "bone_rotation":
        return rotation_values(mode, channel.values if existing is None else _composed(mode, existing, channel.values))
    values = channel.values[:, None]
    if existing is None:
        return values
    return existing * values if channel.kind == "bone_scale" else existing + values


def all_property_values(channels: Sequence[Channel], modes: Sequence[str]) -> list[FloatArray]:
    """As :func:`property_values` for each channel, with nothing beneath; rotations of one mode go at once."""
    found = [channel.values[:, None] for channel in channels]
    turning: dict[str, list[int]] = defaultdict(list)
    for number, channel in enumerate(channels):
        if channel.kind == "bone_rotation":
            turning[modes[number]].append(number)
    for mode, numbers in turning.items():
        values = rotation_values(mode, np.stack([channels[number].values for number in numbers], axis=1))
        for number, bone in zip(numbers, np.moveaxis(values, 1, 0), strict=True):
            found[number] = bone
    return found


def aligned(mode: str, values: FloatArray, near: FloatArray) -> FloatArray:
    """The same rotations (m, 3 or 4), written so that the first lies as near as can be to ``near`` (3 or 4).

    A quaternion and its opposite are one rotation, as are angles a whole turn apart. Without this an F-curve spins
    between a key that was there and the first new one.
    """
    if mode in (QUATERNION, AXIS_ANGLE):
        part = slice(None) if mode == QUATERNION else slice(1, None)
        return -values if float(values[0, part] @ near[part]) < 0 else values
    return values + 2 * np.pi * np.rint((near - values[0]) / (2 * np.pi))


def rotation_values(mode: str, vectors: FloatArray) -> FloatArray:
    """Values (m, …, 3 or 4) of pose bones in one rotation mode, for rotation vectors (m, …, 3)."""
    if mode == QUATERNION:
        return rotation.to_quaternion(vectors)
    if mode == AXIS_ANGLE:
        return rotation.to_axis_angle(vectors)
    return rotation.to_euler(vectors, mode)


def _composed(mode: str, existing: FloatArray, vectors: FloatArray) -> FloatArray:
    """Rotation vectors (m, 3) of the rotation ``existing``, (m, 3 or 4) in ``mode``, followed by ``vectors``."""
    total = rotation.product(_to_quaternions(mode, existing), rotation.to_quaternion(vectors))
    return rotation.from_quaternion(np.where(total[:, :1] < 0, -total, total))


def _to_quaternions(mode: str, values: FloatArray) -> FloatArray:
    if mode == QUATERNION:
        length = np.linalg.norm(values, axis=1, keepdims=True)
        return np.where(length > 0, values / np.where(length > 0, length, 1), [1.0, 0.0, 0.0, 0.0])
    if mode == AXIS_ANGLE:
        length = np.linalg.norm(values[:, 1:], axis=1, keepdims=True)
        return rotation.to_quaternion(values[:, :1] * values[:, 1:] / np.where(length > 0, length, 1))
    total = np.tile([1.0, 0.0, 0.0, 0.0], (len(values), 1))
    for axis in mode:
        index = "XYZ".index(axis)
        total = rotation.product(rotation.to_quaternion(values[:, [index]] * np.eye(3)[index]), total)
    return total
