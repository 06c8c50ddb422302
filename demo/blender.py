# SPDX-License-Identifier: MIT
"""Characters baked and rendered, each in a Blender of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from bdfm_infer.errors import BdfmError

from .pictures import Picture

ROOT = Path(__file__).resolve().parents[1]
SIDE = 256
"""Pixels of a rendered picture's side, and the height of the video beside it."""
SILENCE_S = 900.0
"""Longest time for which a Blender says nothing; a picture takes ten seconds where a busy processor draws it."""


class BlenderError(BdfmError):
    """Blender could not build, bake or render a character."""

    code = "blender_failed"
    exit_code = 40


def bake_all(table: Path, blends: dict[str, Path], scratch: Path, rows: list[int]) -> dict[str, dict[int, Picture]]:
    """Bake and render each character in a Blender of its own, as many at a time as there are cores.

    Returns:
        By character and row, the rendered picture.
    """
    with (
        tqdm(total=len(blends) * len(rows), unit=" pictures", disable=None, leave=False) as bar,
        ThreadPoolExecutor(min(len(blends), os.cpu_count() or 1)) as pool,
    ):

        def work(character: str) -> dict[int, Picture]:
            folder = scratch / character
            folder.mkdir()
            arguments = [character, str(table), str(blends[character]), str(folder), str(SIDE), *map(str, rows)]

            def on_event(event: dict[str, Any]) -> None:
                if event["event"] == "picture":
                    bar.update()
                else:
                    missing = f", not on this rig: {', '.join(event['missing'])}" if event["missing"] else ""
                    bar.write(f"    {character}: {event['curves']} channels, {event['keys']} keys each, mapping "
                              f"{event['mapping']!r}{missing}")  # fmt: skip
                    for warning in event["warnings"]:
                        bar.write(f"    {character}: {warning}")

            _blender(arguments, scratch / "blender", on_event)
            return {row: cv2.imread(str(folder / f"{row:06}.png")) for row in rows}

        return dict(zip(blends, pool.map(work, blends), strict=True))


def _blender(arguments: list[str], user: Path, on_event: Callable[[dict[str, Any]], None]) -> None:
    """Run ``demo.bake`` and hand over its events; its other output is shown only if it fails.

    Args:
        user: in place of the user's own folder of Blender settings.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo.bake", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            errors="replace",
            cwd=ROOT,
            env=os.environ | {"BLENDER_USER_RESOURCES": str(user)},
        )
        tail: list[str] = []
        for line in lines_of(process, SILENCE_S):
            if line.startswith('{"event"'):
                on_event(json.loads(line))
            else:
                tail = [*tail[-20:], line]
        code = process.wait(SILENCE_S)
        if code:
            log.seek(0)
            raise BlenderError(
                f"Blender failed on {arguments[0]} (exit code {code}):\n{log.read()[-4000:]}{''.join(tail)}"
            )


def lines_of(process: subprocess.Popen[str], silence: float) -> Iterator[str]:
    """What a process prints, line by line, however long all of it takes.

    Raises:
        BlenderError: it printed nothing for ``silence`` seconds, and was stopped.
    """
    assert process.stdout is not None
    stopped = threading.Event()

    def stop() -> None:
        stopped.set()
        process.kill()

    while True:
        watch = threading.Timer(silence, stop)
        watch.start()
        line = process.stdout.readline()
        watch.cancel()
        if line:
            yield line
        elif stopped.is_set():
            raise BlenderError(f"Blender said nothing for {silence:.0f} seconds and was stopped. Start it once more.")
        else:
            return
