# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bake animates: the properties of Blender's data that the channels of a rig are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import bpy
import numpy as np
from bpy.app.translations import pgettext_data as data_
from numpy.typing import NDArray

from ..core.retarget import Channel
from .rig import Character, places_of

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Property:
    """One animated property: an F-curve for each index.

    Attributes:
        channel: what it shows.
        id_block: the data-block that holds the F-curves.
        slot: name of the data-block's slot in a new action.
        path: RNA path from the data-block.
        indices: places in a vector property, (0,) for a single value.
        group: heading in the dope sheet.
        rotation_mode: of the pose bone, for its rotation; else empty.
    """

    channel: Channel
    id_block: bpy.types.ID
    slot: str
    path: str
    indices: tuple[int, ...]
    group: str
    rotation_mode: str = ""


def properties_of(character: Character, channels: Iterable[Channel]) -> list[Property]:
    """What the channels move. Objects that share one mesh share its keys: each property comes once."""
    found = [_property(character, channel) for channel in channels]
    return list({(item.id_block, item.path, item.indices): item for item in found}.values())


def _property(character: Character, channel: Channel) -> Property:
    places = places_of(character, channel)
    id_block = places[0].id_block
    of_bone, turns = channel.owner_kind == "pose_bone", channel.kind == "bone_rotation"
    return Property(
        channel=channel,
        id_block=id_block,
        slot=data_("{owner} Shape Keys").format(owner=channel.owner) if channel.kind == "shape_key" else id_block.name,
        path=places[0].path,
        indices=tuple(place.index for place in places),
        group=channel.owner if of_bone else "Face",
        rotation_mode=id_block.pose.bones[channel.owner].rotation_mode if turns else "",
    )
