# SPDX-License-Identifier: MIT
"""Numba kernels that light a surface: two lights, the first with a shadow, and an ambient term.

Light is squared sRGB (a cheap gamma of 2), until :func:`compositing.resolve`. Most loops are kept to few arrays and no
branches, so that the compiler can turn them into vector instructions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from .labels import EYE, MOUTH, SKIN, TEETH
from .raster import HALF, ONE, ZERO, ByteArray, FloatArray, IntArray
from .surface import TINY, Maps, Mesh, Samples, Tone, add_texture, fold_skin, locate, paint_skin

EYE_SPECULAR, MOUTH_SPECULAR, EYE_GLOSS = 0.6, 0.2, 7
TEETH_GAIN = 1.15
MAX_GLOSS = 7
GLINT_FROM = np.float32(0.6)
"""Cosine to the half vector below which a highlight is nothing."""
SHADOW_BIAS = np.float32(0.05)
SUBSURFACE_WRAP = np.float32(0.25)
QUARTER = np.float32(0.25)


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


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def darken_in_shadow(samples: Samples, n: int, facing: FloatArray, shadow: Shadow, visible: FloatArray) -> None:
    """Scale ``visible`` (n,) by the share of the first light that arrives: 2 x 2 look-ups in the shadow map."""
    _, _, _, _, _, place, normal, _, _, _ = samples
    m, _, depth = shadow
    scale, size = np.float32(shadow.scale), depth.shape[0]
    middle = np.float32(size) * HALF - HALF
    for i in range(n):
        if facing[i] <= -SUBSURFACE_WRAP:
            continue
        x = place[0, i] + SHADOW_BIAS * normal[0, i]
        y = place[1, i] + SHADOW_BIAS * normal[1, i]
        z = place[2, i] + SHADOW_BIAS * normal[2, i]
        column = int((m[0, 0] * x + m[0, 1] * y + m[0, 2] * z) * scale + middle)
        row = int(middle - (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z) * scale)
        if column <= 0 or row <= 0 or column >= size - 1 or row >= size - 1:
            continue
        least = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + SHADOW_BIAS
        share = ZERO
        for j in range(2):
            for k in range(2):
                if depth[row + j, column + k] < least:
                    share += QUARTER
        visible[i] *= share


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def find_glints(
    samples: Samples, n: int, distance: float, direction: FloatArray, specular: FloatArray, gloss: ByteArray,
    facing: FloatArray, glint: FloatArray,
) -> None:  # fmt: skip
    """Blinn's highlight (n,) of one light; ``distance`` of the camera from the origin, ``facing`` its cosine."""
    place, normal = samples.place, samples.normal
    x, y, z, nx, ny, nz = place[0], place[1], place[2], normal[0], normal[1], normal[2]
    far = np.float32(distance)
    lx, ly, lz = direction[0], direction[1], direction[2]
    for i in range(n):
        vz = far - z[i]
        s = ONE / np.sqrt(x[i] * x[i] + y[i] * y[i] + vz * vz)
        to_eye = (nz[i] * vz - nx[i] * x[i] - ny[i] * y[i]) * s
        between = (lz * vz - lx * x[i] - ly * y[i]) * s
        half = (nx[i] * lx + ny[i] * ly + nz[i] * lz + to_eye) / (np.sqrt(ONE + ONE + between + between) + TINY)
        glint[i] = half if half > GLINT_FROM else ZERO
    for i in range(n):
        power = glint[i]
        for k in range(MAX_GLOSS):
            power = power * power if k < gloss[i] else power
        glint[i] = specular[i] * power if facing[i] > ZERO else ZERO


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def light_up(
    samples: Samples, n: int, distance: float, tone: Tone, light: Light, shadow: Shadow, work: FloatArray,
    gloss: ByteArray, colour: FloatArray,
) -> None:  # fmt: skip
    """Colour (3, n) of the samples in light; their albedo is squared on the way. work: (6, n), gloss: (n,) scratch."""
    _, _, material, _, _, _, normal, albedo, open_sky, shine = samples
    nx, ny, nz = normal[0], normal[1], normal[2]
    facing, glint, visible, specular, exposed, soft = work[0], work[1], work[2], work[3], work[4], work[5]
    for i in range(n):
        kind = material[i]
        gloss[i] = EYE_GLOSS if kind == EYE else tone.gloss
        soft[i] = SUBSURFACE_WRAP if kind == SKIN else ZERO
        specular[i] = tone.specular * shine[i] if kind == SKIN else EYE_SPECULAR if kind == EYE else MOUTH_SPECULAR
        exposed[i] = open_sky[i] if kind >= TEETH else 0.6 + 0.4 * open_sky[i]
    for k in range(3):
        reflected, out = albedo[k], colour[k]
        constant, x, y, z = light.ambient[k, 0], light.ambient[k, 1], light.ambient[k, 2], light.ambient[k, 3]
        for i in range(n):
            reflected[i] *= reflected[i]
            ambient = max(constant + x * nx[i] + y * ny[i] + z * nz[i], ZERO)
            out[i] = reflected[i] * ambient * open_sky[i]
    for q in range(2):
        x, y, z = light.direction[q, 0], light.direction[q, 1], light.direction[q, 2]
        for i in range(n):
            facing[i] = x * nx[i] + y * ny[i] + z * nz[i]
            visible[i] = exposed[i]
        find_glints(samples, n, distance, light.direction[q], specular, gloss, facing, glint)
        if q == 0:
            darken_in_shadow(samples, n, facing, shadow, visible)
        for k in range(3):
            reflected, out, strength = albedo[k], colour[k], light.colour[q, k]
            spread = ONE - HALF * np.float32(k)  # red light wanders farthest under the skin
            for i in range(n):
                wrap = soft[i] * spread
                diffuse = max((facing[i] + wrap) / (ONE + wrap), ZERO)
                out[i] += visible[i] * strength * (reflected[i] * diffuse + glint[i])


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def shade(
    face_index: IntArray, weights: FloatArray, mesh: Mesh, normals: FloatArray, camera: FloatArray, pixels: FloatArray,
    distance: float, maps: Maps, palette: FloatArray, tone: Tone, light: Light, shadow: Shadow, samples: Samples,
    rgb: FloatArray, labels: ByteArray,
) -> None:  # fmt: skip
    """Colour and label of every pixel that shows the head's own mesh (cards: :func:`shade_cards`)."""
    height, width = face_index.shape
    work, gloss = np.empty((6, width), np.float32), np.empty(width, np.uint8)
    colour = np.empty((3, width), np.float32)
    columns, sample_label = samples.column, samples.label
    for row in range(height):
        n = locate(face_index[row], weights[row], mesh, normals, camera, pixels, samples)
        add_texture(samples, n, SKIN, maps.skin_a, 1.0 - tone.skin_mix)
        if tone.skin_mix > 0:
            add_texture(samples, n, SKIN, maps.skin_b, tone.skin_mix)
        add_texture(samples, n, EYE, maps.eye, tone.eye_gain)
        add_texture(samples, n, TEETH, maps.teeth, TEETH_GAIN)
        add_texture(samples, n, MOUTH, maps.mouth, 1.0)
        paint_skin(samples, n, mesh.is_left, maps, palette, tone)
        fold_skin(samples, n, mesh, camera, maps)
        light_up(samples, n, distance, tone, light, shadow, work, gloss, colour)
        for i in range(n):
            column = columns[i]
            for k in range(3):
                rgb[row, column, k] = colour[k, i]
            labels[row, column] = sample_label[i]
