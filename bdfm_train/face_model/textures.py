# SPDX-License-Identifier: MIT
"""Textures of a head: skins, label map, 36 brow styles, beard, eyes, mouth and baked ambient occlusion.

Both heads share one atlas, MakeHuman's. Texel (row, column) of an atlas of side S shows u = column / S,
v = 1 - row / S.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bdfm_infer.parameters import N_BROW_STYLES
from bdfm_train.face_model.labels import EYE, LABEL, SKIN
from bdfm_train.face_model.makehuman import MakeHuman, read_part
from bdfm_train.face_model.mesh import Floats, HeadMesh
from bdfm_train.face_model.raster import FAR, Seen, rasterize, vertex_normals
from bdfm_train.face_model.sources import Sources

ATLAS: Final = 1024
BROW_SCALE: Final = 2
"""Brows are painted this many times finer than the atlas."""
BROW_CARDS: Final = 12
BROW_STROKE: Final = 0.009
"""Decimetres along the skin over which a point of a brow card fades."""
BROW_DEPTH: Final = 0.15
"""Decimetres from the skin within which brow cards are painted onto it."""
ASSETS: Final = "makehuman_assets"
OCCLUSION_DIRECTIONS: Final = 96
Image = NDArray[np.uint8]


def read_image(sources: Sources, name: str, size: int, flags: int = cv2.IMREAD_COLOR) -> Image:
    """An image of the sources as RGB (or RGBA, or grey) of the given side."""
    image = cv2.imread(str(sources.path(name)), flags)
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    if image.ndim == 2:
        return image
    return image[..., [2, 1, 0, 3] if flags == cv2.IMREAD_UNCHANGED and image.shape[2] == 4 else [2, 1, 0]]


def stem(name: str, suffix: str = "") -> str:
    """File name without folder, extension and the given suffix."""
    return Path(name).stem.removesuffix(suffix)


def atlas_positions(mesh: HeadMesh, size: int) -> tuple[Floats, NDArray[np.int64]]:
    """What each texel of the atlas shows: position (size, size, 3), NaN where nothing, and triangle, -1 where none."""
    skin = np.flatnonzero(mesh.mat == SKIN)
    corners = mesh.v[mesh.f[skin]].reshape(-1, 3)
    uv = mesh.uv[skin].reshape(-1, 2)
    pixels = np.c_[uv[:, 0] * size, (1 - uv[:, 1]) * size, np.zeros(len(uv))].astype(np.float32)
    triangle = np.arange(len(pixels), dtype=np.int32).reshape(-1, 3)
    side = pixels[triangle]
    area = np.cross(side[:, 1, :2] - side[:, 0, :2], side[:, 2, :2] - side[:, 0, :2])
    triangle[area > 0] = triangle[area > 0][:, ::-1]
    index, weight, _ = raster(pixels, triangle, size)
    shown = index >= 0
    w = weight[shown].astype(float)
    w = np.c_[1 - w.sum(1), w]
    position = np.full((size, size, 3), np.nan)
    position[shown] = np.einsum("nk,nkd->nd", w, corners[triangle[index[shown]]])
    return position, np.where(shown, skin[index], -1)


def raster(pixels: NDArray[np.float32], f: NDArray, size: int) -> tuple[NDArray, NDArray, NDArray]:
    """Nearest front face, its barycentric weights (two last corners) and depth for each pixel of a square picture."""
    index = np.full((size, size), -1, np.int32)
    weight = np.zeros((size, size, 2), np.float32)
    depth = np.full((size, size), FAR, np.float32)
    rasterize(pixels, np.ascontiguousarray(f, np.int32), depth, Seen(index, weight))
    return index, weight, depth


def label_atlas(sources: Sources, mesh: HeadMesh, position: Floats, triangle: NDArray[np.int64]) -> Image:
    """Class of each texel: triangles' classes with smooth outlines for nose, lips, jaw line, neck and hair line."""
    size = len(position)
    shown = triangle >= 0
    coarse = np.where(shown, mesh.label[triangle], 0).astype(np.uint8)
    x, y, z = np.moveaxis(np.nan_to_num(position, nan=-9.0), -1, 0)
    ax = np.abs(x)
    names = ("skin", "nose", "hair", "neck", "u_lip", "l_lip")
    face = shown & np.isin(coarse, [LABEL[n] for n in names])
    label = np.where(face, LABEL["skin"], coarse).astype(np.uint8)
    nose = (y > 6.895) & (y < 7.34) & (ax < 0.07 + np.clip((7.36 - y) / 0.45, 0, 1) * 0.125) & (z > 1.22)
    label[face & nose] = LABEL["nose"]
    jaw = 6.30 + np.clip(ax / 0.55, 0, 1) ** 2.2 * 0.45
    below = (y < jaw - 0.015) | ((y < 6.75) & (z < 0.45)) | ((coarse == LABEL["neck"]) & (y < jaw))
    label[face & below] = LABEL["neck"]
    label[shown & (y < 5.97) & (coarse != LABEL["inner_mouth"]) & (z < 1.2)] = LABEL["cloth"]
    hair_line = np.interp(z, [0.55, 0.70, 0.95, 1.15, 1.40], [6.95, 7.30, 7.72, 7.93, 8.02])
    label[face & (y > hair_line) & (y > 6.8)] = LABEL["hair"]
    label[face & (z < 0.5) & (y > 6.72)] = LABEL["hair"]

    mask = read_image(sources, "mpfb/textures/mpfb_lips.jpg", size, cv2.IMREAD_GRAYSCALE) > 110
    lips = np.isin(coarse, [LABEL["u_lip"], LABEL["l_lip"]])
    label[lips & ~mask] = LABEL["skin"]
    near = cv2.dilate(lips.astype(np.uint8), np.ones((5, 5))) > 0
    away = {n: cv2.distanceTransform((coarse != LABEL[n]).astype(np.uint8), cv2.DIST_L2, 5) for n in ("u_lip", "l_lip")}
    lip = mask & near & shown & (coarse != LABEL["inner_mouth"])
    label[lip] = np.where(away["u_lip"] <= away["l_lip"], LABEL["u_lip"], LABEL["l_lip"])[lip]
    label[~shown] = 0
    return fill_gutter(label)


