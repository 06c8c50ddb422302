# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab BDFM in the 3D view's sidebar."""

from __future__ import annotations

import bpy
from bpy.types import Context, UILayout

from ..blender.bake import BakeReport
from .bake import Choice, choices_for_panel, last_reports
from .preferences import library
from .takes import LoadedTake, loaded_take

MAX_MISSING = 12


class _Panel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "BDFM"


class BDFM_PT_capture(_Panel, bpy.types.Panel):
    bl_label = "Capture"

    def draw(self, context: Context) -> None:
        draw_capture(self.layout, context)


class BDFM_PT_bake(_Panel, bpy.types.Panel):
    bl_label = "Bake"

    def draw(self, context: Context) -> None:
        draw_bake(self.layout, context)


def draw_capture(layout: UILayout, context: Context) -> None:
    """Video, progress and the loaded take."""
    settings, progress = context.scene.bdfm, context.window_manager.bdfm_progress
    row = layout.row(align=True)
    row.prop(settings, "source", text="", placeholder="Video")
    row.operator("bdfm.choose_video", text="", icon="FILEBROWSER")
    layout.prop(settings, "take_folder", text="", placeholder="Takes: beside the video")
    row = layout.row(align=True)
    if progress.running:
        row.progress(factor=progress.factor, text=progress.text, type="BAR")
        row.operator("bdfm.cancel_capture", text="", icon="X")
    else:
        row.operator("bdfm.capture", icon="PLAY")
    layout.operator("bdfm.load_take", icon="FILE_FOLDER")
    loaded = loaded_take(context.scene)
    if loaded is not None:
        _draw_take(layout.column(align=True), loaded)
    elif settings.take:
        again = layout.row()
        again.operator_context = "EXEC_DEFAULT"
        again.operator("bdfm.load_take", text="Read Take Again", icon="FILE_REFRESH").filepath = bpy.path.abspath(
            settings.take
        )


def draw_bake(layout: UILayout, context: Context) -> None:
    """Each selected character with its mapping, and what the last bake did."""
    settings = context.scene.bdfm
    layout.prop(settings, "start_frame")
    layout.prop(settings, "mapping", placeholder="By the rig's names")
    column = layout.column(align=True)
    for choice in choices_for_panel(context):
        _draw_choice(column, choice)
    layout.operator("bdfm.bake", icon="ACTION_TWEAK")
    for error in library(context).refused:
        layout.label(text=str(error), icon="ERROR")
    for report in last_reports:
        _draw_report(layout.box().column(align=True), report)


def _draw_take(column: UILayout, loaded: LoadedTake) -> None:
    seconds = loaded.take.timestamps[-1] - loaded.take.timestamps[0]
    column.label(text=loaded.name, icon="ACTION")
    column.label(text=f"{len(loaded.take)} frames, {seconds:.1f} s")
    lost = int((~loaded.take.success).sum())
    if lost:
        column.label(text=f"{lost} frames without a face", icon="INFO")


def _draw_choice(column: UILayout, choice: Choice) -> None:
    if not choice.fits:
        column.label(text=f"{choice.character.name}: no mapping fits", icon="ERROR")
    for place, fit in enumerate(choice.fits):
        owner = choice.character.name if place == 0 else "or"
        experimental = "" if fit.mapping.confidence == "verified" else ", experimental"
        column.label(text=f"{owner}: {fit.mapping.name} ({fit.score:.0%}{experimental})", icon="ARMATURE_DATA")


def _draw_report(column: UILayout, report: BakeReport) -> None:
    column.label(text=f"{report.character}: {report.curves} channels, frames {report.first} to {report.last}")
    for warning in report.warnings:
        column.label(text=warning, icon="ERROR")
    for missing in report.missing[:MAX_MISSING]:
        column.label(text=str(missing), icon="QUESTION")
    if len(report.missing) > MAX_MISSING:
        column.label(text=f"and {len(report.missing) - MAX_MISSING} more")


CLASSES = (BDFM_PT_capture, BDFM_PT_bake)
