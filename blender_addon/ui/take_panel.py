# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel Take: what is loaded, the live preview, markers and sound; its sub-panels stand in modules of their own."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, UILayout

from .preview import is_running, names
from .sidebar import draw_text
from .takes import loaded_take
from .timeline import draw_timeline
from .values import TakePanel


class BDFM_PT_take(TakePanel, bpy.types.Panel):
    bl_label = "Take"
    bl_order = 10

    def draw(self, context: Context) -> None:
        draw_take(self.layout, context)


def draw_take(layout: UILayout, context: Context) -> None:
    """Name, length and lost frames of the take, and what can be done with it in the timeline."""
    loaded = loaded_take(context.scene)
    if loaded is None:
        return
    column = layout.column(align=True)
    times, lost = loaded.take.timestamps, int((~loaded.take.success).sum())
    column.label(text=loaded.name, icon="ACTION", translate=False)
    length = iface_("{count} frames, {seconds:.1f} s").format(count=len(loaded.take), seconds=times[-1] - times[0])
    column.label(text=length, translate=False)
    if loaded.take.facts.get("complete") is False:
        column.label(text="Stopped before the clip's end", icon="INFO")
    if lost:
        missed = iface_("{count} frames without a face").format(count=lost)
        column.label(text=missed, icon="INFO", translate=False)
    running = is_running(context.scene)
    layout.operator("bdfm.preview", icon="PAUSE" if running else "PLAY", depress=running)
    if running and (characters := names()):
        draw_text(layout, iface_("Shown on {names}").format(names=", ".join(characters)), "INFO")
    draw_timeline(layout, context)


CLASSES = (BDFM_PT_take,)
