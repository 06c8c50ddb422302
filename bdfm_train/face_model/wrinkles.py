# SPDX-License-Identifier: MIT
"""Skin that folds with its action units: height maps of creases in the skin's UV space, drawn from ``data/folds.toml``.

Each group of folds (forehead, glabella, crow's feet ...) is drawn several times with different lines, so that persons
fold differently. For one render the groups are summed by their strength into one map of crease and slope.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bdfm_infer.alignment import MIRRORED_LANDMARK
from bdfm_infer.parameters import AU_NAMES, N_AU

from .head import Head
from .labels import LABEL, SKIN
from .raster import FAR, Seen, rasterize

FoldSpec = list[dict[str, Any]]
FOLDS: Final[FoldSpec] = tomllib.loads((Path(__file__).parent / "data" / "folds.toml").read_text("utf-8"))["group"]
GROUPS: Final = tuple(group["name"] for group in FOLDS)
N_VARIANTS: Final = 6
_DEPTH: Final = 0.016
_BREADTH: Final = 1.3
_JITTER: Final = 0.012
_MARGIN: Final = 0.05
"""Of the atlas, around the landmarks."""
_ISLAND: Final = 0.2
_QUANTUM: Final = 2e-4
"""Slope (model units a texel) of one step of the stored int8 maps; the crease has steps of 1/127."""

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Patch:
    """One group's folds of one variant: ``map`` (h, w, 3) int8 (crease, slope along columns, along rows) at ``at``."""

    at: tuple[int, int]
    map: NDArray[np.int8]


def fold_strength(intensity: FloatArray, depth: float, at_rest: FloatArray) -> FloatArray:
    """Strength (G,) of each group: by its AUs' ``intensity`` (23,) or kept ``at_rest`` (G,), times ``depth``."""
    driven = (_DRIVE * intensity).max(axis=1)
    return (depth * np.maximum(driven, at_rest * _REST)).astype(np.float32)


class Folds:
    """The folds of one head.

    Attributes:
        at: (2,) row and column of the map's corner in the skin atlas.
        shape: (h, w) of the map.
    """

    def __init__(self, head: Head) -> None:
        unrolled, valid, self.at = _unroll(head)
        self.shape = valid.shape
        points = _unrolled_landmarks(head)
        eyes = points[[42, 45]].mean(axis=0) - points[[36, 39]].mean(axis=0)
        unit = float(np.linalg.norm(eyes))
        self._variants = [
            [
                _draw_group(group, points, unit, unrolled, valid, np.random.default_rng((variant, number)))
                for number, group in enumerate(FOLDS)
            ]
            for variant in range(N_VARIANTS)
        ]
        self._map = np.zeros((*self.shape, 3), np.float32)

    def compose(self, variant: int, strength: FloatArray) -> FloatArray:
        """Map (h, w, 3) float32 of the groups at ``strength`` (G,): crease, slopes. The next call overwrites it."""
        self._map[:] = 0
        for patch, weight in zip(self._variants[variant % N_VARIANTS], strength, strict=True):
            if weight > 0.01:
                _add_patch(self._map, patch.map, patch.at[0], patch.at[1], weight / 127, weight * _QUANTUM)
        return self._map


_DRIVE: Final = np.zeros((len(FOLDS), N_AU), np.float32)
for _row, _group in enumerate(FOLDS):
    for _name, _gain in _group["drive"].items():
        _DRIVE[_row, AU_NAMES.index(_name)] = _gain
_REST: Final = np.array([group["rest"] for group in FOLDS], np.float32)


def _axis(head: Head) -> float:
    """Depth of the vertical axis about which the face is unrolled."""
    eyes = head.base[head.landmarks[[36, 45]]]
    return float(eyes[:, 2].mean() - 0.85 * np.abs(eyes[0, 0] - eyes[1, 0]))


def _unrolled_landmarks(head: Head) -> FloatArray:
    """Landmarks (68, 2) on the unrolled face: along the skin to the person's left, up."""
    return _on_cylinder(head.base[head.landmarks], head)


