# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""The mapping that the artist edits, as Blender keeps it: with the scene, and within undo."""

from __future__ import annotations

import json
from typing import Any

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context

from bdfm_infer.errors import BdfmError
from bdfm_infer.parameters import ACTION_UNITS, ROTATION

from ..blender.rig import Character, character_of
from ..core import mapping_edit as edit
from ..core.mapping import Mapping
from ..core.targets import BODY_AXES, BONE_AXES

AXES = (*BONE_AXES, *BODY_AXES)
AXIS_ITEMS = [(axis, axis.title(), "") for axis in AXES]
TARGET_SIDES = ("both", "left", "right")
ROTATION_LABELS = ("Head Yaw", "Head Pitch", "Head Roll")
SOURCE_ITEMS = [
    (name, f"{name}  {meaning}" if name.startswith("AU") else meaning, meaning)
    for name, meaning in ACTION_UNITS.items()
] + [(name, label, "Head rotation in degrees") for name, label in zip(ROTATION, ROTATION_LABELS, strict=True)]


def _short(value: float) -> float:
    """A 32-bit number as the artist wrote it: 0.1, not 0.10000000149."""
    return float(f"{value:.6g}")


def _members(text: str) -> dict[str, Any]:
    """The object that a text of JSON is; empty where a damaged file holds anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _number(target: BDFM_PG_target, key: str, default: float) -> float:
    """A member that is a number; the default where a damaged file holds anything else."""
    value = target.content().get(key, default)
    return value if isinstance(value, int | float) else default


def _place(target: BDFM_PG_target, key: str, options: tuple[str, ...]) -> int:
    """Place of a member among its options; the first where a damaged file holds anything else."""
    value = target.content().get(key)
    return options.index(value) if value in options else 0


def _change(target: BDFM_PG_target, **changes: Any) -> None:
    """Write members of a target; None takes one away."""
    data = {key: value for key, value in (target.content() | changes).items() if value is not None}
    target.data = json.dumps(data)


def _get_amount(target: BDFM_PG_target) -> float:
    return _number(target, target.amount_key(), 1.0)


def _set_amount(target: BDFM_PG_target, value: float) -> None:
    _change(target, **{target.amount_key(): _short(value)})


def _get_axis(target: BDFM_PG_target) -> int:
    return _place(target, "axis", AXES)


def _set_axis(target: BDFM_PG_target, place: int) -> None:
    _change(target, axis=AXES[place])


def _get_side(target: BDFM_PG_target) -> int:
    return _place(target, "side", TARGET_SIDES)


def _set_side(target: BDFM_PG_target, place: int) -> None:
    _change(target, side=TARGET_SIDES[place] if place else None)


def _get_use_min(target: BDFM_PG_target) -> bool:
    return "min" in target.content()


def _set_use_min(target: BDFM_PG_target, use: bool) -> None:
    _change(target, min=min(0.0, _number(target, "max", 0.0)) if use else None)


def _get_use_max(target: BDFM_PG_target) -> bool:
    return "max" in target.content()


def _set_use_max(target: BDFM_PG_target, use: bool) -> None:
    _change(target, max=max(1.0, _number(target, "min", 1.0)) if use else None)


def _get_low(target: BDFM_PG_target) -> float:
    return _number(target, "min", 0.0)


def _set_low(target: BDFM_PG_target, value: float) -> None:
    _change(target, min=min(_short(value), _number(target, "max", value)))


def _get_high(target: BDFM_PG_target) -> float:
    return _number(target, "max", 1.0)


def _set_high(target: BDFM_PG_target, value: float) -> None:
    _change(target, max=max(_short(value), _number(target, "min", value)))


class BDFM_PG_target(bpy.types.PropertyGroup):
    """One target. ``data`` is the truth, as it stands in a mapping's file; the other properties show parts of it."""

    source: bpy.props.StringProperty()
    data: bpy.props.StringProperty(default="{}")
    amount: bpy.props.FloatProperty(
        name="Amount",
        description="How far it moves when the action unit is at its strongest",
        get=_get_amount,
        set=_set_amount,
    )
    axis: bpy.props.EnumProperty(
        name="Axis",
        description="Axis of the bone, or direction of the character",
        items=AXIS_ITEMS,
        get=_get_axis,
        set=_set_axis,
    )
    side: bpy.props.EnumProperty(
        name="Side",
        description="The character's own side that it belongs to",
        items=[("both", "Both", ""), ("left", "Left", ""), ("right", "Right", "")],
        get=_get_side,
        set=_set_side,
    )
    use_min: bpy.props.BoolProperty(
        name="Limit Below",
        description="Hold the sum of all action units above a value",
        get=_get_use_min,
        set=_set_use_min,
    )
    use_max: bpy.props.BoolProperty(
        name="Limit Above",
        description="Hold the sum of all action units below a value",
        get=_get_use_max,
        set=_set_use_max,
    )
    low: bpy.props.FloatProperty(name="Minimum", description="In the unit of the amount", get=_get_low, set=_set_low)
    high: bpy.props.FloatProperty(name="Maximum", description="In the unit of the amount", get=_get_high, set=_set_high)

    def content(self) -> edit.TargetData:
        """The target as plain data."""
        return _members(self.data)

    def amount_key(self) -> str:
        """Which member of the target ``amount`` is."""
        return edit.amount_key(self.content().get("kind", ""), self.source)


