# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are the frames of one clip: their names differ in the last number alone."""

from __future__ import annotations

import re
from pathlib import Path


def numbered_from(first: Path) -> tuple[Path, ...]:
    """A file and those of its folder that come after it, by number, up to the first that is missing. There Blender's
    movie clips end, too.

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
    return tuple(path for place, path in enumerate(later) if numbers[path] == int(number) + place)
