# SPDX-License-Identifier: MIT
"""The contact sheet and the side-by-side video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
FACE_SIDES = 1.9
"""What the sheet shows of the clip, in face sizes."""


def clip_frames(source: str, take: Take, rows: Sequence[int], height: int) -> dict[int, Picture]:
    """The source's pictures of those rows, scaled down to at most ``height``, by row."""
    wanted = {int(take.frames[row]): row for row in rows}
    found = {}
    for frame in open_source(source):
        if frame.index in wanted and frame.image is not None:
            image = frame.image if frame.image.ndim == 3 else cv2.cvtColor(frame.image, cv2.COLOR_GRAY2BGR)
            found[wanted[frame.index]] = _fit_height(image, height)
        if len(found) == len(wanted):
            break
    return found


def face_crop(picture: Picture, take: Take, row: int, source_height: float) -> Picture:
    """A square around the face of that row, the background where it leaves the picture."""
    scale = picture.shape[0] / source_height
    x, y, size = take.face[row] * scale
    half = FACE_SIDES * size / 2
    corners = np.array([[x - half, y - half], [x + half, y - half], [x - half, y + half]], np.float32)
    square = np.array([[0, 0], [CELL, 0], [0, CELL]], np.float32)
    matrix = cv2.getAffineTransform(corners, square)
    return cv2.warpAffine(picture, matrix, (CELL, CELL), flags=cv2.INTER_AREA, borderValue=BACKGROUND[::-1])


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
    """An MP4 that shows the columns' pictures side by side."""
    height = min(picture.shape[0] for column in columns for picture in column)
    frames = [np.hstack([_fit_height(p, height) for p in moment]) for moment in zip(*columns, strict=True)]
    size = frames[0].shape[1] // 2 * 2, height // 2 * 2
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
    if not writer.isOpened():
        raise WriteError(f"{path} cannot be written. Free some space or choose another folder.")
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[: size[1], : size[0]]))
    writer.release()


def _fit_height(picture: Picture, height: int) -> Picture:
    scale = height / picture.shape[0]
    if scale >= 1 and picture.shape[0] == height:
        return picture
    return cv2.resize(picture, (round(picture.shape[1] * scale), height), interpolation=cv2.INTER_AREA)
