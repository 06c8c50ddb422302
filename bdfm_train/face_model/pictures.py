# SPDX-License-Identifier: MIT
"""The add-on's pictures of the action units: ``python -m bdfm_train.face_model.pictures --heads DIR --out DIR``.

Writes one small PNG for each action unit at 1, ``AU01.png`` and so on, on head B. A jaw that goes to a side is a
little open, with a line through the middle of the face. The add-on carries them in ``blender_addon/pictures``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bdfm_infer.parameters import AU_NAMES, AU_SLICE, base_face
from bdfm_train.command import run

from .head import Head
from .looks import View, default_look
from .render import Renderer

SIZE: Final = 160
SCALE: Final = 3
"""Rendered this much larger, then averaged down."""
COLOURS: Final = 128
NOSE_BRIDGE: Final = 27
"""Number of the landmark between the eyes, which no jaw moves."""
VIEW: Final = View(rotation=(14.0, 0.0, 0.0), zoom=1.25, shift=(0.0, 0.06))
WIDE: Final = View(rotation=(14.0, 0.0, 0.0), zoom=1.1, shift=(0.0, -0.05))
"""For the jaw that drops: the whole chin is to be seen."""
SIDEWAYS: Final = View(zoom=1.4, shift=(0.0, -0.1))
"""From the front and closer, for the jaw that goes to a side."""
SIDEWAYS_OPEN: Final = 0.35
"""AU26 of a jaw that goes to a side: with the mouth closed the two sides can hardly be told apart."""
MIDDLE_COLOUR: Final = (60, 60, 60)
"""Of the line through the middle of the face, from which such a jaw goes away."""


def posed(name: str) -> tuple[NDArray[np.float32], View]:
    """The face, (269,) parameters, and the view that show an action unit at its strongest."""
    face = base_face()
    units = face[AU_SLICE]
    units[AU_NAMES.index(name)] = 1.0
    if name.startswith("jaw"):
        units[AU_NAMES.index("AU26")] = SIDEWAYS_OPEN
        return face, SIDEWAYS
    return face, WIDE if name == "AU26" else VIEW


def write_pictures(head: Head, folder: Path) -> list[Path]:
    """Write a picture of each action unit at its strongest; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    renderer = Renderer(head, (SIZE * SCALE, SIZE * SCALE))
    look = default_look(head, renderer.shape)
    paths = []
    for name in AU_NAMES:
        face, view = posed(name)
        image, _, landmarks = renderer(face, look, view)
        if view is SIDEWAYS:
            middle = round(float(landmarks[NOSE_BRIDGE, 0]))
            cv2.line(image, (middle, 0), (middle, len(image)), MIDDLE_COLOUR, SCALE)
        picture = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        paths.append(folder / f"{name}.png")
        Image.fromarray(np.ascontiguousarray(picture)).quantize(COLOURS, dither=Image.Dither.NONE).save(
            paths[-1], optimize=True
        )
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heads", type=Path, required=True, help="folder of the built heads")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    arguments = parser.parse_args()
    for path in write_pictures(Head.load(arguments.heads, "b"), arguments.out):
        print(path)


if __name__ == "__main__":
    raise SystemExit(run(main))
