# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""What a person's face shows at rest, taken out of the take: from a frame, from a stretch, or found by itself."""

from __future__ import annotations

from dataclasses import replace

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_
from bpy.types import Context, UILayout

from bdfm_infer.calibrate import Calibration
from bdfm_infer.parameters import ACTION_UNITS, EYES

from .bake_settings import take_time
from .cleaning import BDFM_PG_cleaning, read_cleaning, write_cleaning
from .operators import ReportingOperator
from .takes import LoadedTake, TakeOperator, loaded_take
from .values import TakePanel, seconds_now, unit_label


class BDFM_PT_calibrate(TakePanel, bpy.types.Panel):
    bl_label = "Face at Rest"
    bl_parent_id = "BDFM_PT_take"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 2

    def draw(self, context: Context) -> None:
        draw_calibrate(self.layout, context)


def draw_calibrate(layout: UILayout, context: Context) -> None:
    """Where the neutral is taken from, and, once there is one, what it is: of the eyes only where a file brought it."""
    group = context.scene.bdfm.cleaning
    column = layout.column(align=True)
    column.operator("bdfm.calibrate", text="From This Frame", icon="KEYFRAME").method = "FRAME"
    column.operator("bdfm.calibrate", text="Find Automatically", icon="VIEWZOOM").method = "AUTOMATIC"
    column = layout.column(align=True)
    row = column.row(align=True)
    row.prop(group, "rest_first")
    row.prop(group, "rest_last")
    column.operator("bdfm.calibrate", text="From These Frames", icon="ARROW_LEFTRIGHT").method = "RANGE"
    if _is_set(group):
        column = layout.column(align=True)
        for name, meaning in ACTION_UNITS.items():
            unit = getattr(group, name)
            if name not in EYES or unit.neutral > 0:
                column.prop(unit, "neutral", text=unit_label(name, meaning), slider=True, translate=False)
    layout.operator("bdfm.clear_calibration", icon="X")


def _is_set(group: BDFM_PG_cleaning) -> bool:
    """Whether anything of the face at rest is taken out."""
    return any(getattr(group, name).neutral > 0 for name in ACTION_UNITS)


class BDFM_OT_calibrate(TakeOperator, ReportingOperator):
    """Take out of the whole take what the face shows at rest. The eyes are left out, so that blinks stay"""

    bl_idname = "bdfm.calibrate"
    bl_label = "Set Face at Rest"

    method: bpy.props.EnumProperty(
        name="From",
        items=[
            ("FRAME", "This Frame", "The current frame of the timeline"),
            ("RANGE", "These Frames", "The median of a stretch of the timeline"),
            ("AUTOMATIC", "Automatic", "The frames in which the face does least"),
        ],
    )

    def run(self, context: Context) -> None:
        loaded, group = loaded_take(context.scene), context.scene.bdfm.cleaning
        assert loaded is not None
        calibration = self._calibration(context.scene, loaded)
        write_cleaning(group, replace(read_cleaning(group), calibration=calibration))
        count = sum(value > 0 for value in calibration.neutral.values())
        self.report({"INFO"}, rpt_("Rest set for {count} action units").format(count=count))

    def _calibration(self, scene: bpy.types.Scene, loaded: LoadedTake) -> Calibration:
        if self.method == "AUTOMATIC":
            return Calibration.automatic(loaded.take)
        if self.method == "FRAME":
            time = loaded.take.timestamps[loaded.row_at(seconds_now(scene))]
            return Calibration.from_take(loaded.take, time, time)
        group = scene.bdfm.cleaning
        ends = take_time(scene).seconds(sorted((group.rest_first, group.rest_last)))
        return Calibration.from_take(loaded.take, ends[0] - 1e-6, ends[1] + 1e-6)


class BDFM_OT_clear_calibration(bpy.types.Operator):
    """Show the values as they were captured, without a face at rest taken out"""

    bl_idname = "bdfm.clear_calibration"
    bl_label = "Clear"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        if not _is_set(context.scene.bdfm.cleaning):
            cls.poll_message_set(tip_("No face at rest is set"))
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        group = context.scene.bdfm.cleaning
        write_cleaning(group, replace(read_cleaning(group), calibration=Calibration()))
        return {"FINISHED"}


CLASSES = (BDFM_PT_calibrate, BDFM_OT_calibrate, BDFM_OT_clear_calibration)
