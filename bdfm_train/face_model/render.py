# SPDX-License-Identifier: MIT
"""The renderer: parameters, look and view to a picture, its label map and 68 landmarks. One thread, no GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_SLICE, BROW_SLICE, POSE_SLICE, degrees_from_parameter, intensity_from_parameter

from .compositing import resolve, shade_cards
from .glasses import Glasses, build_glasses, draw_glasses
from .head import Hair, Head
from .labels import EYE, LABEL
from .looks import Look, View, default_look
from .raster import FAR, Cards, Seen, bind_cards, project, rasterize, vertex_normals
from .shading import Shadow, shade
from .surface import HAIR_COLOUR, Maps, Mesh, room_for_samples
from .wrinkles import Folds, fold_strength

SHADOW_SIZE: Final = 192
SHADOW_REACH: Final = 1.45
"""Half the shadow map's side, in halves of the head's frame."""
NECK_LENGTH: Final = 0.9
"""Below the chin, model units: over this length the neck follows the head less and less."""
CARD_BIAS: Final = 2e-4

FloatArray = NDArray[np.float32]


class Render(NamedTuple):
    """image (H, W, 3) uint8 RGB; labels (H, W) uint8, classes of :mod:`labels`; landmarks (68, 2) float32, pixels."""

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    landmarks: FloatArray


@dataclass(frozen=True)
class _Cards:
    """Lashes and one hair style, ready to draw: faces number the head's vertices first, then the hair's own."""

    hair: Hair | None
    faces: NDArray[np.int32]
    uv: FloatArray
    alpha: NDArray[np.uint8]
    luminance: FloatArray
    follow: FloatArray


@dataclass(frozen=True)
class _Camera:
    rotation: FloatArray
    centre: FloatArray
    distance: float
    scale: float
    column: float
    row: float


def rotation_matrix(yaw: float, pitch: float, roll: float) -> FloatArray:
    """Head rotation (3, 3) for degrees in the product's signs: the person's left, up, clockwise as the camera sees.

    Model axes: x to the person's left (the picture's right), y up, z towards the camera. Yaw is applied first.
    """
    a, b, c = np.deg2rad([yaw, -pitch, -roll])
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    tilt = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return (tilt @ nod @ turn).astype(np.float32)


class Renderer:
    """Draws one head at one size.

    Args:
        head: which head.
        shape: height and width of the picture.
        supersampling: samples a pixel along each side.
    """

    def __init__(self, head: Head, shape: tuple[int, int] = (128, 128), supersampling: int = 2) -> None:
        self.head, self.shape, self._samples = head, shape, supersampling
        fine = (shape[0] * supersampling, shape[1] * supersampling)
        self._face_index = np.empty(fine, np.int32)
        self._weights = np.zeros((*fine, 2), np.float32)
        self._depth = np.zeros(fine, np.float32)
        self._rgb = np.zeros((*fine, 3), np.float32)
        self._labels = np.zeros(fine, np.uint8)
        self._row = room_for_samples(fine[1])
        self._shadow_depth = np.zeros((SHADOW_SIZE, SHADOW_SIZE), np.float32)
        self._mesh = Mesh(
            head.faces, head.uv, head.label, head.material,
            head.base[head.faces].mean(axis=1)[:, 0] > 0,
            np.ascontiguousarray(head.textures["ao"], np.float32),
        )  # fmt: skip
        self._folds = Folds(head)
        self._lash_alpha = np.ascontiguousarray(head.lash_texture[..., 3])
        self._pores = _pores()
        self._follow = self._share_of_rotation(head.base)
        self._eyeballs = [_eyeball(head, LABEL[name]) for name in ("l_eye", "r_eye")]
        self._cards: dict[str | None, _Cards] = {style: self._make_cards(style) for style in (None, *head.hair)}

    def __call__(self, y: FloatArray, look: Look | None = None, view: View | None = None) -> Render:
        """Render the face with parameters ``y`` (269,).

        Args:
            look: appearance; a plain one by default.
            view: rotation, gaze and framing; by default the rotation that ``y`` holds, without roll.
        """
        head = self.head
        look = look or default_look(head, self.shape)
        if view is None:
            yaw, pitch = degrees_from_parameter(y[POSE_SLICE])
            view = View(rotation=(float(yaw), float(pitch), 0.0))
        vertices = head.vertices(y)
        self._turn_eyes(vertices, view.gaze)
        camera = self._camera(view)
        in_camera, pixels = self._project(vertices, self._follow, camera)
        normals = np.empty_like(in_camera)
        vertex_normals(in_camera, head.faces, normals)
        self._depth.fill(FAR)
        self._face_index.fill(-1)
        rasterize(pixels, head.faces, self._depth, Seen(self._face_index, self._weights))
        draw_cards = self._rasterize_cards(self._cards[look.hair], vertices, camera)
        shadow = self._cast_shadow(in_camera, look)
        maps = self._maps(y, look)
        shade(
            self._face_index, self._weights, self._mesh, normals, in_camera, pixels, camera.distance, maps,
            look.palette, look.tone, look.light, shadow, self._row, self._rgb, self._labels,
        )  # fmt: skip
        draw_cards(look)
        if look.glasses is not None:
            self._draw_glasses(look.glasses, vertices, camera, look)
        image, labels = np.empty((*self.shape, 3), np.uint8), np.empty(self.shape, np.uint8)
        resolve(self._rgb, self._labels, self._face_index, look.background, look.exposure, image, labels)
        landmarks = pixels[head.landmarks, :2] / self._samples - 0.5  # pixel centres lie at whole numbers
        return Render(image, labels, landmarks)

    def landmarks(self, y: FloatArray, view: View, points: NDArray[np.int32] | None = None) -> FloatArray:
        """Where the 68 landmarks of a face, or other vertices (n,), lie, (n, 2) pixels, without drawing it."""
        _, pixels = self._project(self.head.vertices(y), self._follow, self._camera(view))
        return pixels[self.head.landmarks if points is None else points, :2] / self._samples - 0.5

    def _camera(self, view: View) -> _Camera:
        head = self.head
        rotation = rotation_matrix(*view.rotation)
        centre = head.centre.copy()
        if not view.steady:
            centre[:2] = (rotation @ (head.centre - head.pivot) + head.pivot)[:2]
        height, width = self._face_index.shape
        return _Camera(
            rotation,
            centre,
            view.distance,
            min(height, width) / (2 * head.half) * view.zoom,
            width * (0.5 + view.shift[0]),
            height * (0.5 + view.shift[1]),
        )

    def _project(self, vertices: FloatArray, follow: FloatArray, camera: _Camera) -> tuple[FloatArray, FloatArray]:
        in_camera, pixels = np.empty_like(vertices), np.empty_like(vertices)
        project(
            vertices, follow, camera.rotation, self.head.pivot, camera.centre, camera.distance, camera.scale,
            camera.column, camera.row, in_camera, pixels,
        )  # fmt: skip
        return in_camera, pixels

    def _share_of_rotation(self, base: FloatArray) -> FloatArray:
        chin = self.head.base[self.head.landmarks[8], 1]
        share = np.clip((base[:, 1] - chin) / NECK_LENGTH + 1, 0, 1)
        return (share * share * (3 - 2 * share)).astype(np.float32)

    def _turn_eyes(self, vertices: FloatArray, gaze: tuple[float, float]) -> None:
        if gaze == (0.0, 0.0):
            return
        rotation = rotation_matrix(gaze[0], gaze[1], 0.0)
        for members, from_mean in self._eyeballs:
            centre = vertices[members].mean(axis=0) + from_mean
            vertices[members] = (vertices[members] - centre) @ rotation.T + centre

    def _cast_shadow(self, in_camera: FloatArray, look: Look) -> Shadow:
        towards = look.light.direction[0]
        across = np.cross([0, 1, 0.01], towards)
        across /= np.linalg.norm(across)
        rotation = np.array([across, np.cross(towards, across), towards], np.float32)
        scale = SHADOW_SIZE / (2 * self.head.half * SHADOW_REACH)
        seen = in_camera @ rotation.T
        seen[:, 0] = seen[:, 0] * scale + SHADOW_SIZE / 2
        seen[:, 1] = seen[:, 1] * -scale + SHADOW_SIZE / 2
        self._shadow_depth.fill(FAR)
        rasterize(seen, self.head.faces, self._shadow_depth)
        return Shadow(rotation, scale, self._shadow_depth)

    def _maps(self, y: FloatArray, look: Look) -> Maps:
        t = self.head.textures
        strength = fold_strength(intensity_from_parameter(y[AU_SLICE]), look.fold_depth, look.folds_at_rest)
        return Maps(
            skin_a=t["skins"][look.skins[0]],
            skin_b=t["skins"][look.skins[1]],
            label=t["label"],
            beard=t["beard"],
            brow=_widened(t["brows"][int(np.argmax(y[BROW_SLICE]))], look.brow_widening),
            brow_at=t["brow_off"],
            folds=self._folds.compose(look.fold_variant, strength),
            folds_at=self._folds.at,
            fine=int(t["brow_scale"]) * len(t["label"]),
            pores=self._pores,
            eye=t["eyes"][look.eye],
            teeth=t["teeth"],
            mouth=t["tongue"],
        )

    def _make_cards(self, style: str | None) -> _Cards:
        head = self.head
        if style is None:
            nothing = np.zeros((1, 1), np.uint8)
            return _Cards(None, head.lash_faces, head.lash_uv, nothing, nothing.astype(np.float32), self._follow)
        hair = head.hair[style]
        alpha = np.ascontiguousarray(hair.texture[..., 3])
        luminance = hair.texture[..., :3] @ np.array([0.3, 0.6, 0.1], np.float32)
        luminance = np.minimum(luminance / luminance[alpha > 128].mean(), 2.2)
        own = np.empty_like(hair.offset)
        bind_cards(head.base, hair.offset, hair.index, hair.weight, own)
        return _Cards(
            hair,
            np.concatenate([head.lash_faces, hair.faces + len(head.base)]),
            np.concatenate([head.lash_uv, hair.uv]),
            alpha,
            luminance.astype(np.float32),
            np.concatenate([self._follow, self._share_of_rotation(own)]),
        )

    def _rasterize_cards(self, cards: _Cards, vertices: FloatArray, camera: _Camera) -> Callable[[Look], None]:
        """Put lashes and hair into the z-buffer; what is returned shades them."""
        head = self.head
        if cards.hair is not None:
            own = np.empty_like(cards.hair.offset)
            bind_cards(vertices, cards.hair.offset, cards.hair.index, cards.hair.weight, own)
            vertices = np.concatenate([vertices, own])
        in_camera, pixels = self._project(vertices, cards.follow, camera)
        first, lashes = len(head.faces), len(head.lash_faces)
        for start, stop, alpha in ((0, lashes, self._lash_alpha), (lashes, len(cards.faces), cards.alpha)):
            seen = Seen(self._face_index, self._weights, first + start)
            some = Cards(cards.uv[start:stop], alpha, CARD_BIAS)
            rasterize(pixels, cards.faces[start:stop], self._depth, seen, some)

        def draw(look: Look) -> None:
            normals = np.empty_like(in_camera)
            vertex_normals(in_camera, cards.faces, normals)
            shade_cards(
                self._face_index, self._weights, first, cards.faces, cards.uv, lashes, normals, cards.luminance,
                look.palette[HAIR_COLOUR], look.light, self._rgb, self._labels,
            )  # fmt: skip

        return draw

    def _draw_glasses(self, glasses: Glasses, vertices: FloatArray, camera: _Camera, look: Look) -> None:
        mesh = build_glasses(glasses, vertices[self.head.landmarks])
        in_camera, pixels = self._project(mesh.vertices, np.ones(len(mesh.vertices), np.float32), camera)
        band = np.array([np.cos(glasses.reflection_angle), np.sin(glasses.reflection_angle)], np.float32)
        draw_glasses(
            pixels, in_camera, mesh.frame, mesh.lens, mesh.lens_place, glasses.frame, glasses.tint,
            glasses.reflection, band, look.light, np.iinfo(np.int32).max, self._depth, self._face_index,
            self._rgb, self._labels,
        )  # fmt: skip


def _eyeball(head: Head, label: int) -> tuple[NDArray[np.int64], FloatArray]:
    """Vertices of an eyeball and where its centre lies from their mean (least-squares sphere)."""
    members = np.unique(head.faces[(head.material == EYE) & (head.label == label)])
    points = head.base[members].astype(np.float64)
    system = np.concatenate([2 * points, np.ones((len(points), 1))], axis=1)
    solution = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0]
    return members, (solution[:3] - points.mean(axis=0)).astype(np.float32)


def _pores(size: int = 256) -> NDArray[np.int8]:
    """Tileable grain of skin in two scales, (size, size), mean 0."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    total = np.zeros((size, size))
    for scale in (1.2, 5.0):
        noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(size, size))) * np.exp(-((frequency * scale * 4) ** 2))).real
        total += noise / noise.std()
    return np.clip(total * 40, -127, 127).astype(np.int8)


def _widened(brow: NDArray[np.uint8], texels: int) -> NDArray[np.uint8]:
    """A brow's opacity (h, w), wider on all sides."""
    if texels == 0:
        return brow
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * texels + 1, 2 * texels + 1))
    return cv2.GaussianBlur(cv2.dilate(brow, around), (0, 0), texels / 2).astype(np.uint8, copy=False)
