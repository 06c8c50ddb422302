# SPDX-License-Identifier: MIT
"""Captures of clips with several faces: one take each in one pass, or the take of one that was picked by its place."""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Final

import numpy as np

from .capture_run import CaptureOptions, Pick, Progress, Run, Summary, as_row
from .errors import BdfmError, NoFaceError
from .faces import FloatArray
from .frames import Frame, SourceName
from .outputs import refuse_existing, takes_of_faces
from .predictor import Predictor
from .rows import Row
from .take import TakeWriter, csv_path
from .tracks import Faces, Tracks, read_all_images

LEAST_FRAMES: Final = 10
"""Frames of a clip in which a face has to be seen to get a take; what flickers by is none."""

_NEAR: Final = 1.0
"""How far from the picked place a face may be, in its sides."""


@dataclass(frozen=True, slots=True)
class FaceTake:
    """The take of one face. Attributes: its table, and what it holds."""

    path: Path
    summary: Summary


def face_path(output: str | os.PathLike[str], number: int) -> Path:
    """The table of face 1, 2, … of a capture: ``NAME-face1.csv``."""
    path = csv_path(output)
    return path.with_name(f"{path.stem}-face{number}.csv")


def record_all(
    source: SourceName,
    output: str | os.PathLike[str],
    options: CaptureOptions | None = None,
    *,
    predictor: Predictor | None = None,
    progress: Callable[[Progress], None] | None = None,
    on_take: Callable[[Path], None] | None = None,
    warn: Callable[[BdfmError], None] | None = None,
    cancel: threading.Event | None = None,
) -> list[FaceTake]:
    """Capture every face in one pass, each into a take of its own with a row for every frame: see :func:`face_path`.

    In a clip each face is followed by its place, and one that is seen in fewer than :data:`LEAST_FRAMES` frames gets no
    take, unless no face is seen in more. Of images that have nothing to do with each other, take n holds the n-th
    largest face of each. Arguments as in :func:`bdfm_infer.pipeline.record`; ``face`` and ``pick`` are not used.

    Args:
        on_take: called with the table of each take as it is begun.

    Raises:
        OutputExistsError: there is a take of any face of that name, and ``overwrite`` is false.
        BdfmError: as in :func:`bdfm_infer.pipeline.capture`. Rows that were done by then are in the files.
    """
    options = options or CaptureOptions()
    if not options.overwrite:
        refuse_existing(takes_of_faces(csv_path(output)))
    run = Run(source, options, predictor, progress, warn, cancel)
    with ExitStack() as stack:

        def begin(number: int) -> TakeWriter:
            writer = stack.enter_context(run.writer(face_path(output, number), number - 1))
            if on_take is not None:
                on_take(writer.path)
            return writer

        takes = _Takes(begin, LEAST_FRAMES if run.is_clip else 1)
        try:
            run.each(_faces(run), takes.put)
        finally:
            takes.finish()
    return [FaceTake(face_path(output, number), summary) for number, summary in enumerate(takes.summaries(), 1)]


def read_picked(run: Run, pick: Pick, put: Callable[[Row], None]) -> Summary:
    """Hand the rows of the face that is nearest to a place at a time to ``put``. Until then all faces are followed.

    Of images that have nothing to do with each other it is the face nearest to that place in each.

    Raises:
        NoFaceError: no face is near that place; ``put`` was not called.
        BdfmError: as in :func:`bdfm_infer.pipeline.capture`.
    """
    if not run.is_clip:
        return _read_nearest(run, pick, put)
    tracks = Tracks(run.predictor, run.source, run.options.n_threads)
    picked = _Picked(pick, tracks, put)
    try:
        frames = run.each(iter(tracks), picked.put).frames
    except Exception:
        with suppress(NoFaceError):
            picked.choose()
        raise
    picked.choose()
    return Summary(frames, frames - picked.found)


def _read_nearest(run: Run, pick: Pick, put: Callable[[Row], None]) -> Summary:
    """The face nearest to a place in each picture; rows are held back until one is near."""
    before: list[Row] = []
    found = 0

    def choose(frame: Frame, faces: Faces) -> bool:
        nonlocal found
        near = [face for face in faces if face is not None and _sides_away(face.place, pick) <= _NEAR]
        chosen = min(near, key=lambda face: _sides_away(face.place, pick), default=None)
        found += chosen is not None
        before.append(as_row(frame, chosen))
        if found:
            for row in before:
                put(row)
            before.clear()
        return bool(faces)

    frames = run.each(_faces(run), choose).frames
    if not found:
        raise _nobody(pick)
    return Summary(frames, frames - found)


def _sides_away(place: FloatArray, pick: Pick) -> float:
    """How far a face at a place (3,) is from a pick, in its sides."""
    x, y, side = place
    return float(np.hypot(x - pick.x, y - pick.y) / side)


