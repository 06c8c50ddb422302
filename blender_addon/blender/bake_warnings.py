# SPDX-License-Identifier: GPL-3.0-or-later
"""What actions that were there before do to a bake. What stands in its way on the character itself: :mod:`.checks`."""

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
