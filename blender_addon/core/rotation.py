# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation vectors to the rotation modes of a pose bone, over whole takes and without jumps between frames.

A rotation vector points along the axis and is as long as the angle in radians. All arrays are float64; their first axis
is time, and those between it and the last belong to bones that have nothing to do with each other.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

EULER_ORDERS: Final = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
"""As Blender names them: the first axis turns first."""

SMALLEST: Final = 1e-12


def to_quaternion(vectors: ArrayLike) -> FloatArray:
    """Unit quaternions (n, …, 4), w x y z, of rotation vectors (n, …, 3); neighbours never have opposite signs."""
    v = np.asarray(vectors, np.float64)
    half = np.linalg.norm(v, axis=-1, keepdims=True) / 2
    # sin(half) / (2 half) without 0 / 0: numpy's sinc(x) is sin(pi x) / (pi x)
    q = np.concatenate([np.cos(half), v * np.sinc(half / np.pi) / 2], axis=-1)
    return q * _steady_signs(q)


def from_quaternion(quaternions: FloatArray) -> FloatArray:
    """Rotation vectors (n, 3) of unit quaternions (n, 4), w x y z; longer than pi where w is below 0."""
    sine = np.linalg.norm(quaternions[:, 1:], axis=1, keepdims=True)
    turning = sine > SMALLEST
    angle = 2 * np.arctan2(sine, quaternions[:, :1])
    return quaternions[:, 1:] * np.where(turning, angle / np.where(turning, sine, 1.0), 2.0)


def product(a: FloatArray, b: FloatArray) -> FloatArray:
    """Hamilton products (n, 4), w x y z: first ``b``, then ``a``, as seen from outside."""
    w, v = a[:, :1], a[:, 1:]
    u, x = b[:, :1], b[:, 1:]
    scalar = w * u - np.sum(v * x, axis=1, keepdims=True)
    return np.concatenate([scalar, w * x + u * v + np.cross(v, x)], axis=1)


def to_axis_angle(vectors: ArrayLike) -> FloatArray:
    """Angle in radians and unit axis, (n, …, 4), angle x y z, of rotation vectors (n, …, 3).

    The axis never flips between frames; where there is no rotation it is that of the frame before, at first of the
    first frame that turns, Y (Blender's own) if none does.
    """
    v = np.asarray(vectors, np.float64)
    angle = np.linalg.norm(v, axis=-1, keepdims=True)
    turning = angle > SMALLEST
    axis = np.where(turning, v / np.where(turning, angle, 1.0), [0.0, 1.0, 0.0])
    number = np.arange(len(v)).reshape(-1, *[1] * (v.ndim - 1))
    latest = np.maximum.accumulate(np.where(turning, number, 0), axis=0)
    first = (~np.logical_or.accumulate(turning, axis=0)).sum(axis=0) % max(len(v), 1)
    axis = np.take_along_axis(axis, np.maximum(latest, first), axis=0)
    sign = _steady_signs(axis)
    return np.concatenate([angle * sign, axis * sign], axis=-1)


def to_euler(vectors: ArrayLike, order: str = "XYZ") -> FloatArray:
    """Euler angles (n, …, 3) about x, y, z in radians, of rotation vectors (n, …, 3), continuous over the frames.

    Args:
        order: one of :data:`EULER_ORDERS`.

    Raises:
        ValueError: ``order`` is none of them.
    """
    if order not in EULER_ORDERS:
        raise ValueError(f"{order!r} is none of {', '.join(EULER_ORDERS)}")
    i, j, k = ("XYZ".index(axis) for axis in order)
    parity = 1.0 if (j - i) % 3 == 1 else -1.0
    m = to_matrix(vectors)
    # The matrix is R_k R_j R_i: its row k holds the middle angle, column i and row k the other two.
    cosine = np.hypot(m[..., i, i], m[..., j, i])
    locked = cosine < 1e-7
    angles = np.empty(m.shape[:-1])
    angles[..., j] = np.arctan2(-parity * m[..., k, i], cosine)
    angles[..., i] = np.where(
        locked, np.arctan2(-parity * m[..., j, k], m[..., j, j]), np.arctan2(parity * m[..., k, j], m[..., k, k])
    )
    angles[..., k] = np.where(locked, 0.0, np.arctan2(parity * m[..., j, i], m[..., i, i]))
    return _continuous(angles, i, j, k)


def to_matrix(vectors: ArrayLike) -> FloatArray:
    """Rotation matrices (n, …, 3, 3) of rotation vectors (n, …, 3); they turn column vectors."""
    w, x, y, z = np.moveaxis(to_quaternion(vectors), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def _steady_signs(directions: FloatArray) -> FloatArray:
    """Signs (n, …, 1) that keep each row of directions (n, …, c) on the side of the row before."""
    flips = (directions[1:] * directions[:-1]).sum(axis=-1, keepdims=True) < 0
    return np.concatenate([np.ones_like(directions[:1, ..., :1]), np.cumprod(np.where(flips, -1.0, 1.0), axis=0)])


def _continuous(angles: FloatArray, i: int, j: int, k: int) -> FloatArray:
    """Of the two triples that give each rotation the one nearer to the frame before, without turns of 360 degrees.

    The second triple is (a + pi, pi - b, c + pi). Going from one to the other is the same step from either, so that
    whether to change over depends on two neighbouring frames alone.
    """
    other = angles.copy()
    other[..., [i, k]] += np.pi
    other[..., j] = np.pi - other[..., j]

    def distance(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.abs((a - b + np.pi) % (2 * np.pi) - np.pi).sum(axis=-1, keepdims=True)

    change = distance(other[1:], angles[:-1]) < distance(angles[1:], angles[:-1])
    second = np.concatenate([np.zeros_like(angles[:1, ..., :1], bool), np.cumsum(change, axis=0) % 2 == 1])
    return np.unwrap(np.where(second, other, angles), axis=0)
