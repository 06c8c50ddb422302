# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""Capture Pose as AU: the artist poses the character for each action unit, and the pose becomes its targets."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import bpy.utils.previews
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_
from bpy.types import Context, UILayout

from bdfm_infer.errors import BdfmError
from bdfm_infer.parameters import ACTION_UNITS, AU_NAMES

from ..blender import pose_capture
from ..blender.rig import Character
from ..blender.texts import artist_text
from ..core.errors import AddonError, NoMappingError
from . import preview
from .characters import find_character
from .mapping import begin_blank
from .mapping_panel import draw_head_bone
from .operators import ReportingOperator
from .own_mapping import BDFM_PG_own_mapping, edited_character
from .sidebar import SidebarPanel, draw_text

PICTURES = Path(__file__).resolve().parent.parent / "pictures"
PICTURE_SCALE = 7.0
MAX_NOTES = 3

_pictures: bpy.utils.previews.ImagePreviewCollection | None = None


def picture_of(unit: str) -> bpy.types.ImagePreview:
    """An action unit's picture. Read from disk once."""
    global _pictures
    if _pictures is None:
        _pictures = bpy.utils.previews.new()
    if unit not in _pictures:
        _pictures.load(unit, str(PICTURES / f"{unit}.png"), "IMAGE")
    return _pictures[unit]


def forget_pictures() -> None:
    """Give the pictures back to Blender."""
    global _pictures
    if _pictures is not None:
        bpy.utils.previews.remove(_pictures)
        _pictures = None


def _rest(context: Context) -> Character:
    """Put the character back into its rest pose."""
    own, character = context.scene.bdfm.own_mapping, edited_character(context)
    pose_capture.put_back(character, own.rest)
    return character


def _show(context: Context, unit: str) -> None:
    """Go to an action unit: the character at rest, or posed as it was captured."""
    own, character = context.scene.bdfm.own_mapping, _rest(context)
    own.source = unit
    if own.active_target() is not None:
        try:
            pose_capture.strike(character, own.mapping(), unit)
        except NoMappingError:
            return


def _pose_unit(own: BDFM_PG_own_mapping) -> str:
    """The action unit to pose; the head's rotation is none."""
    return own.source if own.source in AU_NAMES else AU_NAMES[0]


class _WhilePosing(ReportingOperator):
    """Base of the operators that need the artist to be posing."""

    @classmethod
    def poll(cls, context: Context) -> bool:
        if not context.scene.bdfm.own_mapping.rest:
            cls.poll_message_set(tip_("Start posing first"))
            return False
        return True


class BDFM_OT_start_posing(ReportingOperator):
    """Pose the active character for each action unit, and capture the poses into a mapping"""

    bl_idname = "bdfm.start_posing"
    bl_label = "Pose Action Units"

    @classmethod
    def poll(cls, context: Context) -> bool:
        if context.scene.bdfm.own_mapping.rest:
            cls.poll_message_set(tip_("Posing has begun already"))
            return False
        return True

    def run(self, context: Context) -> None:
        own = context.scene.bdfm.own_mapping
        before = ""
        preview.stop()
        if own.document:
            character = edited_character(context)
            before = json.dumps([(target.source, target.content()) for target in own.targets])
        else:
            character = find_character(context, "")
            begin_blank(context, character)
            own.source = AU_NAMES[0]
        own.rest, own.before = pose_capture.keep(character), before
        _show(context, _pose_unit(own))


class BDFM_OT_capture_pose(_WhilePosing):
    """Make what differs from the rest pose the targets of this action unit, in place of those it had"""

    bl_idname = "bdfm.capture_pose"
    bl_label = "Capture Pose as AU"

    go_on: bpy.props.BoolProperty(
        name="Go On", description="Then go to the next action unit", default=True, options={"SKIP_SAVE"}
    )

    def run(self, context: Context) -> None:
        own, character = context.scene.bdfm.own_mapping, edited_character(context)
        unit = _pose_unit(own)
        result = pose_capture.capture(character, pose_capture.kept_pose(character, own.rest), own.mapping())
        if not result.targets:
            raise AddonError(
                rpt_(
                    "The character is in its rest pose. Pose it for {unit} first, or skip this action unit. "
                    "What a driver moves is left out: move what it reads."
                ).format(unit=unit)
            )
        kept = [(target.source, target.content()) for target in own.targets if target.source != unit]
        own.set_targets([*kept, *((unit, target) for target in result.targets)])
        self.report({"INFO"}, rpt_("{unit}: {count} targets").format(unit=unit, count=len(result.targets)))
        for note in result.notes[:MAX_NOTES]:
            self.report({"WARNING"}, note)
        if len(result.notes) > MAX_NOTES:
            self.report(
                {"WARNING"},
                rpt_("and {count} more that do not rest at zero").format(count=len(result.notes) - MAX_NOTES),
            )
        if self.go_on and unit != AU_NAMES[-1]:
            _show(context, AU_NAMES[AU_NAMES.index(unit) + 1])


