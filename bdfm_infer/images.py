# SPDX-License-Identifier: MIT
"""Still images as 8-bit pictures, upright: EXIF rotation, 16 bits, palettes and transparency are resolved here."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import InputNotFoundError, NotAVideoError

IMAGE_SUFFIXES: Final = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".avif"),
        *(".pgm", ".ppm", ".pnm", ".tga", ".jp2"),
    }
)
VIDEO_FORMATS: Final = frozenset({"MPEG", "GIF"})
"""What Pillow names but a video decoder has to read."""

BACKGROUND: Final = 128
"""Grey that stands behind transparent pixels."""


def is_image(path: Path) -> bool:
    """Whether the file's content, whatever its name, is a still image."""
    try:
        with Image.open(path) as image:
            return image.format not in VIDEO_FORMATS
    except Image.DecompressionBombError:
        return True
    except (OSError, ValueError, SyntaxError):
        return False


def load_image(path: Path) -> NDArray[np.uint8]:
    """The picture as (h, w) grey or (h, w, 3) BGR uint8.

    Raises:
        InputNotFoundError: there is no such file.
        NotAVideoError: no image, a damaged one, or one of more than about 180 megapixels.
    """
    try:
        with Image.open(path) as image:
            return _eight_bit(ImageOps.exif_transpose(image))
    except FileNotFoundError as error:
        raise InputNotFoundError("{path}: no such file. Check the spelling.", path=path) from error
    except UnidentifiedImageError as error:
        raise NotAVideoError("{path} is not an image that can be read. Save it as JPEG or PNG.", path=path) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NotAVideoError(
            "{path}: the image cannot be decoded ({reason}). Save it again as JPEG or PNG.", path=path, reason=error
        ) from error


def _eight_bit(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image, np.float64)
        full = 65535.0 if image.mode != "F" else max(float(values.max()), 1e-9)
        return (np.clip(values / full, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        behind = Image.new("RGBA", image.size, (BACKGROUND, BACKGROUND, BACKGROUND, 255))
        image = Image.alpha_composite(behind, image)
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
