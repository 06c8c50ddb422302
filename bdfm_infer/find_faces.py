# SPDX-License-Identifier: MIT
"""Pictures of the faces that are seen about a time, to choose from before a capture."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path
from typing import Any, Final

import numpy as np

from . import png
from .alignment import crop
from .errors import CancelledError, NoFaceError, WriteError
from .faces import Face
from .frames import Frame, SourceName, open_source
from .outputs import refuse_existing, spare
from .predictor import Image, Predictor

SECONDS: Final = 1.0
"""How far after the time faces are looked for."""

LOOKS: Final = 10
"""Most frames that are looked at in that stretch."""

PICTURE: Final = 128
"""Side of a picture, pixels."""

_MARGIN: Final = 0.7
"""Half a picture's side, in sides of the face's aligned square."""

_NAMES: Final = re.compile(r"faces\.json|face[0-9]+\.png")


def find_faces(
    source: SourceName,
    at: float,
    folder: str | os.PathLike[str],
    image_fps: float = 1.0,
    weights: str | None = None,
    overwrite: bool = False,
    cancel: threading.Event | None = None,
) -> dict[str, Any]:
    """Write ``face1.png``, … and ``faces.json`` of the frame with the most faces within a second after a time.

    Args:
        source: path or pattern, or paths of images.
        at: seconds.
        folder: for the files; it is made where it is missing.
        image_fps: images a second, for the times of a list of images.
        weights: folder of the networks.
        overwrite: replace older files of these names; what is read is not replaced.
        cancel: ends the work when set; no file is written.

    Returns:
        The content of ``faces.json``: ``time`` (seconds) and ``frame`` of the source, and ``faces``, largest first,
        each with ``x``, ``y`` (centre) and ``size``, pixels, ``confidence`` and ``picture``, the file's name.

    Raises:
        CancelledError: ``cancel`` was set.
        NoFaceError: no face is seen there.
        OutputExistsError: the folder holds files of these names and ``overwrite`` is false, or one is what is read.
        WriteError: the folder cannot be written.
        BdfmError: the source cannot be opened.
    """
    older = older_files(Path(folder))
    if not overwrite:
        refuse_existing(older)
    predictor = Predictor(weights)
    opened = open_source(source, at, at + SECONDS, image_fps, cancel=cancel)
    for path in older:
        spare(path, opened.paths)
    step = max(1, opened.estimated_frames // LOOKS)
    best: tuple[Frame, list[Face]] | None = None
    for number, frame in enumerate(opened):
        if cancel is not None and cancel.is_set():
            break
        if number % step or frame.image is None:
            continue
        faces = predictor.faces(frame.image)
        if best is None or len(faces) > len(best[1]):
            best = frame, faces
    if cancel is not None and cancel.is_set():
        raise CancelledError("Stopped; no picture was written.")
    if best is None or not best[1]:
        raise NoFaceError(
            "{source}: no face is seen about {time:.2f} s. Choose another time.", source=opened.facts["name"], time=at
        )
    return _write(Path(folder), *best)


def older_files(folder: Path) -> list[Path]:
    """What an earlier look left in a folder, or is named as if it had."""
    return sorted(path for path in folder.iterdir() if _NAMES.fullmatch(path.name)) if folder.is_dir() else []


def _write(folder: Path, frame: Frame, faces: list[Face]) -> dict[str, Any]:
    assert frame.image is not None
    found = {
        "time": round(frame.time, 6),
        "frame": frame.index,
        "faces": [
            {
                "x": round(float(face.place[0]), 2),
                "y": round(float(face.place[1]), 2),
                "size": round(face.size, 2),
                "confidence": round(face.confidence, 4),
                "picture": f"face{number}.png",
            }
            for number, face in enumerate(faces, 1)
        ],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, face in enumerate(faces, 1):
            (folder / f"face{number}.png").write_bytes(png.encode(_portrait(frame.image, face)))
        (folder / "faces.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise WriteError(
            "{folder} cannot be written: {reason}. Choose another folder.",
            folder=folder,
            reason=error.strerror or error,
        ) from error
    return found


def _portrait(image: Image, face: Face) -> Image:
    """The face in a square, (128, 128) or (128, 128, 3) RGB."""
    x, y, side = face.place
    scale = PICTURE / (2 * _MARGIN * side)
    middle = (PICTURE - 1) / 2
    square = crop(image, np.array([[scale, 0, middle - scale * x], [0, scale, middle - scale * y]]), PICTURE)
    return square[..., ::-1] if square.ndim == 3 else square
