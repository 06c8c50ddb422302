# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""The operators of the capture: choose, capture, cancel."""

from __future__ import annotations

import time

import bpy
from bpy.app.translations import pgettext_tip as tip_
from bpy.types import Context, Event

from ..blender.versions import BLEND_RELATIVE, sequencer_scene
from . import stepped
from .capture_panel import hide_status, is_over_panel, redraw, show_status
from .capture_queue import capture_state, enqueue
from .capture_session import Report, Session
from .operators import ChoosingOperator, check_name
from .sources import is_chosen

POLL_S = 0.1
REDRAW_S = 0.5
"""Least time between two drawings of the progress: a sidebar that is drawn takes the 3D view behind it along. Once
it is cancelled nothing is drawn until the end, which comes the sooner."""

WATCH_S = 30.0
"""How long a modal operator watches: while one runs, Blender saves nothing by itself."""
TURNS_ASIDE, TURN_S = 6, 0.1
"""Turns of Blender's event loop without one then. In each it looks whether it may save; one that draws takes long."""

_session: Session | None = None
_timer: bpy.types.Timer | None = None
_window: bpy.types.Window | None = None
"""That from which it was begun."""
_turns = 0


@bpy.app.handlers.persistent
def stop_capture(*_: object) -> None:
    """End a running capture: another file is opened, or the add-on is disabled. What was done is kept and loaded, for
    a file that cannot be opened leaves the scene where it is."""
    global _session
    session, _session = _session, None
    try:
        if session is not None:
            session.report = lambda level, text: None  # the operator may be gone
            session.stop(bpy.context)
            session.load(bpy.context)
    finally:
        leave(bpy.context)


def leave(context: Context) -> None:
    """Nothing runs any more, and nothing shows that something did."""
    _stop_watching(context)
    hide_status()
    capture_state(context).end()
    redraw()


def _stop_watching(context: Context) -> None:
    global _timer
    if _timer is not None:
        context.window_manager.event_timer_remove(_timer)
        _timer = None


def _watch_again() -> float | None:
    """Watch a running capture from the window where it was begun; from another where that one is closed. While
    characters are baked in steps it waits: its end would put an undo step amid theirs."""
    global _turns
    if _session is None:
        return None
    _turns -= 1
    windows = list(bpy.context.window_manager.windows)
    if _turns > 0 or not windows or stepped.is_running():
        return TURN_S
    with bpy.context.temp_override(window=_window if _window in windows else windows[0]):
        bpy.ops.bdfm.watch_capture("INVOKE_DEFAULT")
    return None


@bpy.app.handlers.persistent
def forget_captures(*_: object) -> None:
    """After a file was opened: the queue is that of the session before."""
    for manager in bpy.data.window_managers:
        manager.bdfm_capture.queue.clear()
        manager.bdfm_capture.running, manager.bdfm_capture.refused = False, ""


class BDFM_OT_choose_video(ChoosingOperator):
    """Choose a video, an image, or a folder of images"""

    bl_idname = "bdfm.choose_video"
    bl_label = "Choose Video"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", *BLEND_RELATIVE})
    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def run(self, context: Context) -> None:
        check_name(self.filepath)
        context.scene.bdfm.source = self.filepath


