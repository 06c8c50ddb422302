# SPDX-License-Identifier: MIT
"""The faces of the test on renders, as ``data/render_test.toml`` fixes them: two pictures of each person."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import (
    AU_BASE,
    AU_NAMES,
    AU_SLICE,
    BROW_SLICE,
    EYES,
    IDENTITY_SLICE,
    N_AU,
    N_BROW_STYLES,
    N_PARAMETERS,
    POSE_SLICE,
    parameter_from_degrees,
    parameter_from_intensity,
)
from bdfm_train.face_model.camera import photograph
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.looks import BrowRange, Look, random_look, random_view
from bdfm_train.face_model.render import Renderer
from bdfm_train.face_model.sampler import Sampler

TEST: Final[Mapping[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "data" / "render_test.toml").read_text(encoding="utf-8")
)
IN_FINGERPRINT: Final = 8
"""People whose parameters and looks go into a fingerprint."""
_BROWS: Final = BrowRange((0.5, 1.6), (0, 0))
"""As brows were drawn when the test was written."""

_UNITS: Final[Mapping[str, Any]] = TEST["units"]
_EXCLUSIVE: Final = [frozenset(AU_NAMES.index(unit) for unit in units) for units in _UNITS["exclusive"]]

Image = NDArray[np.uint8]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Person:
    """One person of the test.

    Attributes:
        parameters: (2, 269), first at rest, then as drawn.
        rotation: (2, 3) degrees, yaw, pitch, roll.
        look: of both pictures.
        skin: individual typology angle of the skin's own colour, degrees.
        chance: source of what is left to draw: framing, gaze, camera.
    """

    parameters: FloatArray
    rotation: FloatArray
    look: Look
    skin: float
    chance: np.random.Generator


def draw_person(head: Head, number: int) -> Person:
    """Person ``number`` of a head; each number is drawn by itself, so that fewer people are the first ones of more."""
    faces, looks, chance = (np.random.default_rng([TEST["seed"][head.name], number, stream]) for stream in range(3))
    parameters = np.zeros((2, N_PARAMETERS), np.float32)
    parameters[:, IDENTITY_SLICE] = Sampler(head, None, faces).identity(TEST["identity_strength"])
    parameters[:, BROW_SLICE.start + faces.integers(N_BROW_STYLES)] = 1
    rotation = np.stack([_rotation(TEST[pose], faces) for pose in ("rest_pose", "pose")])
    parameters[:, POSE_SLICE] = parameter_from_degrees(rotation[:, :2])
    parameters[0, AU_SLICE] = AU_BASE
    parameters[1, AU_SLICE] = parameter_from_intensity(draw_action_units(faces))
    look = random_look(head, (TEST["size"], TEST["size"]), looks, _BROWS)
    return Person(parameters, rotation, look, skin_angle(head, look), chance)


def pictures(renderer: Renderer, person: Person) -> tuple[Image, Image]:
    """The person at rest and as drawn, (size, size, 3) uint8 BGR, each through a camera of its own."""
    drawn = []
    for parameters, rotation in zip(person.parameters, person.rotation, strict=True):
        render = renderer(parameters, person.look, random_view(rotation, person.chance))
        drawn.append(photograph(np.ascontiguousarray(render.image[..., ::-1]), person.chance))
    return drawn[0], drawn[1]


def draw_action_units(rng: np.random.Generator) -> FloatArray:
    """Intensities (23,) in [0, 1]."""
    kind = rng.random()
    if kind < _UNITS["rest_share"]:
        units = np.zeros(N_AU)
    elif kind < _UNITS["rest_share"] + _UNITS["few_share"]:
        units = _few(rng)
    else:
        units = _prototype(rng)
    if rng.random() < _UNITS["extra_share"]:
        extra = AU_NAMES.index(_UNITS["extra"][rng.integers(len(_UNITS["extra"]))])
        units[list(_rivals(extra))] = 0
        units[extra] = rng.beta(*_UNITS["intensity"])
    return units.astype(np.float32)


def _few(rng: np.random.Generator) -> NDArray[np.float64]:
    units = np.zeros(N_AU)
    for unit in rng.permutation(N_AU)[: rng.integers(_UNITS["few_least"], _UNITS["few_most"] + 1)]:
        if not units[list(_rivals(unit))].any():
            units[unit] = rng.beta(*_UNITS["intensity"])
    eyes = [AU_NAMES.index(name) for name in EYES]
    if rng.random() < _UNITS["both_eyes_share"]:
        units[eyes] = units[eyes].max()
    return units


def _prototype(rng: np.random.Generator) -> NDArray[np.float64]:
    prototypes = TEST["prototype"]
    weights = np.array([prototype["weight"] for prototype in prototypes])
    strength = rng.uniform(*_UNITS["strength"])
    units = np.zeros(N_AU)
    for name, value in prototypes[rng.choice(len(prototypes), p=weights / weights.sum())]["units"].items():
        there = rng.random() >= _UNITS["left_out_share"]
        units[AU_NAMES.index(name)] = there * min(value * strength * rng.uniform(*_UNITS["factor"]), 1.0)
    return units


def _rivals(unit: int) -> set[int]:
    """Units that are at rest where this one is not."""
    return set().union(*(rivals for rivals in _EXCLUSIVE if unit in rivals)) - {unit}


def _rotation(pose: Mapping[str, list[float]], rng: np.random.Generator) -> FloatArray:
    most = np.array(pose["most"])
    usual = rng.normal(size=3) * pose["deviation"]
    wide = rng.uniform(-most, most)
    return np.clip(np.where(rng.random(3) < pose["wide_share"], wide, usual), -most, most).astype(np.float32)


def skin_angle(head: Head, look: Look) -> float:
    """Individual typology angle of a look's skin before light, degrees: 90 for white, below -30 for dark skin."""
    first, second = (head.skin_means[i] for i in look.skins)
    colour = np.clip((first * (1 - look.tone.skin_mix) + second * look.tone.skin_mix) * look.palette[0], 0, 1)
    lightness, _, yellow = cv2.cvtColor(colour.astype(np.float32)[None, None], cv2.COLOR_RGB2Lab)[0, 0]
    return float(np.degrees(np.arctan2(lightness - 50, max(float(yellow), 1e-6))))


def fingerprint(head: Head) -> str:
    """What the first people of a head come out as: another one means another test."""
    digest = hashlib.sha256()
    for number in range(IN_FINGERPRINT):
        person = draw_person(head, number)
        look = person.look
        tone, light = (np.concatenate([np.ravel(part) for part in parts]) for parts in (look.tone, look.light))
        values = (person.parameters, person.rotation, look.palette, tone, light, look.exposure, look.fold_depth)
        for value in values:
            digest.update(np.round(np.asarray(value, np.float64), 3).astype("<f4").tobytes())
        digest.update(f"{look.skins} {look.eye} {look.hair} {look.fold_variant}".encode())
    return digest.hexdigest()[:16]
