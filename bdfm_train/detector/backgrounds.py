# SPDX-License-Identifier: MIT
"""What lies behind and around faces in training pictures: drawn patterns, textures of skin and hair, bodies, rooms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_train.detector.bodies import body_scenes

Image = NDArray[np.uint8]

SIZE: Final = (240, 180)
"""Width and height of a background."""

BODY: Final = Path("face_model/makehuman/3dobjs/base.obj")
ASSETS: Final = Path("face_model/makehuman_assets")
SKIN_BELOW: Final = 0.62
"""Share of a skin texture's width that shows the body; the face lies to the right of it."""

EVALUATION_TEXTURES: Final = (
    "skins/old_darkskinned_female_diffuse.jpg",
    "skins/old_darkskinned_male_diffuse.jpg",
    "skins/old_lightskinned_male_diffuse2.jpg",
    "hair/braid01/braid01_diffuse.png",
    "hair/ponytail01/ponytail01_diffuse.png",
)
"""Textures that only the evaluation shows; the others of :data:`ASSETS` are for training."""


def _noise(rng: np.random.Generator) -> Image:
    width, height = SIZE
    total = np.zeros((height, width), np.float32)
    for _ in range(rng.integers(1, 5)):
        cell = np.exp(rng.uniform(0, 4.5))
        grid = rng.random((int(height / cell) + 2, int(width / cell) + 2)).astype(np.float32)
        way = int(rng.choice([cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
        total += rng.random() * cv2.resize(grid, SIZE, interpolation=way)
    low, high = np.sort(rng.integers(0, 256, 2))
    total -= total.min()
    return (low + total * ((high - low) / max(float(total.max()), 1e-6))).astype(np.uint8)


def _gradient(rng: np.random.Generator) -> Image:
    corners = rng.integers(0, 256, (rng.integers(1, 4), rng.integers(2, 4))).astype(np.uint8)
    return cv2.resize(corners, SIZE, interpolation=cv2.INTER_CUBIC)


def _cells(rng: np.random.Generator) -> Image:
    """Voronoi cells."""
    seeds = rng.random((rng.integers(4, 60), 2)).astype(np.float32) * SIZE
    subdivision = cv2.Subdiv2D((0, 0, *SIZE))
    subdivision.insert(seeds.tolist())
    picture = np.zeros(SIZE[::-1], np.uint8)
    for facet in subdivision.getVoronoiFacetList([])[0]:
        cv2.fillConvexPoly(picture, np.asarray(facet, np.int32), int(rng.integers(0, 256)))
    return picture


def _stripes(rng: np.random.Generator) -> Image:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), np.exp(rng.uniform(0.7, 4))
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period))
    if rng.random() < 0.5:
        wave = np.sign(wave)
    low, high = np.sort(rng.integers(0, 256, 2))
    return (low + (high - low) * (0.5 + 0.5 * wave)).astype(np.uint8)


