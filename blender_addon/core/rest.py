# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mapping measures on a rig at rest: reference lengths and the character's own directions."""

from __future__ import annotations

import math
from collections.abc import Mapping as Dictionary
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .mapping import Mapping
from .names import Name, normalise
from .rig import Axes, Bone, Vector
from .targets import BONE_AXES

FACING: Final = {"left": np.array([1.0, 0, 0]), "up": np.array([0, 0, 1.0]), "front": np.array([0, -1.0, 0])}
"""A character that faces -Y and stands along Z, as Blender's front view expects."""

SMALLEST: Final = 1e-9


class NotOnRigError(LookupError):
    """A rig lacks what a target needs; the text says what. Ends up in the report, never before the artist."""


def measured_bones(mapping: Mapping) -> set[str]:
    """Names of all bones that a mapping measures."""
    pairs = [*mapping.reference_lengths.values(), *mapping.directions.values()]
    return {name for names in pairs for name in names}


class RestPose:
    """Measures one rig.

    Args:
        mapping: what is to be measured.
        bones: each of :func:`measured_bones` on the rig, or None where it is missing.
        rig: all bones of the rig, by name.
    """

    def __init__(self, mapping: Mapping, bones: Dictionary[str, Bone | None], rig: Dictionary[str, Bone]) -> None:
        self._mapping = mapping
        self._bones = bones
        self._rig = rig

    def length(self, reference: str) -> float:
        """A reference length in armature units, above 0.

        Raises:
            NotOnRigError: a bone is missing, or the length is 0.
        """
        names = self._mapping.reference_lengths[reference]
        bones = [bone for name in names if (bone := self._bones[name])]
        if len(bones) < len(names):
            missing = next(name for name in names if not self._bones[name])
            raise NotOnRigError(f"the reference length {reference!r} needs the bone {missing!r}, which is missing")
        length = bones[0].length if len(bones) == 1 else math.dist(bones[0].head, bones[1].head)
        if length <= SMALLEST:
            raise NotOnRigError(f"the reference length {reference!r} is 0 on this rig")
        return length

    def direction(self, axis: str, axes: Axes) -> Vector:
        """``x``, ``y``, ``z``, ``left``, ``up`` or ``front`` as a unit vector along a bone's axes."""
        if axis in BONE_AXES:
            return BONE_AXES[axis]
        x, y, z = (np.array(axes).T @ self.body[axis]).tolist()
        return x, y, z

    @cached_property
    def body(self) -> dict[str, NDArray[np.float64]]:
        """The character's ``left``, ``up`` and ``front`` as unit vectors (3,) in armature space.

        Where the rig lacks a bone of the mapping's ``left``, all its bones whose names tell left from right stand in.
        :data:`FACING` where the mapping names no bones, or where that cannot be measured.
        """
        sides, heights = (self._mapping.directions.get(name, ()) for name in ("left", "up"))
        up = self._between(heights)
        across = self._between(sides)
        if across is None and sides:
            across = _left_of(self._rig) * (-1 if normalise(sides[1]).side == "right" else 1)
        if up is None or across is None:
            return FACING
        front = np.cross(across, up)
        if np.linalg.norm(front) <= SMALLEST:
            return FACING
        axes = {"left": np.cross(up, front), "up": up, "front": front}
        return {name: vector / np.linalg.norm(vector) for name, vector in axes.items()}

    def _between(self, names: tuple[str, ...]) -> NDArray[np.float64] | None:
        """From the head of one bone to that of another, (3,); None where they are not named or not there."""
        bones = [bone for name in names if (bone := self._bones[name])]
        return np.subtract(bones[1].head, bones[0].head) if len(bones) == 2 else None


def _left_of(bones: Dictionary[str, Bone]) -> NDArray[np.float64]:
    """From all right bones to the left ones of the same names, (3,); 0 where there are none."""
    sided = {normalise(name): np.array(bone.head) for name, bone in bones.items()}
    pairs = [(head, sided.get(Name(name.stem, "right"))) for name, head in sided.items() if name.side == "left"]
    return np.sum([np.zeros(3), *(left - right for left, right in pairs if right is not None)], axis=0)
