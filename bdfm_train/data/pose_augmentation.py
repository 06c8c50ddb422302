# SPDX-License-Identifier: MIT
"""Photos turned to other views (paper, section 3.1), by our own 3D head in place of HPEN.

The head is fitted to the photo's landmarks and takes its texture from it. It is then drawn in another pose: what the
photo does not show comes from the other side of the face, or grows in from around it. What lies around the head (hair,
shoulders, background) follows the head's outline, the less the farther it is away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bdfm_train.face_model.head import Head
from bdfm_train.face_model.landmark_fit import DISTANCE, LandmarkFit, LandmarkFitter, photo_points
from bdfm_train.face_model.raster import FAR, Seen, project, rasterize, vertex_normals
from bdfm_train.face_model.render import rotation_matrix

from .photos import Photo

FloatArray = NDArray[np.float32]
Floats = NDArray[np.float64]

_REACH: Final = 0.3
"""Model units around a landmark within which the surface follows what the fit leaves."""
_RIDGE: Final = 0.02
_HIDDEN: Final = 4e-4
"""Difference of reciprocal depth from which a vertex lies behind another surface."""
_SEEN: Final = (0.15, 0.4)
"""Pixels of the photo for a pixel of the turned picture along the surface: below the first nothing is taken from the
photo, from the second on all."""
_RIM: Final = 2.0
"""Pixels from the face's outline inwards over which the photo's texture is trusted less and less."""
_SEAM: Final = 1.5
"""Pixels over which the two sides of the face fade into each other."""
_RELIT: Final = 0.4
"""Logarithm of the most that the mirrored side is lightened or darkened by."""
_JUMP: Final = 6.0
"""Pixels of the photo between neighbours in the turned picture from which an edge is seen there."""
_DARK: Final = 16.0
"""Grey value below which two sides are not compared."""
_RELAXATIONS: Final = 40
_DIRECTIONS: Final = 72
"""In which the outline of the head is measured."""
_BELOW_CHIN: Final = 0.1
"""Model units below the chin where the surface ends; the neck counts as surroundings."""


@dataclass(frozen=True)
class TurnedPhoto:
    """A photo in another pose.

    Attributes:
        photo: its picture, landmarks and outline; nothing is known of its action units by eye.
        yaw, pitch: of the head, degrees, not limited to 60.
    """

    photo: Photo
    yaw: float
    pitch: float


@dataclass(frozen=True)
class _Surface:
    """A fitted head in one view.

    Attributes:
        vertices: (V, 3) camera's axes about the head's centre.
        pixels: (V, 3) column, row, reciprocal distance; edges of pixels at whole numbers.
        facing: (V,) cosine between the normal and the way to the camera.
        face_index, weights: as in :class:`bdfm_train.face_model.raster.Seen`.
        depth: (H, W).
    """

    vertices: FloatArray
    pixels: FloatArray
    facing: FloatArray
    face_index: NDArray[np.int32]
    weights: FloatArray
    depth: FloatArray

    def at_pixels(self, values: FloatArray, faces: NDArray[np.int32]) -> FloatArray:
        """Values (V, C) of vertices at each pixel (H, W, C); where there is no surface, those of triangle 0."""
        corners = values[faces[np.maximum(self.face_index, 0)]]
        w1, w2 = self.weights[..., :1], self.weights[..., 1:]
        return (1 - w1 - w2) * corners[..., 0, :] + w1 * corners[..., 1, :] + w2 * corners[..., 2, :]


class PoseAugmenter:
    """Turns photos.

    Args:
        head: what is fitted to them.
    """

    def __init__(self, head: Head) -> None:
        self.head = head
        self.fitter = LandmarkFitter(head, photo_points(head))
        self._mirrored = cKDTree(head.base).query(head.base * [-1, 1, 1])[1]
        lowest = head.base[head.landmarks[8], 1] - _BELOW_CHIN
        self._faces = head.faces[head.base[head.faces, 1].min(1) > lowest]
        self._drawn = np.unique(self._faces)

    def turn(self, photo: Photo, fit: LandmarkFit, yaw: float, pitch: float) -> TurnedPhoto:
        """The photo with its head turned further.

        Args:
            photo: uint8 (h, w) or (h, w, 3).
            fit: of ``self.fitter`` to its landmarks.
            yaw, pitch: degrees to add, signs of :mod:`bdfm_infer.parameters`. Beyond about 45 little of the face is
                the photo's own.
        """
        image = photo.image
        vertices, left_over = self._fitted(photo, fit)
        source = self._draw(vertices, np.eye(3, dtype=np.float32), fit, image.shape[:2])
        old = fit.camera.rotation
        turn = rotation_matrix(old[0] + yaw, old[1] + pitch, old[2]) @ rotation_matrix(*old).T
        target = self._draw(vertices, turn, fit, image.shape[:2])

        picture = _soften_edges(*self._picture(photo, source, target)).reshape(image.shape)
        landmarks = target.pixels[self.fitter.points, :2] - 0.5 + left_over
        seen = self._drawn[source.facing[self._drawn] > 0.1]
        nearest = seen[cKDTree(source.pixels[seen, :2] - 0.5).query(photo.oval)[1]]
        oval = photo.oval + target.pixels[nearest, :2] - source.pixels[nearest, :2]
        turned = Photo(photo.name, picture, landmarks.astype(np.float32), oval.astype(np.float32))
        return TurnedPhoto(turned, old[0] + yaw, old[1] + pitch)

    def _fitted(self, photo: Photo, fit: LandmarkFit) -> tuple[FloatArray, Floats]:
        """Vertices (V, 3) moved so that the landmarks fall where the photo has them; what is left, (68, 2) pixels."""
        vertices = self.fitter.vertices(fit)
        anchors = vertices[self.fitter.points]
        missing = photo.landmarks - fit.camera.project(anchors)
        moves = missing * [1, -1] / (fit.camera.scale * DISTANCE / (DISTANCE - anchors[:, 2:]))
        among = _kernel(anchors, anchors)
        among[np.diag_indices(len(among))] += _RIDGE
        vertices[:, :2] += _kernel(vertices, anchors) @ np.linalg.solve(among, moves)
        left_over = photo.landmarks - fit.camera.project(vertices[self.fitter.points])
        return vertices.astype(np.float32), left_over

    def _draw(self, vertices: FloatArray, turn: FloatArray, fit: LandmarkFit, shape: tuple[int, ...]) -> _Surface:
        camera = fit.camera
        pivot = rotation_matrix(*camera.rotation) @ (self.head.pivot - self.head.centre)
        turned, pixels, normals = (np.empty_like(vertices) for _ in range(3))
        project(
            vertices, np.ones(len(vertices), np.float32), turn, pivot, np.zeros(3, np.float32), DISTANCE, camera.scale,
            camera.place[0] + 0.5, camera.place[1] + 0.5, turned, pixels,
        )  # fmt: skip
        vertex_normals(turned, self._faces, normals)
        towards = np.array([0, 0, DISTANCE], np.float32) - turned
        facing = (normals * towards).sum(1) / np.linalg.norm(towards, axis=1)
        depth = np.full(shape, FAR)
        seen = Seen(np.full(shape, -1, np.int32), np.zeros((*shape, 2), np.float32))
        rasterize(pixels, self._faces, depth, seen)
        return _Surface(turned, pixels, facing, seen.face_index, seen.weights, depth)

    def _picture(self, photo: Photo, source: _Surface, target: _Surface) -> tuple[FloatArray, FloatArray]:
        """The turned picture (h, w, c) and where each pixel comes from, (h, w, 2) columns and rows."""
        image, shape = photo.image, photo.image.shape[:2]
        low, high = _SEEN
        ratio = np.clip((source.facing / np.maximum(target.facing, 0.05) - low) / (high - low), 0, 1)
        ratio[source.facing >= target.facing] = 1
        places = np.column_stack([source.pixels - [0.5, 0.5, 0], ratio]).astype(np.float32)
        at = target.at_pixels(np.column_stack([places, places[self._mirrored]]), self._faces)
        covered = (target.face_index >= 0).astype(np.float32)
        face = _inside(photo.oval, shape)
        seen, mirrored = (_sight(at[..., i : i + 4], source.depth) * covered for i in (0, 4))
        own = seen * _sample(face, at[..., :2])[..., 0]

        grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape[::-1])), axis=2)
        around, outside = _surroundings(source.pixels[self._drawn], target.pixels[self._drawn], grid)
        outside &= target.face_index < 0
        known = np.where(outside, np.float32(1), own)
        moves = np.where(outside[..., None], around, at[..., :2]) - grid
        origin = grid + _relax(moves, known)
        picture, other = _sample(image, origin), _sample(image, at[..., 4:6])
        share = cv2.GaussianBlur(np.clip(mirrored - seen, 0, 1), (0, 0), _SEAM)[..., None]
        other *= _relight(picture, other, own * mirrored)
        return picture * (1 - share) + other * share, origin


def _sight(places: FloatArray, depth: FloatArray) -> FloatArray:
    """How well the photo shows what each pixel of the turned picture needs, (h, w) 0..1.

    Args:
        places: (h, w, 4) column and row in the photo, reciprocal distance, and how well it faces the camera there.
        depth: (h, w) reciprocal distance of what the photo shows.
    """
    at = np.ascontiguousarray(places[..., :2])
    front = cv2.remap(depth, at, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=1e9)
    return (places[..., 2] > front - _HIDDEN) * places[..., 3]


def _inside(oval: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """1 within the outline of the face, falling to 0 at its edge. (h, w) float32."""
    mask = np.zeros(shape, np.float32)
    cv2.fillPoly(mask, [np.round(oval).astype(np.int32)], 1.0)
    return np.clip(cv2.GaussianBlur(mask, (0, 0), _RIM) * 2 - 1, 0, 1)


def _surroundings(source: FloatArray, target: FloatArray, grid: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Where in the photo what lies around the head comes from, (h, w, 2), and which pixels lie around it, (h, w)."""
    centre, before = _outline(source)
    new_centre, after = _outline(target)
    x, y = np.moveaxis(grid + 0.5 - new_centre, 2, 0)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    r_before, r_after = (_around(r, angle) for r in (before, after))
    beyond = np.clip((radius - r_after) / before.mean(), 0, 1)
    share = (1 - beyond * beyond * (3 - 2 * beyond))[..., None]
    reach = radius + r_before - r_after
    moved = np.stack([np.cos(angle), np.sin(angle)], axis=2) * reach[..., None] + centre - 0.5
    return (share * moved + (1 - share) * grid).astype(np.float32), radius > r_after


