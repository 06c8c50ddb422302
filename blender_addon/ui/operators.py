# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators have in common."""

from __future__ import annotations

import bpy
from bpy.types import Context

from bdfm_infer.errors import BdfmError


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
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}
