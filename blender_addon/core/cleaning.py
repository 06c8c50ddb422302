# SPDX-License-Identifier: GPL-3.0-or-later
"""From a raw take to a performance: neutral taken out, then smoothed, then edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bdfm_infer.calibrate import Calibration
from bdfm_infer.errors import TakeFormatError
from bdfm_infer.smooth import Smoothing
from bdfm_infer.take import Take

from .blinks import complete_blinks
from .edits import MAX_GAIN, Edits, UnitEdit, edited
from .performance import Performance


@dataclass(frozen=True)
class Cleaning:
    """Everything that is done to a take before the bake; a member of ``settings`` in its JSON file each."""

    calibration: Calibration = field(default_factory=Calibration)
    smoothing: Smoothing = field(default_factory=Smoothing)
    edits: Edits = field(default_factory=Edits)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any] | None) -> Cleaning:
        """Out of a take's JSON file or a preset. A calibration's gains become those of the edits.

        Raises:
            TakeFormatError, EditsError: not of the form that :meth:`to_settings` writes.
        """
        if settings is not None and not isinstance(settings, Mapping):
            raise TakeFormatError("The take's settings cannot be used: they are no object {…}. Set them again.")
        read = settings or {}
        calibration = Calibration.from_settings(read.get("calibration"))
        edits = Edits.from_json(read.get("edits"))
        units = dict(edits.units)
        for name, gain in calibration.gain.items():
            unit = units.get(name, UnitEdit())
            units[name] = replace(unit, gain=min(unit.gain * gain, MAX_GAIN))
        smoothing = Smoothing.from_settings(read.get("smoothing"))
        return cls(Calibration(calibration.neutral), smoothing, replace(edits, units=units))

    def to_settings(self) -> dict[str, Any]:
        """Members for ``settings``; None for what does nothing, so that it takes the place of an older one."""
        return {
            "calibration": self.calibration.to_settings(),
            "smoothing": self.smoothing.to_settings(),
            "edits": self.edits.to_json() or None,
        }

    def smoothed(self, take: Take, name: str) -> Performance:
        """The take with calibration and smoothing, before the edits. ``name`` is the performance's."""
        return Performance.from_take(self.smoothing.apply(self.calibration.apply(take)), name)

    def edited(self, performance: Performance) -> Performance:
        """What :meth:`smoothed` gave, with the edits."""
        values = performance.values
        if self.edits.complete_blinks:
            values = complete_blinks(performance.timestamps, values)
        return replace(performance, values=edited(values, self.edits))

    def apply(self, take: Take, name: str) -> Performance:
        """A raw take as it is baked."""
        return self.edited(self.smoothed(take, name))
