# SPDX-License-Identifier: MIT
"""One training crop at a time: of a photo, of a render, of no face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer import alignment
from bdfm_infer.alignment import CROP_SIZE, mirror_landmarks
from bdfm_infer.parameters import (
    AU_SLICE,
    BROW_SLICE,
    IDENTITY_SLICE,
    MIRRORED_AU,
    N_AU,
    parameter_from_intensity,
)
from bdfm_train.face_model.labels import LABEL

from .augment import (
    COARSE,
    FAR,
    FINE,
    borrow_look,
    jittered_alignment,
    photo_labels,
    photograph,
    tone_parts,
    warp_labels,
)
from .judgements import intensity_bounds
from .photos import Photo
from .shards import N_TARGETS, Shard

FloatArray = NDArray[np.float32]

COARSE_SHARE: Final = 0.2
BORROWED_SHARE: Final = 0.5
FAR_SHARE: Final = 0.4
"""Of the renders in side view, whose points the detector places worst."""

MIRRORED_CLASS: Final = np.arange(256, dtype=np.uint8)
for _name in ("brow", "eye"):
    _left, _right = LABEL[f"l_{_name}"], LABEL[f"r_{_name}"]
    MIRRORED_CLASS[[_left, _right]] = _right, _left


@dataclass(frozen=True)
class PhotoCrop:
    """A photo as the student and as the teacher sees it.

    Attributes:
        crop: (s, s) as a camera might show it, about 0..1.
        clean: (s, s) the same photo aligned without error, not mirrored.
        landmarks: (68, 2) of ``crop``, crop units.
        labels: (48, 48) classes of ``crop``.
        mirrored: whether ``crop`` is mirrored.
        bounds: (2, 23) least and largest action unit parameters that agree with what was judged by eye of ``crop``.
        change: (23,) what the action units of ``crop``, before it is mirrored, have more than those of ``clean``.
    """

    crop: FloatArray
    clean: FloatArray
    landmarks: FloatArray
    labels: NDArray[np.uint8]
    mirrored: bool
    bounds: FloatArray
    change: FloatArray


@dataclass(frozen=True)
class RenderCrop:
    """A render with its truth.

    Attributes:
        crop: (s, s) as a camera might show it, about 0..1.
        landmarks: (68, 2) crop units.
        labels: (48, 48) classes.
        parameters: (25,) pose and action units.
        identity: (208,).
        identity_known: whether the identity may be learned: head A, not mirrored.
        brow_style: index.
    """

    crop: FloatArray
    landmarks: FloatArray
    labels: NDArray[np.uint8]
    parameters: FloatArray
    identity: FloatArray
    identity_known: bool
    brow_style: int


def mirror_parameters(parameters: FloatArray) -> FloatArray:
    """Pose and action units (..., 25) of the mirrored picture."""
    out = parameters.copy()
    out[..., 0] = 1.0 - parameters[..., 0]
    out[..., AU_SLICE] = parameters[..., AU_SLICE][..., list(MIRRORED_AU)]
    return out


def photo_crop(photo: Photo, rng: np.random.Generator, size: int = CROP_SIZE) -> PhotoCrop:
    """A crop of a photo with sides of ``size`` pixels."""
    change = np.zeros(N_AU, np.float32) if photo.origin is None else photo.origin.change
    clean = photo_view(photo.as_taken, size)
    matrix = _alignment(photo.landmarks, rng)
    pixels = alignment.apply(matrix, photo.landmarks).astype(np.float32)
    labels = photo_labels(pixels, alignment.apply(matrix, photo.oval).astype(np.float32))
    crop = photograph(tone_parts(_crop(photo.image, matrix, size), labels, rng), rng)
    landmarks = alignment.crop_units(pixels).astype(np.float32)
    mirrored = bool(rng.random() < 0.5)
    bounds = parameter_from_intensity(np.stack(intensity_bounds(photo.as_taken.grades)) + change)
    if mirrored:
        crop, landmarks, labels = crop[:, ::-1], mirror_landmarks(landmarks), MIRRORED_CLASS[labels[:, ::-1]]
        bounds = bounds[:, list(MIRRORED_AU)]
    return PhotoCrop(crop, clean, landmarks, labels, mirrored, bounds, change)


def photo_view(photo: Photo, size: int, rng: np.random.Generator | None = None) -> FloatArray:
    """A photo (s, s), about 0..1, aligned without error, or with a small one, and otherwise as it is."""
    if rng is None:
        crop = alignment.crop_face(photo.image, photo.landmarks, size)
    else:
        crop = _crop(photo.image, jittered_alignment(photo.landmarks, FINE, rng), size)
    return crop.astype(np.float32) / np.float32(255.0)


def render_crop(shard: Shard, index: int, look: FloatArray, rng: np.random.Generator) -> RenderCrop:
    """A crop of a render, as large as ``look``, a photo's crop; half of them borrow its look."""
    every = shard.parameters[index].astype(np.float32)
    if is_side_view(every[0]) and rng.random() < FAR_SHARE:
        matrix = jittered_alignment(shard.landmarks[index], FAR, rng)
    else:
        matrix = _alignment(shard.landmarks[index], rng)
    labels = warp_labels(shard.labels[index], matrix, shard.labels.shape[1] / shard.images.shape[1])
    crop = photograph(tone_parts(_crop(shard.images[index], matrix, len(look)), labels, rng), rng)
    landmarks = alignment.crop_units(alignment.apply(matrix, shard.landmarks[index])).astype(np.float32)
    parameters = every[:N_TARGETS]
    if rng.random() < BORROWED_SHARE:
        crop = borrow_look(crop, look, rng)
    mirrored = bool(rng.random() < 0.5)
    if mirrored:
        crop, landmarks, parameters = crop[:, ::-1], mirror_landmarks(landmarks), mirror_parameters(parameters)
        labels = MIRRORED_CLASS[labels[:, ::-1]]
    return RenderCrop(
        crop=crop,
        landmarks=landmarks,
        labels=labels,
        parameters=parameters,
        identity=every[IDENTITY_SLICE],
        identity_known=shard.head == "a" and not mirrored,
        brow_style=int(every[BROW_SLICE].argmax()),
    )


