# SPDX-License-Identifier: MIT
"""What an identity must not change: lids lie on the eyeballs and lips touch, or a still face reads as an expression.

Identity fields come from scans and sculpting, where lids sink into eyeballs and lips part. Both corrections are linear
in the field, so that they hold for every mixture of identities to first order.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from bdfm_train.face_model.action_units import fit_sphere
from bdfm_train.face_model.mesh import Floats, HeadMesh, unit_mm

LID_REACH: Final = 0.05
"""Decimetres from an eyeball within which flesh counts as its lids."""
SEAT_WIDTH: Final = 0.12
"""Decimetres over which flesh follows its eyeball less and less."""
APERTURE_SHARE: Final = 0.6
"""Share of the lids' motion along the eyeball that stays: people's eyes differ in opening, AU05 and AU07 more."""
LIP_RADIUS_MM: Final = 8.0
INNER_LIPS: Final = ((61, 67), (62, 66), (63, 65))
"""Landmarks that touch when the mouth is closed, upper and lower."""


def seat_eyeballs(fields: Floats, mesh: HeadMesh) -> Floats:
    """Fields (K, V, 3) in which each eyeball moves and grows as its lids do and the lids stay on its surface."""
    fields = fields.copy()
    for side in (1, -1):
        ball = mesh.eye(side)
        front = mesh.v[ball][mesh.v[ball, 2] > np.median(mesh.v[ball, 2])]
        centre, radius = fit_sphere(front)
        ray = mesh.v - centre
        distance = np.linalg.norm(ray, axis=1)
        normal, gap = ray / distance[:, None], distance - radius
        lids = mesh.soft & (np.abs(gap) < LID_REACH) & (ray[:, 2] > 0.3 * radius)
        system = np.c_[normal[lids], np.ones(lids.sum())]
        fitted = np.linalg.lstsq(system, np.einsum("jd,kjd->jk", normal[lids], fields[:, lids]), rcond=None)[0]
        shift, growth = fitted[:3].T[:, None], fitted[3][:, None, None]
        fields[:, ball] = shift + growth * ray[ball] / radius
        follows = np.exp(-((gap / SEAT_WIDTH) ** 2) / 2) * (ray[:, 2] > 0) * mesh.soft
        near = follows > 0.01
        along = fields[:, near] - shift
        along -= np.einsum("kjd,jd->kj", along, normal[near])[..., None] * normal[near]
        seated = shift + APERTURE_SHARE * along + growth * normal[near]
        fields[:, near] += follows[near, None] * (seated - fields[:, near])
    return fields


def seal_lips(fields: Floats, mesh: HeadMesh) -> Floats:
    """Fields (K, V, 3) without vertical motion of the inner lips against each other."""
    points = mesh.v[mesh.landmarks]
    radius = LIP_RADIUS_MM / unit_mm(points)
    upper, lower = (mesh.landmarks[[pair[i] for pair in INNER_LIPS]] for i in (0, 1))
    middle = (mesh.v[upper] + mesh.v[lower]) / 2
    weight = np.exp(-((mesh.v[:, None] - middle) ** 2).sum(2) / (2 * radius**2)) * mesh.soft[:, None]
    direction = weight * np.where(mesh.lower > 0.5, 1.0, -1.0)[:, None] * np.abs(2 * mesh.lower - 1)[:, None]
    parting = fields[:, upper, 1] - fields[:, lower, 1]
    amounts = np.linalg.solve(direction[lower] - direction[upper], parting.T)
    sealed = fields.copy()
    sealed[..., 1] += (direction @ amounts).T
    return sealed