class BDFM_OT_step_action_unit(_WhilePosing):
    """Go to another action unit without capturing this one"""

    bl_idname = "bdfm.step_action_unit"
    bl_label = "Step Action Unit"

    step: bpy.props.IntProperty(name="Step", default=1, options={"SKIP_SAVE"})

    def run(self, context: Context) -> None:
        place = AU_NAMES.index(_pose_unit(context.scene.bdfm.own_mapping)) + self.step
        _show(context, AU_NAMES[min(max(place, 0), len(AU_NAMES) - 1)])


class BDFM_OT_finish_posing(_WhilePosing):
    """Put the character back into its rest pose. The captured action units can then be saved as a mapping"""

    bl_idname = "bdfm.finish_posing"
    bl_label = "Finish Posing"

    def run(self, context: Context) -> None:
        own = context.scene.bdfm.own_mapping
        _end(self, context)
        own.rest = own.before = ""


class BDFM_OT_cancel_posing(_WhilePosing):
    """Put character and mapping back exactly as they were"""

    bl_idname = "bdfm.cancel_posing"
    bl_label = "Cancel Posing"

    def run(self, context: Context) -> None:
        own = context.scene.bdfm.own_mapping
        _end(self, context)
        if own.before:
            own.set_targets([(source, data) for source, data in json.loads(own.before)])
            own.rest = own.before = ""
        else:
            own.close()


def _end(operator: bpy.types.Operator, context: Context) -> None:
    """Put the character back; what is gone meanwhile is said, and stops nothing."""
    try:
        lost = pose_capture.put_back(edited_character(context), context.scene.bdfm.own_mapping.rest)
    except BdfmError as error:
        operator.report({"WARNING"}, artist_text(error))
        return
    if lost:
        operator.report(
            {"WARNING"}, rpt_("No longer there, so not put back: {names}").format(names=", ".join(lost[:5]))
        )


class BDFM_PT_posing(SidebarPanel, bpy.types.Panel):
    bl_label = "Capture Pose as AU"
    bl_parent_id = "BDFM_PT_characters"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 1

    def draw(self, context: Context) -> None:
        draw_posing(self.layout, context)


def draw_posing(layout: UILayout, context: Context) -> None:
    """The picture of the action unit to pose, and the way through all of them."""
    own = context.scene.bdfm.own_mapping
    if not own.rest:
        draw_text(layout, iface_("For a rig that no mapping fits: pose the character like the pictures"))
        layout.operator("bdfm.start_posing", icon="ARMATURE_DATA")
        return
    unit = _pose_unit(own)
    place, count = AU_NAMES.index(unit) + 1, len(AU_NAMES)
    done = {target.source for target in own.targets}.intersection(AU_NAMES)
    layout.progress(
        factor=len(done) / count,
        text=iface_("{done} of {count} captured").format(done=len(done), count=count),
        type="BAR",
        translate=False,
    )
    layout.template_icon(icon_value=picture_of(unit).icon_id, scale=PICTURE_SCALE)
    row = layout.row(align=True)
    row.operator("bdfm.step_action_unit", text="", icon="TRIA_LEFT").step = -1
    icon = "CHECKMARK" if unit in done else "RADIOBUT_OFF"
    number = unit if unit.startswith("AU") else ""
    row.label(text=f"{place}/{count}  {number}", icon=icon, translate=False)
    row.operator("bdfm.step_action_unit", text="Skip", icon="TRIA_RIGHT").step = 1
    layout.label(text=iface_(ACTION_UNITS[unit]), translate=False)
    if unit in ("jaw_left", "jaw_right"):
        draw_text(layout, iface_("Open only in the picture, to be seen: pose it with the mouth closed"), "INFO")
    layout.operator("bdfm.capture_pose", icon="POSE_HLT")
    draw_head_bone(layout, own)
    row = layout.row(align=True)
    row.operator("bdfm.finish_posing", text="Finish", icon="CHECKMARK")
    row.operator("bdfm.cancel_posing", text="Cancel", icon="X")


CLASSES = (
    BDFM_OT_start_posing,
    BDFM_OT_capture_pose,
    BDFM_OT_step_action_unit,
    BDFM_OT_finish_posing,
    BDFM_OT_cancel_posing,
    BDFM_PT_posing,
)
