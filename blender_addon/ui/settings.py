# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""Settings of the scene, saved with the file, and the captures of the session, which are not."""

from __future__ import annotations

import bpy

from ..blender import gains
from ..blender.versions import BLEND_RELATIVE
from ..core.timing import MAX_FRAME
from .bake_settings import BDFM_PG_bake, changed
from .batch_lists import BDFM_PG_batch
from .capture_queue import BDFM_PG_capture
from .cleaning import BDFM_PG_cleaning
from .own_mapping import BDFM_PG_own_mapping
from .preferences import library
from .sources import BDFM_PG_source


def _mapping_ids(self: bpy.types.PropertyGroup, context: bpy.types.Context, typed: str) -> list[tuple[str, str]]:
    return [(mapping.id, f"{mapping.name} ({mapping.confidence})") for mapping in library(context).mappings.values()]


def _get_source(self: BDFM_PG_settings) -> str:
    return str(self.capture.file)


def _set_source(self: BDFM_PG_settings, path: str) -> None:
    self.capture.kind, self.capture.file = "FILE", path


class BDFM_PG_settings(bpy.types.PropertyGroup):
    capture: bpy.props.PointerProperty(type=BDFM_PG_source)
    source: bpy.props.StringProperty(
        name="Video",
        description="Video, image, or folder of images to read the face from; short for scripts",
        get=_get_source,
        set=_set_source,
    )
    take_folder: bpy.props.StringProperty(
        name="Takes",
        description="Folder for new takes; empty: beside the video. // is the folder of the saved file",
        subtype="DIR_PATH",
        options=BLEND_RELATIVE,
    )
    take: bpy.props.StringProperty(name="Take", description="The loaded take")
    home: bpy.props.StringProperty(options={"HIDDEN"})
    start_frame: bpy.props.IntProperty(
        name="Start Frame",
        description="Scene frame of the clip's second 0: the take begins there, or later where its clip was trimmed",
        default=1,
        min=-MAX_FRAME,
        max=MAX_FRAME,
        update=changed,
    )
    mapping: bpy.props.StringProperty(
        name="Mapping",
        description="Mapping to bake with; empty: chosen by the names of each rig",
        search=_mapping_ids,
        update=changed,
    )
    preview: bpy.props.StringProperty(description="Tells the preview that is on from others", options={"HIDDEN"})
    own_mapping: bpy.props.PointerProperty(type=BDFM_PG_own_mapping)
    cleaning: bpy.props.PointerProperty(type=BDFM_PG_cleaning)
    bake: bpy.props.PointerProperty(type=BDFM_PG_bake)
    batch: bpy.props.PointerProperty(type=BDFM_PG_batch)


def attach() -> None:
    """Give scenes their settings, and objects their gains."""
    bpy.types.Scene.bdfm = bpy.props.PointerProperty(type=BDFM_PG_settings)
    gains.attach()
    bpy.types.WindowManager.bdfm_capture = bpy.props.PointerProperty(type=BDFM_PG_capture)


def detach() -> None:
    """Take them away again."""
    del bpy.types.WindowManager.bdfm_capture
    gains.detach()
    del bpy.types.Scene.bdfm


CLASSES = (BDFM_PG_settings,)
