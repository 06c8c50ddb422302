# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between Blender's versions. The only file that knows.

From 4.4 on an action has layers, and a slot for each data-block that it moves; before, it serves one data-block and
holds its F-curves itself. From 5.0 on the old way in (``Action.fcurves``) is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

LAYERED_ACTIONS = bpy.app.version >= (4, 4, 0)
BLEND_RELATIVE = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
"""Options of a property of the add-on whose path may begin with ``//``."""
STRIPS_ALL = "strips_all" if bpy.app.version >= (4, 4, 0) else "sequences_all"
"""The property of a sequence editor that holds all strips, those within meta strips included."""

GROUPS_MUTE = not LAYERED_ACTIONS
"""Whether a muted group mutes its F-curves as they play. Later its button in the editors mutes each of them instead."""

Channels = Any
"""What holds ``fcurves`` and ``groups``: an ``Action`` before 4.4, an ``ActionChannelbag`` from then on."""


class ActionSet:
    """The places of one bake: in a new action, or in the active ones.

    The new action is one for all data-blocks where actions have slots, else one for each data-block.

    Args:
        name: of the action. Blender appends a number where it is taken, so that no action is ever overwritten.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._places: dict[bpy.types.ID, tuple[bpy.types.Action, Any]] = {}
        self._added: list[tuple[bpy.types.Action, Any]] = []

    def channels(self, id_block: bpy.types.ID, slot_name: str) -> Channels:
        """The place for a data-block's new F-curves. It does not move by them before :meth:`assign` or :meth:`push`."""
        if not LAYERED_ACTIONS:
            whole = self.name.endswith(f" · {slot_name}")
            action = bpy.data.actions.new(self.name if whole else f"{self.name} · {slot_name}")
            self._places[id_block] = action, None
            return action
        action = next(iter(self._places.values()))[0] if self._places else bpy.data.actions.new(self.name)
        slot = action.slots.new(id_block.id_type, slot_name)
        self._places[id_block] = action, slot
        return _keyframe_strip(action).channelbag(slot, ensure=True)

    def active_channels(self, id_block: bpy.types.ID, slot_name: str) -> Channels:
        """The place for F-curves in the active action, with a slot for ``id_block`` where it has none yet."""
        animation = id_block.animation_data
        if not LAYERED_ACTIONS:
            return animation.action
        if animation.action_slot is None:
            animation.action_slot = animation.action.slots.new(id_block.id_type, slot_name)
            self._added.append((animation.action, animation.action_slot))
        return _keyframe_strip(animation.action).channelbag(animation.action_slot, ensure=True)

    def assign(self) -> None:
        """Make the new action the active one of each data-block. The one that was there is kept."""
        for id_block, (action, slot) in self._places.items():
            animation = id_block.animation_data or id_block.animation_data_create()
            if animation.action is not None:
                animation.action.use_fake_user = True
            animation.action = action
            if LAYERED_ACTIONS:
                animation.action_slot = slot

    def remove(self) -> None:
        """Delete the new action and slots again, before the action was assigned or pushed."""
        for action in {action for action, _ in self._places.values()}:
            bpy.data.actions.remove(action)
        self._places.clear()
        for action, slot in self._added:
            action.slots.remove(slot)
        self._added.clear()

    def push(self, track_name: str, first: int, last: int) -> None:
        """Put the new action as a strip on a new NLA track, above all others, of each data-block.

        The active action is not touched. Outside the strip whatever lies below is seen.
        """
        for id_block, (action, slot) in self._places.items():
            animation = id_block.animation_data or id_block.animation_data_create()
            track = animation.nla_tracks.new()
            track.name = track_name
            strip = track.strips.new(track_name, first, action)
            if LAYERED_ACTIONS:
                strip.action_slot = slot
            for _ in range(2):  # each end stops at the other, wherever that happens to be
                strip.action_frame_end = strip.frame_end = max(last, first + 1)
                strip.action_frame_start = strip.frame_start = first
            strip.extrapolation = "NOTHING"


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


