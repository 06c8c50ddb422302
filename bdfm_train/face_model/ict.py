# SPDX-License-Identifier: MIT
"""Head B: ICT-FaceKit (MIT), scans of real people, laid into head A's texture atlas."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from bdfm_train.errors import RecipeError
from bdfm_train.face_model.action_units import Recipe, both_sides, sculpt
from bdfm_train.face_model.decimate import decimate
from bdfm_train.face_model.labels import EYE, LABEL, MOUTH, SKIN, TEETH
from bdfm_train.face_model.mesh import Bools, Floats, HeadMesh, Ints, closest_on_mesh
from bdfm_train.face_model.sources import Sources

DECIMETRES: Final = 0.1
"""ICT-FaceKit is in centimetres."""
PARTS: Final = {
    "face": (0, 9229), "head": (9230, 11143), "cavity": (11144, 13225), "socket": (13226, 14033),
    "gums": (14034, 17005), "teeth": (17006, 21495), "sclera_l": (21496, 22295), "sclera_r": (23094, 23893),
    "lashes": (25304, 26383),
}  # fmt: skip
"""First and last polygon of each part of ICT-FaceKit's mesh."""
LASH_STRIPS: Final = ((0.33, 0.49), (0.84, 1.0))
"""Texture rows of the two lash strips that are kept (one upper, one lower) of six."""
FLAT_UV: Final = {"cavity": (0.62, 0.62), "socket": (0.62, 0.62), "gums": (0.62, 0.62), "teeth": (0.42, 0.13)}
IRIS_UV: Final = ((0.289, 0.295), (0.0, 0.42, 1.6), (0.0, 0.115, 0.27))
"""Centre of the iris in the eye texture; angles from the optical axis, radians, and their radii there."""
CONSENSUS: Final = 0.65
"""Corners are pulled this far to their triangle's centre while they look for their place in head A's atlas."""
SEAM_SPAN: Final = 0.05
TRIANGLES: Final = 12_500
"""Triangles that are kept, lashes aside, so that both heads render equally fast."""
SKULL: Final = np.array(
    [[0, 1, 0], [0, 0.8, -0.6], [0, 0.2, -1], [1, 0.5, 0], [-1, 0.5, 0], [0, 0.9, 0.5], [0.6, 0.8, 0], [-0.6, 0.8, 0]]
)
"""Directions whose farthest points tie the skulls of both heads together."""


