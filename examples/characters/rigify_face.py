# SPDX-License-Identifier: MIT
"""Character 2: the same head without shape keys, moved by a Rigify face (the human meta-rig's neck, head and face).

python -m examples.characters.rigify_face OUT.blend
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

import bpy
import numpy as np
from numpy.typing import NDArray

from . import head, scene

FloatArray = NDArray[np.float64]

KEPT = ("spine.004", "spine.005", "spine.006")
"""Bones of the meta-rig that stay beside the face."""
JOINTS: Mapping[str, scene.Point] = {
    "spine.004": (0, 50, -135),
    "spine.005": (0, 45, -105),
    "spine.006": (0, 45, -75),
    "eye.L": (28.4, 0, 0),
    "forehead.L": (14, -5, 62),
    "forehead.L.002": (55, 15, 62),
    "temple.L": (72, 30, 45),
    "ear.L": (72, 35, -12),
    "brow.T.L.001": (50, -8, 12),
    "brow.T.L.002": (34, -21, 19.5),
    "brow.T.L.003": (12, -25, 14.5),
    "lid.T.L": (39.8, -8.9, -0.1),
    "lid.T.L.001": (35.5, -12.5, 2.3),
    "lid.T.L.002": (28.4, -16.2, 4),
    "lid.T.L.003": (22.5, -15, 2.5),
    "lid.B.L": (17.8, -11.8, -2.2),
    "lid.B.L.001": (23, -13.5, -4.2),
    "lid.B.L.002": (28.4, -14.2, -5),
    "lid.B.L.003": (34, -13, -4.2),
    "nose": (0, -25.4, -0.5),
    "nose.001": (0, -38, -22),
    "nose.002": (0, -42, -30.8),
    "nose.003": (0, -39, -38),
    "nose.004": (0, -32.6, -42.4),
    "nose.L": (10, -20, -8),
    "nose.L.001": (15.4, -25.4, -38.7),
    "lip.T.L": (0, -34.5, -57.5),
    "lip.T.L.001": (13, -29.5, -58),
    "lip.B.L": (0, -33, -68),
    "lip.B.L.001": (15, -25.5, -66),
    "cheek.B.L": (21.2, -21.6, -62.5),
    "jaw": (0, 20, -105),
    "jaw.L": (64, 50, -62),
    "jaw.L.001": (53, 38, -84),
    "chin": (0, -10, -107),
    "chin.001": (0, -21, -92),
}
"""Where the meta-rig's bones start on this head, millimetres; the bones between follow, the right side is mirrored."""
INSIDE = ("spine", "eye", "face", "teeth", "tongue", "jaw", "chin")
"""Bones that stay where the fit puts them; all others are moved onto the skin."""
COLOURS = head.COLOURS | {
    "skin": (0.40, 0.20, 0.12),
    "lips": (0.36, 0.11, 0.10),
    "hair": (0.012, 0.010, 0.010),
    "iris": (0.14, 0.07, 0.03),
}
REACH, FAR, CORE = 0.025, 0.05, 0.0015
"""Distances along the skin, metres: where the skull's pull is as strong as a bone's, where a bone's pull ends, and the
softness close to a bone."""
JAW_OFFSET = 0.030
"""How far a point that belongs to the jaw moves in the shape jawOpen, metres."""


def build() -> list[bpy.types.Object]:
    """The character in an empty file: what an artist selects to bake onto it."""
    scene.start()
    data = head.HeadData.load()
    rig = _generate(data)
    weights = _weights(data, rig)
    rig.data.bones["teeth.B"].use_deform = True  # Rigify leaves teeth to their user
    lids = np.flatnonzero(np.sum([w for bone, w in weights.items() if bone.startswith("DEF-lid.T")], 0) > 0.9)
    meshes = head.build(keys=False, colours=COLOURS)
    for name, made in meshes.items():
        points = scene.points_of(made)
        if name == "Teeth":
            lower = np.linalg.norm(data.keys["jawOpen"][data.nearest(points)], axis=1) > JAW_OFFSET / 2
            shares = {"teeth.B": lower.astype(float), "DEF-spine.006": (~lower).astype(float)}
        elif name in ("Head", "Lashes", "Brows"):
            nearest = data.nearest(points, lids if name == "Lashes" else data.surface)
            shares = {bone: weight[nearest] for bone, weight in weights.items()}
        else:
            shares = {"DEF-tongue" if name == "Tongue" else "DEF-spine.006": np.ones(len(points))}
        scene.bind(made, rig, shares)
    scene.finish(focus=(0, 0, -0.004), height=0.25)
    return [rig, *meshes.values()]


