# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a rig's names of left and right say the truth."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from ..core.matching import Resolution
from .rig import Character, mesh_named

FloatArray = NDArray[np.float64]
KEYS_LOOKED_AT = 4
"""Shape keys of each side that are measured."""
CLEAR = 0.25
"""The part of a distance that must lie along an axis to count."""


def names_are_swapped(character: Character, resolution: Resolution) -> bool:
    """True where targets named left clearly lie on the character's right.

    The front is where what moves lies, seen from the middle of mesh or armature. False where that cannot be told.
    """
    return _keys_are_swapped(character, resolution) or _bones_are_swapped(character, resolution)


def _keys_are_swapped(character: Character, resolution: Resolution) -> bool:
    by_mesh: dict[str, dict[str, list[str]]] = defaultdict(lambda: {"left": [], "right": []})
    for place in resolution.targets:
        if place.owner_kind == "mesh" and place.target.side:
            by_mesh[place.owner][place.target.side].append(place.name)
    for name, sides in by_mesh.items():
        mesh = mesh_named(character, name)
        points = _points(mesh.data.vertices)
        matrix = np.array(mesh.matrix_world)[:3, :3]
        centres = [_centre(mesh, points, sides[side][:KEYS_LOOKED_AT]) for side in ("left", "right")]
        if centres[0] is None or centres[1] is None:
            continue
        left, right, middle = (matrix @ point for point in (centres[0], centres[1], points.mean(axis=0)))
        return _swapped(left, right, middle)
    return False


def _bones_are_swapped(character: Character, resolution: Resolution) -> bool:
    if character.armature is None:
        return False
    bones = resolution.rig.bones
    heads = {
        side: [bones[p.owner].head for p in resolution.targets if p.owner_kind == "pose_bone" and p.target.side == side]
        for side in ("left", "right")
    }
    if not (heads["left"] and heads["right"]):
        return False
    matrix = np.array(character.armature.matrix_world)[:3, :3]
    places = (heads["left"], heads["right"], [bone.head for bone in bones.values()])
    left, right, middle = (matrix @ np.mean(place, axis=0) for place in places)
    return _swapped(left, right, middle)


def _swapped(left: FloatArray, right: FloatArray, middle: FloatArray) -> bool:
    """Of points (3,) in the world, where Z is up."""
    apart = left - right
    front = (left + right) / 2 - middle
    front[2] = 0.0
    distance = np.linalg.norm(apart)
    if distance == 0 or np.linalg.norm(front) < CLEAR * distance:
        return False
    character_left = np.cross([0.0, 0.0, 1.0], front / np.linalg.norm(front))
    return bool(apart @ character_left < -CLEAR * distance)


def _centre(mesh: object, points: FloatArray, names: list[str]) -> FloatArray | None:
    """The middle (3,) of what shape keys move, in the mesh's own space; None if they move nothing."""
    keys = mesh.data.shape_keys.key_blocks  # type: ignore[attr-defined]
    amount = np.zeros(len(points))
    for name in names:
        amount += np.linalg.norm(_points(keys[name].data) - _points(keys[name].relative_key.data), axis=1)
    total = amount.sum()
    return amount @ points / total if total > 0 else None


def _points(collection: object) -> FloatArray:
    points = np.empty(len(collection) * 3, np.float32)  # type: ignore[arg-type]
    collection.foreach_get("co", points)  # type: ignore[attr-defined]
    return points.reshape(-1, 3).astype(np.float64)
