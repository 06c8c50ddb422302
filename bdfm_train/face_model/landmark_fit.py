# SPDX-License-Identifier: MIT
"""A head fitted to the 68 landmarks of a picture: identity, action units, rotation and camera by least squares.

Gauss-Newton on the distances of the landmarks with the sampler's prior over identities (``data/identity_prior.toml``)
and a prior that prefers a face at rest. What one picture leaves open (depth, identity against action units) the priors
decide.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.alignment import MIRRORED_LANDMARK
from bdfm_infer.parameters import (
    AU_SLICE,
    IDENTITY_SLICE,
    N_AU,
    N_IDENTITY,
    POSE_SLICE,
    base_face,
    intensity_from_parameter,
    parameter_from_degrees,
    parameter_from_intensity,
)
from bdfm_train.errors import FitError

from .head import JAW, Head, Offsets
from .identity_prior import identity_mix
from .labels import SKIN
from .raster import vertex_normals
from .render import rotation_matrix

_DATA: Final = Path(__file__).parent / "data"
_PHOTO: Final[dict[str, Any]] = tomllib.loads((_DATA / "photo_landmarks.toml").read_text(encoding="utf-8"))
DISTANCE: Final = 12.0
"""From the camera to the head's centre, model units (about 100 mm): one picture does not tell it."""
REST: Final = 0.35
"""Deviation of an action unit's intensity from rest that costs as much as one deviation of an identity parameter."""
_RIGID_STEPS: Final = 8
_STEPS: Final = 15
_N_CAMERA: Final = 6
_DEPTH_SHARE: Final = 0.35
"""How much depth counts beside width and height where the surface below a photo's landmark is looked for."""
_TURN: Final = 0.1
"""Degrees by which the derivative of the rotation is taken."""

PRECISION: Final = np.full(68, 0.02)
"""Deviation of each landmark, share of the distance between the eyes of a face of that size."""
PRECISION[:17] = 0.06
PRECISION[17:27] = 0.03

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """How the head stands before a pinhole camera.

    Attributes:
        rotation: yaw, pitch, roll in degrees, signs of :mod:`bdfm_infer.parameters`.
        scale: pixels per model unit at the head's centre.
        place: (2,) where the head's centre falls, pixels (column, row; centres of pixels at whole numbers).
    """

    rotation: tuple[float, float, float]
    scale: float
    place: tuple[float, float]

    def project(self, points: NDArray[np.floating]) -> Floats:
        """Points (..., 3), in the camera's axes about the head's centre, to pixels (..., 2)."""
        factor = self.scale * DISTANCE / (DISTANCE - points[..., 2:])
        return factor * points[..., :2] * [1, -1] + self.place


@dataclass(frozen=True)
class LandmarkFit:
    """A fitted head.

    Attributes:
        parameters: (269,); yaw and pitch saturate at 60 degrees, the camera's do not.
        camera: where it stands.
        error: mean distance of the landmarks, share of the distance between the eyes.
    """

    parameters: NDArray[np.float32]
    camera: Camera
    error: float


@dataclass
class _State:
    """latent: (209,) identity in deviations of the prior. intensity: (23,)."""

    camera: Camera
    latent: Floats = field(default_factory=lambda: np.zeros(N_IDENTITY + 1))
    intensity: Floats = field(default_factory=lambda: np.zeros(N_AU))


