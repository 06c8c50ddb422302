# SPDX-License-Identifier: MIT
"""The command ``bdfm-infer``. Options and exit codes are described in ``docs/command-line.md``."""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .errors import BdfmError
from .export import FORMATS
from .smooth import METHODS, Smoothing
from .take import Take, csv_path

if TYPE_CHECKING:
    from .avatar import Avatar


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0, that of an error of :mod:`bdfm_infer.errors`, or 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    for name, level in (("OPENCV_LOG_LEVEL", "ERROR"), ("OPENCV_FFMPEG_LOGLEVEL", "-8")):
        os.environ.setdefault(name, level)  # what is wrong with a file is said once, by this command
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may hold what the terminal cannot show
    try:
        code: int = options.run(options)
    except BdfmError as error:
        print(f"bdfm-infer: {error}", file=sys.stderr)
        code = error.exit_code
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bdfm-infer", description="Head pose and 23 Action Units from images and video.")
    parser.add_argument("--version", action="version", version=f"bdfm-infer {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    capture = commands.add_parser("capture", help="read a video, an image, a folder or a pattern into a take")
    capture.set_defaults(run=_capture)
    capture.add_argument("input", help="video, image, folder of images, or a pattern in quotes ('shots/*.jpg')")
    capture.add_argument("-o", "--output", type=Path, help="the take (default: the input's name, in this folder)")
    capture.add_argument("--face", type=_natural, default=0, help="which face: 0, the largest, by default")
    capture.add_argument("--start", type=_seconds, default=0.0, metavar="S", help="first second to read")
    capture.add_argument("--end", type=_seconds, default=float("inf"), metavar="S", help="second to stop before")
    capture.add_argument(
        "--threads", type=_positive, metavar="N", help="frames read at a time (default: cores, up to 4)"
    )
    capture.add_argument("--image-fps", type=_rate, default=1.0, metavar="F", help="images a second in a folder (1)")
    capture.add_argument("--smoothing", choices=METHODS, help="setting of the take (default: zero_phase for videos)")
    capture.add_argument("--progress", choices=("bar", "json", "none"), help="default: a bar where a person looks on")
    capture.add_argument("--rows", action="store_true", help="with --progress json: report each row as well")
    capture.add_argument("--overwrite", action="store_true", help="replace an older take of that name")
    capture.add_argument("--avatar", type=Path, metavar="FILE", help="write a video (.mp4) of the avatar doing it, too")
    capture.add_argument("--weights", metavar="FOLDER", help="networks of your own")

    batch = commands.add_parser("batch", help="read many clips, one take each")
    batch.set_defaults(run=_batch)
    batch.add_argument("inputs", nargs="+", metavar="INPUT", help="clip, folder of clips, or a pattern in quotes")
    batch.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="where the takes go")
    batch.add_argument("--jobs", type=_positive, default=1, metavar="N", help="clips read at a time (1)")
    batch.add_argument("--threads", type=_positive, metavar="N", help="as for capture, for each clip")
    batch.add_argument("--smoothing", choices=METHODS, help="as for capture")
    batch.add_argument("--weights", metavar="FOLDER", help="networks of your own")

    avatar = commands.add_parser("avatar", help="write a video of the avatar doing a take")
    avatar.set_defaults(run=_avatar)
    avatar.add_argument("take", type=Path, help="a take's .csv or .json")
    avatar.add_argument("-o", "--output", type=Path, required=True, help="the video (.mp4)")
    avatar.add_argument("--raw", action="store_true", help="without the take's calibration and smoothing")
    avatar.add_argument("--overwrite", action="store_true", help="replace an older file of that name")
    avatar.add_argument("--weights", metavar="FOLDER", help="networks of your own")

    info = commands.add_parser("info", help="versions and model, or what is known about a source")
    info.set_defaults(run=_info)
    info.add_argument("input", nargs="?", help="video, image, folder or pattern")
    info.add_argument("--json", action="store_true", help="as one JSON object")
    info.add_argument("--weights", metavar="FOLDER", help="networks of your own")

    export = commands.add_parser("export", help="write a take as another tool's CSV")
    export.set_defaults(run=_export)
    export.add_argument("take", type=Path, help="a take's .csv or .json")
    export.add_argument("--to", choices=FORMATS, required=True)
    export.add_argument("-o", "--output", type=Path, required=True)
    export.add_argument("--raw", action="store_true", help="without the take's calibration and smoothing")
    export.add_argument("--overwrite", action="store_true", help="replace an older file of that name")
    return parser


