# SPDX-License-Identifier: MIT
"""From a picture with landmarks to a training crop: alignment with errors, camera, light, occlusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer import alignment
from bdfm_infer.alignment import CROP_SIZE
from bdfm_train.face_model.labels import LABEL

PARSING_SIZE = CROP_SIZE // 2
IGNORED = 255
"""Label of pixels whose class is not known."""

BLURRED, SMALL, COMPRESSED, NOISY, HIDDEN = 0.15, 0.15, 0.1, 0.25, 0.15
"""Shares of the pictures that each change of :func:`photograph` befalls; the first three never the same one."""
BLUR, SMALLNESS, QUALITY = (0.4, 1.6), (0.35, 0.8), (15, 60)
"""Deviation of the blur in pixels, share of the size that is left, and JPEG's quality, least and most."""

TONES: Final = ((("u_lip",), -0.2, 0.35), (("l_lip",), 0.05, 0.25), (("l_brow", "r_brow"), 0.15, 0.3))
"""Classes that :func:`tone_parts` multiplies by one factor, and mean and deviation of its logarithm: many people's
upper lip is darker than the lower one, in light from above everybody's, and brows may be as fair as the skin."""
LEAST_TONE, MOST_TONE = 0.35, 2.0
"""What a part is multiplied by at least and at most."""
TONED = 0.3
"""Share of the pictures whose lips and brows get another tone."""

_EYES_APART = float(alignment.FIVE_POINTS[1, 0] - alignment.FIVE_POINTS[0, 0])
"""Of an aligned face, share of the crop."""

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Jitter:
    """How far the alignment of a training crop may be off.

    Attributes:
        points: deviation of the five points, share of the distance between the eyes.
        turn: deviation of the rotation, radians.
        scale: deviation of the logarithm of the size.
        shift: deviation of the place, share of the crop.
    """

    points: float = 0.03
    turn: float = 0.07
    scale: float = 0.05
    shift: float = 0.02


FINE = Jitter()
COARSE = Jitter(points=0.06, turn=0.22, scale=0.14, shift=0.07)
"""As far off as the crop of a frame may be that is placed by the landmarks of an earlier one."""
FAR = Jitter(points=0.1, turn=0.3, scale=0.3, shift=0.14)
"""As far off as the detector's points of a face in side view."""


def jittered_alignment(landmarks: FloatArray, jitter: Jitter, rng: np.random.Generator) -> NDArray[np.float64]:
    """An alignment (2, 3) that is off as in use."""
    points = alignment.five_points(landmarks)
    reach = float(np.abs(points[1] - points[0]).max())
    matrix = alignment.alignment(points + rng.normal(size=points.shape) * reach * jitter.points)
    angle, scale = rng.normal() * jitter.turn, np.exp(rng.normal() * jitter.scale)
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    turn = np.array([[cosine, -sine], [sine, cosine]])
    centre = np.full(2, (CROP_SIZE - 1) / 2)
    shift = rng.normal(size=2) * jitter.shift * CROP_SIZE
    return np.c_[turn @ matrix[:, :2], turn @ (matrix[:, 2] - centre) + centre + shift]


