# SPDX-License-Identifier: GPL-3.0-or-later
"""F-curves written in one go. ``keyframe_insert`` copies all keys at each insertion: 800 times slower at 10,000."""

from __future__ import annotations

from typing import Any, Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.timing import HOLD

FloatArray = NDArray[np.float64]
KeyTable = dict[str, NDArray[Any]]
"""Attributes of an F-curve's keys: (m, 2) float32 for points, (m,) float32 or int32 for the others."""

POINTS: Final = ("co", "handle_left", "handle_right")
NUMBERS: Final = {"amplitude": 0.8, "back": 1.70158, "period": 4.1}
"""What Blender's own keys have; without it a key that is set to Elastic or Back later does not swing."""
CHOICES: Final = ("interpolation", "easing", "handle_left_type", "handle_right_type", "type")
FLAGS: Final = ("select_control_point", "select_left_handle", "select_right_handle")

SAME_FRAME: Final = 0.01
"""Two keys nearer than this are one, as in Blender's own insertion."""

SAME: Final = 1e-5
"""Difference of a handle's place, in frames or in the property's unit, that is rounding."""


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
        self._bezier, free = _enum("interpolation")["BEZIER"], _enum("handle_left_type")["FREE"]
        before = np.flatnonzero(gap_starts[:-1])
        after = before + 1
        span = frames[after] - frames[before]
        self._frames = frames.astype(np.float32)
        self._left, self._right = self._frames - np.float32(1 / 3), self._frames + np.float32(1 / 3)
        self._right[before] = frames[before] + HOLD * span
        self._left[after] = frames[after] - (1 - HOLD) * span
        same = {name: np.full(len(frames), number, np.float32) for name, number in NUMBERS.items()}
        for name, choice in (("interpolation", "LINEAR"), ("handle_left_type", "AUTO_CLAMPED")):
            same[name] = np.full(len(frames), _enum(name)[choice], np.int32)
        same["handle_right_type"] = same["handle_left_type"].copy()
        same["interpolation"][before] = self._bezier
        for side in ("handle_left_type", "handle_right_type"):
            same[side][before] = same[side][after] = free
        self._same: KeyTable = same
        self._before: list[tuple[bpy.types.FCurve, KeyTable]] = []

    def write(self, curve: bpy.types.FCurve, values: FloatArray, keep: NDArray[np.bool_]) -> None:
        """Give an F-curve its keys. Keys that it has outside the first and the last new frame stay as they are.

        Args:
            curve: new, or one that has keys.
            values: (m,) in the property's own unit.
            keep: (m,) bool, which of the keys to make; those beside a gap are among them.
        """
        table = self._table(values.astype(np.float32), keep)
        old = {name: _get(curve, name) for name in (*POINTS, *NUMBERS, *CHOICES, *FLAGS)}
        self._before.append((curve, old))
        at = old["co"][:, 0]
        before, after = at < self._frames[0] - SAME_FRAME, at > self._frames[-1] + SAME_FRAME
        if not (before.any() or after.any()):
            curve.keyframe_points.clear()
            _set_keys(curve, table)
            return
        if after.any():
            table["interpolation"][-1] = self._bezier
        m = len(table["co"])
        whole = {
            name: np.concatenate([column[before], table.get(name, np.zeros(m, column.dtype)), column[after]])
            for name, column in old.items()
        }
        curve.keyframe_points.clear()
        _set_keys(curve, whole)
        self._hold_outside(curve, whole, int(before.sum()), int(after.sum()))

    def take_back(self) -> None:
        """Give every F-curve the keys that it had before; one that had none is left empty."""
        for curve, keys in reversed(self._before):
            curve.keyframe_points.clear()
            _set_keys(curve, keys)

    def _table(self, values: NDArray[np.float32], keep: NDArray[np.bool_]) -> KeyTable:
        points = {
            name: np.column_stack([x[keep], values[keep]])
            for name, x in zip(POINTS, (self._frames, self._left, self._right), strict=True)
        }
        return points | {name: column[keep] for name, column in self._same.items()}

    def _hold_outside(self, curve: bpy.types.FCurve, table: KeyTable, before: int, after: int) -> None:
        """Keep the curve outside the new keys as it was.

        Blender aims automatic handles by both neighbours, so that a new neighbour also bends the far side of the key
        beside it. Where that has happened the key's handles are put back and become free.
        """
        beside = [(before - 1, "handle_left")] if before else []
        beside += [(-after, "handle_right")] if after else []
        keys = curve.keyframe_points
        bent = [
            place
            for place, outer in beside
            if np.abs(np.subtract(getattr(keys[place], outer), table[outer][place])).max() > SAME
        ]
        for place in bent:
            for side in ("handle_left", "handle_right"):
                setattr(keys[place], f"{side}_type", "FREE")
                setattr(keys[place], side, table[side][place].tolist())
        if bent:
            curve.update()


def _get(curve: bpy.types.FCurve, name: str) -> NDArray[Any]:
    """One attribute of all keys, see :data:`KeyTable`."""
    n = len(curve.keyframe_points)
    dtype = np.int32 if name in CHOICES else bool if name in FLAGS else np.float32
    column = np.empty(2 * n if name in POINTS else n, dtype)
    curve.keyframe_points.foreach_get(name, column)
    return column.reshape(n, 2) if name in POINTS else column


def _set_keys(curve: bpy.types.FCurve, table: KeyTable) -> None:
    curve.keyframe_points.add(len(table["co"]))
    for name, column in table.items():
        curve.keyframe_points.foreach_set(name, np.ascontiguousarray(column).ravel())
    curve.update()