def kept_channels_of(id_block: bpy.types.ID) -> Iterator[Channels]:
    """The F-curves of all actions that move ``id_block``, strips' among them, or that move nothing now but may."""
    users = bpy.data.user_map(subset=set(bpy.data.actions)) if not LAYERED_ACTIONS else {}
    for action in bpy.data.actions:
        if not LAYERED_ACTIONS:
            if id_block in users[action] or not users[action]:
                yield action
            continue
        strips = [strip for layer in action.layers for strip in layer.strips]
        for slot in action.slots:
            served = _users(slot)
            if slot.target_id_type == id_block.id_type and (id_block in served or not served):
                yield from filter(None, (strip.channelbag(slot) for strip in strips))


def is_shared(id_block: bpy.types.ID) -> bool:
    """Whether the channels that move ``id_block`` move another data-block as well."""
    animation = id_block.animation_data
    if not LAYERED_ACTIONS:
        return bool(bpy.data.user_map(subset={animation.action})[animation.action] - {id_block})
    return animation.action_slot is not None and len(_users(animation.action_slot)) > 1


def _users(slot: Any) -> list[bpy.types.ID]:
    """What a slot moves. Blender looks through all poses for it, and crashes where an armature has none yet."""
    for item in bpy.data.objects:
        if item.type == "ARMATURE" and item.library is None:
            ensure_pose(item)
    return list(slot.users())


def ensure_pose(armature: bpy.types.Object) -> None:
    """Let Blender make the pose of an armature that a script has made and that has not been evaluated yet."""
    if armature.pose is None:
        armature.data = armature.data


def _keyframe_strip(action: bpy.types.Action) -> Any:
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    return layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose strips the sequencer shows. From 5.0 on it may be another one than that of the window."""
    return getattr(context.workspace, "sequencer_scene", None) or context.scene


def show_in_sequencer(context: bpy.types.Context, scene: bpy.types.Scene) -> bpy.types.Scene:
    """Let the sequencer show a scene where it shows none, as in a new file from 5.0 on. Returns the one it shows."""
    workspace = context.workspace
    if hasattr(workspace, "sequencer_scene") and workspace.sequencer_scene is None:
        workspace.sequencer_scene = scene
    return sequencer_scene(context)


def strips_of(scene: bpy.types.Scene) -> list[Any]:
    """All strips of a scene's sequencer."""
    editor = scene.sequence_editor
    return [] if editor is None else list(getattr(editor, STRIPS_ALL))


def new_sound_strip(scene: bpy.types.Scene, name: str, path: str, channel: int, frame: int) -> Any:
    """A strip with the sound of a file, one frame long where it has none.

    Raises:
        RuntimeError: this Blender was built without sound.
    """
    return _top_strips(scene).new_sound(name, path, channel, frame)


def remove_sound_strip(scene: bpy.types.Scene, strip: Any) -> None:
    """Take a sound strip away, and its sound where nothing else uses it."""
    sound = strip.sound
    _top_strips(scene).remove(strip)
    if sound is not None and sound.users == 0:
        bpy.data.sounds.remove(sound)


def _top_strips(scene: bpy.types.Scene) -> Any:
    editor = scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def strip_span(strip: Any) -> tuple[int, int, int]:
    """What of its file a strip shows: its first frame in the scene, frames of the file before that, frames shown."""
    if hasattr(strip, "left_handle"):  # the old names are deprecated from 5.2 on
        first, last, start, trimmed = (
            strip.left_handle,
            strip.right_handle,
            strip.content_start,
            strip.content_trim_start,
        )
    else:
        first, last, start = strip.frame_final_start, strip.frame_final_end, strip.frame_start
        trimmed = strip.animation_offset_start
    return int(first), int(trimmed) + round(first - start), int(last) - int(first)
