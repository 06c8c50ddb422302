# SPDX-License-Identifier: GPL-3.0-or-later
"""The take on the selected characters before the bake, frame by frame, without keyframes and without a trace.

Values stand on the characters between two changes of frame alone: they are taken back before Blender evaluates the next
frame and before the file is saved, and for good when the preview ends: by its button, a bake, a render, another file.
What is shown is what a bake would make of the same settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import bpy
from bpy.app.translations import pgettext_tip as tip_

from bdfm_infer.errors import BdfmError

from ..blender import gains, rig_choice
from ..blender.preview import Preview
from ..blender.rig import Character, character_of
from ..blender.scene import scene_of
from ..blender.texts import artist_text
from ..core.errors import TimingError
from ..core.performance import Performance
from ..core.timing import Keys, SceneTime, resample
from . import bake_settings, cleaning
from .bake_settings import take_time
from .characters import choose_mapping, is_selected, selected_characters
from .takes import loaded_take, scene_cleaning

_shown_in = 0
"""The scene, see :func:`..blender.scene.scene_of`."""
_mark = ""
"""What that scene bears while the preview is on, and with it each undo step of that time."""
_running: list[Preview] = []
_choices: tuple[object, ...] = ()
"""What the artist had chosen when they began."""
_resampled: tuple[Performance, SceneTime, Keys | None] | None = None
"""What was last shown, and its keys; None where there are none."""
_ended: dict[str, list[Preview]] = {}
"""Previews of this file that are over, by their mark: an undo may bring a state back in which they were on."""


def is_running(scene: bpy.types.Scene) -> bool:
    """Whether the take is being shown on characters of this scene."""
    return bool(_running) and scene == _scene()


def _scene() -> bpy.types.Scene | None:
    return scene_of(_shown_in) if _running else None


def names() -> list[str]:
    """The characters that are being shown, by the names that they have now; one that is deleted is left out."""
    return [top.name for preview in _running if (top := preview.top) is not None]


def stop(*_: object) -> None:
    """End the preview and put everything back."""
    global _shown_in, _mark, _resampled
    _take_back()
    if _running:
        _ended[_mark] = list(_running)
        for old in list(_ended)[: -bpy.context.preferences.edit.undo_steps]:
            del _ended[old]
    if (scene := _scene()) is not None:
        scene.bdfm.preview = ""
    _running.clear()
    _shown_in, _mark, _resampled = 0, "", None


def refresh(*_: object) -> None:
    """Show the current frame again: an edit or a choice has changed."""
    scene = _scene()
    if _running and scene is not None and _chosen(scene) != _choices:
        rebuild()
    _show(tabled=False)


def rebuild() -> None:
    """Begin again on the same characters: a mapping or a rig has changed. One that no mapping fits is left out."""
    scene = _scene()
    tops = [preview.top for preview in _running]
    stop()
    if scene is not None:
        characters = (character_of(top, scene) for top in tops if top is not None)
        _begin(scene, filter(None, characters))


@contextmanager
def aside() -> Iterator[None]:
    """Put everything back for a while, then begin again: a rig may have changed meanwhile."""
    _take_back()
    try:
        yield
    finally:
        if _running:
            rebuild()


def _begin(scene: bpy.types.Scene, characters: Iterable[Character]) -> list[str]:
    """Begin the preview. Returns why there is none of some characters."""
    global _shown_in, _mark, _choices
    refused = []
    for character in characters:
        try:
            mapping = choose_mapping(scene, character).mapping
            _running.append(Preview(character, mapping, scene.bdfm.bake.head))
        except BdfmError as error:
            refused.append(artist_text(error))
    if _running:
        _shown_in, _mark = scene.session_uid, uuid4().hex
        scene.bdfm.preview = _mark
        _choices = _chosen(scene)
        _show(tabled=False)
    return refused


def _chosen(scene: bpy.types.Scene) -> tuple[object, ...]:
    """The artist's choices that a preview begins with."""
    tops = (preview.top for preview in _running)
    return scene.bdfm.bake.head, scene.bdfm.mapping, *(top and top.get(rig_choice.PROPERTY) for top in tops)


def _keys(scene: bpy.types.Scene) -> Keys | None:
    """The loaded take as a bake would make it; None where nothing can be baked."""
    global _resampled
    loaded = loaded_take(scene)
    if loaded is None:
        return None
    performance, time = loaded.performance(scene_cleaning(scene, loaded)), take_time(scene)
    if _resampled is None or _resampled[0] is not performance or _resampled[1] != time:
        try:
            keys: Keys | None = resample(performance.timestamps, performance.values, time)
        except TimingError:
            keys = None
        _resampled = performance, time, keys
    return _resampled[2]


def _show(tabled: bool) -> None:
    """Show the current frame. With ``tabled``, the frames around are worked out with it, for those that come next."""
    scene = _scene()
    if not _running or scene is None:
        return
    keys = _keys(scene)
    if keys is None:
        _take_back()
        return
    for preview in _running:
        preview.show(preview.numbers_at(keys, scene.frame_current_final, tabled))


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
    marked = {scene.bdfm.preview: scene for scene in bpy.data.scenes if scene.bdfm.preview}
    for mark, previews in ({_mark: _running} | _ended).items():
        for preview in previews:
            preview.clean(was_on=mark in marked)
    for scene in marked.values():
        scene.bdfm.preview = ""
    if _running and (scene := _scene()) is not None:
        scene.bdfm.preview = _mark
    refresh()


@bpy.app.handlers.persistent
def _before_load(*_: object) -> None:
    stop()
    _ended.clear()


@bpy.app.handlers.persistent
def _before_render(*_: object) -> None:
    stop()


_FOLLOWED = (bake_settings, cleaning, gains, rig_choice)
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
        "they do: the options Additive, Frame Range and Fewer Keys show in the bake alone. Press again to end it"
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
        if is_running(context.scene):
            stop()
            return {"FINISHED"}
        stop()
        try:
            characters = selected_characters(context)
        except BdfmError as error:
            self.report({"ERROR"}, artist_text(error))
            return {"CANCELLED"}
        for reason in _begin(context.scene, characters):
            self.report({"WARNING"} if _running else {"ERROR"}, reason)
        return {"FINISHED"} if _running else {"CANCELLED"}


def attach() -> None:
    """Follow the timeline, the edits, the choices, and everything that must not see the preview."""
    for module in _FOLLOWED:
        module.listeners.append(refresh)
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def detach() -> None:
    """End the preview and follow nothing any more."""
    stop()
    _ended.clear()
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    for module in _FOLLOWED:
        module.listeners.remove(refresh)


CLASSES = (BDFM_OT_preview,)
