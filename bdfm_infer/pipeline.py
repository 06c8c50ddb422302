# SPDX-License-Identifier: MIT
"""The whole way from a source to a take: decode, follow the face, read it, write a row a frame as it is done."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from . import __version__
from .calibrate import Calibration
from .errors import CancelledError, NoFaceError, NoFramesError
from .faces import Face
from .frames import Frame, Source, open_source
from .predictor import Predictor
from .smooth import Smoothing
from .take import Row, Take, TakeWriter
from .tracking import follow, read_images

_REPORTS_PER_SECOND: Final = 10


@dataclass(frozen=True)
class CaptureOptions:
    """How a source is captured.

    Attributes:
        face: which face, where there are several: 0 is the largest in the first frame that shows so many.
        start, end: seconds; frames with ``start <= time < end`` are read. Frame numbers remain the source's.
        threads: frames that are read at the same time, 1 to 4 of use; rows do not depend on it. None: the CPU's cores.
        image_fps: images a second, for the times of a folder or pattern.
        overwrite: replace an older take of the same name.
        smoothing: setting written into the take; None is zero-phase for a video and nothing for images.
        calibration: setting written into the take.
    """

    face: int = 0
    start: float = 0.0
    end: float = float("inf")
    threads: int | None = None
    image_fps: float = 1.0
    overwrite: bool = False
    smoothing: Smoothing | None = None
    calibration: Calibration = field(default_factory=Calibration)

    def __post_init__(self) -> None:
        if self.face < 0 or not self.start >= 0 or not self.end > self.start or not self.image_fps > 0:
            raise ValueError("face and start must not be negative, end must follow start, image_fps must be above 0")
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


def capture(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    options: CaptureOptions | None = None,
    *,
    predictor: Predictor | None = None,
    progress: Callable[[Progress], None] | None = None,
    on_row: Callable[[Row], None] | None = None,
    warn: Callable[[str], None] | None = None,
    cancel: threading.Event | None = None,
) -> Take:
    """Capture a video, an image, a folder of images or a pattern, and return the take.

    Args:
        source: path or pattern.
        output: the take's name (``.csv`` and ``.json`` are written); None keeps it in memory only.
        options: see :class:`CaptureOptions`.
        predictor: to use; by default a new one with the package's own weights.
        progress: called about ten times a second.
        on_row: called with each row.
        warn: called with each thing that the user should know and that does not end the run.
        cancel: when set, the run ends with the next row.

    Raises:
        BdfmError: one of :mod:`bdfm_infer.errors`. Rows that were done by then are in the files.
    """
    if output is not None:
        record(source, output, options, predictor=predictor, progress=progress, on_row=on_row, warn=warn, cancel=cancel)
        return Take.read(output)
    options = options or CaptureOptions()
    run = _Run(source, options, predictor, progress, on_row, warn, cancel)
    rows: list[Row] = []
    run.into(rows.append)
    return Take.from_rows(rows, run.facts)


def record(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: CaptureOptions | None = None,
    *,
    predictor: Predictor | None = None,
    progress: Callable[[Progress], None] | None = None,
    on_row: Callable[[Row], None] | None = None,
    warn: Callable[[str], None] | None = None,
    cancel: threading.Event | None = None,
) -> Summary:
    """As :func:`capture`, but the take stays on disk: memory does not grow with the length of the source."""
    options = options or CaptureOptions()
    run = _Run(source, options, predictor, progress, on_row, warn, cancel)
    with TakeWriter(output, run.facts, with_files=not run.source.is_video, overwrite=options.overwrite) as writer:
        return run.into(writer.append)


class _Run:
    """One capture: an opened source on its way to rows. Parameters as in :func:`capture`."""

    def __init__(
        self,
        source: str | os.PathLike[str],
        options: CaptureOptions,
        predictor: Predictor | None,
        progress: Callable[[Progress], None] | None,
        on_row: Callable[[Row], None] | None,
        warn: Callable[[str], None] | None,
        cancel: threading.Event | None,
    ) -> None:
        self.source = open_source(source, options.start, options.end, options.image_fps, options.n_threads, cancel)
        self.facts = _facts(self.source, predictor := predictor or Predictor(), options)
        self._name = source
        self._options = options
        self._predictor = predictor
        self._meter = _Meter(self.source.estimated_frames, progress)
        self._on_row = on_row
        self._warn = warn
        self._cancel = cancel

    def into(self, put: Callable[[Row], None]) -> Summary:
        """Hand each row to ``put`` as it is done."""
        meter = self._meter
        read = follow if self.source.is_video else read_images
        with closing(read(self._predictor, self.source, self._options.face, self._options.n_threads)) as results:
            for frame, face in results:
                if frame.problem is not None and self._warn is not None:
                    self._warn(frame.problem)
                row = _row(frame, face)
                put(row)
                if self._on_row is not None:
                    self._on_row(row)
                meter.count(row)
                if self._is_cancelled():
                    break
        if self._is_cancelled():
            raise CancelledError(f"Stopped after {meter.frames} frames; their rows are kept.")
        meter.report()
        if meter.frames == 0:
            raise NoFramesError(f"{self._name} has no frame in the stretch that was asked for. Change start and end.")
        if meter.with_face == 0:
            raise NoFaceError(
                f"{self._name}: no face was found in {meter.frames} frames. Is the face lit, upright and at least 8 % "
                "of the picture's height? Choose another stretch with start and end, or another number with face."
            )
        return Summary(meter.frames, meter.frames - meter.with_face)

    def _is_cancelled(self) -> bool:
        return self._cancel is not None and self._cancel.is_set()


def _row(frame: Frame, face: Face | None) -> Row:
    if face is None:
        return Row(frame.index, frame.time, 0.0, file=frame.file)
    return Row(frame.index, frame.time, face.confidence, face.rotation, face.place, face.action_units, frame.file)


def _facts(source: Source, predictor: Predictor, options: CaptureOptions) -> dict[str, Any]:
    """What goes into the take's JSON file. ``source`` is the source's own dictionary, completed by its last frame."""
    smoothing = options.smoothing or Smoothing("zero_phase" if source.is_video else "none")
    return {
        "source": source.facts,
        "model": predictor.model,
        "version": __version__,
        "settings": {
            "face": options.face,
            "calibration": options.calibration.to_settings(),
            "smoothing": smoothing.to_settings(),
        },
    }


class _Meter:
    """Counts rows and reports progress, not more often than people can see."""

    def __init__(self, of: int, progress: Callable[[Progress], None] | None) -> None:
        self._of = of
        self._progress = progress
        self._began = self._reported = time.monotonic()
        self.frames = 0
        self.with_face = 0

    def count(self, row: Row) -> None:
        self.frames += 1
        self.with_face += row.success
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
