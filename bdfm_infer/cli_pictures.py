# SPDX-License-Identifier: MIT
"""The command ``bdfm-infer pictures``."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import Any

from .cli_common import LIST_HELP, source_of, stoppable
from .take import Take


def add_commands(commands: Any) -> None:
    """Add it to the command line's parser."""
    pictures = commands.add_parser("pictures", help="write small pictures of a take: the clip beside the avatar")
    pictures.set_defaults(run=_pictures)
    pictures.add_argument("take", type=Path, help="a take's .csv or .json")
    pictures.add_argument("--source", required=True, metavar="INPUT", help="the clip that it was read from")
    pictures.add_argument("--list", action="store_true", help=LIST_HELP)
    pictures.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="where the pictures go")
    pictures.add_argument("--raw", action="store_true", help="without the take's calibration and smoothing")
    pictures.add_argument("--json", dest="lines", action="store_true", help="JSON lines, as of capture")
    pictures.add_argument("--weights", metavar="FOLDER", help="networks of your own")


def _pictures(options: argparse.Namespace) -> int:
    import cv2

    from .avatar import Avatar
    from .pictures import write_pictures

    cv2.setNumThreads(1)
    read = Take.read(options.take)
    take = read if options.raw else read.processed()
    source = source_of(options.source, options.list)

    def write(cancel: threading.Event, progress: Any = None) -> dict[str, Any]:
        return write_pictures(take, source, options.output, Avatar(options.weights), cancel, progress)

    with stoppable() as cancel:
        if options.lines:
            from .worker import answer

            return answer(
                lambda lines: write(cancel, lambda row: lines.say("progress", frame=row, of=len(take))), cancel
            )
        print(f"{options.output}: {write(cancel)['frames']} pictures")
    return 0
