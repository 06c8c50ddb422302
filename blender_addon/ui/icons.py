# SPDX-License-Identifier: GPL-3.0-or-later
"""Icons out of pixels. Blender must not load pictures of people: it leaves a thumbnail of each on disk, for good."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray


def fill(icon: bpy.types.ImagePreview, picture: NDArray[np.uint8]) -> None:
    """Let an icon show a picture, (h, w, 3) RGB with the top line first."""
    height, width = picture.shape[:2]
    pixels = np.full((height, width, 4), 255, np.uint8)
    pixels[..., :3] = picture[::-1]
    if tuple(icon.image_size) != (width, height):
        icon.image_size = (width, height)
    icon.image_pixels.foreach_set(pixels.view(np.int32).ravel())
