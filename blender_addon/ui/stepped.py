# SPDX-License-Identifier: GPL-3.0-or-later
"""Bakes that may take long: in small steps, with a bar once half a second has gone, and Esc to stop them."""

from __future__ import annotations

import time
from collections.abc import Generator

import bpy
from bpy.app.translations import contexts
from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, UILayout

SILENT_S = 0.5
"""Work that takes no longer shows no bar."""
TICK_S = 0.01
HELD_S = 0.1
"""How soon the other windows are free again: while an operator is held in one, Blender saves nothing by itself."""
SLICE_S = 0.1
"""Work goes on for so long before Blender draws again, and longer where drawing the scene took longer."""

Steps = Generator[float, None, None]
"""Number of characters that are done, plus the share of the one at hand. Closed early, that one is as it was."""

_running: SteppedOperator | None = None
"""The one that is at work between two drawings."""


class SteppedOperator(bpy.types.Operator):
    """What operators have in common that bake characters. In a script or in background mode they do it all at once.

    A subclass has ``start`` and ``finish``.

    Attributes:
        progress: characters done and to do while one is running, else None. On the class, for the panel.
    """

    bl_options = {"REGISTER", "UNDO"}
    progress: tuple[float, int] | None = None

    is_stopped = False
    """Whether Esc was pressed, in whichever window."""

    _steps: Steps
    _timer: bpy.types.Timer | None = None
    _left_at: float
    """When Blender was last left to draw."""

    def start(self, context: Context) -> tuple[Steps, int] | None:
        """The work, and the number of characters; None where there is nothing to do, which is then reported."""
        raise NotImplementedError

    def finish(self, context: Context) -> set[str]:
        """Report what was done, in whole or until it was stopped. Returns what the operator is to return."""
        raise NotImplementedError

    def execute(self, context: Context) -> set[str]:
        if not self._begin(context):
            return {"CANCELLED"}
        self._work(float("inf"))
        return self._end(context)

    def invoke(self, context: Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background or context.window is None:
            return self.execute(context)
        if not self._begin(context):
            return {"CANCELLED"}
        if self._work(SILENT_S):
            return self._end(context)
        global _running
        _running = self
        self._timer = context.window_manager.event_timer_add(TICK_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        for window in context.window_manager.windows:
            if window != context.window:
                with context.temp_override(window=window):
                    bpy.ops.bdfm.hold_window("INVOKE_DEFAULT")
        self._show(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: Context, event: bpy.types.Event) -> set[str]:
        """Some steps a tick. Nothing else gets through in between, so that all is one undo step, and what the steps
        hold on to stays: they would write into freed memory."""
        self.is_stopped = self.is_stopped or _is_escape(event)
        if self.is_stopped:
            self._steps.close()
            self.report({"WARNING"}, "Stopped. The characters that were done are kept; undo takes them back")
            return self._end(context)
        if event.type == "TIMER":
            if self._work(max(SLICE_S, time.monotonic() - self._left_at)):
                return self._end(context)
            self._show(context)
        return {"RUNNING_MODAL"}

    def cancel(self, context: Context) -> None:
        """The window is closing, another file is opened, or the add-on is disabled."""
        self._steps.close()
        self._leave(context)
        if "FINISHED" in self.finish(context):
            bpy.ops.ed.undo_push(message=self.bl_label)

    def _begin(self, context: Context) -> bool:
        begun = self.start(context)
        if begun is None:
            return False
        self._steps, of = begun
        type(self).progress = 0.0, of
        return True

    def _work(self, seconds: float) -> bool:
        """Take steps for so long. True once all are done."""
        assert self.progress is not None
        until = time.monotonic() + seconds
        try:
            for done in self._steps:
                type(self).progress = done, self.progress[1]
                if time.monotonic() > until:
                    return False
        except BaseException:
            self._leave(bpy.context)  # else the button stays grey for ever
            raise
        return True

    def _end(self, context: Context) -> set[str]:
        self._leave(context)
        return self.finish(context)

    def _show(self, context: Context) -> None:
        assert self.progress is not None
        self._left_at = time.monotonic()
        label = iface_(self.bl_label, contexts.operator_default)
        text = iface_("{label}: {progress}, Esc stops").format(label=label, progress=describe(*self.progress))
        context.workspace.status_text_set(text)
        _redraw(context)

    def _leave(self, context: Context) -> None:
        global _running
        _running = type(self).progress = None
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
            context.workspace.status_text_set(None)
        _redraw(context)


class BDFM_OT_hold_window(bpy.types.Operator):
    """Keep everything in one window waiting while characters are baked from another one"""

    bl_idname = "bdfm.hold_window"
    bl_label = "Hold Window"
    bl_options = {"INTERNAL"}

    _timer: bpy.types.Timer

    @classmethod
    def poll(cls, context: Context) -> bool:
        return is_running()

    def invoke(self, context: Context, event: bpy.types.Event) -> set[str]:
        self._timer = context.window_manager.event_timer_add(HELD_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Context, event: bpy.types.Event) -> set[str]:
        if _running is None:
            self.cancel(context)
            return {"FINISHED", "PASS_THROUGH"}
        _running.is_stopped = _running.is_stopped or _is_escape(event)
        return {"RUNNING_MODAL"}

    def cancel(self, context: Context) -> None:
        context.window_manager.event_timer_remove(self._timer)


def is_running() -> bool:
    """Whether characters are being baked between two drawings."""
    return _running is not None


def stop(context: Context) -> None:
    """End the bake that is running. The characters that are done are kept."""
    if _running is not None:
        _running.cancel(context)


def describe(done: float, of: int) -> str:
    """Progress in words."""
    return iface_("{done} of {of} characters").format(done=int(done), of=of) if of > 1 else f"{100 * done:.0f} %"


def draw_operator(layout: UILayout, operator: type[SteppedOperator]) -> None:
    """Its button, or while it is running how far it is."""
    if operator.progress is None:
        layout.operator(operator.bl_idname, icon="ACTION_TWEAK")
        return
    done, of = operator.progress
    layout.progress(factor=done / max(of, 1), text=describe(done, of), type="BAR", translate=False)
    layout.label(text="Esc stops", icon="INFO")


def _is_escape(event: bpy.types.Event) -> bool:
    return event.type == "ESC" and event.value == "PRESS"


def _redraw(context: Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


CLASSES = (BDFM_OT_hold_window,)
