# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are the frames of one clip: their names differ in the last number alone."""

from __future__ import annotations

import re
from pathlib import Path


def numbered_from(first: Path, with_gaps: bool = True) -> tuple[Path, ...]:
    """A file and those of its folder that come after it, by number.

    Args:
        with_gaps: go on where a number is missing.

    Raises:
        OSError: the folder cannot be read.
    """
    match = re.fullmatch(r"(.*?)(\d+)(\D*)", first.name)
    if match is None:
        return (first,)
    before, number, after = match.groups()
    alike = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    found = {path: alike.fullmatch(path.name) for path in first.parent.iterdir()}
    numbers = {path: int(match[1]) for path, match in found.items() if match is not None}
    later = sorted((path for path, n in numbers.items() if n >= int(number)), key=numbers.__getitem__)
    return tuple(path for place, path in enumerate(later) if with_gaps or numbers[path] == int(number) + place)
