# SPDX-License-Identifier: MIT
"""The command ``bdfm-infer``. Options and exit codes are described in ``docs/command-line.md``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import __version__, cli_capture, cli_pictures
from .cli_common import ACCURATE_HELP, draw_avatar, positive, show_any_name, stoppable
from .errors import BdfmError, stopped
from .export import FORMATS
from .outputs import spare
from .smooth import METHODS
from .take import Take, files_of_take


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0, that of an error of :mod:`bdfm_infer.errors`, or 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    for name, level in (("OPENCV_LOG_LEVEL", "ERROR"), ("OPENCV_FFMPEG_LOGLEVEL", "-8")):
        os.environ.setdefault(name, level)  # what is wrong with a file is said once, by this command
    show_any_name()
    try:
        code: int = options.run(options)
    except KeyboardInterrupt:
        code = _report(stopped(), options)
    except BdfmError as error:
        code = _report(error, options)
    except OSError as error:
        path, reason = error.filename or "files", error.strerror or error
        code = _report(BdfmError("{path}: {reason}. Name another path.", path=path, reason=reason), options)
    return code


def _report(error: BdfmError, options: argparse.Namespace) -> int:
    """Say what ended a command, in a JSON line where it speaks in these; returns the exit code."""
    if getattr(options, "progress", None) == "json" or getattr(options, "lines", False):
        from .worker import Lines, report

        return report(error, Lines(sys.stdout, threading.Event()))
    print(f"bdfm-infer: {error}", file=sys.stderr)
    return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bdfm-infer", description="Head pose and 23 Action Units from images and video.")
    parser.add_argument("--version", action="version", version=f"bdfm-infer {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    cli_capture.add_commands(commands)

    batch = commands.add_parser("batch", help="read many clips, one take each")
    batch.set_defaults(run=_batch)
    batch.add_argument("inputs", nargs="+", metavar="INPUT", help="clip, folder of clips, or a pattern in quotes")
    batch.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="where the takes go")
    batch.add_argument("--jobs", type=positive, default=1, metavar="N", help="clips read at a time (1)")
    batch.add_argument("--threads", type=positive, metavar="N", help="as for capture, for each clip")
    batch.add_argument("--accurate", action="store_true", help=ACCURATE_HELP)
    batch.add_argument("--smoothing", choices=METHODS, help="as for capture")
    batch.add_argument("--weights", metavar="FOLDER", help="networks of your own")

    avatar = commands.add_parser("avatar", help="write a video of the avatar doing a take")
    avatar.set_defaults(run=_avatar)
    avatar.add_argument("take", type=Path, help="a take's .csv or .json")
    avatar.add_argument("-o", "--output", type=Path, required=True, help="the video (.mp4)")
    avatar.add_argument("--raw", action="store_true", help="without the take's calibration and smoothing")
    avatar.add_argument("--overwrite", action="store_true", help="replace an older file of that name")
    avatar.add_argument("--weights", metavar="FOLDER", help="networks of your own")

    cli_pictures.add_commands(commands)

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


def _batch(options: argparse.Namespace) -> int:
    from . import batch

    names = ("threads", "smoothing", "weights")
    chosen = [word for name in names if (value := getattr(options, name)) for word in (f"--{name}", str(value))]
    chosen += ["--accurate"] if options.accurate else []
    clips, refused = batch.clips_of(options.inputs, options.output)

    def report(result: batch.Result) -> None:
        if result.good:
            print(f"{result.take}: {result.status}, {result.frames} frames, {result.without_face} without a face")
            if result.message:
                print(f"bdfm-infer: warning: {result.message}", file=sys.stderr)
        else:
            print(f"bdfm-infer: {result.message}", file=sys.stderr)

    with stoppable() as cancel:
        results = batch.run_batch(clips, options.output, chosen, options.jobs, refused, report, cancel)
    print(f"{options.output / batch.SUMMARY}: {sum(result.good for result in results)} of {len(results)} takes")
    return batch.exit_code(results)


def _avatar(options: argparse.Namespace) -> int:
    from .avatar import Avatar, check_output

    check_output(options.output, options.overwrite)
    return draw_avatar(options.take, options.output, Avatar(options.weights), options.overwrite, options.raw)


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
    spare(options.output, files_of_take(options.take))
    rows = export(take if options.raw else take.processed(), options.to, options.output, options.overwrite)
    print(f"{options.output}: {rows} rows")
    return 0
