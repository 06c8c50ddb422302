# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel Mapping: the targets of one action unit, the selected target, and where the mapping goes."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_
from bpy.types import Context, UILayout

from .mapping_targets import KIND_LABELS
from .own_mapping import BDFM_PG_own_mapping, BDFM_PG_target
from .sidebar import SidebarPanel

AMOUNT_LABELS = {
    "weight": n_("Weight"),
    "degrees": n_("Degrees"),
    "degrees_per_degree": n_("Degrees per Degree"),
    "amount": n_("Amount"),
}
MOVE_LABELS = {"bone_location": n_("Location"), "bone_rotation": n_("Rotation"), "bone_scale": n_("Scale")}


class BDFM_UL_targets(bpy.types.UIList):
    """The targets of the action unit that is edited."""

    def draw_item(
        self,
        context: Context,
        layout: UILayout,
        data: BDFM_PG_own_mapping,
        item: BDFM_PG_target,
        icon: int,
        active_data: BDFM_PG_own_mapping,
        active_property: str,
    ) -> None:
        content = item.content()
        label, picture = KIND_LABELS.get(content.get("kind", ""), (n_("Target"), "QUESTION"))
        row = layout.split(factor=0.5 if "axis" in content else 0.72, align=True)
        row.label(text=content.get("name") or content.get("bone") or iface_(label), icon=picture, translate=False)
        if "axis" in content:
            row = row.split(factor=0.6, align=True)
            move = iface_(MOVE_LABELS.get(content.get("kind", ""), label))
            row.label(text=f"{move} {iface_(str(content['axis']).title())}", translate=False)
        row.prop(item, "amount", text="", emboss=False)

    def filter_items(self, context: Context, data: BDFM_PG_own_mapping, name: str) -> tuple[list[int], list[int]]:
        return [self.bitflag_filter_item if t.source == data.source else 0 for t in data.targets], []


class BDFM_PT_mapping(SidebarPanel, bpy.types.Panel):
    bl_label = "Mapping"
    bl_parent_id = "BDFM_PT_characters"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 0

    def draw(self, context: Context) -> None:
        own = context.scene.bdfm.own_mapping
        if not own.document:
            draw_start(self.layout)
            return
        draw_unit(self.layout, context)
        draw_targets(self.layout, own)
        draw_edited(self.layout, own)


def draw_start(layout: UILayout) -> None:
    """While no mapping is edited: from the character's own, or from nothing."""
    row = layout.row(align=True)
    row.operator("bdfm.edit_mapping", icon="GREASEPENCIL")
    row.operator("bdfm.new_mapping", icon="ADD")


def draw_unit(layout: UILayout, context: Context) -> None:
    """Whose mapping is edited, and which action unit of it."""
    own = context.scene.bdfm.own_mapping
    if own.character is None or own.character.name not in context.scene.objects:
        layout.label(text="The character is gone", icon="ERROR")
    else:
        layout.label(text=own.character.name, icon="USER", translate=False)
    layout.prop(own, "source", text="")


def draw_targets(layout: UILayout, own: BDFM_PG_own_mapping) -> None:
    """The list of targets. Blender needs a region to draw a list in."""
    row = layout.row()
    row.template_list("BDFM_UL_targets", "", own, "targets", own, "active", rows=3)
    column = row.column(align=True)
    column.operator("bdfm.add_target", text="", icon="ADD")
    column.operator("bdfm.remove_target", text="", icon="REMOVE")


def draw_head_bone(layout: UILayout, own: BDFM_PG_own_mapping) -> None:
    """Which bone turns as the head, and a search for another."""
    halves = layout.split(factor=0.4)
    halves.label(text="Head Bone")
    bone = own.head_bone()
    if bone:
        halves.operator("bdfm.choose_head_bone", text=bone, icon="BONE_DATA", translate=False)
    else:
        halves.operator("bdfm.choose_head_bone", text="Choose", icon="BONE_DATA")


def draw_edited(layout: UILayout, own: BDFM_PG_own_mapping) -> None:
    """The selected target, and where the mapping goes."""
    target = own.active_target()
    if target is not None:
        _draw_target(layout.column(align=True), target)
    draw_head_bone(layout, own)
    layout.prop(own, "name")
    row = layout.row(align=True)
    row.operator("bdfm.save_mapping", icon="FILE_TICK")
    row.operator("bdfm.close_mapping", text="", icon="X")


def _draw_target(column: UILayout, target: BDFM_PG_target) -> None:
    content = target.content()
    column.prop(target, "amount", text=iface_(AMOUNT_LABELS[target.amount_key()]), translate=False)
    if content.get("reference"):
        unit = iface_("in lengths of {reference}").format(reference=content["reference"])
        column.label(text=unit, icon="DRIVER_DISTANCE", translate=False)
    if "axis" in content:
        column.prop(target, "axis")
    column.prop(target, "side")
    for use, value in (("use_min", "low"), ("use_max", "high")):
        row = column.row(align=True)
        row.prop(target, use, text="")
        limit = row.row(align=True)
        limit.active = getattr(target, use)
        limit.prop(target, value)


CLASSES = (BDFM_UL_targets, BDFM_PT_mapping)
