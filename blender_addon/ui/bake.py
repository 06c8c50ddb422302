# SPDX-License-Identifier: GPL-3.0-or-later
"""Baking the loaded take onto every selected character."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from uuid import uuid4

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_
from bpy.types import Context, Scene

from bdfm_infer.errors import BdfmError

from ..blender.bake import BakeReport, bake_steps
from ..blender.rig import Character
from ..blender.rig_choice import Choice
from ..blender.texts import artist_text
from ..core.paths import shown
from ..core.performance import Performance
from ..core.timing import SceneTime
from . import preview
from .bake_settings import bake_options, take_time
from .characters import choose_mapping, is_selected, selected_characters
from .stepped import SteppedOperator, Steps
from .takes import scene_performance

last_reports: list[BakeReport] = []
"""What the last bake did."""
_mark = ""
"""Of the last bake; its scene bears the same, until an undo takes both back."""


def shown_reports(scene: Scene) -> list[BakeReport]:
    """What the last bake did, for the panel. None where it was undone, or was done in another scene or file."""
    return last_reports if scene.bdfm.bake.mark == _mark else []


class BDFM_OT_bake(SteppedOperator):
    """Bake the take onto every selected character. Esc stops"""

    bl_idname = "bdfm.bake"
    bl_label = "Bake"

    _refused: list[str]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not context.scene.bdfm.take:
            cls.poll_message_set(tip_("Capture a video or load a take first"))
            return False
        return is_selected(cls, context)

    def start(self, context: Context) -> tuple[Steps, int] | None:
        preview.stop()
        last_reports.clear()
        self._refused = []
        try:
            performance, clock = scene_performance(context.scene), take_time(context.scene)
            characters = selected_characters(context)
        except BdfmError as error:
            self.report({"ERROR"}, artist_text(error))
            return None

        def steps() -> Steps:
            for number, character in enumerate(characters):
                with closing(self._bake(context, performance, character, clock)) as shares:
                    for share in shares:
                        yield number + share

        return steps(), len(characters)

    def _bake(
        self, context: Context, performance: Performance, character: Character, clock: SceneTime
    ) -> Generator[float, None, None]:
        choice = choose_mapping(context.scene, character)
        try:
            mapping = choice.mapping
            report = yield from bake_steps(performance, character, mapping, clock, bake_options(context.scene))
        except BdfmError as error:
            self._refused.append(artist_text(error))
        else:
            self._tell(report, choice)

    def finish(self, context: Context) -> set[str]:
        global _mark
        if last_reports:
            context.scene.bdfm.bake.mark = _mark = uuid4().hex
        for reason in self._refused:
            self.report({"WARNING"} if last_reports else {"ERROR"}, reason)
        return {"FINISHED"} if last_reports else {"CANCELLED"}

    def _tell(self, report: BakeReport, choice: Choice) -> None:
        last_reports.append(report)
        self.report(
            {"INFO"},
            rpt_("{character}: {curves} channels, {written} keys by {mapping}").format(
                character=report.character, curves=report.curves, written=report.written, mapping=report.mapping
            ),
        )
        if len(choice.fits) > 1:
            others = ", ".join(fit.mapping.id for fit in choice.fits[1:])
            self.report(
                {"WARNING"},
                rpt_("{character}: {others} fits as well. Choose by hand if it looks wrong.").format(
                    character=report.character, others=others
                ),
            )
        for warning in report.warnings:
            self.report({"WARNING"}, shown(warning))
        if report.missing:
            self.report(
                {"WARNING"},
                rpt_("{character}: {count} targets not found, see Characters").format(
                    character=report.character, count=len(report.missing)
                ),
            )


CLASSES = (BDFM_OT_bake,)
