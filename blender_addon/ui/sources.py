# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""What a face is read from: a file, a strip of the sequencer, or a movie clip of the file, with its trim."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, PropertyGroup, Scene

from ..blender.versions import sequencer_scene, strip_span, strips_of
from ..core.errors import AddonError
from ..core.numbered import numbered_from
from ..core.paths import changed_at, is_folder, is_there
from ..jobs.requests import ALL_FACES, Footage, Pick
from .operators import check_name
from .project import absolute, located

KINDS = (
    ("FILE", "File", "A video, an image, a folder of images, or a pattern of names"),
    ("STRIP", "Strip", "A movie or image strip of the sequencer, as far as it is shown"),
    ("CLIP", "Movie Clip", "A movie clip of this file"),
)
FACES = (
    ("LARGEST", "Largest Face", "The largest face in the first frame with a face"),
    ("PICKED", "Picked Face", "The face that was picked from the pictures below"),
    ("ALL", "All Faces", "Each face into a take of its own, in one pass"),
)
DIGITS = 4
"""Of a second that was typed; Blender keeps it less exactly than frames are timed."""


class SourceError(AddonError):
    """There is nothing to read a face from; the message says what to choose."""

    code = "bad_source"
    exit_code = 41


class BDFM_PG_source(PropertyGroup):
    """What to capture."""

    kind: bpy.props.EnumProperty(name="Source", description="What the face is read from", items=KINDS)
    file: bpy.props.StringProperty(name="File", description="Video, image, or folder of images to read the face from")
    strip: bpy.props.StringProperty(name="Strip", description="Movie or image strip of the sequencer")
    clip: bpy.props.StringProperty(name="Movie Clip", description="Movie clip of this file")
    is_sequence: bpy.props.BoolProperty(
        name="Image Sequence",
        description="The images are the frames of one clip at the scene's rate; off: each is a picture of its own",
        default=True,
    )
    use_trim: bpy.props.BoolProperty(name="Trim", description="Capture a part of the clip")
    start: bpy.props.FloatProperty(
        name="Start", description="Second of the clip to begin with", min=0, subtype="TIME_ABSOLUTE"
    )
    end: bpy.props.FloatProperty(
        name="End", description="Second of the clip to end before; 0: its end", min=0, subtype="TIME_ABSOLUTE"
    )
    face: bpy.props.EnumProperty(name="Face", description="Whose face is captured", items=FACES)
    accurate: bpy.props.BoolProperty(
        name="Accurate",
        description="Read each face in its mirror image as well and take the mean: steadier and closer, and slower",
    )
    look_at: bpy.props.FloatProperty(
        name="Look At",
        description="Second after the start at which faces are looked for",
        min=0,
        subtype="TIME_ABSOLUTE",
    )
    pick_source: bpy.props.StringProperty(options={"HIDDEN"})
    pick_time: bpy.props.FloatProperty(options={"HIDDEN"})
    pick_place: bpy.props.FloatVectorProperty(size=2, options={"HIDDEN"})


@dataclass(frozen=True)
class Source:
    """What was chosen, found and ready to be read.

    Attributes:
        name: of its takes.
        folder: where its files lie.
        footage: what is read.
        start_frame: scene frame at which second 0 of the footage is shown; None where it is not in the scene.
    """

    name: str
    folder: Path
    footage: Footage
    start_frame: int | None = None

    @property
    def key(self) -> str:
        """Tells whether two are the same footage."""
        source = self.footage.source
        return str(source if isinstance(source, Path) else source[0])


def chosen(choice: BDFM_PG_source) -> tuple[str, str]:
    """The kind of source, and the name of what was chosen of that kind."""
    return choice.kind, {"FILE": choice.file, "STRIP": choice.strip, "CLIP": choice.clip}[choice.kind]


def is_chosen(choice: BDFM_PG_source) -> bool:
    """Whether anything was chosen."""
    return bool(chosen(choice)[1])


