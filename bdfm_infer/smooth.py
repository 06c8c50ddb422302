# SPDX-License-Identifier: MIT
"""Smoothing in time, by time stamps. Each group of channels has its own cut-off, so that blinks stay crisp.

Stretches without a face are never bridged: each stretch with a face is smoothed by itself. numpy alone.

* ``one_euro``: Casiez, Roussel, Vogel 2012. Causal; follows fast moves with less lag than slow ones.
* ``zero_phase``: a Gaussian over time whose gain falls to one half of the power at the cut-off. No lag; needs the
  frames that follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import TakeFormatError
from .parameters import AU_NAMES, EYES, ROTATION

if TYPE_CHECKING:
    from .take import Take

FloatArray = NDArray[np.float64]

METHODS: Final = ("none", "one_euro", "zero_phase")

_BROWS: Final = ("AU01", "AU02", "AU04")
_LIDS: Final = ("AU05", "AU07", *EYES)
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "head": ROTATION,
    "brows": _BROWS,
    "lids": _LIDS,
    "face": tuple(name for name in AU_NAMES if name not in (*_BROWS, *_LIDS)),
}
"""Channels that are smoothed alike."""

CUTOFF_HZ: Final = {"head": 4.0, "brows": 5.0, "lids": 14.0, "face": 8.0}
"""Default cut-off of each group. A blink closes the lid within a tenth of a second; a head does not turn so fast."""

_ONE_EURO_REST: Final = 0.25
"""Part of the cut-off that one_euro has at rest; the speed adds the rest of it."""

_FULL_SPEED: Final = {"head": 60.0, "brows": 3.0, "lids": 3.0, "face": 3.0}
"""Speed at which one_euro reaches the whole cut-off: degrees or intensity a second."""

_SPEED_CUTOFF_HZ: Final = 1.0
_LEAST_STEP_S: Final = 1e-6
"""What the step between two frames of equal times counts for."""
_GAUSSIAN: Final = float(np.sqrt(np.log(2.0)) / (2.0 * np.pi))
"""Standard deviation in time times cut-off frequency, for half of the power at the cut-off."""


@dataclass(frozen=True)
class Smoothing:
    """A method and the cut-off of each group.

    Attributes:
        method: ``none``, ``one_euro`` or ``zero_phase``.
        cutoff_hz: by name of group (:data:`GROUPS`), finite and above 0; those that are absent have :data:`CUTOFF_HZ`.

    Raises:
        ValueError: an unknown method or group, or a cut-off out of range.
    """

    method: str = "none"
    cutoff_hz: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"{self.method!r} is no method; they are {', '.join(METHODS)}")
        for group, value in self.cutoff_hz.items():
            if group not in GROUPS:
                raise ValueError(f"{group!r} is no group; they are {', '.join(GROUPS)}")
            if not 0 < value < np.inf:
                raise ValueError(f"{group}: the cut-off {value} must be a finite number above 0")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any] | None) -> Smoothing:
        """Out of a take's JSON file; None is no smoothing.

        Raises:
            TakeFormatError: not of the form that :meth:`to_settings` writes.
        """
        try:
            read = settings or {}
            cutoff = {str(group): float(value) for group, value in read.get("cutoff_hz", {}).items()}
            return cls(str(read.get("method", "none")), cutoff)
        except (OverflowError, ValueError) as error:
            raise TakeFormatError(
                "The take's smoothing cannot be used: {reason}. Set it again.", reason=error
            ) from error
        except (AttributeError, TypeError) as error:
            raise TakeFormatError(
                "The take's smoothing cannot be used: a member is of the wrong type. Set it again."
            ) from error

    def to_settings(self) -> dict[str, Any] | None:
        """For a take's JSON file; None where nothing is smoothed."""
        if self.method == "none":
            return None
        return {"method": self.method, "cutoff_hz": {**CUTOFF_HZ, **self.cutoff_hz}}

    def apply(self, take: Take) -> Take:
        """The take with smoothed rotation and action units; rows without a face stay NaN."""
        if self.method == "none" or len(take) == 0:
            return take
        names = (*ROTATION, *AU_NAMES)
        values = np.c_[take.rotation, take.action_units]
        groups = [next(group for group, members in GROUPS.items() if name in members) for name in names]
        cutoffs = np.array([self.cutoff_hz.get(group, CUTOFF_HZ[group]) for group in groups])
        speeds = np.array([_FULL_SPEED[group] for group in groups])
        for stretch in _stretches(take.success):
            times = take.timestamps[stretch]
            if self.method == "one_euro":
                values[stretch] = one_euro(times, values[stretch], cutoffs, speeds)
            else:
                for cutoff in np.unique(cutoffs):
                    columns = np.flatnonzero(cutoffs == cutoff)
                    values[stretch, columns] = zero_phase(times, values[stretch, columns], float(cutoff))
        return take.with_values(values[:, : len(ROTATION)], values[:, len(ROTATION) :])


