# SPDX-License-Identifier: MIT
"""Readers of MakeHuman's plain-text formats: .obj, .target, .mhclo proxies, .mhskel rigs, .mhw weights, BVH pose units.

Axes of MakeHuman: 1 unit is 1 decimetre, +x the character's left, +y up, +z forward.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ObjMesh:
    """Polygons of a Wavefront file."""

    v: Floats
    """(V, 3) vertices."""
    vt: Floats
    """(T, 2) texture coordinates."""
    polygons: list[tuple[list[int], list[int]]]
    """Vertex and texture indices of each polygon, counted from 0."""
    groups: list[str]
    """Group name of each polygon."""


def read_obj(path: Path) -> ObjMesh:
    """Read vertices, texture coordinates, polygons and groups."""
    v: list[list[float]] = []
    vt: list[list[float]] = []
    polygons: list[tuple[list[int], list[int]]] = []
    groups: list[str] = []
    group = ""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            v.append([float(x) for x in rest[:3]])
        elif kind == "vt":
            vt.append([float(x) for x in rest[:2]])
        elif kind == "g":
            group = rest[0] if rest else ""
        elif kind == "f":
            corners = [corner.split("/") for corner in rest]
            polygons.append(([int(c[0]) - 1 for c in corners], [int(c[1]) - 1 for c in corners]))
            groups.append(group)
    return ObjMesh(np.array(v), np.array(vt), polygons, groups)


def read_target(path: Path, n_vertices: int) -> Floats:
    """Dense (n_vertices, 3) offsets of a ``.target`` file."""
    offsets = np.zeros((n_vertices, 3))
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith(("#", '"'))]
    table = np.array([row for row in rows if len(row) == 4], float).reshape(-1, 4)
    index = table[:, 0].astype(int)
    inside = index < n_vertices
    offsets[index[inside]] = table[inside, 1:]
    return offsets


@dataclass(frozen=True)
class Proxy:
    """A mesh bound to the base mesh: each vertex follows three base vertices."""

    index: Ints
    """(N, 3) base vertices."""
    weight: Floats
    """(N, 3)."""
    offset: Floats
    """(N, 3) constant offset, in units of the scale below."""
    scale: dict[int, tuple[int, int, float]]
    """Axis -> two base vertices whose distance along it, divided by the number, scales the offsets."""
    obj_name: str

    def place(self, base: Floats) -> Floats:
        """(N, 3) positions on the base mesh (B, 3)."""
        scale = np.ones(3)
        for axis, (a, b, length) in self.scale.items():
            scale[axis] = abs(base[a, axis] - base[b, axis]) / length
        return self.follow(base) + self.offset * scale

    def follow(self, field: Floats) -> Floats:
        """(N, 3) offsets that a field of base offsets (B, 3) gives the proxy."""
        return np.asarray(np.einsum("nk,nkd->nd", self.weight, field[self.index]))


def read_proxy(path: Path) -> Proxy:
    """Read the vertex bindings of a ``.mhclo`` file."""
    index: list[list[int]] = []
    weight: list[list[float]] = []
    offset: list[list[float]] = []
    scale: dict[int, tuple[int, int, float]] = {}
    obj_name, in_vertices = "", False
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] in ("x_scale", "y_scale", "z_scale"):
            scale["xyz".index(words[0][0])] = (int(words[1]), int(words[2]), float(words[3]))
        elif words[0] == "obj_file":
            obj_name = words[1]
        elif words[0] == "verts":
            in_vertices = True
        elif words[0] == "delete_verts":
            break
        elif in_vertices and words[0].lstrip("-").isdigit():
            if len(words) == 1:
                index.append([int(words[0])] * 3)
                weight.append([1.0, 0.0, 0.0])
                offset.append([0.0, 0.0, 0.0])
            else:
                index.append([int(w) for w in words[:3]])
                weight.append([float(w) for w in words[3:6]])
                offset.append([float(w) for w in words[6:9]] or [0.0, 0.0, 0.0])
    return Proxy(np.array(index), np.array(weight), np.array(offset), scale, obj_name)


@dataclass(frozen=True)
class Rig:
    """Bones with skinning weights; rest rotations are the identity."""

    bones: list[str]
    parent: list[int]
    """Index of each bone's parent, -1 for a root."""
    weights: Floats
    """(bones, vertices), columns sum to 1 where a vertex is skinned."""
    head_vertices: list[list[int]]
    """Base vertices whose mean is the bone's head."""

    def heads(self, base: Floats) -> Floats:
        """(bones, 3) positions of the bones' heads."""
        return np.array([base[v].mean(0) for v in self.head_vertices])

    def descendants(self, bone: str) -> list[int]:
        """The bone and all bones below it."""
        found = [self.bones.index(bone)]
        for b in found:
            found += [child for child, parent in enumerate(self.parent) if parent == b]
        return found

    def offsets(
        self, base: Floats, rotation_vectors: dict[str, Floats], shifts: dict[str, Floats] | None = None
    ) -> Floats:
        """(V, 3) offsets of linear blend skinning, each named bone turned by its rotation vector (radians).

        ``shifts`` moves the centres about which bones turn from the bones' heads.
        """
        heads = self.heads(base)
        for bone, shift in (shifts or {}).items():
            heads[self.bones.index(bone)] += shift
        world = np.tile(np.eye(4), (len(self.bones), 1, 1))
        done: set[int] = set()

        def solve(i: int) -> None:
            parent = self.parent[i]
            if i in done:
                return
            done.add(i)
            local = np.eye(4)
            local[:3, :3] = Rotation.from_rotvec(rotation_vectors.get(self.bones[i], np.zeros(3))).as_matrix()
            local[:3, 3] = heads[i]
            if parent >= 0:
                solve(parent)
                local[:3, 3] -= heads[parent]
                world[i] = world[parent] @ local
            else:
                world[i] = local

        for i in range(len(self.bones)):
            solve(i)
        world[:, :3, 3] -= np.einsum("nij,nj->ni", world[:, :3, :3], heads)
        posed = np.einsum("bv,bij,vj->vi", self.weights, world[:, :3], np.c_[base, np.ones(len(base))], optimize=True)
        skinned = self.weights.sum(0) > 0
        return np.asarray(np.where(skinned[:, None], posed - base, 0.0))


