# SPDX-License-Identifier: GPL-3.0-or-later
"""Baking the loaded take onto every selected character."""

from __future__ import annotations

import time

import bpy

from bdfm_infer.errors import BdfmError

from ..blender.bake import BakeReport, bake
from ..blender.rig_choice import Choice
from ..core.errors import NoMappingError
from . import preview
from .bake_settings import bake_options, take_time
from .characters import choose_mapping, is_selected, selected_characters
from .takes import scene_performance

SILENT_S = 0.5
"""A bake that takes no longer shows no progress."""

last_reports: list[BakeReport] = []
"""What the last bake did, for the panel."""


class Progress:
    """The number beside the mouse pointer, once the work has taken half a second.

    Args:
        parts: number of parts of equal weight that the work has.

    Attributes:
        percent: of the work that is done.
        shown: whether the number is there.
    """

    def __init__(self, window_manager: bpy.types.WindowManager, parts: int) -> None:
        self.percent = 0
        self.shown = False
        self._window_manager = window_manager
        self._parts = parts
        self._done = 0
        self._begun = time.monotonic()

    def show(self, share: float) -> None:
        """How much of the part at hand is done, 0 to 1."""
        self.percent = round(100 * (self._done + share) / self._parts)
        if not self.shown and time.monotonic() - self._begun > SILENT_S:
            self._window_manager.progress_begin(0, 100)
            self.shown = True
        if self.shown:
            self._window_manager.progress_update(self.percent)

    def next(self) -> None:
        """The part at hand is done."""
        self._done += 1
        self.show(0.0)

    def end(self) -> None:
        """Take the number away."""
        if self.shown:
            self._window_manager.progress_end()
            self.shown = False


class BDFM_OT_bake(bpy.types.Operator):
    """Bake the take onto every selected character"""

    bl_idname = "bdfm.bake"
    bl_label = "Bake"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not context.scene.bdfm.take:
            cls.poll_message_set("Capture a video or load a take first")
            return False
        return is_selected(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        preview.stop()
        last_reports.clear()
        try:
            performance, clock = scene_performance(context.scene), take_time(context.scene)
            characters = selected_characters(context)
        except BdfmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        options, refused = bake_options(context.scene), []
        progress = Progress(context.window_manager, len(characters))
        try:
            for character in characters:
                choice = choose_mapping(context, character)
                try:
                    if not choice.fits:
                        raise NoMappingError(choice.reason)
                    mapping = choice.fits[0].mapping
                    self._tell(bake(performance, character, mapping, clock, options, progress.show), choice)
                except BdfmError as error:
                    refused.append(str(error))
                progress.next()
        finally:
            progress.end()
        for reason in refused:
            self.report({"WARNING"} if last_reports else {"ERROR"}, reason)
        return {"FINISHED"} if last_reports else {"CANCELLED"}

    def _tell(self, report: BakeReport, choice: Choice) -> None:
        last_reports.append(report)
        self.report(
            {"INFO"}, f"{report.character}: {report.curves} channels, {report.written} keys by {report.mapping}"
        )
        if len(choice.fits) > 1:
            others = ", ".join(fit.mapping.id for fit in choice.fits[1:])
            self.report({"WARNING"}, f"{report.character}: {others} fits as well. Choose by hand if it looks wrong.")
        for warning in report.warnings:
            self.report({"WARNING"}, warning)
        if report.missing:
            self.report({"WARNING"}, f"{report.character}: {len(report.missing)} targets not found, see Characters")


CLASSES = (BDFM_OT_bake,)
