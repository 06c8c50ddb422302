# SPDX-License-Identifier: GPL-3.0-or-later
"""One-click mends for what :mod:`.checks` finds. Each changes nothing but what it names."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
from bpy.app.translations import pgettext_rpt as rpt_

from ..core.errors import AddonError
from .rig import Character
from .versions import kept_channels_of

HIGHEST_RANGE = 10.0
"""Blender's own limit for the range of a shape key."""


class MendError(AddonError):
    """A mend is not possible here; the message names the reason and the way out. Nothing was changed."""

    code = "mend_refused"
    exit_code = 39


def mute_driver(driver: bpy.types.FCurve) -> None:
    """Let keyframes through; the driver stays and can be unmuted."""
    driver.mute = True


def unmute(key: bpy.types.ShapeKey) -> None:
    """Let a shape key move its mesh."""
    key.mute = False


def show_all_keys(mesh: bpy.types.Object) -> None:
    """Unpin the active shape key."""
    mesh.show_only_shape_key = False


def make_relative(keys: bpy.types.Key) -> None:
    """Shape keys add up by their values."""
    keys.use_relative = True


def leave_tweak_mode(animation: bpy.types.AnimData) -> None:
    """As Tab in the NLA editor."""
    animation.use_tweak_mode = False


def widen_range(key: bpy.types.ShapeKey, low: float, high: float) -> None:
    """Widen a shape key's range so that it holds ``low`` to ``high``.

    Raises:
        MendError: Blender ends all ranges before that, or the key is of a library override.
    """
    _refuse_override(key.id_data.user, key.name)
    if high > HIGHEST_RANGE or low < -HIGHEST_RANGE:
        raise MendError(
            rpt_(
                "Shape key {name!r} would have to go from {low:g} to {high:g}; Blender ends at "
                "{end:g}. Lower the weight in the mapping."
            ).format(name=key.name, low=low, high=high, end=HIGHEST_RANGE)
        )
    key.slider_max = max(key.slider_max, high)
    key.slider_min = min(key.slider_min, low)


def allow_value(owner: bpy.types.bpy_struct, name: str, low: float, high: float) -> None:
    """Widen the range of a custom property so that it holds ``low`` to ``high``; whole numbers are rounded outwards.

    Raises:
        MendError: the property is of a library override.
    """
    _refuse_override(owner.id_data, name)
    ui = owner.id_properties_ui(name)
    limits = ui.as_dict()
    if isinstance(owner[name], int):
        low, high = int(low // 1), int(-(-high // 1))
    least, most = min(limits["min"], low), max(limits["max"], high)
    ui.update(min=least, max=most, soft_min=min(limits["soft_min"], low), soft_max=max(limits["soft_max"], high))


def _refuse_override(block: bpy.types.ID, name: str) -> None:
    if block.override_library is not None:
        raise MendError(
            rpt_(
                "{name!r} is of a library override, whose ranges Blender takes from the library again "
                "when the file is opened. Widen the range in the library's own file."
            ).format(name=name)
        )


def unlock(bone: bpy.types.PoseBone, what: str, index: int | None) -> None:
    """Unlock one axis of a bone's ``location``, ``rotation`` or ``scale``, or all of them."""
    locks = getattr(bone, f"lock_{what}")
    for axis in range(3) if index is None else (index,):
        locks[axis] = False


def unlock_all(owners: Iterable[bpy.types.FCurve | bpy.types.ActionGroup]) -> None:
    """Let F-curves take keys, with their groups."""
    for owner in owners:
        owner.lock = False


def unmute_all(owners: Iterable[bpy.types.FCurve | bpy.types.ActionGroup]) -> None:
    """Let F-curves move what they are for, with their groups."""
    for owner in owners:
        owner.mute = False


def switch_nla_on(id_block: bpy.types.ID) -> None:
    """Let the NLA of a data-block play."""
    id_block.animation_data.use_nla = True


def play_all_tracks(id_block: bpy.types.ID) -> None:
    """Let no track of a data-block's NLA play alone."""
    for track in id_block.animation_data.nla_tracks:
        track.is_solo = False


def show_pose(armature: bpy.types.Armature) -> None:
    """Let the bones move."""
    armature.pose_position = "POSE"


def to_quaternion(bone: bpy.types.PoseBone) -> None:
    """Turn by a quaternion. Blender keeps the pose.

    Raises:
        MendError: keyframes or a driver of the bone's Euler angles would move nothing any more.
    """
    path = f'pose.bones["{bpy.utils.escape_identifier(bone.name)}"].rotation_euler'
    for channels in kept_channels_of(bone.id_data):
        if any(channels.fcurves.find(path, index=axis) for axis in range(3)):
            raise MendError(
                rpt_(
                    "Bone {bone!r} has keyframes on its Euler angles in the action {action!r}, which quaternions would "
                    "leave without effect. Choose an order whose middle axis turns least, or remove those keyframes "
                    "first."
                ).format(bone=bone.name, action=channels.id_data.name)
            )
    animation = bone.id_data.animation_data
    if animation is not None and any(animation.drivers.find(path, index=axis) for axis in range(3)):
        raise MendError(
            rpt_(
                "Bone {bone!r} has drivers on its Euler angles, which quaternions would leave without effect. Choose "
                "an order whose middle axis turns least, or remove those drivers first."
            ).format(bone=bone.name)
        )
    bone.rotation_mode = "QUATERNION"


def make_overrides(character: Character) -> None:
    """Library overrides of a linked character in the place of its objects, and of the data that keyframes need.

    Raises:
        MendError: Blender makes none of some data-block.
    """
    context = bpy.context
    linked = [item for item in character.objects if item.library is not None]
    for item in linked:
        if override_of(item) is None:
            item.override_hierarchy_create(context.scene, context.view_layer, do_fully_editable=True)
        made = override_of(item)
        if made is None:
            raise MendError(
                rpt_("{name!r}: Blender makes no library override of it. Make it local instead.").format(name=item.name)
            )
        _take_place(item, made)
    objects = [override_of(item) if item in linked else item for item in character.objects]
    for data in dict.fromkeys(item.data for item in objects if item is not None and item.data is not None):
        if data.library is not None and data.override_create(remap_local_usages=True) is None:
            raise MendError(
                rpt_("{name!r}: Blender makes no library override of it. Make it local instead.").format(name=data.name)
            )


def override_of(item: bpy.types.Object) -> bpy.types.Object | None:
    """The library override of a linked object that is in the scene."""
    overrides = (each for each in bpy.context.scene.objects if each.override_library is not None)
    return next((each for each in overrides if each.override_library.reference == item), None)


def _take_place(linked: bpy.types.Object, made: bpy.types.Object) -> None:
    """Blender leaves the linked object beside its override: seen twice, and chosen first."""
    layer = bpy.context.view_layer
    selected, active = linked.select_get(), layer.objects.active == linked
    for collection in linked.users_collection:
        if collection.library is None:
            if made not in collection.objects.values():
                collection.objects.link(made)
            collection.objects.unlink(linked)
    layer.update()
    made.select_set(selected)
    if active:
        layer.objects.active = made
