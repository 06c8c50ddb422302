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

STEP = 18
"""Pixels between two places where a button is looked for."""
PAGES = 4
HEADER, SUB_HEADER, TABS = 28, 26, 25
"""Height of a closed panel and of one within another, width of the tabs beside the panels; pixels."""
BUTTON, GAP = 20, 32
"""Height of a button; from the middle of a panel's last one to that of its first sub-panel's header."""
RIGHT_HALF = 0.75
SETTLE_S = 0.1
COLOURS = 160
TOP = 3
"""How many headers from the upper edge a panel is shown from that was scrolled to."""
KEYS = {" ": "SPACE", ".": "PERIOD"} | {
    str(digit): name
    for digit, name in enumerate(("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"))
}
"""Keys that are not called as what they write."""


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
    def place(self) -> tuple[int, int]:
        """Where the mouse is, pixels from the window's lower left corner."""
        return self._at

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
        for _ in range(2):  # at the first event Blender leaves the button it was over, at the next it enters this one
            yield 0.02

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
            for copy in (bpy.ops.ui.copy_python_command_button, bpy.ops.ui.copy_data_path_button):
                if not manager.clipboard and copy.poll():
                    copy()
        return manager.clipboard.removeprefix("bpy.ops.")

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
                if self.under_mouse().startswith(button) and (yield from self._settle_on(button, x, y)):
                    return
            yield from self.scroll(12)
        raise NotSeenError(f"There is no button {button!r} in the sidebar.")

    def _settle_on(self, button: str, x: int, y: int) -> Acts[bool]:
        """Where Blender is slow, it has seen a button at the place before this one."""
        for place in (y, y + STEP):
            yield from self.move(x, place)
            yield SETTLE_S
            if self.under_mouse().startswith(button):
                return True
        return False

    def scroll(self, clicks: int) -> Acts[bool]:
        """Turn the wheel over the sidebar; positive: further down. Returns whether all of it was to be scrolled.

        A wheel with nothing to scroll zooms the view, which is put back.
        """
        region, view = self.sidebar, self.area.spaces[0].region_3d
        yield from self.move(region.x + region.width // 2, region.y + region.height // 2)
        for _ in range(abs(clicks)):
            zoom = view.view_camera_zoom
            yield from self.press("WHEELDOWNMOUSE" if clicks > 0 else "WHEELUPMOUSE")
            if view.view_camera_zoom != zoom:
                view.view_camera_zoom = zoom
                return False
            self._scrolled += 1 if clicks > 0 else -1
        return True

    def to_top(self) -> Acts[None]:
        """Back to where the sidebar begins."""
        yield from self.scroll(-max(0, self._scrolled))
        self._scrolled = 0

    def bring_up(self, button: str, across: float = 0.5) -> Acts[None]:
        """Scroll down until a button stands high in the sidebar, or there is nothing left to scroll."""
        region, seen = self.sidebar, -1
        yield from self.find(button, across)
        while self._at[1] < region.y + region.height - TOP * HEADER and self._at[1] != seen:
            seen = self._at[1]
            if not (yield from self.scroll(1)):
                break
            yield from self.find(button, across)

    def is_drawn(self, panel: str) -> Acts[bool]:
        """Whether a panel is unfolded, wherever it is scrolled to."""
        drawn: list[str] = []

        def note(self: bpy.types.Panel, context: bpy.types.Context) -> None:
            drawn.append(panel)

        cls = getattr(bpy.types, panel)
        cls.append(note)
        yield from self.drawing()
        cls.remove(note)
        return bool(drawn)

    def fold(self, panel: str, below: str, place: int, is_open: bool = True, gap: int = GAP) -> Acts[None]:
        """Open or close a sub-panel by its header.

        Args:
            panel: name of its class.
            below: a field or button above it, see :meth:`find`.
            place: how many closed sub-panels are in between.
            is_open: how it is in the end.
            gap: pixels from the button to the first sub-panel.

        Raises:
            NotSeenError: the header is not there.
        """
        if (yield from self.is_drawn(panel)) == is_open:
            return
        yield from self.to_top()
        yield from self.find(below, RIGHT_HALF)
        if self._at[1] < self.sidebar.y + self.sidebar.height // 2:
            yield from self.bring_up(below, RIGHT_HALF)
        x, y = self._at
        while self.under_mouse().startswith(below):
            y += 2
            yield from self.move(x, y)
        yield from self.click(x, y - BUTTON // 2 - gap - place * SUB_HEADER)
        if (yield from self.is_drawn(panel)) != is_open:
            raise NotSeenError(f"There is no header of {panel} beneath {below!r}.")

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

    def enter(self, button: str, text: str, across: float = 0.5) -> Acts[None]:
        """Write into a field of the sidebar, in place of what it holds."""
        yield from self.find(button, across)
        yield from self.press("RET")
        yield from self.type(text)

    def type(self, text: str) -> Acts[None]:
        """Write, and press Enter."""
        x, y = self._at
        yield SETTLE_S
        for letter in text:
            key = KEYS.get(letter, letter.upper())
            self.window.event_simulate(type=key, value="PRESS", unicode=letter, x=x, y=y)
            self.window.event_simulate(type=key, value="RELEASE", x=x, y=y)
            yield 0.05
        yield SETTLE_S
        yield from self.press("RET")

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

    def drawing(self, times: int = 2) -> Acts[None]:
        """Wait until the sidebar is drawn anew, so that what was clicked before is seen."""
        drawn: list[bool] = []
        space = bpy.types.SpaceView3D
        handler = space.draw_handler_add(drawn.append, (True,), "UI", "POST_PIXEL")
        for number in range(1, times + 1):
            self.area.tag_redraw()
            yield from self.until(lambda: len(drawn) >= number, 60, "the sidebar is drawn")  # noqa: B023
        space.draw_handler_remove(handler, "UI")

    def show_tab(self, name: str) -> Acts[None]:
        """Open the sidebar at a tab. It has no tabs until it has been drawn."""
        self.area.spaces[0].show_region_ui = True
        yield from self.drawing(1)
        self.sidebar.active_panel_category = name
        self.show_overlap(False)
        yield from self.drawing()

    def picture(self, name: str, of: Place | None = None) -> Acts[None]:
        """Save a screenshot of an area or a region, or of the whole window, once all is drawn."""
        self.show_overlap(True)
        yield from self.drawing()
        yield 0.6
        self.save(name, of)
        self.show_overlap(False)
        yield from self.drawing()

    def show_overlap(self, is_shown: bool) -> None:
        """Whether the sidebar lies over the 3D view, as Blender has it by itself: both are then drawn together."""
        bpy.context.preferences.system.use_region_overlap = is_shown

    def save(self, name: str, of: Place | None = None) -> None:
        """Save a screenshot of what is drawn now."""
        width, height = self.window.width, self.window.height
        x, y, w, h = (of.x, of.y, of.width, of.height) if of is not None else (0, 0, width, height)
        path = self.pictures / f"{name}.png"
        shot = ["import", "-window", "root", "-crop", f"{w}x{h}+{x}+{height - y - h}", "+repage", "-strip"]
        subprocess.run([*shot, "+dither", "-colors", str(COLOURS), f"png8:{path}"], check=True)
