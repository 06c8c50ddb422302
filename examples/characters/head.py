# SPDX-License-Identifier: MIT
"""The human head of ``head.npz`` as Blender meshes: head, teeth, tongue, lashes, brows and eyes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from . import scene

FloatArray = NDArray[np.float64]

COLOURS: dict[str, scene.Colour] = {
    "skin": (0.78, 0.47, 0.35),
    "lips": (0.58, 0.20, 0.18),
    "hair": (0.075, 0.040, 0.025),
    "mouth": (0.11, 0.02, 0.02),
    "teeth": (0.80, 0.77, 0.70),
    "tongue": (0.36, 0.10, 0.10),
    "lashes": (0.02, 0.015, 0.012),
    "sclera": (0.80, 0.80, 0.80),
    "iris": (0.10, 0.20, 0.24),
    "pupil": (0.005, 0.005, 0.005),
}
OBJECTS = {
    "Head": ("skin", "lips", "mouth"),
    "Hair": ("hair",),
    "Teeth": ("teeth",),
    "Tongue": ("tongue",),
    "Lashes": ("lashes",),
}
"""Parts of the data by the object that holds them."""
BROW = ((0.009, 0.0125), (0.021, 0.0175), (0.033, 0.0195), (0.044, 0.016), (0.054, 0.009))
"""The left brow's middle line in the picture plane (x, z), from the nose outwards, metres."""
BROW_HEIGHT = (0.0036, 0.0040, 0.0034, 0.0026, 0.0010)
HAIR_THICKNESS = 0.006
EYE_RINGS = (0.01, 9, 10, 25, 27, 45, 70, 95, 130, 179.9)
"""Degrees from the middle of the pupil: pupil to 10, iris to 27."""
LOOK_ANGLE = np.radians(25)
LOOKS = {"Up": (1, 0), "Down": (-1, 0), "In": (0, -1), "Out": (0, 1)}


