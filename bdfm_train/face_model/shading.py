# SPDX-License-Identifier: MIT
"""Numba kernels from visible triangles to colours and labels: skin, eyes, mouth, light, shadow.

Colours are squared sRGB values on the way (a cheap gamma of 2), until :func:`compositing.resolve`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .labels import EYE, LABEL, SKIN, TEETH

HAIR_LABEL, CLOTH_LABEL = LABEL["hair"], LABEL["cloth"]
L_BROW, R_BROW, U_LIP, L_LIP = (LABEL[n] for n in ("l_brow", "r_brow", "u_lip", "l_lip"))
SKIN_GAIN, BROW_COLOUR, LIP_COLOUR, HAIR_COLOUR, CLOTH_COLOUR = range(5)
"""Rows of a palette (5, 3) float32, 0..1; the first is a factor on the skin's texture."""
BROW_THRESHOLD = 50
SHADOW_BIAS = 0.05
SUBSURFACE_WRAP = 0.25


FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]
ByteArray = NDArray[np.uint8]


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


class Light(NamedTuple):
    """direction, colour: (2, 3) float32, the first casts shadows; ambient: (3, 4) per channel constant, x, y, z."""

    direction: FloatArray
    colour: FloatArray
    ambient: FloatArray


class Shadow(NamedTuple):
    """rotation (3, 3) to the light's view, pixels per unit, depth (s, s)."""

    rotation: FloatArray
    scale: float
    depth: FloatArray


@njit(inline="always")
def bilinear(texture: ByteArray, u: float, v: float, weight: float, out: FloatArray) -> None:
    """Adds ``weight`` times the texture's value in 0..1 at (u, v) to ``out`` (3,)."""
    h = texture.shape[0]
    w = texture.shape[1]
    x = min(max(u * w - 0.5, 0.0), w - 1.001)
    y = min(max((1.0 - v) * h - 0.5, 0.0), h - 1.001)
    i = int(y)
    j = int(x)
    fx = x - j
    fy = y - i
    a = (1 - fx) * (1 - fy) * weight / 255.0
    b = fx * (1 - fy) * weight / 255.0
    c = (1 - fx) * fy * weight / 255.0
    d = fx * fy * weight / 255.0
    for k in range(3):
        out[k] += (
            a * texture[i, j, k] + b * texture[i, j + 1, k] + c * texture[i + 1, j, k] + d * texture[i + 1, j + 1, k]
        )


@njit(inline="always")
def blend(colour: FloatArray, palette: FloatArray, entry: int, opacity: float) -> None:
    """Mix an entry of the palette into ``colour`` (3,)."""
    for k in range(3):
        colour[k] = colour[k] * (1 - opacity) + palette[entry, k] * opacity


@njit(inline="always")
def skin_albedo(
    u: float, v: float, is_left: bool, skin_a: ByteArray, skin_b: ByteArray, label_map: ByteArray, beard: ByteArray,
    brow: ByteArray, brow_at: NDArray[np.int64], fine: int, pores: NDArray[np.int8], palette: FloatArray, tone: Tone,
    albedo: FloatArray,
) -> tuple[int, float]:  # fmt: skip
    """Writes the skin's colour at (u, v); returns its label and the factor on its specular."""
    size = label_map.shape[0]
    row = min(max(int((1 - v) * size), 0), size - 1)
    column = min(max(int(u * size), 0), size - 1)
    label = label_map[row, column]
    shine = 1.0
    albedo[:] = 0
    bilinear(skin_a, u, v, 1.0 - tone.skin_mix, albedo)
    if tone.skin_mix > 0:
        bilinear(skin_b, u, v, tone.skin_mix, albedo)
    fine_row = int((1 - v) * fine)
    fine_column = int(u * fine)
    tile = pores.shape[0] - 1
    grain = 1.0 + tone.pores * pores[fine_row & tile, fine_column & tile] / 127.0
    for k in range(3):
        albedo[k] *= palette[SKIN_GAIN, k] * grain
    if label in (U_LIP, L_LIP):
        blend(albedo, palette, LIP_COLOUR, tone.lip)
        shine = 1.6
    elif label == HAIR_LABEL:
        blend(albedo, palette, HAIR_COLOUR, tone.scalp)
        shine = 0.4
    elif label == CLOTH_LABEL:
        for k in range(3):
            albedo[k] = palette[CLOTH_COLOUR, k]
        shine = 0.0
    if label < HAIR_LABEL and tone.chin_beard + tone.full_beard > 0:
        cover = (beard[0, row, column] * tone.chin_beard + beard[1, row, column] * tone.full_beard) / 255.0
        if cover > 0:
            cover = min(cover, 1.0)
            blend(albedo, palette, HAIR_COLOUR, cover)
            shine *= 1 - cover
    row = fine_row - brow_at[0]
    column = fine_column - brow_at[1]
    if row >= 0 and column >= 0 and row < brow.shape[0] and column < brow.shape[1]:
        hair = brow[row, column]
        if hair > 0:
            blend(albedo, palette, BROW_COLOUR, min(hair * tone.brow / 255.0, 1.0))
            if hair > BROW_THRESHOLD:
                label = L_BROW if is_left else R_BROW
    return label, shine