def _nobody(pick: Pick) -> NoFaceError:
    return NoFaceError(
        "No face is near x {x:.0f}, y {y:.0f} at {time:.2f} s. Pick it again.", x=pick.x, y=pick.y, time=pick.time
    )


def _faces(run: Run) -> Generator[tuple[Frame, Faces], None, None]:
    threads = run.options.n_threads
    if run.is_clip:
        return iter(Tracks(run.predictor, run.source, threads))
    return read_all_images(run.predictor, run.source, threads)


@dataclass(slots=True)
class _Track:
    """A face so far.

    Attributes:
        rows: by the number of the frame in the capture, while they are not on disk; only those with the face.
        found: frames in which it was seen.
        place: (3,) where it was seen last.
        writer: of its take, once that is begun.
    """

    rows: dict[int, Row] = field(default_factory=dict)
    found: int = 0
    place: FloatArray = field(default_factory=lambda: np.full(3, np.inf))
    writer: TakeWriter | None = None


class _Past:
    """What has been read so far of all faces."""

    def __init__(self) -> None:
        self.tracks: list[_Track] = []
        self._frames = array("q")
        self._times = array("d")
        self._files: list[str] = []

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: Frame, faces: Faces) -> None:
        """Take in one frame."""
        self.tracks += [_Track() for _ in range(len(faces) - len(self.tracks))]
        for track, face in zip(self.tracks, faces, strict=False):
            if face is not None:
                track.found += 1
                track.place = face.place
                if track.writer is None:
                    track.rows[len(self)] = as_row(frame, face)
        self._frames.append(frame.index)
        self._times.append(frame.time)
        if frame.file is not None:
            self._files.append(frame.file)

    def rows(self, track: _Track) -> Iterator[Row]:
        """A row of each frame for one face."""
        for i, (frame, time) in enumerate(zip(self._frames, self._times, strict=True)):
            yield track.rows.get(i) or Row(frame, time, 0.0, file=self._files[i] if self._files else None)

    def nearest(self, pick: Pick) -> int | None:
        """Number of the face that was seen last near a place; None where there is none."""
        away = [_sides_away(track.place, pick) for track in self.tracks]
        number = min(range(len(away)), key=away.__getitem__, default=None)
        return None if number is None or not away[number] <= _NEAR else number


class _Picked:
    """Rows of one face: held back until the time at which it is picked."""

    def __init__(self, pick: Pick, tracks: Tracks, put: Callable[[Row], None]) -> None:
        self._pick = pick
        self._tracks = tracks
        self._put = put
        self._past = _Past()
        self._place: int | None = None
        self.found = 0

    def put(self, frame: Frame, faces: Faces) -> bool:
        """Take in one frame. Returns whether it shows a face.

        Raises:
            NoFaceError: it is the frame of the pick, and no face is near.
        """
        if self._place is not None:
            face = faces[self._place]
            self.found += face is not None
            self._put(as_row(frame, face))
            return face is not None
        self._past.add(frame, faces)
        if frame.time >= self._pick.time:
            self.choose()
        return any(face is not None for face in faces)

    def choose(self) -> None:
        """Choose from what there is, unless that is done, and hand over the rows up to now.

        Raises:
            NoFaceError: no face is near.
        """
        if self._place is not None:
            return
        self._place = self._past.nearest(self._pick)
        if self._place is None:
            raise _nobody(self._pick)
        track = self._past.tracks[self._place]
        self.found = track.found
        for row in self._past.rows(track):
            self._put(row)
        self._tracks.keep_only(self._place)


class _Takes:
    """Takes as they are written, one a face, in the order in which the faces are seen often enough.

    Args:
        begin: opens the writer of face 1, 2, …
        least: frames in which a face has to be seen.
    """

    def __init__(self, begin: Callable[[int], TakeWriter], least: int) -> None:
        self._begin = begin
        self._least = least
        self._past = _Past()
        self._begun: list[_Track] = []

    def put(self, frame: Frame, faces: Faces) -> bool:
        """Take in one frame. Returns whether it shows a face."""
        self._past.add(frame, faces)
        for track, face in zip_longest(self._past.tracks, faces):
            if track.writer is not None:
                track.writer.append(as_row(frame, face))
            elif track.found >= self._least:
                self._open(track)
        return any(face is not None for face in faces)

    def finish(self) -> None:
        """Begin what takes there are where no face was seen often enough."""
        for track in [] if self._begun else self._past.tracks:
            self._open(track)

    def summaries(self) -> list[Summary]:
        """What each take holds."""
        return [Summary(len(self._past), len(self._past) - track.found) for track in self._begun]

    def _open(self, track: _Track) -> None:
        writer = self._begin(len(self._begun) + 1)
        for row in self._past.rows(track):
            writer.append(row)
        track.writer, track.rows = writer, {}
        self._begun.append(track)