class LandmarkFitter:
    """Fits one head to landmarks.

    Args:
        head: whose shapes are used; its identity groups need a spread in the prior.
        points: (68,) the vertices that the landmarks show, the head's own by default.
    """

    def __init__(self, head: Head, points: NDArray[np.int32] | None = None) -> None:
        self.head = head
        self.points = points = head.landmarks if points is None else points
        self._base = (head.base[points] - head.centre).astype(np.float64)
        self._up, self._down = (_fields_at(field, points) for field in (head.identity_up, head.identity_down))
        self._units = _fields_at(head.action_units, points)
        self._jaw = np.concatenate([np.zeros((1, len(points), 3)), _fields_at(head.jaw, points)])
        self._mix = identity_mix(head)
        self._eye_distance = float(np.linalg.norm(_eye_centres(self._base)[1] - _eye_centres(self._base)[0]))
        self._spread = _spread(self._base[:, :2])

    def fit(self, landmarks: NDArray[np.floating]) -> LandmarkFit:
        """The head with landmarks (68, 2), pixels, iBUG order.

        Raises:
            FitError: the points are not finite or all the same.
        """
        target = np.asarray(landmarks, np.float64)
        if target.shape != (68, 2) or not np.isfinite(target).all() or _spread(target) < 1e-3:
            raise FitError("A head is fitted to 68 landmarks in pixels; these are not finite or all in one place.")
        state = self._start(target)
        size = self._eye_distance * state.camera.scale
        for step in range(_RIGID_STEPS + _STEPS):
            state = self._improve(state, target, PRECISION * size, rigid=step < _RIGID_STEPS)
        found = state.camera.project(self._points(state) @ rotation_matrix(*state.camera.rotation).T)
        error = float(np.linalg.norm(found - target, axis=1).mean() / (self._eye_distance * state.camera.scale))
        return LandmarkFit(self._parameters(state), state.camera, error)

    def vertices(self, fit: LandmarkFit, parameters: NDArray[np.float32] | None = None) -> Floats:
        """Vertices (V, 3) of a fitted head in the camera's axes about the head's centre; other parameters if given."""
        shape = self.head.vertices(fit.parameters if parameters is None else parameters) - self.head.centre
        return shape.astype(np.float64) @ rotation_matrix(*fit.camera.rotation).T.astype(np.float64)

    def landmarks(self, fit: LandmarkFit, intensities: NDArray[np.floating] | None = None) -> Floats:
        """Where the landmarks of a fitted head fall, (68, 2) pixels; with other intensities (23,) if given."""
        y = fit.parameters.copy()
        if intensities is not None:
            y[AU_SLICE] = parameter_from_intensity(intensities)
        return fit.camera.project(self.vertices(fit, y)[self.points])

    def _start(self, target: Floats) -> _State:
        right, left = _eye_centres(target)
        roll = float(np.degrees(np.arctan2(left[1] - right[1], left[0] - right[0])))
        scale = _spread(target) / self._spread
        camera = Camera((0.0, 0.0, roll), scale, (0.0, 0.0))
        place = (target - camera.project(self._base @ rotation_matrix(0.0, 0.0, roll).T)).mean(0)
        return _State(replace(camera, place=(float(place[0]), float(place[1]))))

    def _improve(self, state: _State, target: Floats, deviation: Floats, rigid: bool) -> _State:
        """One step of Gauss-Newton; intensities stay within 0..1, those that push against a bound rest there."""
        points, camera = self._points(state), state.camera
        found = camera.project(points @ rotation_matrix(*camera.rotation).T)
        residual = ((found - target) / deviation[:, None]).ravel()
        jacobian = self._camera_jacobian(points, camera)
        if not rigid:
            jacobian = np.concatenate([jacobian, self._shape_jacobian(state, points)])
        jacobian = (jacobian / deviation[:, None]).reshape(len(jacobian), -1).T
        hessian, gradient = jacobian.T @ jacobian, jacobian.T @ residual
        hessian[np.diag_indices(_N_CAMERA)] *= 1.0 + 1e-6
        free = np.ones(len(gradient), bool)
        if not rigid:
            shape = np.concatenate([state.latent, state.intensity / REST])
            precision = np.concatenate([np.ones(len(state.latent)), np.full(N_AU, REST**-2)])
            hessian[np.arange(_N_CAMERA, len(free)), np.arange(_N_CAMERA, len(free))] += precision
            gradient[_N_CAMERA:] += shape * np.sqrt(precision)
            slope, a = gradient[-N_AU:], state.intensity
            free[-N_AU:] = ~(((a <= 0) & (slope > 0)) | ((a >= 1) & (slope < 0)))
        step = np.zeros(len(gradient))
        step[free] = -np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        moved = _State(_moved(camera, step[:_N_CAMERA]), state.latent, state.intensity)
        if not rigid:
            moved.latent = state.latent + step[_N_CAMERA:-N_AU]
            moved.intensity = np.clip(state.intensity + step[-N_AU:], 0, 1)
        return moved

    def _points(self, state: _State) -> Floats:
        """Landmarks (68, 3) about the head's centre, before the head turns."""
        t = np.clip(self._mix @ state.latent, -1, 1)
        identity = np.tensordot(np.maximum(t, 0), self._up, 1) + np.tensordot(np.maximum(-t, 0), self._down, 1)
        k, rest = self._jaw_step(state)
        jaw = (1 - rest) * self._jaw[k] + rest * self._jaw[k + 1]
        return self._base + identity + np.tensordot(state.intensity, self._units, 1) + jaw

    def _shape_jacobian(self, state: _State, points: Floats) -> Floats:
        """Derivative (209 + 23, 68, 2) of the pixels."""
        t = self._mix @ state.latent
        fields = np.where((t > 0)[:, None, None], self._up, -self._down) * (np.abs(t) < 1)[:, None, None]
        units = self._units.copy()
        k, _ = self._jaw_step(state)
        units[JAW] += (self._jaw[k + 1] - self._jaw[k]) * (len(self._jaw) - 1)
        moves = np.concatenate([np.tensordot(self._mix.T, fields, 1), units])
        rotation = rotation_matrix(*state.camera.rotation).T.astype(np.float64)
        return _pixel_moves(points @ rotation, moves @ rotation, state.camera)

    def _camera_jacobian(self, points: Floats, camera: Camera) -> Floats:
        """Derivative (6, 68, 2) of the pixels by yaw, pitch, roll in degrees, logarithm of the scale, column, row."""
        pixels = camera.project(points @ rotation_matrix(*camera.rotation).T)
        rows = []
        for axis in np.eye(3) * _TURN:
            turned = rotation_matrix(*(np.array(camera.rotation) + axis))
            rows.append((camera.project(points @ turned.T) - pixels) / _TURN)
        return np.stack([*rows, pixels - camera.place, *(np.broadcast_to(e, pixels.shape) for e in np.eye(2))])

    def _jaw_step(self, state: _State) -> tuple[int, float]:
        steps = len(self._jaw) - 1
        at = float(state.intensity[JAW]) * steps
        k = min(int(at), steps - 1)
        return k, at - k

    def _parameters(self, state: _State) -> NDArray[np.float32]:
        y = base_face()
        y[POSE_SLICE] = parameter_from_degrees(state.camera.rotation[:2])
        y[AU_SLICE] = parameter_from_intensity(state.intensity)
        y[IDENTITY_SLICE] = 0.5 + 0.5 * np.clip(self._mix @ state.latent, -1, 1)
        return y


