# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at files that artists name. ``pathlib`` raises where a name is too long or a folder must not be entered.

A name need not be text: what of it is not UTF-8 Python keeps as surrogates, which Blender's texts cannot hold.
"""

from __future__ import annotations

from pathlib import Path


def changed_at(path: Path) -> int | None:
    """When a file was changed last, in nanoseconds; None where there is none, or none that can be looked at."""
    try:
        return path.stat().st_mtime_ns
    except (OSError, ValueError):
        return None


def is_there(path: Path) -> bool:
    """Whether a path leads to a file or folder that can be looked at."""
    return changed_at(path) is not None


def is_folder(path: Path) -> bool:
    """Whether a path leads to a folder that can be looked at."""
    return is_there(path) and path.is_dir()


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file that can be looked at."""
    return is_there(one) and is_there(other) and one.samefile(other)


def shown(text: object) -> str:
    """A text as Blender can hold it: what of a file's name is not UTF-8 is spelled ``\\udce9`` and the like."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def is_text(name: object) -> bool:
    """Whether the name of a file is in UTF-8, so that Blender can hold it."""
    return shown(name) == str(name)


def json_files(folder: Path) -> list[Path]:
    """The JSON files of a folder, by name; none where it cannot be looked at."""
    try:
        return sorted(folder.glob("*.json"))
    except (OSError, ValueError):
        return []
