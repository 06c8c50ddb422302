# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing that a bake meets, and how channels are called in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bpy.app.translations import pgettext_n as n_
from bpy.app.translations import pgettext_rpt as rpt_

from ..core.retarget import Channel

MOVE_NAMES = {"bone_location": n_("location"), "bone_rotation": n_("rotation"), "bone_scale": n_("scale")}


@dataclass(frozen=True)
class Finding:
    """One thing that a bake meets.

    Attributes:
        kind: a key of :data:`.checks.MENDS`, or another where there is no button.
        text: what it is and what it does, for the artist.
        mend: puts it right; valid until Blender's data change. May raise :class:`.mends.MendError`.
        blocks: the bake is refused because of it.
    """

    kind: str
    text: str
    mend: Callable[[], None] | None = None
    blocks: bool = False


def channel_name(channel: Channel) -> str:
    """What a channel is, as an artist finds it."""
    if channel.kind == "shape_key":
        return rpt_("{owner}: shape key {name!r}").format(owner=channel.owner, name=channel.name)
    if channel.kind == "custom_property":
        return rpt_("{owner}: the property {name!r}").format(owner=channel.owner, name=channel.name)
    return rpt_("Bone {owner!r}: its {move}").format(owner=channel.owner, move=move_name(channel))


def move_name(channel: Channel) -> str:
    """How a bone is moved, in the artist's language."""
    return rpt_(MOVE_NAMES[channel.kind])
