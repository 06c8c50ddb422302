# SPDX-License-Identifier: MIT
"""What the commands of the command line share: numbers as arguments, stopping on Ctrl-C, the avatar's video."""

from __future__ import annotations

import argparse
import io
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputNotFoundError
from .outputs import spare
from .take import Take, files_of_take

if TYPE_CHECKING:
    from .avatar import Avatar
    from .frames import SourceName

LIST_HELP = "the input is a text file that names an image a line"
ACCURATE_HELP = "read each face in its mirror image as well and take the mean: steadier and closer, and slower"


def show_any_name() -> None:
    """Let the output hold every file's name: what the terminal cannot show becomes an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """An event that Ctrl-C or a request to terminate sets."""
    cancel = threading.Event()
    before = {number: signal.signal(number, lambda *_: cancel.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def draw_avatar(take: Path, output: Path, avatar: Avatar, overwrite: bool, raw: bool = False) -> int:
    """Write the video of the avatar doing a take, and say so; the exit code is 0."""
    from .avatar import write_avatar

    read = Take.read(take)
    spare(output, files_of_take(take))
    with stoppable() as cancel:
        frames = write_avatar(read if raw else read.processed(), output, avatar, overwrite, cancel)
    print(f"{output}: {frames} frames")
    return 0


def source_of(name: str, is_list: bool) -> SourceName:
    """An input of the command line: as it was typed, or the images that a text file names.

    Raises:
        InputNotFoundError: the list cannot be read.
    """
    if not is_list:
        return name
    try:
        lines = Path(name).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputNotFoundError(
            "{name}: the list cannot be read ({reason}). Write it as UTF-8.", name=name, reason=error
        ) from error
    return [Path(line) for line in lines if line]


def seconds(text: str) -> float:
    """A time, 0 or later."""
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def rate(text: str) -> float:
    """A number a second, above 0."""
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} must be above 0")
    return value


def natural(text: str) -> int:
    """A whole number from 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def positive(text: str) -> int:
    """A whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return value
