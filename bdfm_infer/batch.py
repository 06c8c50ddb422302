# SPDX-License-Identifier: MIT
"""Many clips, one take each: every clip in a worker process of its own, so that none can end the others.

A take is written in a folder of drafts, and leaves it once it is complete. A batch that was broken off is started again
with the same command: what is complete is left alone, the rest is done.
"""

from __future__ import annotations

import glob
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from .child_python import child_environment
from .errors import (
    BdfmError,
    CancelledError,
    InputNotFoundError,
    OutputExistsError,
    TakeFormatError,
    WriteError,
    unexpected,
)
from .outputs import json_content, write_whole
from .take import Take, files_of_take, rename_take

SUMMARY: Final = "bdfm-batch.json"
DRAFTS: Final = "bdfm-batch.part"
"""Folder, in that of the takes, of those that are being written or were broken off."""
FORMAT_VERSION: Final = 1
VIDEO_SUFFIXES: Final = (
    *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
    *(".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv"),
)
"""What counts as a clip in a folder that is named as an input."""


SOME_FAILED: Final = 25
"""Exit code of a batch in which a clip failed; the others are done."""


@dataclass(frozen=True)
class Clip:
    """A source, and the table of the take that it becomes."""

    source: Path
    take: Path

    @property
    def draft(self) -> Path:
        """The take's table while it is being written."""
        return self.take.parent / DRAFTS / self.take.name


@dataclass(frozen=True)
class Result:
    """What became of one clip.

    Attributes:
        source: absolute path of the clip.
        take: the take's table; where ``status`` is not ``done`` or ``skipped``, the rows that were kept, or empty.
        status: ``done``, ``skipped`` (complete before), ``failed`` or ``cancelled``.
        frames, without_face: rows of the take, and those that show no face.
        code: name of the error or, of a take that is ``done``, of the last warning; or empty.
        message: what went wrong and what to do, or that warning; or empty.
    """

    source: str
    take: str
    status: str
    frames: int = 0
    without_face: int = 0
    code: str = ""
    message: str = ""

    @property
    def good(self) -> bool:
        """Whether the take is complete."""
        return self.status in ("done", "skipped")


def clips_of(inputs: Iterable[str], folder: Path) -> tuple[list[Clip], list[Result]]:
    """The clips that a command's inputs name, each once, and the inputs that name none.

    A pattern stands for the files that it matches, a folder with videos for its videos, a folder without for the
    images in it as one clip. A take is called as its clip; clips of one name are told apart by their folder's name.
    """
    sources: dict[Path, None] = {}
    refused: list[Result] = []
    for text in inputs:
        found = _expand(text)
        sources |= dict.fromkeys(path.absolute() for path in found)
        if not found:
            error = InputNotFoundError(
                "{source}: no such file, and no file of that pattern. Check the spelling.", source=text
            )
            refused.append(_failed(text, error))
    shared = Counter(source.stem.casefold() for source in sources)
    names = {
        source: source.stem if shared[source.stem.casefold()] == 1 else f"{source.parent.name}-{source.name}"
        for source in sources
    }
    taken = Counter([*(name.casefold() for name in names.values()), Path(SUMMARY).stem])
    clips: list[Clip] = []
    for source, name in names.items():
        if taken[name.casefold()] == 1:
            clips.append(Clip(source, folder / f"{name}.csv"))
        else:
            clash = OutputExistsError(
                "{source}: another take would be called {name}.csv, too. Use a folder for each.",
                source=source,
                name=name,
            )
            refused.append(_failed(str(source), clash))
    return clips, refused


def run_batch(
    clips: Sequence[Clip],
    folder: Path,
    options: Sequence[str] = (),
    jobs: int = 1,
    refused: Sequence[Result] = (),
    report: Callable[[Result], None] | None = None,
    cancel: threading.Event | None = None,
) -> list[Result]:
    """Capture clips, ``jobs`` at a time, and write :data:`SUMMARY` into the folder.

    Args:
        clips: see :func:`clips_of`.
        folder: of the takes and the summary; it is made where it is missing.
        options: for ``bdfm-infer capture``.
        jobs: worker processes at a time.
        refused: inputs that are no clips, for the summary.
        report: called with each result as it comes.
        cancel: when set, running clips stop, the others are not begun.

    Returns:
        A result for each clip and refused input, in their order.

    Raises:
        WriteError: the folder cannot be written.
    """
    cancel = cancel or threading.Event()
    report = report or (lambda result: None)
    before = _sources_before(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(folder, error) from error
    results: dict[Clip, Result] = {}
    for refusal in refused:
        report(refusal)
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(_capture, clip, before, options, cancel): clip for clip in clips}
        for future in as_completed(waiting):
            results[waiting[future]] = future.result()
            report(future.result())
    with suppress(OSError):  # a draft is left
        (folder / DRAFTS).rmdir()
    ordered = [*refused, *(results[clip] for clip in clips)]
    _write_summary(folder, ordered, before)
    return ordered


def exit_code(results: Iterable[Result]) -> int:
    """0 where every take is complete, the code of a cancelled run, or :data:`SOME_FAILED`."""
    status = {result.status for result in results}
    if "cancelled" in status:
        return CancelledError.exit_code
    return SOME_FAILED if "failed" in status else 0