def file_of(choice: BDFM_PG_source, context: Context) -> str:
    """The first file of what is chosen, as it is named; empty where nothing is. A panel may ask at each drawing: no
    disk is looked at.
    """
    if choice.kind == "FILE":
        return str(absolute(choice.file)) if choice.file else ""
    if choice.kind == "CLIP":
        clip = bpy.data.movieclips.get(choice.clip)
        return str(absolute(clip.filepath, clip.library)) if clip is not None else ""
    strip = _strip_of(choice, sequencer_scene(context))
    if strip is None or strip.type not in ("MOVIE", "IMAGE"):
        return ""
    return str(absolute(strip.filepath if strip.type == "MOVIE" else f"{strip.directory}{strip.elements[0].filename}"))


def resolve(choice: BDFM_PG_source, scene: Scene, strips_scene: Scene) -> Source:
    """Find what was chosen.

    Args:
        choice: of the artist.
        scene: gives the rate of image sequences.
        strips_scene: the scene of the sequencer, see :func:`blender.versions.sequencer_scene`.

    Raises:
        SourceError: it is not there, or cannot be captured.
        AddonError: it is relative to a file that is not saved.
        FileNameError: its name is not in UTF-8.
    """
    found = {"FILE": _file, "STRIP": _strip, "CLIP": _clip}[choice.kind](choice, scene, strips_scene)
    files = found.footage.source
    for path in (files,) if isinstance(files, Path) else files:
        check_name(path)
    if not choice.use_trim:
        return found
    footage = found.footage
    start = max(footage.start, round(choice.start, DIGITS))
    end = min(footage.end, round(choice.end, DIGITS) or math.inf)
    if end <= start:
        raise SourceError(
            rpt_("{source}: the trim ends before it starts. Set End after Start, or switch Trim off.").format(
                source=found.name
            )
        )
    trimmed = Footage(footage.source, start, end, footage.is_sequence, footage.image_rate)
    return Source(found.name, found.folder, trimmed, found.start_frame)


def resolve_in(choice: BDFM_PG_source, context: Context) -> Source:
    """As :func:`resolve`, for what the window shows."""
    return resolve(choice, context.scene, sequencer_scene(context))


def face_of(choice: BDFM_PG_source, source: Source) -> Pick | str:
    """The face that was chosen, as a worker is asked for it.

    Raises:
        SourceError: it was to be picked, and was not picked in this footage.
    """
    if choice.face == "ALL":
        return ALL_FACES
    if choice.face == "LARGEST":
        return "0"
    if choice.pick_source != source.key:
        raise SourceError(
            rpt_("{source}: no face is picked. Press Find Faces and pick one, or choose Largest Face.").format(
                source=source.name
            )
        )
    return Pick(choice.pick_time, *choice.pick_place)


def copy_choice(choice: BDFM_PG_source, to: BDFM_PG_source) -> None:
    """Copy all properties."""
    for name in choice.bl_rna.properties.keys():  # noqa: SIM118 - a collection of Blender's, not a dict
        if name not in ("rna_type", "name"):
            setattr(to, name, getattr(choice, name))


def rate_of(scene: Scene) -> float:
    """Frames a second."""
    return float(scene.render.fps / scene.render.fps_base)


def images_of(choice: BDFM_PG_source) -> tuple[Path, ...]:
    """The image that is chosen as the file, and those that its number begins, up to the first that is missing; none
    where the file is no image.
    """
    path = absolute(choice.file)
    if path.suffix.lower() not in bpy.path.extensions_image or not is_there(path) or is_folder(path):
        return ()
    return _numbered(path, changed_at(path.parent))


def may_be_sequence(choice: BDFM_PG_source) -> bool:
    """Whether the file that is chosen stands for several images: one of a sequence, a folder, or a pattern of names."""
    path = absolute(choice.file)
    is_pattern = "*" in path.name or "?" in path.name
    return bool(choice.file) and (is_pattern or is_folder(path) or len(images_of(choice)) > 1)


