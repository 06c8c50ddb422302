# SPDX-License-Identifier: MIT
"""CPU time of a captured frame against decoding alone, and peak memory of 10 seconds and 10 minutes. POSIX only.

Costs a frame are the difference of a long and a short run, so that start-up is in none of them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2

from benchmarks._processes import cost

FPS = 30
SHORT, LONG = 10, 600
SIZE = (640, 480)

DECODE = """
import sys, cv2
capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)
while capture.read()[0]:
    pass
"""


def main() -> None:
    """Print milliseconds of CPU a frame, their ratio, and megabytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", help="video of a face; it is scaled to 640x480 and repeated")
    parser.add_argument("--weights", help="folder of networks (default: the package's own)")
    parser.add_argument("--accurate", action="store_true", help="as bdfm-infer capture --accurate")
    parser.add_argument("--threads", default="1", help="frames read at a time (default 1)")
    parser.add_argument("--seconds", type=int, default=LONG, help=f"of the long run (default {LONG})")
    options = parser.parse_args()
    chosen = ["--weights", options.weights] if options.weights else []
    chosen += ["--accurate"] if options.accurate else []
    with tempfile.TemporaryDirectory() as folder:
        short, long = (_repeated(options.clip, Path(folder), seconds) for seconds in (SHORT, options.seconds))
        take = str(Path(folder) / "take.csv")
        arguments = ["-m", "bdfm_infer", "capture", "-o", take, "--overwrite", "--threads", options.threads, *chosen]
        captured = [cost(*arguments, clip) for clip in (short, long)]
        decoded = [cost("-c", DECODE, clip) for clip in (short, long)]
    frames = (options.seconds - SHORT) * FPS
    a_capture, a_decode = ((after.cpu - before.cpu) / frames * 1000 for before, after in (captured, decoded))
    print(f"decoding alone   {a_decode:6.2f} ms CPU a frame at {SIZE[0]}x{SIZE[1]}, {frames} frames")
    print(f"capture          {a_capture:6.2f} ms CPU a frame, {a_capture / a_decode:.2f} of decoding alone")
    for name, (before, after) in {"peak memory": captured, "decoder's": decoded}.items():
        print(f"{name:16} {before.memory:6.0f} MB at {SHORT} s, {after.memory:.0f} MB at {options.seconds} s")


def _repeated(clip: str, folder: Path, seconds: int) -> str:
    """The clip at 640x480, over and over until it is so long, as MP4 (MPEG-4)."""
    path = str(folder / f"{seconds}.mp4")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), FPS, SIZE)
    left = seconds * FPS
    while left:
        capture = cv2.VideoCapture(clip)
        before = left
        while left and (read := capture.read())[0]:
            writer.write(cv2.resize(read[1], SIZE, interpolation=cv2.INTER_AREA))
            left -= 1
        if left == before:
            raise SystemExit(f"{clip} cannot be decoded")
    writer.release()
    return path