def _on_cylinder(points: FloatArray, head: Head) -> FloatArray:
    radius = float(head.base[head.landmarks[27], 2]) - _axis(head)
    angle = np.arctan2(points[..., 0], points[..., 2] - _axis(head))
    return np.stack([angle * radius, points[..., 1]], axis=-1).astype(np.float32)


def _unroll(head: Head) -> tuple[FloatArray, NDArray[np.bool_], NDArray[np.int64]]:
    """Where each texel around the face lies (h, w, 2) on the unrolled face, where it is facial skin (h, w), corner."""
    corner_uv = np.zeros((len(head.base), 2), np.float32)
    skin = head.material == SKIN
    corner_uv[head.faces[skin]] = head.uv[skin]
    label = head.textures["label"]
    side = len(label)
    bounds = corner_uv[head.landmarks[np.r_[8, 17:68]]]
    bounds = bounds[np.abs(bounds - np.median(bounds, axis=0)).max(axis=1) < _ISLAND]  # on a seam: the other island
    low, high = bounds.min(axis=0) - _MARGIN, bounds.max(axis=0) + _MARGIN
    at = np.array([int((1 - high[1]) * side), int(low[0] * side)])
    shape = (int((high[1] - low[1]) * side), int((min(high[0], 1.0) - low[0]) * side))

    uv = head.uv[skin].reshape(-1, 2)
    place = head.base[head.faces[skin]].reshape(-1, 3)
    pixels = np.zeros((len(uv), 3), np.float32)
    pixels[:, 0] = uv[:, 0] * side - at[1]
    pixels[:, 1] = (1 - uv[:, 1]) * side - at[0]
    triangles = np.arange(len(pixels), dtype=np.int32).reshape(-1, 3)
    a, b, c = (pixels[triangles[:, k]] for k in range(3))
    flipped = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1]) > 0
    triangles[flipped] = triangles[flipped][:, ::-1]
    face, weight = np.full(shape, -1, np.int32), np.zeros((*shape, 2), np.float32)
    rasterize(pixels, triangles, np.full(shape, FAR, np.float32), Seen(face, weight))
    corners = place[triangles[np.maximum(face, 0)]]
    first = 1 - weight.sum(axis=-1)
    position = first[..., None] * corners[..., 0, :] + (weight[..., None] * corners[..., 1:, :]).sum(axis=-2)

    facial = np.isin(label[at[0] : at[0] + shape[0], at[1] : at[1] + shape[1]], [LABEL["skin"], LABEL["nose"]])
    valid = (face >= 0) & facial & (position[..., 2] > _axis(head))
    return _on_cylinder(position, head), valid, at


