# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""The gains of one character, in the panels Characters and Batch."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, Object, UILayout

from bdfm_infer.errors import BdfmError
from bdfm_infer.parameters import ACTION_UNITS, ROTATION

from ..blender.gains import BDFM_PG_gains, gains_of
from ..blender.rig import object_named
from ..blender.rig_choice import ChoiceError, why_not_kept
from .edit import row_label
from .operators import ReportingOperator
from .sidebar import draw_list, draw_text
from .values import unit_label

BESIDE = 130
"""Pixels at a scale of 1 of the tabs, of a box, and of the number in a slider."""
MOST_WRITTEN = 6


def draw_gains(layout: UILayout, top: Object) -> None:
    """The gain of all, of each action unit, of the head's turns."""
    _draw_all(layout, top)
    _draw_each(layout, top)


def draw_folded_gains(layout: UILayout, top: Object, settings: bpy.types.PropertyGroup) -> None:
    """The gain of all, and the others where ``settings.show_gains`` opens them; else those that are not 1."""
    _draw_all(layout, top)
    shown = settings.show_gains
    fold = layout.row()
    fold.alignment = "LEFT"
    fold.prop(settings, "show_gains", icon="TRIA_DOWN" if shown else "TRIA_RIGHT", emboss=False)
    if shown:
        _draw_each(layout, top)
    else:
        draw_summary(layout, top, with_overall=False)


def draw_summary(layout: UILayout, top: Object, with_overall: bool = True) -> None:
    """The gains that are not 1, a line each; nothing where all are."""
    gains = gains_of(top)
    texts = [f"{iface_('Gain')} {gains.overall:.2f}"] if with_overall and gains.overall != 1 else []
    names = ACTION_UNITS | {name: name.title() for name in ROTATION}
    texts += [f"{unit_label(name, names[name])} {gain:.2f}" for name, gain in gains.own.items()]
    draw_list(layout, texts, MOST_WRITTEN, "DOT")


def _draw_all(layout: UILayout, top: Object) -> None:
    reason = why_not_kept(top)
    row = layout.row(align=True)
    row.enabled = not reason
    row.prop(top.bdfm_gains, "overall")
    row.operator("bdfm.reset_gains", text="", icon="LOOP_BACK").character = top.name_full
    if reason:
        draw_text(layout, reason, "INFO")


def _draw_each(layout: UILayout, top: Object) -> None:
    column, label = layout.column(align=True), row_label(BESIDE)
    column.enabled = not why_not_kept(top)
    for name, meaning in ACTION_UNITS.items():
        column.prop(top.bdfm_gains, name, text=label(name, meaning), slider=True, translate=False)
    column.label(text="Size of the Head's Turns")
    for name in ROTATION:
        column.prop(top.bdfm_gains, name)


class BDFM_OT_reset_gains(ReportingOperator):
    """Make all gains of this character 1"""

    bl_idname = "bdfm.reset_gains"
    bl_label = "Reset Gains"

    character: bpy.props.StringProperty(name="Character", options={"SKIP_SAVE"})

    def run(self, context: Context) -> None:
        top = object_named(context.scene, self.character)
        if top is None:
            raise BdfmError(
                rpt_("{character!r} is not in this scene any more. Select the character again.").format(
                    character=self.character
                )
            )
        reason = why_not_kept(top)
        if reason:
            raise ChoiceError(reason)
        top.bdfm_gains.reset()


CLASSES = (BDFM_PG_gains, BDFM_OT_reset_gains)
