# SPDX-License-Identifier: MIT
"""Training pictures of the detector: faces pasted over backgrounds, pictures without a face, and their targets.

Points are pixels with pixel centres at whole numbers, as in :mod:`bdfm_infer.alignment`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.detector import STRIDE
from bdfm_train.detector.faces import Face, FloatArray, Image, Renders, spread

SHAPES: Final = ((64, 96), (96, 64), (96, 96), (96, 128), (128, 96), (128, 160))
"""Heights and widths of training pictures."""

SMALLEST: Final = 8.0
"""Height of the smallest face, pixels."""

TALLEST: Final = 1.0
"""Height of the tallest face, share of the picture."""

TURN: Final = 45.0
"""Largest rotation in the plane, degrees."""

PROFILE: Final = 97.0
"""Largest yaw that counts as a face, degrees; heads turned away from :data:`BEHIND` on count as none."""

SIDE_VIEW: Final = 60.0
SIDE_VIEW_SHARE: Final = 0.5
"""Yaw in degrees from which a render is hard to find, and the share of renders that are drawn from such alone."""
BEHIND: Final = 140.0

SWAPPED: Final = np.array([1, 0, 2, 4, 3])
"""The five points of a mirrored picture."""


@dataclass(frozen=True)
class Sample:
    """One picture.

    Attributes:
        image: (h, w) uint8, h and w multiples of 32.
        points: (n, 5, 2) float32 pixels, one row for each face.
    """

    image: Image
    points: FloatArray


def similarity(face: Face, height: float, degrees: float, centre: FloatArray) -> NDArray[np.float64]:
    """The (2, 3) affine that gives a face this height and turn and puts the mean of its five points at ``centre``.

    Args:
        face: the face in its own picture.
        height: from hairline to chin, pixels.
        degrees: clockwise as seen.
        centre: (2,) pixels.
    """
    scale, angle = height / face.height, np.radians(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.c_[turn, centre - turn @ face.points.mean(0)]


def shrunk(image: Image, matrix: NDArray[np.float64], size: tuple[int, int], border: int, value: int = 0) -> Image:
    """``cv2.warpAffine`` with a filter where the picture gets smaller."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    while scale < 0.6 and min(image.shape) >= 8:
        halved = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        ratio = np.array(image.shape[::-1]) / np.array(halved.shape[::-1])
        matrix = np.c_[matrix[:, :2] * ratio, matrix[:, 2] + matrix[:, :2] @ (ratio / 2 - 0.5)]
        image, scale = halved, scale * 2
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=value)


def paste(picture: Image, image: Image, mask: Image | None, matrix: NDArray[np.float64], tone: float = 1.0) -> None:
    """Paint ``image``, carried by ``matrix`` (2, 3), into ``picture`` where its ``mask`` says; everywhere without one.

    What lies outside of an image without a mask repeats its border.
    """
    size = (picture.shape[1], picture.shape[0])
    moved = np.minimum(shrunk(image, matrix, size, cv2.BORDER_REPLICATE) * tone, 255.0)
    cover = np.float32(1.0) if mask is None else shrunk(mask, matrix, size, cv2.BORDER_CONSTANT) / np.float32(255)
    picture[:] = (picture + (moved - picture) * cover).astype(np.uint8)


def ellipse_mask(face: Face, rng: np.random.Generator) -> Image:
    """The head of a photo: an ellipse around its outline, larger upwards for the hair, with a soft edge."""
    height, width = face.image.shape
    coarse = 4
    low, high = face.outline.min(0) / coarse, face.outline.max(0) / coarse
    centre, half = (low + high) / 2, (high - low) / 2 * rng.uniform(1.05, 1.6)
    mask = np.zeros((height // coarse, width // coarse), np.uint8)
    box = ((centre[0], centre[1] - 0.1 * half[1]), (2 * half[0], 2.2 * half[1]), 0.0)
    cv2.ellipse(mask, box, 255, -1)
    return cv2.resize(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.4, 2)), (width, height))


def _box_mask(face: Face, rng: np.random.Generator) -> Image:
    """The photo itself, or a box around the head."""
    mask = np.full(face.image.shape, 255, np.uint8)
    if rng.random() < 0.5:
        low, high = face.outline.min(0), face.outline.max(0)
        margin = rng.uniform(0.0, 0.4, 4) * np.tile(high - low, 2)
        (x0, y0), (x1, y1) = np.maximum(low - margin[:2], 0).astype(int), (high + margin[2:]).astype(int)
        mask[:y0], mask[y1:], mask[:, :x0], mask[:, x1:] = 0, 0, 0, 0
    return mask


