# SPDX-License-Identifier: MIT
"""A user's hands and eyes, inside a Blender with a window: find a button, click it, press a key, take a picture.

Everything that waits is a generator: ``yield`` gives Blender so many seconds to handle events and draw.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeVar

import bpy

Result = TypeVar("Result")
Acts = Generator[float, None, Result]
Place = bpy.types.Area | bpy.types.Region

STEP = 12
"""Pixels between two places where a button is looked for; a button is 20 high."""
PAGES = 4
HEADER, TABS = 28, 25
"""Height of a closed panel, width of the tabs beside the panels; pixels."""
SETTLE_S = 0.1
COLOURS = 160


class NotSeenError(Exception):
    """What the story expects is not on the screen, or did not happen in time."""


class Hands:
    """Works in the first window's 3D view.

    Args:
        pictures: folder for the screenshots.
        open_panels: places of the panels that are open at first, from 0 at the top.
    """

    def __init__(self, pictures: Path, open_panels: set[int]) -> None:
        self.pictures = pictures
        self.open_panels = open_panels
        self._at = (0, 0)
        self._scrolled = 0

    @property
    def window(self) -> bpy.types.Window:
        return bpy.context.window_manager.windows[0]

    @property
    def area(self) -> bpy.types.Area:
        """The largest 3D view."""
        areas = [area for area in self.window.screen.areas if area.type == "VIEW_3D"]
        return max(areas, key=lambda area: area.width * area.height)

    @property
    def sidebar(self) -> bpy.types.Region:
        return next(region for region in self.area.regions if region.type == "UI")

    def move(self, x: int, y: int) -> Acts[None]:
        """Move the mouse; pixels from the window's lower left corner."""
        self.window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
        self._at = (x, y)
        yield 0.03

    def click(self, x: int, y: int, **modifiers: bool) -> Acts[None]:
        """A click with the left button."""
        yield from self.move(x, y)
        yield from self.press("LEFTMOUSE", **modifiers)

    def press(self, key: str, **modifiers: bool) -> Acts[None]:
        """A key or button, down and up, where the mouse is."""
        x, y = self._at
        for value in ("PRESS", "RELEASE"):
            self.window.event_simulate(type=key, value=value, x=x, y=y, **modifiers)
            yield 0.05
        yield SETTLE_S

    def over_view(self) -> Acts[None]:
        """The mouse into the middle of the 3D view, left of the sidebar."""
        area = self.area
        yield from self.move(area.x + area.width // 4, area.y + area.height // 2)

    def under_mouse(self) -> str:
        """The button beneath the mouse: an operator as ``bdfm.bake()``, a property as ``bdfm.start_frame``."""
        manager = bpy.context.window_manager
        with bpy.context.temp_override(window=self.window, area=self.area, region=self.sidebar):
            manager.clipboard = ""
            if bpy.ops.ui.copy_python_command_button.poll():
                bpy.ops.ui.copy_python_command_button()
            operator = manager.clipboard.removeprefix("bpy.ops.")
            found = bpy.context.property if not operator else None
        return operator or (found[1] if found else "")

    def find(self, button: str, across: float = 0.5) -> Acts[None]:
        """Move the mouse onto a button of the sidebar: what is seen now, from top to bottom, then what is further down.

        Args:
            button: how its operator's call or its property's path begins.
            across: where in the sidebar's width, 0 to 1.

        Raises:
            NotSeenError: it is not there.
        """
        region = self.sidebar
        x = region.x + int((region.width - TABS) * across)
        for _ in range(PAGES):
            for y in range(region.y + region.height - 8, region.y + 8, -STEP):
                yield from self.move(x, y)
                if self.under_mouse().startswith(button):
                    return
            yield from self.scroll(12)
        raise NotSeenError(f"There is no button {button!r} in the sidebar.")

    def scroll(self, clicks: int) -> Acts[None]:
        """Turn the wheel over the sidebar; positive: further down."""
        region = self.sidebar
        yield from self.move(region.x + region.width // 2, region.y + region.height // 2)
        for _ in range(abs(clicks)):
            yield from self.press("WHEELDOWNMOUSE" if clicks > 0 else "WHEELUPMOUSE")
        self._scrolled += clicks

    def to_top(self) -> Acts[None]:
        """Back to where the sidebar begins. A wheel with nothing to scroll would zoom the view."""
        yield from self.scroll(-self._scrolled)

    def open_panel(self, place: int) -> Acts[None]:
        """Close the panels that are open, from the top, and open one, by their headers.

        Args:
            place: its place among the panels of the tab, from 0.
        """
        region = self.sidebar
        x, top = region.x + region.width // 2, region.y + region.height - HEADER // 2
        yield from self.to_top()
        for header in [*sorted(self.open_panels), place]:
            yield from self.click(x, top - header * HEADER)
            yield 0.5
        self.open_panels = {place}

    def click_button(self, button: str, across: float = 0.5) -> Acts[None]:
        """Find a button of the sidebar and click it."""
        yield from self.find(button, across)
        yield from self.press("LEFTMOUSE")

    def until(self, happened: Callable[[], Any], limit_s: float, what: str) -> Acts[None]:
        """Wait for something.

        Raises:
            NotSeenError: it has not happened in time.
        """
        end = time.monotonic() + limit_s
        while not happened():
            if time.monotonic() > end:
                raise NotSeenError(f"Not within {limit_s:.0f} s: {what}.")
            yield 0.05

    def show_tab(self, name: str) -> Acts[None]:
        """Open the sidebar at a tab. It has no tabs until it has been drawn."""
        drawn: list[bool] = []
        space = bpy.types.SpaceView3D
        handler = space.draw_handler_add(drawn.append, (True,), "UI", "POST_PIXEL")
        self.area.spaces[0].show_region_ui = True
        yield from self.until(lambda: drawn, 60, "the sidebar is drawn")
        space.draw_handler_remove(handler, "UI")
        self.sidebar.active_panel_category = name
        self.area.tag_redraw()
        yield 1.0

    def picture(self, name: str, of: Place | None = None) -> Acts[None]:
        """Save a screenshot of an area or a region, or of the whole window, once all is drawn."""
        yield 0.6
        self.save(name, of)

    def save(self, name: str, of: Place | None = None) -> None:
        """Save a screenshot of what is drawn now."""
        width, height = self.window.width, self.window.height
        x, y, w, h = (of.x, of.y, of.width, of.height) if of is not None else (0, 0, width, height)
        path = self.pictures / f"{name}.png"
        shot = ["import", "-window", "root", "-crop", f"{w}x{h}+{x}+{height - y - h}", "+repage", "-strip"]
        subprocess.run([*shot, "+dither", "-colors", str(COLOURS), f"png8:{path}"], check=True)