def _draw(picture: Image, rng: np.random.Generator) -> None:
    """Rectangles, lines, text, and blobs with the shades of skin and the proportions of heads."""
    for _ in range(rng.integers(0, 14)):
        x, y = (rng.random(2) * SIZE).astype(int).tolist()
        tone, kind = int(rng.integers(0, 256)), rng.integers(5)
        size = int(np.exp(rng.uniform(1, 4.5)))
        thick = int(rng.choice([-1, 1, 2, 4]))
        if kind == 0:
            cv2.rectangle(picture, (x, y), (x + size, y + int(size * rng.uniform(0.2, 3))), tone, thick)
        elif kind == 1:
            axes = (size // 2, int(size * rng.uniform(0.5, 1.0)))
            cv2.ellipse(picture, (x, y), axes, rng.uniform(-60, 60), 0, 360, tone, thick, cv2.LINE_AA)
        elif kind == 2:
            end = (rng.random(2) * SIZE).astype(int).tolist()
            cv2.line(picture, (x, y), end, tone, max(thick, 1), cv2.LINE_AA)
        elif kind == 3:
            text = "".join(chr(c) for c in rng.integers(33, 123, rng.integers(1, 12)))
            font, line = int(rng.integers(0, 8)), max(thick, 1)
            cv2.putText(picture, text, (x - 40, y), font, size / 40, tone, line, cv2.LINE_AA)
        else:
            _blob(picture, (x, y), size, rng)


def _blob(picture: Image, centre: tuple[int, int], size: int, rng: np.random.Generator) -> None:
    """An egg with soft shading and a few dark spots set at random, as a head without a face."""
    x, y = centre
    tone, angle = rng.uniform(60, 220), rng.uniform(-40, 40)
    for shrink in (1.0, 0.8, 0.6):
        axes = (max(int(size * 0.38 * shrink), 1), max(int(size * 0.5 * shrink), 1))
        shift = rng.uniform(-0.1, 0.1) * size
        shade = float(np.clip(tone * (1.25 - 0.4 * shrink), 0, 255))
        cv2.ellipse(picture, (int(x + shift), y), axes, angle, 0, 360, shade, -1, cv2.LINE_AA)
    for _ in range(rng.integers(0, 3)):
        spot = (int(x + rng.uniform(-0.3, 0.3) * size), int(y + rng.uniform(-0.35, 0.35) * size))
        axes = (max(int(size * rng.uniform(0.02, 0.12)), 1), max(int(size * rng.uniform(0.01, 0.06)), 1))
        cv2.ellipse(picture, spot, axes, angle, 0, 360, tone * rng.uniform(0.2, 0.8), -1, cv2.LINE_AA)


_PATTERNS: Final[tuple[Callable[[np.random.Generator], Image], ...]] = (_noise, _gradient, _cells, _stripes)


def pattern(rng: np.random.Generator) -> Image:
    """A drawn background of :data:`SIZE`, uint8 grey."""
    picture = _PATTERNS[rng.integers(len(_PATTERNS))](rng)
    if rng.random() < 0.4:
        other = _PATTERNS[rng.integers(len(_PATTERNS))](rng)
        picture = cv2.addWeighted(picture, 0.6, other, 0.4, 0)
    picture = np.ascontiguousarray(picture)
    _draw(picture, rng)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 3)) if rng.random() < 0.6 else picture


def texture_names(root: Path, evaluation: bool) -> list[str]:
    """Names below :data:`ASSETS` of the skin and hair textures of the evaluation or of those for training."""
    folder = root / ASSETS
    found = sorted([*folder.glob("skins/*.jpg"), *folder.glob("hair/*/*_diffuse.png")])
    names = [path.relative_to(folder).as_posix() for path in found]
    return [name for name in names if (name in EVALUATION_TEXTURES) == evaluation]


def load_textures(root: Path, evaluation: bool) -> list[Image]:
    """Textures of :func:`texture_names`, grey, without the face."""
    textures = []
    for name in texture_names(root, evaluation):
        image = np.asarray(cv2.imread(str(root / ASSETS / name), cv2.IMREAD_GRAYSCALE), np.uint8)
        textures.append(image[:, : int(image.shape[1] * SKIN_BELOW)] if name.startswith("skins/") else image)
    return textures


def texture_crop(textures: list[Image], rng: np.random.Generator) -> Image:
    """A piece of a texture, turned by a multiple of 90 degrees, at :data:`SIZE`."""
    image = np.rot90(textures[rng.integers(len(textures))], rng.integers(4))
    share = np.exp(rng.uniform(np.log(0.06), np.log(0.9)))
    height, width = (max(int(length * share), 8) for length in image.shape)
    y, x = (int(rng.integers(0, whole - part + 1)) for whole, part in zip(image.shape, (height, width), strict=True))
    return cv2.resize(image[y : y + height, x : x + width], SIZE, interpolation=cv2.INTER_AREA)


def backgrounds(root: Path, count: int, seed: int) -> Image:
    """Backgrounds for training, (count, 180, 240) uint8: half drawn, a third bodies and rooms, the rest textures."""
    rng = np.random.default_rng(seed)
    textures = load_textures(root, evaluation=False)
    scenes = body_scenes(root / BODY, count // 3, SIZE, seed)
    crops = [texture_crop(textures, rng) for _ in range(count // 6)]
    return np.stack([*scenes, *crops, *(pattern(rng) for _ in range(count - len(scenes) - len(crops)))])
