# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""The lists of the panel Batch: characters and takes, saved with the scene."""

from __future__ import annotations

from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, UILayout

from bdfm_infer.take import csv_path

from ..blender.batch import BatchError, Job
from ..blender.rig import characters_in
from ..blender.rig_choice import PROPERTY, ChoiceError, choose_for
from ..blender.texts import artist_text
from ..blender.versions import BLEND_RELATIVE
from ..core.performance import Performance
from .characters import is_selected, selected_characters
from .gains import draw_folded_gains
from .operators import ChoosingOperator, ReportingOperator, check_name
from .preferences import library
from .project import absolute, located
from .sidebar import RowList, draw_move_buttons
from .takes import performance_of, scene_performance

STATUS_ICONS = {"WAITING": "BLANK1", "BAKED": "CHECKMARK", "WARNED": "INFO", "FAILED": "ERROR"}
PAIRING_ITEMS = [
    ("ALL", "One Take for All", "The loaded take, as it is cleaned, goes onto every character"),
    ("PAIRS", "Take by Take", "The first take goes onto the first character, the second onto the second, and so on"),
]
STATUS_ITEMS = [
    ("WAITING", "Not Baked", "Nothing was baked onto it from this list"),
    ("BAKED", "Baked", "The last bake went well"),
    ("WARNED", "Baked, See Message", "The last bake went well; there is something to know"),
    ("FAILED", "Failed", "The last bake failed"),
]
LIST_ITEMS = [("characters", "Characters", ""), ("takes", "Takes", "")]


def _mapping_ids(self: BDFM_PG_batch_character, context: Context, typed: str) -> list[tuple[str, str]]:
    return [(mapping.id, mapping.name) for mapping in library(context).mappings.values()]


def _get_mapping(self: BDFM_PG_batch_character) -> str:
    return str(self.top.get(PROPERTY, "")) if self.top else ""


def _set_mapping(self: BDFM_PG_batch_character, identifier: str) -> None:
    if self.top:
        for character in characters_in([self.top], self.id_data):
            try:
                choose_for(character, identifier)
            except ChoiceError as error:
                self.status, self.message = "FAILED", artist_text(error)


class BDFM_PG_batch_character(bpy.types.PropertyGroup):
    """A character of the list; ``name`` is what it was called when it was added."""

    top: bpy.props.PointerProperty(type=bpy.types.Object, name="Character")
    mapping: bpy.props.StringProperty(
        name="Mapping",
        description="Mapping of this character; empty: chosen by its names",
        get=_get_mapping,
        set=_set_mapping,
        search=_mapping_ids,
    )
    status: bpy.props.EnumProperty(name="Status", items=STATUS_ITEMS)
    message: bpy.props.StringProperty(name="Message", description="What the last bake had to say")

    @property
    def called(self) -> str:
        """Its name now; of one that is deleted the name that it had when it was added."""
        return str(self.top.name if self.top else self.name)


class BDFM_PG_batch_take(bpy.types.PropertyGroup):
    """A take of the list."""

    path: bpy.props.StringProperty(name="Take", description="Table of the take")


class BDFM_PG_batch(bpy.types.PropertyGroup):
    """The lists of a scene."""

    pairing: bpy.props.EnumProperty(
        name="Pairing", description="Which take goes onto which character", items=PAIRING_ITEMS
    )
    characters: bpy.props.CollectionProperty(type=BDFM_PG_batch_character)
    characters_active: bpy.props.IntProperty(name="Active Character")
    takes: bpy.props.CollectionProperty(type=BDFM_PG_batch_take)
    takes_active: bpy.props.IntProperty(name="Active Take")
    show_gains: bpy.props.BoolProperty(
        name="Gain of Each Action Unit", description="Show a gain for each action unit and for the head's turns"
    )


class BDFM_UL_batch_characters(RowList, bpy.types.UIList):
    def draw_row(self, context: Context, layout: UILayout, item: Any, index: int) -> None:
        row = layout.row(align=True)
        row.label(text=item.called, icon="OUTLINER_OB_ARMATURE", translate=False)
        row.label(text="", icon=STATUS_ICONS[item.status if _is_there(item) else "FAILED"])


class BDFM_UL_batch_takes(RowList, bpy.types.UIList):
    def draw_row(self, context: Context, layout: UILayout, item: Any, index: int) -> None:
        layout.label(text=f"{index + 1}.  {Path(item.path).stem}", icon="ACTION", translate=False)


class BDFM_OT_batch_add_characters(ReportingOperator):
    """Add the selected characters to the list, in the order of their names"""

    bl_idname = "bdfm.batch_add_characters"
    bl_label = "Add Selected Characters"

    @classmethod
    def poll(cls, context: Context) -> bool:
        return is_selected(cls, context)

    def run(self, context: Context) -> None:
        batch = context.scene.bdfm.batch
        listed = {item.top for item in batch.characters}
        for character in sorted(selected_characters(context), key=lambda each: each.name.casefold()):
            if character.top not in listed:
                item = batch.characters.add()
                item.name, item.top = character.name, character.top
                batch.characters_active = len(batch.characters) - 1


