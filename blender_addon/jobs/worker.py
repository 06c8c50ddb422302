# SPDX-License-Identifier: GPL-3.0-or-later
"""The capture in a worker process: started, listened to, cancelled. No bpy, so that it runs and is tested anywhere.

The worker is ``python -m bdfm_infer capture … --progress json``. It prints one JSON object a line; the line ``cancel``
on its standard input, or the end of that input (Blender is gone), stops it with what is done on disk.
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
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CANCEL_GRACE_S = 3.0
"""How long a cancelled worker may take to end by itself."""

Event = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How a capture ended.

    Attributes:
        take: path of the take's CSV file, whole or as far as the capture came; None if nothing was written.
        cancelled: the user stopped it.
        error: what went wrong and what to do, in words for the user; None if nothing did.
        details: the end of the worker's standard error, for a bug report.
    """

    take: Path | None
    cancelled: bool
    error: str | None
    details: str


def capture_command(source: Path, take: Path) -> list[str]:
    """What reads ``source`` (video, image or folder) into ``take``, a CSV file; its JSON lies beside it."""
    return [sys.executable, "-s", "-m", "bdfm_infer", "capture", str(source), "-o", str(take), "--progress", "json"]


class CaptureWorker:
    """One running capture.

    Args:
        command: what to run, see :func:`capture_command`.
        take: CSV file that it writes; not there before.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(self, command: Sequence[str], take: Path) -> None:
        self._take = take
        self._cancelled_at: float | None = None
        self._error: str | None = None
        self._events: queue.Queue[Event] = queue.Queue()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - a file, not a pipe: a pipe that nobody reads would block
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=_environment(),
            creationflags=_quiet_process(),
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.outcome: Outcome | None = None

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def poll(self) -> list[Event]:
        """What the worker has said since the last call. Sets :attr:`outcome` once it has ended."""
        if self._cancelled_at is not None and time.monotonic() - self._cancelled_at > CANCEL_GRACE_S:
            self._process.kill()
        events: list[Event] = []
        while True:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return events
            if event["event"] == "error" and event.get("code") != "cancelled":
                self._error = str(event.get("message", "The capture failed."))
            if event["event"] == "exit":
                self._finish(event["code"])
            else:
                events.append(event)

    def cancel(self) -> None:
        """Ask the worker to stop. Returns at once; go on polling until :attr:`outcome` is set."""
        if self._cancelled_at is None:
            self._cancelled_at = time.monotonic()
            self._hang_up()

    def stop(self) -> None:
        """Cancel and wait until the process is gone, killing it after a while."""
        self.cancel()
        try:
            self._process.wait(CANCEL_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _hang_up(self) -> None:
        stdin = self._process.stdin
        if stdin is None or stdin.closed:
            return
        try:
            stdin.write(b"cancel\n")
            stdin.close()
        except OSError:
            pass

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
        cancelled = self._cancelled_at is not None
        error = self._error
        if code != 0 and error is None and not cancelled:
            error = _explain(code, details)
        self.outcome = Outcome(self._take if self._take.is_file() else None, cancelled, error, details)


def _explain(code: int, details: str) -> str:
    if "No module named" in details:
        return "The capture could not start: its Python packages are missing. Install the extension again."
    last = details.splitlines()[-1] if details else ""
    if code < 0:
        return (
            f"The capture was ended from outside (signal {-code}), perhaps for lack of memory. The rows that were done "
            "are kept; close other programs and capture again."
        )
    return f"The capture stopped with exit code {code}{f': {last}' if last else '.'} The rows that were done are kept."


def _environment() -> dict[str, str]:
    """The worker's environment: the packages that this Python finds are found there too."""
    folders = []
    for package in ("bdfm_infer", "onnxruntime"):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            folders.append(str(Path(spec.origin).resolve().parent.parent))
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join(dict.fromkeys([*folders, *([inherited] if inherited else [])]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def _quiet_process() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
    return 0
