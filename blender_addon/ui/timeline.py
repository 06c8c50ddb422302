# SPDX-License-Identifier: GPL-3.0-or-later
"""The take in Blender's timeline: markers where the face was lost, and the clip's sound in the sequencer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
from bpy.types import Context, UILayout

from ..blender.versions import new_sound_strip, remove_sound_strip, strip_span, strips_of
from .bake_settings import take_time
from .takes import LoadedTake, TakeOperator, loaded_take

LOST, FOUND = "Face Lost", "Face Found"
NO_SOURCE = "The clip of this take is not found. Choose it under Video, or put it beside the take"


def draw_timeline(layout: UILayout, context: Context) -> None:
    """Buttons for the markers and the sound."""
    row = layout.row(align=True)
    row.operator("bdfm.add_markers", icon="MARKER")
    row.operator("bdfm.remove_markers", text="", icon="X")
    layout.operator("bdfm.add_sound", icon="SOUND")


def source_of(scene: bpy.types.Scene, loaded: LoadedTake) -> Path | None:
    """The video or the folder of images that a take was read from, where it can still be found."""
    source = loaded.take.facts.get("source")
    name = source.get("name") if isinstance(source, dict) else None
    chosen = Path(bpy.path.abspath(scene.bdfm.source)) if scene.bdfm.source else None
    if chosen is not None and name in (None, chosen.name) and chosen.exists():
        return chosen
    beside = loaded.path.parent / Path(name).name if isinstance(name, str) and name else None
    return beside if beside is not None and beside.exists() else None


def lost_stretches(loaded: LoadedTake) -> Iterator[tuple[float, float | None]]:
    """Seconds at which the face is lost, and at which it is found again; None where it is not."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], loaded.take.success, [True]]).astype(np.int8)))
    times = loaded.take.timestamps
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        yield float(times[first]), float(times[after]) if after < len(times) else None


def _remove_markers(scene: bpy.types.Scene, name: str) -> int:
    """Take away the markers of one take. Returns how many there were."""
    ours = [marker for marker in scene.timeline_markers if marker.name in (f"{LOST}: {name}", f"{FOUND}: {name}")]
    for marker in ours:
        scene.timeline_markers.remove(marker)
    return len(ours)


class BDFM_OT_add_markers(TakeOperator, bpy.types.Operator):
    """Mark in the timeline where the face was lost and where it was found again. Older marks of this take go"""

    bl_idname = "bdfm.add_markers"
    bl_label = "Mark Lost Face"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Context) -> set[str]:
        scene, loaded = context.scene, loaded_take(context.scene)
        assert loaded is not None
        _remove_markers(scene, loaded.name)
        time, stretches = take_time(scene), list(lost_stretches(loaded))
        for lost, found in stretches:
            scene.timeline_markers.new(f"{LOST}: {loaded.name}", frame=round(float(time.frames(lost))))
            if found is not None:
                scene.timeline_markers.new(f"{FOUND}: {loaded.name}", frame=round(float(time.frames(found))))
        self.report({"INFO"}, f"The face is lost {len(stretches)} times" if stretches else "The face is never lost")
        return {"FINISHED"}


class BDFM_OT_remove_markers(TakeOperator, bpy.types.Operator):
    """Remove the marks of this take from the timeline. Markers of your own stay"""

    bl_idname = "bdfm.remove_markers"
    bl_label = "Remove Marks"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Context) -> set[str]:
        loaded = loaded_take(context.scene)
        assert loaded is not None
        self.report({"INFO"}, f"{_remove_markers(context.scene, loaded.name)} markers removed")
        return {"FINISHED"}


class BDFM_OT_add_sound(TakeOperator, bpy.types.Operator):
    """Put the sound of the clip into the sequencer, in step with the take. Play it with Sync to Audio"""

    bl_idname = "bdfm.add_sound"
    bl_label = "Add Sound of Clip"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Context) -> set[str]:
        scene, loaded = context.scene, loaded_take(context.scene)
        assert loaded is not None
        source = source_of(scene, loaded)
        if source is None:
            self.report({"ERROR"}, NO_SOURCE)
            return {"CANCELLED"}
        channel = max((strip.channel for strip in strips_of(scene)), default=0) + 1
        try:
            strip = new_sound_strip(scene, source.stem, str(source), channel, scene.bdfm.start_frame)
        except RuntimeError as error:
            self.report({"ERROR"}, f"{source.name} cannot be added as sound: {str(error).strip()}")
            return {"CANCELLED"}
        if strip_span(strip)[2] <= 1:
            remove_sound_strip(scene, strip)
            self.report({"ERROR"}, f"{source.name} has no sound")
            return {"CANCELLED"}
        self.report({"INFO"}, f"Sound of {source.name} added from frame {scene.bdfm.start_frame}")
        if scene.bdfm.bake.speed != 1:
            self.report({"WARNING"}, "The take does not play at its own speed, the sound does")
        return {"FINISHED"}


CLASSES = (BDFM_OT_add_markers, BDFM_OT_remove_markers, BDFM_OT_add_sound)