def _expand(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        videos = sorted(file for file in path.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file())
        return videos or [path]
    if path.exists():
        return [path]
    return sorted(file for file in map(Path, glob.glob(text, recursive=True)) if file.is_file())  # noqa: PTH207


def _capture(clip: Clip, before: dict[str, str], options: Sequence[str], cancel: threading.Event) -> Result:
    """Capture one clip. Everything that goes wrong becomes its result."""
    try:
        if cancel.is_set():
            raise CancelledError("{clip}: not begun. Start the same command again.", clip=clip.source)
        if (old := _complete(clip, before)) is not None:
            return old
        for left in files_of_take(clip.draft):
            left.unlink(missing_ok=True)
        return _work(clip, options, cancel)
    except BdfmError as error:
        return _failed(str(clip.source), error)
    except OSError as error:
        return _failed(str(clip.source), _not_written(clip.draft, error))
    except Exception as error:
        return _failed(str(clip.source), unexpected(error))


def _complete(clip: Clip, before: dict[str, str]) -> Result | None:
    """The result of an earlier run whose take is complete.

    Raises:
        OutputExistsError: files of that name are something else.
        TakeFormatError: they are damaged.
    """
    facts = clip.take.with_suffix(".json")
    if not clip.take.exists() and (clip.draft.exists() or not facts.exists()):
        return None
    if not (clip.take.exists() and facts.exists()):
        raise OutputExistsError(
            "{take} exists, but is not a whole take. Choose another folder.", take=clip.take.with_suffix("")
        )
    take = Take.read(clip.take)
    source = take.facts.get("source")
    origin = before.get(clip.take.name, source.get("name", "") if isinstance(source, dict) else "")
    if origin not in (str(clip.source), clip.source.name):
        raise OutputExistsError(
            "{take} is the take of another clip, {origin}. Choose another folder.", take=clip.take, origin=origin
        )
    if not take.facts.get("complete"):
        raise OutputExistsError(
            "{take} is a take that was broken off. Move it away, or choose another folder.", take=clip.take
        )
    lost = int((~take.success).sum())
    return Result(str(clip.source), str(clip.take), "skipped", len(take), lost)


def _work(clip: Clip, options: Sequence[str], cancel: threading.Event) -> Result:
    """Run one worker process and give its take its name."""
    command = [sys.executable, "-P", "-m", __package__, "capture", "-o", str(clip.draft)]
    with subprocess.Popen(
        [*command, "--progress", "json", *options, "--", str(clip.source)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=_environment(),
    ) as process:
        last, warning = _last_events(process, cancel)
    if last.get("event") == "done":
        rename_take(clip.draft, clip.take)
        said = {name: warning.get(name, "") for name in ("code", "message")}
        return Result(str(clip.source), str(clip.take), "done", last["frames"], last["without_face"], **said)
    code = last.get("code", BdfmError.code)
    return Result(
        str(clip.source),
        take=str(last.get("take", "")),
        status="cancelled" if code == CancelledError.code else "failed",
        frames=last.get("frames", 0),
        code=code,
        message=last.get("message") or f"{clip.source}: the worker ended with exit code {process.returncode}.",
    )


def _environment() -> dict[str, str]:
    """The worker's environment, which says where this package is, unless every Python looks there."""
    home = Path(__file__).resolve().parents[1]
    return child_environment([] if home.name in ("site-packages", "dist-packages") else [home])


def _last_events(process: subprocess.Popen[str], cancel: threading.Event) -> tuple[dict[str, Any], dict[str, Any]]:
    """The worker's last word and last warning; empty where it died, or had none. One whose stdin is closed stops."""
    assert process.stdin is not None and process.stdout is not None
    last: dict[str, Any] = {}
    warning: dict[str, Any] = {}
    for line in process.stdout:
        event = json.loads(line)
        last = event if event["event"] in ("done", "error") else last
        warning = event if event["event"] == "warning" else warning
        if cancel.is_set():
            process.stdin.close()
    return last, warning


def _failed(source: str, error: BdfmError) -> Result:
    status = "cancelled" if isinstance(error, CancelledError) else "failed"
    return Result(source, "", status, code=error.code, message=str(error))


def _not_written(path: Path, error: OSError) -> WriteError:
    return WriteError(
        "{path} cannot be written: {reason}. Choose another folder.", path=path, reason=error.strerror or error
    )


def _sources_before(folder: Path) -> dict[str, str]:
    """By name of a complete take, the clip that an earlier batch made it of.

    Raises:
        TakeFormatError: the summary that lies there is not one of a batch.
    """
    path = folder / SUMMARY
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format_version"] != FORMAT_VERSION:
            raise ValueError(f"format_version {FORMAT_VERSION} is expected")
        return {Path(take).name: str(source) for take, source in data["takes"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TakeFormatError(
            "{path}: not the summary of a batch ({reason}). Move it away.", path=path, reason=error
        ) from error


def _write_summary(folder: Path, results: Sequence[Result], before: dict[str, str]) -> None:
    """Write :data:`SUMMARY`: counts and results of this run, and the clips of all takes made in this folder."""
    takes = before | {Path(result.take).name: result.source for result in results if result.good}
    data = {
        "format_version": FORMAT_VERSION,
        "counts": dict(Counter(result.status for result in results)),
        "clips": [asdict(result) for result in results],
        "takes": takes,
    }
    path = folder / SUMMARY
    try:
        write_whole(path, json_content(data))
    except OSError as error:
        raise _not_written(path, error) from error
