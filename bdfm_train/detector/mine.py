# SPDX-License-Identifier: MIT
"""What is taken for a face where there is none: crops that teach the reader's confidence.

``python -m bdfm_train negatives``. Bodies without a head in rooms, textures, patterns and the surroundings of heads in
photos of training, all with seeds of training. A crop is kept at each step on its way to rest, as in use.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.detector import Detector
from bdfm_infer.network import Weights
from bdfm_infer.predictor import LONGER_SIDES, Predictor
from bdfm_train.data.photos import load_photos
from bdfm_train.detector.backgrounds import BODY, load_textures, pattern, texture_crop
from bdfm_train.detector.bodies import body_scenes
from bdfm_train.detector.data import head_box, outside_heads
from bdfm_train.detector.faces import face_of_photo

Image = NDArray[np.uint8]

SCORE: Final = 0.15
"""Score from which a peak is taken, below the one in use."""
_FRAME: Final = (320, 240)
_SCENES: Final = 200
_ATTEMPTS: Final = 3


def frames_without_a_face(sources: Path, seed: int) -> Iterator[Image]:
    """Endless grey frames, (240, 320): scenes with bodies, textures, patterns and photos outside of heads, by turns."""
    rng = np.random.default_rng(seed)
    textures = load_textures(sources, evaluation=False)
    photos = load_photos(sources, "train")
    turn = 0
    while True:
        turn += 1
        for scene in body_scenes(sources / BODY, _SCENES, _FRAME, seed + turn):
            yield scene
            yield cv2.resize(texture_crop(textures, rng), _FRAME)
            yield cv2.resize(pattern(rng), _FRAME)
            photo = photos[rng.integers(len(photos))]
            part = outside_heads(photo.image, head_box(face_of_photo(photo))[None], _FRAME, rng)
            if part is not None:
                yield part


def mine_negatives(sources: Path, weights: Path | None, count: int, seed: int) -> NDArray[np.uint8]:
    """Crops that frames without a face lead to, (count, 96, 96)."""
    detector, predictor = Detector(Weights.load(weights).detector, SCORE), Predictor(weights)
    crops: list[Image] = []
    for frame in frames_without_a_face(sources, seed):
        for side in LONGER_SIDES:
            for points in detector(frame, side):
                crops.extend(attempt.crop for attempt in predictor.attempts(frame, points, _ATTEMPTS))
        if len(crops) >= count:
            return np.stack(crops[:count])
    raise AssertionError("the frames never end")