def mirrored(sample: Sample) -> Sample:
    """The picture seen in a mirror."""
    points = sample.points[:, SWAPPED].copy()
    points[..., 0] = sample.image.shape[1] - 1 - points[..., 0]
    return Sample(np.ascontiguousarray(sample.image[:, ::-1]), points)


def photographed(image: Image, rng: np.random.Generator) -> Image:
    """Light, contrast, blur, noise and compression of a camera."""
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.1))
    x = np.arange(256, dtype=np.float32) / 255
    gain = np.exp(rng.normal() * 0.22)
    table = (np.clip(x ** np.exp(rng.normal() * 0.3), 0, 1) - 0.5) * gain + 0.5 + rng.normal() * 0.08
    image = cv2.LUT(image, np.clip(table * 255, 0, 255).astype(np.uint8))
    if rng.random() < 0.2:
        grid = np.exp(rng.normal(size=(2, 2)) * 0.5).astype(np.float32)
        light = cv2.resize(grid, image.shape[::-1], interpolation=cv2.INTER_LINEAR)
        image = np.clip(image * light, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        noise = cv2.randn(np.empty(image.shape, np.int16), 0, rng.uniform(1, 9))
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 80))])[1]
        image = cv2.imdecode(code, cv2.IMREAD_GRAYSCALE)
    return image


