# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps bones from moving as they should, see :mod:`.checks`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
from bpy.app.translations import pgettext_rpt as rpt_

from ..core import rotation
from ..core.retarget import Channel
from .finding import Finding, move_name
from .mends import show_pose, to_quaternion, unlock
from .properties import FloatArray, Property
from .rig import Character, owner_of

GIMBAL_DEGREES = 80.0
"""Of the middle one of three Euler angles; at 90 the other two are the same movement."""
UNEVEN = 0.01
"""Relative difference of an object's scales that counts."""


def bone_findings(character: Character, channels: Iterable[Channel]) -> Iterator[Finding]:
    """What is odd of the bones that ``channels`` move, and of the object that all of them are in."""
    moved = [channel for channel in channels if channel.kind.startswith("bone_")]
    yield from _at_rest(character, moved)
    yield from _connected(character, moved)
    yield from _locks(character, moved)
    yield from _scale(character)


def gimbal_findings(items: Iterable[Property], values: Iterable[FloatArray]) -> Iterator[Finding]:
    """Euler angles, (m, 3) of each property, that come near the place where two of them are one movement."""
    for item, angles in zip(items, values, strict=True):
        mode = item.rotation_mode
        if mode not in rotation.EULER_ORDERS:
            continue
        middle = np.degrees(np.arcsin(np.abs(np.sin(angles[:, "XYZ".index(mode[1])])).max(initial=0)))
        if middle > GIMBAL_DEGREES:
            bone = item.id_block.pose.bones[item.channel.owner]
            yield Finding(
                "gimbal",
                rpt_(
                    "{character}: bone {bone!r} turns {middle:.0f}° about {axis}, the middle axis of its "
                    "order {mode}. Near 90° its other two angles jump; quaternions do not."
                ).format(character=item.id_block.name, bone=bone.name, middle=middle, axis=mode[1], mode=mode),
                partial(to_quaternion, bone),
            )


def _at_rest(character: Character, channels: Sequence[Channel]) -> Iterator[Finding]:
    if channels and character.armature is not None and character.armature.data.pose_position == "REST":
        text = rpt_("{character}: it shows its rest position, so that its bones do not move.")
        yield Finding("rest", text.format(character=character.name), partial(show_pose, character.armature.data))


def _connected(character: Character, channels: Sequence[Channel]) -> Iterator[Finding]:
    for channel in (channel for channel in channels if channel.kind == "bone_location"):
        bone = owner_of(character, channel)[0].data.bones[channel.owner]
        if bone.use_connect:
            text = rpt_(
                "{character}: bone {bone!r} is connected to its parent, so that its location moves nothing. Disconnect "
                "it (Edit Mode, Bone properties, Relations)."
            )
            yield Finding("connected", text.format(character=character.name, bone=bone.name))


def _locks(character: Character, channels: Sequence[Channel]) -> Iterator[Finding]:
    for channel in channels:
        bone = owner_of(character, channel)[0].pose.bones[channel.owner]
        what = channel.kind.removeprefix("bone_")
        locks = getattr(bone, f"lock_{what}")
        if any(locks) if channel.index is None else locks[channel.index]:
            yield Finding(
                "locked",
                rpt_(
                    "{character}: the {move} of bone {bone!r} is locked. Keyframes move it all the same, but "
                    "it cannot be corrected by hand."
                ).format(character=character.name, move=move_name(channel), bone=bone.name),
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
