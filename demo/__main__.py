# SPDX-License-Identifier: MIT
"""``python -m demo [INPUT]``: capture, bake onto three characters, show both. ``python3 run.py demo`` sets it up."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
from tqdm import tqdm

from bdfm_infer import CaptureOptions, Progress, capture
from bdfm_infer.cli_common import show_any_name
from bdfm_infer.errors import BdfmError, WriteError, stopped
from bdfm_infer.take import Take

from . import accuracy, moments, pictures
from .blender import ROOT, SIDE, bake_all
from .characters import CHARACTERS

SAMPLE = ROOT / "examples/clip/sample.mp4"
TRUTH = ROOT / "examples/clip/sample_truth.csv"
COLUMNS = 8
VIDEO_RATE, VIDEO_SECONDS = 12.0, 10.0
IMAGES_RATE, MAX_IMAGES = 2.0, 100
"""Pictures a second in the video of a folder of images, and how many it shows."""
STEPS = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; the exit code is 0 or that of an error."""
    parser = argparse.ArgumentParser("demo", description="A video's face on three characters in Blender.")
    parser.add_argument("input", nargs="?", default=str(SAMPLE), help="video, image or folder (default: the sample)")
    parser.add_argument("--out", type=Path, default=ROOT / "out", help="where the results go (default: out/)")
    parser.add_argument("--take", type=Path, help="bake this take of the input instead of capturing it")
    options = parser.parse_args(arguments)
    show_any_name()
    try:
        _run(options.input, output_folder(options.out), options.take)
    except KeyboardInterrupt:
        print(f"demo: {stopped()}", file=sys.stderr)
        return stopped().exit_code
    except BdfmError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _run(source: str, out: Path, table: Path | None) -> None:
    name = Path(source).resolve().stem.strip("*?[]") or "images"
    _step(1, f"Reading the face in {source}")
    if table is None:
        table = out / f"{name}.csv"
        take = capture_with_bar(source, table)
    else:
        table = table.resolve()
        take = Take.read(table)
    print(f"    {len(take)} frames, {int((~take.success).sum())} without a face")
    if Path(source).resolve() == SAMPLE:
        measured, _ = accuracy.compare(take.processed(), Take.read(TRUTH))
        print("    How far the capture is from the clip's true values:\n" + accuracy.table(measured))

    _step(2, "Baking onto three characters in Blender and rendering them (a few minutes on two cores)")
    of_video = take.files is None
    video = moments.video_rows(take, VIDEO_RATE, VIDEO_SECONDS) if of_video else list(range(min(len(take), MAX_IMAGES)))
    sheet = moments.sheet_rows(take.processed(), COLUMNS)
    rows = sorted({*video, *sheet})
    blends = {character: out / f"{name}_{character}.blend" for character in CHARACTERS}
    with tempfile.TemporaryDirectory(prefix="bdfm-demo-") as scratch:
        rendered = bake_all(table, blends, Path(scratch), rows)

    _step(3, "Contact sheet and side-by-side video")
    contact, side_by_side = out / f"{name}_sheet.png", out / f"{name}_side_by_side.mp4"
    clip = pictures.clip_pictures(source, take, rows, SIDE)
    lines = {"Clip": [clip[row].face for row in sheet]}
    lines |= {CHARACTERS[character]: [images[row] for row in sheet] for character, images in rendered.items()}
    captions = [take.files[row] if take.files else f"{take.timestamps[row]:.2f} s" for row in sheet]
    pictures.write_sheet(contact, lines, captions)
    shown = [row for row in video if row in clip]
    columns = [[clip[row].whole for row in shown], *([images[row] for row in shown] for images in rendered.values())]
    pictures.write_video(side_by_side, columns, VIDEO_RATE if of_video else IMAGES_RATE)
    _step(4, "Done. What lies where:")
    print(_summary(table, contact, side_by_side, blends))


def output_folder(path: Path) -> Path:
    """The folder for the results, made where it is not there.

    Raises:
        WriteError: it cannot be made.
    """
    out = path.resolve()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{out} cannot be made: {error.strerror or error}. Name another folder with --out.") from error
    return out


def capture_with_bar(source: str, table: Path) -> Take:
    """Capture a source into a table, which is overwritten, with a bar in the terminal."""
    cv2.setNumThreads(1)
    with tqdm(unit=" frames", disable=None, leave=False) as bar:

        def progress(state: Progress) -> None:
            bar.total = state.of
            bar.update(state.frame - bar.n)

        return capture(
            source, table, CaptureOptions(overwrite=True), progress=progress, warn=lambda error: bar.write(str(error))
        )


def _step(number: int, text: str) -> None:
    print(f"[{number}/{STEPS}] {text}", flush=True)


def _summary(table: Path, contact: Path, side_by_side: Path, blends: dict[str, Path]) -> str:
    lines = [
        (table, "the take: one row a frame, open it in a spreadsheet"),
        (table.with_suffix(".json"), "where it is from, calibration and smoothing"),
        (contact, "contact sheet: the clip and each character at the same moments"),
        (side_by_side, "clip and characters side by side, any video player"),
        *((blend, "open in Blender 4.5 or newer and press Space; the keys are in the Action Editor")
          for blend in blends.values()),
    ]  # fmt: skip
    return "\n".join(f"    {path}\n        {text}" for path, text in lines)


if __name__ == "__main__":
    sys.exit(main())
