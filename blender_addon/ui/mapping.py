# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""Editing a mapping in the panel: targets added, changed, removed; saved as a file of the artist's own."""

from __future__ import annotations

import json

import bpy
from bpy.app.translations import pgettext_data as data_
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_
from bpy.types import Context, Event

from bdfm_infer.errors import BdfmError

from ..blender.rig import Character, read_rig
from ..blender.rig_choice import ChoiceError, choose_for
from ..blender.texts import artist_text
from ..core import mapping_edit as edit
from ..core.errors import AddonError
from ..core.mapping import Mapping
from ..core.paths import is_there, shown
from . import preview
from .characters import choose_mapping, find_character, forget_rows
from .operators import ReportingOperator
from .own_mapping import edited_character
from .preferences import library, own_folder

HEAD_LIKE = "arkit"
"""The mapping that lends new ones the name of the head bone."""


def needs_mapping(cls: type[bpy.types.Operator], context: Context) -> bool:
    """For a poll: a mapping is being edited."""
    if not context.scene.bdfm.own_mapping.document:
        cls.poll_message_set(tip_("Edit a mapping first"))
        return False
    return True


def begin_blank(context: Context, character: Character) -> None:
    """Start a mapping without action units for a character.

    Raises:
        AddonError: it has nothing that could be moved.
    """
    mappings = library(context).mappings
    identifier = edit.identifier_for(character.name, mappings)
    blank = edit.blank_mapping(identifier, character.name, read_rig(character), mappings.get(HEAD_LIKE))
    context.scene.bdfm.own_mapping.begin(blank, character, made_here=True)


def save(
    operator: bpy.types.Operator, context: Context, mapping: Mapping, character: Character | None, overwrite: bool
) -> None:
    """Write a mapping into the artist's folder and choose it for its character, which a linked one cannot keep.

    Raises:
        AddonError: it cannot be written, or the file is there already.
    """
    path = edit.save_own(mapping, own_folder(context), overwrite)
    forget_rows()
    operator.report({"INFO"}, rpt_("Saved as {path}").format(path=shown(path)))
    if character is not None:
        try:
            choose_for(character, mapping.id)
        except ChoiceError as error:
            operator.report({"WARNING"}, artist_text(error))
    preview.rebuild()


class BDFM_OT_edit_mapping(ReportingOperator):
    """Edit a copy of the mapping that the active character is baked with"""

    bl_idname = "bdfm.edit_mapping"
    bl_label = "Edit Mapping"

    def run(self, context: Context) -> None:
        character = find_character(context, "")
        mappings = library(context)
        choice = choose_mapping(context.scene, character)
        if not choice.fits:
            raise AddonError(rpt_("{reason} Or start a new mapping for it.").format(reason=choice.reason))
        mapping = choice.mapping
        if mapping.id not in mappings.own:
            name = f"{mapping.name}, {character.name}"
            mapping = edit.own_copy(mapping, edit.identifier_for(name, mappings.mappings), name)
        context.scene.bdfm.own_mapping.begin(mapping, character, made_here=False)


class BDFM_OT_new_mapping(ReportingOperator):
    """Start a mapping without targets for the active character"""

    bl_idname = "bdfm.new_mapping"
    bl_label = "New Mapping"

    def run(self, context: Context) -> None:
        begin_blank(context, find_character(context, ""))


class BDFM_OT_close_mapping(ReportingOperator):
    """Stop editing. Changes that are not saved are lost"""

    bl_idname = "bdfm.close_mapping"
    bl_label = "Close Mapping"

    @classmethod
    def poll(cls, context: Context) -> bool:
        if context.scene.bdfm.own_mapping.rest:
            cls.poll_message_set(tip_("Finish or cancel posing first"))
            return False
        return needs_mapping(cls, context)

    def run(self, context: Context) -> None:
        context.scene.bdfm.own_mapping.close()


class BDFM_OT_save_mapping(ReportingOperator):
    """Write the mapping into the folder of your own mappings, and bake this character with it"""

    bl_idname = "bdfm.save_mapping"
    bl_label = "Save as Own Mapping"

    overwrite: bpy.props.BoolProperty(
        name="Overwrite", description="Replace the file of that name", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        return needs_mapping(cls, context)

    def invoke(self, context: Context, event: Event) -> set[str]:
        path = edit.own_path(own_folder(context), edit.identifier_for(context.scene.bdfm.own_mapping.name))
        if not is_there(path):
            return self.execute(context)
        self.overwrite = True
        return context.window_manager.invoke_confirm(
            self,
            event,
            title=iface_("Overwrite Mapping"),
            message=iface_("{file} is there already").format(file=shown(path.name)),
            confirm_text=iface_("Overwrite"),
            translate=False,
        )

    def run(self, context: Context) -> None:
        own = context.scene.bdfm.own_mapping
        mapping = edit.own_copy(own.mapping(), edit.identifier_for(own.name), own.name)
        if own.made_here:
            mapping = edit.finished(mapping)
        try:
            character: Character | None = edited_character(context)
        except BdfmError:
            character = None
        save(self, context, mapping, character, self.overwrite)
        own.document = json.dumps(mapping.to_dict())


class BDFM_OT_swap_sides(ReportingOperator):
    """Save the mapping of this character as one of your own with left and right swapped, and bake it with that"""

    bl_idname = "bdfm.swap_sides"
    bl_label = "Swap Left and Right"

    character: bpy.props.StringProperty(name="Character", options={"SKIP_SAVE"})

    def run(self, context: Context) -> None:
        character = find_character(context, self.character)
        mappings = library(context)
        mapping = choose_mapping(context.scene, character).mapping
        name = data_("{mapping}, sides swapped").format(mapping=mapping.name)
        own = edit.own_copy(edit.swapped_sides(mapping), edit.identifier_for(name, mappings.mappings), name)
        save(self, context, own, character, overwrite=False)


CLASSES = (
    BDFM_OT_edit_mapping,
    BDFM_OT_new_mapping,
    BDFM_OT_close_mapping,
    BDFM_OT_save_mapping,
    BDFM_OT_swap_sides,
)