class BDFM_OT_batch_add_takes(ChoosingOperator):
    """Add takes to the list, in the order of their names"""

    bl_idname = "bdfm.batch_add_takes"
    bl_label = "Add Takes"

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", *BLEND_RELATIVE})
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.csv;*.json", options={"HIDDEN"})

    def run(self, context: Context) -> None:
        batch = context.scene.bdfm.batch
        folder = located(self.directory)
        paths = sorted({csv_path(folder / file.name) for file in self.files if file.name})
        for path in paths:
            check_name(path)
        for path in paths:
            batch.takes.add().path = str(path)
            batch.takes_active = len(batch.takes) - 1


class _ListOperator(bpy.types.Operator):
    """What the buttons beside a list share: the list, and that something in it is chosen."""

    bl_options = {"REGISTER", "UNDO"}
    list: bpy.props.EnumProperty(name="List", items=LIST_ITEMS, options={"HIDDEN"})

    def items(self, context: Context) -> Any:
        return getattr(context.scene.bdfm.batch, self.list)

    def active(self, context: Context) -> int:
        return int(getattr(context.scene.bdfm.batch, f"{self.list}_active"))

    def activate(self, context: Context, index: int) -> None:
        setattr(context.scene.bdfm.batch, f"{self.list}_active", max(0, min(index, len(self.items(context)) - 1)))


class BDFM_OT_batch_remove(_ListOperator):
    """Remove the active row from the list. Nothing else is deleted"""

    bl_idname = "bdfm.batch_remove"
    bl_label = "Remove from List"

    def execute(self, context: Context) -> set[str]:
        index = self.active(context)
        if not 0 <= index < len(self.items(context)):
            return {"CANCELLED"}
        self.items(context).remove(index)
        self.activate(context, index)
        return {"FINISHED"}


class BDFM_OT_batch_move(_ListOperator):
    """Move the active row up or down"""

    bl_idname = "bdfm.batch_move"
    bl_label = "Move in List"

    step: bpy.props.IntProperty(name="Step", default=1, options={"HIDDEN"})

    def execute(self, context: Context) -> set[str]:
        index = self.active(context)
        other = index + self.step
        if not (0 <= index < len(self.items(context)) and 0 <= other < len(self.items(context))):
            return {"CANCELLED"}
        self.items(context).move(index, other)
        self.activate(context, other)
        return {"FINISHED"}


def listed_jobs(scene: bpy.types.Scene) -> list[Job]:
    """What the scene's lists ask for, in the order of the characters."""
    batch = scene.bdfm.batch
    items = [(item.called, item.top) for item in batch.characters]
    if batch.pairing == "ALL":
        return [Job(name, top, partial(scene_performance, scene)) for name, top in items]
    paths = [str(absolute(take.path)) for take in batch.takes][: len(items)]
    return [Job(name, top, partial(_performance, path)) for (name, top), path in zip_longest(items, paths)]


def _performance(path: str | None) -> Performance:
    if path is None:
        raise BatchError(rpt_("there is no take for it. Add one to the list, or remove the character."))
    return performance_of(path)


def _is_there(item: BDFM_PG_batch_character) -> bool:
    return item.top is not None and item.id_data.objects.get(item.top.name) == item.top


def draw_character(layout: UILayout, item: BDFM_PG_batch_character) -> None:
    """Mapping and gains of one character of the list."""
    column = layout.column(align=True)
    row = column.row(align=True)
    is_there = _is_there(item)
    row.enabled = is_there and item.top.library is None
    row.prop(item, "mapping", placeholder="By Names")
    if is_there:
        draw_folded_gains(column, item.top, item.id_data.bdfm.batch)


def draw_buttons(layout: UILayout, batch: BDFM_PG_batch, name: str, kind: str, add: str) -> None:
    """A list with its buttons."""
    row = layout.row()
    row.template_list(kind, "", batch, name, batch, f"{name}_active", rows=4)
    column = row.column(align=True)
    column.operator(add, text="", icon="ADD")
    column.operator("bdfm.batch_remove", text="", icon="REMOVE").list = name
    draw_move_buttons(column, "bdfm.batch_move", list=name)


CLASSES = (
    BDFM_PG_batch_character,
    BDFM_PG_batch_take,
    BDFM_PG_batch,
    BDFM_UL_batch_characters,
    BDFM_UL_batch_takes,
    BDFM_OT_batch_add_characters,
    BDFM_OT_batch_add_takes,
    BDFM_OT_batch_remove,
    BDFM_OT_batch_move,
)
