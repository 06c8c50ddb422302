# SPDX-License-Identifier: MIT
"""Takes: one performance on disk, ``NAME.csv`` (raw values, one row a frame) beside ``NAME.json`` (facts, settings).

The format is described in ``docs/formats.md``. This module needs numpy alone, so that Blender can import it.
"""

from __future__ import annotations

import codecs
import errno
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

import numpy as np
from numpy.typing import NDArray

from .calibrate import Calibration
from .errors import OutputExistsError, TakeFormatError, WriteError
from .outputs import json_content, refuse_existing, write_whole
from .parameters import AU_NAMES, N_AU, ROTATION
from .rows import FACE, VALUES, Row
from .smooth import Smoothing
from .table import read_table

FORMAT_VERSION: Final = 1
_LINE_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")

_ARRAYS: Final = ("frames", "timestamps", "confidence", "success", "rotation", "face", "action_units")

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Take:
    """A whole performance. Values are raw; :meth:`processed` applies the settings of the JSON file.

    Arrays are read-only: :meth:`with_values` gives a copy with others.

    Attributes:
        frames: (n,) int64, frame numbers in the source.
        timestamps: (n,) float64, seconds, ascending for a video.
        confidence: (n,) float64 in [0, 1].
        success: (n,) bool.
        rotation: (n, 3) float64, yaw, pitch, roll in degrees; NaN where no face was found.
        face: (n, 3) float64, centre x, y and size in pixels; NaN where no face was found.
        action_units: (n, 23) float64 in [0, 1], order of ``parameters.AU_NAMES``; NaN where no face was found.
        files: names of the images, or None for a video.
        facts: the content of ``NAME.json`` (format_version, source, model, version, settings, complete, counts).
    """

    frames: NDArray[np.int64]
    timestamps: FloatArray
    confidence: FloatArray
    success: NDArray[np.bool_]
    rotation: FloatArray
    face: FloatArray
    action_units: FloatArray
    files: tuple[str, ...] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            fixed = getattr(self, name).view()
            fixed.flags.writeable = False
            object.__setattr__(self, name, fixed)

    def __len__(self) -> int:
        return len(self.frames)

    def channel(self, name: str) -> FloatArray:
        """Values of one column, (n,), read-only: an action unit, ``yaw``, ``pitch`` or ``roll``.

        Raises:
            ValueError: there is no such column.
        """
        if name in ROTATION:
            return self.rotation[:, ROTATION.index(name)]
        if name not in AU_NAMES:
            raise ValueError(f"{name!r} is no channel; they are {', '.join((*ROTATION, *AU_NAMES))}")
        return self.action_units[:, AU_NAMES.index(name)]

    def processed(self) -> Take:
        """The take with the calibration and smoothing that its JSON file asks for.

        Raises:
            TakeFormatError: that file's settings are not of the form that is written.
        """
        settings = _settings(self.facts)
        take = Calibration.from_settings(settings.get("calibration")).apply(self)
        return Smoothing.from_settings(settings.get("smoothing")).apply(take)

    def chosen(self, rows: NDArray[np.bool_]) -> Take:
        """The take with those rows alone, (n,) bool."""
        files = None if self.files is None else tuple(name for name, kept in zip(self.files, rows, strict=True) if kept)
        return replace(self, files=files, **{name: getattr(self, name)[rows] for name in _ARRAYS})

    def with_values(self, rotation: FloatArray | None = None, action_units: FloatArray | None = None) -> Take:
        """A copy with other values, everything else shared."""
        return replace(
            self,
            rotation=self.rotation if rotation is None else rotation,
            action_units=self.action_units if action_units is None else action_units,
        )

    @classmethod
    def from_rows(cls, rows: list[Row], facts: Mapping[str, Any] | None = None) -> Take:
        """A take out of rows in memory."""
        nothing = np.full(3, np.nan)
        no_units = np.full(N_AU, np.nan)
        files = tuple(row.file for row in rows if row.file is not None)
        return cls(
            frames=np.array([row.frame for row in rows], np.int64),
            timestamps=np.array([row.timestamp for row in rows], np.float64),
            confidence=np.array([row.confidence for row in rows], np.float64),
            success=np.array([row.success for row in rows], bool),
            rotation=np.array([nothing if row.rotation is None else row.rotation for row in rows], float).reshape(
                -1, 3
            ),
            face=np.array([nothing if row.face is None else row.face for row in rows], float).reshape(-1, 3),
            action_units=np.array(
                [no_units if row.action_units is None else row.action_units for row in rows], float
            ).reshape(-1, N_AU),
            files=files if rows and len(files) == len(rows) else None,
            facts=dict(facts or {}),
        )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Take:
        """Read ``NAME.csv`` and, where it lies beside it, ``NAME.json``. The table may be one of another tool, see
        :mod:`bdfm_infer.table`.

        A last line that was cut off (a killed run) is left out; any other damage is an error.

        Args:
            path: either file of the pair, or their common name without extension.

        Raises:
            TakeFormatError: a file is missing or damaged; the message names line and column.
        """
        table = csv_path(path)
        try:
            _refuse_pipe(table)
            text = _decoded(table.read_bytes())
        except OSError as error:
            raise TakeFormatError(
                "{table}: cannot be read as a take ({reason}). Choose a take's .csv.",
                table=table,
                reason=error.strerror or error,
            ) from error
        except UnicodeDecodeError as error:
            raise TakeFormatError(
                "{table}: it is no text in UTF-8. Save the table as CSV in UTF-8, or choose a take's .csv.",
                table=table,
            ) from error
        rows, tool = read_table(table, text)
        facts = _read_facts(table.with_suffix(".json"))
        return cls.from_rows(rows, facts if tool == "bdfm" else {"imported": tool, **facts})

    @staticmethod
    def save_settings(path: str | os.PathLike[str], settings: Mapping[str, Any]) -> Path:
        """Put members into ``settings`` of a take's JSON file, which is replaced once the new one is whole.

        Everything else in it stays. Returns its path.

        Raises:
            TakeFormatError: the file beside the table is not of a take; it is left alone.
            WriteError: it cannot be written.
        """
        target = csv_path(path).with_suffix(".json")
        facts = {"format_version": FORMAT_VERSION, **_read_facts(target)}
        facts["settings"] = {**_settings(facts), **settings}
        try:
            write_whole(target, json_content(facts))
        except OSError as error:
            reason = error.strerror or error
            raise WriteError(
                "{path} cannot be written: {reason}. Copy the take to another folder.", path=target, reason=reason
            ) from error
        return target


