# SPDX-License-Identifier: MIT
"""Numba kernels from visible triangles to the surface that shows: place, normal, colour and label of each sample.

They work on one row of the picture at a time, so that every array of :class:`Samples` stays in the processor's cache
and each kernel is one short loop. Colours are sRGB values here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .labels import LABEL, SKIN
from .raster import HALF, ONE, ZERO, ByteArray, FloatArray, IntArray

HAIR_LABEL, CLOTH_LABEL = LABEL["hair"], LABEL["cloth"]
L_BROW, R_BROW, U_LIP, L_LIP = (LABEL[n] for n in ("l_brow", "r_brow", "u_lip", "l_lip"))
SKIN_GAIN, BROW_COLOUR, LIP_COLOUR, HAIR_COLOUR, CLOTH_COLOUR = range(5)
"""Rows of a palette (5, 3) float32, 0..1; the first is a factor on the skin's texture."""
BROW_COVER = np.float32(0.2)
"""Share of the skin that the hair of a brow must cover to be labelled as one."""
BYTE, TINY = np.float32(1 / 255), np.float32(1e-9)
BORDER = np.float32(1.001)
"""Texels that bilinear look-ups keep from a texture's far border."""


class Mesh(NamedTuple):
    """What never changes about a head: faces (F, 3), uv (F, 3, 2), label, material, is_left (F,), occlusion (V,)."""

    faces: IntArray
    uv: FloatArray
    label: ByteArray
    material: ByteArray
    is_left: NDArray[np.bool_]
    occlusion: FloatArray


class Maps(NamedTuple):
    """Textures of one render.

    skin_a, skin_b: (S, S, 3) uint8. label: (S, S). beard: (2, S, S). folds: (h, w, 3) float32 at ``folds_at`` (row,
    column) of the atlas: crease, slope along columns and rows. brow: (h, w) uint8 at ``brow_at`` of an atlas of side
    ``fine``. pores: (P, P) int8, P a power of two, tiled over it. eye, teeth, mouth: (h, w, 3) uint8.
    """

    skin_a: ByteArray
    skin_b: ByteArray
    label: ByteArray
    beard: ByteArray
    brow: ByteArray
    brow_at: NDArray[np.int64]
    folds: FloatArray
    folds_at: NDArray[np.int64]
    fine: int
    pores: NDArray[np.int8]
    eye: ByteArray
    teeth: ByteArray
    mouth: ByteArray


class Tone(NamedTuple):
    """Amounts of one person: opacities and strengths in 0..1 or a little more, ``gloss`` the highlight's sharpness."""

    skin_mix: float
    brow: float
    lip: float
    scalp: float
    chin_beard: float
    full_beard: float
    eye_gain: float
    specular: float
    gloss: int
    pores: float


class Samples(NamedTuple):
    """The samples of one row that show the head's mesh, as many as :func:`locate` says; what comes after is left over.

    column, face: (n,). material, label: (n,). uv: (2, n). place, normal: (3, n) camera space. albedo: (3, n).
    open_sky: (n,) share that is not occluded. shine: (n,) factor on the skin's specular.
    """

    column: IntArray
    face: IntArray
    material: ByteArray
    label: ByteArray
    uv: FloatArray
    place: FloatArray
    normal: FloatArray
    albedo: FloatArray
    open_sky: FloatArray
    shine: FloatArray


def room_for_samples(width: int) -> Samples:
    """Empty samples for one row of a picture."""
    column, face = np.empty((2, width), np.int32)
    material, label = np.empty((2, width), np.uint8)
    place, normal, albedo = np.empty((3, 3, width), np.float32)
    uv, (open_sky, shine) = np.empty((2, 2, width), np.float32)
    return Samples(column, face, material, label, uv, place, normal, albedo, open_sky, shine)


