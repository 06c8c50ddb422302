# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in a bake's way on one character, found before it, and how each is mended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from bpy.app.translations import pgettext_n as n_
from bpy.app.translations import pgettext_rpt as rpt_

from ..core import rotation
from ..core.mapping import SOURCES
from ..core.matching import Resolution
from ..core.retarget import Channel
from .mends import (
    allow_value,
    leave_tweak_mode,
    make_overrides,
    make_relative,
    mute_driver,
    show_all_keys,
    to_quaternion,
    unlock,
    unmute,
    widen_range,
)
from .rig import Character, mesh_named, owner_of, places_of
from .sides import names_are_swapped

TOLERANCE = 1e-4
GIMBAL_DEGREES = 80.0
"""Of the middle one of three Euler angles; at 90 the other two are the same movement."""
UNEVEN = 0.01
"""Relative difference of an object's scales that counts."""
HEAD_DEGREES = 60.0
"""The furthest that a take turns a head."""

MENDS: dict[str, str] = {
    "linked": "Make Library Override",
    "tweaked": "Leave Tweak Mode",
    "driven": "Mute Drivers",
    "muted": "Unmute Shape Keys",
    "pinned": "Show All Shape Keys",
    "absolute": "Make Shape Keys Relative",
    "range": "Widen Ranges",
    "locked": "Unlock Channels",
    "locked_curve": "Unlock Channels",
    "muted_curve": "Unmute Channels",
    "gimbal": "Use Quaternions",
    "nla_off": "Switch NLA On",
    "solo": "Play All Tracks",
}
"""What the button of each kind of finding says. Other kinds the artist mends, ``mirrored`` in the mapping."""

MOVE_NAMES = {"bone_location": n_("location"), "bone_rotation": n_("rotation"), "bone_scale": n_("scale")}


@dataclass(frozen=True)
class Finding:
    """One thing that a bake meets.

    Attributes:
        kind: a key of :data:`MENDS`, or another where there is no button.
        text: what it is and what it does, for the artist.
        mend: puts it right; valid until Blender's data change. May raise :class:`.mends.MendError`.
        blocks: the bake is refused because of it.
    """

    kind: str
    text: str
    mend: Callable[[], None] | None = None
    blocks: bool = False


def findings(character: Character, resolution: Resolution, channels: Sequence[Channel]) -> list[Finding]:
    """Everything that a bake of ``channels`` would meet on a character, what refuses it first. Texts may repeat.

    Args:
        character: read just now.
        resolution: its mapping laid over it.
        channels: of :func:`core.retarget.retarget`, for the take or for :func:`strongest_values`.
    """
    found = [
        *_unwritable(character, channels),
        *_driven(character, channels),
        *_keys(character, channels),
        *_ranges(character, channels),
        *_gimbals(character, channels),
        *_locks(character, channels),
        *_scale(character),
    ]
    if names_are_swapped(character, resolution):
        found.append(
            Finding(
                "mirrored",
                rpt_(
                    "{character}: what the mapping calls left lies on the character's right. If a wink "
                    "closes the wrong eye, swap left and right in a mapping of your own."
                ).format(character=character.name),
            )
        )
    return found


def strongest_values() -> np.ndarray:
    """Rows of a take, (m, 26), that show a mapping's whole range: each action unit at 1, the head turned both ways."""
    n_au = len(SOURCES) - 3
    units = np.eye(n_au, len(SOURCES))
    turns = HEAD_DEGREES * np.eye(len(SOURCES))[n_au:]
    return np.concatenate([np.zeros((1, len(SOURCES))), units, turns, -turns])


def _unwritable(character: Character, channels: Sequence[Channel]) -> Iterator[Finding]:
    for id_block in dict.fromkeys(owner_of(character, channel)[0] for channel in channels):
        if id_block.library is not None:
            yield Finding(
                "linked",
                rpt_(
                    "{name!r} is linked from {library!r}, so Blender would lose the keyframes on "
                    "saving. Make it local, or make a library override of the object and of its mesh."
                ).format(name=id_block.name, library=id_block.library.filepath),
                partial(make_overrides, character),
                blocks=True,
            )
            return
        animation = id_block.animation_data
        if animation is not None and animation.use_tweak_mode:
            yield Finding(
                "tweaked",
                rpt_("{name}: an NLA strip is being tweaked. Leave tweak mode (Tab in the NLA editor).").format(
                    name=id_block.name
                ),
                partial(leave_tweak_mode, animation),
                blocks=True,
            )


def _driven(character: Character, channels: Sequence[Channel]) -> Iterator[Finding]:
    for channel in channels:
        for place in places_of(character, channel):
            animation = place.id_block.animation_data
            driver = animation.drivers.find(place.path, index=place.index) if animation else None
            if driver is not None and not driver.mute:
                yield Finding(
                    "driven",
                    rpt_(
                        "{channel} has a driver, which wins over keyframes. Mute it, or use a mapping that moves "
                        "what the driver reads."
                    ).format(channel=channel_name(channel)),
                    partial(mute_driver, driver),
                )