def _sample(image: NDArray, places: FloatArray) -> FloatArray:
    """Values (h, w, c) float32 of an image at places (h, w, 2); outside of it those of its border."""
    values = cv2.remap(image, np.ascontiguousarray(places), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.atleast_3d(values).astype(np.float32)


def _soften_edges(picture: FloatArray, origin: FloatArray) -> NDArray[np.uint8]:
    """Blur the picture a little where its origin jumps: there one surface hides another."""
    kernel = np.ones((3, 3), np.uint8)
    jump = (cv2.dilate(origin, kernel) - cv2.erode(origin, kernel)).max(2)
    edge = cv2.GaussianBlur((jump > _JUMP).astype(np.float32), (0, 0), 0.8)[..., None]
    blurred = np.atleast_3d(cv2.GaussianBlur(picture, (0, 0), 0.9))
    return np.clip(picture * (1 - edge) + blurred * edge + 0.5, 0, 255).astype(np.uint8)


def _relight(own: FloatArray, mirrored: FloatArray, both: FloatArray) -> FloatArray:
    """Factor (h, w, 1) that gives the mirrored side the light of the own side, from where ``both`` are known."""
    ratio = np.log((own.mean(2) + _DARK) / (mirrored.mean(2) + _DARK))
    smooth = cv2.GaussianBlur(_grow(ratio[..., None], both)[..., 0], (0, 0), own.shape[1] / 20)
    return np.exp(np.clip(smooth, -_RELIT, _RELIT))[..., None]


def _kernel(a: Floats, b: Floats) -> Floats:
    return np.exp(-((a[:, None] - b) ** 2).sum(2) / (2 * _REACH**2))


def _outline(pixels: FloatArray) -> tuple[Floats, Floats]:
    """Middle of the head (2,) and its outline's distance from there in :data:`_DIRECTIONS` directions."""
    points = pixels[:, :2].astype(np.float64)
    centre = (points.min(0) + points.max(0)) / 2
    x, y = (points - centre).T
    bins = np.floor((np.arctan2(y, x) / (2 * np.pi) + 0.5) * _DIRECTIONS).astype(int) % _DIRECTIONS
    radius = np.zeros(_DIRECTIONS)
    np.maximum.at(radius, bins, np.hypot(x, y))
    return centre, (np.roll(radius, 1) + 2 * radius + np.roll(radius, -1)) / 4


def _around(radius: Floats, angle: Floats) -> Floats:
    """An outline's distance at angles of any shape."""
    at = (angle / (2 * np.pi) + 0.5) * _DIRECTIONS - 0.5
    return np.interp(at, np.arange(-1, _DIRECTIONS + 1), np.concatenate([radius[-1:], radius, radius[:1]]))


def _relax(moves: FloatArray, known: FloatArray) -> FloatArray:
    """Moves (h, w, 2), where they are not known the smooth ones between those around."""
    filled = _grow(moves, known)
    for _ in range(_RELAXATIONS):
        filled = moves * known[..., None] + cv2.blur(filled, (9, 9)) * (1 - known[..., None])
    return filled


def _grow(image: FloatArray, known: FloatArray) -> FloatArray:
    """Fill what is not known from around it, coarser the farther away. Image (h, w, c), known (h, w) 0..1."""
    weight = known[..., None].astype(np.float32)
    if min(known.shape) <= 2:
        return image
    height, width = known.shape
    half = (width + 1) // 2, (height + 1) // 2
    small_weight = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)[..., None]
    small = cv2.resize(image * weight, half, interpolation=cv2.INTER_AREA).reshape(*small_weight.shape[:2], -1)
    coarse = _grow(small / np.maximum(small_weight, 1e-4), np.minimum(small_weight[..., 0] * 4, 1))
    coarse = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(image.shape)
    return image * weight + coarse * (1 - weight)
