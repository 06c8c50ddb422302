# SPDX-License-Identifier: GPL-3.0-or-later
"""The take in Blender's timeline: markers where the face was lost, the clip's sound, the frames that are played."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
from bpy.app.translations import pgettext_data as data_
from bpy.app.translations import pgettext_n as n_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, UILayout

from ..blender.versions import new_sound_strip, remove_sound_strip, show_in_sequencer, strip_span, strips_of
from ..core.errors import AddonError
from ..core.paths import is_there
from ..core.timing import MAX_FRAME
from ..jobs.requests import Footage
from .bake_settings import take_time
from .operators import ReportingOperator
from .project import absolute
from .sources import BDFM_PG_source, SourceError, is_chosen, resolve_in
from .takes import LoadedTake, TakeOperator, loaded_take

LOST, FOUND = n_("Face Lost"), n_("Face Found")
ROUNDING = 1e-3
"""Of a frame: times of a take have six digits."""


def draw_timeline(layout: UILayout, context: Context) -> None:
    """Buttons for the markers, the sound, and the scene's range."""
    row = layout.row(align=True)
    row.operator("bdfm.add_markers", icon="MARKER")
    row.operator("bdfm.remove_markers", text="", icon="X")
    layout.operator("bdfm.add_sound", icon="SOUND")
    layout.operator("bdfm.fit_scene_range", icon="PREVIEW_RANGE")


def source_of(context: Context, loaded: LoadedTake) -> Path | tuple[Path, ...]:
    """The video, folder or images that a take was read from: what is chosen in the panel Capture, where it is called
    like the take's source, or what lies beside the take.

    Raises:
        SourceError: neither is there.
    """
    source = loaded.take.facts.get("source")
    name = source.get("name") if isinstance(source, dict) else None
    chosen = _chosen(context.scene.bdfm.capture, context)
    if chosen is not None and (name is None or (isinstance(name, str) and Path(name).name == chosen.name)):
        return chosen.source
    beside = loaded.path.parent / Path(name).name if isinstance(name, str) and name else None
    if beside is None or not is_there(beside):
        raise SourceError(
            rpt_("The clip of this take is not found. Choose it in the panel Capture, or put it beside the take.")
        )
    return beside


def _chosen(choice: BDFM_PG_source, context: Context) -> Footage | None:
    """What is chosen in the panel Capture, where it is there."""
    try:
        footage = resolve_in(choice, context).footage if is_chosen(choice) else None
    except AddonError:
        return None
    return footage if footage is not None and footage.is_there else None


def lost_stretches(loaded: LoadedTake) -> Iterator[tuple[float, float | None]]:
    """Seconds at which the face is lost, and at which it is found again; None where it is not."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], loaded.take.success, [True]]).astype(np.int8)))
    times = loaded.take.timestamps
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        yield float(times[first]), float(times[after]) if after < len(times) else None


def _kept(name: str) -> str:
    """What Blender keeps of a marker's name: whole letters, as many as there are bytes for."""
    most = bpy.types.TimelineMarker.bl_rna.properties["name"].length_max - 1
    return name.encode()[:most].decode(errors="ignore")


def _remove_markers(scene: bpy.types.Scene, name: str) -> int:
    """Take away the markers of one take. Returns how many there were."""
    names = {_kept(f"{label}: {name}") for text in (LOST, FOUND) for label in (text, data_(text))}
    ours = [marker for marker in scene.timeline_markers if marker.name in names]
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
        time, stretches = take_time(scene), list(lost_stretches(loaded))
        marks = [(name, second) for pair in stretches for name, second in zip((LOST, FOUND), pair, strict=True)]
        frames = [(name, float(time.frames(second))) for name, second in marks if second is not None]
        if any(abs(frame) > MAX_FRAME for _, frame in frames):
            self.report(
                {"ERROR"},
                rpt_("The take goes beyond frame {last}, where Blender's timeline ends").format(last=MAX_FRAME),
            )
            return {"CANCELLED"}
        _remove_markers(scene, loaded.name)
        for name, frame in frames:
            scene.timeline_markers.new(f"{data_(name)}: {loaded.name}", frame=round(frame))
        self.report(
            {"INFO"},
            rpt_("The face is lost {count} times").format(count=len(stretches))
            if stretches
            else "The face is never lost",
        )
        return {"FINISHED"}