def _generate(data: head.HeadData) -> bpy.types.Object:
    """The Rigify rig, from the human meta-rig without its body, fitted to the head."""
    if "rigify" not in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    meta = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    bones = meta.data.edit_bones
    kept = {*KEPT, "face", *(bone.name for bone in bones["face"].children_recursive)}
    for bone in [bone for bone in bones if bone.name not in kept]:
        bones.remove(bone)
    _fit(data, bones)
    bpy.ops.object.mode_set(mode="OBJECT")
    meta.pose.bones[KEPT[0]].rigify_parameters.connect_chain = False
    bpy.ops.pose.rigify_generate()
    rig = meta.data.rigify_target_rig
    bpy.data.objects.remove(meta)
    rig.name = rig.data.name = "RigifyFace"
    return rig


def _fit(data: head.HeadData, bones: bpy.types.ArmatureEditBones) -> None:
    """Move the meta-rig's joints onto the head: a smooth warp by JOINTS, then onto the skin."""
    pairs = [(np.array(bones[name].head), np.array(place) / 1000) for name, place in JOINTS.items()]
    mirrored = [(a * (-1, 1, 1), b * (-1, 1, 1)) for a, b in pairs if abs(b[0]) > 0]
    source, target = (np.array(side) for side in zip(*pairs, *mirrored, strict=True))

    def basis(points: FloatArray) -> FloatArray:
        return np.linalg.norm(points[:, None] - source, axis=2)

    affine = np.column_stack([source, np.ones(len(source))])
    system = np.block([[basis(source), affine], [affine.T, np.zeros((4, 4))]])
    solution = np.linalg.solve(system, np.concatenate([target, np.zeros((4, 3))]))
    ends = {(bone.name, end): np.array(getattr(bone, end)) for bone in bones for end in ("head", "tail")}
    warped = np.column_stack([basis(np.array(list(ends.values()))), np.array(list(ends.values())), np.ones(len(ends))])
    for (name, end), place in zip(ends, warped @ solution, strict=True):
        if not name.startswith(INSIDE):
            place = data.vertices[data.nearest(place[None], data.surface)[0]]
        setattr(bones[name], end, place)


def _weights(data: head.HeadData, rig: bpy.types.Object) -> dict[str, FloatArray]:
    """Weight of each deforming bone on each vertex of the head, (n,): it falls off along the skin, not through it.

    So a lower lip's bone does not pull the upper lip. What no bone reaches follows the skull, the neck or the jaw.
    """
    neighbours = _neighbours(data)
    pull = {}
    for bone in rig.data.bones:
        if bone.use_deform and bone.name != "DEF-jaw" and not bone.name.startswith(("DEF-spine", "DEF-tongue")):
            along = np.linspace(0, 1, 5)[:, None]
            points = np.array(bone.head_local) * (1 - along) + np.array(bone.tail_local) * along
            starts = set(data.nearest(points, data.surface).tolist())
            pull[bone.name] = (REACH / (_distances(neighbours, starts, len(data.vertices)) + CORE)) ** 3
    jaw = np.clip(np.linalg.norm(data.keys["jawOpen"], axis=1) / JAW_OFFSET, 0, 1)
    up = np.clip((data.vertices[:, 2] - 0.45 * data.vertices[:, 1] + 0.135) / 0.05, 0, 1)
    pull["DEF-jaw"] = jaw
    pull["DEF-spine.006"] = (1 - jaw) * up
    pull["DEF-spine.004"] = (1 - jaw) * (1 - up)
    total = np.sum(list(pull.values()), 0)
    return {name: weight / total for name, weight in pull.items()}


def _neighbours(data: head.HeadData) -> list[list[tuple[int, float]]]:
    """For each vertex, the vertices of its faces and how far they are."""
    quads = data.quads[np.isin(data.part, [data.parts.index(part) for part in head.OBJECTS["Head"]])].astype(int)
    edges = np.unique(np.sort(np.concatenate([quads[:, [a, b]] for a in range(4) for b in range(a)]), axis=1), axis=0)
    lengths = np.linalg.norm(data.vertices[edges[:, 0]] - data.vertices[edges[:, 1]], axis=1)
    found: list[list[tuple[int, float]]] = [[] for _ in data.vertices]
    for (a, b), length in zip(edges.tolist(), lengths.tolist(), strict=True):
        found[a].append((b, length))
        found[b].append((a, length))
    return found


def _distances(neighbours: list[list[tuple[int, float]]], starts: set[int], n: int) -> FloatArray:
    """Length of the shortest way along the skin from any of the starts, (n,); infinite beyond FAR."""
    distances = np.full(n, np.inf)
    waiting = [(0.0, start) for start in starts]
    while waiting:
        distance, vertex = heapq.heappop(waiting)
        if distance < distances[vertex]:
            distances[vertex] = distance
            for other, length in neighbours[vertex]:
                if distance + length < min(distances[other], FAR):
                    heapq.heappush(waiting, (distance + length, other))
    return distances


if __name__ == "__main__":
    scene.command_line(build)
