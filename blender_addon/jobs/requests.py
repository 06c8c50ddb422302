# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker is asked for, as a command line. No bpy, so that it runs and is tested anywhere."""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.paths import is_there

ALL_FACES = "all"
WORKER = (sys.executable, "-s", "-P", "-m", "bdfm_infer")
"""Without packages of the user's own, and without what lies in the current folder, which is often the project's."""


@dataclass(frozen=True)
class Footage:
    """What a face is read from.

    Attributes:
        source: video, image, folder or pattern; or the paths of images.
        start, end: seconds of it; frames with ``start <= time < end`` are read.
        is_sequence: its images are the frames of one clip.
        image_rate: images a second.
    """

    source: Path | tuple[Path, ...]
    start: float = 0.0
    end: float = math.inf
    is_sequence: bool = False
    image_rate: float = 1.0

    @property
    def name(self) -> str:
        """What a take calls it: its file, folder or pattern; of a list of images the folder."""
        return self.source.name if isinstance(self.source, Path) else self.source[0].parent.name

    @property
    def is_there(self) -> bool:
        """Whether it is on disk; a pattern is taken to be."""
        first = self.source if isinstance(self.source, Path) else self.source[0]
        return is_there(first) or "*" in first.name or "?" in first.name


@dataclass(frozen=True)
class Pick:
    """A face by its place: seconds of the footage, and the face's centre in pixels."""

    time: float
    x: float
    y: float


@dataclass(frozen=True)
class Command:
    """A command line.

    Attributes:
        words: program and arguments.
        scratch: a file that it reads, to be deleted afterwards.
    """

    words: Sequence[str]
    scratch: Path | None = None


def capture_command(footage: Footage, take: Path, face: Pick | str = "0", accurate: bool = False) -> Command:
    """What reads ``footage`` into a take.

    Args:
        footage: to read.
        take: the take's table; with :data:`ALL_FACES` ``NAME-face1.csv``, … beside it.
        face: a number, 0 being the largest, :data:`ALL_FACES`, or a pick.
        accurate: read each face in its mirror image as well.
    """
    which = ["--face", face] if isinstance(face, str) else ["--face-at", *map(str, (face.time, face.x, face.y))]
    options = [*which, "-o", str(take), "--progress", "json"]
    options += ["--start", str(footage.start)] if footage.start > 0 else []
    options += ["--end", str(footage.end)] if math.isfinite(footage.end) else []
    options += ["--sequence"] if footage.is_sequence else []
    options += ["--accurate"] if accurate else []
    return _command("capture", footage, options)


def faces_command(footage: Footage, at: float, folder: Path) -> Command:
    """What writes pictures of the faces that are seen about a second of ``footage`` into a folder."""
    return _command("faces", footage, ["--at", str(at), "-o", str(folder), "--json"])


def pictures_command(take: Path, source: Path | tuple[Path, ...], folder: Path) -> Command:
    """What writes small pictures of a take, one a row, into a folder: the clip beside the avatar."""
    listing = None if isinstance(source, Path) else _listing(source)
    words = ["pictures", str(take), "-o", str(folder), "--json", *(["--list"] if listing else [])]
    return Command([*WORKER, *words, "--source", str(listing or source)], listing)


def free_take(path: Path) -> Path:
    """``path``, or the first of ``NAME-2``, ``NAME-3``, … of which there is neither a take nor one of a face."""
    candidate, number = path, 1
    while any(is_there(other) for other in (candidate, candidate.with_stem(f"{candidate.stem}-face1"))):
        number += 1
        candidate = path.with_stem(f"{path.stem}-{number}")
    return candidate


def _command(name: str, footage: Footage, options: Sequence[str]) -> Command:
    words = [*WORKER, name, *options, "--image-fps", str(footage.image_rate)]
    if isinstance(footage.source, Path):
        return Command([*words, "--", str(footage.source)])
    listing = _listing(footage.source)
    return Command([*words, "--list", "--", str(listing)], listing)


def _listing(images: Sequence[Path]) -> Path:
    """A new text file that names an image a line."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n", suffix=".txt", delete=False) as listing:
        listing.writelines(f"{path}\n" for path in images)
    return Path(listing.name)
