# SPDX-License-Identifier: MIT
"""DISFA (Mavadati et al. 2013): 27 people, twelve units in every frame; paper, section 3.1: 18 train, 9 are tested."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np

from bdfm_infer.parameters import AU_NAMES

from .labels import FACTS, Clip, Dataset, first_folder, read_intensities, unknown, wrong_layout

KEY: Final = "disfa"


def load(root: Path) -> Dataset:
    """The tested people, seen by the left camera.

    Raises:
        DatasetError: the folder is laid out differently, a file is missing, or a label is out of range.
    """
    videos = first_folder(KEY, root, ("Videos_LeftCamera", "Video_LeftCamera"))
    labels = first_folder(KEY, root, ("ActionUnit_Labels",))
    units = tuple(FACTS[KEY]["units"])
    clips = tuple(_clip(root, videos, labels, subject, units) for subject in FACTS[KEY]["test"])
    return Dataset(FACTS[KEY]["title"], units, True, clips)


def _clip(root: Path, videos: Path, labels: Path, subject: str, units: tuple[str, ...]) -> Clip:
    pattern = re.compile(rf"leftvideo{subject}_comp\.avi", re.IGNORECASE)
    video = next((path for path in sorted(videos.iterdir()) if pattern.fullmatch(path.name)), None)
    if video is None:
        raise wrong_layout(KEY, root, f"{videos.name} has no LeftVideo{subject}_comp.avi")
    columns = {}
    for unit in units:
        path = labels / subject / f"{subject}_au{int(unit[2:])}.txt"
        if not path.is_file():
            raise wrong_layout(KEY, root, f"{path.relative_to(root)} is missing")
        columns[unit] = read_intensities(path, first=1)
    frames = np.unique(np.concatenate([numbers for numbers, _ in columns.values()]))
    table = unknown(len(frames))
    for unit, (numbers, values) in columns.items():
        table[np.searchsorted(frames, numbers), AU_NAMES.index(unit)] = values
    return Clip(subject, video, frames - 1, table)