def photo_points(head: Head) -> NDArray[np.int32]:
    """The vertices (68,) of a head that the landmarks of the photos show (``data/photo_landmarks.toml``)."""
    normals = np.empty_like(head.base)
    vertex_normals(head.base, head.faces, normals)
    skin = np.unique(head.faces[head.material == SKIN])
    skin = skin[normals[skin, 2] > 0]
    right, left = _eye_centres(head.base[head.landmarks].astype(np.float64))
    unit = float(np.linalg.norm(left - right)) / 100
    points = head.landmarks.copy()
    for number, (outwards, up) in _PHOTO["offset"].items():
        for landmark in (int(number), int(MIRRORED_LANDMARK[int(number)])):
            place = head.base[head.landmarks[landmark]].astype(np.float64)
            place += np.array([np.sign(place[0]) * outwards, up, 0]) * unit
            away = (head.base[skin] - place) * [1, 1, _DEPTH_SHARE]
            points[landmark] = skin[(away**2).sum(1).argmin()]
    return points


def intensities_of(fit: LandmarkFit) -> NDArray[np.float32]:
    """Action units of a fitted head, (23,) in 0..1."""
    return intensity_from_parameter(fit.parameters[AU_SLICE])


def _fields_at(offsets: Offsets, points: NDArray[np.int32]) -> Floats:
    """Sparse fields as dense ones (K, n, 3) at some vertices."""
    dense = np.zeros((len(offsets), len(points), 3))
    for k in range(len(offsets)):
        part = slice(offsets.pointer[k], offsets.pointer[k + 1])
        for n, vertex in enumerate(points):
            dense[k, n] = offsets.value[part][offsets.index[part] == vertex].sum(0)
    return dense


def _pixel_moves(points: Floats, moves: Floats, camera: Camera) -> Floats:
    """How pixels move (..., n, 2) where points (n, 3) in the camera's axes move by (..., n, 3)."""
    near = DISTANCE / (DISTANCE - points[:, 2:])
    flat = moves[..., :2] + points[:, :2] * near / DISTANCE * moves[..., 2:]
    return np.array([1.0, -1.0]) * camera.scale * near * flat


def _moved(camera: Camera, step: Floats) -> Camera:
    turn = np.clip(step[:3], -20, 20)
    yaw, pitch, roll = np.array(camera.rotation) + turn
    scale = camera.scale * float(np.exp(np.clip(step[3], -0.5, 0.5)))
    place = camera.place[0] + float(step[4]), camera.place[1] + float(step[5])
    return Camera((float(yaw), float(pitch), float(roll)), scale, place)


def _eye_centres(points: Floats) -> tuple[Floats, Floats]:
    return points[36:42].mean(0), points[42:48].mean(0)


def _spread(points: Floats) -> float:
    return float(np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean()))
