# SPDX-License-Identifier: MIT
"""Pictures without a face that resemble those with one: MakeHuman's body without its head, in rooms.

Painter's algorithm on flat-shaded faces: at the detector's resolution that is enough, and OpenCV does the work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Vector = NDArray[np.float64]

NECK: Final = 6.05
"""Height in decimetres of MakeHuman's base mesh above which the head begins."""


def load_body(path: Path) -> tuple[Vector, NDArray[np.int64]]:
    """Vertices (n, 3) in decimetres and quads (m, 4) of ``base.obj``: its body below the head."""
    vertices, quads, group = [], [], ""
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, *fields = line.split() or [""]
        if kind == "v":
            vertices.append([float(value) for value in fields[:3]])
        elif kind == "g":
            group = fields[0]
        elif kind == "f" and group == "body":
            corners = [int(field.split("/")[0]) - 1 for field in fields]
            quads.append([*corners, corners[-1]][:4])
    points, faces = np.array(vertices), np.array(quads)
    return points, faces[points[faces, 1].max(1) < NECK]


def _turn(axis: int, angle: float) -> Vector:
    matrix = np.eye(3)
    i, j = [k for k in range(3) if k != axis]
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
    return matrix


def _surface(size: int, rng: np.random.Generator) -> Image:
    """A wall or a floor: a grey with stripes, tiles or noise."""
    base, amount = rng.uniform(30, 220), rng.uniform(0, 40)
    y, x = np.mgrid[:size, :size]
    period = int(rng.integers(4, size // 2))
    pattern = [
        (x // period) % 2,
        (x // period + y // period) % 2,
        np.minimum(x % period, y % period) < 2,
        cv2.resize(rng.random((size // 4, size // 4)), (size, size)),
    ][rng.integers(4)]
    return np.clip(base + amount * pattern, 0, 255).astype(np.uint8)


def room(width: int, height: int, rng: np.random.Generator) -> Image:
    """An empty room seen from inside: back wall, side walls, floor, ceiling, and boxes as furniture."""
    picture = np.full((height, width), rng.integers(20, 230), np.uint8)
    left, right = np.sort(rng.uniform(-0.3, 1.3, 2)) * width
    top, bottom = rng.uniform(-0.3, 0.35) * height, rng.uniform(0.5, 1.2) * height
    right = max(right, left + 0.2 * width)
    reach = 2.0 * max(width, height)
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    inner = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    outer = centre + (inner - centre) / np.abs(inner - centre).max() * reach * 2
    size = 128
    corners = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
    walls = [inner] + [np.array([outer[i], outer[(i + 1) % 4], inner[(i + 1) % 4], inner[i]]) for i in range(4)]
    for wall in walls:
        matrix = cv2.getPerspectiveTransform(corners, wall.astype(np.float32))
        texture = cv2.warpPerspective(_surface(size, rng), matrix, (width, height))
        mask = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(mask, np.clip(wall, -30000, 30000).astype(np.int32), 255)
        picture[mask > 0] = texture[mask > 0]
    for _ in range(rng.integers(0, 6)):
        w, h = rng.uniform(0.05, 0.5) * width, rng.uniform(0.05, 0.5) * height
        x, y = rng.uniform(-0.1, 1) * width, rng.uniform(0.2, 1) * height
        depth = rng.uniform(-0.3, 0.3, 2) * (w, h)
        front = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
        tone = rng.integers(10, 240)
        for i in range(4):
            side = np.array([front[i], front[(i + 1) % 4], front[(i + 1) % 4] + depth, front[i] + depth])
            cv2.fillConvexPoly(picture, side.astype(np.int32), int(tone * rng.uniform(0.4, 1)))
        cv2.fillConvexPoly(picture, front.astype(np.int32), int(tone))
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 2.0))


def paint_body(picture: Image, vertices: Vector, quads: NDArray[np.int64], rng: np.random.Generator) -> None:
    """Paint the headless body into ``picture`` (h, w), any view and size: whole, bust, or a part of it."""
    height, width = picture.shape
    stretch = np.array([rng.uniform(0.8, 1.3), rng.uniform(0.9, 1.1), rng.uniform(0.8, 1.3)])
    view = _turn(2, rng.normal() * 0.25) @ _turn(0, rng.normal() * 0.25) @ _turn(1, rng.uniform(-np.pi, np.pi))
    points = (vertices * stretch) @ view.T
    target = points[rng.integers(len(points))] if rng.random() < 0.6 else np.zeros(3)
    scale = height / np.exp(rng.uniform(np.log(2.5), np.log(22.0)))
    depth = 30.0 / (30.0 - points[:, 2])
    x = width * rng.uniform(0.3, 0.7) + (points[:, 0] - target[0]) * scale * depth
    y = height * rng.uniform(0.3, 0.7) - (points[:, 1] - target[1]) * scale * depth
    corners = points[quads]
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    light = rng.normal(size=3) + np.array([0, 0.6, 1.2])
    light /= np.linalg.norm(light)
    lit = np.clip(normals @ light, 0, 1)
    clothes = rng.uniform(10, 240), rng.uniform(10, 240)
    edges = np.sort(rng.uniform(-9, 7, 2))
    skin = rng.uniform(60, 210)
    middle = vertices[quads].mean(1)
    worn = np.where(middle[:, 1] < edges[0], clothes[0], np.where(middle[:, 1] < edges[1], clothes[1], skin))
    tone = (np.where(np.abs(middle[:, 0]) > 4.0, skin, worn) * (0.35 + 0.65 * lit)).astype(int)
    screen = np.stack([x, y], 1)[quads]
    seen = (normals[:, 2] > 0) & (screen.max(1) > 0).all(1) & (screen.min(1) < [width, height]).all(1)
    order = np.flatnonzero(seen)[np.argsort(corners[seen][:, :, 2].mean(1))]
    shifted = np.round(screen[order] * 16).astype(np.int32)
    for polygon, value in zip(shifted, tone[order].tolist(), strict=True):
        cv2.fillConvexPoly(picture, polygon, value, cv2.LINE_AA, 4)


def body_scenes(path: Path, count: int, size: tuple[int, int], seed: int) -> Image:
    """Rooms, four of five with a body without a head, (count, h, w) uint8.

    Args:
        path: MakeHuman's ``base.obj``.
        count: how many.
        size: width and height.
        seed: training and evaluation use different ones.
    """
    rng = np.random.default_rng(seed)
    vertices, quads = load_body(path)
    scenes = []
    for i in range(count):
        picture = room(*size, rng)
        if i % 5:
            paint_body(picture, vertices, quads, rng)
        scenes.append(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.0)))
    return np.stack(scenes)