def zero_phase(times: FloatArray, values: FloatArray, cutoff_hz: float) -> FloatArray:
    """Weighted mean of neighbours by a Gaussian in time.

    Args:
        times: (n,) seconds, ascending; neighbours may be equal.
        values: (n, c), no NaN.
        cutoff_hz: frequency at which half of the power is left.
    """
    deviation = _GAUSSIAN / cutoff_hz
    share = _time_share(times, deviation)
    total = share[:, None] * values
    weight = share.copy()
    for offset in range(1, len(times)):
        distance = (times[offset:] - times[:-offset]) / deviation
        if not (distance < 4.0).any():
            break
        kernel = np.exp(-0.5 * distance**2)
        before, after = kernel * share[:-offset], kernel * share[offset:]
        total[offset:] += before[:, None] * values[:-offset]
        total[:-offset] += after[:, None] * values[offset:]
        weight[offset:] += before
        weight[:-offset] += after
    return total / weight[:, None]


def _time_share(times: FloatArray, most: float) -> FloatArray:
    """The time that each frame stands for, so that a burst of frames weighs no more than a few; at most ``most``, and
    never nothing."""
    if len(times) < 2:
        return np.ones(len(times))
    steps = np.clip(np.diff(times), _LEAST_STEP_S, max(most, _LEAST_STEP_S))
    return (np.r_[steps[0], steps] + np.r_[steps, steps[-1]]) / 2


def one_euro(
    times: FloatArray, values: FloatArray, cutoff_hz: float | FloatArray, full_speed: float | FloatArray
) -> FloatArray:
    """The 1 euro filter: a low-pass whose cut-off rises with the speed of the value.

    Args:
        times: (n,) seconds, ascending.
        values: (n, c), no NaN.
        cutoff_hz: cut-off at ``full_speed``, of all columns or (c,) of each.
        full_speed: units of the values a second, as well.
    """
    out = values.copy()
    speed = np.zeros(values.shape[1])
    steps = np.maximum(np.diff(times), _LEAST_STEP_S)
    slopes = np.diff(values, axis=0) / steps[:, None]
    at_rest, per_speed = cutoff_hz * _ONE_EURO_REST, cutoff_hz * (1.0 - _ONE_EURO_REST) / full_speed
    for i, step in enumerate(steps.tolist()):
        speed += _follow(step, _SPEED_CUTOFF_HZ) * (slopes[i] - speed)
        cutoff = at_rest + per_speed * np.abs(speed)
        out[i + 1] = out[i] + _follow(step, cutoff) * (values[i + 1] - out[i])
    return out


def _follow(step: float, cutoff_hz: Any) -> Any:
    """The part of the way to a new value that a first-order low-pass goes in ``step`` seconds."""
    angular = 2.0 * np.pi * cutoff_hz * step
    return angular / (1.0 + angular)


def _stretches(success: NDArray[np.bool_]) -> Iterator[slice]:
    """Runs of rows with a face."""
    edges = np.flatnonzero(np.diff(np.r_[False, success, False].astype(np.int8)))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        yield slice(int(first), int(last))
