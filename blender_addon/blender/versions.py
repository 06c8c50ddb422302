# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between Blender's versions. The only file that knows.

From 4.4 on an action has layers, and a slot for each data-block that it moves; before, it serves one data-block and
holds its F-curves itself. From 5.0 on the old way in (``Action.fcurves``) is gone.
"""

from __future__ import annotations

from typing import Any

import bpy

LAYERED_ACTIONS = bpy.app.version >= (4, 4, 0)

Channels = Any
"""What holds ``fcurves`` and ``groups``: an ``Action`` before 4.4, an ``ActionChannelbag`` from then on."""


class ActionSet:
    """The new action of one bake: one for all data-blocks where actions have slots, else one for each data-block.

    Args:
        name: of the action. Blender appends a number where it is taken, so that no action is ever overwritten.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.actions: list[bpy.types.Action] = []

    def channels(self, id_block: bpy.types.ID) -> Channels:
        """Give ``id_block`` the new action and return the place for its F-curves. Its old action is kept."""
        animation = id_block.animation_data or id_block.animation_data_create()
        if animation.action is not None:
            animation.action.use_fake_user = True
        if not LAYERED_ACTIONS:
            animation.action = self._new_action(f"{self.name} · {id_block.name}")
            return animation.action
        action = self.actions[0] if self.actions else self._new_action(self.name)
        slot = action.slots.new(id_block.id_type, id_block.name)
        animation.action = action
        animation.action_slot = slot
        return _keyframe_strip(action).channelbag(slot, ensure=True)

    def _new_action(self, name: str) -> bpy.types.Action:
        action = bpy.data.actions.new(name)
        self.actions.append(action)
        return action


def channels_of(id_block: bpy.types.ID) -> Channels | None:
    """The F-curves that move ``id_block`` now, or None."""
    animation = id_block.animation_data
    if animation is None or animation.action is None:
        return None
    if not LAYERED_ACTIONS:
        return animation.action
    if animation.action_slot is None or not animation.action.layers:
        return None
    return _keyframe_strip(animation.action).channelbag(animation.action_slot)


def _keyframe_strip(action: bpy.types.Action) -> Any:
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    return layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
