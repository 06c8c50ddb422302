# SPDX-License-Identifier: MIT
"""What both heads have in common while they are built: the mesh, sparse offsets, distances in face millimetres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bdfm_train.face_model.labels import EYE, SKIN

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CANTHAL_MM: Final = 88.0
"""Faces are compared at this distance between the outer eye corners (landmarks 36 and 45)."""


@dataclass
class HeadMesh:
    """Geometry of a head at its base, in decimetres; +x the person's left, +y up, +z forward."""

    v: Floats
    """(V, 3) vertices, lashes included."""
    f: Ints
    """(F, 3) triangles without lashes."""
    uv: Floats
    """(F, 3, 2) texture coordinates of the corners."""
    label: NDArray[np.uint8]
    """(F,) class; the skin atlas' label map refines it where the material is SKIN."""
    mat: NDArray[np.uint8]
    """(F,) material."""
    lash_f: Ints
    lash_uv: Floats
    landmarks: Ints
    """(68,) vertices, iBUG order."""
    soft: Bools
    """(V,) vertices that flesh handles may move: all but eyeballs, teeth, gums and tongue."""
    lower: Floats
    """(V,) share of the lower jaw, 0..1."""
    lift: Callable[[Floats], Floats]
    """Offsets of all source vertices -> offsets (V, 3) of this mesh."""

    def eye(self, side: int) -> Ints:
        """Vertices of one eyeball; side +1 is the person's left."""
        vertices = np.unique(self.f[self.mat == EYE])
        return vertices[np.sign(self.v[vertices, 0]) == side]

    def skin_vertices(self) -> Ints:
        """Vertices of triangles that sample the skin atlas."""
        return np.unique(self.f[self.mat == SKIN])


def unit_mm(landmark_positions: Floats) -> float:
    """Face millimetres in one unit of the mesh, for landmarks (68, 3)."""
    return CANTHAL_MM / float(np.linalg.norm(landmark_positions[45] - landmark_positions[36]))


def sparse(fields: Floats, threshold: float) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.float16]]:
    """Sparse fields (K, V, 3): ``ptr`` (K + 1,), then ``vi`` and ``val`` of vertices moved by more than a threshold."""
    moved = np.abs(fields).max(2) > threshold
    field, vertex = np.nonzero(moved)
    pointer = np.searchsorted(field, np.arange(len(fields) + 1)).astype(np.int32)
    return pointer, vertex.astype(np.uint16), fields[field, vertex].astype(np.float16)


def closest_on_mesh(points: Floats, v: Floats, f: Ints, candidates: int = 24) -> tuple[Ints, Floats, Floats]:
    """Nearest point of a mesh to each point (N, 3): triangle (N,), barycentric weights (N, 3), distance (N,).

    Only the triangles with the nearest centroids are looked at; on their edges the weights are clamped.
    """
    _, near = cKDTree(v[f].mean(1)).query(points, k=min(candidates, len(f)))
    corners = v[f[near]]
    a = corners[:, :, 0]
    e0, e1, w = corners[:, :, 1] - a, corners[:, :, 2] - a, points[:, None] - a
    d00, d01, d11 = (e0 * e0).sum(2), (e0 * e1).sum(2), (e1 * e1).sum(2)
    d20, d21 = (w * e0).sum(2), (w * e1).sum(2)
    determinant = d00 * d11 - d01 * d01 + 1e-20
    b1, b2 = (d11 * d20 - d01 * d21) / determinant, (d00 * d21 - d01 * d20) / determinant
    weights = np.clip(np.stack([1 - b1 - b2, b1, b2], 2), 0, 1)
    weights /= weights.sum(2, keepdims=True)
    distance = np.linalg.norm(np.einsum("nck,nckd->ncd", weights, corners) - points[:, None], axis=2)
    best = distance.argmin(1)
    row = np.arange(len(points))
    return near[row, best], weights[row, best], distance[row, best]
