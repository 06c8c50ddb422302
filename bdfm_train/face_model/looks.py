# SPDX-License-Identifier: MIT
"""How a face looks apart from its shape: skin, hair, eyes, folds, glasses, light, background, camera distance."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .glasses import Glasses, random_glasses
from .head import Head
from .shading import Light
from .surface import Tone
from .wrinkles import GROUPS, N_VARIANTS

HAIR_COLOURS: Final = np.array(
    [
        [0.03, 0.025, 0.02], [0.06, 0.04, 0.03], [0.12, 0.07, 0.04], [0.20, 0.12, 0.06], [0.30, 0.18, 0.09],
        [0.50, 0.36, 0.20], [0.60, 0.48, 0.30], [0.35, 0.14, 0.06], [0.45, 0.43, 0.42], [0.70, 0.70, 0.68],
    ],
    np.float32,
)  # fmt: skip
FAIREST, DARKEST = np.array([0.90, 0.72, 0.60]), np.array([0.38, 0.24, 0.17])
"""Ends of the line of skin tones."""
IRIS_WEIGHT: Final = {"brown": 8.0, "brownlight": 5.0}
"""How often an iris is drawn; 1 where not listed. Most people's are brown."""
GLASSES_SHARE: Final = 0.12
COVERS_AN_EYE: Final = ("short03", "bob02")
"""Hair styles that are drawn less often for it."""

FloatArray = NDArray[np.float32]


class BrowRange(NamedTuple):
    """Least and greatest factor on the opacity of brows, and texels by which they are widened."""

    opacity: tuple[float, float]
    widening: tuple[int, int]


BROWS: Final = BrowRange((0.5, 3.5), (0, 4))
"""As drawn by hand and at 1.6 even the darkest brows are thinner and paler than most people's."""


@dataclass(frozen=True)
class Look:
    """Appearance of one render.

    Attributes:
        skins: two textures that ``tone.skin_mix`` mixes. eye: texture. hair: style or None.
        palette: (5, 3), rows named in :mod:`shading`.
        exposure: factor on light. background: (H, W, 3) in 0..1.
        brow_widening: texels by which brows are widened on all sides, softly.
        fold_variant, fold_depth: which folds and how deep (1 is usual). folds_at_rest: (G,) 0..1.
    """

    skins: tuple[int, int]
    eye: int
    hair: str | None
    palette: FloatArray
    tone: Tone
    light: Light
    exposure: float
    background: FloatArray
    brow_widening: int = 0
    fold_variant: int = 0
    fold_depth: float = 1.0
    folds_at_rest: FloatArray = field(default_factory=lambda: np.zeros(len(GROUPS), np.float32))
    glasses: Glasses | None = None


@dataclass(frozen=True)
class View:
    """Where head, eyes and camera are.

    Attributes:
        rotation: yaw, pitch, roll of the head in degrees, signs of :mod:`bdfm_infer.parameters`.
        gaze: of the eyes in the head, degrees to the person's left and up, within 20.
        zoom: 1 shows the head's whole frame in the shorter side. shift: (2,) of the picture, right and down.
        distance: of the camera, model units (about 100 mm).
        steady: the camera stays where it is as the head turns; otherwise it keeps the face in the middle.
    """

    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gaze: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    distance: float = 12.0
    steady: bool = False


def default_look(head: Head, shape: tuple[int, int]) -> Look:
    """A plain look for inspection: the lightest skin, brown eyes, no hair, light from the upper left of the picture."""
    skin = int(np.argmax(head.skin_means.sum(axis=1)))
    return Look(
        skins=(skin, skin),
        eye=_names(head, "eye_names").index("brown"),
        hair=None,
        palette=np.array(
            [[1, 1, 1], [0.12, 0.07, 0.04], [0.7, 0.3, 0.3], [0.10, 0.07, 0.05], [0.2, 0.25, 0.35]], np.float32
        ),
        tone=Tone(
            skin_mix=0.0, brow=1.2, lip=0.0, scalp=0.75, chin_beard=0.0, full_beard=0.0, eye_gain=1.0, specular=0.1,
            gloss=4, pores=0.04,
        ),
        light=_light(
            [[-0.35, 0.45, 0.82], [0.7, 0.1, 0.6]], [[0.75, 0.72, 0.68], [0.18, 0.2, 0.22]], [[0.45, 0, 0.10, 0.05]] * 3
        ),
        exposure=1.0,
        background=np.full((*shape, 3), 0.45, np.float32),
    )  # fmt: skip


def random_look(head: Head, shape: tuple[int, int], rng: np.random.Generator, brows: BrowRange = BROWS) -> Look:
    """One person's look in one place; colours, light and background all drawn.

    Args:
        head: whose textures are drawn from.
        shape: height and width of the background.
        rng: draws everything.
        brows: how dense and wide they may be.
    """
    look = default_look(head, shape)
    skins = head.textures["skins"]
    pair = (int(rng.integers(len(skins))), int(rng.integers(len(skins))))
    mix = float(rng.uniform(0, 1)) if rng.random() < 0.7 else 0.0
    names = _names(head, "eye_names")
    irises = np.array([IRIS_WEIGHT.get(name, 1.0) for name in names])
    age = float(rng.random()) if rng.random() < 0.4 else 0.0
    styles = [None, None, *head.hair]
    chance = np.array([0.3 if style in COVERS_AN_EYE else 1.0 for style in styles])
    return replace(
        look,
        skins=pair,
        eye=int(rng.choice(len(names), p=irises / irises.sum())),
        hair=styles[rng.choice(len(styles), p=chance / chance.sum())],
        palette=_random_palette(head, pair, mix, rng),
        tone=_random_tone(mix, brows.opacity, rng),
        light=_random_light(rng),
        exposure=float(np.exp(rng.normal() * 0.18)),
        background=random_background(shape, rng),
        fold_variant=int(rng.integers(N_VARIANTS)),
        fold_depth=float(1.5 * rng.beta(1.6, 1.4)),
        folds_at_rest=(age * rng.random(len(GROUPS)) * 0.6).astype(np.float32),
        glasses=random_glasses(rng) if rng.random() < GLASSES_SHARE else None,
        brow_widening=int(rng.integers(*brows.widening, endpoint=True)),
    )


