# SPDX-License-Identifier: MIT
"""A capture as a worker of another program: JSON lines on stdout, ``cancel`` on stdin.

One object a line, each with ``event``: ``start``, ``progress``, ``row`` (where asked for), ``take`` (of a face),
``warning``, and one last line, ``done`` or ``error``. ``docs/command-line.md`` lists their members.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from .capture_run import CaptureOptions, Progress
from .errors import BdfmError, stopped, unexpected
from .frames import SourceName
from .parameters import AU_NAMES, ROTATION
from .pipeline import record
from .predictor import Predictor
from .rows import Row
from .several import record_all


class Lines:
    """Writes JSON lines; when nobody reads them any more, the run is cancelled.

    Args:
        stream: to write to.
        cancel: set when the reader has gone.
    """

    def __init__(self, stream: TextIO, cancel: threading.Event) -> None:
        self._stream = stream
        self._cancel = cancel
        self._lock = threading.Lock()

    def say(self, event: str, **members: Any) -> None:
        """Write one object."""
        line = json.dumps({"event": event, **members}, ensure_ascii=True, allow_nan=False)
        try:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except OSError:
            self._cancel.set()


def run(
    source: SourceName,
    output: Path,
    options: CaptureOptions,
    cancel: threading.Event,
    predictor: Callable[[], Predictor] = Predictor,
    rows: bool = False,
    every_face: bool = False,
    stdin: TextIO | None = None,
    stdout: TextIO | None = None,
) -> int:
    """Capture and report; the exit code is that of the error, or 0.

    Args:
        source: path or pattern, or the paths of images.
        output: the take's CSV file.
        options: of the capture.
        cancel: ends the run when set; set here on ``cancel``, on a closed stdin, and when nobody reads stdout.
        predictor: makes what reads the faces.
        rows: report each row as well.
        every_face: a take of each face, see :func:`bdfm_infer.several.record_all`.
        stdin, stdout: the process's own by default.
    """
    lines = Lines(stdout or sys.stdout, cancel)
    threading.Thread(target=watch, args=(stdin or sys.stdin, cancel), daemon=True).start()
    kept, table = 0, output

    def on_take(path: Path) -> None:
        nonlocal table
        table = path
        if every_face:
            lines.say("take", take=str(path))

    def on_row(row: Row) -> None:
        nonlocal kept
        kept += 1
        if rows:
            lines.say("row", **_row(row))

    def on_progress(progress: Progress) -> None:
        lines.say("progress", **asdict(progress))

    def work() -> dict[str, Any]:
        reader = predictor()
        name = str(source) if isinstance(source, (str, os.PathLike)) else str(Path(source[0]).parent)
        lines.say("start", source=name, take=str(output), model=reader.model["id"])
        hooks: dict[str, Any] = {
            "predictor": reader,
            "progress": on_progress,
            "warn": lambda error: lines.say("warning", **error.to_json()),
            "cancel": cancel,
            "on_take": on_take,
        }
        if not every_face:
            return {"take": str(output), **asdict(record(source, output, options, on_row=on_row, **hooks))}
        takes = record_all(source, output, options, **hooks)
        return {"takes": [{"take": str(take.path), **asdict(take.summary)} for take in takes]}

    return _speak(lines, work, lambda: {"take": str(table), "frames": kept} if kept else {})


def answer(work: Callable[[Lines], dict[str, Any]], cancel: threading.Event) -> int:
    """Do something else than a capture and report what it returns as ``done``, or its error.

    Args:
        work: is given the lines, to report its progress.
        cancel: ends the work when set; set here as by :func:`run`.

    Returns:
        The exit code, which is the error's, or 0.
    """
    lines = Lines(sys.stdout, cancel)
    threading.Thread(target=watch, args=(sys.stdin, cancel), daemon=True).start()
    return _speak(lines, lambda: work(lines), dict)


def _speak(lines: Lines, work: Callable[[], dict[str, Any]], left: Callable[[], dict[str, Any]]) -> int:
    try:
        done = work()
    except KeyboardInterrupt:
        return report(stopped(), lines, left())
    except BdfmError as error:
        return report(error, lines, left())
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        return report(unexpected(error), lines, left())
    lines.say("done", **done)
    return 0


def report(error: BdfmError, lines: Lines, left: Mapping[str, Any] | None = None) -> int:
    """Say what ended the run and, by ``left``, which rows were kept; returns the exit code."""
    lines.say("error", **error.to_json(), **(left or {}))
    return error.exit_code


def watch(stdin: TextIO | None, cancel: threading.Event) -> None:
    """Set ``cancel`` on a line ``cancel``, or when stdin is closed (the parent has gone)."""
    try:
        while stdin is not None and (line := stdin.readline()) and line.strip() != "cancel":
            pass
    except (OSError, ValueError):
        pass
    cancel.set()


def _row(row: Row) -> dict[str, Any]:
    values: dict[str, Any] = {
        "frame": row.frame,
        "timestamp": round(row.timestamp, 6),
        "confidence": round(row.confidence, 4),
        "success": int(row.success),
    }
    if row.file is not None:
        values["file"] = row.file
    if row.rotation is not None and row.action_units is not None:
        values |= {name: round(float(value), 3) for name, value in zip(ROTATION, row.rotation, strict=True)}
        values |= {name: round(float(value), 4) for name, value in zip(AU_NAMES, row.action_units, strict=True)}
    return values
