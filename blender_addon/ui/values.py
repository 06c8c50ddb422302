# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of the take at the timeline's current frame."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_
from bpy.types import Context, UILayout

from bdfm_infer.parameters import ACTION_UNITS, N_AU, ROTATION

from .bake_settings import take_time
from .pictures import draw_pictures
from .sidebar import SidebarPanel
from .takes import LoadedTake, loaded_take, scene_cleaning

DIRECTIONS = {
    "yaw": (n_("right"), n_("left")),
    "pitch": (n_("down"), n_("up")),
    "roll": (n_("counter-clockwise"), n_("clockwise")),
}
"""What a negative and a positive angle mean, as the person sees it; roll as the camera does."""


class TakePanel(SidebarPanel):
    """A panel that needs a loaded take."""

    @classmethod
    def poll(cls, context: Context) -> bool:
        return loaded_take(context.scene) is not None


class BDFM_PT_values(TakePanel, bpy.types.Panel):
    bl_label = "Values at This Frame"
    bl_parent_id = "BDFM_PT_take"
    bl_order = 1

    def draw(self, context: Context) -> None:
        draw_values(self.layout, context)


def draw_values(layout: UILayout, context: Context) -> None:
    """Action units and head angles as they are baked, and the confidence, at the scene's current frame."""
    loaded = loaded_take(context.scene)
    if loaded is None:
        return
    seconds = seconds_now(context.scene)
    row = loaded.row_at(seconds)
    outside = _outside(loaded, seconds)
    if outside:
        layout.label(text=outside, icon="INFO", translate=False)
    draw_pictures(layout, context, loaded, row)
    column = layout.column(align=True)
    if not loaded.take.success[row]:
        column.label(text="No face in this frame", icon="HIDE_ON")
        return
    values = loaded.performance(scene_cleaning(context.scene, loaded)).values[row].tolist()
    for (name, meaning), value in zip(ACTION_UNITS.items(), values[:N_AU], strict=True):
        column.progress(factor=value, text=f"{unit_label(name, meaning)}  {value:.2f}", type="BAR", translate=False)
    column.separator()
    for name, degrees in zip(ROTATION, values[N_AU:], strict=True):
        side = iface_(DIRECTIONS[name][degrees > 0])
        column.label(text=f"{iface_(name.title())}  {abs(degrees):.1f}° {side}", translate=False)
    column.label(text=f"{iface_('Confidence')}  {loaded.take.confidence[row]:.0%}", translate=False)


def seconds_now(scene: bpy.types.Scene) -> float:
    """The take's time at the scene's current frame."""
    return float(take_time(scene).seconds(scene.frame_current_final))


def unit_label(name: str, meaning: str) -> str:
    """``AU12 Lip corner puller`` in the artist's language; units without a number have their meaning alone."""
    return f"{name} {iface_(meaning)}" if name.startswith("AU") else iface_(meaning)


def _outside(loaded: LoadedTake, seconds: float) -> str:
    """Whether the take is being looked at before its begin or after its end, in words."""
    times = loaded.take.timestamps
    if seconds < times[0] - 1e-6:
        return iface_("The take begins later")
    last = times[-1] - times[-2] if len(times) > 1 else 0.0
    return iface_("The take has ended") if seconds > times[-1] + max(last, 1e-3) else ""


CLASSES = (BDFM_PT_values,)
