# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in a bake's way on one character, found before it, and how each is mended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as rpt_

from ..core.mapping import SOURCES
from ..core.matching import Resolution
from ..core.retarget import Channel
from .bone_checks import bone_findings
from .finding import Finding, channel_name
from .mends import (
    allow_value,
    leave_tweak_mode,
    make_overrides,
    make_relative,
    mute_driver,
    show_all_keys,
    unmute,
    widen_range,
)
from .rig import Character, mesh_named, owner_of, places_of
from .sides import names_are_swapped

TOLERANCE = 1e-4
FEWEST_STEPS = 10
"""Whole numbers that a movement has to go through to look smooth."""
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
    "rest": "Show Pose Position",
}
"""What the button of each kind of finding says. Other kinds the artist mends, ``mirrored`` in the mapping."""


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
        *_whole_numbers(character, channels),
        *_shared(character, channels),
        *bone_findings(character, channels),
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
    for channel, owner in _custom_properties(character, channels):
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


def _whole_numbers(character: Character, channels: Sequence[Channel]) -> Iterator[Finding]:
    """Custom properties that show few steps of a smooth movement."""
    for channel, owner in _custom_properties(character, channels):
        low, high = _extent(channel)
        is_smooth = np.abs(channel.values - np.rint(channel.values)).max(initial=0) > TOLERANCE
        if isinstance(owner[channel.name], int) and is_smooth and high - low < FEWEST_STEPS:
            yield Finding(
                "whole",
                rpt_(
                    "{channel} holds whole numbers, or on and off, so that the take's {low:.2f} to {high:.2f} shows as "
                    "steps. Make its type Float (Edit Property)."
                ).format(channel=channel_name(channel), low=low, high=high),
            )


def _shared(character: Character, channels: Sequence[Channel]) -> Iterator[Finding]:
    """Meshes and armatures that move other objects as well."""
    for id_block in dict.fromkeys(owner_of(character, channel)[0] for channel in channels):
        data = id_block.user if id_block.id_type == "KEY" else id_block
        others = [
            item.name for item in bpy.data.objects if item.data == data and item not in character.objects and item.users
        ]
        if others:
            yield Finding(
                "shared_data",
                rpt_(
                    "{data!r} also belongs to {others}: all of them move alike, as was baked last. If that is not "
                    "wanted, make it a single user (Object > Relations > Make Single User > Object & Data)."
                ).format(data=data.name, others=", ".join(others)),
            )


def _custom_properties(
    character: Character, channels: Sequence[Channel]
) -> Iterator[tuple[Channel, bpy.types.bpy_struct]]:
    """Channels of custom properties, and what has the property."""
    for channel in (channel for channel in channels if channel.kind == "custom_property"):
        id_block = owner_of(character, channel)[0]
        yield channel, id_block.pose.bones[channel.owner] if channel.owner_kind == "pose_bone" else id_block


def _extent(channel: Channel) -> tuple[float, float]:
    return float(channel.values.min()), float(channel.values.max())