def photograph(crop: NDArray[np.uint8], rng: np.random.Generator) -> FloatArray:
    """Blur, loss of resolution, gamma, contrast, brightness, noise and occlusion. Returns (s, s) float32 about 0..1."""
    size = crop.shape[0]
    u = rng.random()
    if u < BLURRED:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(*BLUR))
    elif u < BLURRED + SMALL:
        share = rng.uniform(*SMALLNESS)
        small = cv2.resize(crop, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        crop = cv2.resize(small, (size, size))
    elif u < BLURRED + SMALL + COMPRESSED:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*QUALITY))]
        crop = cv2.imdecode(cv2.imencode(".jpg", crop, quality)[1], cv2.IMREAD_GRAYSCALE)
    x = np.clip(crop.astype(np.float32) / 255.0, 1e-3, 1.0) ** np.float32(np.exp(rng.normal() * 0.35))
    x = (x - 0.5) * np.float32(np.exp(rng.normal() * 0.25)) + np.float32(0.5 + rng.normal() * 0.1)
    if rng.random() < NOISY:
        x = x + rng.normal(size=x.shape).astype(np.float32) * np.float32(rng.uniform(0.0, 0.05))
    if rng.random() < HIDDEN:
        w, h = rng.integers(8, size // 2, 2)
        left, top = rng.integers(0, size - w), rng.integers(0, size - h)
        x[top : top + h, left : left + w] = rng.random()
    return x


def tone_parts(crop: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Either lip and the brows brighter or darker, each by itself: a dark upper lip is no gap between the lips.

    Args:
        crop: (s, s) grey.
        labels: (48, 48) its classes.
        rng: draws which crops are changed, and the tones.
    """
    if rng.random() >= TONED:
        return crop
    factors: dict[str, float] = {}
    for names, mean, deviation in TONES:
        factor = float(np.clip(np.exp(rng.normal(mean, deviation)), LEAST_TONE, MOST_TONE))
        factors |= dict.fromkeys(names, factor)
    return toned(crop, labels, factors)


def toned(crop: NDArray[np.uint8], labels: NDArray[np.uint8], factors: Mapping[str, float]) -> NDArray[np.uint8]:
    """A crop (s, s) with the classes (48, 48) that ``factors`` name multiplied by these, softly at their edges."""
    tone = np.ones(crop.shape, np.float32)
    for name, factor in factors.items():
        part = (labels == LABEL[name]).astype(np.float32)
        tone += np.float32(factor - 1.0) * cv2.resize(part, crop.shape[::-1])
    return np.clip(crop * tone + 0.5, 0, 255).astype(np.uint8)


def borrow_look(crop: FloatArray, photo: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The low frequencies' amplitude of a photo put into a render, phase kept (Fourier domain adaptation)."""
    ours, theirs = np.fft.fftshift(np.fft.fft2(crop)), np.fft.fftshift(np.fft.fft2(photo))
    reach, centre, share = int(rng.integers(1, 5)), crop.shape[0] // 2, rng.random()
    amplitude = np.abs(ours)
    band = np.s_[centre - reach : centre + reach + 1, centre - reach : centre + reach + 1]
    mixed = amplitude.copy()
    mixed[band] = (1 - share) * amplitude[band] + share * np.abs(theirs)[band]
    mixed[centre, centre] = amplitude[centre, centre]
    return np.real(np.fft.ifft2(np.fft.ifftshift(mixed * np.exp(1j * np.angle(ours))))).astype(np.float32)


def warp_labels(labels: NDArray[np.uint8], matrix: NDArray[np.float64], scale: float) -> NDArray[np.uint8]:
    """Labels carried into the crop at :data:`PARSING_SIZE`.

    Args:
        labels: class of each pixel of a label map that is ``scale`` times as large as the picture.
        matrix: alignment of the picture to a crop of :data:`CROP_SIZE`.
        scale: size of the label map over that of the picture.
    """
    half = PARSING_SIZE / CROP_SIZE
    small = np.c_[matrix[:, :2] * (half / scale), matrix[:, 2] * half]
    return cv2.warpAffine(
        labels, small, (PARSING_SIZE,) * 2, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=IGNORED
    )


def photo_labels(landmarks: FloatArray, oval: FloatArray, size: int = CROP_SIZE) -> NDArray[np.uint8]:
    """Classes that a photo's landmarks and outline give away; all else is :data:`IGNORED`.

    Args:
        landmarks, oval: pixels of a picture whose side is ``size``.
        size: even.

    Returns:
        (size / 2, size / 2).
    """
    side = size // 2
    labels = np.full((side, side), IGNORED, np.uint8)
    k = landmarks / 2
    points = alignment.five_points(landmarks)
    unit = float(np.hypot(*(points[1] - points[0]))) / (_EYES_APART * CROP_SIZE)

    def fill(points: FloatArray, name: str | None) -> None:
        value = IGNORED if name is None else LABEL[name]
        cv2.fillPoly(labels, [np.round(points * 16).astype(np.int32)], value, shift=4)

    fill(oval / 2, "skin")
    for eye, brow, name in ((k[36:42], k[17:22], "r"), (k[42:48], k[22:27], "l")):
        fill(np.concatenate([brow - [0, 1.5 * unit], eye[:1], eye[3:4]]), None)
        fill(eye, f"{name}_eye")
        line = np.round(brow * 16).astype(np.int32)
        cv2.polylines(labels, [line], False, LABEL[f"{name}_brow"], max(1, round(2 * unit)), shift=4)
    fill(np.stack([k[27], k[31], k[33], k[35]]), "nose")
    fill(np.concatenate([k[48:55], k[60:65][::-1]]), "u_lip")
    fill(np.concatenate([k[54:60], k[48:49], k[60:61], k[64:68][::-1]]), "l_lip")
    fill(k[60:68], "inner_mouth")
    return labels
