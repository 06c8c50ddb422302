# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones turn with the head of the video."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import ROTATION

from .matching import Missing, Resolution, ResolvedTarget
from .rig import Bone, Rig
from .targets import BoneRotation

HeadPlacement = Literal["MAPPED", "HEAD", "NECK", "BOTH", "NONE"]

NECK: Final = re.compile(r"neck(?!lace|tie)|^首", re.IGNORECASE)
"""What the name of a neck bone holds. In Japanese wrists and ankles end in the same sign."""

SMALLEST: Final = 0.01
"""Share of a turn that is not worth keys."""

HELPER_PREFIXES: Final = ("ORG-", "DEF-", "MCH-", "VIS_", "WGT-")
"""Bones that a rig moves by itself."""


def place_head(
    resolution: Resolution, placement: HeadPlacement, takes_along: Callable[[str, str], float] = lambda neck, head: 1.0
) -> Resolution:
    """Let the head's rotation turn other bones than the mapping names.

    ``HEAD`` and ``NECK`` give the whole angle to that bone, ``BOTH`` half of it to the neck. The head bone turns by
    what the neck does not give it, about the same axis, so that the head always turns as far as in the video. Where
    the rig has no neck, the head turns alone and the neck is listed as missing.

    Args:
        placement: ``MAPPED`` changes nothing, ``NONE`` leaves the rotation out.
        takes_along: share of a turn of the neck bone that the head bone makes with it, 0 to 1.
    """
    if placement == "MAPPED":
        return resolution
    turns = [place for place in resolution.targets if place.source in ROTATION]
    others = [place for place in resolution.targets if place.source not in ROTATION]
    if placement == "NONE":
        return replace(resolution, targets=tuple(others))
    bones = [place for place in turns if isinstance(place.target, BoneRotation)]
    others += [place for place in turns if not isinstance(place.target, BoneRotation)]
    heads = _whole(bones)
    if placement == "HEAD" or not heads:
        return replace(resolution, targets=(*others, *heads))
    neck = find_neck(resolution.rig, heads[0].owner)
    if neck is None:
        missing = Missing(
            ROTATION, "bone_rotation", "neck", "this rig has no bone called neck, so the head turns alone"
        )
        return replace(resolution, targets=(*others, *heads), missing=(*resolution.missing, missing))
    share = 1.0 if placement == "NECK" else 0.5
    rest = 1 - share * takes_along(neck, heads[0].owner)
    necks = [_moved(place, neck, resolution.rig, share) for place in heads]
    left = [replace(place, unit=place.unit * rest) for place in heads] if rest > SMALLEST else []
    return replace(resolution, targets=(*others, *left, *necks))


def find_neck(rig: Rig, head: str) -> str | None:
    """The neck bone by its name: the one that the artist moves, and of several the one nearest to the head."""
    place = rig.bones[head].head

    def order(name: str) -> tuple[int, float]:
        return len(name), math.dist(rig.bones[name].head, place)

    necks = [name for name in rig.bones if _is_neck(name) and name != head and not name.startswith(HELPER_PREFIXES)]
    return min(necks, key=order, default=None)


def _is_neck(bone: str) -> bool:
    return NECK.search(bone) is not None


def _whole(places: list[ResolvedTarget]) -> list[ResolvedTarget]:
    """The targets on the head, with the angles that a mapping shares out among head and neck put together again."""
    heads = [place for place in places if not _is_neck(place.owner)] or places

    def angle(of: list[ResolvedTarget], source: str) -> float:
        return sum(abs(place.target.per_unit) * place.unit for place in of if place.source == source)

    return [
        replace(place, unit=place.unit * angle(places, place.source) / own)
        for place in heads
        if (own := angle(heads, place.source)) > 0
    ]


def _moved(place: ResolvedTarget, bone: str, rig: Rig, share: float) -> ResolvedTarget:
    """The same turn by another bone, about the same axis in the armature's space."""
    assert place.direction is not None
    axis = _matrix(rig.bones[place.owner]) @ np.array(place.direction)
    x, y, z = (_matrix(rig.bones[bone]).T @ axis).tolist()
    return replace(place, owner=bone, direction=(x, y, z), unit=place.unit * share)


def _matrix(bone: Bone) -> NDArray[np.float64]:
    return np.array(bone.matrix)
