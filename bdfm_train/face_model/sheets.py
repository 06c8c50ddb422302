# SPDX-License-Identifier: MIT
"""Contact sheets to look at: ``python -m bdfm_train.face_model.sheets --heads DIR --out DIR``.

Writes, for each head: every action unit at 1, 48 random faces, label maps with landmarks, poses, gaze and glasses, brow
styles, and close-ups of the folds that action units raise.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_NAMES, AU_SLICE, BROW_SLICE, N_BROW_STYLES, base_face
from bdfm_train.arrays import write_picture
from bdfm_train.command import run

from .glasses import random_glasses
from .head import Head, built_heads
from .looks import Look, View, default_look
from .performance import Performances
from .render import Renderer
from .renders import random_renders
from .sources import sources_root
from .wrinkles import FOLDS

SIZE: Final = 192
CLOSE_UP: Final = 288
PALETTE: Final = np.array(
    [
        [0, 0, 0], [204, 158, 132], [80, 50, 25], [150, 100, 50], [90, 160, 255], [90, 255, 220], [230, 120, 90],
        [190, 60, 90], [120, 20, 40], [255, 64, 64], [255, 200, 100], [100, 150, 200], [60, 46, 40], [76, 100, 150],
    ],
    np.uint8,
)  # fmt: skip
"""Colour of each class of a label map."""

Image = NDArray[np.uint8]


def write_sheets(head: Head, performances: Performances | None, folder: Path) -> list[Path]:
    """Write all sheets of one head; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    renderer = Renderer(head, (SIZE, SIZE))
    look = default_look(head, renderer.shape)
    faces = [sample for sample, _ in zip(random_renders(renderer, performances, seed=7), range(48), strict=False)]
    sheets: dict[str, tuple[Iterable[Image], int]] = {
        "action_units": (_action_units(renderer, look), 6),
        "random": ((face.render.image for face in faces), 8),
        "labels": ((_labels(*face.render) for face in faces[:32]), 8),
        "poses": (_poses(renderer, look), 5),
        "gaze_and_glasses": (_gaze_and_glasses(renderer, look), 6),
        "brows": (_brows(renderer, look), 9),
        "folds": (_folds(head), 4),
    }
    paths = []
    for name, (tiles, columns) in sheets.items():
        paths.append(folder / f"{name}_{head.name}.png")
        write_picture(paths[-1], grid(list(tiles), columns)[..., ::-1])
    return paths


def _action_units(renderer: Renderer, look: Look) -> Iterable[Image]:
    view = View(rotation=(12.0, 0.0, 0.0))
    yield tag(renderer(base_face(), look, view).image, "rest")
    for name in AU_NAMES:
        yield tag(renderer(_face({name: 1.0}), look, view).image, name)


def _labels(image: Image, labels: Image, landmarks: NDArray[np.float32]) -> Image:
    picture = np.where(labels[..., None] > 0, PALETTE[labels] // 2 + image // 2, image // 3)
    for x, y in landmarks:
        cv2.circle(picture, (round(float(x)), round(float(y))), 1, (0, 255, 0), -1)
    return picture


def _poses(renderer: Renderer, look: Look) -> Iterable[Image]:
    for pitch in (30, 0, -30):
        for yaw in (-60, -30, 0, 30, 60):
            view = View(rotation=(float(yaw), float(pitch), 0.0))
            yield tag(renderer(base_face(), look, view).image, f"yaw {yaw} pitch {pitch}")
    for roll in (-20, 20):
        yield tag(renderer(base_face(), look, View(rotation=(0.0, 0.0, float(roll)))).image, f"roll {roll}")
    for yaw in (-90, 90):
        yield tag(renderer(base_face(), look, View(rotation=(float(yaw), 0.0, 0.0))).image, f"yaw {yaw}")


def _gaze_and_glasses(renderer: Renderer, look: Look) -> Iterable[Image]:
    rng = np.random.default_rng(0)
    for left, up in ((-20, 0), (20, 0), (0, 15), (0, -15), (15, 10), (0, 0)):
        view = View(gaze=(float(left), float(up)), zoom=1.3)
        yield tag(renderer(base_face(), look, view).image, f"gaze left {left} up {up}")
    for yaw in (0, 0, 0, -35, 35, 60):
        view = View(rotation=(float(yaw), 0.0, 0.0))
        yield renderer(base_face(), replace(look, glasses=random_glasses(rng)), view).image


def _brows(renderer: Renderer, look: Look) -> Iterable[Image]:
    for style in range(N_BROW_STYLES):
        y = base_face()
        y[BROW_SLICE] = np.eye(N_BROW_STYLES, dtype=np.float32)[style]
        yield tag(renderer(y, look, View(zoom=1.5, shift=(0.0, 0.2))).image[SIZE // 4 : SIZE * 3 // 4], str(style))


def _folds(head: Head) -> Iterable[Image]:
    renderer = Renderer(head, (CLOSE_UP, CLOSE_UP))
    look = default_look(head, renderer.shape)
    view = View(rotation=(15.0, 0.0, 0.0), zoom=1.25, shift=(0.0, 0.05))
    yield tag(renderer(base_face(), look, view).image, "rest")
    for group in FOLDS:
        unit = max(group["drive"], key=group["drive"].get)
        yield tag(renderer(_face({unit: 1.0}), look, view).image, f"{group['name']}: {unit}")
    aged = replace(look, folds_at_rest=np.full(len(FOLDS), 0.6, np.float32))
    yield tag(renderer(base_face(), aged, view).image, "aged, at rest")
    for units in ({"AU01": 1.0, "AU02": 1.0}, {"AU06": 1.0, "AU12": 1.0, "AU25": 0.6}, {"AU04": 1.0, "AU09": 1.0}):
        yield tag(renderer(_face(units), look, view).image, " + ".join(units))


def _face(intensities: dict[str, float]) -> NDArray[np.float32]:
    y = base_face()
    for name, value in intensities.items():
        y[AU_SLICE.start + AU_NAMES.index(name)] = value
    return y


def tag(image: Image, text: str) -> Image:
    """A copy of a picture (h, w, 3) with a line of text on its upper edge."""
    image = np.ascontiguousarray(image)
    put: Callable[..., object] = cv2.putText
    for colour, thickness in (((0, 0, 0), 2), ((255, 255, 0), 1)):
        put(image, text, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, colour, thickness, cv2.LINE_AA)
    return image


def grid(tiles: list[Image], columns: int) -> Image:
    """Pictures of one size (h, w, 3) row by row, black where there are no more."""
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heads", type=Path, required=True, help="folder of the built heads")
    parser.add_argument("--out", type=Path, required=True, help="folder for the sheets")
    arguments = parser.parse_args()
    performances = Performances(sources_root())
    for name in built_heads(arguments.heads):
        for path in write_sheets(Head.load(arguments.heads, name), performances, arguments.out):
            print(path)


if __name__ == "__main__":
    raise SystemExit(run(main))
