# SPDX-License-Identifier: MIT
"""Labelled frames, whatever set they come from, and what all loaders need."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_train.errors import DatasetError

FACTS: Final[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[1] / "data" / "datasets.toml").read_text(encoding="utf-8")
)
"""Titles, layouts, units and people of the published sets."""

STRONGEST: Final = 5
"""Highest intensity of FACS (0 absent, A to E)."""

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """Labelled frames of one person.

    Attributes:
        subject: the person.
        source: a video, or the picture of each labelled frame.
        frames: (n,) int64 ascending, number of each labelled frame in the video, from 0.
        labels: (n, 23) float32, order of ``parameters.AU_NAMES``; NaN where a unit was not coded.
    """

    subject: str
    source: Path | tuple[Path, ...]
    frames: NDArray[np.int64]
    labels: FloatArray


@dataclass(frozen=True)
class Dataset:
    """The part of a set that is tested.

    Attributes:
        title: its name.
        units: the action units that are coded.
        graded: labels are intensities from 0 to 5; otherwise 0 absent, 1 present.
        clips: of all its people.
    """

    title: str
    units: tuple[str, ...]
    graded: bool
    clips: tuple[Clip, ...]


def unit_name(number: int) -> str | None:
    """Name of the FACS unit of that number in the order of ``parameters.AU_NAMES``; None where it is none of ours."""
    name = f"AU{number:02d}"
    return name if name in AU_NAMES else None


def jaw_further_open(number: int) -> bool:
    """Whether it is FACS's AU27, which is coded in place of AU26 and is part of what AU26 is here."""
    return number == 27


def unknown(count: int) -> FloatArray:
    """Labels (count, 23) of which none is coded."""
    return np.full((count, N_AU), np.nan, np.float32)


def coded_units(clips: Iterable[Clip]) -> tuple[str, ...]:
    """The units that are coded in some frame."""
    known = np.any([~np.isnan(clip.labels).all(0) for clip in clips], axis=0)
    return tuple(name for name, there in zip(AU_NAMES, known, strict=True) if there)


def wrong_layout(key: str, root: Path, problem: str) -> DatasetError:
    """The error for a folder that is not laid out as the set of that key was published."""
    facts = FACTS[key]
    return DatasetError(
        f"{root} is not laid out as {facts['title']} was published: {problem}. Expected:{facts['layout']}"
    )


def first_folder(key: str, root: Path, names: Iterable[str]) -> Path:
    """The first of these folders that is there.

    Raises:
        DatasetError: there is none.
    """
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise wrong_layout(key, root, f"there is no folder {' or '.join(names)}")


def read_intensities(path: Path, not_coded: int | None = None, first: int = 0) -> tuple[NDArray[np.int64], FloatArray]:
    """Lines of ``frame,intensity``: frames (n,) ascending and intensities (n,) in [0, 5], NaN where ``not_coded``.

    Args:
        path: the file.
        not_coded: stands for an intensity that nobody coded.
        first: least number of a frame.

    Raises:
        DatasetError: the file is missing, a line is none of that form, or a frame or an intensity is out of range.
    """
    frames, values = [], []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.reader(file), 1):
                if not row:
                    continue
                try:
                    frame, value = int(row[0]), float(row[1])
                    if len(row) > 2 or frame < first:
                        raise ValueError
                except (IndexError, ValueError):
                    raise DatasetError(
                        f"{path}, line {number}: expected frame,intensity, frames from {first}, not {','.join(row)!r}."
                    ) from None
                frames.append(frame)
                values.append(np.nan if value == not_coded else checked(value, STRONGEST, f"{path}, line {number}"))
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read ({error}). Unpack the labels again.") from error
    if not frames or (np.diff(frames) <= 0).any():
        raise DatasetError(f"{path}: expected a line of frame,intensity for each frame, in order.")
    return np.array(frames, np.int64), np.array(values, np.float32)


def checked(value: float, highest: float, where: str) -> float:
    """The value.

    Raises:
        DatasetError: it is not in [0, highest].
    """
    if not 0 <= value <= highest:
        raise DatasetError(f"{where}: label {value:g} is out of range; it must be from 0 to {highest:g}.")
    return value
