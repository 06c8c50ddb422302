# SPDX-License-Identifier: MIT
"""Numbered images: ``shot_0001.png``, ``shot_0002.png``, …"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

_NUMBERED: Final = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)


def first_gap(paths: Sequence[Path]) -> str | None:
    """Name of the first image that a numbered sequence lacks; None where it lacks none, or is not numbered throughout.

    Images that are numbered in equal steps, such as every second one, lack none.
    """
    names = [_NUMBERED.fullmatch(path.name) for path in paths]
    parts = [(name[1], int(name[2]), name[3]) for name in names if name is not None]
    if len(parts) < len(paths) or len({(before, after) for before, _, after in parts}) != 1:
        return None
    numbers = [number for _, number, _ in parts]
    steps = [later - number for number, later in pairwise(numbers)]
    usual = min(steps, default=1)
    if usual < 1:
        return None
    at = next((place for place, step in enumerate(steps) if step > usual), None)
    if at is None:
        return None
    before, number, after = parts[at]
    written = names[at]
    width = 0 if written is None else len(written[2])
    return f"{before}{number + usual:0{width}d}{after}"