def _draw_group(
    group: dict[str, Any], points: FloatArray, unit: float, unrolled: FloatArray, valid: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Patch:  # fmt: skip
    height, crease = np.zeros(valid.shape, np.float32), np.zeros(valid.shape, np.float32)

    def draw(line: FloatArray, width: float, depth: float) -> None:
        breadth, furrow = unit * width * _BREADTH, unit * depth * _DEPTH
        _draw_line(unrolled, valid, _smooth(line), breadth, furrow, depth, height, crease)

    for side in (-1, 1) if group["mirror"] else (0,):
        for spec in group["lines"]:
            if rng.random() > spec["chance"]:
                continue
            line = np.array([_place(point, points, unit, side) for point in spec["points"]], np.float32)
            line += rng.normal(0, _JITTER * unit, line.shape).astype(np.float32)
            draw(line, spec["width"] * rng.uniform(0.75, 1.3), spec["depth"] * rng.uniform(0.6, 1.2))
    if "pits" in group:
        pits = group["pits"]
        for _ in range(pits["count"]):
            middle = _place(pits["at"], points, unit, 0) + unit * np.array(pits["spread"]) * rng.uniform(-1, 1, 2)
            reach = unit * pits["length"] / 2 * rng.normal(size=2)
            draw(np.array([middle - reach, middle + reach], np.float32), pits["width"], pits["depth"])
    return _pack(height, crease, valid)


def _place(point: list[float], points: FloatArray, unit: float, side: int) -> FloatArray:
    landmark = int(point[0]) if side <= 0 else int(MIRRORED_LANDMARK[int(point[0])])
    outward = np.sign(points[landmark, 0]) if MIRRORED_LANDMARK[landmark] != landmark else side
    return points[landmark] + unit * np.array([outward * point[1], point[2]], np.float32)


def _smooth(line: FloatArray, steps: int = 6) -> FloatArray:
    """Catmull-Rom curve through the points (n, 2)."""
    padded = np.concatenate([line[:1], line, line[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.concatenate([*pieces, line[-1:]]).astype(np.float32)


@njit(cache=True, nogil=True)
def _draw_line(
    unrolled: FloatArray, valid: NDArray[np.bool_], line: FloatArray, width: float, depth: float, darkness: float,
    height: FloatArray, crease: FloatArray,
) -> None:  # fmt: skip
    """Adds a furrow with raised rims; it fades towards the line's ends."""
    n = line.shape[0]
    reach = 3.5 * width
    left, right = line[:, 0].min() - reach, line[:, 0].max() + reach
    bottom, top = line[:, 1].min() - reach, line[:, 1].max() + reach
    for row in range(valid.shape[0]):
        for column in range(valid.shape[1]):
            x, y = unrolled[row, column, 0], unrolled[row, column, 1]
            if not valid[row, column] or x < left or x > right or y < bottom or y > top:
                continue
            nearest = reach * reach
            along = 0.0
            for i in range(n - 1):
                ax, ay = line[i, 0], line[i, 1]
                bx, by = line[i + 1, 0] - ax, line[i + 1, 1] - ay
                t = ((x - ax) * bx + (y - ay) * by) / (bx * bx + by * by + 1e-12)
                t = min(max(t, 0.0), 1.0)
                square = (x - ax - t * bx) ** 2 + (y - ay - t * by) ** 2
                if square < nearest:
                    nearest = square
                    along = (i + t) / (n - 1)
            if nearest >= reach * reach:
                continue
            fade = min(1.0, 5.0 * along + 0.15, 5.0 * (1.0 - along) + 0.15)
            furrow = np.exp(-nearest / (width * width)) * fade
            rim = np.exp(-nearest / (4.0 * width * width)) * fade
            height[row, column] -= depth * (1.5 * furrow - 0.7 * rim)
            crease[row, column] = max(crease[row, column], min(0.55 * darkness, 1.0) * furrow)


def _pack(height: FloatArray, crease: FloatArray, valid: NDArray[np.bool_]) -> Patch:
    rows, columns = np.nonzero(height)
    if not len(rows):
        return Patch((0, 0), np.zeros((1, 1, 3), np.int8))
    top, left = max(rows.min() - 1, 0), max(columns.min() - 1, 0)
    box = np.s_[top : rows.max() + 2, left : columns.max() + 2]
    slope_rows, slope_columns = np.gradient(height[box])
    inside = valid[box]
    whole = inside.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            whole &= np.roll(inside, step, axis)
    texel = np.stack([crease[box] * 127, slope_columns * whole / _QUANTUM, slope_rows * whole / _QUANTUM], -1)
    return Patch((int(top), int(left)), np.clip(np.rint(texel), -127, 127).astype(np.int8))


@njit(cache=True, nogil=True)
def _add_patch(
    total: FloatArray, patch: NDArray[np.int8], top: int, left: int, crease_weight: float, slope_weight: float
) -> None:
    for row in range(patch.shape[0]):
        for column in range(patch.shape[1]):
            out = total[top + row, left + column]
            out[0] += crease_weight * patch[row, column, 0]
            out[1] += slope_weight * patch[row, column, 1]
            out[2] += slope_weight * patch[row, column, 2]
