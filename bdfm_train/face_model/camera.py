# SPDX-License-Identifier: MIT
"""What a camera and a codec do to a picture after rendering: blur, low resolution, noise, compression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def photograph(image: Image, rng: np.random.Generator) -> Image:
    """A worse copy of ``image`` (H, W) or (H, W, 3) uint8; now and then an untouched one."""
    if rng.random() < 0.15:
        return image
    out = image
    if rng.random() < 0.4:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, 1.2))
    if rng.random() < 0.12:
        out = motion_blur(out, length=int(rng.integers(3, 7)), angle=rng.uniform(0, np.pi))
    if rng.random() < 0.2:
        out = low_resolution(out, scale=rng.uniform(0.45, 0.9))
    if rng.random() < 0.6:
        out = sensor_noise(out, gain=rng.uniform(0.1, 0.8) ** 2, rng=rng)
    if rng.random() < 0.5:
        out = compress(out, quality=int(rng.integers(25, 95)))
    return out


def motion_blur(image: Image, length: int, angle: float) -> Image:
    """Smear along a straight line of ``length`` pixels at ``angle`` radians."""
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2
    step = np.linspace(-middle, middle, 4 * length)
    rows = np.rint(middle + step * np.sin(angle)).astype(int)
    columns = np.rint(middle + step * np.cos(angle)).astype(int)
    kernel[rows, columns] = 1
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def low_resolution(image: Image, scale: float) -> Image:
    """Down by ``scale`` and up again."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(int(width * scale), 8), max(int(height * scale), 8)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def sensor_noise(image: Image, gain: float, rng: np.random.Generator) -> Image:
    """Photon and read-out noise; ``gain`` 0..1, 1 being a phone at night."""
    noise = rng.standard_normal(image.shape, np.float32)
    noise *= gain * (4.0 + np.sqrt(image, dtype=np.float32))
    return np.clip(image + noise + 0.5, 0, 255).astype(np.uint8)


def compress(image: Image, quality: int) -> Image:
    """Through JPEG and back."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
