# SPDX-License-Identifier: MIT
"""The sample clip: ``python -m bdfm_train.sample_clip --heads DIR --out examples/clip``.

Renders an identity kept out of training, driven by a stretch of a recording that training never draws from, and writes
``sample.mp4`` with the true values beside it as a take (``sample_truth.csv``, ``sample_truth.json``).
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer import alignment
from bdfm_infer.errors import WriteError
from bdfm_infer.parameters import (
    AU_SLICE,
    BROW_SLICE,
    IDENTITY_SLICE,
    N_BROW_STYLES,
    base_face,
    parameter_from_intensity,
)
from bdfm_infer.rows import Row
from bdfm_infer.take import TakeWriter

from .command import run
from .face_model.camera import sensor_noise
from .face_model.head import Head
from .face_model.labels import LABEL
from .face_model.looks import Look, View, default_look
from .face_model.performance import CLIP_ROWS, FRAMES_PER_SECOND, Performances
from .face_model.render import Render, Renderer
from .face_model.sampler import Sampler
from .face_model.shading import Light
from .face_model.sources import sources_root
from .face_model.surface import BROW_COLOUR, CLOTH_COLOUR, HAIR_COLOUR

HEAD: Final = "b"
SHAPE: Final = (480, 640)
FRAMES: Final = 234
FIRST_ROW: Final = 700
"""Of the rows set aside for the clip."""
RESERVED_SEED: Final = 990_010
"""No training drew this seed."""
ZOOM: Final = 0.72
SHIFT: Final = (-0.02, 0.03)
BROW_STYLE: Final = 23
BITS_PER_SECOND: Final = 1_300_000
MOTION: Final = (
    ((16.0, 5.3, 0.0), (5.0, 2.3, 1.1)),
    ((6.5, 4.1, 0.6), (3.0, 1.9, 2.2)),
    ((4.5, 6.1, 0.4), (1.5, 2.7, 1.7)),
)
"""Yaw, pitch, roll as sums of sines: degrees, period in seconds, phase in radians."""

FloatArray = NDArray[np.float32]
Image = NDArray[np.uint8]


def head_motion(time: float) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees at ``time`` seconds: an easy sway that starts nearly frontal."""
    ease = min(time / 1.0, 1.0)
    yaw, pitch, roll = (
        float(ease * sum(size * np.sin(2 * np.pi * time / period + phase) for size, period, phase in waves))
        for waves in MOTION
    )
    return yaw, pitch, roll


def gaze(rotation: tuple[float, float, float], time: float) -> tuple[float, float]:
    """Eyes that stay on the camera, with a glance aside every three seconds; degrees to the person's left and up."""
    aside = 9.0 if time % 3.0 > 2.5 else 0.0
    left = np.clip(-0.7 * rotation[0] + aside, -20, 20)
    return float(left), float(np.clip(-0.7 * rotation[1], -12, 12))


