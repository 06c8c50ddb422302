# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""The loaded take: read once, kept in memory, looked up by its path; and what it becomes by the artist's cleaning.

A scene comes by a take in many ways: a file is opened, the add-on enabled, a scene appended, a step undone. Whatever it
was, a take that is asked for while it is not in memory is read soon after, by a timer: drawing waits for no file.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_

from bdfm_infer.errors import BdfmError, TakeFormatError
from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_infer.take import Take, csv_path

from ..blender.texts import artist_text
from ..blender.versions import BLEND_RELATIVE
from ..core.cleaning import Cleaning
from ..core.edits import Edits
from ..core.paths import changed_at, shown
from ..core.performance import Performance
from .capture_queue import capture_state
from .cleaning import listeners, read_cleaning, write_cleaning
from .operators import ChoosingOperator, check_name
from .project import absolute, follow_home, located
from .sidebar import redraw_sidebars


class LoadedTake:
    """A take in memory.

    Attributes:
        name: its file's, without extension.
        path: of its table.
        take: as it was captured.
        raw: its values as a performance.
        stored: the cleaning that its JSON file holds.
    """

    def __init__(self, path: str) -> None:
        self.path = csv_path(path)
        self.name = shown(self.path.stem)
        self.stamp = _stamp(path)
        self.take = Take.read(path)
        if not len(self.take):
            raise BdfmError(rpt_("{path}: the take holds no rows. Capture the video again.").format(path=path))
        try:
            self.stored = Cleaning.from_settings(self.take.facts.get("settings"))
        except BdfmError as error:
            facts = self.path.with_suffix(".json")
            raise TakeFormatError(
                rpt_("{file}: {error} Or move that file away to read the values alone.").format(
                    file=facts, error=artist_text(error)
                )
            ) from error
        self._cleaning = Cleaning()
        self.raw = self._smoothed = self._performance = Performance.from_take(self.take, self.name)

    def performance(self, cleaning: Cleaning) -> Performance:
        """The take as it is baked. What the last call worked out is used again."""
        if cleaning is not self._cleaning and cleaning != self._cleaning:
            before, self._cleaning = self._cleaning, cleaning
            if (cleaning.calibration, cleaning.smoothing) != (before.calibration, before.smoothing):
                self._smoothed = cleaning.smoothed(self.take, self.name)
            self._performance = cleaning.edited(self._smoothed)
        return self._performance

    def keep(self, cleaning: Cleaning) -> None:
        """The cleaning is what the JSON file holds now."""
        self.stored, self.stamp = cleaning, _stamp(str(self.path))

    @cached_property
    def busiest(self) -> tuple[str, ...]:
        """Action units, the one that moves most first."""
        found = self.raw.values[self.take.success, :N_AU]
        moved = found.std(axis=0) if len(found) else np.zeros(N_AU)
        return tuple(AU_NAMES[unit] for unit in np.argsort(-moved, kind="stable"))

    def row_at(self, seconds: float) -> int:
        """Number of the row shown at a time: the last one that is not later, or the first."""
        return max(0, int(np.searchsorted(self.take.timestamps, seconds + 1e-6, side="right")) - 1)


KEPT = 8
"""Takes that stay in memory although no scene shows them; a batch reads many."""

_loaded: dict[str, LoadedTake] = {}
_awaited: set[str] = set()
"""Takes of scenes to be read by the timer."""
_refused: set[str] = set()
"""Those that could not be read. They are read again once a press asks for them, or a file is opened."""


def load(path: str) -> LoadedTake:
    """A take from memory, or from disk where it is not there or has changed.

    Raises:
        BdfmError: it cannot be read, or holds no row.
    """
    if path not in _loaded or _loaded[path].stamp != _stamp(path):
        take = LoadedTake(path)
        shown = {_path(scene) for scene in bpy.data.scenes}
        for other in [other for other in _loaded if other not in shown][: -KEPT + 1]:
            del _loaded[other]
        _loaded[path] = take
        _refused.discard(path)
    return _loaded[path]


def loaded_take(scene: bpy.types.Scene) -> LoadedTake | None:
    """The scene's take where it is in memory. Cheap: the panel asks at each redraw. One that is not is read soon after,
    or at once where nothing is drawn.
    """
    path = _path(scene)
    if path and path not in _loaded and path not in _refused:
        _awaited.add(path)
        if bpy.app.background:
            _read_awaited()
        elif not bpy.app.timers.is_registered(_read_awaited):
            bpy.app.timers.register(_read_awaited, first_interval=0)
    return _loaded.get(path)


