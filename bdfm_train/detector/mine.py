# SPDX-License-Identifier: MIT
"""What the detector takes for faces where there is none: crops that teach the reader's confidence.

``python -m bdfm_train negatives``. Bodies without a head in rooms, textures and patterns, all with seeds of training.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer import alignment
from bdfm_infer.detector import Detector
from bdfm_infer.network import Weights
from bdfm_infer.predictor import LONGER_SIDES
from bdfm_train.detector.backgrounds import BODY, load_textures, pattern, texture_crop
from bdfm_train.detector.bodies import body_scenes

Image = NDArray[np.uint8]

SCORE: Final = 0.15
"""Score from which a peak is taken, below the one in use."""
_FRAME: Final = (320, 240)
_SCENES: Final = 200


def frames_without_a_face(sources: Path, seed: int) -> Iterator[Image]:
    """Endless grey frames, (240, 320): a third scenes with bodies, a third textures, a third patterns."""
    rng = np.random.default_rng(seed)
    textures = load_textures(sources, evaluation=False)
    turn = 0
    while True:
        turn += 1
        for scene in body_scenes(sources / BODY, _SCENES, _FRAME, seed + turn):
            yield scene
            yield cv2.resize(texture_crop(textures, rng), _FRAME)
            yield cv2.resize(pattern(rng), _FRAME)


def mine_negatives(sources: Path, weights: Path | None, count: int, seed: int) -> NDArray[np.uint8]:
    """Crops aligned by what the detector finds in frames without a face, (count, 96, 96)."""
    detector = Detector(Weights.load(weights).detector, SCORE)
    crops: list[Image] = []
    for frame in frames_without_a_face(sources, seed):
        for side in LONGER_SIDES:
            for points in detector(frame, side):
                crops.append(alignment.crop(frame, alignment.alignment(points)))
        if len(crops) >= count:
            return np.stack(crops[:count])
    raise AssertionError("the frames never end")
