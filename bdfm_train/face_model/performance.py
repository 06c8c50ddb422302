# SPDX-License-Identifier: MIT
"""Recorded performances (ARKit blend shapes, 30 rows a second) as action units, and which rows may be trained on."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_NAMES
from bdfm_train.errors import SourcesError

TRAINING_ROWS: Final = {"alex_rom_3.csv": slice(None), "alex_rom_4.csv": slice(0, 2400)}
CLIP_ROWS: Final = {"alex_rom_4.csv": slice(2400, None)}
"""Rows that training never draws from: the sample clip is made of these."""
FRAMES_PER_SECOND: Final = 30
_STRONGEST: Final = 0.995
_LEAST_STRONGEST: Final = 0.2

FloatArray = NDArray[np.float32]


class Performances:
    """Action units of the recordings below ``root/performance``, scaled to the performer's own range.

    Raises:
        SourcesError: a recording is missing or is no ARKit recording.
    """

    def __init__(self, root: Path) -> None:
        folder = root / "performance"
        self._units = {name: _units_of_arkit(_read(folder / name)) for name in TRAINING_ROWS}
        strongest = np.quantile(self.rows(TRAINING_ROWS, scaled=False), _STRONGEST, axis=0)
        self._scale = np.maximum(strongest, _LEAST_STRONGEST)

    def rows(self, selection: dict[str, slice], scaled: bool = True) -> FloatArray:
        """Intensities (n, 23) of the selected rows, in [0, 1] where ``scaled``."""
        units = np.concatenate([self._units[name][rows] for name, rows in selection.items()])
        return np.clip(units / self._scale, 0, 1).astype(np.float32) if scaled else units


def _read(path: Path) -> dict[str, FloatArray]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream)
            rows = list(table)
        columns = [name for name in table.fieldnames or () if name not in ("Timecode", "BlendShapeCount")]
        return {name: np.array([float(row[name]) for row in rows], np.float32) for name in columns}
    except (OSError, ValueError, TypeError) as error:
        raise SourcesError(f"{path}: no recording of ARKit blend shapes ({error})") from error


def _units_of_arkit(shape: dict[str, FloatArray]) -> FloatArray:
    """ARKit coefficients to intensities (n, 23); two-sided shapes are averaged but for the lids."""

    def both(name: str) -> FloatArray:
        return (shape[name + "Left"] + shape[name + "Right"]) / 2

    units = {
        "AU01": shape["BrowInnerUp"],
        "AU02": both("BrowOuterUp"),
        "AU04": both("BrowDown"),
        "AU05": both("EyeWide"),
        "AU06": both("CheekSquint"),
        "AU07": both("EyeSquint"),
        "AU09": both("NoseSneer"),
        "AU10": both("MouthUpperUp"),
        "AU12": both("MouthSmile"),
        "AU14": both("MouthDimple"),
        "AU15": both("MouthFrown"),
        "AU16": both("MouthLowerDown"),
        "AU17": shape["MouthShrugLower"],
        "AU18": np.maximum(shape["MouthPucker"], shape["MouthFunnel"]),
        "AU20": both("MouthStretch"),
        "AU23": (shape["MouthRollLower"] + shape["MouthRollUpper"]) / 2,
        "AU24": both("MouthPress"),
        "AU25": 0.7 * (both("MouthUpperUp") + both("MouthLowerDown")) + 0.5 * shape["JawOpen"] - shape["MouthClose"],
        "AU26": shape["JawOpen"],
        "jaw_left": shape["JawLeft"],
        "jaw_right": shape["JawRight"],
        "eye_closed_left": shape["EyeBlinkLeft"],
        "eye_closed_right": shape["EyeBlinkRight"],
    }
    still = np.zeros_like(shape["JawOpen"])  # units of which ARKit has no shape
    return np.clip(np.stack([units.get(name, still) for name in AU_NAMES], axis=1), 0, 1).astype(np.float32)