class IctFaceKit:
    """ICT-FaceKit's neutral head with identity modes and expression shapes.

    Args:
        sources: verified source files.
        landmarks: (68,) vertices of ICT-FaceKit.
        head_a: mesh of head A, whose texture atlas and hair this head wears.
        base_recipe: what is added at rest (the lip seal).
    """

    sides = ("L", "R")

    def __init__(self, sources: Sources, landmarks: Ints, head_a: HeadMesh, base_recipe: Recipe) -> None:
        with np.load(sources.path("ict_facekit.npz")) as data:
            self.v = data["v"].astype(float) * DECIMETRES
            self.vt, self.f, self.t, self.polygon = data["vt"], data["tri"].astype(int), data["tri_t"], data["poly"]
            self.modes: NDArray[np.float32] = data["ids"].astype(np.float32) * np.float32(DECIMETRES)
            self.shapes = dict(zip(data["ex_names"].tolist(), data["exs"], strict=True))
        self.landmarks = landmarks
        self.head_a = head_a
        self.hinge = Hinge(self.v, self.shape("jawOpen"), self.part_vertices("teeth"))
        flesh = np.ones(len(self.v), bool)
        flesh[self.rigid_vertices()] = False
        self.lower = np.clip(self.hinge.share / np.median(self.hinge.share[landmarks[65:68]]), 0, 1)
        self.v += sculpt(np.zeros_like(self.v), base_recipe, self.v, landmarks, self.lower, flesh)

    def part(self, name: str) -> Bools:
        """Which triangles belong to a part."""
        first, last = PARTS[name]
        return np.asarray((self.polygon >= first) & (self.polygon <= last))

    def part_vertices(self, name: str) -> Ints:
        """Vertices of a part."""
        return np.unique(self.f[self.part(name)])

    def rigid_vertices(self) -> Ints:
        """Vertices of eyeballs, teeth, gums and tongue."""
        return np.concatenate([self.part_vertices(p) for p in ("teeth", "gums", "sclera_l", "sclera_r")])

    def shape(self, name: str) -> Floats:
        """Offsets (V, 3) of an expression shape.

        Raises:
            RecipeError: no such shape.
        """
        if name not in self.shapes:
            raise RecipeError(f"head B has no shape {name}; known: {', '.join(self.shapes)}")
        return np.asarray(self.shapes[name].astype(float) * DECIMETRES)

    def blend(self, recipe: Recipe) -> Floats:
        """Offsets (V, 3) of a recipe's shapes on the head mesh.

        Raises:
            RecipeError: the recipe asks for pose units; this head has no rig.
        """
        if recipe.pose_units:
            raise RecipeError("head B has no pose units; use shapes and handles")
        offsets = np.zeros_like(self.v)
        for name, amount in both_sides(recipe.shapes, self.sides).items():
            offsets += amount * self.shape(name)
        return self.mesh.lift(offsets)

    def jaw(self, recipe: Recipe, amount: float) -> Floats:
        """Offsets (V, 3) of the jaw opened to a share of the recipe's ``jawOpen``, along arcs about its hinge."""
        return self.mesh.lift(self.hinge.open(amount * recipe.shapes["jawOpen"]))

    @property
    def eye_middle(self) -> Floats:
        """(3,) middle of both eyeballs."""
        return np.asarray(self.v[np.union1d(self.part_vertices("sclera_l"), self.part_vertices("sclera_r"))].mean(0))

    @cached_property
    def warp(self) -> Warp:
        """Correspondence with head A."""
        return Warp(self, self.head_a)

    @cached_property
    def mesh(self) -> HeadMesh:
        """The head as it is rendered: visible parts, few triangles."""
        return decimate(full_mesh(self), TRIANGLES)


class Hinge:
    """The jaw's hinge, found in the linear shape ``jawOpen``: lower teeth turn rigidly, flesh turns along in part.

    At full opening this is the sculpted shape; on the way there every vertex goes along an arc about the hinge instead
    of a straight line.
    """

    def __init__(self, v: Floats, opened: Floats, teeth: Ints) -> None:
        travel = np.linalg.norm(opened, axis=1)
        lower_teeth = teeth[travel[teeth] > travel.max() / 4]
        self.angle, self.axis = _rigid_turn(v[lower_teeth], v[lower_teeth] + opened[lower_teeth])
        self.arm = v - self.axis
        there = self.arm + opened
        turned = np.arctan2(_cross_x(self.arm, there), (self.arm[:, 1:] * there[:, 1:]).sum(1))
        self.share = np.where(travel > 1e-4, np.clip(turned / self.angle, 0, 1), 0)
        self.share[teeth] = 0
        self.share[lower_teeth] = 1
        self.rest = opened - (self._turn(1.0) - self.arm)
        self.rest[teeth] = 0

    def _turn(self, amount: float) -> Floats:
        angle = amount * self.angle * self.share
        cos, sin = np.cos(angle), np.sin(angle)
        x, y, z = self.arm.T
        return np.stack([x, y * cos - z * sin, y * sin + z * cos], 1)

    def open(self, amount: float) -> Floats:
        """Offsets (V, 3) at a share of full opening."""
        return self._turn(amount) - self.arm + amount * self.rest


def _cross_x(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1])


def _rigid_turn(a: Floats, b: Floats) -> tuple[float, Floats]:
    """Angle about the x axis and a point of the axis that take points a to b."""
    turn, _ = Rotation.align_vectors(b - b.mean(0), a - a.mean(0))
    matrix = turn.as_matrix()[1:, 1:]
    shift = (b.mean(0) - turn.apply(a.mean(0)))[1:]
    return float(turn.as_rotvec()[0]), np.array([0.0, *np.linalg.solve(np.eye(2) - matrix, shift)])


