# SPDX-License-Identifier: MIT
"""The contact sheet and the side-by-side video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bdfm_infer.errors import WriteError
from bdfm_infer.frames import open_source
from bdfm_infer.take import Take

Picture = NDArray[np.uint8]
"""(h, w, 3) BGR."""

BACKGROUND, INK = (24, 26, 30), (232, 232, 228)
CELL, GAP, LEFT, TOP = 200, 4, 150, 30
FACE_SIDES = 1.35
"""What the sheet shows of the clip, in face sizes."""


@dataclass(frozen=True)
class ClipPicture:
    """One frame of the source.

    Attributes:
        whole: (h, w, 3) the frame, letterboxed to the size that the video shows.
        face: (CELL, CELL, 3) a square around the face; the whole picture where the row has none.
    """

    whole: Picture
    face: Picture


def clip_pictures(source: str, take: Take, rows: Sequence[int], height: int) -> dict[int, ClipPicture]:
    """The source's frames of those rows, by row. All are as wide as the first one at that height."""
    wanted = {int(take.frames[row]): row for row in rows}
    found: dict[int, ClipPicture] = {}
    width = 0
    for frame in open_source(source):
        if frame.index in wanted and frame.image is not None:
            image = frame.image if frame.image.ndim == 3 else cv2.cvtColor(frame.image, cv2.COLOR_GRAY2BGR)
            width = width or round(image.shape[1] * height / image.shape[0])
            row = wanted[frame.index]
            found[row] = ClipPicture(letterbox(image, width, height), face_crop(image, take.face[row]))
        if len(found) == len(wanted):
            break
    return found


def face_crop(picture: Picture, face: NDArray[np.float64]) -> Picture:
    """A square around a face (centre x, y, size), the background where it leaves the picture."""
    if np.isnan(face).any():
        return letterbox(picture, CELL, CELL)
    (x, y), half = face[:2], FACE_SIDES * face[2] / 2
    shrink = max(1, int(2 * half / CELL))
    picture = cv2.resize(picture, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    x, y, half = x / shrink, y / shrink, half / shrink
    corners = np.array([[x - half, y - half], [x + half, y - half], [x - half, y + half]], np.float32)
    square = np.array([[0, 0], [CELL, 0], [0, CELL]], np.float32)
    matrix = cv2.getAffineTransform(corners, square)
    return cv2.warpAffine(picture, matrix, (CELL, CELL), flags=cv2.INTER_LINEAR, borderValue=BACKGROUND[::-1])


def letterbox(picture: Picture, width: int, height: int) -> Picture:
    """The whole picture in the middle of a background of that size."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    canvas = np.full((height, width, 3), BACKGROUND[::-1], np.uint8)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas


def write_sheet(path: Path, rows: Mapping[str, Sequence[Picture]], captions: Sequence[str]) -> None:
    """One PNG: a labelled row of pictures for each title, a caption above each column."""
    width = LEFT + len(captions) * (CELL + GAP)
    sheet = Image.new("RGB", (width, TOP + len(rows) * (CELL + GAP)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=15)
    for column, caption in enumerate(captions):
        draw.text((LEFT + column * (CELL + GAP) + CELL / 2, TOP / 2), caption, INK, font, anchor="mm")
    for line, (title, pictures) in enumerate(rows.items()):
        top = TOP + line * (CELL + GAP)
        draw.text((8, top + CELL / 2), title, INK, font, anchor="lm")
        for column, picture in enumerate(pictures):
            cell = cv2.cvtColor(cv2.resize(picture, (CELL, CELL), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
            sheet.paste(Image.fromarray(cell), (LEFT + column * (CELL + GAP), top))
    try:
        sheet.save(path)
    except OSError as error:
        raise WriteError(f"{path} cannot be written ({error.strerror or error}). Free some space.") from error


def write_video(path: Path, columns: Sequence[Sequence[Picture]], rate: float) -> None:
    """An MP4 that shows the columns' pictures, all of one height, side by side."""
    frames = [np.hstack(moment) for moment in zip(*columns, strict=True)]
    size = frames[0].shape[1] // 2 * 2, frames[0].shape[0] // 2 * 2
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
    if not writer.isOpened():
        raise WriteError(f"{path} cannot be written. Free some space or choose another folder.")
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[: size[1], : size[0]]))
    writer.release()