def _keys(character: Character, channels: Sequence[Channel]) -> Iterator[Finding]:
    """Shape keys that would not move, and those that cannot reach what is asked of them."""
    for channel in (channel for channel in channels if channel.kind == "shape_key"):
        mesh = mesh_named(character, channel.owner)
        keys = mesh.data.shape_keys
        key = keys.key_blocks[channel.name]
        low, high = _extent(channel)
        if high > key.slider_max + TOLERANCE or low < key.slider_min - TOLERANCE:
            yield Finding(
                "range",
                rpt_(
                    "{channel} goes from {least:g} to {most:g}, the take from {low:.2f} to {high:.2f}. Widen "
                    "its range to see all of it."
                ).format(
                    channel=channel_name(channel),
                    least=key.slider_min,
                    most=key.slider_max,
                    low=low,
                    high=high,
                ),
                partial(widen_range, key, low, high),
            )
        if key.mute:
            yield Finding(
                "muted",
                rpt_("{channel} is muted and will not move.").format(channel=channel_name(channel)),
                partial(unmute, key),
            )
        if mesh.show_only_shape_key:
            yield Finding(
                "pinned",
                rpt_("{mesh}: it shows its active shape key alone (pin), so that the others do not move it.").format(
                    mesh=mesh.name
                ),
                partial(show_all_keys, mesh),
            )
        if not keys.use_relative:
            yield Finding(
                "absolute",
                rpt_("{mesh}: its shape keys are absolute, so that their values move nothing.").format(mesh=mesh.name),
                partial(make_relative, keys),
            )


def _ranges(character: Character, channels: Sequence[Channel]) -> Iterator[Finding]:
    """Custom properties that stop short of what is asked of them."""
    for channel in (channel for channel in channels if channel.kind == "custom_property"):
        id_block = owner_of(character, channel)[0]
        owner = id_block.pose.bones[channel.owner] if channel.owner_kind == "pose_bone" else id_block
        limits = owner.id_properties_ui(channel.name).as_dict()
        low, high = _extent(channel)
        least, most = limits.get("min", -np.inf), limits.get("max", np.inf)
        if low < least - TOLERANCE or high > most + TOLERANCE:
            yield Finding(
                "range",
                rpt_(
                    "{channel} goes from {least:g} to {most:g}, the take from {low:.2f} to {high:.2f}. Widen "
                    "its range to see all of it."
                ).format(channel=channel_name(channel), least=least, most=most, low=low, high=high),
                partial(allow_value, owner, channel.name, low, high),
            )


def _gimbals(character: Character, channels: Sequence[Channel]) -> Iterator[Finding]:
    for channel in (channel for channel in channels if channel.kind == "bone_rotation"):
        bone = owner_of(character, channel)[0].pose.bones[channel.owner]
        mode = bone.rotation_mode
        if mode not in rotation.EULER_ORDERS:
            continue
        middle = np.degrees(np.abs(rotation.to_euler(channel.values, mode)[:, "XYZ".index(mode[1])]).max(initial=0))
        if middle > GIMBAL_DEGREES:
            yield Finding(
                "gimbal",
                rpt_(
                    "{character}: bone {bone!r} turns {middle:.0f}° about {axis}, the middle axis of its "
                    "order {mode}. Near 90° its other two angles jump; quaternions do not."
                ).format(character=character.name, bone=bone.name, middle=middle, axis=mode[1], mode=mode),
                partial(to_quaternion, bone),
            )


def _locks(character: Character, channels: Sequence[Channel]) -> Iterator[Finding]:
    for channel in (channel for channel in channels if channel.kind.startswith("bone_")):
        bone = owner_of(character, channel)[0].pose.bones[channel.owner]
        what = channel.kind.removeprefix("bone_")
        locks = getattr(bone, f"lock_{what}")
        if any(locks) if channel.index is None else locks[channel.index]:
            yield Finding(
                "locked",
                rpt_(
                    "{character}: the {move} of bone {bone!r} is locked. Keyframes move it all the same, but "
                    "it cannot be corrected by hand."
                ).format(character=character.name, move=_move_name(channel), bone=bone.name),
                partial(unlock, bone, what, channel.index),
            )


def _scale(character: Character) -> Iterator[Finding]:
    item = character.armature or character.top
    matrix = item.matrix_world.to_3x3()
    sizes = [axis.length for axis in matrix.col]
    if matrix.determinant() < 0:
        text = rpt_(
            "{item}: it is mirrored by a negative scale, so that its left is on its right. Apply the scale (Ctrl A)."
        ).format(item=item.name)
    elif max(sizes) - min(sizes) > UNEVEN * max(sizes):
        numbers = ", ".join(f"{size:.3g}" for size in sizes)
        text = rpt_(
            "{item}: it is scaled unevenly ({numbers}), so that turning bones shears them. Apply the scale (Ctrl A)."
        ).format(item=item.name, numbers=numbers)
    else:
        return
    yield Finding("scale", text)


def channel_name(channel: Channel) -> str:
    """What a channel is, as an artist finds it."""
    if channel.kind == "shape_key":
        return rpt_("{owner}: shape key {name!r}").format(owner=channel.owner, name=channel.name)
    if channel.kind == "custom_property":
        return rpt_("{owner}: the property {name!r}").format(owner=channel.owner, name=channel.name)
    return rpt_("Bone {owner!r}: its {move}").format(owner=channel.owner, move=_move_name(channel))


def _move_name(channel: Channel) -> str:
    """How a bone is moved, in the artist's language."""
    return rpt_(MOVE_NAMES[channel.kind])


def _extent(channel: Channel) -> tuple[float, float]:
    return float(channel.values.min()), float(channel.values.max())