def outside_heads(image: Image, boxes: FloatArray, size: tuple[int, int], rng: np.random.Generator) -> Image | None:
    """A rectangle of a picture that touches no head, resized to ``size``; None where no try found any.

    Args:
        boxes: (n, 4) pixels, x0, y0, x1, y1 of the heads with their hair.
    """
    height, width = image.shape
    for _ in range(60):
        w, h = int(rng.uniform(0.1, 0.6) * width), int(rng.uniform(0.1, 0.6) * height)
        x, y = int(rng.integers(0, width - w)), int(rng.integers(0, height - h))
        apart = (boxes[:, 0] >= x + w) | (boxes[:, 2] <= x) | (boxes[:, 1] >= y + h) | (boxes[:, 3] <= y)
        if apart.all():
            return cv2.resize(image[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA)
    return None


def head_box(face: Face) -> FloatArray:
    """Box (4,) of a photo's head with its hair, by the outline of its face."""
    low, high = face.outline.min(0), face.outline.max(0)
    margin = (high - low) * [0.3, 0.35]
    return np.concatenate([low - margin, high + margin * [1, 0.2]]).astype(np.float32)


class Composer:
    """Draws training pictures.

    Args:
        photos: faces of photos.
        renders: heads of the face model; those seen from behind serve as pictures without a face.
        backgrounds: (n, h, w) uint8.
        seed: of all that is random here.
    """

    def __init__(self, photos: list[Face], renders: list[Renders], backgrounds: Image, seed: int) -> None:
        self.photos, self.renders, self.pool = photos, renders, backgrounds
        self.rng = np.random.default_rng(seed)
        turned = [np.abs(r.yaw) for r in renders]
        self.heads = [
            (k, int(i))
            for k, yaw in enumerate(turned)
            for i in np.flatnonzero(yaw <= PROFILE)
            if renders[k].shows_face(i)
        ]
        self.side_views = [(k, i) for k, i in self.heads if turned[k][i] > SIDE_VIEW]
        self.backs = [(k, int(i)) for k, yaw in enumerate(turned) for i in np.flatnonzero(yaw >= BEHIND)]

    def positive(self, shape: tuple[int, int]) -> Sample:
        """A picture (h, w) with one to three faces."""
        rng, height = self.rng, shape[0]
        picture = self._background(shape)
        found: list[FloatArray] = []
        taken: list[tuple[FloatArray, float]] = []
        for _ in range(1 if rng.random() < 0.8 else rng.integers(2, 4)):
            top = TALLEST * height if not found else 0.4 * height
            tall = float(np.exp(rng.uniform(np.log(SMALLEST), np.log(top))))
            centre = self._place(shape, tall)
            if any(np.linalg.norm(centre - other) < 1.0 * (tall + size) for other, size in taken):
                continue
            found.append(self._paste(picture, self._face(), tall, centre))
            taken.append((centre, tall))
        return self._finished(picture, np.stack(found))

    def negative(self, shape: tuple[int, int]) -> Sample:
        """A picture (h, w) without a face: background, part of a face, surroundings of one, or the back of a head."""
        rng, size = self.rng, shape[::-1]
        picture = self._background(shape)
        kind = rng.random()
        if kind < 0.35:
            part = self._part_of_face()
            if rng.random() < 0.4:
                picture = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            else:
                self._paste_part(picture, part)
        elif kind < 0.5:
            face = self.photos[rng.integers(len(self.photos))]
            around = outside_heads(face.image, head_box(face)[None], size, rng)
            picture = picture if around is None else around
        elif kind < 0.6 and self.backs:
            which, index = self.backs[rng.integers(len(self.backs))]
            tall = float(np.exp(rng.uniform(np.log(12.0), np.log(shape[0]))))
            self._paste(picture, self.renders[which].face(index), tall, self._place(shape, tall))
        return self._finished(picture, np.zeros((0, 5, 2), np.float32))

    def _background(self, shape: tuple[int, int]) -> Image:
        rng = self.rng
        source = self.pool[rng.integers(len(self.pool))]
        share = rng.uniform(0.4, 1.0)
        h, w = int(source.shape[0] * share), int(source.shape[1] * share)
        y, x = rng.integers(0, source.shape[0] - h + 1), rng.integers(0, source.shape[1] - w + 1)
        picture = cv2.resize(source[y : y + h, x : x + w], shape[::-1], interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(picture[:, ::-1]) if rng.random() < 0.5 else picture

    def _face(self) -> Face:
        if self.rng.random() < 0.45 or not self.heads:
            return self.photos[self.rng.integers(len(self.photos))]
        heads = self.side_views if self.side_views and self.rng.random() < SIDE_VIEW_SHARE else self.heads
        which, index = heads[self.rng.integers(len(heads))]
        return self.renders[which].face(index)

    def _place(self, shape: tuple[int, int], tall: float) -> FloatArray:
        """Where a face's centre goes: anywhere, as long as about three quarters of the face stay inside."""
        room = np.array(shape[::-1], np.float32)
        margin = np.minimum(np.array([0.28, 0.34]) * tall, 0.42 * room)
        return (margin + self.rng.random(2) * (room - 1 - 2 * margin)).astype(np.float32)

    def _paste(self, picture: Image, face: Face, tall: float, centre: FloatArray) -> FloatArray:
        """Paint a face into ``picture``; returns its five points there, (5, 2)."""
        rng = self.rng
        degrees = float(np.clip(rng.normal() * 18, -TURN, TURN)) if rng.random() < 0.6 else rng.uniform(-TURN, TURN)
        matrix = similarity(face, tall, degrees, centre)
        points = face.points @ matrix[:, :2].T + matrix[:, 2]
        soft = face.mask is not None or rng.random() < 0.5
        mask = face.mask if face.mask is not None else ellipse_mask(face, rng) if soft else _box_mask(face, rng)
        if soft and rng.random() < 0.6:
            self._shoulders(picture, tall, degrees, centre)
        whole = face.mask is None and not soft and tall > 0.6 * picture.shape[0] and rng.random() < 0.7
        tone = float(np.exp(rng.normal() * 0.12)) if soft else 1.0
        paste(picture, face.image, None if whole else mask, matrix, tone)
        if rng.random() < 0.08:
            self._occlude(picture, points, tall)
        return points.astype(np.float32)

    def _shoulders(self, picture: Image, tall: float, degrees: float, centre: FloatArray) -> None:
        """Neck and a rounded trunk below a head, in the tone of clothes."""
        rng = self.rng
        angle = np.radians(degrees * rng.uniform(0, 1))
        down = np.array([-np.sin(angle), np.cos(angle)])
        tone = float(rng.integers(5, 250))
        neck = centre + down * tall * 0.7
        cv2.ellipse(picture, (neck.tolist(), (tall * 0.45, tall * 0.9), degrees), tone * rng.uniform(0.5, 1), -1)
        trunk = centre + down * tall * rng.uniform(1.5, 1.9)
        axes = (tall * rng.uniform(1.5, 2.4), tall * rng.uniform(1.5, 2.2))
        cv2.ellipse(picture, (trunk.tolist(), axes, float(np.degrees(angle))), tone, -1, cv2.LINE_AA)

    def _occlude(self, picture: Image, points: FloatArray, tall: float) -> None:
        """A bar or a hand-sized patch over a part of the face."""
        rng = self.rng
        corner = points[rng.integers(5)] + rng.normal(size=2) * 0.1 * tall
        extent = tall * rng.uniform(0.05, 0.3, 2)
        low, high = (corner - extent / 2).astype(int).tolist(), (corner + extent / 2).astype(int).tolist()
        cv2.rectangle(picture, low, high, int(rng.integers(0, 256)), -1)

    def _part_of_face(self) -> Image:
        """One eye, the mouth, a cheek, forehead or hair of a photo: never two features that make a face."""
        rng = self.rng
        face = self.photos[rng.integers(len(self.photos))]
        eye_distance = max(float(np.linalg.norm(face.points[1] - face.points[0])), 0.35 * face.height)
        top = face.outline[:, 1].min()
        centres = [
            face.points[0] + [-0.12 * eye_distance, 0],
            face.points[1] + [0.12 * eye_distance, 0],
            face.points[3:].mean(0) + np.array([0, 0.1 * eye_distance]),
            np.array([face.points[2, 0], top - 0.1 * eye_distance]),
            np.array([face.outline[:, 0].min(), face.points[2, 1]]),
            np.array([face.outline[:, 0].max(), face.points[2, 1]]),
        ]
        kind = int(rng.integers(len(centres)))
        half = eye_distance * rng.uniform(0.25, 0.42) * (1.0 if kind != 2 else 1.1)
        aspect = rng.uniform(0.8, 1.25)
        extent = np.array([half * aspect, half / aspect])
        low = np.maximum(centres[kind] - extent, 0).astype(int)
        high = np.maximum((centres[kind] + extent).astype(int), low + 8)
        part = face.image[low[1] : high[1], low[0] : high[0]]
        return part if min(part.shape) >= 4 else face.image[:16, :16]

    def _paste_part(self, picture: Image, part: Image) -> None:
        rng = self.rng
        limit = min(picture.shape)
        side = int(np.exp(rng.uniform(np.log(8), np.log(0.9 * limit))))
        scale = side / max(part.shape)
        size = [max(int(length * scale), 2) for length in part.shape[::-1]]
        small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        x, y = (int(rng.integers(0, w - s + 1)) for w, s in zip(picture.shape[::-1], size, strict=True))
        picture[y : y + size[1], x : x + size[0]] = small

    def _finished(self, picture: Image, points: FloatArray) -> Sample:
        rng = self.rng
        sample = Sample(photographed(picture, rng), points)
        if rng.random() < 0.5:
            sample = mirrored(sample)
        if rng.random() < 0.3:
            self._fill_up(sample)
        return sample

    def _fill_up(self, sample: Sample) -> None:
        """As in use, where sides that are no multiples of 32 are filled up at the right and at the bottom."""
        rng, image = self.rng, sample.image
        rows, columns = (length - int(rng.integers(0, 32)) for length in image.shape)
        if (sample.points < (columns - 6, rows - 6)).all():
            repeat = rng.random() < 0.5
            image[rows:] = image[rows - 1] if repeat else 0
            image[:, columns:] = image[:, columns - 1 : columns] if repeat else 0


@dataclass(frozen=True)
class Targets:
    """What the network should say, all float32; see :mod:`bdfm_train.detector.model`.

    Attributes:
        heat: (h/4, w/4), 1 in the cell that holds the mean of a face's points, falling off around it.
        points: (10, h/4, w/4) pixels relative to the cells' centres.
        spread: (h/4, w/4) pixels; 1 where there is no face.
        weight: (h/4, w/4), of the cell in the loss of points.
    """

    heat: FloatArray
    points: FloatArray
    spread: FloatArray
    weight: FloatArray


def targets(sample: Sample) -> Targets:
    """Targets of one picture."""
    rows, columns = (length // STRIDE for length in sample.image.shape)
    row, column = np.mgrid[:rows, :columns]
    cells = (np.stack([column, row], -1).astype(np.float32) + 0.5) * STRIDE
    heat = np.zeros((rows, columns), np.float32)
    points = np.zeros((rows, columns, 5, 2), np.float32)
    size = np.ones((rows, columns), np.float32)
    for face in sample.points:
        mean = face.mean(0)
        at_column, at_row = np.clip(((mean + 0.5) / STRIDE).astype(int), 0, (columns - 1, rows - 1))
        extent = float(np.clip(0.3 * spread(face) / STRIDE, 0.6, 3.0))
        bell = np.exp(-((column - at_column) ** 2 + (row - at_row) ** 2) / (2 * extent**2)).astype(np.float32)
        own = bell > heat
        heat[own] = bell[own]
        points[own] = face - cells[own][:, None]
        size[own] = spread(face)
    weight = np.where(heat > 0.3, heat, 0).astype(np.float32)
    return Targets(heat, points.reshape(rows, columns, 10).transpose(2, 0, 1), size, weight)
