# SPDX-License-Identifier: MIT
"""Character 3: a cartoon made of primitive shapes, moved by bones and custom properties alone.

    python -m examples.characters.cartoon OUT.blend

``cartoon.json`` beside this file is its mapping.
"""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np
from mathutils import Euler
from numpy.typing import ArrayLike, NDArray

from . import scene

FloatArray = NDArray[np.float64]

SKULL = np.array((0.115, 0.10, 0.125))
"""Radii of the head, an egg around the origin, metres."""
EYE, EYE_RADIUS = np.array((0.042, -0.078, 0.038)), 0.034
MOUTH, MOUTH_SIZE, LIP = np.array((0, -0.05)), np.array((0.040, 0.007)), 0.0042
"""Middle of the mouth and its half axes in the picture plane (x, z); thickness of the lips."""
LID_OPEN, LOWER_LID_OPEN = np.radians((42, 48))
"""How far above and below the eye's middle the lids' rims rest."""
COLOURS: dict[str, scene.Colour] = {
    "skin": (0.13, 0.55, 0.52),
    "lid": (0.08, 0.40, 0.39),
    "white": (0.9, 0.9, 0.88),
    "pupil": (0.01, 0.01, 0.015),
    "brow": (0.05, 0.09, 0.16),
    "lips": (0.70, 0.20, 0.18),
    "mouth": (0.09, 0.015, 0.03),
    "blush": (0.85, 0.42, 0.30),
}
PROPERTIES = ("blink_left", "blink_right", "wide_left", "wide_right", "squint_left", "squint_right")
LIDS = {
    "lid_upper": (("blink", 90), ("wide", -22)),
    "lid_lower": (("squint", -26), ("blink", -6)),
}
"""What turns a lid about its X axis: property and degrees at value 1."""


def build() -> list[bpy.types.Object]:
    """The character in an empty file: what an artist selects to bake onto it."""
    scene.start()
    rig = scene.armature("Cartoon", _bones())
    for bone in rig.pose.bones:
        bone.rotation_mode = "QUATERNION" if bone.name == "head" else "XYZ"
    _drive_lids(rig)
    materials = {name: scene.material(name.title(), colour, shine=0.4) for name, colour in COLOURS.items()}
    skull = _skull(rig, materials)
    meshes = [skull, *_mouth(rig, materials, skull)]
    for side, x in (("L", 1), ("R", -1)):
        meshes += _side(rig, materials, side, x)
    meshes.append(_lump("Nose", rig, "nose", (0, -0.105, -0.005), (0.014, 0.015, 0.012), materials["blush"]))
    scene.finish(focus=(0, 0, 0.022), height=0.345)
    return [rig, *meshes]


def _on_skull(x: ArrayLike, z: ArrayLike, above: float = 0.0) -> FloatArray:
    """Points of the face's surface at places of the picture plane, (n, 3)."""
    x, z = np.asarray(x, float), np.asarray(z, float)
    depth = 1 - (x / SKULL[0]) ** 2 - (z / SKULL[2]) ** 2
    return np.stack([x, -SKULL[1] * np.sqrt(np.clip(depth, 0, 1)) - above, z], -1)


def _bones() -> dict[str, scene.Bone]:
    """The bones of the face stand upright: X is the character's left, Y up, Z forward."""

    def upright(place: FloatArray, parent: str = "head", length: float = 0.02) -> scene.Bone:
        x, y, z = map(float, place)
        return (x, y, z), (x, y, z + length), parent

    mid, half = MOUTH, MOUTH_SIZE
    bones: dict[str, scene.Bone] = {
        "root": ((0, 0.02, -0.2), (0, 0.02, -0.15), None),
        "head": ((0, 0.02, -0.125), (0, 0.02, 0.125), "root"),
        "jaw": ((0, 0.03, -0.03), (0, -0.06, -0.095), "head"),
        "nose": upright(np.array((0, -0.105, -0.005))),
        "lip_upper": upright(_on_skull(0, mid[1] + half[1])),
        "lip_lower": upright(_on_skull(0, mid[1] - half[1]), "jaw"),
    }
    for side, x in (("L", 1), ("R", -1)):
        mirror = np.array((x, 1, 1))
        bones[f"eye.{side}"] = upright(EYE * mirror)
        bones[f"lid_upper.{side}"] = upright(EYE * mirror)
        bones[f"lid_lower.{side}"] = upright(EYE * mirror)
        bones[f"brow.{side}"] = upright(_on_skull(x * 0.043, 0.083))
        bones[f"cheek.{side}"] = upright(_on_skull(x * 0.066, -0.022))
        bones[f"corner.{side}"] = upright(_on_skull(x * half[0], mid[1]))
    return bones


