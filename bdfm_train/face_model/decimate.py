# SPDX-License-Identifier: MIT
"""Fewer triangles by edge collapses that keep a subset of the vertices, so that offsets and landmarks stay exact.

Quadric error metrics (Garland and Heckbert 1997); a vertex always collapses onto a neighbour. Corners keep their own
texture coordinates; edges across a texture seam or between parts are left alone.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from bdfm_train.face_model.labels import EYE, SKIN
from bdfm_train.face_model.mesh import Bools, Floats, HeadMesh, Ints, unit_mm

FEATURE_RADIUS_MM: Final = 9.0
FEATURE_COST: Final = 300.0
"""Lids, lips and nostrils: collapses near landmarks 27 to 67 cost this many times more."""
HIDDEN_COST: Final = 0.05
"""Eyeballs, teeth, gums and the cavity of the mouth: collapses cost less."""
UV_TOLERANCE: Final = 1e-3
EVENNESS: Final = 1e-3
"""Weight of edge lengths beside the quadric error: keeps flat regions evenly meshed."""


def decimate(mesh: HeadMesh, n_triangles: int) -> HeadMesh:
    """The mesh with at most about ``n_triangles`` triangles (lashes aside); landmarks are kept."""
    locked = np.zeros(len(mesh.v), bool)
    locked[mesh.landmarks] = True
    locked[np.unique(mesh.lash_f)] = True
    f, corner_uv, origin = collapse(mesh, importance(mesh), locked, n_triangles)
    used = np.unique(np.concatenate([f.ravel(), mesh.lash_f.ravel(), mesh.landmarks]))
    lift = mesh.lift
    return HeadMesh(
        v=mesh.v[used], f=np.searchsorted(used, f), uv=corner_uv, label=mesh.label[origin], mat=mesh.mat[origin],
        lash_f=np.searchsorted(used, mesh.lash_f), lash_uv=mesh.lash_uv,
        landmarks=np.searchsorted(used, mesh.landmarks), soft=mesh.soft[used], lower=mesh.lower[used],
        lift=lambda field: lift(field)[used],
    )  # fmt: skip


def importance(mesh: HeadMesh) -> Floats:
    """(V,) factor on the cost of removing each vertex."""
    points = mesh.v[mesh.landmarks]
    nearest = np.min([np.linalg.norm(mesh.v - p, axis=1) for p in points[27:68]], axis=0) * unit_mm(points)
    weight = 1 + FEATURE_COST * np.exp(-((nearest / FEATURE_RADIUS_MM) ** 2))
    hidden = np.unique(mesh.f[mesh.mat != SKIN])
    weight[np.setdiff1d(hidden, mesh.skin_vertices())] = HIDDEN_COST
    weight[np.unique(mesh.f[mesh.mat == EYE])] = 10.0
    return weight


def vertex_quadrics(v: Floats, f: Ints) -> Floats:
    """(V, 4, 4) sums of squared distances to the planes of the incident triangles, weighted by area."""
    normal = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
    area = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = normal / np.maximum(area, 1e-15)
    plane = np.c_[normal, -(normal * v[f[:, 0]]).sum(1)]
    quadrics = np.zeros((len(v), 4, 4))
    for k in range(3):
        np.add.at(quadrics, f[:, k], plane[:, :, None] * plane[:, None] * area[:, :, None])
    return quadrics


def collapse(mesh: HeadMesh, weight: Floats, locked: Bools, goal: int) -> tuple[Ints, Floats, Ints]:
    """Collapse the cheapest edges first; returns triangles, their corners' coordinates and the triangles they were."""
    v, part = mesh.v, mesh.mat.astype(int) * 100 + mesh.label
    homogeneous = np.c_[v, np.ones(len(v))]
    quadric = vertex_quadrics(v, mesh.f)
    spacing = np.zeros(len(v))
    f, uv = mesh.f.tolist(), [[tuple(c) for c in corners] for corners in mesh.uv.tolist()]
    alive = [True] * len(f)
    around: list[set[int]] = [set() for _ in v]
    for t, corners in enumerate(f):
        for a in corners:
            around[a].add(t)
    stamp = [0] * len(v)
    heap: list[tuple[float, int, int, int, int]] = []

    def push(a: int, b: int) -> None:
        """Offer to collapse vertex a onto b."""
        if locked[a]:
            return
        error = float(homogeneous[b] @ quadric[a] @ homogeneous[b])
        length = float(((v[a] - v[b]) ** 2).sum())
        cost = weight[a] * (max(error, 0.0) + EVENNESS * length * (length + spacing[a]))
        heapq.heappush(heap, (cost, a, b, stamp[a], stamp[b]))

    def neighbours(a: int) -> set[int]:
        return {c for t in around[a] for c in f[t]} - {a}

    def allowed(a: int, b: int) -> bool:
        """Interior, not across seams or parts, keeps the surface a surface, turns no triangle over."""
        shared = around[a] & around[b]
        if len(shared) != 2 or len({part[t] for t in around[a]}) > 1:
            return False
        if len(neighbours(a) & neighbours(b)) != 2 or len(neighbours(a)) != len(around[a]):
            return False
        for vertex in (a, b):
            coordinates = [uv[t][f[t].index(vertex)] for t in (around[a] if vertex == a else shared)]
            if max(max(c) - min(c) for c in zip(*coordinates, strict=True)) > UV_TOLERANCE:
                return False
        for t in around[a] - shared:
            n0, n1 = _normal(*v[f[t]].tolist()), _normal(*v[[b if c == a else c for c in f[t]]].tolist())
            if _dot(n0, n1) < 0.5 * math.sqrt(_dot(n0, n0) * _dot(n1, n1)) or _dot(n1, n1) < 1e-16:
                return False
        return True

    for a in range(len(v)):
        if around[a]:
            for b in neighbours(a):
                push(a, b)
    left = len(f)
    while left > goal and heap:
        _, a, b, stamp_a, stamp_b = heapq.heappop(heap)
        if stamp[a] != stamp_a or stamp[b] != stamp_b or not allowed(a, b):
            continue
        shared = around[a] & around[b]
        coordinate = next(uv[t][f[t].index(b)] for t in shared)
        for t in shared:
            alive[t] = False
            for c in f[t]:
                around[c].discard(t)
        for t in around[a]:
            corner = f[t].index(a)
            f[t][corner] = b
            uv[t][corner] = coordinate
        around[b] |= around[a]
        around[a] = set()
        quadric[b] += quadric[a]
        spacing[b] += spacing[a] + float(((v[a] - v[b]) ** 2).sum())
        left -= 2
        stamp[a] += 1
        stamp[b] += 1
        for c in neighbours(b):
            push(b, c)
            push(c, b)
    kept = np.flatnonzero(alive)
    return np.array([f[t] for t in kept]), np.array([uv[t] for t in kept]), kept


def _normal(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> tuple[float, float, float]:
    """Of a triangle, twice its area long. In plain floats: numpy takes twenty times as long for one triangle."""
    ux, uy, uz = (p - q for p, q in zip(b, a, strict=True))
    wx, wy, wz = (p - q for p, q in zip(c, a, strict=True))
    return uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx


def _dot(u: Sequence[float], w: Sequence[float]) -> float:
    return u[0] * w[0] + u[1] * w[1] + u[2] * w[2]
