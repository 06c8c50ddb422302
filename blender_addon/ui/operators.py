# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators have in common."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, Event

from bdfm_infer.errors import BdfmError

from ..blender.texts import artist_text
from ..core.errors import FileNameError
from ..core.paths import is_text, shown


class ReportingOperator(bpy.types.Operator):
    """An error that a user can cause becomes a report. ``run`` does the work."""

    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: Context) -> None:
        """Raises:
        BdfmError: it cannot be done; the message says what to do.
        """
        raise NotImplementedError

    def execute(self, context: Context) -> set[str]:
        try:
            self.run(context)
        except BdfmError as error:
            self.report({"ERROR"}, artist_text(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class ChoosingOperator(ReportingOperator):
    """The same for files that are chosen in Blender's file browser."""

    def invoke(self, context: Context, event: Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}


def check_name(path: str | Path) -> None:
    """Refuse a path that cannot be kept in a scene.

    Raises:
        FileNameError: it is not in UTF-8.
    """
    if not is_text(path):
        name = next(part for part in Path(path).parts if not is_text(part))
        raise FileNameError(
            rpt_("The name {name} is not in UTF-8. Rename the file or folder.").format(name=shown(name))
        )
