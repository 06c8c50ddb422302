# SPDX-License-Identifier: GPL-3.0-or-later
"""One press that bakes onto many characters, and the panel for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import bpy
from bpy.types import Context, UILayout

from bdfm_infer.errors import BdfmError

from ..blender.batch import Outcome, run
from . import preview
from .bake_settings import bake_options, take_time
from .batch_lists import STATUS_ICONS, BDFM_PG_batch, BDFM_PG_batch_character, draw_buttons, draw_character, listed_jobs
from .characters import choose_mapping
from .sidebar import SidebarPanel, draw_list, draw_text
from .takes import scene_performance

TICK_S = 0.01
SLICE_S = 0.1
"""Characters are baked for so long before Blender draws again: drawing a heavy scene costs more than a bake."""
MAX_FAILED = 8


class BDFM_OT_batch_bake(bpy.types.Operator):
    """Bake onto every character of the list, with the settings of the panel Bake. One undo step takes all of it back"""

    bl_idname = "bdfm.batch_bake"
    bl_label = "Bake All"
    bl_options = {"REGISTER", "UNDO"}

    progress: tuple[int, int] | None = None
    """Characters done and to do while one is running, else None. On the class, for the panel."""

    _timer: bpy.types.Timer | None = None
    _outcomes: Iterator[Outcome]

    @classmethod
    def poll(cls, context: Context) -> bool:
        settings = context.scene.bdfm
        if cls.progress is not None:
            cls.poll_message_set("The bake is running")
        elif not settings.batch.characters:
            cls.poll_message_set("Add characters to the list first")
        elif settings.batch.pairing == "PAIRS" and not settings.batch.takes:
            cls.poll_message_set("Add takes to the list first")
        elif settings.batch.pairing == "ALL" and not settings.take:
            cls.poll_message_set("Capture a video or load a take first")
        else:
            return True
        return False

    def execute(self, context: Context) -> set[str]:
        """Scripts and background mode: all at once."""
        if not self._start(context):
            return {"CANCELLED"}
        while self._step(context):
            pass
        return self._finish(context)

    def invoke(self, context: Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background or context.window is None:
            return self.execute(context)
        if not self._start(context):
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(TICK_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Context, event: bpy.types.Event) -> set[str]:
        """Some characters a tick. Nothing else gets through in between, so that all is one undo step."""
        if event.type == "ESC" and event.value == "PRESS":
            self.report({"WARNING"}, "Stopped. What is baked by now is kept; undo takes it back")
            return self._finish(context)
        until = time.monotonic() + SLICE_S
        while event.type == "TIMER" and time.monotonic() < until:
            if not self._step(context):
                return self._finish(context)
        return {"RUNNING_MODAL"}

    def cancel(self, context: Context) -> None:
        """The window is closing."""
        self._leave(context)

    def _start(self, context: Context) -> bool:
        preview.stop()
        scene = context.scene
        batch = scene.bdfm.batch
        try:
            if batch.pairing == "ALL":
                scene_performance(scene)
            clock = take_time(scene)
        except BdfmError as error:
            self.report({"ERROR"}, str(error))
            return False
        for item in batch.characters:
            item.status, item.message = "WAITING", ""
        if batch.pairing == "PAIRS" and len(batch.takes) > len(batch.characters):
            self.report({"WARNING"}, f"{len(batch.takes) - len(batch.characters)} takes have no character")
        choose = partial(choose_mapping, context)
        self._outcomes = run(listed_jobs(scene), scene, choose, clock, bake_options(scene))
        type(self).progress = 0, len(batch.characters)
        return True

    def _step(self, context: Context) -> bool:
        """Bake the next character. False where there is none."""
        assert self.progress is not None
        try:
            outcome = next(self._outcomes, None)
        except Exception:
            self._leave(context)  # else the button stays grey for ever
            raise
        if outcome is None:
            return False
        done, of = self.progress
        _keep(context.scene.bdfm.batch.characters[done], outcome)
        type(self).progress = done + 1, of
        _redraw(context)
        return True

    def _finish(self, context: Context) -> set[str]:
        items = context.scene.bdfm.batch.characters
        self._leave(context)
        failed = [item for item in items if item.status == "FAILED"]
        baked = sum(item.status in ("BAKED", "WARNED") for item in items)
        for item in failed:
            self.report({"WARNING"} if baked else {"ERROR"}, item.message)
        self.report({"INFO"}, f"{baked} of {len(items)} characters baked")
        return {"FINISHED"} if baked else {"CANCELLED"}

    def _leave(self, context: Context) -> None:
        type(self).progress = None
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        _redraw(context)


class BDFM_PT_batch(SidebarPanel, bpy.types.Panel):
    bl_label = "Batch"
    bl_order = 40
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        draw_batch(self.layout, context)


def draw_batch(layout: UILayout, context: Context) -> None:
    """The lists, and beneath them what :func:`draw_state` shows."""
    batch = context.scene.bdfm.batch
    layout.row().prop(batch, "pairing", expand=True)
    draw_buttons(layout, batch, "characters", "BDFM_UL_batch_characters", "bdfm.batch_add_characters")
    active = _active(batch)
    if active is not None:
        draw_character(layout, active)
    if batch.pairing == "PAIRS":
        draw_buttons(layout, batch, "takes", "BDFM_UL_batch_takes", "bdfm.batch_add_takes")
    draw_state(layout, batch)


def draw_state(layout: UILayout, batch: BDFM_PG_batch) -> None:
    """The button or its progress, what the last bake says of the active character, and what failed."""
    progress = BDFM_OT_batch_bake.progress
    if progress is None:
        layout.operator("bdfm.batch_bake", icon="ACTION_TWEAK")
    else:
        layout.progress(factor=progress[0] / max(progress[1], 1), text=f"{progress[0]} of {progress[1]}", type="BAR")
        layout.label(text="Esc stops", icon="INFO")
    column, active = layout.column(align=True), _active(batch)
    if active is not None and active.status == "WARNED":
        draw_text(column, f"{active.name}: {active.message}", STATUS_ICONS[active.status])
    failed = [item.message for item in batch.characters if item.status == "FAILED"]
    draw_list(column, failed, MAX_FAILED, STATUS_ICONS["FAILED"])


def _keep(item: BDFM_PG_batch_character, outcome: Outcome) -> None:
    messages = [outcome.reason] if outcome.report is None else outcome.warnings
    item.message = " ".join(messages)
    item.status = "FAILED" if outcome.report is None else "WARNED" if messages else "BAKED"


def _active(batch: BDFM_PG_batch) -> BDFM_PG_batch_character | None:
    index = batch.characters_active
    return batch.characters[index] if 0 <= index < len(batch.characters) else None


def _redraw(context: Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


CLASSES = (BDFM_OT_batch_bake, BDFM_PT_batch)
