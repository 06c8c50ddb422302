# SPDX-License-Identifier: MIT
"""The add-on's pictures of the action units: ``python -m bdfm_train.face_model.pictures --heads DIR --out DIR``.

Writes one small PNG for each action unit at 1, ``AU01.png`` and so on, on head B. The add-on carries them in
``blender_addon/pictures``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import cv2
import numpy as np
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
VIEW: Final = View(rotation=(14.0, 0.0, 0.0), zoom=1.25, shift=(0.0, 0.06))
SIDEWAYS: Final = View(zoom=1.25, shift=(0.0, 0.06))
"""From the front, for the jaw that goes to a side."""


def write_pictures(head: Head, folder: Path) -> list[Path]:
    """Write a picture of each action unit at its strongest; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    renderer = Renderer(head, (SIZE * SCALE, SIZE * SCALE))
    look = default_look(head, renderer.shape)
    paths = []
    for place, name in enumerate(AU_NAMES, start=AU_SLICE.start):
        face = base_face()
        face[place] = 1.0
        view = SIDEWAYS if name.startswith("jaw") else VIEW
        picture = cv2.resize(renderer(face, look, view).image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
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
