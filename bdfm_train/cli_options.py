# SPDX-License-Identifier: MIT
"""Options that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_own_losses(parser: argparse.ArgumentParser) -> None:
    """The option ``--loss``."""
    text = "Python files, a loss of your own in each: bdfm_train/training/own_losses.py says of what form"
    parser.add_argument("--loss", type=Path, nargs="+", default=[], metavar="FILE", help=text)


def add_device(parser: argparse.ArgumentParser, threads: int = 1) -> None:
    """The options ``--device`` and ``--threads``."""
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one")
    parser.add_argument("--threads", type=int, default=threads, help="of the CPU (default: %(default)s)")
