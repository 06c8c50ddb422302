# SPDX-License-Identifier: MIT
"""CK+ (Lucey et al. 2010): sequences from rest to a peak that is coded; paper, section 3.1: 100 of 123 people train."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from bdfm_infer.parameters import AU_NAMES
from bdfm_train.errors import DatasetError

from .labels import (
    FACTS,
    STRONGEST,
    Clip,
    Dataset,
    FloatArray,
    checked,
    coded_units,
    first_folder,
    jaw_further_open,
    unit_name,
    unknown,
    wrong_layout,
)

KEY: Final = "ck_plus"
NOT_GRADED: Final = 0
"""Stands in the file for a unit that is there with an intensity that nobody coded."""


def load(root: Path) -> Dataset:
    """First picture (at rest) and last (the peak) of each sequence of the tested people.

    Raises:
        DatasetError: the folder is laid out differently, a file is missing, or a label is out of range.
    """
    pictures = first_folder(KEY, root, ("cohn-kanade-images",))
    labels = first_folder(KEY, root, ("FACS",))
    people = sorted(path.name for path in labels.iterdir() if path.is_dir())
    tested = people[FACTS[KEY]["train_people"] :]
    if not tested:
        raise wrong_layout(KEY, root, f"FACS has {len(people)} people, of whom none is left to be tested")
    clips = []
    for subject in tested:
        for path in sorted((labels / subject).glob("*/*_facs.txt")):
            folder = pictures / subject / path.parent.name
            sequence = sorted(folder.glob("*.png"))
            if len(sequence) < 2:
                raise wrong_layout(KEY, root, f"{folder.relative_to(root)} has no sequence of pictures")
            both = np.stack([_rest(), _peak(path)])
            clips.append(Clip(subject, (sequence[0], sequence[-1]), np.array([0, len(sequence) - 1]), both))
    if not clips:
        raise wrong_layout(KEY, root, "FACS has no *_facs.txt of the tested people")
    return Dataset(FACTS[KEY]["title"], coded_units(clips), True, tuple(clips))


def _rest() -> FloatArray:
    """Labels (23,) of a face at rest; the closing of eyes and the jaw sideways are not coded."""
    labels = unknown(1)[0]
    labels[[i for i, name in enumerate(AU_NAMES) if name.startswith("AU")]] = 0
    return labels


def _peak(path: Path) -> FloatArray:
    """Labels (23,) of a peak: units that are not listed are at rest."""
    labels, listed = _rest(), dict[int, float]()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read ({error}). Unpack the labels again.") from error
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if not cells:
            continue
        try:
            code, intensity = int(float(cells[0])), float(cells[1])
        except (IndexError, ValueError, OverflowError):
            raise DatasetError(f"{path}, line {number}: expected unit and intensity, not {line.strip()!r}.") from None
        checked(intensity, STRONGEST, f"{path}, line {number}")
        if listed.setdefault(code, intensity) != intensity:
            raise DatasetError(f"{path}, line {number}: unit {code} was {listed[code]:g} above. Leave one.")
        unit = unit_name(code)
        if jaw_further_open(code):
            labels[AU_NAMES.index("AU26")] = np.nan
        elif unit is not None:
            labels[AU_NAMES.index(unit)] = np.nan if intensity == NOT_GRADED else intensity
    return labels