def _drive_lids(rig: bpy.types.Object) -> None:
    """The properties of the rig, 0 to 1, turn the lids."""
    for name in PROPERTIES:
        rig[name] = 0.0
        rig.id_properties_ui(name).update(min=0.0, max=1.0, soft_min=0.0, soft_max=1.0)
    for lid, terms in LIDS.items():
        for side, word in (("L", "left"), ("R", "right")):
            driver = rig.pose.bones[f"{lid}.{side}"].driver_add("rotation_euler", 0).driver
            for name, _ in terms:
                variable = driver.variables.new()
                variable.name = name
                variable.targets[0].id = rig
                variable.targets[0].data_path = f'["{name}_{word}"]'
            driver.expression = " + ".join(f"{name} * {np.radians(degrees):.4f}" for name, degrees in terms)


def _skull(rig: bpy.types.Object, materials: Mapping[str, bpy.types.Material]) -> bpy.types.Object:
    points, faces = scene.ball(np.linspace(0.001, np.pi - 0.001, 33), 48)
    points = points * SKULL
    made = scene.mesh_object("Skull", points, faces, [materials["skin"]])
    below = np.clip((MOUTH[1] + 0.004 - points[:, 2]) / 0.03, 0, 1) * np.clip((0.05 - points[:, 1]) / 0.08, 0, 1)
    scene.bind(made, rig, {"jaw": below, "head": 1 - below})
    return made


def _mouth(
    rig: bpy.types.Object, materials: Mapping[str, bpy.types.Material], skull: bpy.types.Object
) -> list[bpy.types.Object]:
    """The dark inside as a disc that stays on the face, however wide it opens, and the lips as a ring around it."""
    count = 32
    angle = np.arange(count) * 2 * np.pi / count
    rim = np.stack([np.cos(angle), np.sin(angle)], 1)
    upper, lower = np.clip(rim[:, 1], 0, 1), np.clip(-rim[:, 1], 0, 1)
    sides = {"L": np.clip(rim[:, 0], 0, 1) * (1 - upper) * (1 - lower), "R": np.clip(-rim[:, 0], 0, 1)}
    sides["R"] = sides["R"] * (1 - upper) * (1 - lower)
    total = upper + lower + sides["L"] + sides["R"]
    shares = {
        "lip_upper": upper / total,
        "lip_lower": lower / total,
        "corner.L": sides["L"] / total,
        "corner.R": sides["R"] / total,
    }

    scales = np.array((1.0, 0.66, 0.33, 0.02))
    plane = MOUTH + (scales[:, None, None] * rim * MOUTH_SIZE).reshape(-1, 2)
    disc = _on_skull(plane[:, 0], plane[:, 1], above=0.0025)
    quads = [
        (i * count + j, i * count + (j + 1) % count, (i + 1) * count + (j + 1) % count, (i + 1) * count + j)
        for i in range(len(scales) - 1)
        for j in range(count)
    ]
    inside = scene.mesh_object("Mouth", disc, quads, [materials["mouth"]])
    even = np.full(count, 0.25)
    scene.bind(
        inside,
        rig,
        {bone: np.concatenate([s * share + (1 - s) * even for s in scales]) for bone, share in shares.items()},
    )
    wrap = inside.modifiers.new("On the Face", "SHRINKWRAP")
    wrap.target, wrap.wrap_mode, wrap.offset = skull, "OUTSIDE", 0.0025

    around = 8
    turn = np.arange(around) * 2 * np.pi / around
    edge = MOUTH + rim * MOUTH_SIZE
    centre = _on_skull(edge[:, 0], edge[:, 1], above=0.003)
    outward = np.stack([rim[:, 0], np.zeros(count), rim[:, 1]], 1)
    tube = centre[:, None] + LIP * (
        np.cos(turn)[None, :, None] * outward[:, None] + np.sin(turn)[None, :, None] * np.array((0, -1, 0))
    )
    quads = [
        (i * around + j, k * around + j, k * around + (j + 1) % around, i * around + (j + 1) % around)
        for i, k in zip(range(count), [*range(1, count), 0], strict=True)
        for j in range(around)
    ]
    lips = scene.mesh_object("Lips", tube.reshape(-1, 3), quads, [materials["lips"]], levels=1)
    scene.bind(lips, rig, {bone: np.repeat(share, around) for bone, share in shares.items()})
    return [inside, lips]