# Inside of the kernels' loops, arrays are never taken out of a tuple nor handed on: that would count references.


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def locate(
    face_index: IntArray, weights: FloatArray, mesh: Mesh, normals: FloatArray, camera: FloatArray, pixels: FloatArray,
    samples: Samples,
) -> int:  # fmt: skip
    """Interpolate the mesh at one row's samples; returns how many show it.

    Args:
        face_index, weights: (W,) and (W, 2), a row of what :func:`raster.rasterize` writes.
        normals, camera, pixels: (V, 3) of the head's vertices as from :mod:`raster`.
    """
    faces, uv, face_label, face_material, _, occlusion = mesh
    out_column, out_face, material, label, out_uv, place, normal, albedo, open_sky, _ = samples
    n = 0
    for column in range(face_index.shape[0]):
        f = face_index[column]
        if f < 0 or f >= faces.shape[0]:
            continue
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        w0 = (ONE - weights[column, 0] - weights[column, 1]) * pixels[a, 2]  # perspective-correct weights
        w1 = weights[column, 0] * pixels[b, 2]
        w2 = weights[column, 1] * pixels[c, 2]
        s = ONE / (w0 + w1 + w2)
        w0 *= s
        w1 *= s
        w2 *= s
        nx = w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0]
        ny = w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1]
        nz = w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2]
        s = ONE / (np.sqrt(nx * nx + ny * ny + nz * nz) + TINY)
        normal[0, n] = nx * s
        normal[1, n] = ny * s
        normal[2, n] = nz * s
        for k in range(3):
            place[k, n] = w0 * camera[a, k] + w1 * camera[b, k] + w2 * camera[c, k]
            albedo[k, n] = 0
        for k in range(2):
            out_uv[k, n] = w0 * uv[f, 0, k] + w1 * uv[f, 1, k] + w2 * uv[f, 2, k]
        open_sky[n] = w0 * occlusion[a] + w1 * occlusion[b] + w2 * occlusion[c]
        out_column[n] = column
        out_face[n] = f
        material[n] = face_material[f]
        label[n] = face_label[f]
        n += 1
    return n


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def add_texture(samples: Samples, n: int, wanted: int, texture: ByteArray, gain: float) -> None:
    """Add ``gain`` times the ``texture`` (h, w, 3), bilinear, to the albedo of the samples of one material."""
    _, _, material, _, uv, _, _, albedo, _, _ = samples
    height, width = np.float32(texture.shape[0]), np.float32(texture.shape[1])
    scale = np.float32(gain) * BYTE
    for i in range(n):
        if material[i] != wanted:
            continue
        x = min(max(uv[0, i] * width - HALF, ZERO), width - BORDER)
        y = min(max((ONE - uv[1, i]) * height - HALF, ZERO), height - BORDER)
        row, column = np.uint32(y), np.uint32(x)
        fx, fy = x - np.float32(column), (y - np.float32(row)) * scale
        a, b = (ONE - fx) * (scale - fy), fx * (scale - fy)
        c, d = (ONE - fx) * fy, fx * fy
        for k in range(3):
            albedo[k, i] += (
                a * texture[row, column, k]
                + b * texture[row, column + 1, k]
                + c * texture[row + 1, column, k]
                + d * texture[row + 1, column + 1, k]
            )


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def paint_skin(
    samples: Samples, n: int, is_left: NDArray[np.bool_], maps: Maps, palette: FloatArray, tone: Tone
) -> None:
    """Pores, lips, scalp, clothes, beard and brows over the skin's texture."""
    _, face, material, out_label, uv, _, _, albedo, _, out_shine = samples
    _, _, label_map, beard, brow, brow_at, _, _, fine, pores, _, _, _ = maps
    size = label_map.shape[0]
    tile = pores.shape[0] - 1
    brow_top, brow_left = brow_at[0], brow_at[1]
    bearded = tone.chin_beard + tone.full_beard > 0
    grain_gain = np.float32(tone.pores / 127)
    chin_gain, full_gain = np.float32(tone.chin_beard) * BYTE, np.float32(tone.full_beard) * BYTE
    brow_gain = np.float32(tone.brow) * BYTE
    for i in range(n):
        if material[i] != SKIN:
            continue
        u, v = uv[0, i], ONE - uv[1, i]
        row, column = min(max(int(v * size), 0), size - 1), min(max(int(u * size), 0), size - 1)
        fine_row, fine_column = int(v * fine), int(u * fine)
        label = label_map[row, column]
        grain = ONE + grain_gain * pores[fine_row & tile, fine_column & tile]
        entry, opacity, shine = LIP_COLOUR, 0.0, 1.0
        if label in (U_LIP, L_LIP):
            opacity, shine = tone.lip, 1.6
        elif label == HAIR_LABEL:
            entry, opacity, shine = HAIR_COLOUR, tone.scalp, 0.4
        elif label == CLOTH_LABEL:
            entry, opacity, shine = CLOTH_COLOUR, 1.0, 0.0
        for k in range(3):
            skin = albedo[k, i] * palette[SKIN_GAIN, k] * grain
            albedo[k, i] = skin + np.float32(opacity) * (palette[entry, k] - skin)
        if bearded and label < HAIR_LABEL:
            cover = min(beard[0, row, column] * chin_gain + beard[1, row, column] * full_gain, ONE)
            for k in range(3):
                albedo[k, i] += cover * (palette[HAIR_COLOUR, k] - albedo[k, i])
            shine *= ONE - cover
        row, column = fine_row - brow_top, fine_column - brow_left
        if row >= 0 and column >= 0 and row < brow.shape[0] and column < brow.shape[1]:
            cover = min(brow[row, column] * brow_gain, ONE)
            for k in range(3):
                albedo[k, i] += cover * (palette[BROW_COLOUR, k] - albedo[k, i])
            if cover > BROW_COVER:
                label = L_BROW if is_left[face[i]] else R_BROW
        out_label[i] = label
        out_shine[i] = shine


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def fold_skin(samples: Samples, n: int, mesh: Mesh, camera: FloatArray, maps: Maps) -> None:
    """Bend the normal by the folds' slope; their creases are darker, and redder than the skin."""
    faces, uv, _, _, _, _ = mesh
    _, face, material, _, sample_uv, _, normal, albedo, open_sky, _ = samples
    folds, size = maps.folds, np.float32(maps.label.shape[0])
    top, left = np.float32(maps.folds_at[0]) + HALF, np.float32(maps.folds_at[1]) + HALF
    for s in range(n):
        if material[s] != SKIN:
            continue
        y = (ONE - sample_uv[1, s]) * size - top
        x = sample_uv[0, s] * size - left
        i = int(y)
        j = int(x)
        if i < 0 or j < 0 or i >= folds.shape[0] - 1 or j >= folds.shape[1] - 1:
            continue
        if folds[i, j, 0] == 0.0 and folds[i + 1, j + 1, 0] == 0.0:
            continue
        fx = x - j
        fy = y - i
        a = (1 - fx) * (1 - fy)
        b = fx * (1 - fy)
        c = (1 - fx) * fy
        d = fx * fy
        crease = a * folds[i, j, 0] + b * folds[i, j + 1, 0] + c * folds[i + 1, j, 0] + d * folds[i + 1, j + 1, 0]
        along_u = a * folds[i, j, 1] + b * folds[i, j + 1, 1] + c * folds[i + 1, j, 1] + d * folds[i + 1, j + 1, 1]
        along_v = -(a * folds[i, j, 2] + b * folds[i, j + 1, 2] + c * folds[i + 1, j, 2] + d * folds[i + 1, j + 1, 2])
        crease = min(max(crease, 0.0), 1.0)
        open_sky[s] *= 1.0 - 0.4 * crease
        for k in range(3):
            albedo[k, s] *= 1.0 - (0.10 + 0.05 * k) * crease
        # Tangents of the triangle per texel, then the surface gradient of the height (Mikkelsen 2010).
        f = face[s]
        p, q, r = faces[f, 0], faces[f, 1], faces[f, 2]
        u1 = (uv[f, 1, 0] - uv[f, 0, 0]) * size
        v1 = (uv[f, 1, 1] - uv[f, 0, 1]) * size
        u2 = (uv[f, 2, 0] - uv[f, 0, 0]) * size
        v2 = (uv[f, 2, 1] - uv[f, 0, 1]) * size
        area = u1 * v2 - u2 * v1
        if abs(area) < 1e-9:
            continue
        x1, y1, z1 = camera[q, 0] - camera[p, 0], camera[q, 1] - camera[p, 1], camera[q, 2] - camera[p, 2]
        x2, y2, z2 = camera[r, 0] - camera[p, 0], camera[r, 1] - camera[p, 1], camera[r, 2] - camera[p, 2]
        tx, ty, tz = (v2 * x1 - v1 * x2) / area, (v2 * y1 - v1 * y2) / area, (v2 * z1 - v1 * z2) / area
        bx, by, bz = (u1 * x2 - u2 * x1) / area, (u1 * y2 - u2 * y1) / area, (u1 * z2 - u2 * z1) / area
        nx, ny, nz = normal[0, s], normal[1, s], normal[2, s]
        cx, cy, cz = by * nz - bz * ny, bz * nx - bx * nz, bx * ny - by * nx
        volume = tx * cx + ty * cy + tz * cz
        if abs(volume) < 1e-12:
            continue
        along_u /= volume
        along_v /= volume
        nx, ny, nz = (
            nx - along_u * cx - along_v * (ny * tz - nz * ty),
            ny - along_u * cy - along_v * (nz * tx - nx * tz),
            nz - along_u * cz - along_v * (nx * ty - ny * tx),
        )
        length = (nx * nx + ny * ny + nz * nz) ** 0.5 + 1e-9
        normal[0, s] = nx / length
        normal[1, s] = ny / length
        normal[2, s] = nz / length
