# SPDX-License-Identifier: GPL-3.0-or-later
"""What all panels share: their place, lists with buttons, and texts that Blender would cut."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import blf
import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, UILayout

from ..core.paths import shown
from ..core.wrapping import wrapped

TAB = "BDFM"
MARGIN, NARROWEST = 88, 120
"""Pixels at a scale of 1: what stands beside a text in the sidebar; the shortest line."""
FONT = 0


class SidebarPanel:
    """The place of a panel: the add-on's tab in the sidebar of the 3D view."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB


class RowList:
    """A list of Blender's whose rows are drawn by ``draw_row(context, layout, item, index)``."""

    def draw_item(
        self,
        context: Context,
        layout: UILayout,
        data: Any,
        item: Any,
        icon: int,
        active_data: Any,
        active_property: str,
        index: int = 0,
    ) -> None:
        self.draw_row(context, layout, item, index)  # type: ignore[attr-defined]


def draw_text(layout: UILayout, text: str, icon: str = "NONE") -> None:
    """A text over as many lines as it needs; Blender cuts what is too long for one."""
    for place, line in enumerate(_lines(shown(text), room(MARGIN), _font_size())):
        layout.label(text=line, icon=icon if place == 0 else "BLANK1" if icon != "NONE" else "NONE", translate=False)


def draw_list(layout: UILayout, texts: Iterable[str], most: int, icon: str) -> None:
    """Texts one beneath the other, and how many there are beyond ``most``."""
    texts = list(texts)
    for text in texts[:most]:
        draw_text(layout, text, icon)
    if len(texts) > most:
        layout.label(text=iface_("and {count} more").format(count=len(texts) - most), translate=False)


def draw_move_buttons(column: UILayout, operator: str, **options: Any) -> None:
    """Up and down, for the active row of a list."""
    column.separator()
    for icon, step in (("TRIA_UP", -1), ("TRIA_DOWN", 1)):
        button = column.operator(operator, text="", icon=icon)
        button.step = step
        for name, value in options.items():
            setattr(button, name, value)


def redraw_sidebars() -> None:
    """Draw the sidebars of all 3D views again."""
    for manager in bpy.data.window_managers:
        for window in manager.windows:
            for area in window.screen.areas:
                for region in area.regions if area.type == "VIEW_3D" else ():
                    if region.type == "UI":
                        region.tag_redraw()


def room(margin: float) -> int:
    """Pixels that the region being drawn has for a text.

    Args:
        margin: pixels at a scale of 1 that are taken up by other things.
    """
    scale = bpy.context.preferences.system.ui_scale
    width = bpy.context.region.width if bpy.context.region is not None else 0
    return int(max(NARROWEST * scale, width - margin * scale))


def has_room(text: str, margin: float) -> bool:
    """Whether a text fits into one line."""
    return _width(text, _font_size()) <= room(margin)


@lru_cache(maxsize=512)
def _lines(text: str, width: int, size: float) -> list[str]:
    return wrapped(text, lambda line: _width(line, size) <= width)


@lru_cache(maxsize=1024)
def _width(text: str, size: float) -> float:
    blf.size(FONT, size)
    return float(blf.dimensions(FONT, text)[0])


def _font_size() -> float:
    preferences = bpy.context.preferences
    return float(preferences.ui_styles[0].widget.points * preferences.system.ui_scale)
