# SPDX-License-Identifier: MIT
"""From a picture to its faces: detection, alignment, reading, and aligning again until the crop fits the face."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from . import alignment
from .detector import Detector
from .faces import Face, Fit, FloatArray
from .network import FaceNetwork, Reading, Weights

Image = NDArray[np.uint8]

LONGER_SIDES: Final = (160, 320)
"""Sizes at which the detector looks at a frame, one after the other; the second only where the first gave too few sure
finds."""

CLOSE_UP_SIDE: Final = 80
"""Size at which it looks last, where it found nothing: a face that fills the frame or more has a face's size there."""

ALL_SIDES: Final = (*LONGER_SIDES, CLOSE_UP_SIDE)
"""What a frame without a face is looked at."""

_SAME_FACE: Final = 0.3
_SURE: Final = 0.9
"""Confidence from which a find spares the look at the larger size."""
_CONFIRMING: Final = 2
"""Readings whose mean confidence is the face's: what is no face seldom looks like one twice."""
_PASSES_OF_A_FIND: Final = (2, 3)
_PASSES_OF_A_FOLLOWED: Final = (1, 2)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One reading on the way to a face.

    Attributes:
        crop: (96, 96) uint8 grey, what was read.
        matrix: (2, 3), the crop's alignment.
        reading: what the network says of it.
        fit: how well the landmarks agree with the alignment.
    """

    crop: Image
    matrix: FloatArray
    reading: Reading
    fit: Fit

    @property
    def points(self) -> FloatArray:
        """The five points (5, 2) that were read, pixels of the picture."""
        pixels = alignment.crop_pixels(self.reading.landmarks.astype(np.float64))
        return alignment.five_points(alignment.apply(alignment.invert(self.matrix), pixels))


class Predictor:
    """Reads faces off single pictures. Safe to call from several threads.

    >>> face = Predictor().predict("photo.jpg")  # doctest: +SKIP
    >>> face.action_units  # doctest: +SKIP

    Args:
        weights: folder of the networks; the package's own by default.
        accurate: read each face that was found once more, in the mirror image of its crop, and take the mean of both.

    Raises:
        WeightsError: the networks are missing or damaged.
    """

    def __init__(self, weights: str | os.PathLike[str] | None = None, accurate: bool = False) -> None:
        loaded = Weights.load(weights)
        self.accurate = accurate
        self.model = {"id": loaded.id, "sha256": loaded.sha256}
        self._threshold = loaded.confidence_threshold
        self._network = FaceNetwork(loaded.face)
        self._detector = Detector(loaded.detector, loaded.score_threshold)

    def predict(self, image: Image | str | os.PathLike[str], face: int = 0) -> Face | None:
        """The face of that number in a picture, 0 being the largest; None where there are not that many.

        Args:
            image: (h, w) grey or (h, w, 3) BGR uint8, or an image file.
            face: 0, 1, ...

        Raises:
            InputNotFoundError, NotAVideoError: the file is missing or no image.
            TypeError, ValueError: see :meth:`faces`, or ``face`` is negative.
        """
        if face < 0:
            raise ValueError(f"face {face} is negative; 0 is the largest")
        found = self.faces(image, at_least=face + 1)
        return found[face] if face < len(found) else None

    def faces(self, image: Image | str | os.PathLike[str], at_least: int = 16) -> list[Face]:
        """The faces of a picture, largest first.

        Args:
            image: (h, w) grey or (h, w, 3) BGR uint8, or an image file.
            at_least: once so many are found for sure, smaller ones are not searched for.

        Raises:
            InputNotFoundError, NotAVideoError: the file is missing or no image.
            TypeError: the image is no array of uint8, nor a path.
            ValueError: the array has another shape, or no pixel.
        """
        if isinstance(image, (str, os.PathLike)):
            from .images import load_image

            image = load_image(Path(image))
        _check(image)
        found: list[Face] = []
        for longer_side in self._sides(image):
            found = _different(found + self._finds(image, longer_side))
            if sum(face.confidence >= _SURE for face in found) >= at_least:
                break
        return sorted(found or _different(self._finds(image, CLOSE_UP_SIDE)), key=lambda face: -face.size)

    def follow(self, image: Image, landmarks: FloatArray) -> Face | None:
        """The face whose landmarks (68, 2) in an earlier frame are given; None where it is not there any more."""
        return self._settle(image, alignment.five_points(landmarks), _PASSES_OF_A_FOLLOWED)

    def find_near(self, image: Image, place: FloatArray, reach: float) -> Face | None:
        """The face nearest to a place, found anew.

        Args:
            image: (h, w) grey or (h, w, 3) BGR uint8.
            place: (3,) centre x, y and side, pixels.
            reach: how far away it may be, in sides.
        """
        for longer_side in (*self._sides(image), CLOSE_UP_SIDE):
            nearest = sorted(
                self._detector(image, longer_side), key=lambda points: float(np.linalg.norm(points.mean(0) - place[:2]))
            )
            for points in nearest:
                face = self._settle(image, points, _PASSES_OF_A_FIND)
                if face is not None and face.distance(place) <= reach:
                    return face
        return None

    def _finds(self, image: Image, longer_side: int) -> list[Face]:
        """What the detector finds at one size and the reader confirms, the same face perhaps twice."""
        finds = [self._settle(image, points, _PASSES_OF_A_FIND) for points in self._detector(image, longer_side)]
        return [face for face in finds if face is not None]

    @staticmethod
    def _sides(image: Image) -> tuple[int, ...]:
        return LONGER_SIDES if max(image.shape[:2]) > LONGER_SIDES[0] else LONGER_SIDES[:1]

    def attempts(self, image: Image, points: FloatArray, most: int) -> Iterator[Attempt]:
        """Readings of crops aligned by five points, then by the landmarks just read; ends where those fit no face.

        Args:
            image: (h, w) grey or (h, w, 3) BGR uint8.
            points: (5, 2) pixels.
            most: largest number of readings.
        """
        for _ in range(most):
            matrix = alignment.alignment(points)
            if not 1e-3 < np.hypot(matrix[0, 0], matrix[1, 0]) < 1e2:
                return
            crop = _grey(alignment.crop(image, matrix))
            reading = self._network(crop)
            attempt = Attempt(crop, matrix, reading, Fit.of(reading.landmarks))
            yield attempt
            if not attempt.fit.is_plausible:
                return
            points = attempt.points

    def _settle(self, image: Image, points: FloatArray, passes: tuple[int, int]) -> Face | None:
        """Read until the crop fits the face.

        Args:
            image: the picture.
            points: (5, 2) pixels.
            passes: least and largest number of readings.
        """
        least, most = passes
        made: list[Attempt] = []
        for attempt in self.attempts(image, points, most):
            made.append(attempt)
            if len(made) >= least and attempt.fit.is_close:
                break
        if not made or not made[-1].fit.is_plausible or not made[-1].fit.is_settled:
            return None
        confidence = float(np.mean([attempt.reading.confidence for attempt in made[-_CONFIRMING:]]))
        if confidence < self._threshold:
            return None
        face = replace(Face.from_reading(self._final(made[-1]), made[-1].matrix), confidence=confidence)
        return face if face.lies_in(*image.shape[:2]) else None

    def _final(self, attempt: Attempt) -> Reading:
        """What counts of the attempt that a face was accepted by."""
        if not self.accurate:
            return attempt.reading
        return attempt.reading.averaged(self._network(np.ascontiguousarray(attempt.crop[:, ::-1])).mirrored)


def _different(faces: list[Face]) -> list[Face]:
    """Of finds of the same face the surest."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.confidence):
        if all(face.distance(other.place) > _SAME_FACE for other in kept):
            kept.append(face)
    return kept


def _check(image: object) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(f"an image is a path or an array of uint8, not {kind}")
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)) or image.size == 0:
        raise ValueError(f"an image is (h, w) grey or (h, w, 3) BGR, not {image.shape}")


def _grey(image: Image) -> Image:
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
