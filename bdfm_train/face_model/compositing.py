# SPDX-License-Identifier: MIT
"""Numba kernels that finish a picture: lashes and hair over the head, then samples to pixels over the background."""

from __future__ import annotations

import numpy as np
from numba import njit

from .labels import LABEL, LABELS
from .raster import ByteArray, FloatArray, IntArray
from .shading import Light

BACKGROUND, SKIN, HAIR = LABEL["background"], LABEL["skin"], LABEL["hair"]
BRIGHTEST = 1.5
"""Of a sample; beyond, it would spoil the smooth edge of its pixel."""


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def shade_cards(
    face_index: IntArray, weights: FloatArray, first: int, faces: IntArray, uv: FloatArray, lash_faces: int,
    normals: FloatArray, luminance: FloatArray, hair: FloatArray, light: Light, rgb: FloatArray, labels: ByteArray,
) -> None:  # fmt: skip
    """Lashes are black; hair is its colour times the card's relative ``luminance`` (h, w) float32."""
    height, width = face_index.shape
    h, w = luminance.shape
    direction, colour, ambient = light
    for row in range(height):
        for column in range(width):
            f = face_index[row, column] - first
            if f < 0:
                continue
            if f < lash_faces:
                for k in range(3):
                    rgb[row, column, k] = 0.0035
                labels[row, column] = SKIN
                continue
            w1 = weights[row, column, 0]
            w2 = weights[row, column, 1]
            w0 = 1 - w1 - w2
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            nx = w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0]
            ny = w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1]
            nz = w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2]
            s = 1.0 / ((nx * nx + ny * ny + nz * nz) ** 0.5 + 1e-9)
            if nz < 0:
                s = -s
            nx *= s
            ny *= s
            nz *= s
            u = w0 * uv[f, 0, 0] + w1 * uv[f, 1, 0] + w2 * uv[f, 2, 0]
            v = w0 * uv[f, 0, 1] + w1 * uv[f, 1, 1] + w2 * uv[f, 2, 1]
            i = min(max(int((1 - v) * h), 0), h - 1)
            j = min(max(int(u * w), 0), w - 1)
            strand = 0.35 + 0.65 * luminance[i, j]
            key = 0.25 + 0.75 * max(nx * direction[0, 0] + ny * direction[0, 1] + nz * direction[0, 2], 0.0)
            fill = 0.25 + 0.75 * max(nx * direction[1, 0] + ny * direction[1, 1] + nz * direction[1, 2], 0.0)
            for k in range(3):
                lit = ambient[k, 0] + ambient[k, 2] * ny + colour[0, k] * key + colour[1, k] * fill
                rgb[row, column, k] = (hair[k] * strand) ** 2 * lit
            labels[row, column] = HAIR


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def resolve(
    rgb: FloatArray, labels: ByteArray, face_index: IntArray, background: FloatArray, exposure: float,
    image: ByteArray, label_map: ByteArray,
) -> None:  # fmt: skip
    """Box-filter the samples over ``background`` into ``image``, both (H, W, 3); their majority into ``label_map``."""
    height, width = label_map.shape
    n = face_index.shape[0] // height
    count = np.zeros(len(LABELS), np.int32)
    colour = np.empty(3, np.float32)
    for row in range(height):
        for column in range(width):
            colour[:] = 0
            count[:] = 0
            best = empty = 0
            for i in range(row * n, row * n + n):
                for j in range(column * n, column * n + n):
                    label = BACKGROUND
                    if face_index[i, j] >= 0:
                        label = labels[i, j]
                        for k in range(3):
                            colour[k] += min(rgb[i, j, k] * exposure, BRIGHTEST)
                    else:
                        empty += 1
                    count[label] += 1
                    if count[label] > count[best] or (count[label] == count[best] and label < best):
                        best = label
            for k in range(3):
                light = (colour[k] + empty * background[row, column, k] ** 2) / (n * n)
                image[row, column, k] = np.uint8(255 * min(light**0.5, 1.0))
            label_map[row, column] = best