class _Capturing(bpy.types.Operator):
    """Works off the queue: with a timer where there is a window, else waiting until it is done."""

    _began = _drawn = 0.0

    def prepare(self, context: Context) -> None:
        """What is to be done before the first clip."""

    def execute(self, context: Context) -> set[str]:
        self._start(context)
        while not self._step(context):
            time.sleep(POLL_S / 4)
        return self._finish(context)

    def invoke(self, context: Context, event: Event) -> set[str]:
        if bpy.app.background or context.window is None:
            return self.execute(context)
        self._start(context)
        if self._step(context):
            return self._finish(context)
        show_status()
        return self.watch(context)

    def watch(self, context: Context) -> set[str]:
        """Look after the capture from this window, for a while."""
        global _timer, _window
        self._began, _window = time.monotonic(), context.window
        _timer = context.window_manager.event_timer_add(POLL_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Context, event: Event) -> set[str]:
        if _session is None:
            return {"CANCELLED"}
        if (
            event.type == "ESC"
            and event.value == "PRESS"
            and is_over_panel(context.screen, event.mouse_x, event.mouse_y)
        ):
            _session.cancel()
            return {"RUNNING_MODAL"}
        if event.type == "TIMER" and self._step(context):
            return self._finish(context)
        if event.type == "TIMER" and time.monotonic() - self._began > WATCH_S:
            self.cancel(context)
            return {"CANCELLED"}
        return {"PASS_THROUGH"}

    def cancel(self, context: Context) -> None:
        """Another operator goes on: this one has watched long enough, or its window is closing."""
        global _turns
        _stop_watching(context)
        _turns = TURNS_ASIDE
        bpy.app.timers.register(_watch_again, first_interval=TURN_S)

    def _start(self, context: Context) -> None:
        global _session
        capture_state(context).forget_messages()
        self.prepare(context)
        report: Report = self.report
        _session = Session(report)

    def _step(self, context: Context) -> bool:
        assert _session is not None
        try:
            is_done = _session.step(context)
        except BaseException:
            stop_capture()  # else the button stays grey for ever
            raise
        if not _session.is_cancelled and time.monotonic() - self._drawn > REDRAW_S:
            self._drawn = time.monotonic()
            redraw()
        return is_done

    def _finish(self, context: Context) -> set[str]:
        global _session
        assert _session is not None
        try:
            loaded = _session.load(context)
        finally:
            _session = None
            leave(context)
        return {"FINISHED"} if loaded else {"CANCELLED"}


class BDFM_OT_capture(_Capturing):
    """Captures the clip that is chosen, then those that wait."""

    bl_idname = "bdfm.capture"
    bl_label = "Capture"
    bl_description = (
        "Read head pose and 23 action units from the clip, in a process of its own: Blender stays free. Clips that "
        "wait in the queue follow"
    )
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        if _session is not None:
            cls.poll_message_set(tip_("A capture is running already. Add the clip to the queue"))
            return False
        if not is_chosen(context.scene.bdfm.capture):
            cls.poll_message_set(tip_("Choose a video first"))
            return False
        return True

    def prepare(self, context: Context) -> None:
        enqueue(context, context.scene.bdfm.capture, sequencer_scene(context), is_next=True)


class BDFM_OT_capture_queue(_Capturing):
    """Capture the clips that wait in the queue, one after the other. One that fails stops no other"""

    bl_idname = "bdfm.capture_queue"
    bl_label = "Capture Queue"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        if _session is not None:
            cls.poll_message_set(tip_("A capture is running already. Clips that wait are captured with it"))
            return False
        if capture_state(context).first("WAITING") is None:
            cls.poll_message_set(tip_("No clip waits in the queue"))
            return False
        return True


class BDFM_OT_watch_capture(_Capturing):
    """Go on watching a capture that runs"""

    bl_idname = "bdfm.watch_capture"
    bl_label = "Capture"
    bl_options = {"UNDO", "INTERNAL"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        return _session is not None and _timer is None

    def invoke(self, context: Context, event: Event) -> set[str]:
        assert _session is not None
        _session.report = self.report
        return self.watch(context)


class BDFM_OT_enqueue(bpy.types.Operator):
    """Put the clip that is chosen at the end of the queue"""

    bl_idname = "bdfm.enqueue"
    bl_label = "Add to Queue"

    @classmethod
    def poll(cls, context: Context) -> bool:
        if not is_chosen(context.scene.bdfm.capture):
            cls.poll_message_set(tip_("Choose a video first"))
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        enqueue(context, context.scene.bdfm.capture, sequencer_scene(context))
        return {"FINISHED"}


class BDFM_OT_cancel_capture(bpy.types.Operator):
    """Stop the capture. What is done is kept; clips that wait stay in the queue"""

    bl_idname = "bdfm.cancel_capture"
    bl_label = "Cancel Capture"

    @classmethod
    def poll(cls, context: Context) -> bool:
        return _session is not None

    def execute(self, context: Context) -> set[str]:
        if _session is not None:
            _session.cancel()
        return {"FINISHED"}


CLASSES = (
    BDFM_OT_choose_video,
    BDFM_OT_capture,
    BDFM_OT_capture_queue,
    BDFM_OT_watch_capture,
    BDFM_OT_enqueue,
    BDFM_OT_cancel_capture,
)
