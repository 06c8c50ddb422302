# SPDX-License-Identifier: GPL-3.0-or-later
"""From seconds in a take to whole frames of a scene. Rows of a take are never taken for frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bdfm_infer.take import Take

from .errors import TimingError

FloatArray = NDArray[np.float64]

SNAP: Final = 1e-3
"""Frames; time stamps are rounded, so that a sample this near to a whole frame lies on it."""


@dataclass(frozen=True)
class SceneTime:
    """The time of a scene: ``frame = start + seconds * fps / fps_base``.

    Attributes:
        fps, fps_base: as in Blender's output settings (24 / 1.001 is 23.976).
        start: the frame of second 0.

    Raises:
        TimingError: the rate is not a positive number.
    """

    fps: float
    fps_base: float = 1.0
    start: float = 1.0

    def __post_init__(self) -> None:
        if not (all(map(math.isfinite, (self.fps, self.fps_base, self.start))) and self.fps > 0 and self.fps_base > 0):
            raise TimingError(
                f"The scene's frame rate, {self.fps:g} / {self.fps_base:g}, is not a positive number. Set it again."
            )

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.fps / self.fps_base

    def frames(self, seconds: ArrayLike) -> FloatArray:
        """Scene frames, with their fraction, of times in the take. Any shape."""
        return self.start + np.asarray(seconds, np.float64) * self.rate

    def seconds(self, frames: ArrayLike) -> FloatArray:
        """Inverse of :meth:`frames`."""
        return (np.asarray(frames, np.float64) - self.start) / self.rate


@dataclass(frozen=True)
class Keys:
    """Where keyframes go.

    Attributes:
        frames: (m,) int64, ascending whole frames of the scene.
        values: (m, k) float64, finite.
        gap_starts: (m,) bool; after such a key the face is lost, and no key stands until the next find.
    """

    frames: NDArray[np.int64]
    values: FloatArray
    gap_starts: NDArray[np.bool_]


def take_values(take: Take) -> FloatArray:
    """(n, 26): the 23 action units, then yaw, pitch and roll in degrees, as ``mapping.SOURCES``; NaN without a face."""
    return np.concatenate([take.action_units, take.rotation], axis=1)


def resample(timestamps: ArrayLike, values: ArrayLike, time: SceneTime) -> Keys:
    """Values at the whole frames of a scene, interpolated linearly in time.

    Between the last sample before the face is lost and the first after it there are no keys. A stretch between two
    whole frames gets one key, at the nearest. Samples that do not lie after the one before them are left out.

    Args:
        timestamps: (n,) seconds.
        values: (n, k); a row with a NaN is one without a face.
        time: of the scene.

    Raises:
        TimingError: no row holds a face.
    """
    values = np.asarray(values, np.float64)
    at = time.frames(timestamps)
    whole = np.rint(at)
    at = np.where(np.abs(at - whole) < SNAP, whole, at)
    found = np.isfinite(at) & np.isfinite(values).all(axis=1)
    before = np.fmax.accumulate(np.concatenate([[-np.inf], at[:-1]]))
    with np.errstate(invalid="ignore"):
        in_order = at > before
    stretches = _stretches(found[in_order], at[in_order], values[in_order])
    if not stretches:
        raise TimingError("The take holds no frame with a face, so there is nothing to bake. Capture another source.")
    frames, first = np.unique(np.concatenate([_whole_frames(where) for where, _ in stretches]), return_index=True)
    rows = np.concatenate([_interpolate(_whole_frames(where), where, what) for where, what in stretches])
    return Keys(frames, rows[first], np.append(np.diff(frames) > 1, False))


def _stretches(found: NDArray[np.bool_], at: FloatArray, values: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """Runs of neighbouring samples with a face: their places in frames, and their values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], found, [False]]).astype(np.int8)))
    return [(at[a:b], values[a:b]) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _whole_frames(where: FloatArray) -> NDArray[np.int64]:
    first, last = math.ceil(where[0]), math.floor(where[-1])
    return np.arange(first, last + 1) if first <= last else np.array([round(float(where.mean()))])


def _interpolate(frames: NDArray[np.int64], where: FloatArray, what: FloatArray) -> FloatArray:
    return np.stack([np.interp(frames, where, column) for column in what.T], axis=1)