@dataclass(frozen=True)
class HeadData:
    """Content of ``head.npz``; see :mod:`make_arkit_head` for the fields."""

    vertices: FloatArray
    quads: NDArray[np.uint16]
    part: NDArray[np.uint8]
    parts: tuple[str, ...]
    eyes: FloatArray
    keys: dict[str, FloatArray]
    """Offsets (n, 3) by ARKit name."""

    @classmethod
    def load(cls) -> HeadData:
        """Read ``head.npz``."""
        data = np.load(Path(__file__).with_name("head.npz"))
        keys = {}
        for name, start, end in zip(data["keys"], data["key_start"], data["key_start"][1:], strict=False):
            keys[str(name)] = offsets = np.zeros((len(data["vertices"]), 3))
            offsets[data["key_vertex"][start:end]] = data["key_offset"][start:end]
        vertices = data["vertices"].astype(float)
        return cls(vertices, data["quads"], data["part"], tuple(data["parts"]), data["eyes"].astype(float), keys)

    def nearest(self, points: FloatArray, among: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """The vertex nearest to each point, (m,); ``among`` some vertices or all."""
        candidates = np.arange(len(self.vertices)) if among is None else among
        places = self.vertices[candidates]
        return candidates[[np.linalg.norm(places - point, axis=1).argmin() for point in points]]

    @property
    def surface(self) -> NDArray[np.int64]:
        """The vertices of the object Head: skin, lips and the mouth's inside."""
        return np.unique(self.quads[np.isin(self.part, [self.parts.index(part) for part in OBJECTS["Head"]])])

    def in_front_of(self, plane: FloatArray, count: int = 6) -> tuple[NDArray[np.int64], FloatArray]:
        """The skin's vertices nearest to where points (m, 2) of the picture plane meet the face, and their weights.

        Both (m, count); weights sum to 1.
        """
        skin = np.unique(self.quads[self.part == self.parts.index("skin")])
        places = self.vertices[skin]
        beside = np.linalg.norm(plane[:, None] - places[:, [0, 2]], axis=2)
        front = places[np.argsort(beside, axis=1)[:, : 2 * count], 1].min(1)
        met = np.stack([plane[:, 0], front, plane[:, 1]], 1)
        distance = np.linalg.norm(met[:, None] - places, axis=2)
        order = np.argsort(distance, axis=1)[:, :count]
        weight = 1 / (np.take_along_axis(distance, order, 1) + 1e-4)
        return skin[order], weight / weight.sum(1, keepdims=True)


def add_keys(made: bpy.types.Object, keys: dict[str, FloatArray]) -> None:
    """One shape key for each set of offsets that moves something, at value 0."""
    rest = made.shape_key_add(name="Basis", from_mix=False)
    base = np.empty(len(rest.data) * 3, np.float32)
    rest.data.foreach_get("co", base)
    for name, offsets in keys.items():
        if abs(offsets).max() > 1e-5:
            key = made.shape_key_add(name=name, from_mix=False)
            key.value = 0
            key.data.foreach_set("co", base + offsets.astype(np.float32).ravel())


def build(keys: bool, colours: Mapping[str, scene.Colour] = COLOURS) -> dict[str, bpy.types.Object]:
    """All meshes of the head by name, with or without the 52 shape keys."""
    data = HeadData.load()
    materials = {name: scene.material(name.title(), colour) for name, colour in colours.items()}
    made = {}
    for name, parts in OBJECTS.items():
        wanted = [data.parts.index(part) for part in parts]
        chosen = np.isin(data.part, wanted)
        used, flat = np.unique(data.quads[chosen], return_inverse=True)
        slots = [wanted.index(p) for p in data.part[chosen]]
        made[name] = scene.mesh_object(
            name, data.vertices[used], flat.reshape(-1, 4), [materials[p] for p in parts], slots, levels=1
        )
        if keys:
            add_keys(made[name], {key: offsets[used] for key, offsets in data.keys.items()})
    _thicken(made["Hair"])
    made["Brows"] = _brows(data, materials["hair"], keys)
    for centre, side in zip(data.eyes, ("Left", "Right"), strict=True):
        made[f"Eye{side}"] = _eye(side, centre, [materials[m] for m in ("pupil", "iris", "sclera")], keys)
    return made


def _thicken(hair: bpy.types.Object) -> None:
    """Give the scalp's surface the volume of hair."""
    solid = hair.modifiers.new("Solidify", "SOLIDIFY")
    solid.thickness, solid.offset = HAIR_THICKNESS, 1
    hair.modifiers.move(len(hair.modifiers) - 1, 0)


def _brows(data: HeadData, hair: bpy.types.Material, keys: bool) -> bpy.types.Object:
    """Both brows as flat tubes that lie on the skin and follow it."""
    steps, around = 16, 8
    at, knots = np.linspace(0, len(BROW) - 1, steps), range(len(BROW))
    line = np.stack([np.interp(at, knots, [point[axis] for point in BROW]) for axis in (0, 1)], 1)
    half = np.interp(at, knots, BROW_HEIGHT)
    index, weight = data.in_front_of(line)
    depth = np.einsum("nk,nk->n", weight, data.vertices[index, 1])
    spine = np.stack([line[:, 0], depth - 0.0005, line[:, 1]], 1)
    angle = np.arange(around) * 2 * np.pi / around
    ring = np.stack([np.zeros(around), -0.45 * np.cos(angle), np.sin(angle)], 1)
    left = (spine[:, None] + half[:, None, None] * ring).reshape(-1, 3)
    quads = [
        (i * around + j, (i + 1) * around + j, (i + 1) * around + (j + 1) % around, i * around + (j + 1) % around)
        for i in range(steps - 1)
        for j in range(around)
    ]
    caps = [tuple(range(around)), tuple(range((steps - 1) * around, steps * around))[::-1]]
    faces = [*quads, *caps]
    points = np.concatenate([left, left * (-1, 1, 1)])
    faces += [tuple(len(left) + i for i in reversed(face)) for face in faces]
    made = scene.mesh_object("Brows", points, faces, [hair], levels=1)
    if keys:
        index, weight = data.in_front_of(np.concatenate([line, line * (-1, 1)]).repeat(around, 0))
        add_keys(made, {k: np.einsum("nk,nkd->nd", weight, offsets[index]) for k, offsets in data.keys.items()})
    return made


def _eye(side: str, centre: FloatArray, materials: list[bpy.types.Material], keys: bool) -> bpy.types.Object:
    """An eyeball that looks along -Y; its rings are pupil, iris and white."""
    points, faces = scene.ball(np.radians(EYE_RINGS))
    ring = np.arange(len(faces)) // (len(points) // len(EYE_RINGS))
    colours = np.select([ring < 2, ring < 4], [0, 1], 2).tolist()
    made = scene.mesh_object(f"Eye{side}", centre[:3] + centre[3] * points, faces, materials, colours)
    if keys:
        add_keys(made, {f"eyeLook{look}{side}": _look(points, side, look) * centre[3] for look in LOOKS})
    return made


def _look(points: FloatArray, side: str, look: str) -> FloatArray:
    """Offsets of a unit eyeball that turns up, down, towards the nose or away from it."""
    up, out = LOOKS[look]
    tilt, turn = up * LOOK_ANGLE, out * LOOK_ANGLE * (1 if side == "Left" else -1)
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    return points @ (about_z @ about_x).T - points