class BDFM_PG_own_mapping(bpy.types.PropertyGroup):
    """The mapping that is being edited; saved with the scene until it is closed.

    ``document`` is the whole mapping as JSON; ``targets`` take the place of its own.
    """

    character: bpy.props.PointerProperty(type=bpy.types.Object)
    document: bpy.props.StringProperty()
    name: bpy.props.StringProperty(name="Name", description="Name of the mapping, and of its file")
    made_here: bpy.props.BoolProperty()
    source: bpy.props.EnumProperty(
        name="Action Unit",
        description="What moves the targets",
        items=SOURCE_ITEMS,
        update=lambda self, context: self.select_first(),
    )
    targets: bpy.props.CollectionProperty(type=BDFM_PG_target)
    active: bpy.props.IntProperty(default=-1)
    show_missing: bpy.props.BoolProperty(
        name="Not Found", description="Show the targets that the character lacks, with the nearest names"
    )
    rest: bpy.props.StringProperty()
    before: bpy.props.StringProperty()

    def begin(self, mapping: Mapping, character: Character, made_here: bool) -> None:
        """Start editing a mapping for a character."""
        self.character, self.made_here, self.name = character.top, made_here, mapping.name
        self.document = json.dumps(mapping.to_dict())
        self.set_targets(edit.target_data(mapping))

    def mapping(self) -> Mapping:
        """The mapping as edited.

        Raises:
            MappingError: a target is none.
        """
        base = Mapping.from_dict(_members(self.document), self.name)
        return edit.with_targets(base, [(target.source, target.content()) for target in self.targets])

    def set_targets(self, targets: list[tuple[str, edit.TargetData]]) -> None:
        """Put these in place of all targets."""
        self.targets.clear()
        for source, data in targets:
            item = self.targets.add()
            item.source, item.data = source, json.dumps(data)
        self.select_first()

    def select_first(self) -> None:
        """Select the first target of the action unit that is edited."""
        self.active = next((i for i, target in enumerate(self.targets) if target.source == self.source), -1)

    def active_target(self) -> BDFM_PG_target | None:
        """The selected target; None where the action unit has none."""
        target = self.targets[self.active] if 0 <= self.active < len(self.targets) else None
        return target if target is not None and target.source == self.source else None

    def head_bone(self) -> str:
        """The bone that alone makes the head's whole rotation; empty where none or several do."""
        return edit.head_bone((target.source, target.content()) for target in self.targets)

    def close(self) -> None:
        """Forget the mapping that is being edited."""
        self.document = self.rest = self.before = ""
        self.character = None
        self.targets.clear()


def edited_character(context: Context) -> Character:
    """The character whose mapping is being edited, whatever its name is now.

    Raises:
        BdfmError: it is not in this scene any more.
    """
    top = context.scene.bdfm.own_mapping.character
    character = None
    if top is not None and context.scene.objects.get(top.name) == top:
        character = character_of(top, context.scene)
    if character is None:
        raise BdfmError(rpt_("The character whose mapping is edited is not in this scene any more. Save or close it."))
    return character


CLASSES = (BDFM_PG_target, BDFM_PG_own_mapping)
