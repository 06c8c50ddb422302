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
from .operators import ReportingOperator
from .sidebar import draw_text, redraw_sidebars
from .sources import SourceError, chosen, file_of, is_chosen, resolve_in

POLL_S = 0.1
COLUMNS = 3
SCALE = 4.0


@dataclass(frozen=True)
class Found:
    """Faces of one moment of a clip.

    Attributes:
        chosen: what was chosen when they were looked for, see :func:`sources.chosen`.
        file: see :func:`sources.file_of`.
        key: tells the clip, see :class:`sources.Source`.
        time: seconds of the clip.
        places: centre of each face, pixels.
        pictures: as Blender shows them, by ``"1"``, ``"2"``, …
    """

    chosen: tuple[str, str]
    file: str
    key: str
    time: float
    places: tuple[tuple[float, float], ...]
    pictures: bpy.utils.previews.ImagePreviewCollection


@dataclass(frozen=True)
class _Search:
    """A search under way; see :class:`Found`. Its pictures lie in a folder of its own until they are taken in."""

    chosen: tuple[str, str]
    file: str
    key: str
    folder: Path
    worker: Worker


_found: Found | None = None
_search: _Search | None = None
_failure: tuple[tuple[str, str], str] | None = None
"""What was chosen when the last search failed, and why it did, for the panel."""


@bpy.app.handlers.persistent
def forget_faces(*_: object) -> None:
    """Free the pictures, and end a search: another file is opened, or the add-on is disabled."""
    global _search, _failure
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    if _search is not None:
        _search.worker.stop()
        shutil.rmtree(_search.folder, ignore_errors=True)
    _search = _failure = None
    _show(None)


def _show(found: Found | None) -> None:
    """Put these faces in the place of those that were found before."""
    global _found
    if _found is not None:
        bpy.utils.previews.remove(_found.pictures)
    _found = found


def _begin(context: Context) -> None:
    """Raises:
    BdfmError: nothing can be looked at.
    """
    global _search, _failure
    _failure = None
    choice = context.scene.bdfm.capture
    source = resolve_in(choice, context)
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="faces-", dir=bpy.app.tempdir or None))
        command = faces_command(source.footage, source.footage.start + choice.look_at, folder)
        worker = Worker(command, folder / "none.csv")
        _search = _Search(chosen(choice), file_of(choice, context), source.key, folder, worker)
    except OSError as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise SourceError(rpt_("Faces cannot be looked for: {error}.").format(error=error)) from error


def _is_done() -> bool:
    if _search is None:
        return True
    _search.worker.poll()
    return _search.worker.outcome is not None


def _take_in() -> Found | None:
    """What the search has found; None where it was stopped. Its pictures go from disk.

    Raises:
        BdfmError: it has failed.
    """
    global _search
    if _search is None or _search.worker.outcome is None:
        return None
    search, outcome, _search = _search, _search.worker.outcome, None
    try:
        if outcome.cancelled:
            return None
        if outcome.error is not None:
            raise outcome.error
        faces = outcome.answer["faces"]
        images = [png.decode((search.folder / face["picture"]).read_bytes()) for face in faces]
    except (OSError, ValueError) as error:
        raise SourceError(rpt_("The pictures cannot be read: {error}").format(error=error)) from error
    finally:
        shutil.rmtree(search.folder, ignore_errors=True)
    pictures = bpy.utils.previews.new()
    for number, image in enumerate(images, 1):
        fill(pictures.new(str(number)), image)
    places = tuple((face["x"], face["y"]) for face in faces)
    _show(Found(search.chosen, search.file, search.key, outcome.answer["time"], places, pictures))
    return _found


def _look() -> float | None:
    """See whether the search has ended. A timer: while an operator runs Blender saves nothing by itself."""
    global _failure
    if not _is_done():
        return POLL_S
    searched = _search.chosen if _search is not None else ("", "")
    try:
        _take_in()
    except BdfmError as error:
        _failure = searched, artist_text(error)
    redraw_sidebars()
    return None


