# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mapping measures on a rig at rest: reference lengths and the character's own directions."""

from __future__ import annotations

import math
from collections.abc import Mapping as Dictionary
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .mapping import Mapping
from .rig import Bone, Vector
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
    """

    def __init__(self, mapping: Mapping, bones: Dictionary[str, Bone | None]) -> None:
        self._mapping = mapping
        self._bones = bones

    def length(self, reference: str) -> float:
        """A reference length in armature units, above 0.

        Raises:
            NotOnRigError: a bone is missing, or the length is 0.
        """
        what = f"the reference length {reference!r}"
        bones = [self._bone(name, what) for name in self._mapping.reference_lengths[reference]]
        length = bones[0].length if len(bones) == 1 else math.dist(bones[0].head, bones[1].head)
        if length <= SMALLEST:
            raise NotOnRigError(f"{what} is 0")
        return length

    def direction(self, axis: str, bone: Bone) -> Vector:
        """An axis as a unit vector in the bone's own space: ``x``, ``y``, ``z``, ``left``, ``up`` or ``front``.

        Raises:
            NotOnRigError: the character's directions cannot be measured.
        """
        if axis in BONE_AXES:
            return BONE_AXES[axis]
        x, y, z = (np.array(bone.matrix).T @ self._body()[axis]).tolist()
        return x, y, z

    def _body(self) -> dict[str, NDArray[np.float64]]:
        if not self._mapping.directions:
            return FACING
        up = self._between("up")
        across = self._between("left")
        left = across - up * (across @ up)
        size = float(np.linalg.norm(left))
        if size <= SMALLEST:
            raise NotOnRigError("the directions 'left' and 'up' are the same")
        left /= size
        return {"left": left, "up": up, "front": np.cross(left, up)}

    def _between(self, direction: str) -> NDArray[np.float64]:
        what = f"the direction {direction!r}"
        start, end = (np.array(self._bone(name, what).head) for name in self._mapping.directions[direction])
        size = float(np.linalg.norm(end - start))
        if size <= SMALLEST:
            raise NotOnRigError(f"{what} is empty: both of its bones start at one point")
        return (end - start) / size

    def _bone(self, name: str, what: str) -> Bone:
        bone = self._bones[name]
        if bone is None:
            raise NotOnRigError(f"{what} needs the bone {name!r}, which is missing")
        return bone
