# SPDX-License-Identifier: MIT
"""Numba kernels from vertices to visible triangles: projection, normals, z-buffers, alpha-tested cards.

All kernels are single-threaded; run one process per core. Pixel rows grow downwards; depth grows towards the camera.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

FAR = np.float32(-1e30)
ZERO, HALF, ONE = np.array([0, 0.5, 1], np.float32)
"""Typed, as a plain 1.0 would turn a kernel's arithmetic into doubles."""
LEAST_AREA, FLAT = np.float32(1e-9), np.float32(1e-7)
SLACK = np.float32(1e-4)
"""Pixels that may lie beyond an edge, so that no gap opens between neighbours."""

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]
ByteArray = NDArray[np.uint8]


class Seen(NamedTuple):
    """What shows at each sample.

    face_index: (H, W) int32, -1 where empty. weights: (H, W, 2), screen-space barycentric weights of the second and
    third corner. first: number that face 0 gets.
    """

    face_index: IntArray
    weights: FloatArray
    first: int = 0


class Cards(NamedTuple):
    """Makes triangles cards: alpha tested with ordered dither.

    uv: (F, 3, 2) of the corners. alpha: (h, w) uint8. bias: depth by which they win against what they lie on.
    """

    uv: FloatArray
    alpha: ByteArray
    bias: float


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def project(
    vertices: FloatArray, follow: FloatArray, rotation: FloatArray, pivot: FloatArray, centre: FloatArray,
    distance: float, scale: float, column: float, row: float, camera: FloatArray, pixels: FloatArray,
) -> None:  # fmt: skip
    """Rotate the head about ``pivot`` and project it.

    Args:
        vertices: (V, 3) model units. follow: (V,) share of the rotation, 1 for the head, 0 for the shoulders.
        rotation: (3, 3). pivot, centre: (3,).
        distance: from the camera to the plane through ``centre``. scale: pixels per unit in that plane.
        column, row: where ``centre`` falls, pixels.
        camera: (V, 3) output, camera space. pixels: (V, 3) output: column, row, reciprocal distance.
    """
    for i in range(vertices.shape[0]):
        a = vertices[i, 0] - pivot[0]
        b = vertices[i, 1] - pivot[1]
        c = vertices[i, 2] - pivot[2]
        x = rotation[0, 0] * a + rotation[0, 1] * b + rotation[0, 2] * c
        y = rotation[1, 0] * a + rotation[1, 1] * b + rotation[1, 2] * c
        z = rotation[2, 0] * a + rotation[2, 1] * b + rotation[2, 2] * c
        share = follow[i]
        x = share * x + (1.0 - share) * a + pivot[0] - centre[0]
        y = share * y + (1.0 - share) * b + pivot[1] - centre[1]
        z = share * z + (1.0 - share) * c + pivot[2] - centre[2]
        near = 1.0 / (distance - z)
        camera[i, 0] = x
        camera[i, 1] = y
        camera[i, 2] = z
        pixels[i, 0] = column + scale * distance * near * x
        pixels[i, 1] = row - scale * distance * near * y
        pixels[i, 2] = near


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def vertex_normals(vertices: FloatArray, faces: IntArray, normals: FloatArray) -> None:
    """Area-weighted unit normals, written into ``normals`` (V, 3)."""
    normals[:] = 0
    for f in range(faces.shape[0]):
        a = faces[f, 0]
        b = faces[f, 1]
        c = faces[f, 2]
        ux = vertices[b, 0] - vertices[a, 0]
        uy = vertices[b, 1] - vertices[a, 1]
        uz = vertices[b, 2] - vertices[a, 2]
        wx = vertices[c, 0] - vertices[a, 0]
        wy = vertices[c, 1] - vertices[a, 1]
        wz = vertices[c, 2] - vertices[a, 2]
        nx = uy * wz - uz * wy
        ny = uz * wx - ux * wz
        nz = ux * wy - uy * wx
        for k in range(3):
            i = faces[f, k]
            normals[i, 0] += nx
            normals[i, 1] += ny
            normals[i, 2] += nz
    for i in range(normals.shape[0]):
        s = 1.0 / ((normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2) ** 0.5 + 1e-12)
        normals[i, 0] *= s
        normals[i, 1] *= s
        normals[i, 2] *= s


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def rasterize(
    pixels: FloatArray, faces: IntArray, depth: FloatArray, seen: Seen | None = None, cards: Cards | None = None
) -> None:
    """Triangles into a z-buffer: front faces or, where they are ``cards``, both sides. ``depth`` starts at ``FAR``.

    Args:
        pixels: (V, 3) column, row, depth. faces: (F, 3). depth: (H, W), written.
        seen: written where given; a shadow needs the depth alone.
    """
    height, width = depth.shape
    if seen is not None:
        face_index, weights, first = seen
    if cards is not None:
        uv, alpha = cards.uv, cards.alpha
        bias = np.float32(cards.bias)
        texture_height, texture_width = alpha.shape
    else:
        bias = ZERO
    for f in range(faces.shape[0]):
        a = faces[f, 0]
        b = faces[f, 1]
        c = faces[f, 2]
        x0 = pixels[a, 0]
        y0 = pixels[a, 1]
        x1 = pixels[b, 0] - x0
        y1 = pixels[b, 1] - y0
        x2 = pixels[c, 0] - x0
        y2 = pixels[c, 1] - y0
        area = x1 * y2 - x2 * y1
        if cards is None:
            if area > -LEAST_AREA:  # rows grow downwards: front faces have negative area
                continue
        elif abs(area) < LEAST_AREA:
            continue
        left = max(int(np.ceil(x0 + min(ZERO, x1, x2) - HALF)), 0)
        right = min(int(np.floor(x0 + max(ZERO, x1, x2) - HALF)), width - 1)
        top = max(int(np.ceil(y0 + min(ZERO, y1, y2) - HALF)), 0)
        bottom = min(int(np.floor(y0 + max(ZERO, y1, y2) - HALF)), height - 1)
        z0 = pixels[a, 2]
        z1 = pixels[b, 2] - z0
        z2 = pixels[c, 2] - z0
        # Weights grow evenly along a row, so where each of them is 0 bounds the part of the row that is inside.
        inverse = ONE / area
        step1 = y2 * inverse
        step2 = -y1 * inverse
        step0 = -step1 - step2
        step0 = step0 if abs(step0) > FLAT else FLAT
        step1 = step1 if abs(step1) > FLAT else FLAT
        step2 = step2 if abs(step2) > FLAT else FLAT
        columns0, columns1, columns2 = ONE / step0, ONE / step1, ONE / step2
        px = np.float32(left) + HALF - x0
        last = np.float32(right - left)
        for row in range(top, bottom + 1):
            py = np.float32(row) + HALF - y0
            start1 = (px * y2 - x2 * py) * inverse
            start2 = (x1 * py - px * y1) * inverse
            zero0, zero1, zero2 = (start1 + start2 - ONE) * columns0, -start1 * columns1, -start2 * columns2
            low = max(zero0 if step0 > 0 else ZERO, zero1 if step1 > 0 else ZERO, zero2 if step2 > 0 else ZERO, ZERO)
            high = min(zero0 if step0 < 0 else last, zero1 if step1 < 0 else last, zero2 if step2 < 0 else last, last)
            for step in range(int(np.ceil(low - SLACK)), int(np.floor(high + SLACK)) + 1):
                column = left + step
                w1 = start1 + np.float32(step) * step1
                w2 = start2 + np.float32(step) * step2
                z = z0 + w1 * z1 + w2 * z2
                if z + bias <= depth[row, column]:
                    continue
                if cards is not None:
                    w0 = ONE - w1 - w2
                    u = w0 * uv[f, 0, 0] + w1 * uv[f, 1, 0] + w2 * uv[f, 2, 0]
                    v = w0 * uv[f, 0, 1] + w1 * uv[f, 1, 1] + w2 * uv[f, 2, 1]
                    i = min(max(int((ONE - v) * texture_height), 0), texture_height - 1)
                    j = min(max(int(u * texture_width), 0), texture_width - 1)
                    if alpha[i, j] < 60 + ((column * 7 + row * 13) % 8) * 18:
                        continue
                depth[row, column] = z
                if seen is not None:
                    face_index[row, column] = first + f
                    weights[row, column, 0] = w1
                    weights[row, column, 1] = w2


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def bind_cards(vertices: FloatArray, offset: FloatArray, index: IntArray, weight: FloatArray, out: FloatArray) -> None:
    """Hair card vertices (C, 3) that ride on the head: ``offset`` plus weighted head vertices."""
    for i in range(offset.shape[0]):
        for k in range(3):
            s = offset[i, k]
            for j in range(index.shape[1]):
                s += weight[i, j] * vertices[index[i, j], k]
            out[i, k] = s
