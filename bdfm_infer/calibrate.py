# SPDX-License-Identifier: MIT
"""Calibration: what a person's face shows at rest is taken out, and action units are made stronger or weaker.

Raw values stay in the take's table; a calibration is a setting of its JSON file and acts on reading. numpy alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .errors import BdfmError, TakeFormatError
from .parameters import AU_NAMES, EYES

if TYPE_CHECKING:
    from .take import Take

CALM_SHARE: Final = 0.1
"""Share of the frames that are taken for the face at rest where nobody says which."""

FLOOR_SHARE: Final = 0.05
"""Share of the frames in which an action unit may lie below its rest: it wavers, and at rest it is at its least."""

FLOOR_MARGIN: Final = 0.05
"""By how much a rest may lie above that: readings of a face that does nothing waver by about so much."""


@dataclass(frozen=True)
class Calibration:
    """Value x of an action unit becomes ``gain * (x - neutral) / (1 - neutral)``, then limited to [0, 1].

    Attributes:
        neutral: intensity at rest by name of action unit, at least 0 and below 1; those that are absent are 0.
        gain: factor by name of action unit, not negative; those that are absent are 1.

    Raises:
        ValueError: an unknown name, or a value out of range.
    """

    neutral: Mapping[str, float] = field(default_factory=dict)
    gain: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (*self.neutral.items(), *self.gain.items()):
            if name not in AU_NAMES:
                raise ValueError(f"{name!r} is no action unit; they are {', '.join(AU_NAMES)}")
            if not np.isfinite(value) or value < 0:
                raise ValueError(f"{name}: {value} must be a number that is not negative")
        if any(value >= 1 for value in self.neutral.values()):
            raise ValueError("a neutral intensity must be below 1")

    @classmethod
    def from_take(
        cls,
        take: Take,
        start: float = -np.inf,
        end: float = np.inf,
        gain: Mapping[str, float] | None = None,
        leave_out: Iterable[str] = EYES,
    ) -> Calibration:
        """A person's neutral: the median of each action unit over a stretch of a take.

        Args:
            take: raw values.
            start, end: seconds, both ends included; one frame is the stretch from its time to its time, and by default
                the whole take is used.
            gain: as in the class.
            leave_out: action units whose neutral remains 0.

        Raises:
            BdfmError: the stretch shows no face.
        """
        chosen = take.success & (take.timestamps >= start) & (take.timestamps <= end)
        if not chosen.any():
            raise BdfmError("No frame of that stretch shows a face. Choose a neutral in which the face is seen.")
        median = np.clip(np.median(take.action_units[chosen], axis=0), 0.0, 0.95)
        excluded = set(leave_out)
        neutral = {n: round(float(v), 4) for n, v in zip(AU_NAMES, median, strict=True) if n not in excluded}
        return cls(neutral, gain or {})

    @classmethod
    def automatic(cls, take: Take, gain: Mapping[str, float] | None = None) -> Calibration:
        """A person's neutral out of the tenth of the take in which the action units are lowest together.

        Only frames are looked at in which the head stands as it mostly does and the face is seen as well as mostly.
        An action unit that goes well below its value in those frames was not at rest there: it is held down to its own
        lowest values, so that a raised brow that is held for half of the take is not taken out of it. The eyes are left
        out.

        Args:
            take: raw values.
            gain: as in the class.

        Raises:
            BdfmError: the take shows no face.
        """
        if not take.success.any():
            raise BdfmError("The take shows no face, so there is no neutral in it. Capture another source.")
        turned = np.abs(take.rotation - np.nanmedian(take.rotation, axis=0)).max(axis=1)
        steady = take.success & (turned <= np.nanmedian(turned))
        seen = take.success & (take.confidence >= np.median(take.confidence[take.success]))
        candidates = steady & seen if (steady & seen).any() else take.success
        floor = np.quantile(take.action_units[candidates], FLOOR_SHARE, axis=0)
        raised = np.clip(take.action_units - floor, 0.0, None)
        activity = np.square(np.delete(raised, [AU_NAMES.index(name) for name in EYES], axis=1)).sum(axis=1)
        calm = candidates & (activity <= np.quantile(activity[candidates], CALM_SHARE))
        most = dict(zip(AU_NAMES, floor + FLOOR_MARGIN, strict=True))
        found = cls.from_take(take.chosen(calm)).neutral
        return cls({name: round(min(value, float(most[name])), 4) for name, value in found.items()}, gain or {})

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any] | None) -> Calibration:
        """Out of a take's JSON file; None is no calibration.

        Raises:
            TakeFormatError: not of the form that :meth:`to_settings` writes.
        """
        try:
            read = settings or {}
            return cls(*({str(k): float(v) for k, v in read.get(part, {}).items()} for part in ("neutral", "gain")))
        except (OverflowError, ValueError) as error:
            raise TakeFormatError(
                "The take's calibration cannot be used: {reason}. Set it again.", reason=error
            ) from error
        except (AttributeError, TypeError) as error:
            raise TakeFormatError(
                "The take's calibration cannot be used: a member is of the wrong type. Set it again."
            ) from error

    def to_settings(self) -> dict[str, Any] | None:
        """For a take's JSON file; None where nothing is calibrated."""
        return {"neutral": dict(self.neutral), "gain": dict(self.gain)} if self.neutral or self.gain else None

    def apply(self, take: Take) -> Take:
        """The take with calibrated action units; NaN remains NaN."""
        if not self.neutral and not self.gain:
            return take
        neutral = np.array([self.neutral.get(name, 0.0) for name in AU_NAMES])
        gain = np.array([self.gain.get(name, 1.0) for name in AU_NAMES])
        values = np.clip(gain * (take.action_units - neutral) / (1.0 - neutral), 0.0, 1.0)
        return take.with_values(action_units=values)