@njit(inline="always")
def fold_normal(
    u: float, v: float, f: int, faces: IntArray, uv: FloatArray, camera: FloatArray, folds: FloatArray,
    folds_at: NDArray[np.int64], size: int, nx: float, ny: float, nz: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    """The crease's darkness at (u, v) and the normal bent by the folds' slope."""
    y = (1 - v) * size - folds_at[0] - 0.5
    x = u * size - folds_at[1] - 0.5
    i = int(y)
    j = int(x)
    if i < 0 or j < 0 or i >= folds.shape[0] - 1 or j >= folds.shape[1] - 1:
        return 0.0, nx, ny, nz
    if folds[i, j, 0] == 0.0 and folds[i + 1, j + 1, 0] == 0.0:
        return 0.0, nx, ny, nz
    fx = x - j
    fy = y - i
    a = (1 - fx) * (1 - fy)
    b = fx * (1 - fy)
    c = (1 - fx) * fy
    d = fx * fy
    crease = a * folds[i, j, 0] + b * folds[i, j + 1, 0] + c * folds[i + 1, j, 0] + d * folds[i + 1, j + 1, 0]
    along_u = a * folds[i, j, 1] + b * folds[i, j + 1, 1] + c * folds[i + 1, j, 1] + d * folds[i + 1, j + 1, 1]
    along_v = -(a * folds[i, j, 2] + b * folds[i, j + 1, 2] + c * folds[i + 1, j, 2] + d * folds[i + 1, j + 1, 2])
    # Tangents of the triangle per texel, then the surface gradient of the height (Mikkelsen 2010).
    p, q, r = faces[f, 0], faces[f, 1], faces[f, 2]
    u1 = (uv[f, 1, 0] - uv[f, 0, 0]) * size
    v1 = (uv[f, 1, 1] - uv[f, 0, 1]) * size
    u2 = (uv[f, 2, 0] - uv[f, 0, 0]) * size
    v2 = (uv[f, 2, 1] - uv[f, 0, 1]) * size
    area = u1 * v2 - u2 * v1
    if abs(area) < 1e-9:
        return crease, nx, ny, nz
    s = 1.0 / area
    tx = (v2 * (camera[q, 0] - camera[p, 0]) - v1 * (camera[r, 0] - camera[p, 0])) * s
    ty = (v2 * (camera[q, 1] - camera[p, 1]) - v1 * (camera[r, 1] - camera[p, 1])) * s
    tz = (v2 * (camera[q, 2] - camera[p, 2]) - v1 * (camera[r, 2] - camera[p, 2])) * s
    bx = (u1 * (camera[r, 0] - camera[p, 0]) - u2 * (camera[q, 0] - camera[p, 0])) * s
    by = (u1 * (camera[r, 1] - camera[p, 1]) - u2 * (camera[q, 1] - camera[p, 1])) * s
    bz = (u1 * (camera[r, 2] - camera[p, 2]) - u2 * (camera[q, 2] - camera[p, 2])) * s
    cx = by * nz - bz * ny
    cy = bz * nx - bx * nz
    cz = bx * ny - by * nx
    s = tx * cx + ty * cy + tz * cz
    if abs(s) < 1e-12:
        return crease, nx, ny, nz
    s = 1.0 / s
    mx = nx - s * (along_u * cx + along_v * (ny * tz - nz * ty))
    my = ny - s * (along_u * cy + along_v * (nz * tx - nx * tz))
    mz = nz - s * (along_u * cz + along_v * (nx * ty - ny * tx))
    s = 1.0 / ((mx * mx + my * my + mz * mz) ** 0.5 + 1e-9)
    return crease, mx * s, my * s, mz * s


@njit(inline="always")
def lit_share(x: float, y: float, z: float, m: FloatArray, scale: float, depth_map: FloatArray) -> float:
    """Share of the first light that reaches a point: 2 x 2 look-ups in the shadow map."""
    size = depth_map.shape[0]
    column = int((m[0, 0] * x + m[0, 1] * y + m[0, 2] * z) * scale + size * 0.5 - 0.5)
    row = int(-(m[1, 0] * x + m[1, 1] * y + m[1, 2] * z) * scale + size * 0.5 - 0.5)
    depth = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z
    if column <= 0 or row <= 0 or column >= size - 1 or row >= size - 1:
        return 1.0
    share = 0.0
    for i in range(2):
        for j in range(2):
            if depth_map[row + i, column + j] < depth + SHADOW_BIAS:
                share += 0.25
    return share


@njit(cache=True, fastmath=True, nogil=True)
def shade(
    face_index: IntArray, weights: FloatArray, mesh: Mesh, normals: FloatArray, camera: FloatArray, distance: float,
    maps: Maps, palette: FloatArray, tone: Tone, light: Light, shadow: Shadow, rgb: FloatArray, labels: ByteArray,
) -> None:  # fmt: skip
    """Colour and label of every pixel that shows the head's own mesh (cards: :func:`shade_cards`)."""
    height, width = face_index.shape
    # Taken out of the tuples once: inside the loop each access would count references.
    faces, uv, face_label, face_material, is_left, occlusion = mesh
    skin_a, skin_b, label_map, beard, brow, brow_at, folds, folds_at, fine, pores, eye, teeth, mouth = maps
    direction, light_colour, light_ambient = light
    to_light, light_scale, light_depth = shadow
    albedo = np.empty(3, np.float32)
    for row in range(height):
        for column in range(width):
            f = face_index[row, column]
            if f < 0 or f >= faces.shape[0]:
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            w1 = weights[row, column, 0]
            w2 = weights[row, column, 1]
            w0 = (1 - w1 - w2) / (distance - camera[a, 2])  # perspective-correct weights
            w1 /= distance - camera[b, 2]
            w2 /= distance - camera[c, 2]
            s = 1.0 / (w0 + w1 + w2)
            w0 *= s
            w1 *= s
            w2 *= s
            nx = w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0]
            ny = w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1]
            nz = w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2]
            s = 1.0 / ((nx * nx + ny * ny + nz * nz) ** 0.5 + 1e-9)
            nx *= s
            ny *= s
            nz *= s
            x = w0 * camera[a, 0] + w1 * camera[b, 0] + w2 * camera[c, 0]
            y = w0 * camera[a, 1] + w1 * camera[b, 1] + w2 * camera[c, 1]
            z = w0 * camera[a, 2] + w1 * camera[b, 2] + w2 * camera[c, 2]
            u = w0 * uv[f, 0, 0] + w1 * uv[f, 1, 0] + w2 * uv[f, 2, 0]
            v = w0 * uv[f, 0, 1] + w1 * uv[f, 1, 1] + w2 * uv[f, 2, 1]
            open_sky = w0 * occlusion[a] + w1 * occlusion[b] + w2 * occlusion[c]
            material = face_material[f]
            label = face_label[f]
            specular = tone.specular
            gloss = tone.gloss
            crease = 0.0
            if material == SKIN:
                label, shine = skin_albedo(
                    u, v, is_left[f], skin_a, skin_b, label_map, beard, brow, brow_at, fine, pores, palette, tone,
                    albedo,
                )  # fmt: skip
                specular *= shine
                crease, nx, ny, nz = fold_normal(
                    u, v, f, faces, uv, camera, folds, folds_at, label_map.shape[0], nx, ny, nz
                )
                if crease > 0.0:
                    crease = min(crease, 1.0)
                    open_sky *= 1.0 - 0.4 * crease
            else:
                albedo[:] = 0
                if material == EYE:
                    bilinear(eye, u, v, tone.eye_gain, albedo)
                    specular = 0.6
                    gloss = 7
                elif material == TEETH:
                    bilinear(teeth, u, v, 1.15, albedo)
                    specular = 0.2
                else:
                    bilinear(mouth, u, v, 1.0, albedo)
                    specular = 0.2
            vx, vy, vz = -x, -y, distance - z
            s = 1.0 / (vx * vx + vy * vy + vz * vz) ** 0.5
            vx *= s
            vy *= s
            vz *= s
            soft = SUBSURFACE_WRAP if material == SKIN else 0.0
            for k in range(3):
                albedo[k] *= 1.0 - (0.10 + 0.05 * k) * crease  # creases are redder than the skin
                colour = albedo[k] * albedo[k]
                ambient = (
                    light_ambient[k, 0]
                    + light_ambient[k, 1] * nx
                    + light_ambient[k, 2] * ny
                    + light_ambient[k, 3] * nz
                )
                rgb[row, column, k] = colour * max(ambient, 0.0) * open_sky
            for q in range(direction.shape[0]):
                lx, ly, lz = direction[q, 0], direction[q, 1], direction[q, 2]
                facing = nx * lx + ny * ly + nz * lz
                if facing <= -soft:
                    continue
                visible = open_sky if material >= TEETH else 0.6 + 0.4 * open_sky
                if q == 0:
                    visible *= lit_share(
                        x + SHADOW_BIAS * nx, y + SHADOW_BIAS * ny, z + SHADOW_BIAS * nz,
                        to_light, light_scale, light_depth,
                    )  # fmt: skip
                hx, hy, hz = lx + vx, ly + vy, lz + vz
                half = (nx * hx + ny * hy + nz * hz) / ((hx * hx + hy * hy + hz * hz) ** 0.5 + 1e-9)
                glint = 0.0
                if half > 0.6 and facing > 0 and specular > 0:
                    for _ in range(gloss):
                        half *= half
                    glint = specular * half
                for k in range(3):  # red light wanders farthest under the skin
                    wrap = soft * (2 - k) * 0.5
                    diffuse = max((facing + wrap) / (1 + wrap), 0.0)
                    rgb[row, column, k] += visible * light_colour[q, k] * (albedo[k] * albedo[k] * diffuse + glint)
            labels[row, column] = label
