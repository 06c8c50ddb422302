# SPDX-License-Identifier: MIT
"""Small pictures of a take, one a row: the clip's face on the left, the avatar doing the same on the right."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from . import png
from .avatar import SIZE, Avatar
from .errors import CancelledError, WriteError
from .frames import Image, SourceName, open_source
from .outputs import write_whole
from .take import Take

KEPT: Final = 0xFC
"""Bits of each value that a picture keeps: the lowest two are grain, and would nearly double the file."""
_GREY: Final = 40
_MARGIN: Final = 0.5
"""Half a side of the cut-out, in sizes of the face."""
_EVERY: Final = 30
"""Rows between two reports."""


def write_pictures(
    take: Take,
    source: SourceName,
    folder: str | os.PathLike[str],
    avatar: Avatar,
    cancel: threading.Event | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Write ``000000.png``, …, one for each row, 128 px high and twice as wide. Those that are there are kept.

    The cut-out is the same in all pictures, wide enough for the face wherever it goes. Where a row shows no face, the
    right half is empty; a row whose frame cannot be read has no picture.

    Args:
        take: what the avatar does, as it is (see :meth:`Take.processed`).
        source: the clip or the images that it was read from, see :func:`.frames.open_source`.
        folder: for the pictures; it is made where it is missing.
        avatar: draws the right half.
        cancel: ends the work when set; pictures that are done are kept.
        progress: called with the number of rows that are done.

    Returns:
        ``frames``, the number of pictures in the folder.

    Raises:
        CancelledError: ``cancel`` was set.
        WriteError: the folder cannot be written.
        BdfmError: the source cannot be opened.
    """
    folder = Path(folder)
    rows = {int(frame): row for row, frame in enumerate(take.frames)}
    opened = open_source(source, image_fps=_rate(take))
    window = _window(take)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for frame in opened:
            row = rows.get(frame.index)
            if cancel is not None and cancel.is_set():
                raise CancelledError("Stopped; the pictures in {folder} are kept.", folder=folder)
            if row is None or frame.image is None:
                continue
            path = folder / f"{row:06d}.png"
            if not path.exists():
                face = avatar.draw(take.rotation[row], take.action_units[row]) if take.success[row] else _empty()
                _write(path, np.hstack([_cut(frame.image, window)[..., ::-1], face]))
            if progress is not None and row % _EVERY == 0:
                progress(row + 1)
            if row == len(take) - 1:
                break
    except OSError as error:
        raise WriteError(
            "{folder} cannot be written: {reason}. Free some space.", folder=folder, reason=error.strerror or error
        ) from error
    return {"frames": sum(1 for _ in folder.glob("*.png"))}


def _rate(take: Take) -> float:
    """Images a second of a folder; the number of the frame tells its row whatever it is."""
    source = take.facts.get("source")
    rate = source.get("fps") if isinstance(source, dict) else None
    return float(rate) if isinstance(rate, int | float) and 0 < rate < 1e6 else 1.0


def _window(take: Take) -> tuple[float, float, float] | None:
    """Centre and half a side, pixels, of a square that the face never leaves but for a moment; None: unknown."""
    found = take.face[np.isfinite(take.face).all(axis=1)]
    if not len(found):
        return None
    low, high = np.percentile(found[:, :2], [2, 98], axis=0)
    x, y = (low + high) / 2
    return float(x), float(y), float((high - low).max() / 2 + _MARGIN * np.percentile(found[:, 2], 90))


def _cut(image: Image, window: tuple[float, float, float] | None) -> Image:
    """The window of a frame, or all of it, as (128, 128, 3) BGR; what lies outside of the frame is grey."""
    coloured = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
    height, width = coloured.shape[:2]
    x, y, half = window or (width / 2, height / 2, max(width, height) / 2)
    scale = SIZE / (2 * half)
    matrix = np.array([[scale, 0, SIZE / 2 - scale * x], [0, scale, SIZE / 2 - scale * y]])
    if scale < 1:
        coloured = cv2.resize(coloured, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        matrix[:, :2] = np.eye(2)
    return np.asarray(
        cv2.warpAffine(coloured, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_CONSTANT, borderValue=(_GREY,) * 3),
        np.uint8,
    )


def _empty() -> Image:
    return np.full((SIZE, SIZE, 3), _GREY, np.uint8)


def _write(path: Path, image: Image) -> None:
    write_whole(path, png.encode(image & np.uint8(KEPT)))
