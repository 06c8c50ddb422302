# SPDX-License-Identifier: MIT
"""What :mod:`bdfm_train.data.augment` does to one picture, done to many at once on the device that trains.

Pictures are (n, s, s) float, 0 to 1. All chance comes from the generator that is handed in.
"""

from __future__ import annotations

import math
import random
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bdfm_infer.alignment import CROP_SIZE, FIVE_POINTS, MIRRORED_LANDMARK
from bdfm_infer.parameters import AU_SLICE, MIRRORED_AU
from bdfm_train.constants import constant
from bdfm_train.face_model.labels import LABEL

from .augment import (
    BLUR,
    BLURRED,
    COMPRESSED,
    HIDDEN,
    LEAST_TONE,
    MOST_TONE,
    NOISY,
    QUALITY,
    SMALL,
    SMALLNESS,
    TONED,
    TONES,
    Jitter,
)

_TARGET: Final = tuple(map(tuple, (FIVE_POINTS * CROP_SIZE - 0.5).tolist()))
"""The five points of an aligned face, pixels of its crop."""
_RADIUS: Final = 5
_BLOCK: Final = 8
_MIDDLE: Final = 128.0 / 255.0
_QUANTISATION: Final = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""JPEG's table of luminance (ITU-T T.81, table K.1)."""


class Chance:
    """Random numbers on a device.

    Args:
        device: where they are drawn.
        seeds: of all of them.

    Attributes:
        sizes: of tensors, which the processor has to know.
    """

    def __init__(self, device: torch.device, *seeds: int) -> None:
        self.device = device
        mixed = int(np.random.SeedSequence(seeds).generate_state(1)[0])  # on a CPU torch looks at 32 bits alone
        self.sizes = random.Random(mixed)
        self._generator = torch.Generator(device).manual_seed(mixed)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Even between the two."""
        return torch.rand(shape, generator=self._generator, device=self.device) * (high - low) + low

    def normal(self, *shape: int) -> Tensor:
        """Mean 0, deviation 1."""
        return torch.randn(shape, generator=self._generator, device=self.device)

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers from 0 to below ``high``."""
        return torch.randint(high, shape, generator=self._generator, device=self.device)

    def order(self, count: int) -> Tensor:
        """The numbers below ``count``, shuffled."""
        return torch.randperm(count, generator=self._generator, device=self.device)

    def choose(self, weights: Tensor, count: int) -> Tensor:
        """Indices (count,) drawn as often as their weights say."""
        return torch.multinomial(weights, count, replacement=True, generator=self._generator)


def five_points(landmarks: Tensor) -> Tensor:
    """As :func:`bdfm_infer.alignment.five_points`."""
    eyes = [landmarks[:, first : first + 6].mean(1) for first in (36, 42)]
    return torch.stack([*eyes, *(landmarks[:, i] for i in (30, 48, 54))], 1)


def mirror_landmarks(landmarks: Tensor) -> Tensor:
    """As :func:`bdfm_infer.alignment.mirror_landmarks`."""
    other = landmarks[:, constant(MIRRORED_LANDMARK.tolist(), landmarks.device)]
    return torch.stack([1.0 - other[..., 0], other[..., 1]], -1)


def mirror_parameters(parameters: Tensor) -> Tensor:
    """As :func:`bdfm_train.data.crops.mirror_parameters`, of (n, 25)."""
    out = parameters.clone()
    out[:, 0] = 1.0 - parameters[:, 0]
    out[:, AU_SLICE] = parameters[:, AU_SLICE][:, constant(MIRRORED_AU, parameters.device)]
    return out


def alignments(points: Tensor) -> Tensor:
    """:func:`bdfm_infer.alignment.alignment` of points (n, 5, 2): (n, 2, 3)."""
    target = constant(_TARGET, points.device)
    source_mean, target_mean = points.mean(1), target.mean(0)
    a, b = points - source_mean[:, None], target - target_mean
    spread = a.square().sum((1, 2)).clamp_min(1e-9)
    cosine = (a * b).sum((1, 2)) / spread
    sine = (a[..., 0] * b[:, 1] - a[..., 1] * b[:, 0]).sum(1) / spread
    turn = _turns(cosine, sine)
    return torch.cat([turn, (target_mean - (turn @ source_mean[..., None])[..., 0])[..., None]], 2)


