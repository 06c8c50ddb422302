# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""Pictures of the faces in a clip, to pick the one that is captured."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import bpy
import bpy.utils.previews
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_
from bpy.types import Context, Event, UILayout

from bdfm_infer import png
from bdfm_infer.errors import BdfmError

from ..blender.texts import artist_text
from ..jobs.requests import faces_command
from ..jobs.worker import Worker
from .icons import fill
from .sources import Source, chosen, is_chosen, resolve_in

POLL_S = 0.1
COLUMNS = 3
SCALE = 4.0


@dataclass(frozen=True)
class Found:
    """Faces of one moment of a clip.

    Attributes:
        chosen: what was chosen when they were looked for, see :func:`sources.chosen`.
        key: tells the clip, see :class:`sources.Source`.
        time: seconds of the clip.
        places: centre of each face, pixels.
        pictures: as Blender shows them, by ``"1"``, ``"2"``, …
    """

    chosen: tuple[str, str]
    key: str
    time: float
    places: tuple[tuple[float, float], ...]
    pictures: bpy.utils.previews.ImagePreviewCollection


_found: Found | None = None
_worker: Worker | None = None


def found_faces() -> Found | None:
    """The faces that were found last."""
    return _found


def forget_faces(*_: object) -> None:
    """Free the pictures, and end a search."""
    global _found, _worker
    if _worker is not None:
        _worker.stop()
        _worker = None
    if _found is not None:
        bpy.utils.previews.remove(_found.pictures)
        _found = None


class BDFM_OT_find_faces(bpy.types.Operator):
    """Show pictures of the faces at a moment of the clip, to pick one of them"""

    bl_idname = "bdfm.find_faces"
    bl_label = "Find Faces"

    _timer: bpy.types.Timer | None = None
    _chosen: tuple[str, str]
    _source: Source
    _folder: Path

    @classmethod
    def poll(cls, context: Context) -> bool:
        if _worker is not None:
            cls.poll_message_set(tip_("Faces are being looked for already"))
            return False
        if not is_chosen(context.scene.bdfm.capture):
            cls.poll_message_set(tip_("Choose a video first"))
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        if not self._start(context):
            return {"CANCELLED"}
        while not self._is_done():
            time.sleep(POLL_S / 4)
        return self._finish(context)

    def invoke(self, context: Context, event: Event) -> set[str]:
        if bpy.app.background or context.window is None:
            return self.execute(context)
        if not self._start(context):
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(POLL_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Context, event: Event) -> set[str]:
        if event.type == "TIMER" and self._is_done():
            return self._finish(context)
        return {"PASS_THROUGH"}

    def cancel(self, context: Context) -> None:
        """The window is closing."""
        forget_faces()
        self._leave(context)

    def _start(self, context: Context) -> bool:
        global _worker
        choice = context.scene.bdfm.capture
        try:
            self._chosen, self._source = chosen(choice), resolve_in(choice, context)
            at = self._source.footage.start + choice.look_at
            self._folder = Path(tempfile.mkdtemp(prefix="faces-", dir=bpy.app.tempdir or None))
            _worker = Worker(faces_command(self._source.footage, at, self._folder), self._folder / "none.csv")
        except (BdfmError, OSError) as error:
            self.report({"ERROR"}, artist_text(error))
            return False
        return True

    def _is_done(self) -> bool:
        if _worker is None:
            return True
        _worker.poll()
        return _worker.outcome is not None

    def _finish(self, context: Context) -> set[str]:
        self._leave(context)
        try:
            return self._keep()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _keep(self) -> set[str]:
        """Take in what the worker found; its pictures go from disk after this."""
        global _found, _worker
        if _worker is None or _worker.outcome is None:
            return {"CANCELLED"}
        outcome = _worker.outcome
        _worker = None
        if outcome.error is not None:
            self.report({"ERROR"}, artist_text(outcome.error))
            return {"CANCELLED"}
        faces = outcome.answer["faces"]
        try:
            images = [png.decode((self._folder / face["picture"]).read_bytes()) for face in faces]
        except (OSError, ValueError) as error:
            self.report({"ERROR"}, rpt_("The pictures cannot be read: {error}").format(error=error))
            return {"CANCELLED"}
        forget_faces()
        pictures = bpy.utils.previews.new()
        for number, image in enumerate(images, 1):
            fill(pictures.new(str(number)), image)
        places = tuple((face["x"], face["y"]) for face in faces)
        _found = Found(self._chosen, self._source.key, outcome.answer["time"], places, pictures)
        self.report(
            {"INFO"},
            rpt_("{count} faces at {seconds:.2f} s").format(count=len(places), seconds=_found.time)
            if len(places) > 1
            else "One face",
        )
        return {"FINISHED"}

    def _leave(self, context: Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        for area in context.screen.areas if context.screen else ():
            area.tag_redraw()


class BDFM_OT_pick_face(bpy.types.Operator):
    """Capture this face"""

    bl_idname = "bdfm.pick_face"
    bl_label = "Pick Face"
    bl_options = {"REGISTER", "UNDO"}

    number: bpy.props.IntProperty(name="Face", description="Number of the picture, from 1", default=1, min=1)

    @classmethod
    def poll(cls, context: Context) -> bool:
        if _found is None or _found.chosen != chosen(context.scene.bdfm.capture):
            cls.poll_message_set(tip_("Find the faces of this clip first"))
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        if _found is None or self.number > len(_found.places):
            self.report({"ERROR"}, rpt_("There is no face {number}.").format(number=self.number))
            return {"CANCELLED"}
        choice = context.scene.bdfm.capture
        choice.face = "PICKED"
        choice.pick_source, choice.pick_time = _found.key, _found.time
        choice.pick_place = _found.places[self.number - 1]
        return {"FINISHED"}


def draw_faces(layout: UILayout, context: Context) -> None:
    """Where the face is picked: the button that finds them, and their pictures."""
    choice = context.scene.bdfm.capture
    if choice.face != "PICKED":
        return
    row = layout.row(align=True)
    row.prop(choice, "look_at")
    row.operator("bdfm.find_faces", icon="VIEWZOOM", text="Looking…" if _worker is not None else "Find Faces")
    if _found is None or _found.chosen != chosen(choice):
        return
    grid = layout.grid_flow(row_major=True, columns=COLUMNS, even_columns=True, align=True)
    for number, place in enumerate(_found.places, 1):
        column = grid.column(align=True)
        column.template_icon(_found.pictures[str(number)].icon_id, scale=SCALE)
        is_picked = choice.pick_source == _found.key and _near(choice.pick_place, place)
        column.operator(
            "bdfm.pick_face",
            text=str(number),
            icon="CHECKMARK" if is_picked else "NONE",
            depress=is_picked,
            translate=False,
        ).number = number


def _near(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return max(abs(a[0] - b[0]), abs(a[1] - b[1])) < 0.5


CLASSES = (BDFM_OT_find_faces, BDFM_OT_pick_face)
