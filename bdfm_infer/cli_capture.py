# SPDX-License-Identifier: MIT
"""The commands ``bdfm-infer capture`` and ``bdfm-infer faces``."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cli_common import (
    ACCURATE_HELP,
    LIST_HELP,
    draw_avatar,
    natural,
    positive,
    rate,
    seconds,
    source_of,
    stoppable,
)
from .errors import BdfmError
from .outputs import spare, takes_of_faces
from .smooth import METHODS, Smoothing
from .take import csv_path, files_of_take

if TYPE_CHECKING:
    from .capture_run import CaptureOptions
    from .frames import SourceName
    from .predictor import Predictor

ALL = "all"
"""Value of ``--face`` for a take of each face."""


def add_commands(commands: Any) -> None:
    """Add both to the command line's parsers."""
    capture = commands.add_parser("capture", help="read a video, an image, a folder or a pattern into a take")
    capture.set_defaults(run=_capture)
    _add_input(capture)
    capture.add_argument("-o", "--output", type=Path, help="the take (default: the input's name, in this folder)")
    face = capture.add_mutually_exclusive_group()
    face.add_argument("--face", type=_face, default=0, help="which face: 0, the largest, by default; or all")
    face.add_argument(
        "--face-at", type=float, nargs=3, metavar=("S", "X", "Y"), help="the face that is at X, Y (pixels) at second S"
    )
    capture.add_argument("--start", type=seconds, default=0.0, metavar="S", help="first second to read")
    capture.add_argument("--end", type=seconds, default=float("inf"), metavar="S", help="second to stop before")
    capture.add_argument(
        "--threads", type=positive, metavar="N", help="frames read at a time (default: cores, up to 4)"
    )
    capture.add_argument("--accurate", action="store_true", help=ACCURATE_HELP)
    capture.add_argument("--sequence", action="store_true", help="the images are frames of one clip: follow the face")
    capture.add_argument("--smoothing", choices=METHODS, help="setting of the take (default: zero_phase for videos)")
    capture.add_argument("--progress", choices=("bar", "json", "none"), help="default: a bar where a person looks on")
    capture.add_argument("--rows", action="store_true", help="with --progress json: report each row as well")
    capture.add_argument("--overwrite", action="store_true", help="replace an older take of that name")
    capture.add_argument("--avatar", type=Path, metavar="FILE", help="write a video (.mp4) of the avatar doing it, too")

    faces = commands.add_parser("faces", help="write pictures of the faces that are seen about a time")
    faces.set_defaults(run=_faces)
    _add_input(faces)
    faces.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="where the pictures go")
    faces.add_argument("--at", type=seconds, default=0.0, metavar="S", help="second at which to look (0)")
    faces.add_argument("--overwrite", action="store_true", help="replace older pictures in that folder")
    faces.add_argument("--json", dest="lines", action="store_true", help="JSON lines, as of capture")


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", help="video, image, folder of images, or a pattern in quotes ('shots/*.jpg')")
    parser.add_argument("--list", action="store_true", help=LIST_HELP)
    parser.add_argument("--image-fps", type=rate, default=1.0, metavar="F", help="images a second in a folder (1)")
    parser.add_argument("--weights", metavar="FOLDER", help="networks of your own")


def _capture(options: argparse.Namespace) -> int:
    import cv2

    cv2.setNumThreads(1)  # frames run in parallel, not what is within a frame
    if problem := _problem(options):
        print(f"bdfm-infer: {problem}", file=sys.stderr)
        return 2
    source = source_of(options.input, options.list)
    output = csv_path(options.output or _default_output(options.input))
    for path in (*files_of_take(output), *takes_of_faces(output)):
        spare(path, [Path(options.input)])
    avatar = None
    if options.avatar is not None:  # what is wrong with it is said before the work
        from .avatar import Avatar, check_output
        from .frames import open_source

        check_output(options.avatar, options.overwrite)
        spare(options.avatar, [Path(options.input)])
        spare(options.avatar, open_source(source).paths)
        avatar = Avatar(options.weights)
    from .predictor import Predictor

    chosen, every = _chosen(options), options.face == ALL
    predictor = partial(Predictor, options.weights, options.accurate)
    with stoppable() as cancel:
        if options.progress == "json":
            from .worker import run

            return _leave(run(source, output, chosen, cancel, predictor, options.rows, every))
        bar = options.progress == "bar" or (options.progress is None and sys.stderr.isatty())
        _capture_for_people(source, output, chosen, cancel, predictor, bar, every)
    return 0 if avatar is None else draw_avatar(output, options.avatar, avatar, options.overwrite)


def _problem(options: argparse.Namespace) -> str | None:
    """What is wrong with how options are put together."""
    if options.end <= options.start:
        return "--end must come after --start"
    if options.avatar is not None and options.progress == "json":
        return "with --progress json, draw afterwards: bdfm-infer avatar TAKE -o FILE"
    if options.face == ALL and (options.avatar is not None or options.rows):
        return "--face all goes with neither --avatar nor --rows"
    return None


def _chosen(options: argparse.Namespace) -> CaptureOptions:
    from .capture_run import CaptureOptions, Pick

    return CaptureOptions(
        face=0 if options.face == ALL else options.face,
        pick=None if options.face_at is None else Pick(*options.face_at),
        sequence=options.sequence,
        start=options.start,
        end=options.end,
        threads=options.threads,
        image_fps=options.image_fps,
        overwrite=options.overwrite,
        smoothing=None if options.smoothing is None else Smoothing(options.smoothing),
    )


def _capture_for_people(
    source: SourceName,
    output: Path,
    options: CaptureOptions,
    cancel: threading.Event,
    predictor: Callable[[], Predictor],
    bar: bool,
    every: bool,
) -> None:
    from tqdm import tqdm

    from .capture_run import Progress
    from .pipeline import record
    from .several import FaceTake, record_all

    with tqdm(unit=" frames", disable=not bar, leave=False, file=sys.stderr) as shown:

        def progress(state: Progress) -> None:
            shown.total = state.of
            shown.update(state.frame - shown.n)

        def warn(error: BdfmError) -> None:
            shown.write(f"bdfm-infer: warning: {error}", file=sys.stderr)

        hooks: dict[str, Any] = {"predictor": predictor(), "progress": progress, "warn": warn, "cancel": cancel}
        if every:
            takes = record_all(source, output, options, **hooks)
        else:
            takes = [FaceTake(output, record(source, output, options, **hooks))]
    for take in takes:
        print(f"{take.path}: {take.summary.frames} frames, {take.summary.without_face} without a face")


def _faces(options: argparse.Namespace) -> int:
    from .find_faces import find_faces, older_files

    source = source_of(options.input, options.list)
    for path in older_files(options.output):
        spare(path, [Path(options.input)])

    with stoppable() as cancel:

        def find(*_: object) -> dict[str, Any]:
            return find_faces(
                source, options.at, options.output, options.image_fps, options.weights, options.overwrite, cancel
            )

        if options.lines:
            from .worker import answer

            return answer(find, cancel)
        found = find()
    for face in found["faces"]:
        print(f"{face['picture']}: x {face['x']:.0f}, y {face['y']:.0f}, {face['size']:.0f} px")
    return 0


def _default_output(source: str) -> Path:
    stem = Path(source).resolve().stem
    return Path(f"{'take' if set(stem) & set('*?[') else stem}.csv")


def _face(text: str) -> int | str:
    if text == ALL:
        return ALL
    try:
        return natural(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor {ALL}") from error


def _leave(code: int) -> int:
    """End the process at once: the thread that waits for a line on stdin must not hold it up."""
    sys.stderr.flush()
    os._exit(code)
