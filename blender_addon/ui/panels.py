# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab BDFM in the 3D view's sidebar."""

from __future__ import annotations

import bpy
from bpy.types import Context, UILayout

from .takes import LoadedTake, loaded_take


class _Panel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "BDFM"


class BDFM_PT_capture(_Panel, bpy.types.Panel):
    bl_label = "Capture"

    def draw(self, context: Context) -> None:
        draw_capture(self.layout, context)


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


def _draw_take(column: UILayout, loaded: LoadedTake) -> None:
    seconds = loaded.take.timestamps[-1] - loaded.take.timestamps[0]
    column.label(text=loaded.name, icon="ACTION")
    column.label(text=f"{len(loaded.take)} frames, {seconds:.1f} s")
    lost = int((~loaded.take.success).sum())
    if lost:
        column.label(text=f"{lost} frames without a face", icon="INFO")


CLASSES = (BDFM_PT_capture,)
