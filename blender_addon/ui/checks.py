# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""Checks before the bake, pressed by the artist, with a button that mends each kind of finding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, UILayout

from bdfm_infer.errors import BdfmError

from ..blender.checks import MENDS, strongest_values
from ..blender.finding import Finding
from ..blender.mends import override_of
from ..blender.plan import finished, plan_steps
from ..blender.rig import Character
from ..blender.texts import artist_text
from ..core.performance import Performance
from ..core.timing import SceneTime
from . import preview
from .bake_settings import bake_options, take_time
from .characters import choose_mapping, find_character, forget_rows, is_selected, listed, selected_characters
from .operators import ReportingOperator
from .sidebar import SidebarPanel, draw_list, draw_text
from .takes import loaded_take, scene_performance

MAX_CHECKED = 50
"""Characters that one press checks; each takes some hundredths of a second."""
MAX_TEXTS = 3
MAX_CHARACTERS = 8
MIRRORED = "mirrored"


@dataclass
class Checked:
    """What a check found on one character, as plain data.

    Attributes:
        texts: of each kind of finding.
        blocking: kinds because of which a bake is refused.
    """

    texts: dict[str, list[str]] = field(default_factory=dict)
    blocking: set[str] = field(default_factory=set)


last_checks: dict[str, Checked] = {}
"""The last check of each character by its top object's full name, for the panel."""


@bpy.app.handlers.persistent
def forget_checks(*_: object) -> None:
    """After a file was opened, an undo or a redo: what was found need not be there any more."""
    last_checks.clear()
    forget_rows()


def check(context: Context, character: Character) -> list[Finding]:
    """Everything that a bake with the scene's options would meet on a character, with the loaded take or, without one,
    any. What NLA strips do is not added, for which the scene would have to be played.

    Raises:
        BdfmError: no mapping fits it, or nothing of the take is left to bake.
    """
    mapping, options = choose_mapping(context.scene, character).mapping, bake_options(context.scene)
    if loaded_take(context.scene) is not None:
        performance, clock = scene_performance(context.scene), take_time(context.scene)
    else:
        values = strongest_values()
        performance, clock = Performance("", np.arange(len(values), dtype=float), values), SceneTime(fps=1)
        options = replace(options, additive=False, first=None, last=None)
    return finished(plan_steps(performance, character, mapping, clock, options, play_strips=False)).findings


def _remember(name: str, found: Iterable[Finding]) -> None:
    last_checks[name] = checked = Checked()
    for finding in found:
        texts = checked.texts.setdefault(finding.kind, [])
        if finding.text not in texts:
            texts.append(finding.text)
        if finding.blocks:
            checked.blocking.add(finding.kind)


class BDFM_OT_check(ReportingOperator):
    """Look for what a bake onto the selected characters would meet"""

    bl_idname = "bdfm.check"
    bl_label = "Check Characters"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        return is_selected(cls, context)

    def run(self, context: Context) -> None:
        last_checks.clear()
        characters = selected_characters(context)
        with preview.aside():
            for character in characters[:MAX_CHECKED]:
                try:
                    _remember(character.top.name_full, check(context, character))
                except BdfmError as error:
                    self.report({"WARNING"}, artist_text(error))
        count = sum(len(texts) for checked in last_checks.values() for texts in checked.texts.values())
        self.report(
            {"INFO"},
            rpt_("{checked} of {selected} characters checked, {findings} findings").format(
                checked=len(last_checks), selected=len(characters), findings=count
            ),
        )


class BDFM_OT_mend(ReportingOperator):
    """Mend all findings of this kind on this character"""

    bl_idname = "bdfm.mend"
    bl_label = "Mend"

    character: bpy.props.StringProperty(name="Character", options={"SKIP_SAVE"})
    kind: bpy.props.EnumProperty(name="Kind", items=[(kind, label, "") for kind, label in MENDS.items()])

    def run(self, context: Context) -> None:
        with preview.aside():
            self._mend(context)

    def _mend(self, context: Context) -> None:
        character = find_character(context, self.character)
        refused: list[str] = []
        mended = 0
        for finding in check(context, character):
            if finding.kind == self.kind and finding.mend is not None:
                try:
                    finding.mend()
                    mended += 1
                except (BdfmError, RuntimeError) as error:
                    refused.append(artist_text(error))
        if refused and not mended:
            raise BdfmError(refused[0])
        for text in refused:
            self.report({"WARNING"}, text)
        forget_rows()
        last_checks.pop(character.top.name_full, None)
        top = (override_of(character.top) if self.kind == "linked" else None) or character.top
        again = find_character(context, top.name_full)
        for item in again.objects:
            item.update_tag()
        _remember(top.name_full, check(context, again))


class BDFM_PT_checks(SidebarPanel, bpy.types.Panel):
    bl_label = "Checks"
    bl_parent_id = "BDFM_PT_characters"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 2

    def draw(self, context: Context) -> None:
        draw_checks(self.layout, context)


def draw_checks(layout: UILayout, context: Context) -> None:
    """What the last check found on the characters that are selected, with what mends it."""
    layout.operator("bdfm.check", icon="VIEWZOOM")
    checked_names = [name for name in listed(context).names if name in last_checks]
    for name in checked_names[:MAX_CHARACTERS]:
        checked = last_checks[name]
        box = layout.box().column(align=True)
        box.label(text=name, icon="USER", translate=False)
        if not checked.texts:
            box.label(text="Nothing in the way", icon="CHECKMARK")
        for kind, texts in checked.texts.items():
            draw_list(box, texts, MAX_TEXTS, "CANCEL" if kind in checked.blocking else "ERROR")
            if kind in MENDS:
                mend = box.operator("bdfm.mend", text=iface_(MENDS[kind]), icon="TOOL_SETTINGS", translate=False)
                mend.character, mend.kind = name, kind
            elif kind == MIRRORED:
                box.operator("bdfm.swap_sides", icon="ARROW_LEFTRIGHT").character = name
    more = len(checked_names) - MAX_CHARACTERS
    if more > 0:
        draw_text(layout, iface_("and {count} more characters").format(count=more))


CLASSES = (BDFM_OT_check, BDFM_OT_mend, BDFM_PT_checks)
