# SPDX-License-Identifier: MIT
"""The table of a take, as it was captured, as a spreadsheet saved it, or as another tool wrote it. numpy alone.

Spreadsheets write other separators and decimal commas; both are understood. What cannot be understood is named with
its line and column. The tables of OpenFace 2 and Live Link Face are the inverse of :mod:`bdfm_infer.export`.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from .captured import captured_rows
from .errors import TakeFormatError
from .export import (
    LIVELINKFACE_HEAD,
    OPENFACE_AUS,
    OPENFACE_FULL,
    OPENFACE_POSE,
    TIMECODE_FPS,
    livelinkface_shapes,
)
from .from_arkit import units_from_arkit
from .openface_angles import from_openface
from .parameters import AU_NAMES, EYES, ROTATION
from .rows import COLUMNS, DEGREES, FACE, FRAMES, PIXELS, Row

FloatArray = NDArray[np.float64]

SEPARATORS: Final = ",;\t"
_FOR_EXCEL: Final = re.compile(r"sep=.?\n")
"""A line above the table that tells Excel the separator."""

_OUR_NUMBER: Final = re.compile(r"\d\.\d{4}|")
"""How a capture writes the last column of a row."""

_OPENFACE: Final = ("frame", "timestamp", "confidence", "success", "AU45_r")
_RATES: Final = (24, 25, 30, 60)
_TIMECODE: Final = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,3}(?:[.,]\d{1,9})?)")
_DAY_S: Final = 86_400.0
_WAVER_S: Final = 0.5
"""How far a time code may go back; further, its rows are in another order."""

_STRENGTH: Final = (-1.0, 2.0)
"""Least and highest strength of a shape or unit, of full, that other tools write; a percentage lies beyond."""


def read_table(table: Path, text: str) -> tuple[list[Row], str]:
    """Rows of a table, and the tool that wrote it: ``bdfm``, ``openface`` or ``livelinkface``.

    Args:
        table: the file's name, for messages.
        text: its content. A last line that was cut off (a killed run) is left out.

    Raises:
        TakeFormatError: it is no such table, or damaged; the message names line and column.
    """
    above = _FOR_EXCEL.match(text)
    lines = _whole_lines(text[above.end() :] if above else text)
    if not any(lines):
        if text.strip():
            raise TakeFormatError("{table}: no table. Choose a take's .csv file, or capture again.", table=table)
        raise TakeFormatError("{table}: the file is empty. Choose a take's .csv file, or capture again.", table=table)
    captured = captured_rows(lines)
    if captured is not None:
        return captured, "bdfm"
    separator = max(SEPARATORS, key=lines[0].count)
    try:
        rows = csv.reader(lines, delimiter=separator)
        cells = _Cells(table, rows, decimal="," if separator != "," else ".", first=2 if above else 1)
    except csv.Error as error:
        raise TakeFormatError(
            "{table}: no table ({reason}). Choose a take's .csv file, or capture again.", table=table, reason=error
        ) from error
    if "Timecode" in cells.header:
        return _livelinkface(cells), "livelinkface"
    if not {OPENFACE_POSE[0], "AU01_r"}.isdisjoint(cells.header):
        return _openface(cells), "openface"
    return _bdfm(cells), "bdfm"


class _Cells:
    """A table's cells by line and column, empty lines left out, and columns that no take has: OpenFace writes 700.

    Args:
        table: the file's name, for messages.
        lines: cells of each line, the header first.
        decimal: the decimal point.
        first: number of the header's line.
    """

    def __init__(self, table: Path, lines: Iterator[list[str]], decimal: str, first: int) -> None:
        self.table, self._first = table, first
        self.header = [name.strip() for name in next(lines)]
        self._decimal = decimal
        kept = [(place, name) for place, name in enumerate(self.header) if name in _known_columns()]
        self.rows = [
            (line, {name: row[place] for place, name in kept if place < len(row)})
            for line, row in enumerate(lines, start=first + 1)
            if any(row)
        ]

    def require(self, columns: Sequence[str]) -> None:
        missing = [column for column in columns if column not in self.header]
        if len(missing) == 1:
            raise TakeFormatError(
                "{table}, line {line}: column {column!r} is missing. Put it back, or choose a take's table.",
                table=self.table,
                line=self._first,
                column=missing[0],
            )
        if missing:
            raise TakeFormatError(
                "{table}, line {line}: column {column!r} is missing, and {count} more. Put it back, or choose a take's "
                "table.",
                table=self.table,
                line=self._first,
                column=missing[0],
                count=len(missing) - 1,
            )

    def number(
        self, line: int, cells: Mapping[str, str], column: str, low: float = -math.inf, high: float = math.inf
    ) -> float:
        text = cells.get(column, "")
        try:
            value = float(text.replace(self._decimal, "."))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self.fail(
                "{table}, line {line}, column {column}: {text!r} is not a number. Correct it, or capture again.",
                line,
                column,
                text=text,
            )
        if not low <= value <= high:
            self.fail(
                "{table}, line {line}, column {column}: {text} is not from {low:g} to {high:g}. Correct it, or "
                "capture again.",
                line,
                column,
                text=text.strip(),
                low=low,
                high=high,
            )
        return value

    def time(self, line: int, cells: Mapping[str, str], above: Sequence[Row]) -> float:
        """Seconds of a row; those above are not later."""
        time = self.number(line, cells, "timestamp")
        if above and time < above[-1].timestamp:
            self.fail(
                "{table}, line {line}, column {column}: {time:g} is before the line above; the table was sorted by "
                "something else. Correct it, or capture again.",
                line,
                "timestamp",
                time=time,
            )
        return time

    def fail(self, template: str, line: int, column: str, **values: object) -> NoReturn:
        """Refuse a cell; the fields ``table``, ``line`` and ``column`` are filled."""
        raise TakeFormatError(template, table=self.table, line=line, column=column, **values)


def _whole_lines(text: str) -> list[str]:
    lines = text.split("\n")
    last = lines.pop()
    if last and lines:
        separator = max(SEPARATORS, key=lines[0].count)
        before, cells = lines[-1].split(separator), last.split(separator)
        ends = [line.rpartition(separator)[2] for line in lines[1:]] or cells[-2:-1]
        captured = all(map(_OUR_NUMBER.fullmatch, ends))
        if len(cells) == len(before) and (not captured or _OUR_NUMBER.fullmatch(cells[-1])):
            lines.append(last)
    return lines


def _bdfm(cells: _Cells) -> list[Row]:
    cells.require(COLUMNS)
    made: list[Row] = []
    for line, row in cells.rows:
        time = cells.time(line, row, made)
        found = cells.number(line, row, "success") == 1
        made.append(
            Row(
                frame=int(cells.number(line, row, "frame", *FRAMES)),
                timestamp=time,
                confidence=cells.number(line, row, "confidence", 0, 1),
                rotation=np.array([cells.number(line, row, name, *DEGREES) for name in ROTATION]) if found else None,
                face=np.array([cells.number(line, row, name, *PIXELS) for name in FACE]) if found else None,
                action_units=np.array([cells.number(line, row, name, 0, 1) for name in AU_NAMES]) if found else None,
                file=row.get("file") or None,
            )
        )
    return made


def _openface(cells: _Cells) -> list[Row]:
    """OpenFace 2. AU45, the blink, closes both eyes; what it lacks stays at rest. Of several faces the first."""
    has_pose = not set(OPENFACE_POSE).isdisjoint(cells.header)
    cells.require([*_OPENFACE, *(OPENFACE_POSE if has_pose else ()), *(f"{unit}_r" for unit in OPENFACE_AUS)])
    places = [AU_NAMES.index(unit) for unit in OPENFACE_AUS]
    eyes = [AU_NAMES.index(eye) for eye in EYES]
    face = cells.rows[0][1].get("face_id", "") if cells.rows else ""
    limit, limits = np.radians(DEGREES), tuple(np.array(_STRENGTH) * OPENFACE_FULL)
    made: list[Row] = []
    for line, row in cells.rows:
        if row.get("face_id", "") != face:
            continue
        rotation = values = None
        if cells.number(line, row, "success") == 1:
            rotation = np.zeros(len(ROTATION))
            if has_pose:
                rotation[:] = [cells.number(line, row, name, *limit) for name in OPENFACE_POSE]
            values = np.zeros(len(AU_NAMES))
            values[places] = [cells.number(line, row, f"{unit}_r", *limits) / OPENFACE_FULL for unit in OPENFACE_AUS]
            values[eyes] = cells.number(line, row, "AU45_r", *limits) / OPENFACE_FULL
            values = np.clip(values, 0.0, 1.0)
        made.append(
            Row(
                frame=int(cells.number(line, row, "frame", *FRAMES)) - 1,
                timestamp=cells.time(line, row, made),
                confidence=cells.number(line, row, "confidence", 0, 1),
                rotation=rotation,
                action_units=values,
            )
        )
    poses = [row.rotation for row in made if row.rotation is not None]
    if has_pose and poses:
        for pose, rotation in zip(poses, from_openface(np.array(poses)), strict=True):
            pose[:] = rotation
    return made


def _livelinkface(cells: _Cells) -> list[Row]:
    """Live Link Face: 52 ARKit shapes. Second 0 is the first row; a row without shapes is one without a face."""
    names = livelinkface_shapes()
    cells.require(["Timecode", *names, *LIVELINKFACE_HEAD])
    times = _seconds(cells)
    found = [bool(row.get(names[0], "").strip()) for _, row in cells.rows]
    seen_rows = [row for row, seen in zip(cells.rows, found, strict=True) if seen]
    shapes = [[cells.number(line, row, name, *_STRENGTH) for name in names] for line, row in seen_rows]
    angles = [
        [cells.number(line, row, name, *np.radians(DEGREES)) for name in LIVELINKFACE_HEAD] for line, row in seen_rows
    ]
    values = zip(np.degrees(angles), units_from_arkit(np.array(shapes).reshape(-1, len(names))), strict=True)
    rows = []
    for number, (time, seen) in enumerate(zip(times, found, strict=True)):
        rotation, units = next(values) if seen else (None, None)
        rows.append(Row(number, time, float(seen), rotation, action_units=units))
    return rows


@cache
def _known_columns() -> frozenset[str]:
    """Every column that is read, of any tool."""
    openface = (*_OPENFACE, *OPENFACE_POSE, "face_id", *(f"{unit}_r" for unit in OPENFACE_AUS))
    livelinkface = ("Timecode", *livelinkface_shapes(), *LIVELINKFACE_HEAD)
    return frozenset((*COLUMNS, "file", *openface, *livelinkface))


def _seconds(cells: _Cells) -> list[float]:
    """Seconds of each row after the first.

    The time code's rate is the common one whose last frame of a second is the highest that there is, else 60: where
    faces are lost, frames of a second are missing."""
    parts = []
    for line, row in cells.rows:
        code = row.get("Timecode", "").strip()
        match = _TIMECODE.fullmatch(code)
        if match is None:
            cells.fail(
                "{table}, line {line}, column {column}: {code!r} is not HH:MM:SS:FF. Correct it, or capture again.",
                line,
                "Timecode",
                code=code,
            )
        hours, minutes, seconds, frames = (float(part.replace(",", ".")) for part in match.groups())
        parts.append((3600 * hours + 60 * minutes + seconds, frames))
    if not parts:
        return []
    highest = max(frames for _, frames in parts)
    whole_seconds = parts[-1][0] - parts[0][0] >= 2
    rate = next((rate for rate in _RATES if whole_seconds and rate - 1 <= highest < rate), TIMECODE_FPS)
    at = np.array([seconds + frames / rate for seconds, frames in parts])
    at += _DAY_S * np.cumsum(np.r_[0, np.diff(at) < -_DAY_S / 2])
    for row in np.flatnonzero(np.maximum.accumulate(at) - at > _WAVER_S)[:1]:
        line, cell = cells.rows[row]
        cells.fail(
            "{table}, line {line}, column {column}: {code} is before a line above; the table was sorted by something "
            "else. Correct it, or capture again.",
            line,
            "Timecode",
            code=cell["Timecode"].strip(),
        )
    return [float(time) for time in np.maximum.accumulate(at - at[0])]
