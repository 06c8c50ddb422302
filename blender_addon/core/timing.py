# SPDX-License-Identifier: GPL-3.0-or-later
"""From seconds in a take to whole frames of a scene. Rows of a take are never taken for frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import TimingError

FloatArray = NDArray[np.float64]

SNAP: Final = 1e-3
"""Frames; time stamps are rounded, so that a sample this near to a whole frame lies on it."""

MAX_FRAME: Final = 1_048_574
"""Where Blender's timeline ends, to either side."""

HOLD: Final = 0.85
"""Share of a gap for which the last pose is held; the rest leads softly into the next find."""


@dataclass(frozen=True)
class SceneTime:
    """The time of a scene: ``frame = start + seconds * fps / fps_base / speed``.

    Attributes:
        fps, fps_base: as in Blender's output settings (24 / 1.001 is 23.976).
        start: the frame of second 0.
        speed: of the take; at 0.5 it takes twice as long as in the video.

    Raises:
        TimingError: the rate or the speed is not a positive number.
    """

    fps: float
    fps_base: float = 1.0
    start: float = 1.0
    speed: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.speed) and self.speed > 0):
            raise TimingError(
                "The speed of the take, {speed:g}, is not a positive number. Set it again.", speed=self.speed
            )
        if not (all(map(math.isfinite, (self.fps, self.fps_base, self.start))) and self.fps > 0 and self.fps_base > 0):
            raise TimingError(
                "The scene's frame rate, {rate:g} / {base:g}, is not a positive number. Set it again.",
                rate=self.fps,
                base=self.fps_base,
            )

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.fps / self.fps_base

    def frames(self, seconds: ArrayLike) -> FloatArray:
        """Scene frames, with their fraction, of times in the take. Any shape."""
        return self.start + np.asarray(seconds, np.float64) * (self.rate / self.speed)

    def seconds(self, frames: ArrayLike) -> FloatArray:
        """Inverse of :meth:`frames`."""
        return (np.asarray(frames, np.float64) - self.start) * (self.speed / self.rate)


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

    def within(self, first: int | None, last: int | None) -> Keys:
        """The keys from frame ``first`` to ``last``, both included; None is no limit.

        Raises:
            TimingError: there are none.
        """
        low, high = -math.inf if first is None else first, math.inf if last is None else last
        kept = (self.frames >= low) & (self.frames <= high)
        if not kept.any():
            raise TimingError(
                "The take goes from frame {first} to {last}, and nothing of it lies in the range to be baked. Change "
                "the frame range, or the start frame.",
                first=self.frames[0],
                last=self.frames[-1],
            )
        return _keys(self.frames[kept], self.values[kept])

    def filled(self) -> Keys:
        """Keys at every frame: across a gap the pose is held, then eased into the next, as an F-curve would."""
        frames = np.arange(self.frames[0], self.frames[-1] + 1)
        return _keys(frames, between(self.values, *self.around(frames)))

    def around(self, frames: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
        """How F-curves with these keys go through any frames (m,), which need not be whole.

        Neighbouring frames are joined by straight lines; across a gap the last find is held, then eased into the next.
        Before the first key and after the last there is that key alone.

        Returns:
            (m,) numbers of the key before each frame and of the one after it, and (m,) how much of the second is seen,
            0 to 1; the rest is of the first.
        """
        at = np.clip(np.asarray(frames, np.float64), self.frames[0], self.frames[-1])
        before = np.searchsorted(self.frames, at, side="right") - 1
        after = np.minimum(before + 1, len(self.frames) - 1)
        share = (at - self.frames[before]) / np.maximum(self.frames[after] - self.frames[before], 1)
        return before, after, np.where(self.gap_starts[before], _ease(share), share)


def between(values: FloatArray, before: NDArray[np.int64], after: NDArray[np.int64], share: FloatArray) -> FloatArray:
    """Weighted means (m, k) of rows of ``values`` (n, k): their numbers (m,) and the share (m,) of the second."""
    second: FloatArray = share[:, None]
    return values[before] * (1 - second) + values[after] * second


def resample(timestamps: ArrayLike, values: ArrayLike, time: SceneTime) -> Keys:
    """Values at the whole frames of a scene, interpolated linearly in time.

    Between the last sample before the face is lost and the first after it there are no keys. A stretch between two
    whole frames gets one key, at the nearest. Samples that do not lie after the one before them are left out.

    Args:
        timestamps: (n,) seconds.
        values: (n, k); a row with a NaN is one without a face.
        time: of the scene.

    Raises:
        TimingError: no row holds a face, or one lies where Blender has no frames.
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
    reach = max(np.abs(where).max() for where, _ in stretches)
    if reach > MAX_FRAME:
        raise TimingError(
            "The take would reach frame {frame:.0f}, and Blender's timeline ends at {last}. Check the start frame, "
            "the speed, and the times in the take.",
            frame=reach,
            last=MAX_FRAME,
        )
    frames, first = np.unique(np.concatenate([_whole_frames(where) for where, _ in stretches]), return_index=True)
    rows = np.concatenate([_interpolate(_whole_frames(where), where, what) for where, what in stretches])
    return _keys(frames, rows[first])


def _keys(frames: NDArray[np.int64], values: FloatArray) -> Keys:
    return Keys(frames, values, np.append(np.diff(frames) > 1, False))


def _ease(share: FloatArray) -> FloatArray:
    """Height of the Bezier curve (0, 0), (HOLD, 0), (HOLD, 1), (1, 1) above each ``share`` of the way, 0 to 1."""
    s = np.linspace(0, 1, 513)
    along, height = 3 * s * (1 - s) * HOLD + s**3, s * s * (3 - 2 * s)
    return np.interp(share, along, height)


def _stretches(found: NDArray[np.bool_], at: FloatArray, values: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """Runs of neighbouring samples with a face: their places in frames, and their values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], found, [False]]).astype(np.int8)))
    return [(at[a:b], values[a:b]) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _whole_frames(where: FloatArray) -> NDArray[np.int64]:
    first, last = math.ceil(where[0]), math.floor(where[-1])
    return np.arange(first, last + 1) if first <= last else np.array([round(float(where.mean()))])


def _interpolate(frames: NDArray[np.int64], where: FloatArray, what: FloatArray) -> FloatArray:
    after = np.minimum(np.searchsorted(where, frames), len(where) - 1)
    before = np.maximum(after - 1, 0)
    span = where[after] - where[before]
    share = np.clip((frames - where[before]) / np.where(span > 0, span, 1.0), 0.0, 1.0)
    return between(what, before, after, share)
