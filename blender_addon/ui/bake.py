# SPDX-License-Identifier: GPL-3.0-or-later
"""Baking the loaded take onto every selected character."""

from __future__ import annotations

import time

import bpy

from bdfm_infer.errors import BdfmError

from ..blender.bake import BakeReport, bake, scene_time
from ..blender.rig import Character, characters_in, read_rig
from ..blender.rig_choice import Choice, choice_of
from ..core.performance import Performance
from .preferences import library
from .takes import LoadedTake, scene_take

CACHE_S = 1.0

last_reports: list[BakeReport] = []
"""What the last bake did, for the panel."""


def choose_mapping(context: bpy.types.Context, character: Character) -> Choice:
    """The mapping that the artist named, for the character or for all, or the one that fits its names best."""
    return choice_of(character, read_rig(character), library(context), context.scene.bdfm.mapping)


_choices: tuple[object, float, list[Choice]] = (None, 0.0, [])


def choices_for_panel(context: bpy.types.Context) -> list[Choice]:
    """The selected characters with their mappings. Looked up once a second at most: a panel draws far more often."""
    global _choices
    key = (context.scene.name, context.scene.bdfm.mapping, tuple(item.name for item in context.selected_objects))
    if _choices[0] != key or time.monotonic() - _choices[1] > CACHE_S:
        characters = characters_in(context.selected_objects, context.scene)
        _choices = (key, time.monotonic(), [choose_mapping(context, character) for character in characters])
    return _choices[2]


class BDFM_OT_bake(bpy.types.Operator):
    """Bake the take onto every selected character, as a new action each. Old actions are kept"""

    bl_idname = "bdfm.bake"
    bl_label = "Bake"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not context.scene.bdfm.take:
            cls.poll_message_set("Capture a video or load a take first")
            return False
        if not context.selected_objects:
            cls.poll_message_set("Select the characters")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        last_reports.clear()
        try:
            take = scene_take(context.scene)
        except BdfmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        characters = characters_in(context.selected_objects, context.scene)
        if not characters:
            self.report({"ERROR"}, "Nothing selected is a character. Select an armature or a mesh with shape keys.")
            return {"CANCELLED"}
        refused = [reason for character in characters if (reason := self._bake(context, take, character))]
        for reason in refused:
            self.report({"WARNING"} if last_reports else {"ERROR"}, reason)
        return {"FINISHED"} if last_reports else {"CANCELLED"}

    def _bake(self, context: bpy.types.Context, take: LoadedTake, character: Character) -> str | None:
        """Bake one character. Returns why it was refused."""
        choice = choose_mapping(context, character)
        if not choice.fits:
            return choice.reason
        settings = context.scene.bdfm
        time_of_scene = scene_time(context.scene, settings.start_frame)
        try:
            performance = Performance.from_take(take.take, take.name)
            report = bake(performance, character, choice.fits[0].mapping, time_of_scene)
        except BdfmError as error:
            return str(error)
        last_reports.append(report)
        self.report({"INFO"}, f"{report.character}: {report.curves} channels, {report.keys} keys by {report.mapping}")
        if len(choice.fits) > 1:
            others = ", ".join(fit.mapping.id for fit in choice.fits[1:])
            self.report({"WARNING"}, f"{report.character}: {others} fits as well. Choose by hand if it looks wrong.")
        for warning in report.warnings:
            self.report({"WARNING"}, warning)
        if report.missing:
            self.report({"WARNING"}, f"{report.character}: {len(report.missing)} targets missing, listed in the panel")
        return None


CLASSES = (BDFM_OT_bake,)
