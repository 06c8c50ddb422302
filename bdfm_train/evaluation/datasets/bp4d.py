# SPDX-License-Identifier: MIT
"""BP4D (Zhang et al. 2014): 41 people at eight tasks, five units; paper, section 3.1: 21 train, 20 are tested."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_NAMES
from bdfm_train.errors import DatasetError

from .labels import FACTS, Clip, Dataset, FloatArray, first_folder, read_intensities, unknown, wrong_layout

KEY: Final = "bp4d"
NOT_CODED: Final = 9


def load(root: Path) -> Dataset:
    """The tested people at all tasks that are coded.

    Raises:
        DatasetError: the folder is laid out differently, a file is missing, or a label is out of range.
    """
    pictures = first_folder(KEY, root, ("BP4D-training", "2D+3D"))
    labels = first_folder(KEY, root, ("AUCoding/AU_INT", "AU Intensity Codes3.0"))
    units = tuple(FACTS[KEY]["units"])
    clips = []
    for subject in FACTS[KEY]["test"]:
        coded = [_coded(labels / unit, subject) for unit in units]
        tasks = sorted(set().union(*coded))
        if not tasks:
            raise wrong_layout(KEY, root, f"{labels.relative_to(root)} has no labels of {subject}")
        for task in tasks:
            absent = [unit for unit, files in zip(units, coded, strict=True) if task not in files]
            if absent:
                raise wrong_layout(KEY, root, f"{subject}_{task} has no labels of {', '.join(absent)}")
            columns = {unit: files[task] for unit, files in zip(units, coded, strict=True)}
            clips.append(_clip(root, pictures / subject / task, subject, columns))
    return Dataset(FACTS[KEY]["title"], units, True, tuple(clips))


def _coded(folder: Path, subject: str) -> dict[str, Path]:
    """Label files of one unit and person by task."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(f"{subject}_*.csv")):
        name = re.match(rf"{subject}_(T\d+)(_|\.)", path.name)
        if name and (other := found.setdefault(name[1], path)) != path:
            raise DatasetError(f"{other} and {path.name} code the same task. Leave one.")
    return found


def _clip(root: Path, folder: Path, subject: str, columns: dict[str, Path]) -> Clip:
    if not folder.is_dir():
        raise wrong_layout(KEY, root, f"{folder.relative_to(root)} is missing")
    pictures = {int(path.stem): path for path in folder.glob("*.jpg") if path.stem.isdecimal()}
    read: dict[str, tuple[NDArray[np.int64], FloatArray]] = {
        unit: read_intensities(path, NOT_CODED) for unit, path in columns.items()
    }
    frames = np.unique(np.concatenate([numbers for numbers, _ in read.values()]))
    absent = [number for number in frames.tolist() if number not in pictures]
    if absent:
        raise DatasetError(
            f"{folder} lacks the pictures of {len(absent)} of {len(frames)} coded frames, first {absent[0]}.jpg. "
            "Unpack this task again."
        )
    table = unknown(len(frames))
    for unit, (numbers, values) in read.items():
        table[np.searchsorted(frames, numbers), AU_NAMES.index(unit)] = values
    return Clip(subject, tuple(pictures[number] for number in frames.tolist()), frames, table)
