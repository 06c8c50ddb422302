# SPDX-License-Identifier: GPL-3.0-or-later
"""The clip's frame and the avatar beside the values. A worker writes the pictures; the panel reads the one it shows."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews
import numpy as np
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, UILayout

from bdfm_infer import png
from bdfm_infer.smooth import CUTOFF_HZ

from ..blender.texts import artist_text
from ..jobs.requests import pictures_command
from ..jobs.worker import Worker
from .capture_panel import redraw
from .icons import fill
from .operators import ReportingOperator
from .progress import describe, share
from .sidebar import draw_text
from .sources import SourceError
from .takes import LoadedTake, TakeOperator, loaded_take
from .timeline import source_of

POLL_S = 0.2
SIDE = 128
SCALE = 6.0


class _Icons:
    """Two icons that show the halves of one picture file."""

    def __init__(self) -> None:
        self._previews = bpy.utils.previews.new()
        self._icons = [self._previews.new(name) for name in ("clip", "avatar")]
        self._shown: Path | None = None

    def show(self, path: Path) -> tuple[int, int] | None:
        """Numbers of the icons with the picture, or None where it cannot be read."""
        if path != self._shown:
            try:
                picture = png.decode(path.read_bytes())
            except (OSError, ValueError):
                return None
            if picture.shape != (SIDE, 2 * SIDE, 3):
                return None
            for icon, half in zip(self._icons, np.hsplit(picture, 2), strict=True):
                fill(icon, half)
            self._shown = path
        return self._icons[0].icon_id, self._icons[1].icon_id

    def close(self) -> None:
        bpy.utils.previews.remove(self._previews)


_icons: _Icons | None = None
_worker: Worker | None = None
_reading: Path | None = None
_refusal = ""
"""Why the last reading failed."""
_progress: dict[str, Any] = {}


def picture_folder(loaded: LoadedTake) -> Path:
    """Where the pictures of a take are, for as long as Blender runs. The avatar shows the stored rest and smoothing."""
    rest, smoothing = loaded.stored.calibration.neutral, loaded.stored.smoothing
    stored = (sorted(rest.items()), smoothing.method, sorted({**CUTOFF_HZ, **smoothing.cutoff_hz}.items()))
    key = f"{loaded.path.absolute()} {loaded.stamp[0]} {stored}".encode("utf-8", "replace")
    return Path(bpy.app.tempdir) / "bdfm-pictures" / hashlib.sha256(key).hexdigest()[:16]


def draw_pictures(layout: UILayout, context: Context, loaded: LoadedTake, row: int) -> None:
    """Clip and avatar of one row of the take, or the button that reads them."""
    folder = picture_folder(loaded)
    path = folder / f"{row:06d}.png"
    icons = _shown_icons().show(path) if path.is_file() else None
    if icons is not None:
        halves = layout.row(align=True)
        for icon, text in zip(icons, (iface_("Clip"), iface_("Avatar")), strict=True):
            column = halves.column(align=True)
            column.template_icon(icon_value=icon, scale=SCALE)
            column.label(text=text, translate=False)
    if _worker is not None and _reading == folder:
        bar = layout.row(align=True)
        bar.progress(factor=share(_progress), text=describe(_progress), type="BAR", translate=False)
        bar.operator("bdfm.stop_pictures", text="", icon="X")
    elif icons is None:
        layout.operator("bdfm.read_pictures", icon="IMAGE_DATA")
        if _refusal and _reading == folder:
            draw_text(layout, _refusal, "ERROR")


def stop_pictures(*_: object) -> None:
    """End the reading; what is there stays."""
    global _worker
    if _worker is not None:
        _worker.stop()
        _worker = None


def start(context: Context, loaded: LoadedTake) -> None:
    """Let a process of its own read a take's pictures; :func:`_listen` takes in what it says.

    Raises:
        SourceError: the clip is not found, or the process cannot be started.
    """
    global _worker, _reading, _refusal, _progress
    source = source_of(context, loaded)
    stop_pictures()
    _reading, _refusal, _progress = picture_folder(loaded), "", {"frame": 0, "of": len(loaded.take)}
    try:
        _worker = Worker(pictures_command(loaded.path, source, _reading), _reading / "none.csv")
    except OSError as error:
        raise SourceError(rpt_("The pictures cannot be read: {error}").format(error=error)) from error


def read(context: Context, loaded: LoadedTake) -> None:
    """Have a take's pictures read while Blender goes on; in background mode wait for them.

    Raises:
        SourceError: as :func:`start`; in background mode also where the clip cannot be read.
    """
    start(context, loaded)
    if not bpy.app.background:
        bpy.app.timers.register(_listen, first_interval=POLL_S)
        return
    while _listen() is not None:
        time.sleep(POLL_S / 4)
    if _refusal:
        raise SourceError(_refusal)


class BDFM_OT_read_pictures(TakeOperator, ReportingOperator):
    """Show the clip's frame and the avatar beside the values, read by a process of its own. Blender stays free"""

    bl_idname = "bdfm.read_pictures"
    bl_label = "Show Clip and Avatar"
    bl_options = {"REGISTER"}

    def run(self, context: Context) -> None:
        loaded = loaded_take(context.scene)
        assert loaded is not None
        read(context, loaded)


class BDFM_OT_stop_pictures(bpy.types.Operator):
    """Stop reading pictures. Those that are there stay"""

    bl_idname = "bdfm.stop_pictures"
    bl_label = "Stop"

    def execute(self, context: Context) -> set[str]:
        stop_pictures()
        return {"FINISHED"}


def _listen() -> float | None:
    """Take in what the worker says. Returns the seconds to the next call, None once it has ended."""
    global _worker, _refusal, _progress
    if _worker is None:
        return None
    for event in _worker.poll():
        if event["event"] == "progress":
            _progress = event
    outcome = _worker.outcome
    if outcome is not None:
        _worker, _refusal = None, "" if outcome.error is None else artist_text(outcome.error)
    redraw()
    return None if outcome is not None else POLL_S


def _shown_icons() -> _Icons:
    global _icons
    _icons = _icons or _Icons()
    return _icons


@bpy.app.handlers.persistent
def _before_load(*_: object) -> None:
    stop_pictures()


@bpy.app.handlers.persistent
def _after_frame(scene: bpy.types.Scene, *_: object) -> None:
    """The sidebar follows the timeline; a render has frames of its own, in a thread of its own."""
    if loaded_take(scene) is not None and not bpy.app.background and not bpy.app.is_job_running("RENDER"):
        redraw()


def attach() -> None:
    """Follow the timeline, and end with the file."""
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.frame_change_post.append(_after_frame)


def detach() -> None:
    """End the reading and give the icons back to Blender."""
    global _icons
    bpy.app.handlers.load_pre.remove(_before_load)
    bpy.app.handlers.frame_change_post.remove(_after_frame)
    stop_pictures()
    if _icons is not None:
        _icons.close()
        _icons = None


CLASSES = (BDFM_OT_read_pictures, BDFM_OT_stop_pictures)