class TakeWriter:
    """Writes a take as it comes: the JSON at the start, each row flushed as it is appended, the counts at the end.

    A killed run leaves a readable take. Use it as a context manager: where an error ends it before the first row, the
    files that it made are removed. An older take stays until the new one is complete: up to then, or for good where it
    never is, the new one is called ``NAME.part.csv``.

    Args:
        path: where to write; ``.csv`` and ``.json`` take the place of its extension.
        facts: everything of the JSON file but ``format_version`` and ``counts``.
        with_files: write the ``file`` column (folders and lists of images).
        overwrite: replace an older take of that name.

    Attributes:
        path: the table that is written; once the take is complete the one that was asked for.

    Raises:
        OutputExistsError: a file of that name exists and ``overwrite`` is false, or the JSON file is not of a take;
            what is called ``NAME.part`` is something else than a take that was broken off.
        WriteError: the folder cannot be written, or the disk is full; what was written stays.
    """

    def __init__(
        self, path: str | os.PathLike[str], facts: Mapping[str, Any], with_files: bool = False, overwrite: bool = False
    ) -> None:
        self._final = self.path = csv_path(path)
        self._facts = facts
        self._columns = ["frame", *(["file"] if with_files else []), "timestamp", "confidence", "success", *VALUES]
        self._frames = 0
        self._without_face = 0
        try:
            if overwrite and any(map(os.path.lexists, files_of_take(self.path))):
                self._refuse_foreign()
                self.path = self._draft()
            else:
                refuse_existing(files_of_take(self.path))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open()
        except OSError as error:
            raise self._failure(error) from error
        try:
            self._write_facts(complete=False)
            self._put(",".join(self._columns))
        except OSError as error:
            self._discard()
            raise self._failure(error) from error

    def append(self, row: Row) -> None:
        """Write one row and flush it."""
        cells: dict[str, str] = dict.fromkeys(self._columns, "")
        cells |= {
            "frame": str(row.frame),
            "timestamp": f"{row.timestamp:.6f}",
            "confidence": f"{row.confidence:.4f}",
            "success": str(int(row.success)),
        }
        if row.file is not None:
            cells["file"] = _quote(row.file)
        if row.rotation is not None and row.face is not None and row.action_units is not None:
            cells |= {name: f"{value:.3f}" for name, value in zip(ROTATION, row.rotation, strict=True)}
            cells |= {name: f"{value:.2f}" for name, value in zip(FACE, row.face, strict=True)}
            cells |= {name: f"{value:.4f}" for name, value in zip(AU_NAMES, row.action_units, strict=True)}
        try:
            self._put(",".join(cells[column] for column in self._columns))
        except OSError as error:
            raise self._failure(error) from error
        self._frames += 1
        self._without_face += not row.success

    def close(self, complete: bool = True) -> None:
        """Close the table and complete the JSON file with the counts; a complete take replaces an older one."""
        try:
            self._file.close()
            self._write_facts(complete)
            if complete and not self.is_final:
                rename_take(self.path, self._final)
                self.path = self._final
        except OSError as error:
            raise self._failure(error) from error

    def __enter__(self) -> TakeWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._frames == 0:
            self._discard()
            return
        try:
            self.close(complete=kind is None)
        except WriteError:
            if error is None:
                raise

    @property
    def is_final(self) -> bool:
        """Whether the take has the name that was asked for."""
        return self.path == self._final

    @property
    def _json(self) -> Path:
        return self.path.with_suffix(".json")

    def _refuse_foreign(self) -> None:
        if self._json.exists() and not is_of_take(self._json):
            raise OutputExistsError(
                "{path} is not of a take and would be replaced. Choose another name.", path=self._json
            )

    def _draft(self) -> Path:
        """A free name for the table until it is complete; a take of that name that was broken off is removed."""
        draft = self.path.with_name(f"{self.path.stem}.part.csv")
        files = files_of_take(draft)
        there = [path for path in files if os.path.lexists(path)]
        if there and _object(files[1]).get("complete") is not False:
            raise OutputExistsError(
                "{path} is needed for a draft. Move it away, or choose another name.", path=there[0]
            )
        for path in there:
            path.unlink()
        return draft

    def _open(self) -> TextIO:
        try:
            return self.path.open("x", encoding="utf-8", newline="")
        except FileExistsError:  # another capture was faster
            refuse_existing((self.path,))
            raise

    def _discard(self) -> None:
        """Remove what was made."""
        with suppress(OSError):
            self._file.close()
        for path in files_of_take(self.path):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _put(self, line: str) -> None:
        self._file.write(line + "\n")
        self._file.flush()

    def _write_facts(self, complete: bool) -> None:
        facts = whole_facts(self._facts, complete, self._frames, self._without_face)
        write_whole(self._json, json_content(facts))

    def _failure(self, error: OSError) -> WriteError:
        return WriteError(
            "{path} cannot be written: {reason}. Free some space or choose another folder; the {count} rows written "
            "so far are kept.",
            path=self.path,
            reason=error.strerror or error,
            count=self._frames,
        )