def _side(
    rig: bpy.types.Object, materials: Mapping[str, bpy.types.Material], side: str, x: int
) -> list[bpy.types.Object]:
    """Eye, lids, brow, cheek and feeler of one side."""
    eye = EYE * (x, 1, 1)
    points, faces = scene.ball(np.radians([0.01, 11, 19, 21, 45, 75, 110, 150, 179.9]))
    ring = np.arange(len(faces)) // 24
    white = scene.mesh_object(
        f"Eye.{side}", eye + EYE_RADIUS * points, faces, [materials["pupil"], materials["white"]], (ring > 1).tolist()
    )
    scene.bind(white, rig, {f"eye.{side}": np.ones(len(points))})
    made = [white]
    for name, tilt in (("lid_upper", np.pi / 2 + LID_OPEN), ("lid_lower", -np.pi / 2 - LOWER_LID_OPEN)):
        cap, faces = scene.ball(np.radians([0.01, 20, 40, 60, 75, 90]))
        cap = cap @ np.array(Euler((-tilt, 0, 0)).to_matrix()).T
        lid = scene.mesh_object(f"{name}.{side}", eye + 1.06 * EYE_RADIUS * cap, faces, [materials["lid"]])
        scene.bind(lid, rig, {f"{name}.{side}": np.ones(len(cap))})
        made.append(lid)
    brow = _on_skull(x * 0.043, 0.083, above=0.006)
    made.append(_lump(f"Brow.{side}", rig, f"brow.{side}", brow, (0.030, 0.008, 0.0075), materials["brow"]))
    cheek = _on_skull(x * 0.066, -0.022)
    made.append(_lump(f"Cheek.{side}", rig, f"cheek.{side}", cheek, (0.017, 0.006, 0.014), materials["blush"]))
    feeler = np.array((x * 0.060, 0.01, 0.128))
    made.append(_lump(f"Feeler.{side}", rig, "head", feeler, (0.010, 0.010, 0.032), materials["skin"]))
    made.append(_lump(f"Tip.{side}", rig, "head", feeler + np.array((0, 0, 0.034)), (0.016,) * 3, materials["blush"]))
    return made


def _lump(
    name: str,
    rig: bpy.types.Object,
    bone: str,
    centre: FloatArray | scene.Point,
    radii: scene.Point,
    colour: bpy.types.Material,
) -> bpy.types.Object:
    """An ellipsoid that hangs on one bone."""
    points, faces = scene.ball(np.linspace(0.01, np.pi - 0.01, 13))
    made = scene.mesh_object(name, np.asarray(centre) + points * radii, faces, [colour])
    scene.bind(made, rig, {bone: np.ones(len(points))})
    return made


if __name__ == "__main__":
    scene.command_line(build)
