# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at files that artists name. ``pathlib`` raises where a name is too long or a folder must not be entered."""

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


def json_files(folder: Path) -> list[Path]:
    """The JSON files of a folder, by name; none where it cannot be looked at."""
    try:
        return sorted(folder.glob("*.json"))
    except (OSError, ValueError):
        return []