class BDFM_OT_find_faces(ReportingOperator):
    """Show pictures of the faces at a moment of the clip, to pick one of them"""

    bl_idname = "bdfm.find_faces"
    bl_label = "Find Faces"
    bl_options = set()

    _waits = True

    @classmethod
    def poll(cls, context: Context) -> bool:
        if _search is not None:
            cls.poll_message_set(tip_("Faces are being looked for already"))
            return False
        if not is_chosen(context.scene.bdfm.capture):
            cls.poll_message_set(tip_("Choose a video first"))
            return False
        return True

    def invoke(self, context: Context, event: Event) -> set[str]:
        self._waits = bpy.app.background or context.window is None
        return self.execute(context)

    def run(self, context: Context) -> None:
        _begin(context)
        if not self._waits:
            bpy.app.timers.register(_look, first_interval=POLL_S)
            return
        while not _is_done():
            time.sleep(POLL_S / 4)
        found = _take_in()
        assert found is not None
        self.report(
            {"INFO"},
            rpt_("{count} faces at {seconds:.2f} s").format(count=len(found.places), seconds=found.time)
            if len(found.places) > 1
            else "One face",
        )


class BDFM_OT_stop_finding_faces(bpy.types.Operator):
    """Stop looking for faces"""

    bl_idname = "bdfm.stop_finding_faces"
    bl_label = "Stop Finding Faces"

    @classmethod
    def poll(cls, context: Context) -> bool:
        return _search is not None

    def execute(self, context: Context) -> set[str]:
        if _search is not None:
            _search.worker.cancel()
        return {"FINISHED"}


class BDFM_OT_pick_face(ReportingOperator):
    """Capture this face"""

    bl_idname = "bdfm.pick_face"
    bl_label = "Pick Face"

    number: bpy.props.IntProperty(name="Face", description="Number of the picture, from 1", default=1, min=1)

    @classmethod
    def poll(cls, context: Context) -> bool:
        if _found is None or _found.chosen != chosen(context.scene.bdfm.capture):
            cls.poll_message_set(tip_("Find the faces of this clip first"))
            return False
        return True

    def run(self, context: Context) -> None:
        if not _is_of_source(context):
            raise SourceError(rpt_("The faces are of another clip. Find the faces of this one first."))
        assert _found is not None
        if self.number > len(_found.places):
            raise SourceError(rpt_("There is no face {number}.").format(number=self.number))
        choice = context.scene.bdfm.capture
        choice.face = "PICKED"
        choice.pick_source, choice.pick_time = _found.key, _found.time
        choice.pick_place = _found.places[self.number - 1]


def draw_faces(layout: UILayout, context: Context) -> None:
    """Where the face is picked: the button that finds them, and their pictures."""
    choice = context.scene.bdfm.capture
    if choice.face != "PICKED":
        return
    row = layout.row(align=True)
    row.prop(choice, "look_at")
    row.operator("bdfm.find_faces", icon="VIEWZOOM", text="Looking…" if _search is not None else "Find Faces")
    if _search is not None:
        row.operator("bdfm.stop_finding_faces", text="", icon="X")
    if _failure is not None and _failure[0] == chosen(choice):
        draw_text(layout.column(align=True), _failure[1], "ERROR")
    if _found is None or not _is_of_source(context):
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


def _is_of_source(context: Context) -> bool:
    """Whether the faces that were found are of what is chosen: strips of several scenes may have one name."""
    choice = context.scene.bdfm.capture
    return _found is not None and (_found.chosen, _found.file) == (chosen(choice), file_of(choice, context))


def _near(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return max(abs(a[0] - b[0]), abs(a[1] - b[1])) < 0.5


CLASSES = (BDFM_OT_find_faces, BDFM_OT_stop_finding_faces, BDFM_OT_pick_face)
