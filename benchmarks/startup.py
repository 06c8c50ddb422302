# SPDX-License-Identifier: MIT
"""Start-up of the command line, from nothing to a take of one picture, against its imports alone. POSIX only."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks._processes import Cost, cost

REPEATS = 7
IMPORTS = "import numpy, cv2, onnxruntime"


def main() -> None:
    """Print seconds, best of seven each, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", nargs="?", help="with a face (default: an empty picture)")
    parser.add_argument("--weights", help="folder of networks (default: the package's own)")
    options = parser.parse_args()
    weights = ["--weights", options.weights] if options.weights else []
    with tempfile.TemporaryDirectory() as folder:
        clip = options.image or _empty_clip(Path(folder))
        take = str(Path(folder) / "take.csv")
        runs = {
            f"python -c '{IMPORTS}'": ["-c", IMPORTS],
            "bdfm-infer --version": ["-m", "bdfm_infer", "--version"],
            "bdfm-infer info": ["-m", "bdfm_infer", "info", *weights],
            "first row of a capture": ["-c", _FIRST_ROW, clip, options.weights or "", take],
        }
        costs: dict[str, list[Cost]] = {name: [] for name in runs}
        for _ in range(REPEATS):
            for name, arguments in runs.items():
                costs[name].append(cost(*arguments))
    base = min(c.cpu for c in costs[f"python -c '{IMPORTS}'"])
    for name, seen in costs.items():
        cpu, wall = min(c.cpu for c in seen), min(c.wall for c in seen)
        print(f"{name:46} {cpu:6.2f} s CPU {wall:6.2f} s wall   {cpu / base:5.2f} of the imports")


_FIRST_ROW = """
import contextlib, io, sys
from bdfm_infer.cli import main
from bdfm_infer.errors import NoFaceError
clip, weights, take = sys.argv[1:]
options = ["--overwrite", "--threads", "1", *(["--weights", weights] if weights else [])]
with contextlib.redirect_stderr(io.StringIO()):
    code = main(["capture", clip, "-o", take, *options])
sys.exit(0 if code == NoFaceError.exit_code else code)
"""


def _empty_clip(folder: Path) -> str:
    path = folder / "empty.png"
    cv2.imwrite(str(path), np.full((480, 640, 3), 90, np.uint8))
    return str(path)
