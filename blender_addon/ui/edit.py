# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""Edits before the bake: each action unit, the head, smoothing; kept with the take or thrown away."""

from __future__ import annotations

from collections.abc import Callable

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, UILayout

from bdfm_infer.errors import BdfmError
from bdfm_infer.parameters import ACTION_UNITS, ROTATION
from bdfm_infer.smooth import CUTOFF_HZ
from bdfm_infer.take import Take

from ..blender.texts import artist_text
from ..core.cleaning import Cleaning
from .cleaning import read_cleaning, write_cleaning
from .operators import ReportingOperator
from .pictures import picture_folder, read
from .sidebar import has_room
from .takes import LoadedTake, TakeOperator, loaded_take, scene_cleaning
from .values import TakePanel, unit_label

BESIDE = 168
"""Pixels at a scale of 1 of the tabs, of the three buttons in a row, and of the number in a slider."""


class BDFM_PT_edit(TakePanel, bpy.types.Panel):
    bl_label = "Edit Before Bake"
    bl_parent_id = "BDFM_PT_take"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 3

    def draw(self, context: Context) -> None:
        draw_edit(self.layout, context)


class BDFM_PT_smoothing(TakePanel, bpy.types.Panel):
    bl_label = "Smoothing"
    bl_parent_id = "BDFM_PT_take"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 4

    def draw(self, context: Context) -> None:
        draw_smoothing(self.layout, context)


def draw_edit(layout: UILayout, context: Context) -> None:
    """A row for each action unit, the head's turns, and the buttons that keep or reset them."""
    group = context.scene.bdfm.cleaning
    row = layout.row(align=True)
    row.operator("bdfm.save_cleaning", icon="FILE_TICK")
    row.operator("bdfm.reset_edits", icon="LOOP_BACK")
    layout.prop(group, "swap")
    layout.prop(group, "complete_blinks")
    layout.row().prop(group, "shown", expand=True)
    column = layout.column(align=True)
    label = row_label(BESIDE)
    for name, meaning in ACTION_UNITS.items():
        unit = getattr(group, name)
        row = column.row(align=True)
        row.prop(unit, "mute", text="", icon="HIDE_ON" if unit.mute else "HIDE_OFF")
        row.prop(unit, "solo", text="", icon="SOLO_ON" if unit.solo else "SOLO_OFF")
        field = row.row(align=True)
        field.active = not unit.mute
        field.prop(unit, group.shown, text=label(name, meaning), slider=True, translate=False)
        row.prop(unit, "curve", text="", icon="FCURVE")
    column = layout.column(align=True)
    column.label(text="Size of the Head's Turns")
    for name in ROTATION:
        column.prop(group, f"gain_{name}")


def row_label(beside: int) -> Callable[[str, str], str]:
    """What a row is called: number and meaning, or, where ``beside`` pixels leave no room for both, the meaning."""
    if all(has_room(unit_label(*unit), beside) for unit in ACTION_UNITS.items()):
        return unit_label
    return lambda name, meaning: iface_(meaning)


def draw_smoothing(layout: UILayout, context: Context) -> None:
    """The method, and how fast each part of the face may move."""
    group = context.scene.bdfm.cleaning
    layout.prop(group, "method", text="")
    column = layout.column(align=True)
    column.active = group.method != "none"
    column.label(text="Cut-Off in Hertz")
    for name in CUTOFF_HZ:
        column.prop(group, f"cutoff_{name}")


class BDFM_OT_save_cleaning(TakeOperator, ReportingOperator):
    """Save calibration, smoothing and edits in the take's JSON file. The captured values are never changed"""

    bl_idname = "bdfm.save_cleaning"
    bl_label = "Save with Take"
    bl_options = {"REGISTER"}

    def run(self, context: Context) -> None:
        loaded = loaded_take(context.scene)
        assert loaded is not None
        cleaning = scene_cleaning(context.scene, loaded)
        path = Take.save_settings(loaded.path, cleaning.to_settings())
        pictures = picture_folder(loaded)
        loaded.keep(cleaning)
        self.report({"INFO"}, rpt_("Saved in {path}").format(path=path.name))
        if pictures.is_dir() and pictures != picture_folder(loaded):
            self._read_pictures(context, loaded)

    def _read_pictures(self, context: Context, loaded: LoadedTake) -> None:
        """The avatar shows what is stored: it is drawn anew."""
        try:
            read(context, loaded)
        except BdfmError as error:
            self.report({"WARNING"}, artist_text(error))


class BDFM_OT_reset_edits(TakeOperator, bpy.types.Operator):
    """Set all gains, offsets, limits and switches back. Calibration and smoothing stay"""

    bl_idname = "bdfm.reset_edits"
    bl_label = "Reset Edits"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Context) -> set[str]:
        group = context.scene.bdfm.cleaning
        now = read_cleaning(group)
        write_cleaning(group, Cleaning(now.calibration, now.smoothing))
        return {"FINISHED"}


CLASSES = (BDFM_PT_edit, BDFM_PT_smoothing, BDFM_OT_save_cleaning, BDFM_OT_reset_edits)