class BDFM_OT_remove_markers(TakeOperator, bpy.types.Operator):
    """Remove the marks of this take from the timeline. Markers of your own stay"""

    bl_idname = "bdfm.remove_markers"
    bl_label = "Remove Marks"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Context) -> set[str]:
        loaded = loaded_take(context.scene)
        assert loaded is not None
        self.report(
            {"INFO"},
            rpt_("{count} markers removed").format(count=_remove_markers(context.scene, loaded.name)),
        )
        return {"FINISHED"}


class BDFM_OT_fit_scene_range(TakeOperator, ReportingOperator):
    """Let the scene play from the first frame of the take to its last. Nothing is baked or moved"""

    bl_idname = "bdfm.fit_scene_range"
    bl_label = "Fit Scene Range to Take"

    def run(self, context: Context) -> None:
        scene, loaded = context.scene, loaded_take(context.scene)
        assert loaded is not None
        first, last = take_time(scene).frames(loaded.take.timestamps[[0, -1]])
        scene.frame_end = max(0, math.ceil(last - ROUNDING))
        scene.frame_start = max(0, math.floor(first + ROUNDING))
        self.report(
            {"INFO"},
            rpt_("The scene plays the frames {first} to {last}").format(first=scene.frame_start, last=scene.frame_end),
        )


def _sounds(scene: bpy.types.Scene, file: Path) -> list[int]:
    """Frames at which the strips with a file's sound have its second 0, trimmed off or not."""
    spans = [
        strip_span(strip)
        for strip in strips_of(scene)
        if strip.type == "SOUND"
        and strip.sound is not None
        and absolute(strip.sound.filepath, strip.sound.library) == file.absolute()
    ]
    return [first - skipped for first, skipped, _ in spans]


class BDFM_OT_add_sound(TakeOperator, ReportingOperator):
    """Put the sound of the clip into the sequencer, in step with the take, once. Play it with Sync to Audio"""

    bl_idname = "bdfm.add_sound"
    bl_label = "Add Sound of Clip"

    def run(self, context: Context) -> None:
        scene, loaded = context.scene, loaded_take(context.scene)
        assert loaded is not None
        source = source_of(context, loaded)
        if isinstance(source, tuple) or source.is_dir():
            raise SourceError(rpt_("{take} was read from images, which have no sound.").format(take=loaded.name))
        self.report({"INFO"}, self._add_once(scene, source))
        shown = show_in_sequencer(context, scene)
        if shown != scene:
            self.report(
                {"WARNING"},
                rpt_("The sequencer shows {shown}. Choose {scene} in its header to see the sound").format(
                    shown=shown.name, scene=scene.name
                ),
            )
        if scene.bdfm.bake.speed != 1:
            self.report({"WARNING"}, "The take does not play at its own speed, the sound does")

    def _add_once(self, scene: bpy.types.Scene, source: Path) -> str:
        """Add the sound unless it is there in step already. Returns what is to be reported.

        Raises:
            SourceError: it is there out of step, or cannot be added.
        """
        start, there = scene.bdfm.start_frame, _sounds(scene, source)
        if start in there:
            return rpt_("Sound of {source} is in {scene} already, from frame {start}. Nothing was added").format(
                source=source.name, scene=scene.name, start=start
            )
        if there:
            raise SourceError(
                rpt_(
                    "Sound of {source} is in {scene} already, from frame {frame}, but Start Frame is {start}. "
                    "Move its strip in the sequencer, or delete it and press again."
                ).format(source=source.name, scene=scene.name, frame=there[0], start=start)
            )
        self._add(scene, source)
        return rpt_("Sound of {source} added to {scene} from frame {start}").format(
            source=source.name, scene=scene.name, start=start
        )

    def _add(self, scene: bpy.types.Scene, source: Path) -> None:
        channel = max((strip.channel for strip in strips_of(scene)), default=0) + 1
        try:
            strip = new_sound_strip(scene, source.stem, str(source), channel, scene.bdfm.start_frame)
        except RuntimeError as error:
            raise SourceError(
                rpt_("{source} cannot be added as sound: {reason}").format(
                    source=source.name, reason=str(error).strip()
                )
            ) from error
        if strip_span(strip)[2] <= 1:
            remove_sound_strip(scene, strip)
            raise SourceError(rpt_("{source} has no sound.").format(source=source.name))


CLASSES = (BDFM_OT_add_markers, BDFM_OT_remove_markers, BDFM_OT_fit_scene_range, BDFM_OT_add_sound)