def read_rig(skeleton: Path, weights: Path, n_vertices: int) -> Rig:
    """Read an ``.mhskel`` with its ``.mhw``."""
    data = json.loads(skeleton.read_text(encoding="utf-8"))
    by_bone = json.loads(weights.read_text(encoding="utf-8"))["weights"]
    bones = list(data["bones"])
    matrix = np.zeros((len(bones), n_vertices))
    for i, bone in enumerate(bones):
        for vertex, value in by_bone.get(bone, []):
            if vertex < n_vertices:
                matrix[i, vertex] = value
    matrix /= np.maximum(matrix.sum(0), 1e-12)
    parents = [data["bones"][bone]["parent"] for bone in bones]
    heads = [data["joints"][data["bones"][bone]["head"]] for bone in bones]
    return Rig(bones, [bones.index(p) if p else -1 for p in parents], matrix, heads)


def read_pose_units(bvh: Path, names: Path) -> dict[str, dict[str, Floats]]:
    """Pose unit -> bone -> rotation vector in MakeHuman's axes (the BVH is z-up)."""
    joints: list[str] = []
    channels: list[tuple[str, str]] = []
    lines = iter(bvh.read_text(encoding="utf-8").splitlines())
    for line in lines:
        words = line.split()
        if words and words[0] in ("ROOT", "JOINT"):
            joints.append(words[1])
        elif words and words[0] == "CHANNELS":
            channels += [(joints[-1], channel) for channel in words[2:]]
        elif words and words[0] == "MOTION":
            break
    next(lines)
    next(lines)
    frames = [[float(x) for x in line.split()] for line in lines if line.strip()]
    units: dict[str, dict[str, Floats]] = {}
    for name, frame in zip(json.loads(names.read_text(encoding="utf-8"))["framemapping"], frames, strict=True):
        turns: dict[str, Rotation] = {}
        for (bone, channel), value in zip(channels, frame, strict=True):
            if channel.endswith("rotation") and value:
                turn = Rotation.from_euler(channel[0], value, degrees=True)
                turns[bone] = turns[bone] * turn if bone in turns else turn
        units[name] = {b: r.as_rotvec()[[0, 2, 1]] * [1.0, 1.0, -1.0] for b, r in turns.items()}
    return units
