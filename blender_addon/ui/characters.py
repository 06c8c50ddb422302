# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""The selected characters, each with the mapping that it is baked with, and what that mapping does not find."""

from __future__ import annotations

import time
from dataclasses import dataclass

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_
from bpy.types import Context, UILayout

from bdfm_infer.errors import BdfmError

from ..blender.library import Library
from ..blender.rig import Character, character_of, characters_in, object_named, read_rig
from ..blender.rig_choice import Choice, choice_of, choose_for, chosen_id
from ..blender.texts import artist_text
from ..core.errors import AddonError, NoMappingError
from ..core.matching import Fit, Missing, resolve
from .gains import draw_gains, draw_summary
from .operators import ReportingOperator
from .preferences import library
from .sidebar import SidebarPanel, draw_list, draw_text

SHOWN = 6
"""Characters that the panel shows; the rigs of others are not read."""
FRESH_S = 2.0
"""A panel draws far more often; names that change are seen after this."""
SHARE = 0.01
"""The most of its time that the panel may spend looking characters up."""
MAX_MISSING = 12
BY_NAMES = "BY_NAMES"
CONFIDENCE_LABELS = {"verified": n_("verified"), "experimental": n_("experimental")}


@dataclass(frozen=True)
class Row:
    """One character as the panel shows it. Plain data: what it was read from may be gone.

    Attributes:
        name: full name of its top object, see :func:`object_named`.
        fits: the mapping that it is baked with, then those that tie with it; empty where there is none.
        reason: why there is none.
        by_hand: the mapping was named by the artist.
        missing: targets that the character lacks.
    """

    name: str
    fits: tuple[Fit, ...]
    reason: str
    by_hand: bool
    missing: tuple[Missing, ...]


@dataclass(frozen=True)
class Listed:
    """What the panel shows.

    Attributes:
        rows: the first selected characters.
        names: full names of the top objects of all of them, the active one ahead.
        refused: why files of mappings are refused.
    """

    rows: list[Row]
    names: list[str]
    refused: list[str]

    @property
    def more(self) -> int:
        """How many are selected beyond those that have a row."""
        return len(self.names) - len(self.rows)


NOTHING = Listed([], [], [])
_listed: tuple[object, float, Listed] = (None, 0.0, NOTHING)
"""What was looked at, when to look again, and what was found."""
_read: dict[str, tuple[object, Row]] = {}


def listed(context: Context) -> Listed:
    """The selected characters with their mappings.

    They are looked up again after :data:`FRESH_S`, later where there are many; a rig is read again only where its
    names have changed.
    """
    global _listed
    scene = context.scene
    key = (scene.name, scene.bdfm.mapping, context.object, tuple(item.name_full for item in context.selected_objects))
    now = time.monotonic()
    if _listed[0] != key or now > _listed[1]:
        mappings = library(context)
        chosen = [context.object] if context.object in context.selected_objects else []
        characters = characters_in([*chosen, *context.selected_objects], scene)
        rows = [_row(character, mappings, scene.bdfm.mapping) for character in characters[:SHOWN]]
        names = [character.top.name_full for character in characters]
        found = Listed(rows, names, [artist_text(error) for error in mappings.refused])
        _listed = (key, now + max(FRESH_S, (time.monotonic() - now) / SHARE), found)
    return _listed[2]


def forget_rows() -> None:
    """Look everything up at the next drawing."""
    global _listed
    _listed = (None, 0.0, NOTHING)
    _read.clear()


def _row(character: Character, mappings: Library, for_all: str) -> Row:
    key = (mappings, chosen_id(character), for_all, _names(character))
    name = character.top.name_full
    known = _read.get(name)
    if known is None or known[0] != key:
        _read[name] = known = (key, _read_row(character, mappings, for_all))
    return known[1]


def _names(character: Character) -> tuple[object, ...]:
    """Everything that a mapping is matched against, cheaply."""
    keys = [mesh.data.shape_keys.key_blocks.keys() for mesh in character.meshes if mesh.data.shape_keys]
    bones = character.armature.data.bones.keys() if character.armature else []
    properties = [tuple(item.keys()) for item in character.objects]
    return tuple(map(tuple, keys)), tuple(bones), tuple(properties), tuple(mesh.name for mesh in character.meshes)


def _read_row(character: Character, mappings: Library, for_all: str) -> Row:
    rig = read_rig(character)
    choice = choice_of(character, rig, mappings, for_all)
    reason, missing = choice.reason, tuple[Missing, ...]()
    if choice.fits:
        try:
            missing = resolve(choice.fits[0].mapping, rig).missing
        except NoMappingError as error:
            reason = artist_text(error)
    return Row(character.top.name_full, choice.fits, reason, choice.by_hand, missing)


_items: list[tuple[str, str, str]] = []
"""Blender does not keep the texts of a menu; without a reference they turn into rubbish."""


def _mapping_items(self: object, context: Context) -> list[tuple[str, str, str]]:
    global _items
    mappings = library(context).mappings.values()
    _items = [(BY_NAMES, iface_("By Names"), tip_("The mapping that fits best"))] + [
        (mapping.id, mapping.name, mapping.source or mapping.confidence) for mapping in mappings
    ]
    return _items


