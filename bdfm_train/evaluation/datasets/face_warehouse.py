# SPDX-License-Identifier: MIT
"""FaceWarehouse (Cao et al. 2014): 20 posed expressions a person, no FACS codes; the paper names no split."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from bdfm_infer.parameters import AU_NAMES

from .labels import FACTS, Clip, Dataset, coded_units, unknown, wrong_layout

KEY: Final = "face_warehouse"


def load(root: Path) -> Dataset:
    """All people; a pose shows the units that its name says (``data/datasets.toml``).

    Raises:
        DatasetError: the folder is laid out differently, or a picture is missing.
    """
    people = sorted(root.glob("Tester_*"), key=lambda path: (len(path.name), path.name))
    if not people:
        raise wrong_layout(KEY, root, "there is no folder Tester_1")
    poses = FACTS[KEY]["poses"]
    labels = unknown(len(poses))
    for row, pose in zip(labels, poses, strict=True):
        if pose["others"] == "rest":
            row[:] = 0
        row[[AU_NAMES.index(unit) for unit in pose["shown"]]] = 1
    clips = []
    for person in people:
        pictures = tuple(person / "TrainingPose" / f"pose_{number}.png" for number in range(len(poses)))
        absent = next((path for path in pictures if not path.is_file()), None)
        if absent is not None:
            raise wrong_layout(KEY, root, f"{absent.relative_to(root)} is missing")
        clips.append(Clip(person.name, pictures, np.arange(len(poses)), labels))
    shown = {unit for pose in poses for unit in pose["shown"]}
    units = tuple(unit for unit in coded_units(clips) if unit in shown)
    return Dataset(FACTS[KEY]["title"], units, False, tuple(clips))
