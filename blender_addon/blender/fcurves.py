# SPDX-License-Identifier: GPL-3.0-or-later
"""F-curves written in one go. ``keyframe_insert`` copies all keys at each insertion: 800 times slower at 10,000."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from .versions import Channels

HOLD = 0.85
"""Share of a gap for which the last key's handle keeps the pose; the rest leads softly into the next find."""

FloatArray = NDArray[np.float64]


def _enum(name: str) -> dict[str, int]:
    return {item.identifier: item.value for item in bpy.types.Keyframe.bl_rna.properties[name].enum_items}


class KeyWriter:
    """Writes F-curves that have their keys at the same frames.

    Keys are joined by straight lines. Across a gap the last key's Bezier handle holds the pose, then eases into the
    next: no key stands where nothing was seen.

    Args:
        frames: (m,) whole scene frames, ascending.
        gap_starts: (m,) bool, the face is lost after this key.
    """

    def __init__(self, frames: NDArray[np.int64], gap_starts: NDArray[np.bool_]) -> None:
        interpolation, handle = _enum("interpolation"), _enum("handle_left_type")
        before = np.flatnonzero(gap_starts[:-1])
        after = before + 1
        span = frames[after] - frames[before]
        self._frames = frames.astype(np.float32)
        self._left, self._right = self._frames - np.float32(1 / 3), self._frames + np.float32(1 / 3)
        self._right[before] = frames[before] + HOLD * span
        self._left[after] = frames[after] - (1 - HOLD) * span
        self._attributes = {
            "interpolation": np.full(len(frames), interpolation["LINEAR"], np.int32),
            "handle_left_type": np.full(len(frames), handle["AUTO_CLAMPED"], np.int32),
            "handle_right_type": np.full(len(frames), handle["AUTO_CLAMPED"], np.int32),
        }
        self._attributes["interpolation"][before] = interpolation["BEZIER"]
        for side in ("handle_left_type", "handle_right_type"):
            self._attributes[side][before] = self._attributes[side][after] = handle["FREE"]

    def write(self, channels: Channels, path: str, index: int, group: str, values: FloatArray) -> None:
        """Add one F-curve with a key at each frame.

        Args:
            channels: where to, from :class:`.versions.ActionSet`.
            path: RNA path from the data-block to the property.
            index: place in a vector property, 0 for a single value.
            group: heading in the dope sheet.
            values: (m,) in the property's own unit.
        """
        curve = channels.fcurves.new(path, index=index)
        curve.group = channels.groups.get(group) or channels.groups.new(group)
        keys = curve.keyframe_points
        keys.add(len(self._frames))
        values = values.astype(np.float32)
        for attribute, x in (("co", self._frames), ("handle_left", self._left), ("handle_right", self._right)):
            keys.foreach_set(attribute, np.column_stack([x, values]).ravel())
        for attribute, numbers in self._attributes.items():
            keys.foreach_set(attribute, numbers)
        curve.update()