class Warp:
    """Similarity, then a thin-plate spline through landmarks and skull, from head B to head A and back."""

    def __init__(self, head: IctFaceKit, head_a: HeadMesh) -> None:
        a, b = head.v[head.landmarks], head_a.v[head_a.landmarks]
        self.turn, _ = Rotation.align_vectors(b - b.mean(0), a - a.mean(0))
        aligned = self.turn.apply(a - a.mean(0))
        self.scale = float((aligned * (b - b.mean(0))).sum() / (aligned**2).sum())
        self.origin, self.target = a.mean(0), b.mean(0)
        near = self._align(head.v)
        skull_b = np.union1d(head.part_vertices("face"), head.part_vertices("head"))
        flesh = (head_a.mat == SKIN) & np.isin(head_a.label, [LABEL["skin"], LABEL["hair"]])
        skull_a = np.unique(head_a.f[flesh])
        brows = np.isin(np.arange(68), np.arange(17, 27))  # brows are painted anew on head B
        source = np.vstack([near[head.landmarks][~brows], near[skull_b[(near[skull_b] @ SKULL.T).argmax(0)]]])
        goal = np.vstack([b[~brows], head_a.v[skull_a[(head_a.v[skull_a] @ SKULL.T).argmax(0)]]])
        _, first = np.unique(source.round(6), axis=0, return_index=True)
        self._forth = RBFInterpolator(source[first], goal[first], kernel="thin_plate_spline", smoothing=1e-4)
        self._back = RBFInterpolator(goal[first], source[first], kernel="thin_plate_spline", smoothing=1e-4)

    def _align(self, points: Floats) -> Floats:
        return np.asarray(self.turn.apply(points - self.origin) * self.scale + self.target)

    def to_a(self, points: Floats) -> Floats:
        """Points (N, 3) of head B's space in head A's."""
        return np.asarray(self._forth(self._align(points)))

    def from_a(self, points: Floats) -> Floats:
        """Points (N, 3) of head A's space in head B's."""
        return np.asarray(self.turn.inv().apply((self._back(points) - self.target) / self.scale) + self.origin)


def atlas_coordinates(head: IctFaceKit, triangles: Ints) -> Floats:
    """Texture coordinates (F, 3, 2) in head A's atlas for triangles of the face and the back of the head."""
    a = head.head_a
    outside = (a.mat == SKIN) & (a.label != LABEL["inner_mouth"])
    warped = head.warp.to_a(head.v)[triangles]
    pulled = CONSENSUS * warped + (1 - CONSENSUS) * warped.mean(1, keepdims=True)
    face, weight, _ = closest_on_mesh(pulled.reshape(-1, 3), a.v, a.f[outside])
    found = np.einsum("nk,nkd->nd", weight, a.uv[outside][face]).reshape(-1, 3, 2)
    centre = found.mean(1, keepdims=True)
    uv = centre + (found - centre) / CONSENSUS
    across_seam = np.ptp(uv, axis=1).max(1) > SEAM_SPAN
    uv[across_seam] = found[across_seam][:, :1]
    return relax(head, triangles, uv, ~across_seam)