def _capture(options: argparse.Namespace) -> int:
    import cv2

    from .pipeline import CaptureOptions

    cv2.setNumThreads(1)  # frames run in parallel, not what is within a frame
    if options.end <= options.start:
        print("bdfm-infer: --end must come after --start", file=sys.stderr)
        return 2
    if options.avatar is not None and options.progress == "json":
        print("bdfm-infer: with --progress json, draw afterwards: bdfm-infer avatar TAKE -o FILE", file=sys.stderr)
        return 2
    chosen = CaptureOptions(
        face=options.face,
        start=options.start,
        end=options.end,
        threads=options.threads,
        image_fps=options.image_fps,
        overwrite=options.overwrite,
        smoothing=None if options.smoothing is None else Smoothing(options.smoothing),
    )
    output = csv_path(options.output or _default_output(options.input))
    avatar = None
    if options.avatar is not None:  # what is wrong with it is said before the work
        from .avatar import Avatar, check_output

        check_output(options.avatar, options.overwrite)
        avatar = Avatar(options.weights)
    with _stoppable() as cancel:
        if options.progress == "json":
            from .worker import run

            return _leave(run(options.input, output, chosen, cancel, options.weights, options.rows))
        bar = options.progress == "bar" or (options.progress is None and sys.stderr.isatty())
        code = _capture_for_people(options.input, output, chosen, cancel, options.weights, bar)
    return code if avatar is None else _draw(output, options.avatar, avatar, options.overwrite)


def _batch(options: argparse.Namespace) -> int:
    from . import batch

    names = ("threads", "smoothing", "weights")
    chosen = [word for name in names if (value := getattr(options, name)) for word in (f"--{name}", str(value))]
    clips, refused = batch.clips_of(options.inputs, options.output)

    def report(result: batch.Result) -> None:
        if result.good:
            print(f"{result.take}: {result.status}, {result.frames} frames, {result.without_face} without a face")
        else:
            print(f"bdfm-infer: {result.message}", file=sys.stderr)

    with _stoppable() as cancel:
        results = batch.run_batch(clips, options.output, chosen, options.jobs, refused, report, cancel)
    print(f"{options.output / batch.SUMMARY}: {sum(result.good for result in results)} of {len(results)} takes")
    return batch.exit_code(results)


def _avatar(options: argparse.Namespace) -> int:
    from .avatar import Avatar, check_output

    check_output(options.output, options.overwrite)
    return _draw(options.take, options.output, Avatar(options.weights), options.overwrite, options.raw)


def _draw(take: Path, output: Path, avatar: Avatar, overwrite: bool, raw: bool = False) -> int:
    from .avatar import write_avatar

    read = Take.read(take)
    frames = write_avatar(read if raw else read.processed(), output, avatar, overwrite)
    print(f"{output}: {frames} frames")
    return 0


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """An event that Ctrl-C or a request to terminate sets."""
    cancel = threading.Event()
    before = {number: signal.signal(number, lambda *_: cancel.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _capture_for_people(
    source: str, output: Path, options: Any, cancel: threading.Event, weights: Any, bar: bool
) -> int:
    from tqdm import tqdm

    from .pipeline import Progress, record
    from .predictor import Predictor

    with tqdm(unit=" frames", disable=not bar, leave=False, file=sys.stderr) as shown:

        def progress(state: Progress) -> None:
            shown.total = state.of
            shown.update(state.frame - shown.n)

        def warn(message: str) -> None:
            shown.write(f"bdfm-infer: warning: {message}", file=sys.stderr)

        summary = record(
            source, output, options, predictor=Predictor(weights), progress=progress, warn=warn, cancel=cancel
        )
    print(f"{output}: {summary.frames} frames, {summary.without_face} without a face")
    return 0


def _default_output(source: str) -> Path:
    stem = Path(source).resolve().stem
    return Path(f"{'take' if set(stem) & set('*?[') else stem}.csv")


def _info(options: argparse.Namespace) -> int:
    import importlib.metadata

    facts: dict[str, Any]
    if options.input is not None:
        from .frames import open_source

        source = open_source(options.input)
        facts = {k: v for k, v in source.facts.items() if v is not None} | {"frames": source.estimated_frames}
    else:
        from .network import Weights

        weights = Weights.load(options.weights)
        facts = {"bdfm-infer": __version__, "model": weights.id, "sha256": weights.sha256}
        facts["python"] = platform.python_version()
        for package in ("numpy", "onnxruntime", "opencv-python-headless", "pillow"):
            try:
                facts[package] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                facts[package] = "not installed under this name"
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        for name, value in facts.items():
            print(f"{name}: {' x '.join(map(str, value)) if isinstance(value, list) else value}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from .export import export

    take = Take.read(options.take)
    rows = export(take if options.raw else take.processed(), options.to, options.output, options.overwrite)
    print(f"{options.output}: {rows} rows")
    return 0


def _leave(code: int) -> int:
    """End the process at once: the thread that waits for a line on stdin must not hold it up."""
    sys.stderr.flush()
    os._exit(code)


def _seconds(text: str) -> float:
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def _rate(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} must be above 0")
    return value


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return value
