# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist should know of actions and F-curves that a bake meets. Of the character itself: :mod:`.checks`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import bpy

from .bake_options import BakeOptions
from .properties import Property
from .versions import channels_of, is_shared


def action_warnings(items: Iterable[Property], options: BakeOptions) -> Iterator[str]:
    """A line for each active action that will not be seen, hides the bake, or moves others as well."""
    paths: dict[bpy.types.ID, set[str]] = {}
    for item in items:
        paths.setdefault(item.id_block, set()).add(item.path)
    for id_block, baked in paths.items():
        active = channels_of(id_block)
        if active is None:
            continue
        name = id_block.animation_data.action.name
        same = sum(curve.data_path in baked for curve in active.fcurves)
        others = len(active.fcurves) - same
        if options.target == "NEW_ACTION" and others:
            yield (
                f"{id_block.name}: its action {name!r} also moved {others} channels that are not of the face. It is "
                "kept. To play both, bake into the active action, or as an NLA strip."
            )
        if options.target == "NLA_STRIP" and same:
            yield (
                f"{id_block.name}: its action {name!r} moves {same} of the baked channels and wins over the strip. "
                "Push it down in the NLA editor to see the strip."
            )
        if options.target == "ACTIVE_ACTION" and is_shared(id_block):
            yield (
                f"{id_block.name}: its action {name!r} moves others as well, which now move alike. If that is not "
                "wanted, undo and make the action a single user."
            )


def is_writable(curve: bpy.types.FCurve) -> bool:
    """Whether an F-curve may take keys: not where the artist has locked it, nor where it holds samples."""
    return not (curve.lock or _of_group(curve, "lock") or len(curve.sampled_points))


def curve_warnings(curve: bpy.types.FCurve) -> Iterator[str]:
    """What the artist should know of an F-curve that the bake meets; each text follows the curve's path."""
    if curve.lock or _of_group(curve, "lock"):
        yield "is locked in its action, and was left as it was."
    elif len(curve.sampled_points):
        yield "holds samples, and was left as it was. Turn them into keyframes first (Graph Editor: Key, Samples)."
    elif curve.mute or _of_group(curve, "mute"):
        yield "is muted in its action and will not move."


def _of_group(curve: bpy.types.FCurve, attribute: str) -> bool:
    return curve.group is not None and getattr(curve.group, attribute)