class BDFM_OT_choose_character_mapping(ReportingOperator):
    """Choose the mapping that this character is baked with"""

    bl_idname = "bdfm.choose_character_mapping"
    bl_label = "Choose Mapping"

    character: bpy.props.StringProperty(name="Character", options={"SKIP_SAVE"})
    mapping: bpy.props.EnumProperty(name="Mapping", items=_mapping_items)

    def run(self, context: Context) -> None:
        choose_for(find_character(context, self.character), "" if self.mapping == BY_NAMES else self.mapping)
        forget_rows()


def choose_mapping(scene: bpy.types.Scene, character: Character) -> Choice:
    """The mapping that the artist named, for the character or for all of a scene, or that fits its names best."""
    return choice_of(character, read_rig(character), library(bpy.context), scene.bdfm.mapping)


def is_selected(cls: type[bpy.types.Operator], context: Context) -> bool:
    """For a poll: something is selected."""
    if not context.selected_objects:
        cls.poll_message_set(tip_("Select the characters"))
        return False
    return True


def selected_characters(context: Context) -> list[Character]:
    """The selected characters.

    Raises:
        AddonError: there is none.
    """
    found = characters_in(context.selected_objects, context.scene)
    if not found:
        raise AddonError(rpt_("Nothing selected is a character. Select an armature or a mesh with shape keys."))
    return found


def find_character(context: Context, name: str) -> Character:
    """The character that the object of this name is of, see :func:`object_named`; the active one where it is empty.

    Raises:
        BdfmError: it is gone, or is none.
    """
    item = object_named(context.scene, name) if name else context.object
    character = character_of(item, context.scene) if item is not None else None
    if character is None:
        if not name:
            raise BdfmError(rpt_("The active object is no character. Select an armature, or a mesh with shape keys."))
        raise BdfmError(
            rpt_("{name!r} is not in this scene any more. Select an armature, or a mesh with shape keys.").format(
                name=name
            )
        )
    return character


class BDFM_PT_characters(SidebarPanel, bpy.types.Panel):
    bl_label = "Characters"
    bl_order = 20

    def draw(self, context: Context) -> None:
        draw_characters(self.layout, context)


def draw_characters(layout: UILayout, context: Context) -> None:
    """Each selected character with its mapping."""
    halves = layout.split(factor=0.5)
    halves.label(text="Mapping for All")
    halves.prop(context.scene.bdfm, "mapping", text="", placeholder="By Names")
    found = listed(context)
    if not found.rows:
        layout.label(text="Select an armature or a mesh", icon="INFO")
    for row in found.rows:
        _draw_row(layout.box().column(align=True), row, context)
    if found.more:
        layout.label(text=iface_("and {count} more selected").format(count=found.more), translate=False)
    for reason in found.refused:
        draw_text(layout, reason, "ERROR")


def _draw_row(column: UILayout, row: Row, context: Context) -> None:
    column.label(text=row.name, icon="USER", translate=False)
    chosen = row.fits[0].mapping.name if row.fits else iface_("No Mapping Fits")
    menu = column.operator_menu_enum("bdfm.choose_character_mapping", "mapping", text=chosen, translate=False)
    menu.character = row.name
    if row.fits:
        fit = row.fits[0]
        how = iface_("chosen by hand") if row.by_hand else iface_(CONFIDENCE_LABELS[fit.mapping.confidence])
        text = iface_("{score:.0%} of its names, {how}").format(score=fit.score, how=how)
        column.label(text=text, icon="CHECKMARK" if fit.fits else "QUESTION", translate=False)
    if row.reason:
        draw_text(column, row.reason, "ERROR")
    top = object_named(context.scene, row.name)
    if top is not None:
        draw_summary(column, top)
    if len(row.fits) > 1:
        others = ", ".join(fit.mapping.name for fit in row.fits[1:])
        draw_text(column, iface_("Fits as well: {names}").format(names=others), "QUESTION")
    if row.missing:
        settings = context.scene.bdfm.own_mapping
        icon = "TRIA_DOWN" if settings.show_missing else "TRIA_RIGHT"
        fold = column.row()
        fold.alignment = "LEFT"
        text = iface_("{count} not found").format(count=len(row.missing))
        fold.prop(settings, "show_missing", text=text, icon=icon, emboss=False, translate=False)
        if settings.show_missing:
            draw_list(column, (str(missing) for missing in row.missing), MAX_MISSING, "QUESTION")


class BDFM_PT_gains(SidebarPanel, bpy.types.Panel):
    bl_label = "Gains"
    bl_parent_id = "BDFM_PT_characters"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 3

    def draw(self, context: Context) -> None:
        draw_first_gains(self.layout, context)


def draw_first_gains(layout: UILayout, context: Context) -> None:
    """The gains of the character that the panel Characters shows first: the active one, where it is selected."""
    rows = listed(context).rows
    top = object_named(context.scene, rows[0].name) if rows else None
    if top is None:
        layout.label(text="Select an armature or a mesh", icon="INFO")
        return
    layout.label(text=top.name_full, icon="USER", translate=False)
    draw_gains(layout, top)


CLASSES = (BDFM_OT_choose_character_mapping, BDFM_PT_characters, BDFM_PT_gains)