@lru_cache(maxsize=8)
def _numbered(first: Path, folder_changed_at: int | None) -> tuple[Path, ...]:
    """A panel asks at each drawing; the folder is listed again once it has changed."""
    try:
        return numbered_from(first)
    except OSError:
        return (first,)


def _file(choice: BDFM_PG_source, scene: Scene, strips_scene: Scene) -> Source:
    path, images = located(choice.file), images_of(choice)
    is_sequence = may_be_sequence(choice) and choice.is_sequence
    files = images if is_sequence and len(images) > 1 else path
    name = path.name if is_folder(path) else path.stem
    return Source(_file_name(name), path.parent, Footage(files, is_sequence=is_sequence, image_rate=rate_of(scene)))


def _strip_of(choice: BDFM_PG_source, scene: Scene) -> Any:
    return next((strip for strip in strips_of(scene) if strip.name == choice.strip), None)


def _strip(choice: BDFM_PG_source, scene: Scene, strips_scene: Scene) -> Source:
    strip = _strip_of(choice, strips_scene)
    if strip is None:
        raise SourceError(
            rpt_("There is no strip {strip!r} in the sequencer. Choose another one.").format(strip=choice.strip)
        )
    if strip.type not in ("MOVIE", "IMAGE"):
        raise SourceError(rpt_("{strip} is no movie or image strip. Choose another one.").format(strip=strip.name))
    if strip.use_reverse_frames or len(getattr(strip, "retiming_keys", ())):
        raise SourceError(
            rpt_("{strip} is reversed or retimed. Choose its file as the source.").format(strip=strip.name)
        )
    first, skipped, shown = strip_span(strip)
    if strip.type == "MOVIE":
        path = located(strip.filepath)
        files: Path | tuple[Path, ...] = path
        rate = float(strip.fps) or rate_of(strips_scene)
        folder = path.parent
    else:
        folder = located(strip.directory)
        files = tuple(folder / element.filename for element in strip.elements)
        rate = rate_of(strips_scene)
        if len(files) == 1:
            skipped, shown = 0, 1
    footage = _stretch(files, skipped, shown, rate)
    return Source(_file_name(strip.name), folder, footage, _start_frame(first, skipped, rate, strips_scene))


def _clip(choice: BDFM_PG_source, scene: Scene, strips_scene: Scene) -> Source:
    clip = bpy.data.movieclips.get(choice.clip)
    if clip is None:
        raise SourceError(
            rpt_("There is no movie clip {clip!r} in this file. Choose another one.").format(clip=choice.clip)
        )
    path = located(clip.filepath, clip.library)
    is_movie = clip.source == "MOVIE"
    rate = float(clip.fps) if is_movie and clip.fps > 0 else rate_of(scene)
    try:
        files: Path | tuple[Path, ...] = path if is_movie else numbered_from(path)
    except OSError as error:
        raise SourceError(
            rpt_("{folder} cannot be read: {reason}. Choose another movie clip.").format(
                folder=path.parent, reason=error.strerror
            )
        ) from error
    footage = _stretch(files, max(0, clip.frame_offset), None, rate)
    start_frame = _start_frame(clip.frame_start, clip.frame_offset, rate, scene)
    return Source(_file_name(Path(clip.name).stem), path.parent, footage, start_frame)


def _stretch(files: Path | tuple[Path, ...], skipped: int, shown: int | None, rate: float) -> Footage:
    """Frames of a file or list by their number; times lie half a frame before them, so that rounding does no harm."""
    start = max(0.0, (skipped - 0.5) / rate)
    end = math.inf if shown is None else (skipped + shown - 0.5) / rate
    return Footage(files, start, end, is_sequence=not isinstance(files, Path), image_rate=rate)


def _start_frame(first: float, skipped: int, rate: float, scene: Scene) -> int:
    """The scene frame of second 0, where frame ``skipped`` of the footage is shown at scene frame ``first``."""
    return round(first - skipped / rate * rate_of(scene))


def _file_name(name: str) -> str:
    """A name without what a file's name must not hold."""
    return re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", name).strip(". ") or "take"


CLASSES = (BDFM_PG_source,)
