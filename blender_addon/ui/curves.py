# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves before and after the cleaning, as a picture in the panel."""

from __future__ import annotations

import bpy
import bpy.utils.previews
import numpy as np
from bpy.types import Context, UILayout

from bdfm_infer.parameters import ACTION_UNITS, AU_NAMES

from ..core.curves import SIZE, Pixels, draw_curves, with_cursor
from ..core.performance import Performance
from .takes import LoadedTake, loaded_take, scene_cleaning
from .values import TakePanel, seconds_now, unit_label

MOST = 6
"""Curves that the picture holds."""
BY_ITSELF = 3
"""Curves that are shown where none is chosen: those that move most."""
SCALE = 11.0


class _Picture:
    """The picture on screen. What it was drawn from is kept, so that only what has changed is drawn again."""

    def __init__(self) -> None:
        self._icons = bpy.utils.previews.new()
        self._icon = self._icons.new("curves")
        self._icon.image_size = (SIZE, SIZE)
        self._performance: Performance | None = None
        self._units: tuple[str, ...] = ()
        self._curves: Pixels = np.zeros((SIZE, SIZE), np.int32)

    def show(self, raw: Performance, performance: Performance, units: tuple[str, ...], now: float) -> int:
        """Show these units with a cursor at ``now``, in seconds of the take. Returns the icon's number."""
        if performance is not self._performance or units != self._units:
            columns = [AU_NAMES.index(name) for name in units]
            self._curves = draw_curves(raw.timestamps, raw.values[:, columns], performance.values[:, columns])
            self._performance, self._units = performance, units
        self._icon.image_pixels.foreach_set(with_cursor(self._curves, raw.timestamps, now).ravel())
        return int(self._icon.icon_id)

    def close(self) -> None:
        bpy.utils.previews.remove(self._icons)


_picture: _Picture | None = None


class BDFM_PT_curves(TakePanel, bpy.types.Panel):
    bl_label = "Curves"
    bl_parent_id = "BDFM_PT_take"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 5

    def draw(self, context: Context) -> None:
        draw_curves_panel(self.layout, context)


def draw_curves_panel(layout: UILayout, context: Context) -> None:
    """The picture, and what each of its lanes shows."""
    loaded = loaded_take(context.scene)
    if loaded is None:
        return
    names = chosen_units(context.scene, loaded)
    performance = loaded.performance(scene_cleaning(context.scene, loaded))
    icon = _the_picture().show(loaded.raw, performance, names, seconds_now(context.scene))
    layout.template_icon(icon_value=icon, scale=SCALE)
    column = layout.column(align=True)
    column.label(text="Dashed: as captured")
    column.label(text="Solid: as baked")
    column.label(text="Striped: no face")
    for number, name in enumerate(names, start=1):
        column.label(text=f"{number}  {unit_label(name, ACTION_UNITS[name])}", translate=False)


def chosen_units(scene: bpy.types.Scene, loaded: LoadedTake) -> tuple[str, ...]:
    """Action units whose curve is switched on, from top to bottom; those that move most where none is."""
    group = scene.bdfm.cleaning
    chosen = tuple(name for name in AU_NAMES if getattr(group, name).curve)[:MOST]
    return chosen or tuple(sorted(loaded.busiest[:BY_ITSELF], key=AU_NAMES.index))


def _the_picture() -> _Picture:
    global _picture
    _picture = _picture or _Picture()
    return _picture


def detach() -> None:
    """Give the picture back to Blender."""
    global _picture
    if _picture is not None:
        _picture.close()
        _picture = None


CLASSES = (BDFM_PT_curves,)
