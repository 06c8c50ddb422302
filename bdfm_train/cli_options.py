# SPDX-License-Identifier: MIT
"""Options that several commands have."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

MOST: Final = 2**31 - 1
"""Largest whole number that an option takes: a seed is shifted by 32 bits into one of 64."""


def whole(least: int) -> Callable[[str], int]:
    """What argparse takes as ``type``: a whole number, at least so large."""

    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= MOST:
            raise argparse.ArgumentTypeError(f"{value} is not within {least} and {MOST}")
        return value

    return number


def positive(text: str) -> float:
    """What argparse takes as ``type``: a number above 0."""
    value = float(text)
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def fraction(text: str) -> float:
    """What argparse takes as ``type``: a number from 0 to 1."""
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not within 0 and 1")
    return value


def one_line(text: str) -> str:
    """What argparse takes as ``type``: a text of one line that says something."""
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError("it is empty, or more than a line")
    return text


def add_own_losses(parser: argparse.ArgumentParser) -> None:
    """The option ``--loss``."""
    text = "Python files, a loss of your own in each: bdfm_train/training/own_losses.py says of what form"
    parser.add_argument("--loss", type=Path, nargs="+", default=[], metavar="FILE", help=text)


def add_device(parser: argparse.ArgumentParser, threads: int = 1) -> None:
    """The options ``--device`` and ``--threads``."""
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one")
    parser.add_argument("--threads", type=whole(1), default=threads, help="of the CPU (default: %(default)s)")
