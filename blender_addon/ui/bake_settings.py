# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""How takes are baked in a scene: the artist's choices, saved with the file."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from ..blender.bake import scene_time
from ..blender.bake_options import BakeOptions
from ..core.timing import SceneTime

TARGETS = (
    ("NEW_ACTION", "New Action", "A new action becomes the active one. The action that was there is kept"),
    (
        "ACTIVE_ACTION",
        "Active Action",
        "Into the action that is there, on the channels of the face alone. Keyframes outside the take stay as they are",
    ),
    ("NLA_STRIP", "NLA Strip", "A new action as a strip on a new track. The active action is not touched"),
)
HEADS = (
    ("MAPPED", "As Mapped", "The bones that the mapping names"),
    ("HEAD", "Head", "The head bone alone"),
    ("NECK", "Neck", "The neck bone, which takes the head along"),
    ("BOTH", "Head and Neck", "The neck bone by half the angle, the head bone by the rest"),
    ("NONE", "None", "The head keeps the rotation that it has"),
)

listeners: list[Callable[[], None]] = []
"""Called when the artist changes when, how fast, by which mapping or on which bones the take is baked."""


def changed(owner: bpy.types.PropertyGroup | None, context: bpy.types.Context | None) -> None:
    """For the update of a setting."""
    for listener in listeners:
        listener()


class BDFM_PG_bake(bpy.types.PropertyGroup):
    target: bpy.props.EnumProperty(name="Target", description="Where the keyframes go", items=TARGETS)
    speed: bpy.props.FloatProperty(
        name="Speed",
        description="How fast the take plays; at 0.5 it takes twice as long as in the video",
        default=1.0,
        min=0.01,
        max=100.0,
        soft_min=0.1,
        soft_max=4.0,
        step=10,
        update=changed,
    )
    additive: bpy.props.BoolProperty(
        name="Additive",
        description="Add to what the character does already, in place of replacing it. Rotations are composed",
    )
    use_range: bpy.props.BoolProperty(name="Frame Range", description="Bake a part of the take")
    first: bpy.props.IntProperty(name="Start", description="First scene frame that gets a keyframe", default=1)
    last: bpy.props.IntProperty(name="End", description="Last scene frame that gets a keyframe", default=250)
    use_reduction: bpy.props.BoolProperty(
        name="Fewer Keys", description="Leave out keyframes that lie on the line between their neighbours"
    )
    largest_error: bpy.props.FloatProperty(
        name="Largest Error",
        description="How far any frame may differ from the take: of a shape key's value, and for all else of how far "
        "it moves in the take",
        default=0.01,
        min=0.0,
        max=0.5,
        soft_max=0.1,
        precision=3,
        step=0.1,
    )
    head: bpy.props.EnumProperty(
        name="Head Rotation", description="What turns with the head in the video", items=HEADS, update=changed
    )
    mark: bpy.props.StringProperty(description="Tells this scene's last bake from others", options={"HIDDEN"})


def take_time(scene: bpy.types.Scene) -> SceneTime:
    """The scene's clock as the take is baked and shown: with its start frame and its speed.

    Raises:
        TimingError: the scene's frame rate is not a positive number.
    """
    return scene_time(scene, scene.bdfm.start_frame, scene.bdfm.bake.speed)


def bake_options(scene: bpy.types.Scene) -> BakeOptions:
    """The scene's choices for a bake."""
    settings = scene.bdfm.bake
    return BakeOptions(
        target=settings.target,
        additive=settings.additive,
        first=settings.first if settings.use_range else None,
        last=settings.last if settings.use_range else None,
        largest_error=settings.largest_error if settings.use_reduction else 0.0,
        head=settings.head,
    )


CLASSES = (BDFM_PG_bake,)
