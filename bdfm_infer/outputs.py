# SPDX-License-Identifier: MIT
"""Files that are written: whole or not at all, and over none that is there already or is being read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .errors import OutputExistsError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file; an older one is replaced only once the new one is whole. What was begun is not left behind.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise


def json_content(data: object) -> bytes:
    """Data as a JSON file, indented, in UTF-8; what of a file's name is no text becomes ``?``."""
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def refuse_existing(paths: Iterable[Path]) -> None:
    """See that nothing is replaced unasked.

    Raises:
        OutputExistsError: one of the paths, the first of them, is there.
    """
    for path in paths:
        if os.path.lexists(path):
            raise OutputExistsError("{path} exists. Choose another name, or ask for it to be overwritten.", path=path)


def spare(output: Path, sources: Iterable[Path]) -> None:
    """See that an output is none of the files that are read, not even where it may overwrite.

    Raises:
        OutputExistsError: it is one.
    """
    try:
        there = output.stat()
    except (OSError, ValueError):
        return
    for source in sources:
        try:
            is_read = os.path.samestat(there, source.stat())
        except (OSError, ValueError):
            continue
        if is_read:
            raise OutputExistsError("{path} is what is read. Choose another name.", path=output)


def takes_of_faces(table: Path) -> list[Path]:
    """Tables and JSON files of the faces of a capture called ``table`` that are there: ``NAME-face1.csv``, …"""
    if not table.parent.is_dir():
        return []
    name = re.compile(re.escape(table.stem) + r"-face[0-9]+\.(csv|json)")
    return sorted(path for path in table.parent.iterdir() if name.fullmatch(path.name))
