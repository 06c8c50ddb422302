# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""The targets of the edited mapping: searched for on the character, added, removed; and the bone of the head."""

from __future__ import annotations

import json
from collections.abc import Iterator

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_
from bpy.types import Context, Event

from bdfm_infer.errors import BdfmError
from bdfm_infer.parameters import ROTATION

from ..blender.rig import read_rig
from ..blender.texts import artist_text
from ..core import mapping_edit as edit
from ..core.errors import AddonError
from ..core.rig import Rig
from ..core.targets import KINDS, BoneTarget
from .mapping import needs_mapping
from .operators import ReportingOperator
from .own_mapping import edited_character

KIND_LABELS = {
    "shape_key": (n_("Shape Key"), "SHAPEKEY_DATA"),
    "bone_location": (n_("Bone Location"), "BONE_DATA"),
    "bone_rotation": (n_("Bone Rotation"), "BONE_DATA"),
    "bone_scale": (n_("Bone Scale"), "BONE_DATA"),
    "custom_property": (n_("Property"), "PROPERTIES"),
}
NO_BONES = n_("The character has no bone that could turn as the head.")

_items: list[tuple[str, str, str]] = []


def _target_items(self: object, context: Context) -> list[tuple[str, str, str]]:
    global _items
    try:
        rig = read_rig(edited_character(context))
    except BdfmError:
        rig = Rig("")
    _items = [
        (json.dumps(choice), f"{choice[1]}  ({iface_(KIND_LABELS[choice[0]][0])})", choice[2] or "")
        for choice in _choices(rig)
    ]
    return _items


def _choices(rig: Rig) -> Iterator[tuple[str, str, str | None, str]]:
    """Kind, name, bone and owner of everything on a rig that can be a target."""
    for key in dict.fromkeys(key for keys in rig.shape_keys.values() for key in keys):
        yield "shape_key", key, None, "object"
    for bone in rig.bones:
        for kind in KINDS:
            if issubclass(KINDS[kind], BoneTarget):
                yield kind, bone, None, "object"
    for owner in rig.properties:
        for name in owner.properties:
            yield "custom_property", name, owner.name if owner.kind == "pose_bone" else None, owner.kind


class BDFM_OT_add_target(ReportingOperator):
    """Add a shape key, bone or custom property of the character to this action unit"""

    bl_idname = "bdfm.add_target"
    bl_label = "Add Target"
    bl_property = "target"

    target: bpy.props.EnumProperty(name="Target", items=_target_items, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Context) -> bool:
        return needs_mapping(cls, context)

    def invoke(self, context: Context, event: Event) -> set[str]:
        try:
            edited_character(context)
        except BdfmError as error:
            self.report({"ERROR"}, artist_text(error))
            return {"CANCELLED"}
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def run(self, context: Context) -> None:
        edited_character(context)
        if not self.target:
            raise AddonError(rpt_("The character has nothing that could be a target."))
        own = context.scene.bdfm.own_mapping
        kind, name, bone, owner = json.loads(self.target)
        data = edit.new_target(own.source, kind, name, bone, owner)
        item = own.targets.add()
        item.source, item.data = own.source, json.dumps(data)
        own.active = len(own.targets) - 1


class BDFM_OT_remove_target(ReportingOperator):
    """Remove the target from this action unit"""

    bl_idname = "bdfm.remove_target"
    bl_label = "Remove Target"

    @classmethod
    def poll(cls, context: Context) -> bool:
        own = context.scene.bdfm.own_mapping
        if not own.document or own.active_target() is None:
            cls.poll_message_set(tip_("Select a target"))
            return False
        return True

    def run(self, context: Context) -> None:
        own = context.scene.bdfm.own_mapping
        own.targets.remove(own.active)
        own.select_first()


_bones: list[tuple[str, str, str]] = []


def _bone_items(self: object, context: Context) -> list[tuple[str, str, str]]:
    global _bones
    try:
        armature = edited_character(context).armature
    except BdfmError:
        armature = None
    _bones = [(bone, bone, "") for bone in (armature.data.bones.keys() if armature else ())]
    return _bones


class BDFM_OT_choose_head_bone(ReportingOperator):
    """Choose the bone that turns as the head in the video, whichever way its own axes point"""

    bl_idname = "bdfm.choose_head_bone"
    bl_label = "Choose Head Bone"
    bl_property = "bone"

    bone: bpy.props.EnumProperty(name="Bone", items=_bone_items, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Context) -> bool:
        return needs_mapping(cls, context)

    def invoke(self, context: Context, event: Event) -> set[str]:
        if not _bone_items(self, context):
            self.report({"ERROR"}, rpt_(NO_BONES))
            return {"CANCELLED"}
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def run(self, context: Context) -> None:
        if not self.bone:
            raise AddonError(rpt_(NO_BONES))
        own = context.scene.bdfm.own_mapping
        kept = [(target.source, target.content()) for target in own.targets if target.source not in ROTATION]
        own.document = json.dumps(edit.with_head(own.mapping(), self.bone).to_dict())
        own.set_targets([*kept, *edit.head_targets(self.bone)])


CLASSES = (BDFM_OT_add_target, BDFM_OT_remove_target, BDFM_OT_choose_head_bone)