def jittered_alignments(landmarks: Tensor, kinds: tuple[Jitter, ...], kind: Tensor, chance: Chance) -> Tensor:
    """Alignments (n, 2, 3) that are off as in use.

    Args:
        landmarks: (n, 68, 2) pixels.
        kinds: how far they may be off.
        kind: (n,) which of these each picture's is.
        chance: of the errors.
    """
    n = len(landmarks)
    values = [[j.points, j.turn, j.scale, j.shift] for j in kinds]
    amount = constant(values, landmarks.device)[kind]
    points = five_points(landmarks)
    reach = (points[:, 1] - points[:, 0]).abs().amax(1)
    matrix = alignments(points + chance.normal(n, 5, 2) * (reach * amount[:, 0])[:, None, None])
    angle, scale = chance.normal(n) * amount[:, 1], (chance.normal(n) * amount[:, 2]).exp()
    shift = chance.normal(n, 2) * amount[:, 3:] * CROP_SIZE
    return moved(matrix, angle, scale, shift)


def moved(matrix: Tensor, angle: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Alignments (n, 2, 3) turned and scaled about the crop's middle, then shifted by crop pixels (n, 2)."""
    turn = _turns(angle.cos() * scale, angle.sin() * scale)
    centre = (CROP_SIZE - 1) / 2
    place = (turn @ (matrix[..., 2:] - centre))[..., 0] + centre + shift
    return torch.cat([turn @ matrix[..., :2], place[..., None]], 2)


def apply(matrix: Tensor, points: Tensor) -> Tensor:
    """Points (n, k, 2) carried by (n, 2, 3)."""
    return points @ matrix[..., :2].transpose(1, 2) + matrix[:, None, :, 2]


def sources(matrix: Tensor, at: Tensor) -> Tensor:
    """Where in its picture each place of a grid in the crop lies: (n, size, size, 2) pixels.

    Args:
        matrix: (n, 2, 3), alignments to crops of :data:`CROP_SIZE`.
        at: (size,) columns, and rows, of the grid in pixels of such a crop.
    """
    size = len(at)
    cells = torch.stack([at.repeat(size), at.repeat_interleave(size)], 1)
    return ((cells[None] - matrix[:, None, :, 2]) @ _inverse(matrix).transpose(1, 2)).view(len(matrix), size, size, 2)


def crops(images: Tensor, matrix: Tensor, size: int) -> Tensor:
    """Crops (n, size, size) of pictures (n, s, s) uint8; what lies outside repeats the border."""
    centres = (torch.arange(size, device=matrix.device) + 0.5) * (CROP_SIZE / size) - 0.5
    at = (sources(matrix, centres) + 0.5) * (2.0 / images.shape[-1]) - 1.0
    pictures = images.float()[:, None] / 255.0
    return functional.grid_sample(pictures, at, padding_mode="border", align_corners=False)[:, 0]


def tone_parts(x: Tensor, labels: Tensor, chance: Chance) -> Tensor:
    """Lips and brows of some pictures brighter or darker; ``labels`` (n, 48, 48) are their classes."""
    x, toned = x.clone(), chance.order(len(x))[: round(TONED * len(x))]
    tone = torch.ones_like(x[toned])
    for names, mean, deviation in TONES:
        factor = (chance.normal(len(toned), 1, 1) * deviation + mean).exp().clamp(LEAST_TONE, MOST_TONE)
        classes = constant([LABEL[name] for name in names], x.device)
        part = torch.isin(labels[toned, None], classes).float()
        part = functional.interpolate(part, size=x.shape[1:], mode="bilinear", align_corners=False)[:, 0]
        tone += (factor - 1.0) * part
    x[toned] = (x[toned] * tone).clamp(0.0, 1.0)
    return x


def photograph(x: Tensor, chance: Chance) -> Tensor:
    """Blur, loss of resolution, compression, gamma, contrast, brightness, noise and occlusion."""
    x, n = x.clone(), len(x)
    order, begin = chance.order(n), 0
    for share, change in ((BLURRED, _blurred), (SMALL, _made_small), (COMPRESSED, _compressed)):
        chosen = order[begin : begin + round(share * n)]
        begin += len(chosen)
        if len(chosen):
            x[chosen] = change(x[chosen], chance)
    x = x.clamp(1e-3, 1.0) ** (chance.normal(n, 1, 1) * 0.35).exp()
    x = (x - 0.5) * (chance.normal(n, 1, 1) * 0.25).exp() + 0.5 + chance.normal(n, 1, 1) * 0.1
    noisy = chance.order(n)[: round(NOISY * n)]
    x[noisy] += chance.normal(len(noisy), *x.shape[1:]) * chance.uniform(len(noisy), 1, 1, high=0.05)
    hidden = chance.order(n)[: round(HIDDEN * n)]
    x[hidden] = _partly_hidden(x[hidden], chance)
    return x


def borrow_look(x: Tensor, looks: Tensor, chance: Chance) -> Tensor:
    """The low frequencies' amplitude of other pictures put into these, phase kept (Fourier domain adaptation)."""
    n, side = len(x), x.shape[-1]
    ours, theirs = torch.fft.fft2(x), torch.fft.fft2(looks)
    amplitude = ours.abs().clamp_min(1e-8)
    distance = (torch.fft.fftfreq(side, device=x.device) * side).abs()
    reach = torch.maximum(distance[:, None], distance[None])
    band = (reach <= 1.0 + chance.integers(4, n, 1, 1)) & (reach > 0)
    mixed = torch.lerp(amplitude, theirs.abs(), chance.uniform(n, 1, 1))
    return torch.fft.ifft2(ours * (torch.where(band, mixed, amplitude) / amplitude)).real


def texture(count: int, size: int, chance: Chance) -> Tensor:
    """Pictures of nothing: noise at several scales."""
    x = torch.zeros(count, size, size, device=chance.device)
    for cells in (2, 4, 8, 16, 48):
        noise = chance.uniform(count, 1, cells, cells)
        mode = "bicubic" if cells % 3 else "nearest"
        x = x + functional.interpolate(noise, size=(size, size), mode=mode)[:, 0] * chance.uniform(count, 1, 1) ** 2
    low, high = x.amin((1, 2), keepdim=True), x.amax((1, 2), keepdim=True)
    return (x - low) / (high - low).clamp_min(1e-3)


def _turns(cosine: Tensor, sine: Tensor) -> Tensor:
    return torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)