def relax(head: IctFaceKit, triangles: Ints, uv: Floats, usable: Bools) -> Floats:
    """Let corners share their vertex' mean coordinates and smooth these away from eyes and mouth."""
    n = len(head.v)
    corners, values = triangles[usable].ravel(), uv[usable].reshape(-1, 2)
    count = np.bincount(corners, minlength=n)
    total = np.stack([np.bincount(corners, values[:, k], n) for k in (0, 1)], 1)
    squares = np.stack([np.bincount(corners, values[:, k] ** 2, n) for k in (0, 1)], 1)
    mean = total / np.maximum(count, 1)[:, None]
    spread = np.sqrt(np.maximum(squares / np.maximum(count, 1)[:, None] - mean**2, 0)).max(1)
    good = (count > 0) & (spread < 0.012)
    features = head.v[head.landmarks[36:68]]
    loose = good & (cKDTree(features).query(head.v)[0] > 0.09) & (head.v[:, 2] > 0.2)
    sides = triangles[usable]
    edges = np.vstack([sides[:, [0, 1]], sides[:, [1, 2]], sides[:, [2, 0]]])
    edges = np.vstack([edges, edges[:, ::-1]])
    edges = edges[good[edges].all(1)]
    degree = np.bincount(edges[:, 0], minlength=n)
    loose &= degree > 0
    for _ in range(12):
        neighbours = np.stack([np.bincount(edges[:, 0], mean[edges[:, 1], k], n) for k in (0, 1)], 1)
        mean[loose] = 0.5 * mean[loose] + 0.5 * neighbours[loose] / degree[loose, None]
    shared = usable & good[triangles].all(1)
    uv[shared] = mean[triangles[shared]]
    return uv


def full_mesh(head: IctFaceKit) -> HeadMesh:
    """Visible parts of ICT-FaceKit with materials, classes and head A's texture coordinates."""
    v = head.v
    centre = v[head.f].mean(1)
    normal = np.cross(v[head.f[:, 1]] - v[head.f[:, 0]], v[head.f[:, 2]] - v[head.f[:, 0]])
    forward = normal[:, 2] > -0.2 * np.linalg.norm(normal, axis=1)
    seen = {name: head.part(name) for name in PARTS}
    seen["gums"] &= forward & (centre[:, 2] > 0.45)
    seen["teeth"] &= forward & (centre[:, 2] > 0.5)
    for name in ("sclera_l", "sclera_r"):
        seen[name] &= centre[:, 2] > v[head.part_vertices(name), 2].mean() - 0.02
    row = head.vt[head.t][..., 1].mean(1)
    lash = seen.pop("lashes") & np.any([(row > low) & (row < high) for low, high in LASH_STRIPS], axis=0)
    f = np.vstack([head.f[m] for m in seen.values()])
    part = np.repeat(list(seen), [m.sum() for m in seen.values()])

    uv = np.zeros((len(f), 3, 2))
    skin = np.isin(part, ["face", "head"])
    uv[skin] = atlas_coordinates(head, f[skin])
    for name, flat in FLAT_UV.items():
        uv[part == name] = flat
    for name in ("sclera_l", "sclera_r"):
        uv[part == name] = eye_coordinates(v, f[part == name], head.part_vertices(name))
    mat = np.select([skin, part == "teeth", np.char.startswith(part, "sclera")], [SKIN, TEETH, EYE], MOUTH)
    names = {"cavity": "inner_mouth", "gums": "inner_mouth", "teeth": "inner_mouth", "sclera_l": "l_eye",
             "sclera_r": "r_eye"}  # fmt: skip
    label = np.array([LABEL[names.get(p, "skin")] for p in part])

    used = np.unique(np.vstack([f, head.f[lash]]))
    return HeadMesh(
        v=v[used], f=np.searchsorted(used, f), uv=uv, label=label.astype(np.uint8), mat=mat.astype(np.uint8),
        lash_f=np.searchsorted(used, head.f[lash]), lash_uv=head.vt[head.t[lash]] - [6, 0],
        landmarks=np.searchsorted(used, head.landmarks), soft=~np.isin(used, head.rigid_vertices()),
        lower=head.lower[used], lift=lambda field: field[used],
    )  # fmt: skip


def eye_coordinates(v: Floats, f: Ints, ball: Ints) -> Floats:
    """Coordinates (F, 3, 2) in the eye texture, by the angle to the optical axis."""
    ray = v[f] - v[ball].mean(0)
    ray /= np.linalg.norm(ray, axis=2, keepdims=True)
    centre, angles, radii = IRIS_UV
    radius = np.interp(np.arccos(np.clip(ray[..., 2], -1, 1)), angles, radii)
    around = np.arctan2(ray[..., 1], ray[..., 0])
    return np.stack([centre[0] + radius * np.cos(around), centre[1] + radius * np.sin(around)], -1)
