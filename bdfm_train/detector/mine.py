# SPDX-License-Identifier: MIT
"""What the reader sees in use, to teach its confidence: faces on their way to rest, and what was taken for a face.

``python -m bdfm_train faces``: renders painted into frames. ``python -m bdfm_train negatives``: bodies without a head
in rooms, textures, patterns and the surroundings of heads in photos of training. All with seeds of training; a crop is
kept at each step on its way to rest, as in use.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.alignment import CROP_SIZE
from bdfm_infer.detector import Detector
from bdfm_infer.network import Weights
from bdfm_infer.predictor import ALL_SIDES, Predictor
from bdfm_train.data.mined_faces import MinedFaces
from bdfm_train.data.photos import load_photos
from bdfm_train.detector.backgrounds import BODY, backgrounds, load_textures, pattern, texture_crop
from bdfm_train.detector.bodies import body_scenes
from bdfm_train.detector.data import head_box, outside_heads
from bdfm_train.detector.evaluate import is_found, placed
from bdfm_train.detector.faces import Renders, face_of_photo, spread

Image = NDArray[np.uint8]

SCORE: Final = 0.15
"""Score from which a peak is taken, the one in use."""
_FRAME: Final = (320, 240)
_SCENES: Final = 200
_ATTEMPTS: Final = 3
_MOST_YAW: Final = 90.0
_HEIGHTS: Final = (0.1, 0.9)
_BESIDE: Final = 1.5
"""Distance from a face, in spreads of its points, from which a crop does not show it any more."""


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


def mine_faces(sources: Path, weights: Path | None, renders: list[Renders], count: int, seed: int) -> MinedFaces:
    """What ``count`` renders, each painted into a frame, lead to: crops at rest on the face, crops far from it."""
    rng = np.random.default_rng(seed)
    detector, predictor = Detector(Weights.load(weights).detector, SCORE), Predictor(weights)
    pool = backgrounds(sources, _SCENES, seed)
    heads = [(r, int(i)) for r in renders for i in np.flatnonzero(np.abs(r.yaw) <= _MOST_YAW) if r.shows_face(int(i))]
    crops: list[Image] = []
    yaws: list[float] = []
    beside: list[Image] = []
    for _ in range(count):
        source, index = heads[rng.integers(len(heads))]
        frame = cv2.resize(pool[rng.integers(len(pool))], (640, 480))
        _, truth = placed(source.face(index), frame, *_HEIGHTS, rng)
        for points in (p for side in ALL_SIDES for p in detector(frame, side)):
            for attempt in predictor.attempts(frame, points, _ATTEMPTS):
                own = attempt.points.astype(np.float32)
                if is_found([own], truth) and attempt.fit.is_settled:
                    crops.append(attempt.crop)
                    yaws.append(float(source.yaw[index]))
                elif attempt.fit.is_close or np.linalg.norm(own.mean(0) - truth.mean(0)) > _BESIDE * spread(truth):
                    beside.append(attempt.crop)
    shape = (-1, CROP_SIZE, CROP_SIZE)
    return MinedFaces(
        np.array(crops, np.uint8).reshape(shape),
        np.array(yaws, np.float32),
        np.array(beside, np.uint8).reshape(shape),
    )


def mine_negatives(sources: Path, weights: Path | None, count: int, seed: int) -> NDArray[np.uint8]:
    """Crops that frames without a face lead to, (count, 96, 96)."""
    detector, predictor = Detector(Weights.load(weights).detector, SCORE), Predictor(weights)
    crops: list[Image] = []
    for frame in frames_without_a_face(sources, seed):
        for side in ALL_SIDES:
            for points in detector(frame, side):
                crops.extend(attempt.crop for attempt in predictor.attempts(frame, points, _ATTEMPTS))
        if len(crops) >= count:
            return np.stack(crops[:count])
    raise AssertionError("the frames never end")
