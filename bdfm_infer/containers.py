# SPDX-License-Identifier: MIT
"""What a media file's own headers say: which container it is, and whether the file is as long as they promise.

OpenCV reports neither; it merely stops reading or refuses to open. MPEG program and transport streams carry no length,
so a break in one of those cannot be told from its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

_MP4_FIRST: Final = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_EBML: Final = b"\x1a\x45\xdf\xa3"
_SEGMENT: Final = b"\x18\x53\x80\x67"
_AUDIO: Final = (b"ID3", b"OggS", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1", b"\xff\xf9", b"MThd", b"#!AMR")


def is_media(path: Path) -> bool:
    """Whether the file starts as audio or video files do."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[4:8] in _MP4_FIRST or head[:4] in (_EBML, b"RIFF") or head.startswith(_AUDIO)


def is_broken_off(path: Path) -> bool:
    """Whether the file ends before the place that its container's header names, or before its index (MP4, MOV)."""
    length = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in _MP4_FIRST:
            boxes = list(_mp4_boxes(file, 0, length))
            return boxes[-1][2] > length or all(name != b"moov" for name, _, _ in boxes)
        if head[:4] == b"RIFF":
            return int.from_bytes(head[4:8], "little") + 8 > length
        if head[:4] == _EBML:
            return _matroska_end(file) > length
    return False


def is_mirrored(path: Path) -> bool:
    """Whether the display matrix of an MP4's or MOV's first video track mirrors its frames."""
    length = path.stat().st_size
    with path.open("rb") as file:
        if file.read(12)[4:8] not in _MP4_FIRST:
            return False
        for track in (track for index in _within(file, b"moov", 0, length) for track in _within(file, b"trak", *index)):
            kinds = [kind for media in _within(file, b"mdia", *track) for kind in _within(file, b"hdlr", *media)]
            if any(_bytes(file, start + 8, 4) == b"vide" for start, _ in kinds):
                return any(_mirrors(file, start) for start, _ in _within(file, b"tkhd", *track))
    return False


def _mirrors(file: BinaryIO, start: int) -> bool:
    """Whether the matrix of a track's header, which begins at ``start``, has a negative determinant."""
    matrix = start + (52 if _bytes(file, start, 1) == b"\1" else 40)
    a, b, _, c, d = (int.from_bytes(_bytes(file, matrix + 4 * i, 4), "big", signed=True) for i in range(5))
    return a * d - b * c < 0


def _bytes(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)


def _within(file: BinaryIO, name: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Start and end of the contents of the boxes of a name in a stretch of the file."""
    return [(inner, after) for found, inner, after in _mp4_boxes(file, start, end) if found == name]


def _mp4_boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, and start of the content and end (bytes from the file's start), of each box in a stretch of the file."""
    while start + 8 <= end:
        file.seek(start)
        size, name, header = int.from_bytes(file.read(4), "big"), file.read(4), 8
        if size == 1:
            size, header = int.from_bytes(file.read(8), "big"), 16
        elif size == 0:
            size = end - start
        inner, start = start + header, start + max(size, 8)
        yield name, inner, start


def _matroska_end(file: BinaryIO) -> int:
    """Where the segment ends; 0 where it does not say so (a live recording)."""
    file.seek(4)
    file.seek(_vint(file) or 0, 1)
    if file.read(4) != _SEGMENT:
        return 0
    size = _vint(file)
    return 0 if size is None else file.tell() + size


def _vint(file: BinaryIO) -> int | None:
    """A Matroska integer of variable length; None is "unknown"."""
    first = file.read(1)
    if not first or first == b"\0":
        return None
    n_more = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0x7F >> n_more)]) + file.read(n_more), "big")
    return None if value == (1 << 7 * (n_more + 1)) - 1 else value