def fill_gutter(label: Image) -> Image:
    """Label map whose empty texels repeat the nearest class, so that look-ups beside an island's border are safe."""
    _, nearest = cv2.distanceTransformWithLabels(
        (label == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    known = label > 0
    lookup = np.zeros(nearest.max() + 1, np.uint8)
    lookup[nearest[known]] = label[known]
    return lookup[nearest]


class BrowCards:
    """MakeHuman's hair-stroke cards, sampled as points with opacity.

    Args:
        head: MakeHuman's head, on whose base the cards are placed.
    """

    def __init__(self, head: MakeHuman) -> None:
        steps = np.linspace(0, 1, 14)
        grid = np.array([[(1 - a) * (1 - b), a * (1 - b), a * b, (1 - a) * b] for a in steps for b in steps])
        self.points: list[Floats] = []
        self.opacity: list[Floats] = []
        for card in range(1, BROW_CARDS + 1):
            folder = f"{ASSETS}/eyebrows/eyebrow{card:03d}"
            proxy, mesh = read_part(head, folder, f"eyebrow{card:03d}")
            v = proxy.place(head.base)
            alpha = cv2.imread(str(head.sources.path(f"{folder}/eyebrow{card:03d}.png")), cv2.IMREAD_UNCHANGED)[..., 3]
            alpha = cv2.GaussianBlur(alpha, (0, 0), 1.2)
            quads = [(p, t) for p, t in mesh.polygons if len(p) == 4]
            uv = np.vstack([grid @ mesh.vt[t] for _, t in quads])
            texel = np.clip(np.c_[1 - uv[:, 1], uv[:, 0]] * 511, 0, 511).astype(int)
            self.points.append(np.vstack([grid @ v[p] for p, _ in quads]))
            self.opacity.append(alpha[texel[:, 0], texel[:, 1]].astype(float))

    def paint(self, position: Floats, fit: Floats | None = None, arch: float = 0.045) -> tuple[tuple[int, int], Image]:
        """36 styles (12 cards as drawn, bushy, thin and arched) painted into the atlas.

        Args:
            position: (S, S, 3) what each texel shows.
            fit: (2, 2, 3) scale and shift of the right and of the left brow's points; None leaves them.
            arch: decimetres by which the middle of an arched brow is lifted.

        Returns:
            Row and column of the crop, and opacities (36, H, W).
        """
        drawn = [self._placed(card, fit, arch if variant == 2 else 0.0) for variant in range(3) for card in range(12)]
        everything = np.vstack([points for points, _ in drawn])
        low, high = everything.min(0) - 0.12, everything.max(0) + 0.12
        island = np.arange(position.shape[1]) > 0.6 * position.shape[1]
        region = island & np.all((position > low) & (position < high), axis=2)
        rows, columns = np.nonzero(region)
        top, left = int(rows.min()) - 2, int(columns.min()) - 2
        smooth = cv2.GaussianBlur(np.nan_to_num(position), (0, 0), 1.5)
        normal = np.cross(np.gradient(smooth, axis=1), np.gradient(smooth, axis=0))[rows, columns]
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        where = position[rows, columns]
        styles = np.zeros((N_BROW_STYLES, int(rows.max()) + 3 - top, int(columns.max()) + 3 - left), np.uint8)
        for style, (points, opacity) in enumerate(drawn):
            distance, near = cKDTree(points).query(where, k=3)
            on = distance[:, 0] < BROW_DEPTH
            aside = where[on, None] - points[near[on]]
            aside -= (aside * normal[on, None]).sum(-1, keepdims=True) * normal[on, None]
            value = (opacity[near[on]] * np.exp(-((np.linalg.norm(aside, axis=-1) / BROW_STROKE) ** 2))).mean(1)
            image = np.zeros(styles.shape[1:])
            image[rows[on] - top, columns[on] - left] = value
            if style // BROW_CARDS == 1:
                image = cv2.dilate(image, np.ones((3, 3))) * 1.25
            elif style // BROW_CARDS == 2:
                image = np.clip(image * 0.9 - 25, 0, 255) * 1.1
            styles[style] = np.clip(image, 0, 255)
        return (top, left), styles

    def _placed(self, card: int, fit: Floats | None, arch: float) -> tuple[Floats, Floats]:
        points = self.points[card].copy()
        points[:, 1] += arch * np.clip(1 - ((np.abs(points[:, 0]) - 0.36) / 0.22) ** 2, 0, 1)
        if fit is not None:
            side = (points[:, 0] > 0).astype(int)
            points = points * fit[side, 0] + fit[side, 1]
        return points, self.opacity[card]


def brow_fit(landmarks: Floats, landmarks_a: Floats) -> Floats:
    """Scale and shift (2, 2, 3) that lay head A's right and left brow cards onto another head's brow landmarks."""
    fit = np.empty((2, 2, 3))
    for side, brow in enumerate((slice(17, 22), slice(22, 27))):
        a, b = landmarks_a[brow], landmarks[brow]
        scale = 0.95 * np.ptp(b[:, 0]) / np.ptp(a[:, 0]) * np.array([1, 1.1, 1])
        fit[side] = scale, b.mean(0) - (0, 0.04, 0) - a.mean(0) * scale
    return fit


def beard_atlas(position: Floats, label: Image) -> Image:
    """Opacity (2, S, S) of moustache with goatee, and of a full beard."""
    x, y, z = np.moveaxis(np.nan_to_num(position), -1, 0)
    ax = np.abs(x)

    def step(t: Floats, softness: float) -> Floats:
        return np.asarray(1 / (1 + np.exp(-np.clip(t / softness, -30, 30))))

    grain = cv2.GaussianBlur(np.random.default_rng(0).random(label.shape), (0, 0), 0.7)
    grain = np.clip((grain - 0.5) * 1.6 + 0.8, 0, 1)
    skin = np.isin(label, [LABEL["skin"], LABEL["neck"], LABEL["hair"]]) & (z > 0.35)
    under_nose = 6.90 - 0.10 * np.clip(ax / 0.3, 0, 1) ** 2
    chin = step(under_nose - y, 0.02) * step(0.24 - ax, 0.03) * step(y - 6.22, 0.04) * step(z - 1.1, 0.03)
    cheek = 6.72 + 0.35 * np.clip((ax - 0.30) / 0.35, 0, 1)
    sides = step(cheek - y, 0.05) * step(y - 6.2, 0.05) * step(z - 0.45, 0.06) * step(ax - 0.2, 0.05)
    return np.asarray(np.stack([chin, np.maximum(chin, sides)]) * (skin * grain) * 255).astype(np.uint8)


def ambient_occlusion(mesh: HeadMesh, mouth_front: tuple[float, float]) -> NDArray[np.float32]:
    """Share (V,) of the outside that each vertex sees, by depth maps from many directions.

    Args:
        mesh: the head.
        mouth_front: depth z from which the inside of the mouth brightens, and over how much.
    """
    v, f = mesh.v.astype(np.float32), np.ascontiguousarray(mesh.f, np.int32)
    normal = np.empty_like(v)
    vertex_normals(v, f, normal)
    random = np.random.default_rng(0)
    centre, size = v.mean(0), 320
    radius = np.linalg.norm(v - centre, axis=1).max()
    seen, total = np.zeros(len(v)), np.zeros(len(v))
    for _ in range(OCCLUSION_DIRECTIONS):
        towards = random.normal(size=3)
        towards /= np.linalg.norm(towards)
        across = np.cross(towards, [0, 1, 0.1])
        across /= np.linalg.norm(across)
        view = (v - centre) @ np.array([across, np.cross(towards, across), towards]).T
        pixels = np.c_[(view[:, 0] / radius + 1) * size / 2, (1 - view[:, 1] / radius) * size / 2, view[:, 2]]
        _, _, depth = raster(pixels.astype(np.float32), f, size)
        column, row = np.clip(pixels[:, :2].T.astype(int), 0, size - 1)
        cosine = normal @ towards
        lit = np.where(cosine > 0.05, cosine, 0)
        seen += lit * (pixels[:, 2] >= depth[row, column] - 0.035)
        total += lit
    occlusion = np.clip(seen / np.maximum(total, 1e-6), 0, 1)
    inside = np.unique(mesh.f[(mesh.label == LABEL["inner_mouth"])])
    front = np.clip((mesh.v[inside, 2] - mouth_front[0]) / mouth_front[1], 0, 1)
    occlusion[inside] = 0.12 + 0.75 * front**2 * (3 - 2 * front)
    occlusion[np.unique(mesh.f[mesh.mat == EYE])] = 0.8
    return occlusion.astype(np.float32)


def shared_textures(sources: Sources) -> dict[str, NDArray]:
    """Skins and eyes, the same for both heads."""
    skins = sources.names(f"{ASSETS}/skins/*.jpg")
    eyes = sources.names(f"{ASSETS}/eyes/materials/*_eye.png")
    return {
        "skins": np.stack([read_image(sources, name, ATLAS) for name in skins]),
        "skin_names": np.array([stem(name) for name in skins]),
        "eyes": np.stack([read_image(sources, name, 256) for name in eyes]),
        "eye_names": np.array([stem(name, "_eye") for name in eyes]),
        "brow_scale": np.array(BROW_SCALE),
    }