def set_take(scene: bpy.types.Scene, path: Path) -> LoadedTake:
    """Read a take and make it, with the cleaning stored beside it, the scene's.

    Raises:
        BdfmError: it cannot be read, or kept by its name; the scene keeps the one it had.
    """
    check_name(path)
    take = load(str(path))
    scene.bdfm.take = str(path)
    _adopt(scene, take)
    return take


def scene_take(scene: bpy.types.Scene) -> LoadedTake:
    """The scene's take, read from disk where it is not in memory or has changed.

    Raises:
        BdfmError: there is none, or it cannot be read.
    """
    if not scene.bdfm.take:
        raise BdfmError(rpt_("There is no take yet. Capture a video or load a take first."))
    return load(str(located(scene.bdfm.take)))


def scene_cleaning(scene: bpy.types.Scene, take: LoadedTake) -> Cleaning:
    """What is done to the scene's take: the panel's settings, or those stored with it where a script named it."""
    group = scene.bdfm.cleaning
    return read_cleaning(group) if group.take == scene.bdfm.take else take.stored


def scene_performance(scene: bpy.types.Scene) -> Performance:
    """The scene's take, calibrated, smoothed and edited.

    Raises:
        BdfmError: there is none, or it cannot be read.
    """
    take = scene_take(scene)
    return take.performance(scene_cleaning(scene, take))


def performance_of(path: str | Path, edits: Edits | None = None) -> Performance:
    """Any take with the cleaning stored beside it; ``edits`` take the place of the stored ones.

    Raises:
        BdfmError: it cannot be read, or holds no row.
    """
    take = load(str(path))
    return take.performance(take.stored if edits is None else replace(take.stored, edits=edits))


@bpy.app.handlers.persistent
def reload_takes(*_: object) -> None:
    """After a file was opened: read the take of the scene that is shown. Others are read once they are asked for."""
    forget_takes()
    follow_home()
    path = _path(bpy.context.scene)
    if path:
        _read(path)


def forget_takes() -> None:
    """Keep none in memory, and await none."""
    if bpy.app.timers.is_registered(_read_awaited):
        bpy.app.timers.unregister(_read_awaited)
    for takes in (_loaded, _awaited, _refused):
        takes.clear()


def _read_awaited() -> float | None:
    """Read one of the takes that are awaited; a timer, so that Blender is free in between."""
    _read(_awaited.pop())
    for listener in listeners:
        listener()
    redraw_sidebars()
    return 0.0 if _awaited else None


def _read(path: str) -> None:
    """Read a take of scenes. Why one cannot be read stands in the panel; it is asked for again when it is needed."""
    try:
        take = load(path)
    except BdfmError as error:
        _refused.add(path)
        capture_state(bpy.context).refused = artist_text(error)
        print(f"BDFM Face Capture: {error}")
        return
    for scene in bpy.data.scenes:
        if _path(scene) == path and scene.bdfm.cleaning.take != scene.bdfm.take:
            _adopt(scene, take)


def _path(scene: bpy.types.Scene) -> str:
    return str(absolute(scene.bdfm.take)) if scene.bdfm.take else ""


def _adopt(scene: bpy.types.Scene, take: LoadedTake) -> None:
    write_cleaning(scene.bdfm.cleaning, take.stored)
    scene.bdfm.cleaning.take = scene.bdfm.take


def _stamp(path: str) -> tuple[int | None, ...]:
    """When each file of a take was changed last; None for one that is not there."""
    return changed_at(csv_path(path)), changed_at(csv_path(path).with_suffix(".json"))


class TakeOperator:
    """What operators have in common that need the loaded take."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if loaded_take(context.scene) is None:
            cls.poll_message_set(tip_("Capture a video or load a take first"))  # type: ignore[attr-defined]
            return False
        return True


class BDFM_OT_load_take(ChoosingOperator):
    """Load a take that was captured before, or a table of OpenFace or Live Link Face"""

    bl_idname = "bdfm.load_take"
    bl_label = "Load Take"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", *BLEND_RELATIVE})
    filter_glob: bpy.props.StringProperty(default="*.csv;*.json", options={"HIDDEN"})

    def run(self, context: bpy.types.Context) -> None:
        state = capture_state(context)
        state.refused = ""
        try:
            take = set_take(context.scene, located(self.filepath))
        except BdfmError as error:
            state.refused = artist_text(error)
            raise
        self.report({"INFO"}, rpt_("{take}: {count} frames").format(take=take.name, count=len(take.take)))


CLASSES = (BDFM_OT_load_take,)
