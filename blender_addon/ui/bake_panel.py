# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel Bake."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, UILayout

from ..blender.bake import BakeReport
from .bake import BDFM_OT_bake, shown_reports
from .sidebar import SidebarPanel, draw_list
from .stepped import draw_operator

MAX_REPORTS, MAX_WARNINGS = 5, 8


class BDFM_PT_bake(SidebarPanel, bpy.types.Panel):
    bl_label = "Bake"
    bl_order = 30

    def draw(self, context: Context) -> None:
        draw_bake(self.layout, context)


class BDFM_PT_bake_options(SidebarPanel, bpy.types.Panel):
    bl_label = "Options"
    bl_parent_id = "BDFM_PT_bake"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 0

    def draw(self, context: Context) -> None:
        draw_options(self.layout, context)


class BDFM_PT_bake_report(SidebarPanel, bpy.types.Panel):
    bl_label = "Last Bake"
    bl_parent_id = "BDFM_PT_bake"
    bl_order = 1

    @classmethod
    def poll(cls, context: Context) -> bool:
        return bool(shown_reports(context.scene))

    def draw(self, context: Context) -> None:
        draw_reports(self.layout, context)


def draw_bake(layout: UILayout, context: Context) -> None:
    """What everybody needs: from which frame on, where to, and the button."""
    settings = context.scene.bdfm
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.prop(settings, "start_frame")
    layout.prop(settings.bake, "target")
    draw_operator(layout, BDFM_OT_bake)


def draw_options(layout: UILayout, context: Context) -> None:
    """What the bake does beyond that."""
    settings = context.scene.bdfm.bake
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.prop(settings, "speed")
    layout.prop(settings, "head")
    layout.prop(settings, "additive")
    _draw_optional(layout, settings, "use_range", "first", "last")
    _draw_optional(layout, settings, "use_reduction", "largest_error")


def draw_reports(layout: UILayout, context: Context) -> None:
    """What the last bake did to each character."""
    reports = shown_reports(context.scene)
    for report in reports[:MAX_REPORTS]:
        _draw_report(layout.box().column(align=True), report)
    if len(reports) > MAX_REPORTS:
        layout.label(
            text=iface_("and {count} more characters").format(count=len(reports) - MAX_REPORTS), translate=False
        )


def _draw_optional(layout: UILayout, settings: bpy.types.PropertyGroup, switch: str, *names: str) -> None:
    layout.prop(settings, switch)
    column = layout.column(align=True)
    column.active = getattr(settings, switch)
    for name in names:
        column.prop(settings, name)


def _draw_report(column: UILayout, report: BakeReport) -> None:
    column.label(text=report.character, icon="CHECKMARK", translate=False)
    keys = iface_("{curves} channels, {written} keys").format(curves=report.curves, written=report.written)
    column.label(text=keys, translate=False)
    frames = iface_("Frames {first} to {last}").format(first=report.first, last=report.last)
    column.label(text=frames, translate=False)
    if report.missing:
        missing = iface_("{count} not found, see Characters").format(count=len(report.missing))
        column.label(text=missing, icon="QUESTION", translate=False)
    draw_list(column, report.warnings, MAX_WARNINGS, "ERROR")


CLASSES = (BDFM_PT_bake, BDFM_PT_bake_options, BDFM_PT_bake_report)
