# SPDX-License-Identifier: MIT
"""Numba kernels from vertices to visible triangles: projection, normals, z-buffers, alpha-tested cards.

All kernels are single-threaded; run one process per core. Pixel rows grow downwards; depth grows towards the camera.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

FAR = np.float32(-1e30)

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]
ByteArray = NDArray[np.uint8]


@njit(cache=True, fastmath=True, nogil=True)
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


@njit(cache=True, fastmath=True, nogil=True)
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


@njit(cache=True, fastmath=True, nogil=True)
def rasterize(
    pixels: FloatArray, faces: IntArray, face_index: IntArray, weights: FloatArray, depth: FloatArray
) -> None:
    """Front faces into a z-buffer.

    Args:
        pixels: (V, 3) column, row, depth. faces: (F, 3).
        face_index: (H, W) int32 output, -1 where empty. weights: (H, W, 2) output, screen-space barycentric weights of
            the second and third corner. depth: (H, W) output.
    """
    height, width = face_index.shape
    face_index[:] = -1
    depth[:] = FAR
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
        if area >= -1e-9:  # rows grow downwards: front faces have negative area
            continue
        left = max(int(np.ceil(x0 + min(0.0, x1, x2) - 0.5)), 0)
        right = min(int(np.floor(x0 + max(0.0, x1, x2) - 0.5)), width - 1)
        top = max(int(np.ceil(y0 + min(0.0, y1, y2) - 0.5)), 0)
        bottom = min(int(np.floor(y0 + max(0.0, y1, y2) - 0.5)), height - 1)
        inverse = 1.0 / area
        z0 = pixels[a, 2]
        z1 = pixels[b, 2] - z0
        z2 = pixels[c, 2] - z0
        for row in range(top, bottom + 1):
            py = row + 0.5 - y0
            for column in range(left, right + 1):
                px = column + 0.5 - x0
                w1 = (px * y2 - x2 * py) * inverse
                w2 = (x1 * py - px * y1) * inverse
                if w1 < -1e-7 or w2 < -1e-7 or w1 + w2 > 1.0 + 1e-7:
                    continue
                z = z0 + w1 * z1 + w2 * z2
                if z > depth[row, column]:
                    depth[row, column] = z
                    face_index[row, column] = f
                    weights[row, column, 0] = w1
                    weights[row, column, 1] = w2


@njit(cache=True, fastmath=True, nogil=True)
def rasterize_depth(pixels: FloatArray, faces: IntArray, depth: FloatArray) -> None:
    """Front faces into a depth map alone (shadows); arguments as in :func:`rasterize`."""
    height, width = depth.shape
    depth[:] = FAR
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
        if area >= -1e-9:
            continue
        left = max(int(np.ceil(x0 + min(0.0, x1, x2) - 0.5)), 0)
        right = min(int(np.floor(x0 + max(0.0, x1, x2) - 0.5)), width - 1)
        top = max(int(np.ceil(y0 + min(0.0, y1, y2) - 0.5)), 0)
        bottom = min(int(np.floor(y0 + max(0.0, y1, y2) - 0.5)), height - 1)
        inverse = 1.0 / area
        z0 = pixels[a, 2]
        z1 = pixels[b, 2] - z0
        z2 = pixels[c, 2] - z0
        for row in range(top, bottom + 1):
            py = row + 0.5 - y0
            for column in range(left, right + 1):
                px = column + 0.5 - x0
                w1 = (px * y2 - x2 * py) * inverse
                w2 = (x1 * py - px * y1) * inverse
                if w1 < 0.0 or w2 < 0.0 or w1 + w2 > 1.0:
                    continue
                z = z0 + w1 * z1 + w2 * z2
                if z > depth[row, column]:
                    depth[row, column] = z


@njit(cache=True, fastmath=True, nogil=True)
def rasterize_cards(
    pixels: FloatArray, faces: IntArray, uv: FloatArray, lash_faces: int, lash_alpha: ByteArray, hair_alpha: ByteArray,
    first: int, bias: float, face_index: IntArray, weights: FloatArray, depth: FloatArray,
) -> None:  # fmt: skip
    """Second pass over lashes and hair: two-sided triangles, alpha tested with ordered dither.

    Args:
        faces: (C, 3); the first ``lash_faces`` are lashes. uv: (C, 3, 2). lash_alpha, hair_alpha: (h, w) uint8.
        first: number that face 0 gets in ``face_index``. bias: depth by which cards win against what they lie on.
    """
    height, width = face_index.shape
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
        if abs(area) < 1e-9:
            continue
        left = max(int(np.ceil(x0 + min(0.0, x1, x2) - 0.5)), 0)
        right = min(int(np.floor(x0 + max(0.0, x1, x2) - 0.5)), width - 1)
        top = max(int(np.ceil(y0 + min(0.0, y1, y2) - 0.5)), 0)
        bottom = min(int(np.floor(y0 + max(0.0, y1, y2) - 0.5)), height - 1)
        inverse = 1.0 / area
        z0 = pixels[a, 2]
        z1 = pixels[b, 2] - z0
        z2 = pixels[c, 2] - z0
        alpha = lash_alpha if f < lash_faces else hair_alpha
        texture_height, texture_width = alpha.shape
        for row in range(top, bottom + 1):
            py = row + 0.5 - y0
            for column in range(left, right + 1):
                px = column + 0.5 - x0
                w1 = (px * y2 - x2 * py) * inverse
                w2 = (x1 * py - px * y1) * inverse
                w0 = 1.0 - w1 - w2
                if w0 < 0.0 or w1 < 0.0 or w2 < 0.0:
                    continue
                z = z0 + w1 * z1 + w2 * z2
                if z + bias <= depth[row, column]:
                    continue
                u = w0 * uv[f, 0, 0] + w1 * uv[f, 1, 0] + w2 * uv[f, 2, 0]
                v = w0 * uv[f, 0, 1] + w1 * uv[f, 1, 1] + w2 * uv[f, 2, 1]
                i = min(max(int((1.0 - v) * texture_height), 0), texture_height - 1)
                j = min(max(int(u * texture_width), 0), texture_width - 1)
                if alpha[i, j] < 60 + ((column * 7 + row * 13) % 8) * 18:
                    continue
                depth[row, column] = z
                face_index[row, column] = first + f
                weights[row, column, 0] = w1
                weights[row, column, 1] = w2


@njit(cache=True, fastmath=True, nogil=True)
def bind_cards(
    vertices: FloatArray, offset: FloatArray, index: IntArray, weight: FloatArray, out: FloatArray
) -> None:
    """Hair card vertices (C, 3) that ride on the head: ``offset`` plus weighted head vertices."""
    for i in range(offset.shape[0]):
        for k in range(3):
            s = offset[i, k]
            for j in range(index.shape[1]):
                s += weight[i, j] * vertices[index[i, j], k]
            out[i, k] = s