class Scene:
    """The person and the room.

    Args:
        head: which head plays.
        performances: recordings with the rows set aside for the clip.
    """

    def __init__(self, head: Head, performances: Performances) -> None:
        self._renderer = Renderer(head, SHAPE)
        self._units = performances.rows(CLIP_ROWS)[FIRST_ROW : FIRST_ROW + FRAMES]
        self._face = base_face()
        rng = np.random.default_rng(RESERVED_SEED)
        self._face[IDENTITY_SLICE] = Sampler(head, None, rng).identity(0.8)
        self._face[BROW_SLICE] = np.eye(N_BROW_STYLES, dtype=np.float32)[BROW_STYLE]
        look = default_look(head, SHAPE)
        palette = look.palette.copy()
        palette[CLOTH_COLOUR] = [0.22, 0.33, 0.42]
        palette[HAIR_COLOUR], palette[BROW_COLOUR] = [0.22, 0.14, 0.09], [0.14, 0.09, 0.06]
        self._look = replace(
            look, hair="ponytail01", background=_room(rng), palette=palette, fold_depth=0.8, light=_window_light(look)
        )
        unit = min(SHAPE) / (2 * head.half) * ZOOM
        self._shirt, self._covers = _shirt(unit, self._look, rng)

    def __len__(self) -> int:
        return len(self._units)

    def frame(self, number: int) -> tuple[Image, Row]:
        """Picture (480, 640, 3) uint8 RGB and true values of one frame."""
        time = number / FRAMES_PER_SECOND
        face = self._face.copy()
        face[AU_SLICE] = parameter_from_intensity(self._units[number])
        rotation = head_motion(time)
        view = View(rotation, gaze(rotation, time), ZOOM, SHIFT, steady=True)
        render = self._renderer(face, self._look, view)
        image = sensor_noise(self._dress(render), 0.12, np.random.default_rng((RESERVED_SEED, number)))
        return image, Row(
            frame=number,
            timestamp=time,
            confidence=1.0,
            rotation=np.array(rotation),
            face=_place(render.landmarks),
            action_units=self._units[number].astype(np.float64),
        )

    def _dress(self, render: Render) -> Image:
        """Lay the shirt over everything but head and hair."""
        under = np.isin(render.labels, [LABEL["background"], LABEL["neck"], LABEL["cloth"]]).astype(np.float32)
        cover = (self._covers * cv2.GaussianBlur(under, (0, 0), 0.7))[..., None]
        return (render.image * (1 - cover) + self._shirt * cover + 0.5).astype(np.uint8)


def _place(landmarks: FloatArray) -> NDArray[np.float64]:
    """Centre and side of the aligned square, pixels, as a take holds them."""
    own = alignment.alignment(alignment.five_points(landmarks))
    middle = np.full(2, (alignment.CROP_SIZE - 1) / 2)
    scale = float(np.hypot(own[0, 0], own[1, 0]))
    return np.array([*alignment.apply(alignment.invert(own), middle), alignment.CROP_SIZE / scale])


def _window_light(look: Look) -> Light:
    """Daylight from a window at the picture's left, the room's own light from everywhere."""
    direction = np.array([[-0.62, 0.35, 0.70], [0.7, 0.2, 0.55]], np.float32)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    colour = np.array([[0.70, 0.69, 0.67], [0.16, 0.14, 0.12]], np.float32)
    ambient = np.array([[0.34, 0, 0.06, 0.05], [0.34, 0, 0.06, 0.05], [0.35, 0, 0.06, 0.05]], np.float32)
    return look.light._replace(direction=direction, colour=colour, ambient=ambient)


def _room(rng: np.random.Generator) -> FloatArray:
    """A wall with a window, a shelf and a picture, out of focus: (480, 640, 3) in 0..1."""
    height, width = SHAPE
    across = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    room = np.array([0.66, 0.63, 0.58], np.float32) * (1.05 - 0.35 * across - 0.10 * down)
    room = np.ascontiguousarray(room, np.float32)

    def box(left: float, top: float, right: float, bottom: float, colour: tuple[float, float, float]) -> None:
        corners = (round(left * width), round(top * height)), (round(right * width), round(bottom * height))
        cv2.rectangle(room, *corners, colour, -1)

    box(0.0, 0.02, 0.13, 0.70, (0.88, 0.92, 0.95))
    box(0.125, 0.0, 0.15, 0.74, (0.74, 0.72, 0.68))
    box(0.74, 0.18, 0.94, 0.42, (0.30, 0.26, 0.24))
    box(0.755, 0.20, 0.925, 0.40, (0.52, 0.56, 0.50))
    box(0.70, 0.66, 1.0, 0.69, (0.36, 0.27, 0.20))
    left = 0.715
    while left < 0.97:
        thick, tall = rng.uniform(0.012, 0.028), rng.uniform(0.10, 0.17)
        red, green, blue = rng.uniform(0.15, 0.6) * rng.uniform(0.75, 1.1, 3)
        box(left, 0.66 - tall, left + thick, 0.66, (red, green, blue))
        left += thick + 0.004
    return np.clip(cv2.GaussianBlur(room, (0, 0), 5), 0, 1)


