# SPDX-License-Identifier: MIT
"""Small media files for tests: clips with chosen frame times and rotation, cut files, sound alone."""

from __future__ import annotations

import struct
import wave
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def write_video(path: Path, images: Iterable[NDArray[np.uint8]], fps: float = 30.0) -> Path:
    """MP4 (MPEG-4) or AVI (motion JPEG), by the name's extension."""
    writer = None
    for image in images:
        if writer is None:
            code = cv2.VideoWriter_fourcc(*("mp4v" if path.suffix == ".mp4" else "MJPG"))
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, fps, image.shape[1::-1])
            assert writer.isOpened()
        writer.write(image)
    assert writer is not None
    writer.release()
    return path


def set_frame_times(path: Path, times: Sequence[float]) -> None:
    """Give an MP4 these presentation times in seconds, first 0: ``stts`` is written anew, the edit list taken out."""
    data = path.read_bytes().replace(b"edts", b"free")
    scale = struct.unpack_from(">I", data, data.index(b"mdhd") + 16)[0]
    ticks = np.round(np.asarray(times) * scale).astype(int)
    steps = [*np.diff(ticks), scale // 30]
    body = struct.pack(">II", 0, len(steps)) + b"".join(struct.pack(">II", 1, int(step)) for step in steps)
    path.write_bytes(_replace(data, (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"), body))


def set_rotation(path: Path, degrees: int) -> None:
    """Give an MP4 the display matrix that turns its frames clockwise, as phones write it."""
    set_matrix(path, *{90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees])


def set_matrix(path: Path, *parts: int) -> None:
    """Give an MP4 a display matrix: what is at x, y is shown at ``a x + c y``, ``b x + d y``."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (part << 16 for part in parts)
    struct.pack_into(">9i", data, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))


def move_index_to_front(path: Path) -> None:
    """Move an MP4's index before its data, as for streaming."""
    data = path.read_bytes()
    boxes = dict(_boxes(data))
    moov = bytearray(boxes[b"moov"])
    place = moov.index(b"stco") + 4
    count = struct.unpack_from(">I", moov, place + 4)[0]
    for i in range(count):
        offset = struct.unpack_from(">I", moov, place + 8 + 4 * i)[0]
        struct.pack_into(">I", moov, place + 8 + 4 * i, offset + len(moov))
    rest = b"".join(content for name, content in _boxes(data) if name not in (b"ftyp", b"moov"))
    path.write_bytes(boxes[b"ftyp"] + bytes(moov) + rest)


def cut(path: Path, part: float) -> None:
    """Leave the first part (0 to 1) of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])


def write_sound(path: Path) -> Path:
    """A second of silence."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    return path


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    found, start = [], 0
    while start < len(data):
        size = struct.unpack_from(">I", data, start)[0]
        found.append((data[start + 4 : start + 8], data[start : start + size]))
        start += size
    return found


def _replace(data: bytes, names: tuple[bytes, ...], body: bytes) -> bytes:
    """The boxes of ``data`` with the content of the one at that path replaced."""
    out = b""
    for name, box in _boxes(data):
        if name != names[0]:
            out += box
            continue
        inner = body if len(names) == 1 else _replace(box[8:], names[1:], body)
        out += struct.pack(">I", len(inner) + 8) + name + inner
    return out