def is_side_view(yaw: Any) -> Any:
    """Whether yaw parameters, a number, array or tensor, saturate: the face is turned by 60 degrees or more."""
    return (yaw <= 0.0) | (yaw >= 1.0)


def texture_crop(rng: np.random.Generator) -> FloatArray:
    """A crop of nothing: noise at several scales, edges, blobs."""
    x = np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
    for cells in (2, 4, 8, 16, 48):
        noise = rng.random((cells, cells)).astype(np.float32)
        way = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_NEAREST
        x += cv2.resize(noise, (CROP_SIZE, CROP_SIZE), interpolation=way) * np.float32(rng.random() ** 2)
    for _ in range(int(rng.integers(0, 6))):
        centre, axes = rng.integers(0, CROP_SIZE, 2), rng.integers(3, CROP_SIZE // 2, 2)
        colour, width = (float(rng.random() * 2),), int(rng.choice([-1, 1, 2, 4]))
        at = (int(centre[0]), int(centre[1]))
        if rng.random() < 0.5:
            cv2.ellipse(x, at, (int(axes[0]), int(axes[1])), float(rng.uniform(0, 180)), 0, 360, colour, width)
        else:
            cv2.rectangle(x, at, (at[0] + int(axes[0]), at[1] + int(axes[1])), colour, width)
    low, high = float(x.min()), float(x.max())
    return photograph(((x - low) / max(high - low, 1e-3) * 255).astype(np.uint8), rng)


def misplaced_crop(image: NDArray[np.uint8], landmarks: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A crop beside a face, of a part of it, with it too small, or turned on its side or head."""
    matrix = alignment.alignment(alignment.five_points(landmarks))
    scale, angle, shift = 1.0, 0.0, np.zeros(2)
    kind = rng.integers(4)
    if kind == 0:
        direction = rng.uniform(0, 2 * np.pi)
        shift = np.array([np.cos(direction), np.sin(direction)]) * rng.uniform(0.4, 0.9) * CROP_SIZE
    elif kind == 1:
        scale = rng.uniform(1.9, 4.0)
        shift = rng.normal(size=2) * 0.3 * CROP_SIZE * scale
    elif kind == 2:
        scale = rng.uniform(0.2, 0.5)
    else:
        angle = rng.uniform(np.radians(75), np.radians(285))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.full(2, (CROP_SIZE - 1) / 2)
    matrix = np.c_[turn @ matrix[:, :2], turn @ (matrix[:, 2] - centre) + centre + shift]
    return photograph(alignment.crop(image, matrix), rng)


def _crop(image: NDArray[np.uint8], matrix: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """The crop whose alignment is given for :data:`CROP_SIZE`, with sides of ``size`` pixels."""
    share = size / CROP_SIZE
    return alignment.crop(image, np.c_[matrix[:, :2] * share, (matrix[:, 2] + 0.5) * share - 0.5], size)


def _alignment(landmarks: FloatArray, rng: np.random.Generator) -> NDArray[np.float64]:
    return jittered_alignment(landmarks, COARSE if rng.random() < COARSE_SHARE else FINE, rng)
