# SPDX-License-Identifier: MIT
"""What all steps of the story share: the folder it plays in, the scene, and what is expected of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import bpy
from hands import NotSeenError

STAGE = Path(os.environ["STAGE"])
ADDON = "bl_ext.user_default.bdfm_face_capture"
CAPTURE, TAKE, CHARACTERS, BAKE, BATCH = range(5)
"""Places of the panels in the tab."""
SMILE = 151
"""A frame in which the clip's face smiles."""


def check(holds: object, what: str) -> None:
    """Raises:
    NotSeenError: it does not hold.
    """
    if not holds:
        raise NotSeenError(what)


def addon_module(name: str) -> ModuleType:
    """A module of the installed add-on, such as ``ui.faces``."""
    return sys.modules[f"{ADDON}.{name}"]


def select(*names: str) -> None:
    """As a click in the outliner does."""
    for item in bpy.context.scene.objects:
        item.select_set(item.name in names)
    bpy.context.view_layer.objects.active = bpy.context.scene.objects[names[0]]
    bpy.ops.ed.undo_push(message="Select")


def all_keys_of(name: str) -> list[bpy.types.Key]:
    """The shape keys of all meshes of a character."""
    meshes = [item for item in bpy.context.scene.objects[name].children_recursive if item.type == "MESH"]
    return [mesh.data.shape_keys for mesh in meshes if mesh.data.shape_keys]


def keys_of(name: str) -> bpy.types.Key:
    """The shape keys of a character's face."""
    return all_keys_of(name)[0]


def pose(name: str, **values: float) -> None:
    """Shape keys of a character, as their sliders in the properties set them."""
    for keys in all_keys_of(name):
        for key, value in values.items():
            if key in keys.key_blocks:
                keys.key_blocks[key].value = value
    bpy.ops.ed.undo_push(message="Set Shape Keys")