def whole_facts(facts: Mapping[str, Any], complete: bool, frames: int, without_face: int) -> dict[str, Any]:
    """The content of a take's JSON file.

    Args:
        facts: everything of it but what is added here.
        complete: whether the source was read to its end.
        frames, without_face: rows, and those without a face.
    """
    counts = {"frames": frames, "without_face": without_face}
    return {"format_version": FORMAT_VERSION, **facts, "complete": complete, "counts": counts}


def counts_of(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Rows of a take, and those without a face, as its JSON file says; 0 and 0 where that says nothing."""
    try:
        counts = _object(files_of_take(path)[1])["counts"]
        return int(counts["frames"]), int(counts["without_face"])
    except (OSError, ValueError, TypeError, LookupError, OverflowError):
        return 0, 0


def csv_path(path: str | os.PathLike[str]) -> Path:
    """The table of a take that is named by either of its files, or by their common name without extension.

    Raises:
        TakeFormatError: the path has no name at its end.
    """
    path = Path(path)
    if not path.name:
        raise TakeFormatError("{path!r} names no file. Choose a take's .csv file.", path=str(path))
    if path.suffix.lower() == ".csv":
        return path
    if path.suffix.lower() == ".json":
        return path.with_suffix(".csv")
    return path.with_name(path.name + ".csv")


def files_of_take(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Table and JSON file of the take that is named as for :func:`csv_path`.

    Raises:
        TakeFormatError: the path has no name at its end.
    """
    table = csv_path(path)
    return table, table.with_suffix(".json")


def is_of_take(path: Path) -> bool:
    """Whether a file is a take's JSON file, of whatever version.

    Raises:
        OSError: it cannot be read.
    """
    return "format_version" in _object(path)


def rename_take(table: Path, to: Path) -> None:
    """Give both files of a take the name of another, which they replace. The table is the last.

    Raises:
        OSError: a file cannot be renamed.
    """
    for old, new in reversed(list(zip(files_of_take(table), files_of_take(to), strict=True))):
        old.replace(new)


def _object(path: Path) -> dict[str, Any]:
    """The members of a JSON file; none where it is missing or holds no object."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _quote(text: str) -> str:
    """A file's name as a cell: on one line and in UTF-8, whatever the file system allows."""
    text = _LINE_BREAKS.sub(" ", text.encode("utf-8", "replace").decode())
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text


def _decoded(content: bytes) -> str:
    """Text in UTF-8, or in the UTF-16 of spreadsheets, as the mark at its start says; lines end with a newline."""
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if is_utf16 else "utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        _refuse_pipe(path)
        facts = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TakeFormatError(
            "{path}: cannot be read ({reason}). Copy the take.", path=path, reason=error.strerror or error
        ) from error
    except ValueError as error:
        raise TakeFormatError(
            "{path}: not valid JSON ({reason}). Move it away to read the values alone.", path=path, reason=error
        ) from error
    except RecursionError as error:
        raise TakeFormatError(
            "{path}: not valid JSON (nested too deep). Move it away to read the values alone.", path=path
        ) from error
    version = facts.get("format_version") if isinstance(facts, dict) else None
    if isinstance(version, int | float) and version > FORMAT_VERSION:
        raise TakeFormatError(
            "{path}: made by a newer version (format_version {version}; this one reads {supported}). Update BDFM Face "
            "Capture; the file is left as it is.",
            path=path,
            version=version,
            supported=FORMAT_VERSION,
        )
    if version != FORMAT_VERSION:
        raise TakeFormatError(
            "{path}: not of a take (no format_version). Move it away to read the values alone.",
            path=path,
        )
    return dict(facts)


def _settings(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    settings = facts.get("settings") or {}
    if not isinstance(settings, Mapping):
        raise TakeFormatError("The take's settings are no object {…}. Move its JSON file away to begin anew.")
    return settings


def _refuse_pipe(path: Path) -> None:
    """A pipe or a device could be waited for without end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no ordinary file")
