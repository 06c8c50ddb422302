# SPDX-License-Identifier: MIT
"""One capture on its way: how it is done, what is known of it, and its results in order, whatever follows the faces."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final, TypeVar

from . import __version__
from .calibrate import Calibration
from .errors import (
    BdfmError,
    CancelledError,
    InputNotFoundError,
    NoFaceError,
    NoFramesError,
    OutputExistsError,
)
from .faces import Face
from .frames import Frame, SourceName, open_source
from .outputs import spare
from .predictor import Predictor
from .rows import Row
from .sequences import first_gap
from .smooth import Smoothing
from .take import TakeWriter, csv_path, files_of_take

_REPORTS_PER_SECOND: Final = 10

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pick:
    """A face, by its place at a time.

    Attributes:
        time: seconds in the source.
        x, y: centre of the face, pixels of the picture.
    """

    time: float
    x: float
    y: float


@dataclass(frozen=True)
class CaptureOptions:
    """How a source is captured.

    Attributes:
        face: which face, where there are several: 0 is the largest in the first frame that shows so many.
        pick: which face, by where it is at a time; takes the place of ``face``. Of images that are no sequence it is
            the nearest to that place in each, whatever the time.
        sequence: images are frames of one clip, in which a face is followed, and have a video's smoothing.
        start, end: seconds; frames with ``start <= time < end`` are read. Frame numbers remain the source's.
        threads: frames that are read at the same time, 1 to 4 of use; rows do not depend on it. None: the CPU's cores.
        image_fps: images a second, for the times of a folder or pattern; finite and above 0.
        overwrite: replace an older take of the same name once the new one is complete.
        smoothing: setting written into the take; None is zero-phase for a video and nothing for images.
        calibration: setting written into the take.

    Raises:
        ValueError: a number is out of range.
    """

    face: int = 0
    pick: Pick | None = None
    sequence: bool = False
    start: float = 0.0
    end: float = float("inf")
    threads: int | None = None
    image_fps: float = 1.0
    overwrite: bool = False
    smoothing: Smoothing | None = None
    calibration: Calibration = field(default_factory=Calibration)

    def __post_init__(self) -> None:
        if self.face < 0 or not self.start >= 0 or not self.end > self.start:
            raise ValueError("face and start must not be negative, end must follow start")
        if not 0 < self.image_fps < float("inf"):
            raise ValueError("image_fps must be a finite number above 0")
        if self.threads is not None and self.threads < 1:
            raise ValueError("at least one thread is needed")

    @property
    def n_threads(self) -> int:
        """Threads to use."""
        return self.threads or min(os.cpu_count() or 1, 4)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a capture stands.

    Attributes:
        frame: frames done.
        of: frames there will be, an estimate; None where it is not known.
        fps: frames done a second.
        eta_s: seconds left; None where it is not known.
    """

    frame: int
    of: int | None
    fps: float
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a capture left.

    Attributes:
        frames: rows of the take.
        without_face: rows in which no face was found.
    """

    frames: int
    without_face: int


class Run:
    """One capture: an opened source on its way to rows. Parameters as in :func:`bdfm_infer.pipeline.capture`.

    Attributes:
        source: the frames.
        options: of the capture.
        predictor: reads the faces.
        is_clip: whether frames follow each other, so that a face can be followed.
        facts: what goes into the take's JSON file; its source is completed by the last frame.
    """

    def __init__(
        self,
        source: SourceName,
        options: CaptureOptions,
        predictor: Predictor | None,
        progress: Callable[[Progress], None] | None,
        warn: Callable[[BdfmError], None] | None,
        cancel: threading.Event | None,
    ) -> None:
        self.source = open_source(source, options.start, options.end, options.image_fps, options.n_threads, cancel)
        self.options = options
        self.predictor = predictor or Predictor()
        self.is_clip = self.source.is_video or options.sequence
        self.facts = self._facts()
        self._meter = _Meter(self.source.estimated_frames, progress)
        self._warn = warn
        self._cancel = cancel

    @contextmanager
    def writer(self, output: str | os.PathLike[str], face: int | None = None) -> Iterator[TakeWriter]:
        """Writes a take of this capture, of the face of that number where all are captured.

        Where the take does not become complete and an older one stays, a warning says where the new rows are.

        Raises:
            OutputExistsError: its files are there and may not be overwritten, or are what is read.
            WriteError: they cannot be written.
        """
        for path in files_of_take(output):
            spare(path, self.source.paths)
        facts = self.facts
        if face is not None:
            facts = {**facts, "settings": {**facts["settings"], "face": face}}
        new = TakeWriter(output, facts, with_files=not self.source.is_video, overwrite=self.options.overwrite)
        try:
            with new:
                yield new
        finally:
            if not new.is_final and new.path.exists():
                older = OutputExistsError(
                    "{path} stays as it was, for the new take is not complete. Its rows are in {draft}.",
                    path=csv_path(output),
                    draft=new.path,
                )
                self._tell(older)

    def each(self, results: Generator[tuple[Frame, T], None, None], put: Callable[[Frame, T], bool]) -> Summary:
        """Hand what was found in each frame to ``put``, which returns whether there is a face, until the end.

        Raises:
            CancelledError, NoFramesError, NoFaceError, and what the source raises.
        """
        meter = self._meter
        self._tell_of_a_gap()
        with closing(results):
            for frame, found in results:
                self._tell(frame.problem)
                meter.count(put(frame, found))
                if self._is_cancelled():
                    break
        if self._is_cancelled():
            raise CancelledError("Stopped after {count} frames; their rows are kept.", count=meter.frames)
        meter.report()
        self._tell(self.source.warning)
        name = self.facts["source"]["name"]
        if meter.frames == 0:
            raise NoFramesError(
                "{name} has no frame in the stretch that was asked for. Change start and end.", name=name
            )
        if meter.with_face == 0:
            raise NoFaceError(
                "{name}: no face was found in {count} frames. Is the face lit, upright and at least 8 % of the "
                "picture's height? Choose another stretch with start and end, or another number with face.",
                name=name,
                count=meter.frames,
            )
        return Summary(meter.frames, meter.frames - meter.with_face)

    def _tell(self, problem: BdfmError | None) -> None:
        if problem is not None and self._warn is not None:
            self._warn(problem)

    def _tell_of_a_gap(self) -> None:
        missing = first_gap(self.source.paths) if self.options.sequence else None
        if missing is not None:
            gap = InputNotFoundError(
                "{name}: {missing} is missing; what comes after it follows at once. Add the missing images to keep "
                "the time.",
                name=self.source.facts["name"],
                missing=missing,
            )
            self._tell(gap)

    def _is_cancelled(self) -> bool:
        return self._cancel is not None and self._cancel.is_set()

    def _facts(self) -> dict[str, Any]:
        options = self.options
        smoothing = options.smoothing or Smoothing("zero_phase" if self.is_clip else "none")
        return {
            "source": self.source.facts,
            "model": self.predictor.model,
            "version": __version__,
            "settings": {
                "face": options.face if options.pick is None else asdict(options.pick),
                "accurate": self.predictor.accurate,
                "calibration": options.calibration.to_settings(),
                "smoothing": smoothing.to_settings(),
            },
        }


def as_row(frame: Frame, face: Face | None) -> Row:
    """A frame and its face as a row of a take."""
    if face is None:
        return Row(frame.index, frame.time, 0.0, file=frame.file)
    return Row(frame.index, frame.time, face.confidence, face.rotation, face.place, face.action_units, frame.file)


class _Meter:
    """Counts rows and reports progress, not more often than people can see."""

    def __init__(self, of: int, progress: Callable[[Progress], None] | None) -> None:
        self._of = of
        self._progress = progress
        self._began = self._reported = time.monotonic()
        self.frames = 0
        self.with_face = 0

    def count(self, found: bool) -> None:
        self.frames += 1
        self.with_face += found
        if time.monotonic() - self._reported >= 1 / _REPORTS_PER_SECOND:
            self.report()

    def report(self) -> None:
        if self._progress is None:
            return
        self._reported = time.monotonic()
        fps = self.frames / max(self._reported - self._began, 1e-6)
        of = max(self._of, self.frames) if self._of else None
        eta = (of - self.frames) / fps if of is not None and fps > 0 else None
        self._progress(Progress(self.frames, of, round(fps, 1), None if eta is None else round(eta, 1)))
