# SPDX-License-Identifier: MIT
"""Procedural glasses: rims, bridge and temples bound to the landmarks of a posed face, with clear or dark lenses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .shading import Light

RIM_POINTS: Final = 28
_EYES: Final = (slice(36, 42), slice(42, 48))

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]


@dataclass(frozen=True)
class Glasses:
    """A pair of glasses. Lengths are in units of the distance between the eyes' centres.

    Attributes:
        half_width, half_height: of a lens. squareness: 2 is an ellipse, 4 nearly a rectangle. thickness: of the rims.
        frame: colour (3,). tint: (3,) share of light that a lens lets through. reflection: strength, 0..1, and
        reflection_angle: of the bright band, radians.
    """

    half_width: float
    half_height: float
    squareness: float
    thickness: float
    frame: FloatArray
    tint: FloatArray
    reflection: float
    reflection_angle: float


class GlassesMesh(NamedTuple):
    """vertices (n, 3); frame (f, 3) and lens (l, 3) triangles; lens_place (n, 2): -1..1 across a lens, 0 elsewhere."""

    vertices: FloatArray
    frame: NDArray[np.int32]
    lens: NDArray[np.int32]
    lens_place: FloatArray


def random_glasses(rng: np.random.Generator) -> Glasses:
    """Usual glasses; one in five are sunglasses."""
    dark = rng.random() < 0.2
    through = rng.uniform(0.08, 0.35) if dark else rng.uniform(0.85, 1.0)
    metal = rng.random() < 0.35
    frame = rng.uniform(0.35, 0.7) * np.array([1, 0.92, 0.8]) if metal else rng.random(3) * rng.uniform(0.03, 0.4)
    return Glasses(
        half_width=float(rng.uniform(0.36, 0.44)),
        half_height=float(rng.uniform(0.24, 0.36)),
        squareness=float(rng.uniform(2.0, 4.0)),
        thickness=float(rng.uniform(0.012, 0.02) if metal else rng.uniform(0.02, 0.05)),
        frame=frame.astype(np.float32),
        tint=(through * rng.uniform(0.9, 1.0, 3)).astype(np.float32),
        reflection=float(rng.uniform(0, 0.35) if rng.random() < 0.6 else 0.0),
        reflection_angle=float(rng.uniform(-1, 1)),
    )


def build_glasses(glasses: Glasses, landmarks: FloatArray) -> GlassesMesh:
    """Mesh on a face whose 68 ``landmarks`` (68, 3) are in model space."""
    centres = [landmarks[eye].mean(axis=0) for eye in _EYES]
    unit = float(np.linalg.norm(centres[1] - centres[0]))
    plane = max(landmarks[[21, 22, 27], 2].max(), max(c[2] for c in centres) + 0.2 * unit) + 0.05 * unit
    radius = glasses.thickness * unit
    angles = np.linspace(0, 2 * np.pi, RIM_POINTS, endpoint=False)
    power = 2 / glasses.squareness
    shape = np.stack([np.sign(f) * np.abs(f) ** power for f in (np.cos(angles), np.sin(angles))], axis=1)
    parts, lenses, places = [], [], []
    inner, outer = [], []
    for side, centre in zip((-1, 1), centres, strict=True):
        middle = centre + np.array([side * 0.03, -0.04, 0]) * unit
        rim = np.zeros((RIM_POINTS, 3), np.float32)
        rim[:, 0] = middle[0] + side * glasses.half_width * unit * shape[:, 0]
        rim[:, 1] = middle[1] + glasses.half_height * unit * shape[:, 1]
        rim[:, 2] = plane - 0.22 * (np.abs(rim[:, 0]) - np.abs(middle[0])).clip(0)
        parts.append(_tube(rim, radius, closed=True))
        lenses.append(np.concatenate([rim.mean(axis=0, keepdims=True), rim]))
        places.append(np.concatenate([np.zeros((1, 2)), shape * [side, 1]]))
        inner.append(rim[np.argmin(np.abs(rim[:, 0]) - 0.2 * rim[:, 1])])
        outer.append(rim[np.argmax(np.abs(rim[:, 0]) + 0.2 * rim[:, 1])])
    bridge = np.array([inner[0], (inner[0] + inner[1]) / 2 + [0, 0.03 * unit, 0.02 * unit], inner[1]], np.float32)
    parts.append(_tube(bridge, radius, closed=False))
    for side, hinge, jaw in zip((-1, 1), outer, landmarks[[0, 16]], strict=True):
        ear = np.array([side * max(np.abs(jaw[0]) * 1.12, np.abs(hinge[0])), hinge[1], jaw[2] - 0.35 * unit])
        bend = hinge + np.array([side * 0.02, 0, -0.12]) * unit
        temple = np.array([hinge, bend, ear], np.float32)
        parts.append(_tube(temple, radius, closed=False))
    return _merge(parts, lenses, places)


def _tube(line: FloatArray, radius: float, closed: bool) -> tuple[FloatArray, NDArray[np.int32]]:
    """Square tube along the line (n, 3): vertices (4 n, 3), triangles."""
    ahead = np.roll(line, -1, 0) - np.roll(line, 1, 0) if closed else np.gradient(line, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-9
    reference = np.where(np.abs(ahead[:, 2:]) < 0.8, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    across = np.cross(ahead, reference)
    across /= np.linalg.norm(across, axis=1, keepdims=True) + 1e-9
    other = np.cross(ahead, across)
    corners = [line + radius * (a * across + b * other) for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
    vertices = np.stack(corners, axis=1).reshape(-1, 3)
    n = len(line)
    start = np.arange(n if closed else n - 1)
    faces = []
    for k in range(4):
        a, b = 4 * start + k, 4 * start + (k + 1) % 4
        c, d = 4 * ((start + 1) % n) + k, 4 * ((start + 1) % n) + (k + 1) % 4
        faces += [np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)]
    return vertices.astype(np.float32), np.concatenate(faces).astype(np.int32)


def _merge(
    tubes: list[tuple[FloatArray, NDArray[np.int32]]], lenses: list[FloatArray], places: list[FloatArray]
) -> GlassesMesh:
    first = np.cumsum([0, *(len(vertices) for vertices, _ in tubes)])
    frame = np.concatenate([faces + start for (_, faces), start in zip(tubes, first, strict=False)])
    rim = np.arange(1, RIM_POINTS + 1)
    fan = np.stack([np.zeros_like(rim), rim, np.roll(rim, -1)], axis=1)
    lens = np.concatenate([fan + first[-1] + k * (RIM_POINTS + 1) for k in range(len(lenses))])
    vertices = np.concatenate([*(v for v, _ in tubes), *lenses]).astype(np.float32)
    place = np.zeros((len(vertices), 2), np.float32)
    place[first[-1] :] = np.concatenate(places)
    return GlassesMesh(vertices, frame.astype(np.int32), lens.astype(np.int32), place)


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def draw_glasses(
    pixels: FloatArray, camera: FloatArray, frame: IntArray, lens: IntArray, place: FloatArray, colour: FloatArray,
    tint: FloatArray, reflection: float, band: FloatArray, light: Light, first: int, depth: FloatArray,
    face_index: IntArray, rgb: FloatArray, labels: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Lenses dim and reflect over what lies behind them; rims and temples cover it. The label map keeps what is below.

    Args:
        pixels, camera: (n, 3) as from :func:`raster.project`. band: (2,) direction of the reflection across a lens.
        first: number that the frame gets in ``face_index`` where it stands before the background.
    """
    height, width = depth.shape
    direction, light_colour, ambient = light
    for kind in range(2):
        faces = lens if kind == 0 else frame
        for f in range(faces.shape[0]):
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            x0, y0 = pixels[a, 0], pixels[a, 1]
            x1, y1 = pixels[b, 0] - x0, pixels[b, 1] - y0
            x2, y2 = pixels[c, 0] - x0, pixels[c, 1] - y0
            area = x1 * y2 - x2 * y1
            if abs(area) < 1e-9:
                continue
            left = max(int(np.ceil(x0 + min(0.0, x1, x2) - 0.5)), 0)
            right = min(int(np.floor(x0 + max(0.0, x1, x2) - 0.5)), width - 1)
            top = max(int(np.ceil(y0 + min(0.0, y1, y2) - 0.5)), 0)
            bottom = min(int(np.floor(y0 + max(0.0, y1, y2) - 0.5)), height - 1)
            ux, uy, uz = camera[b, 0] - camera[a, 0], camera[b, 1] - camera[a, 1], camera[b, 2] - camera[a, 2]
            wx, wy, wz = camera[c, 0] - camera[a, 0], camera[c, 1] - camera[a, 1], camera[c, 2] - camera[a, 2]
            nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
            s = 1.0 / ((nx * nx + ny * ny + nz * nz) ** 0.5 + 1e-12)
            if nz < 0:
                s = -s
            for row in range(top, bottom + 1):
                for column in range(left, right + 1):
                    px, py = column + 0.5 - x0, row + 0.5 - y0
                    w1 = (px * y2 - x2 * py) / area
                    w2 = (x1 * py - px * y1) / area
                    w0 = 1.0 - w1 - w2
                    if w0 < 0.0 or w1 < 0.0 or w2 < 0.0:
                        continue
                    z = w0 * pixels[a, 2] + w1 * pixels[b, 2] + w2 * pixels[c, 2]
                    if z <= depth[row, column]:
                        continue
                    if kind == 0:
                        if face_index[row, column] < 0:
                            continue
                        u = w0 * place[a, 0] + w1 * place[b, 0] + w2 * place[c, 0]
                        v = w0 * place[a, 1] + w1 * place[b, 1] + w2 * place[c, 1]
                        glow = reflection * max(0.0, 1.0 - abs(u * band[0] + v * band[1] - 0.3) * 1.6)
                        for k in range(3):
                            sky = ambient[k, 0] + 0.5 * light_colour[0, k]
                            rgb[row, column, k] = rgb[row, column, k] * tint[k] + glow * sky
                        continue
                    depth[row, column] = z
                    if face_index[row, column] < 0:
                        face_index[row, column] = first
                        labels[row, column] = 0
                    for k in range(3):
                        lit = ambient[k, 0]
                        for q in range(direction.shape[0]):
                            facing = s * (nx * direction[q, 0] + ny * direction[q, 1] + nz * direction[q, 2])
                            lit += light_colour[q, k] * (max(facing, 0.0) + 0.25 * max(facing, 0.0) ** 12)
                        rgb[row, column, k] = colour[k] * colour[k] * lit + 0.01
