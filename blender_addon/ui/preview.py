# SPDX-License-Identifier: GPL-3.0-or-later
"""The take on the selected characters before the bake, frame by frame, without keyframes and without a trace.

Values stand on the characters between two changes of frame alone: they are taken back before Blender evaluates the next
frame and before the file is saved, and for good when the preview ends: by its button, a bake, a render, another file.
"""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_tip as tip_

from bdfm_infer.errors import BdfmError

from ..blender import gains
from ..blender.preview import Preview
from . import cleaning
from .bake_settings import take_time
from .characters import choose_mapping, is_selected, selected_characters
from .takes import loaded_take, scene_cleaning

_scene = ""
_running: list[Preview] = []
_ended: list[Preview] = []
"""Previews of this file that are over: an undo may bring a state back in which they were on."""


def is_running(scene: bpy.types.Scene) -> bool:
    """Whether the take is being shown on characters of this scene."""
    return bool(_running) and scene.name == _scene


def names() -> list[str]:
    """The characters that are being shown."""
    return [preview.name for preview in _running]


def stop(*_: object) -> None:
    """End the preview and put everything back."""
    _take_back()
    _ended.extend(_running)
    _running.clear()


def refresh(*_: object) -> None:
    """Show the current frame again: an edit has changed."""
    _show(tabled=False)


def _show(tabled: bool) -> None:
    """Show the current frame. With ``tabled``, the frames around are worked out with it, for those that come next."""
    scene = bpy.data.scenes.get(_scene)
    loaded = loaded_take(scene) if _running and scene is not None else None
    if scene is None or loaded is None:
        return
    performance = loaded.performance(scene_cleaning(scene, loaded))
    time, frame = take_time(scene), scene.frame_current_final
    for preview in _running:
        numbers = preview.numbers_at(performance, time, frame, tabled)
        if numbers is not None:
            preview.show(numbers)


def _take_back(*_: object) -> None:
    for preview in _running:
        preview.restore()


@bpy.app.handlers.persistent
def _before_frame(scene: bpy.types.Scene, *_: object) -> None:
    if is_running(scene):
        _take_back()


@bpy.app.handlers.persistent
def _after_frame(scene: bpy.types.Scene, *_: object) -> None:
    if is_running(scene):
        _show(tabled=True)


@bpy.app.handlers.persistent
def _before_save(*_: object) -> None:
    _take_back()


@bpy.app.handlers.persistent
def _after_save(*_: object) -> None:
    refresh()


@bpy.app.handlers.persistent
def _after_undo(*_: object) -> None:
    for preview in (*_ended, *_running):
        preview.clean()
    refresh()


@bpy.app.handlers.persistent
def _before_load(*_: object) -> None:
    stop()
    _ended.clear()


@bpy.app.handlers.persistent
def _before_render(*_: object) -> None:
    stop()


_HANDLERS = (
    ("frame_change_pre", _before_frame),
    ("frame_change_post", _after_frame),
    ("save_pre", _before_save),
    ("save_post", _after_save),
    ("save_post_fail", _after_save),
    ("undo_post", _after_undo),
    ("redo_post", _after_undo),
    ("load_pre", _before_load),
    ("render_init", _before_render),
)


class BDFM_OT_preview(bpy.types.Operator):
    """Starts and ends the preview."""

    bl_idname = "bdfm.preview"
    bl_label = "Preview on Characters"
    bl_description = (
        "Show the take on the selected characters as the timeline moves, without keyframes. It takes the place of what "
        "they do: the option Additive shows in the bake alone. Press again to end it"
    )
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if is_running(context.scene):
            return True
        if loaded_take(context.scene) is None:
            cls.poll_message_set(tip_("Capture a video or load a take first"))
            return False
        if context.scene.bdfm.own_mapping.rest:
            cls.poll_message_set(tip_("Finish posing the action units first"))
            return False
        return is_selected(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        global _scene
        if is_running(context.scene):
            stop()
            return {"FINISHED"}
        stop()
        try:
            characters = selected_characters(context)
        except BdfmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        refused = []
        for character in characters:
            choice = choose_mapping(context, character)
            try:
                if choice.fits:
                    _running.append(Preview(character, choice.fits[0].mapping, context.scene.bdfm.bake.head))
                else:
                    refused.append(choice.reason)
            except BdfmError as error:
                refused.append(str(error))
        for reason in refused:
            self.report({"WARNING"} if _running else {"ERROR"}, reason)
        if not _running:
            return {"CANCELLED"}
        _scene = context.scene.name
        refresh()
        return {"FINISHED"}


def attach() -> None:
    """Follow the timeline, the edits, and everything that must not see the preview."""
    cleaning.listeners.append(refresh)
    gains.listeners.append(refresh)
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def detach() -> None:
    """End the preview and follow nothing any more."""
    stop()
    _ended.clear()
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    gains.listeners.remove(refresh)
    cleaning.listeners.remove(refresh)


CLASSES = (BDFM_OT_preview,)
