# SPDX-License-Identifier: MIT
"""The paper's Figure 5: one clip above, characters of others and our own below, at the same moments.

    BDFM_SOURCES=FOLDER python -m demo.figure5 [CLIP] [--out FOLDER]

FOLDER holds the characters of ``others.toml``. One that cannot be used is reported, and the others go on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bdfm_infer.cli_common import show_any_name
from bdfm_infer.errors import BdfmError
from bdfm_infer.take import Take

from . import moments, pictures
from .__main__ import SAMPLE, capture_with_bar, output_folder
from .blender import ROOT, SIDE, bake_all
from .characters import CHARACTERS
from .others import others

COLUMNS = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the sheet; the exit code is 0, or that of the last error where a character is left out."""
    titles = {name: other.title for name, other in others().items()} | CHARACTERS
    parser = argparse.ArgumentParser("demo.figure5", description="One clip on many characters, as a sheet.")
    parser.add_argument("clip", nargs="?", default=str(SAMPLE), help="video (default: the sample)")
    parser.add_argument("--out", type=Path, default=ROOT / "out", help="where the results go (default: out/)")
    parser.add_argument("--take", type=Path, help="use this take of the clip instead of capturing it")
    parser.add_argument("--characters", nargs="+", choices=titles, default=list(titles), metavar="NAME")
    parser.add_argument(
        "--rows", nargs="+", type=int, help="rows of the take to show (default: those that differ most)"
    )
    options = parser.parse_args(arguments)
    show_any_name()
    name = Path(options.clip).stem
    code = 0
    try:
        out = output_folder(options.out)
        table = (options.take or out / f"{name}.csv").resolve()
        take = Take.read(table) if options.take else capture_with_bar(options.clip, table)
        rows = options.rows or moments.sheet_rows(take.processed(), COLUMNS)
        if not all(0 <= row < len(take) for row in rows):
            parser.error(f"--rows: the take has the rows 0 to {len(take) - 1}")
        clip = pictures.clip_pictures(options.clip, take, rows, SIDE)
        lines = {"Clip": [clip[row].face for row in rows]}
        with tempfile.TemporaryDirectory(prefix="bdfm-figure5-") as scratch:
            for character in options.characters:
                blend = out / f"{name}_{character}.blend"
                try:
                    rendered = bake_all(table, {character: blend}, Path(scratch), rows)[character]
                except BdfmError as error:
                    print(f"{titles[character]} is left out: {error}", file=sys.stderr)
                    code = error.exit_code
                else:
                    lines[titles[character]] = [rendered[row] for row in rows]
        sheet = out / f"{name}_figure5.png"
        pictures.write_sheet(sheet, lines, [f"{take.timestamps[row]:.2f} s" for row in rows])
    except BdfmError as error:
        print(f"demo.figure5: {error}", file=sys.stderr)
        return error.exit_code
    print(sheet)
    return code


if __name__ == "__main__":
    sys.exit(main())
