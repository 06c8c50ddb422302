# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""From a video to a take: choosing, capturing in a worker process with progress, cancelling."""

from __future__ import annotations

import time
from pathlib import Path

import bpy

from bdfm_infer.errors import BdfmError

from ..jobs.worker import CaptureWorker, Event, capture_command
from .takes import set_take

POLL_S = 0.1

_worker: CaptureWorker | None = None


@bpy.app.handlers.persistent
def stop_capture(*_: object) -> None:
    """End a running capture: another file is opened, or the add-on is disabled."""
    global _worker
    if _worker is not None:
        _worker.stop()
        _worker = None


class BDFM_OT_choose_video(bpy.types.Operator):
    """Choose a video, an image, or a folder of images"""

    bl_idname = "bdfm.choose_video"
    bl_label = "Choose Video"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.bdfm.source = self.filepath
        return {"FINISHED"}


class BDFM_OT_capture(bpy.types.Operator):
    """Read head pose and 23 action units from the video, in a process of its own. Blender stays free"""

    bl_idname = "bdfm.capture"
    bl_label = "Capture"
    bl_options = {"UNDO"}

    _timer: bpy.types.Timer | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if _worker is not None:
            cls.poll_message_set("A capture is running already")
            return False
        if not context.scene.bdfm.source:
            cls.poll_message_set("Choose a video first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Scripts and background mode: wait until it is done."""
        if not self._start(context):
            return {"CANCELLED"}
        while not self._step(context):
            time.sleep(POLL_S / 4)
        return self._finish(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background or context.window is None:
            return self.execute(context)
        if not self._start(context):
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(POLL_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if _worker is None:
            self._leave(context)
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS":
            _worker.cancel()
        if event.type == "TIMER" and self._step(context):
            return self._finish(context)
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """The window is closing."""
        stop_capture()
        self._leave(context)

    def _start(self, context: bpy.types.Context) -> bool:
        global _worker
        settings = context.scene.bdfm
        source = Path(bpy.path.abspath(settings.source)).absolute()
        folder = Path(bpy.path.abspath(settings.take_folder)).absolute() if settings.take_folder else source.parent
        take = free_name(folder / f"{source.stem}.csv")
        try:
            _worker = CaptureWorker(capture_command(source, take), take)
        except OSError as error:
            self.report({"ERROR"}, f"The capture cannot be started: {error}. Install the extension again.")
            return False
        progress = context.window_manager.bdfm_progress
        progress.running, progress.factor, progress.text = True, 0.0, "Starting"
        return True

    def _step(self, context: bpy.types.Context) -> bool:
        """Take in what the worker has said. True once it has ended."""
        assert _worker is not None
        for event in _worker.poll():
            if event["event"] == "progress":
                _show_progress(context, event)
            elif event["event"] == "warning":
                self.report({"WARNING"}, str(event.get("message", "")))
        return _worker.outcome is not None

    def _finish(self, context: bpy.types.Context) -> set[str]:
        global _worker
        assert _worker is not None and _worker.outcome is not None
        outcome = _worker.outcome
        _worker = None
        self._leave(context)
        if outcome.error is not None:
            if outcome.details:
                print(f"BDFM Face Capture, messages of the worker:\n{outcome.details}")
            self.report({"ERROR"}, outcome.error)
        loaded = outcome.take is not None and self._load(context, outcome.take, outcome.cancelled)
        return {"FINISHED"} if loaded else {"CANCELLED"}

    def _load(self, context: bpy.types.Context, path: Path, cancelled: bool) -> bool:
        """Make what was captured the scene's take, in whole or as far as it came."""
        try:
            take = set_take(context.scene, path)
        except BdfmError as error:
            self.report({"INFO"} if cancelled else {"ERROR"}, str(error))
            return False
        self.report({"INFO"}, f"{'Cancelled' if cancelled else 'Captured'}: {len(take.take)} frames in {path}")
        return True

    def _leave(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        context.window_manager.bdfm_progress.running = False
        _redraw(context)


class BDFM_OT_cancel_capture(bpy.types.Operator):
    """Stop the capture. The rows that are done are kept"""

    bl_idname = "bdfm.cancel_capture"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _worker is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        if _worker is not None:
            _worker.cancel()
        return {"FINISHED"}


def free_name(path: Path) -> Path:
    """``path``, or the first of ``NAME-2``, ``NAME-3``, … that is free."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_stem(f"{path.stem}-{number}")
    return candidate


def _show_progress(context: bpy.types.Context, event: Event) -> None:
    progress = context.window_manager.bdfm_progress
    frame, of = event.get("frame", 0), event.get("of")
    progress.factor = min(1.0, frame / of) if of else 0.0
    rate, left = event.get("fps"), event.get("eta_s")
    parts = [f"{frame} of {of}" if of else f"{frame} frames"]
    parts += [f"{rate:.0f} a second"] if rate else []
    parts += [f"{left:.0f} s left"] if left else []
    progress.text = ", ".join(parts)
    _redraw(context)


def _redraw(context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


CLASSES = (BDFM_OT_choose_video, BDFM_OT_capture, BDFM_OT_cancel_capture)
