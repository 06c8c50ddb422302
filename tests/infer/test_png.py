# SPDX-License-Identifier: MIT
"""PNG files without an image library: others read them, and they come back as they were."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from bdfm_infer import png

NOISE = np.random.default_rng(3).integers(0, 256, (37, 53, 3), np.uint8)


def saved(**options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(NOISE).save(file, "PNG", **options)
    return file.getvalue()


@pytest.mark.parametrize("picture", [NOISE, NOISE[..., ::-1], NOISE[:1, :1], np.zeros((128, 256, 3), np.uint8)])
def test_a_picture_comes_back_and_others_read_it(picture: np.ndarray) -> None:
    data = png.encode(picture)
    np.testing.assert_array_equal(png.decode(data), picture)
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.format, opened.mode) == ("PNG", "RGB")
        np.testing.assert_array_equal(np.asarray(opened), picture)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read[..., ::-1], picture)


def test_grey_becomes_rgb() -> None:
    grey = NOISE[..., 0]
    np.testing.assert_array_equal(png.decode(png.encode(grey)), np.stack([grey] * 3, axis=2))


def changed(data: bytes, place: int, value: int) -> bytes:
    return data[:place] + bytes([value]) + data[place + 1 :]


WHOLE = png.encode(NOISE)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        b"GIF89a" + WHOLE[6:],
        saved(),
        WHOLE[:40],
        WHOLE[: len(WHOLE) // 2],
        changed(WHOLE, 60, WHOLE[60] ^ 255),
        changed(WHOLE, 25, 6),
        WHOLE[:16] + struct.pack(">2I", 2**31, 2**31) + WHOLE[24:],
        WHOLE[:16] + struct.pack(">2I", 53, 36) + WHOLE[24:],
    ],
    ids=["empty", "text", "gif", "by pillow", "head", "cut", "damaged", "rgba", "huge", "lower"],
)
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"PNG file|reshape"):
        png.decode(data)
