# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""Settings of the user, the same in every file."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..blender.library import Library, load_library
from ..blender.texts import artist_text
from .sidebar import draw_text

ADDON = __package__.rpartition(".")[0]
OWN_MAPPINGS = "bdfm_mappings"
"""Folder in Blender's user data, which removing or updating the add-on leaves alone."""


class BDFM_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = ADDON

    mappings_folder: bpy.props.StringProperty(
        name="Own Mappings",
        description="Folder with mappings of your own; empty: in Blender's user data. A mapping in it with the id of "
        "one that ships takes its place",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        draw_preferences(self.layout, self, context)


def draw_preferences(layout: bpy.types.UILayout, preferences: BDFM_AP_preferences, context: bpy.types.Context) -> None:
    """The folder, and which files in it are refused."""
    layout.prop(preferences, "mappings_folder", placeholder="In Blender's User Data")
    draw_text(layout, str(own_folder(context)), "FILE_FOLDER")
    for error in library(context).refused:
        draw_text(layout, artist_text(error), "ERROR")


def own_folder(context: bpy.types.Context) -> Path:
    """The folder of the artist's own mappings. It may not be there yet."""
    addon = context.preferences.addons.get(ADDON)
    folder = addon.preferences.mappings_folder if addon is not None and addon.preferences is not None else ""
    if folder:
        return Path(bpy.path.abspath(folder))
    return Path(bpy.utils.user_resource("DATAFILES", path=OWN_MAPPINGS))


def library(context: bpy.types.Context) -> Library:
    """The mappings that ship and the user's own."""
    return load_library(own_folder(context))


CLASSES = (BDFM_AP_preferences,)