def _shirt(unit: float, look: Look, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """A round-necked shirt in front view: colours (480, 640, 3) in 0..255, and where it lies (480, 640) in 0..1.

    Args:
        unit: pixels per model unit.
    """
    height, width = SHAPE
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    x = (columns - width * (0.5 + SHIFT[0])) / unit
    y = -(rows - height * (0.5 + SHIFT[1])) / unit
    from_neck = np.maximum(np.abs(x) - 0.52, 0)
    shoulder = -0.95 - 0.08 * from_neck - 0.22 * from_neck**2
    neckline = -0.95 - 0.10 * np.sqrt(np.clip(1 - (x / 0.54) ** 2, 0, 1))
    edge = np.where(np.abs(x) < 0.54, neckline, shoulder)
    below = edge - y
    up = 0.75 * np.exp(-below / 0.22) * (np.abs(x) > 0.3) - 0.1
    side = np.clip(x / 2.5, -0.85, 0.85)
    normal = np.stack([side, up, np.sqrt(np.clip(1 - side**2 - up**2, 0.05, 1))], axis=-1)
    wrinkles = cv2.GaussianBlur(rng.normal(size=SHAPE).astype(np.float32), (0, 0), 9, sigmaY=26)
    normal[..., 0] += 0.35 * wrinkles / np.abs(wrinkles).max()
    light = look.light
    lit = np.maximum(normal @ light.direction.T, 0) @ light.colour
    lit += light.ambient[:, 0] + normal @ light.ambient[:, 1:].T
    lit *= 1 - 0.55 * np.exp(-((x / 0.55) ** 2) - (np.maximum(below, 0) / 0.25))[..., None]  # the chin's shadow
    hem = 1 - 0.25 * ((below > 0.035) & (below < 0.05) & (np.abs(x) < 0.54)).astype(np.float32)
    colour = look.palette[CLOTH_COLOUR] ** 2 * lit * hem[..., None] * look.exposure
    covers = cv2.GaussianBlur((below > 0).astype(np.float32), (0, 0), 0.8)
    return (255 * np.sqrt(np.clip(colour, 0, 1))).astype(np.float32), covers


def write_clip(head: Head, performances: Performances, folder: Path) -> None:
    """Write ``sample.mp4`` and its truth.

    Raises:
        WriteError: the video cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scene = Scene(head, performances)
    os.environ["OPENCV_FFMPEG_WRITER_OPTIONS"] = f"b;{BITS_PER_SECOND}"
    video = folder / "sample.mp4"
    writer = cv2.VideoWriter(
        str(video), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), FRAMES_PER_SECOND, SHAPE[::-1]
    )
    if not writer.isOpened():
        raise WriteError(f"{video}: this OpenCV cannot write MP4. Use opencv-python-headless from PyPI.")
    facts = {
        "source": {
            "name": video.name, "kind": "video", "size": [SHAPE[1], SHAPE[0]], "fps": FRAMES_PER_SECOND,
            "duration": round(len(scene) / FRAMES_PER_SECOND, 6), "variable": False, "rotation": 0,
        },
        "truth": "parameters of the render: a recorded performance on a head that training never saw",
        "settings": {},
    }  # fmt: skip
    with TakeWriter(folder / "sample_truth", facts, overwrite=True) as take:
        for number in range(len(scene)):
            image, row = scene.frame(number)
            writer.write(image[..., ::-1])
            take.append(row)
    writer.release()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heads", type=Path, required=True, help="folder of the built heads")
    parser.add_argument("--out", type=Path, required=True, help="folder for the clip and its truth")
    arguments = parser.parse_args()
    write_clip(Head.load(arguments.heads, HEAD), Performances(sources_root()), arguments.out)


if __name__ == "__main__":
    raise SystemExit(run(main))
