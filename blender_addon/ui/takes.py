# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""The loaded take: read once, kept in memory, looked up by its path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.errors import BdfmError
from bdfm_infer.take import Take

from ..core.timing import take_values


@dataclass(frozen=True)
class LoadedTake:
    """A take with its settings applied, and its values as the panel shows them.

    Attributes:
        values: (n, 26) action units (0 to 1), then yaw, pitch, roll (degrees); NaN where no face was found.
    """

    name: str
    take: Take
    values: NDArray[np.float64]

    def row_at(self, seconds: float) -> int:
        """Number of the row shown at a time: the last one that is not later, or the first."""
        return max(0, int(np.searchsorted(self.take.timestamps, seconds + 1e-6, side="right")) - 1)


_loaded: dict[str, LoadedTake] = {}


def load(path: str) -> LoadedTake:
    """Read a take from disk, or again where it has changed.

    Raises:
        BdfmError: it cannot be read, or holds no row.
    """
    take = Take.read(path).processed()
    if not len(take):
        raise BdfmError(f"{path}: the take holds no rows. Capture the video again.")
    _loaded[path] = LoadedTake(Path(path).stem, take, take_values(take))
    return _loaded[path]


def loaded_take(scene: bpy.types.Scene) -> LoadedTake | None:
    """The scene's take where it is in memory. Cheap: the panel asks at each redraw."""
    return _loaded.get(bpy.path.abspath(scene.bdfm.take))


def set_take(scene: bpy.types.Scene, path: Path) -> LoadedTake:
    """Read a take and make it the scene's.

    Raises:
        BdfmError: it cannot be read; the scene keeps the one it had.
    """
    take = load(str(path))
    scene.bdfm.take = str(path)
    return take


def scene_take(scene: bpy.types.Scene) -> LoadedTake:
    """The scene's take, read from disk where it is not in memory.

    Raises:
        BdfmError: there is none, or it cannot be read.
    """
    if not scene.bdfm.take:
        raise BdfmError("There is no take yet. Capture a video or load a take first.")
    return loaded_take(scene) or load(bpy.path.abspath(scene.bdfm.take))


@bpy.app.handlers.persistent
def reload_take(*_: object) -> None:
    """After a file was opened: read its take again. One that is gone is asked for when it is needed."""
    _loaded.clear()
    for scene in bpy.data.scenes:
        if scene.bdfm.take:
            try:
                load(bpy.path.abspath(scene.bdfm.take))
            except BdfmError as error:
                print(f"BDFM Face Capture: {error}")


class BDFM_OT_load_take(bpy.types.Operator):
    """Load a take that was captured before"""

    bl_idname = "bdfm.load_take"
    bl_label = "Load Take"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.csv;*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            take = set_take(context.scene, Path(bpy.path.abspath(self.filepath)))
        except BdfmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{take.name}: {len(take.take)} frames")
        return {"FINISHED"}


CLASSES = (BDFM_OT_load_take,)