def _inverse(matrix: Tensor) -> Tensor:
    """Of the turn and scale of alignments (n, 2, 3): (n, 2, 2). A library's inverse waits to see that there is one."""
    (a, b), (c, d) = (row.unbind(1) for row in matrix[..., :2].unbind(1))
    adjugate = torch.stack([torch.stack([d, -b], 1), torch.stack([-c, a], 1)], 1)
    return adjugate / (a * d - b * c)[:, None, None]


def _blurred(x: Tensor, chance: Chance) -> Tensor:
    n = len(x)
    at = torch.arange(-_RADIUS, _RADIUS + 1, device=x.device)
    kernel = torch.exp(-0.5 * (at / chance.uniform(n, 1, low=BLUR[0], high=BLUR[1])).square())
    kernel = (kernel / kernel.sum(1, keepdim=True))[:, None]
    padded = functional.pad(x[None], (_RADIUS,) * 4, mode="reflect")
    down = functional.conv2d(padded, kernel[..., None], groups=n)
    return functional.conv2d(down, kernel[:, :, None], groups=n)[0]


def _made_small(x: Tensor, chance: Chance) -> Tensor:
    size, parts = x.shape[-1], []
    for part in x[:, None].tensor_split(4):
        side = round(size * chance.sizes.uniform(*SMALLNESS))
        small = functional.interpolate(part, size=(side, side), mode="area")
        parts.append(functional.interpolate(small, size=(size, size), mode="bilinear", align_corners=False))
    return torch.cat(parts)[:, 0]


def _compressed(x: Tensor, chance: Chance) -> Tensor:
    """What JPEG's quantisation of qualities 15 to 60 leaves of the luminance."""
    n, size = len(x), x.shape[-1]
    quality = chance.uniform(n, 1, 1, 1, 1, low=QUALITY[0], high=QUALITY[1])
    factor = torch.where(quality < 50.0, 50.0 / quality, 2.0 - quality / 50.0)
    table = (constant(_QUANTISATION, x.device) * factor + 0.5).floor().clamp(1.0, 255.0) / 255.0
    basis = _cosines(x.device)
    blocks = x.view(n, size // _BLOCK, _BLOCK, size // _BLOCK, _BLOCK).transpose(2, 3) - _MIDDLE
    kept = ((basis @ blocks @ basis.T) / table).round() * table
    return (basis.T @ kept @ basis).transpose(2, 3).reshape(n, size, size) + _MIDDLE


def _cosines(device: torch.device) -> Tensor:
    """The orthonormal discrete cosine transform of 8 values, (8, 8)."""
    k = torch.arange(_BLOCK, device=device)
    basis = torch.cos(math.pi / _BLOCK * (k[None] + 0.5) * k[:, None]) * math.sqrt(2.0 / _BLOCK)
    basis[0] /= math.sqrt(2.0)
    return basis


def _partly_hidden(x: Tensor, chance: Chance) -> Tensor:
    n, size = len(x), x.shape[-1]
    extent = 8 + chance.integers(size // 2 - 8, n, 2)
    start = (chance.uniform(n, 2) * (size - extent)).long()
    at = torch.arange(size, device=x.device)
    inside = (at >= start[..., None]) & (at < (start + extent)[..., None])
    return torch.where(inside[:, 0, :, None] & inside[:, 1, None], chance.uniform(n, 1, 1), x)
