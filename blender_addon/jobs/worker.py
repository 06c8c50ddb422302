# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker process: started, listened to, cancelled. No bpy, so that it runs and is tested anywhere.

The worker is ``python -m bdfm_infer …``. It prints one JSON object a line; the end of its standard input stops it
with what is done on disk: on cancelling, or when Blender is gone.
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bdfm_infer.child_python import child_environment
from bdfm_infer.errors import BdfmError, OutputExistsError

from ..core.paths import is_there
from .requests import Command

CANCEL_GRACE_S = 0.5
"""How long a cancelled worker may take to end by itself. One that is killed loses the frame at hand alone."""

NICENESS = 5
"""By how much the worker lets others go first, on POSIX."""

Event = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How a worker ended.

    Attributes:
        takes: the tables of its takes, whole or as far as it came; empty if nothing was written. One that was there
            already, of another capture that was faster, is none of them.
        frames: rows of the longest of them.
        cancelled: the user stopped it.
        error: what went wrong and what to do; None if nothing did.
        details: the end of the worker's standard error, for a bug report.
        answer: its last event where it ended well.
    """

    takes: tuple[Path, ...]
    frames: int
    cancelled: bool
    error: BdfmError | None
    details: str
    answer: Event


class Worker:
    """One running command.

    Args:
        command: what to run, see :mod:`.requests`.
        take: the table that it writes, not there before. It may name others as it goes.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(self, command: Command, take: Path) -> None:
        self._command = command
        self._takes = [take]
        self._answer: Event = {}
        self._cancelled = False
        self._error: BdfmError | None = None
        self._events: queue.Queue[Event] = queue.Queue()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - a file, not a pipe: a pipe that nobody reads would block
        self._process = subprocess.Popen(
            command.words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=_environment(),
            creationflags=_quiet_process(),
        )
        _step_back(self._process.pid)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.outcome: Outcome | None = None

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def poll(self) -> list[Event]:
        """What the worker has said since the last call. Sets :attr:`outcome` once it has ended."""
        events: list[Event] = []
        while True:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return events
            if event["event"] == "error" and event.get("code") != "cancelled":
                self._error = BdfmError.from_json({"message": "The capture failed.", **event})
            if event["event"] == "take":
                self._takes.append(Path(event["take"]))
            if event["event"] == "done":
                self._answer = event
            if event["event"] == "exit":
                self._finish(event["code"])
            else:
                events.append(event)

    def cancel(self) -> None:
        """Ask the worker to stop. Returns at once; go on polling until :attr:`outcome` is set.

        One that does not end is killed after a while, however busy Blender is: by a thread, not by the next poll.
        """
        if not self._cancelled:
            self._cancelled = True
            self._hang_up()
            killer = threading.Timer(CANCEL_GRACE_S, self._process.kill)
            killer.daemon = True
            killer.start()

    def stop(self) -> None:
        """Cancel and wait until the process is gone, killing it after a while. The next poll sets :attr:`outcome`."""
        self.cancel()
        try:
            self._process.wait(CANCEL_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._tidy()

    def _hang_up(self) -> None:
        """Close the worker's input, which cancels it. A write to a worker that is gone ends Blender 4."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and "event" in event:
                self._events.put(event)
        self._events.put({"event": "exit", "code": self._process.wait()})

    def _finish(self, code: int) -> None:
        self._stderr.seek(0)
        details = self._stderr.read().decode("utf-8", "replace")[-4000:].strip()
        self._stderr.close()
        self._hang_up()
        self._tidy()
        error = self._error
        if code != 0 and error is None and not self._cancelled:
            error = _explain(code, details)
        named_by_it = self._takes[1:] if code == OutputExistsError.exit_code else self._takes
        takes = tuple(path for path in named_by_it if is_there(path))
        frames = max(map(_rows, takes), default=0)
        self.outcome = Outcome(takes, frames, self._cancelled, error, details, self._answer)

    def _tidy(self) -> None:
        if self._command.scratch is not None:
            self._command.scratch.unlink(missing_ok=True)


def _rows(table: Path) -> int:
    """Whole rows of a take's table."""
    with table.open("rb") as file:
        return max(0, sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) - 1)


def _explain(code: int, details: str) -> BdfmError:
    if "No module named" in details:
        return BdfmError("The capture could not start: its Python packages are missing. Install the extension again.")
    if code < 0:
        return BdfmError(
            "The capture was ended from outside (signal {signal}), perhaps for lack of memory. Close other programs "
            "and capture again.",
            signal=-code,
        )
    if details:
        return BdfmError(
            "The capture stopped with exit code {code}: {reason}", code=code, reason=details.splitlines()[-1]
        )
    return BdfmError("The capture stopped with exit code {code}.", code=code)


def _environment() -> dict[str, str]:
    """The worker's environment: the packages that this Python finds are found there too."""
    folders = []
    for package in ("bdfm_infer", "onnxruntime"):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            folders.append(Path(spec.origin).resolve().parent.parent)
    return child_environment(folders) | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


def _quiet_process() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
    return 0


def _step_back(pid: int) -> None:
    """Where a process cannot be started with a lower priority, lower it: Blender's window comes first."""
    if sys.platform != "win32":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, min(os.getpriority(os.PRIO_PROCESS, 0) + NICENESS, 19))
