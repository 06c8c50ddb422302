# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel Capture, and the progress in the status bar."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, UILayout

from ..blender.versions import STRIPS_ALL, sequencer_scene
from .capture_queue import STATE_ICONS, capture_state
from .faces import draw_faces
from .sidebar import TAB, SidebarPanel, draw_move_buttons, draw_text, redraw_sidebars
from .sources import images_of, may_be_sequence, rate_of


class BDFM_PT_capture(SidebarPanel, bpy.types.Panel):
    bl_label = "Capture"
    bl_order = 0

    def draw(self, context: Context) -> None:
        draw_capture(self.layout, context)


class BDFM_PT_queue(SidebarPanel, bpy.types.Panel):
    bl_label = "Queue"
    bl_parent_id = "BDFM_PT_capture"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        draw_queue(self.layout, context)
        draw_clip(self.layout, context)


def draw_capture(layout: UILayout, context: Context) -> None:
    """What is captured and how, and the buttons; while a capture runs, its progress, else what the last one could not
    do."""
    settings, state = context.scene.bdfm, capture_state(context)
    _draw_source(layout, context)
    _draw_trim(layout, context)
    layout.prop(settings.capture, "face", text="")
    draw_faces(layout, context)
    layout.prop(settings.capture, "accurate")
    layout.prop(settings, "take_folder", text="Takes", placeholder="Beside the Video")
    if state.running:
        _draw_running(layout, context)
        draw_progress(layout, context)
        layout.operator("bdfm.enqueue", icon="ADD")
    else:
        row = layout.row(align=True)
        row.operator("bdfm.capture", icon="PLAY")
        row.operator("bdfm.enqueue", text="", icon="ADD")
        for item in state.queue:
            if item.is_recent and item.state in ("FAILED", "CANCELLED"):
                draw_text(layout.column(align=True), item.message, STATE_ICONS[item.state])
    layout.operator("bdfm.load_take", icon="FILE_FOLDER")
    if state.refused:
        draw_text(layout.column(align=True), state.refused, "ERROR")


def draw_queue(layout: UILayout, context: Context) -> None:
    """The clips with their states, and the buttons of the list."""
    state = capture_state(context)
    row = layout.row()
    row.template_list("BDFM_UL_queue", "", state, "queue", state, "active", rows=4)
    column = row.column(align=True)
    column.operator("bdfm.queue_add", text="", icon="ADD")
    column.operator("bdfm.queue_remove", text="", icon="REMOVE")
    draw_move_buttons(column, "bdfm.queue_move")
    layout.operator("bdfm.capture_queue", icon="PLAY")


def draw_clip(layout: UILayout, context: Context) -> None:
    """What became of the clip that is chosen in the queue."""
    state = capture_state(context)
    if not 0 <= state.active < len(state.queue):
        return
    item = state.queue[state.active]
    column = layout.column(align=True)
    if item.message:
        draw_text(column, item.message)
    for take in item.takes:
        button = column.row()
        button.operator_context = "EXEC_DEFAULT"
        name = bpy.path.display_name_from_filepath(take.path)
        button.operator("bdfm.load_take", text=name, icon="ACTION", translate=False).filepath = take.path
    if item.state in ("FAILED", "CANCELLED", "DONE"):
        layout.operator("bdfm.queue_again", icon="FILE_REFRESH")


def _draw_running(layout: UILayout, context: Context) -> None:
    state = capture_state(context)
    item = state.first("RUNNING")
    waiting = sum(item.state == "WAITING" for item in state.queue)
    if item is not None:
        row = layout.row()
        row.label(text=item.name, icon="PLAY", translate=False)
        if waiting:
            row.label(text=iface_("{count} waiting").format(count=waiting), icon="TIME", translate=False)


def draw_progress(layout: UILayout, context: Context) -> None:
    """The running clip: how far it is, how fast, how long it takes, and the button that stops it."""
    state = capture_state(context)
    row = layout.row(align=True)
    row.progress(factor=state.factor, text=state.text, type="BAR", translate=False)
    row.operator("bdfm.cancel_capture", text="", icon="X")


def _draw_source(layout: UILayout, context: Context) -> None:
    choice = context.scene.bdfm.capture
    layout.row().prop(choice, "kind", expand=True)
    if choice.kind == "FILE":
        row = layout.row(align=True)
        row.prop(choice, "file", text="", placeholder="Video")
        row.operator("bdfm.choose_video", text="", icon="FILEBROWSER")
        draw_images(layout, context)
    elif choice.kind == "STRIP":
        editor = sequencer_scene(context).sequence_editor
        if editor is None:
            layout.label(text="The sequencer is empty", icon="INFO")
        else:
            layout.prop_search(choice, "strip", editor, STRIPS_ALL, text="", icon="SEQUENCE")
    else:
        layout.prop_search(choice, "clip", bpy.data, "movieclips", text="", icon="TRACKER")


def draw_images(layout: UILayout, context: Context) -> None:
    """Whether the images that are chosen are a clip, of how many frames, at which rate."""
    choice, images = context.scene.bdfm.capture, images_of(context.scene.bdfm.capture)
    is_several = may_be_sequence(choice)
    if is_several:
        layout.prop(choice, "is_sequence")
    rate = f"{rate_of(context.scene):.5g}"
    if is_several and choice.is_sequence:
        text = iface_("{count} images, {rate} a second") if images else iface_("{rate} images a second")
        draw_text(layout, text.format(count=len(images), rate=rate), "RENDERLAYERS")
    elif images:
        draw_text(layout, iface_("A single image: the take has one row"), "IMAGE_DATA")


def _draw_trim(layout: UILayout, context: Context) -> None:
    choice = context.scene.bdfm.capture
    layout.prop(choice, "use_trim")
    if choice.use_trim:
        row = layout.row(align=True)
        row.prop(choice, "start")
        row.prop(choice, "end")


def _draw_status(self: bpy.types.Header, context: Context) -> None:
    if capture_state(context).running:
        row = self.layout.row(align=True)
        row.label(text="Face Capture")
        row.ui_units_x = 20
        draw_progress(row, context)


_is_shown = False


def show_status() -> None:
    """Add the progress to the status bar."""
    global _is_shown
    if not _is_shown:
        bpy.types.STATUSBAR_HT_header.append(_draw_status)
        _is_shown = True


def hide_status() -> None:
    """Take it away again."""
    global _is_shown
    if _is_shown:
        bpy.types.STATUSBAR_HT_header.remove(_draw_status)
        _is_shown = False
        _redraw_status()


def _redraw_status() -> None:
    """Draw the status bar again, which follows the names of view layers, and leave the text that a tool shows in it."""
    bpy.msgbus.publish_rna(key=(bpy.types.ViewLayer, "name"))


def is_over_panel(screen: bpy.types.Screen, x: int, y: int) -> bool:
    """Whether a place of the window lies on the add-on's tab of a sidebar."""
    for area in screen.areas:
        for region in area.regions if area.type == "VIEW_3D" else ():
            inside = region.x <= x < region.x + region.width and region.y <= y < region.y + region.height
            if region.type == "UI" and inside:
                return bool(region.active_panel_category == TAB)
    return False


def redraw() -> None:
    """Draw the sidebars and the status bar again."""
    redraw_sidebars()
    if _is_shown:
        _redraw_status()


CLASSES = (BDFM_PT_capture, BDFM_PT_queue)
