# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist should know of scene, actions and F-curves that a bake meets. Of the character: :mod:`.checks`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import bpy
from bpy.app.translations import pgettext_rpt as rpt_

from .bake_options import BakeOptions
from .finding import Finding, channel_name
from .item_curves import ItemCurve, item_curve
from .mends import play_all_tracks, switch_nla_on, unlock_all, unmute_all
from .properties import Property
from .versions import channels_of, is_shared


def scene_findings(scene: bpy.types.Scene) -> list[Finding]:
    """What of the scene keeps a bake from playing as it was captured."""
    old, new = scene.render.frame_map_old, scene.render.frame_map_new
    if old == new:
        return []
    text = rpt_(
        "{scene}: its Time Stretching, {old} to {new}, plays keyframes at {percent:.0f} % of their speed, so that the "
        "take is not in step with the video. Make both numbers the same (Output properties, Frame Range)."
    ).format(scene=scene.name, old=old, new=new, percent=100 * old / new)
    return [Finding("time_stretching", text)]


def action_findings(items: Sequence[Property], options: BakeOptions) -> list[Finding]:
    """What a bake meets in the actions of what it moves: what hides it, what it hides, and what it cannot write."""
    found = list(_playing_findings(items, options))
    return found + _written_findings(items) if options.target == "ACTIVE_ACTION" else found


def _playing_findings(items: Iterable[Property], options: BakeOptions) -> Iterator[Finding]:
    """A line for each active action that will not be seen, hides the bake, or moves others as well."""
    paths: dict[bpy.types.ID, set[str]] = {}
    names: dict[bpy.types.ID, str] = {}
    for item in items:
        paths.setdefault(item.id_block, set()).add(item.path)
        names[item.id_block] = item.slot
    for id_block, baked in paths.items():
        who = names[id_block]
        yield from _unseen(id_block, who, options)
        active = channels_of(id_block)
        if active is None:
            continue
        name = id_block.animation_data.action.name
        same = sum(curve.data_path in baked for curve in active.fcurves)
        others = len(active.fcurves) - same
        if options.target == "NEW_ACTION" and others:
            text = rpt_(
                "{who}: its action {name!r} also moves {others} channels that are not of the face. It is kept. To play "
                "both, bake into the active action, or as an NLA strip."
            ).format(who=who, name=name, others=others)
            yield Finding("replaced", text)
        if options.target == "NLA_STRIP" and same:
            text = rpt_(
                "{who}: its action {name!r} moves {same} of the baked channels and wins over the strip. Push it down "
                "in the NLA editor to see the strip."
            ).format(who=who, name=name, same=same)
            yield Finding("hidden", text)
        if options.target == "ACTIVE_ACTION" and is_shared(id_block):
            text = rpt_(
                "{who}: its action {name!r} moves others as well, which then move alike. If that is not wanted, make "
                "the action a single user before the bake."
            ).format(who=who, name=name)
            yield Finding("shared", text)


def _unseen(id_block: bpy.types.ID, who: str, options: BakeOptions) -> Iterator[Finding]:
    """Why the NLA will not play the bake."""
    animation = id_block.animation_data
    if animation is None:
        return
    if options.target == "NLA_STRIP" and not animation.use_nla:
        text = rpt_(
            "{who}: its NLA is switched off, so that the strip is not seen. Switch it on (NLA editor, the box beside "
            "its name)."
        ).format(who=who)
        yield Finding("nla_off", text, partial(switch_nla_on, id_block))
    elif animation.use_nla and any(track.is_solo for track in animation.nla_tracks):
        text = rpt_(
            "{who}: its NLA plays one track alone, so that the bake is not seen. Click that track's star in the NLA "
            "editor."
        ).format(who=who)
        yield Finding("solo", text, partial(play_all_tracks, id_block))
    elif animation.use_nla and animation.nla_tracks and options.target != "NLA_STRIP":
        blend, share = animation.action_blend_type, animation.action_influence
        if blend != "REPLACE" or share < 1:
            text = rpt_(
                "{who}: its NLA lays the active action over the strips by {blend} with an influence of {share:.2f}, so "
                "that the bake does not show as it is. Choose Replace and 1 (NLA editor, Sidebar, Action)."
            ).format(who=who, blend=blend.title(), share=share)
            yield Finding("blended", text)


def _written_findings(items: Iterable[Property]) -> list[Finding]:
    """What a bake into the active actions meets there: linked actions, and F-curves that are not as it needs them."""
    found = []
    writable = False
    for item in items:
        animation = item.id_block.animation_data
        if animation is not None and animation.action is not None and animation.action.library is not None:
            text = rpt_(
                "The action {action!r} is linked from a library, where Blender would lose the keyframes. Bake a new "
                "action, or make this one local."
            ).format(action=animation.action.name)
            return [Finding("linked_action", text, blocks=True)]
        channels = channels_of(item.id_block)
        curves = [item_curve(channels, item, index) for index in item.indices]
        writable |= any(curve.writable for curve in curves)
        found += [each for curve in curves for each in _curve_findings(curve, channel_name(item.channel))]
    if not writable:
        text = rpt_("All its channels in the action are locked or hold samples. Unlock them, or bake a new action.")
        found.append(Finding("unwritable", text, blocks=True))
    return found


def _curve_findings(curve: ItemCurve, channel: str) -> Iterator[Finding]:
    """What the artist should know of an F-curve, or of where it will be, that moves what is called ``channel``."""
    if curve.locked:
        text = rpt_("{channel} is locked in its action, and is left as it is.").format(channel=channel)
        yield Finding("locked_curve", text, partial(unlock_all, curve.owners))
    elif curve.sampled:
        text = rpt_(
            "{channel} holds samples, and is left as it is. Turn them into keyframes first (Graph Editor: Key, "
            "Samples)."
        ).format(channel=channel)
        yield Finding("sampled", text)
    elif curve.muted:
        text = rpt_("{channel} is muted in its action and will not move.").format(channel=channel)
        yield Finding("muted_curve", text, partial(unmute_all, curve.owners))
    elif curve.curve is not None and any(not modifier.mute for modifier in curve.curve.modifiers):
        text = rpt_(
            "{channel} has modifiers, which also change what is baked. Mute them in the Graph Editor where that is not "
            "wanted."
        ).format(channel=channel)
        yield Finding("modified", text)
