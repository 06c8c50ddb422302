# SPDX-License-Identifier: MIT
"""The whole way from a source to a take: decode, follow the face, read it, write a row a frame as it is done."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .capture_run import CaptureOptions, Progress, Run, Summary, as_row
from .errors import BdfmError
from .faces import Face
from .frames import Frame, SourceName
from .predictor import Predictor
from .rows import Row
from .several import read_picked
from .take import Take, whole_facts
from .tracking import follow, read_images


def capture(
    source: SourceName,
    output: str | os.PathLike[str] | None = None,
    options: CaptureOptions | None = None,
    *,
    predictor: Predictor | None = None,
    progress: Callable[[Progress], None] | None = None,
    on_row: Callable[[Row], None] | None = None,
    warn: Callable[[BdfmError], None] | None = None,
    cancel: threading.Event | None = None,
) -> Take:
    """Capture a video, an image, a folder of images, a pattern or a list of images, and return the take.

    Args:
        source: path or pattern, or the paths of images in their order.
        output: the take's name (``.csv`` and ``.json`` are written); None keeps it in memory only.
        options: see :class:`CaptureOptions`.
        predictor: to use; by default a new one with the package's own weights.
        progress: called about ten times a second.
        on_row: called with each row.
        warn: called with each thing that the user should know and that does not end the run.
        cancel: when set, the run ends with the next row.

    Raises:
        BdfmError: one of :mod:`bdfm_infer.errors`. Rows that were done by then are in the files; where there are none,
            no file is left.
    """
    if output is not None:
        record(source, output, options, predictor=predictor, progress=progress, on_row=on_row, warn=warn, cancel=cancel)
        return Take.read(output)
    run = Run(source, options or CaptureOptions(), predictor, progress, warn, cancel)
    rows: list[Row] = []
    summary = _read_one(run, _each(rows.append, on_row))
    return Take.from_rows(rows, whole_facts(run.facts, True, summary.frames, summary.without_face))


def record(
    source: SourceName,
    output: str | os.PathLike[str],
    options: CaptureOptions | None = None,
    *,
    predictor: Predictor | None = None,
    progress: Callable[[Progress], None] | None = None,
    on_row: Callable[[Row], None] | None = None,
    on_take: Callable[[Path], None] | None = None,
    warn: Callable[[BdfmError], None] | None = None,
    cancel: threading.Event | None = None,
) -> Summary:
    """As :func:`capture`, but the take stays on disk: memory does not grow with the length of the source.

    Args:
        on_take: called with the table that is written, as it is begun.
    """
    options = options or CaptureOptions()
    run = Run(source, options, predictor, progress, warn, cancel)
    with run.writer(output) as writer:
        if on_take is not None:
            on_take(writer.path)
        return _read_one(run, _each(writer.append, on_row))


def _each(*calls: Callable[[Row], object] | None) -> Callable[[Row], None]:
    def put(row: Row) -> None:
        for call in calls:
            if call is not None:
                call(row)

    return put


def _read_one(run: Run, put: Callable[[Row], None]) -> Summary:
    """Hand each row of the chosen face to ``put`` as it is done."""
    if run.options.pick is not None:
        return read_picked(run, run.options.pick, put)

    def row_of(frame: Frame, face: Face | None) -> bool:
        put(as_row(frame, face))
        return face is not None

    number, threads = run.options.face, run.options.n_threads
    if run.is_clip:
        return run.each(follow(run.predictor, run.source, number, threads), row_of)
    predict = partial(run.predictor.predict, face=number)
    return run.each(read_images(predict, run.source, threads), row_of)
