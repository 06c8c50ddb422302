# SPDX-License-Identifier: GPL-3.0-or-later
"""One press that bakes onto many characters, and the panel for it."""

from __future__ import annotations

from contextlib import closing
from functools import partial

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_
from bpy.types import Context, UILayout

from bdfm_infer.errors import BdfmError

from ..blender.batch import Outcome, run
from ..blender.texts import artist_text
from ..core.paths import shown
from . import preview
from .bake_settings import bake_options, take_time
from .batch_lists import STATUS_ICONS, BDFM_PG_batch, BDFM_PG_batch_character, draw_buttons, draw_character, listed_jobs
from .characters import choose_mapping
from .sidebar import SidebarPanel, draw_list, draw_text
from .stepped import SteppedOperator, Steps, draw_operator
from .takes import scene_performance

MAX_FAILED = 8


class BDFM_OT_batch_bake(SteppedOperator):
    """Bake onto every character of the list, with the settings of the panel Bake. One undo step takes all of it back"""

    bl_idname = "bdfm.batch_bake"
    bl_label = "Bake All"

    @classmethod
    def poll(cls, context: Context) -> bool:
        settings = context.scene.bdfm
        if not settings.batch.characters:
            cls.poll_message_set(tip_("Add characters to the list first"))
        elif settings.batch.pairing == "PAIRS" and not settings.batch.takes:
            cls.poll_message_set(tip_("Add takes to the list first"))
        elif settings.batch.pairing == "ALL" and not settings.take:
            cls.poll_message_set(tip_("Capture a video or load a take first"))
        else:
            return True
        return False

    def start(self, context: Context) -> tuple[Steps, int] | None:
        preview.stop()
        scene = context.scene
        batch = scene.bdfm.batch
        try:
            if batch.pairing == "ALL":
                scene_performance(scene)
            clock = take_time(scene)
        except BdfmError as error:
            self.report({"ERROR"}, artist_text(error))
            return None
        for item in batch.characters:
            item.status, item.message = "WAITING", ""
        if batch.pairing == "PAIRS" and len(batch.takes) > len(batch.characters):
            self.report(
                {"WARNING"},
                rpt_("{count} takes have no character").format(count=len(batch.takes) - len(batch.characters)),
            )

        def steps() -> Steps:
            choose, done = partial(choose_mapping, scene), 0
            with closing(run(listed_jobs(scene), scene, choose, clock, bake_options(scene))) as found:
                for step in found:
                    if isinstance(step, Outcome):
                        _keep(batch.characters[done], step)
                        done, step = done + 1, 0.0
                    yield done + step

        return steps(), len(batch.characters)

    def finish(self, context: Context) -> set[str]:
        items = context.scene.bdfm.batch.characters
        failed = [item for item in items if item.status == "FAILED"]
        baked = sum(item.status in ("BAKED", "WARNED") for item in items)
        for item in failed:
            self.report({"WARNING"} if baked else {"ERROR"}, item.message)
        self.report({"INFO"}, rpt_("{baked} of {count} characters baked").format(baked=baked, count=len(items)))
        return {"FINISHED"} if baked else {"CANCELLED"}


class BDFM_PT_batch(SidebarPanel, bpy.types.Panel):
    bl_label = "Batch"
    bl_order = 40
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        draw_batch(self.layout, context)


def draw_batch(layout: UILayout, context: Context) -> None:
    """The lists, and beneath them what :func:`draw_state` shows."""
    batch = context.scene.bdfm.batch
    layout.row().prop(batch, "pairing", expand=True)
    draw_buttons(layout, batch, "characters", "BDFM_UL_batch_characters", "bdfm.batch_add_characters")
    active = _active(batch)
    if active is not None:
        draw_character(layout, active)
    if batch.pairing == "PAIRS":
        draw_buttons(layout, batch, "takes", "BDFM_UL_batch_takes", "bdfm.batch_add_takes")
    draw_state(layout, batch)


def draw_state(layout: UILayout, batch: BDFM_PG_batch) -> None:
    """The button or its progress, what the last bake says of the active character, and what failed."""
    draw_operator(layout, BDFM_OT_batch_bake)
    column, active = layout.column(align=True), _active(batch)
    if active is not None and active.status == "WARNED":
        draw_text(column, f"{active.called}: {active.message}", STATUS_ICONS[active.status])
    failed = [item.message for item in batch.characters if item.status == "FAILED"]
    draw_list(column, failed, MAX_FAILED, STATUS_ICONS["FAILED"])


def _keep(item: BDFM_PG_batch_character, outcome: Outcome) -> None:
    messages = [outcome.reason] if outcome.report is None else outcome.warnings
    item.message = shown(" ".join(messages))
    item.status = "FAILED" if outcome.report is None else "WARNED" if messages else "BAKED"


def _active(batch: BDFM_PG_batch) -> BDFM_PG_batch_character | None:
    index = batch.characters_active
    return batch.characters[index] if 0 <= index < len(batch.characters) else None


CLASSES = (BDFM_OT_batch_bake, BDFM_PT_batch)
