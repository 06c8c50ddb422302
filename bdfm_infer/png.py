# SPDX-License-Identifier: MIT
"""PNG files that numpy and zlib alone write and read, fast enough for a panel that follows the timeline. numpy alone.

Blender would leave a thumbnail of each file that it loads in the user's home folder, for good. Pictures of people are
therefore read by :func:`decode`, which knows what :func:`encode` writes: one chunk of data, each line as its difference
to the line above.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_FORM: Final = (8, 2, 0, 0, 0)
"""8 bits, RGB, and the only compression, set of filters and order that there is."""
_SIZE: Final = struct.Struct(">2I5B")
_HEAD: Final = struct.Struct(">8s 4x4s 2I5B 4x I4s")
"""Signature, chunk IHDR, begin of chunk IDAT."""
_UP: Final = 2
"""Filter of a line that holds its difference to the line above."""


def encode(image: Image) -> bytes:
    """A PNG file of a picture, (h, w, 3) or grey (h, w)."""
    rgb = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    height, width = rgb.shape[:2]
    pixels = rgb.reshape(height, 3 * width)
    lines = np.full((height, 1 + 3 * width), _UP, np.uint8)
    lines[:, 1:] = np.diff(pixels, axis=0, prepend=np.uint8(0))
    packer = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    data = packer.compress(lines.tobytes()) + packer.flush()
    chunks = ((b"IHDR", _SIZE.pack(width, height, *_FORM)), (b"IDAT", data), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def decode(data: bytes) -> Image:
    """The picture, (h, w, 3), of a file that :func:`encode` wrote.

    Raises:
        ValueError: it is another file, or a damaged one.
    """
    try:
        signature, head, width, height, *form, size, body = _HEAD.unpack_from(data)
        if (signature, head, tuple(form), body) != (_SIGNATURE, b"IHDR", _FORM, b"IDAT"):
            raise ValueError("not a PNG file as bdfm_infer.png writes it")
        packed = memoryview(data)[_HEAD.size : _HEAD.size + size]
        lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    except (struct.error, zlib.error) as error:
        raise ValueError(f"a damaged PNG file: {error}") from error
    if (lines[:, 0] != _UP).any():
        raise ValueError("not a PNG file as bdfm_infer.png writes it")
    return np.add.accumulate(lines[:, 1:], axis=0, dtype=np.uint8).reshape(height, width, 3)