def random_view(rotation: FloatArray, rng: np.random.Generator) -> View:
    """Framing, distance and gaze for a head with ``rotation`` (3,) degrees."""
    gaze = rng.normal(0, [9, 5]) if rng.random() < 0.7 else np.zeros(2)
    return View(
        rotation=tuple(map(float, rotation)),  # type: ignore[arg-type]
        gaze=tuple(map(float, np.clip(gaze, -20, 20))),  # type: ignore[arg-type]
        zoom=float(rng.uniform(0.85, 1.1)),
        shift=tuple(map(float, rng.normal(0, 0.02, 2))),  # type: ignore[arg-type]
        distance=float(rng.uniform(6, 20)),
    )


def random_background(shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Gradient, blurred blocks or coarse noise, (H, W, 3) in 0..1."""
    height, width = shape
    colours = _muted(rng.random((3, 3)), rng)
    down = np.linspace(0, 1, height, dtype=np.float32)
    across = np.linspace(0, 1, width, dtype=np.float32)[:, None]
    row = colours[0] * (1 - across) + colours[1] * across * 0.6
    below = np.tile(colours[2] * 0.4, width)
    ground = (row.reshape(-1) + down[:, None] * below).reshape(height, width, 3)
    kind = rng.random()
    if kind < 0.6:
        cells = int(rng.integers(3, 20))
        noise = _muted(rng.random((cells, cells, 3)), rng)
        way = cv2.INTER_NEAREST if kind < 0.25 else cv2.INTER_CUBIC
        ground = 0.55 * ground + 0.45 * cv2.resize(noise, (width, height), interpolation=way)
    return np.ascontiguousarray(np.clip(ground, 0, 1), np.float32)


def _random_palette(head: Head, pair: tuple[int, int], mix: float, rng: np.random.Generator) -> FloatArray:
    darkness = rng.random() ** 0.8
    target = FAIREST * (1 - darkness) + DARKEST * darkness
    own = head.skin_means[pair[0]] * (1 - mix) + head.skin_means[pair[1]] * mix
    pull = rng.uniform(0, 0.8)
    gain = np.clip(pull * target / own + 1 - pull, 0.25, 1.8) * rng.normal(1, 0.03, 3)
    hair = HAIR_COLOURS[rng.integers(len(HAIR_COLOURS))] * rng.uniform(0.8, 1.2)
    brow = hair * rng.uniform(0.6, 1.1)
    lip = rng.uniform([0.45, 0.1, 0.15], [0.8, 0.35, 0.4])
    return np.array([gain, brow, lip, hair, rng.random(3) * 0.8], np.float32)


def _random_tone(mix: float, brow: tuple[float, float], rng: np.random.Generator) -> Tone:
    bearded = rng.random() < 0.3
    return Tone(
        skin_mix=mix,
        brow=float(rng.uniform(*brow)),
        lip=float(rng.uniform(0.2, 0.7)) if rng.random() < 0.3 else 0.0,
        scalp=float(rng.choice([0.0, 0.5, 0.75, 0.9])),
        chin_beard=float(rng.uniform(0.2, 1.1)) if bearded else 0.0,
        full_beard=float(rng.uniform(0.1, 1.0)) if bearded and rng.random() < 0.6 else 0.0,
        eye_gain=float(rng.uniform(0.8, 1.1)),
        specular=float(rng.uniform(0, 0.18)),
        gloss=int(rng.integers(4, 7)),
        pores=float(rng.uniform(0, 0.06)),
    )


def _random_light(rng: np.random.Generator) -> Light:
    azimuth, elevation = rng.uniform(-1.3, 1.3), rng.uniform(-0.2, 1.0)
    key = _direction(azimuth, elevation)
    fill = _direction(azimuth + rng.uniform(1.2, 3.0), rng.uniform(-0.3, 0.8))
    fill[2] = abs(fill[2]) + 0.2
    white = np.array([1, rng.uniform(0.9, 1.02), rng.uniform(0.78, 1.12)])
    sky = rng.uniform(0.2, 0.75)
    ambient = np.stack(
        [
            sky * rng.uniform(0.92, 1.06, 3),
            np.full(3, rng.normal() * 0.1 * sky),
            np.full(3, rng.uniform(-0.05, 0.3) * sky),
            np.full(3, rng.uniform(0, 0.2) * sky),
        ],
        axis=1,
    )
    colour = [white * rng.uniform(0.15, 1.0), rng.uniform(0.85, 1.1, 3) * rng.uniform(0, 0.4)]
    return _light([key, fill], colour, ambient)


def _muted(colours: NDArray[np.float64], rng: np.random.Generator) -> FloatArray:
    """Colours (..., 3) drawn towards their grey."""
    grey = colours.mean(axis=-1, keepdims=True)
    return (grey + rng.uniform(0.1, 1.0) * (colours - grey)).astype(np.float32)


def _names(head: Head, key: str) -> list[str]:
    return [str(name) for name in head.textures[key]]


def _direction(azimuth: float, elevation: float) -> NDArray[np.float64]:
    return np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])


def _light(direction: object, colour: object, ambient: object) -> Light:
    unit = np.array(direction, np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return Light(unit, np.array(colour, np.float32), np.array(ambient, np.float32))
