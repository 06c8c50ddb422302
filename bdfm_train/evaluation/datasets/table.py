# SPDX-License-Identifier: MIT
"""Labels of one's own in a CSV file.

Columns: ``file`` (image or video, relative to the CSV), ``frame`` (number in a video, from 0; empty or left out for an
image), ``subject``, and one column for each action unit that was coded (``AU01`` ... ``eye_closed_right``), intensities
from 0 to 5, empty where it was not coded. Lines that begin with # are left out.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from bdfm_infer.parameters import AU_NAMES
from bdfm_train.errors import DatasetError

from .labels import STRONGEST, Clip, Dataset, FloatArray, checked, coded_units, unknown

PLACE: Final = ("file", "frame", "subject")
NO_FRAME: Final = -1


def load(path: Path) -> Dataset:
    """All rows; the frames of a video are one clip, the images of a person another.

    Raises:
        DatasetError: the file or a picture is missing, a column is unknown, or a label is out of range.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read ({error}). Name a CSV file of labels.") from error
    kept = [(number, line) for number, line in enumerate(lines, 1) if not line.startswith("#")]
    reader = csv.DictReader(line for _, line in kept)
    columns = set(reader.fieldnames or ())
    if len(columns) < len(reader.fieldnames or ()):
        raise DatasetError(f"{path} has two columns of one name. Leave one.")
    if not columns >= {"file", "subject"} or not columns & set(AU_NAMES) or columns - {*PLACE, *AU_NAMES}:
        raise DatasetError(
            f"{path} has columns {', '.join(reader.fieldnames or ['(none)'])}; expected file, frame (for videos), "
            f"subject, and action units of {', '.join(AU_NAMES)}."
        )
    groups: dict[tuple[str, Path | None], list[tuple[int, Path, FloatArray]]] = defaultdict(list)
    for row in reader:
        where = f"{path}, line {kept[reader.line_num - 1][0]}"
        if None in row or None in row.values():
            raise DatasetError(f"{where} has not as many cells as there are columns.")
        if not row["subject"]:
            raise DatasetError(f"{where}: subject is empty. Give each person a name.")
        file = path.parent / (row["file"] or "")
        if not file.is_file():
            raise DatasetError(f"{where}: {file} is missing.")
        frame = _frame(row.get("frame") or "", where)
        video = file if frame != NO_FRAME else None
        groups[row["subject"], video].append((frame, file, _labels(row, where)))
    clips = tuple(_clip(subject, video, rows) for (subject, video), rows in groups.items())
    if not clips:
        raise DatasetError(f"{path} has no row of labels.")
    return Dataset(path.name, coded_units(clips), True, clips)


def _frame(text: str, where: str) -> int:
    if not text:
        return NO_FRAME
    if not text.isdecimal():
        raise DatasetError(f"{where}: frame {text!r} must be a number from 0 on.")
    return int(text)


def _labels(row: dict[str, str | None], where: str) -> FloatArray:
    labels = unknown(1)[0]
    for i, unit in enumerate(AU_NAMES):
        text = row.get(unit) or ""
        if text:
            try:
                labels[i] = checked(float(text), STRONGEST, f"{where}, {unit}")
            except ValueError:
                raise DatasetError(f"{where}: {unit} is {text!r}; write 0 to {STRONGEST} or nothing.") from None
    return labels


def _clip(subject: str, video: Path | None, rows: list[tuple[int, Path, FloatArray]]) -> Clip:
    if video is None:
        files = [file for _, file, _ in rows]
        if twice := [file for file, count in Counter(files).items() if count > 1]:
            raise DatasetError(f"{twice[0]} has two rows of labels. Leave one.")
        return Clip(subject, tuple(files), np.arange(len(rows)), np.stack([labels for _, _, labels in rows]))
    rows = sorted(rows, key=lambda row: row[0])
    if doubled := [row[0] for row, following in pairwise(rows) if row[0] == following[0]]:
        raise DatasetError(f"Frame {doubled[0]} of {video} has two rows of labels. Leave one.")
    return Clip(subject, video, np.array([frame for frame, _, _ in rows]), np.stack([labels for _, _, labels in rows]))
