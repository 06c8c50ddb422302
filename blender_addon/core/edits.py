# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist changes in a take before the bake: gain, offset, limits, mute and solo, sides, the head's turns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bdfm_infer.parameters import AU_NAMES, MIRRORED_AU, MIRRORED_ROTATION, N_AU, ROTATION

from .errors import AddonError

FloatArray = NDArray[np.float64]

MAX_GAIN: Final = 10.0


class EditsError(AddonError):
    """Stored edits cannot be used; the message names the place and the reason."""

    code = "bad_edits"
    exit_code = 35


@dataclass(frozen=True)
class UnitEdit:
    """Value x of one action unit becomes ``gain * x + offset``, limited to ``low`` … ``high``.

    Attributes:
        gain: factor, 0 to 10.
        offset: added, -1 to 1.
        low, high: limits, 0 to 1.
        mute: the unit is 0 throughout.
        solo: where any unit has it, all without it are 0.
    """

    gain: float = 1.0
    offset: float = 0.0
    low: float = 0.0
    high: float = 1.0
    mute: bool = False
    solo: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (("gain", 0, MAX_GAIN), ("offset", -1, 1), ("low", 0, 1), ("high", 0, 1)):
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ValueError(f"{name} {value} is not from {low:g} to {high:g}")


@dataclass(frozen=True)
class Edits:
    """All edits of a take.

    Attributes:
        units: by name of action unit; those that are absent are not edited.
        swap: left becomes right and right left, as if the picture were mirrored.
        complete_blinks: see :mod:`.blinks`; done by :meth:`.cleaning.Cleaning.edited`, which knows the times. On unless
            it is switched off: a blink that leaves a slit is what no animator wants.
        rotation: factor of yaw, pitch and roll by name, -10 to 10; those that are absent are 1.

    Raises:
        ValueError: an unknown name, or a number out of range.
    """

    units: Mapping[str, UnitEdit] = field(default_factory=dict)
    swap: bool = False
    rotation: Mapping[str, float] = field(default_factory=dict)
    complete_blinks: bool = True

    def __post_init__(self) -> None:
        for name in self.units:
            if name not in AU_NAMES:
                raise ValueError(f"{name!r} is no action unit; they are {', '.join(AU_NAMES)}")
        for name, gain in self.rotation.items():
            if name not in ROTATION:
                raise ValueError(f"{name!r} is no head angle; they are {', '.join(ROTATION)}")
            if not (math.isfinite(gain) and abs(gain) <= MAX_GAIN):
                raise ValueError(f"{name}: gain {gain} is not from {-MAX_GAIN:g} to {MAX_GAIN:g}")

    def to_json(self) -> dict[str, Any]:
        """Plain data; what is not edited is left out, so that no edits are ``{}``."""
        default = asdict(UnitEdit())
        units = {
            name: changed
            for name, unit in self.units.items()
            if (changed := {key: value for key, value in asdict(unit).items() if value != default[key]})
        }
        rotation = {name: gain for name, gain in self.rotation.items() if gain != 1.0}
        data = {"units": units, "swap": self.swap, "rotation": rotation}
        off = {} if self.complete_blinks else {"complete_blinks": False}
        return {key: value for key, value in data.items() if value} | off

    @classmethod
    def from_json(cls, data: Any) -> Edits:
        """Inverse of :meth:`to_json`; None is no edit, and members of a later version are ignored.

        Raises:
            EditsError: not of that form.
        """
        try:
            read = data or {}
            units = {str(name): _unit(unit) for name, unit in read.get("units", {}).items()}
            rotation = {str(name): float(gain) for name, gain in read.get("rotation", {}).items()}
            blinks = bool(read.get("complete_blinks", True))
            return cls(units, bool(read.get("swap", False)), rotation, blinks)
        except ValueError as error:
            raise EditsError("The stored edits cannot be used: {reason}. Set them again.", reason=error) from error
        except (AttributeError, TypeError) as error:
            raise EditsError(
                "The stored edits cannot be used: a member is of the wrong type. Set them again."
            ) from error


def edited(values: ArrayLike, edits: Edits) -> FloatArray:
    """Values as they are baked.

    Args:
        values: (n, 26), columns as in ``mapping.SOURCES``; NaN rows are rows without a face and remain so.
        edits: sides are swapped first, so that a unit's edit is that of the side on which it is seen.
    """
    result = np.array(values, np.float64)
    if edits.swap:
        result[:, :N_AU] = result[:, list(MIRRORED_AU)]
        result[:, N_AU:] *= MIRRORED_ROTATION
    solo = any(unit.solo for unit in edits.units.values())
    silent = UnitEdit(mute=solo)
    for column, name in enumerate(AU_NAMES):
        unit = edits.units.get(name, silent)
        scaled = np.clip(unit.gain * result[:, column] + unit.offset, unit.low, max(unit.low, unit.high))
        heard = not unit.mute and (unit.solo or not solo)
        result[:, column] = scaled if heard else np.where(np.isnan(scaled), np.nan, 0.0)
    result[:, N_AU:] *= [edits.rotation.get(name, 1.0) for name in ROTATION]
    return result


def _unit(data: Any) -> UnitEdit:
    numbers: dict[str, Any] = {key: float(data[key]) for key in ("gain", "offset", "low", "high") if key in data}
    return UnitEdit(**numbers, mute=bool(data.get("mute", False)), solo=bool(data.get("solo", False)))
