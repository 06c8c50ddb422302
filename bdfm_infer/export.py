# SPDX-License-Identifier: MIT
"""Takes as the CSV of other tools, so that what reads those reads ours. numpy alone.

* ``openface``: OpenFace 2's columns. Frames count from 1, angles are radians, intensities 0 to 5; a row without a face
  holds zeros and ``success`` 0. AU16, AU18, AU24 and the jaw sideways have no column there; AU45 is the mean of both
  eyes. Positive are: ``pose_Rx`` down, ``pose_Ry`` to the person's right, ``pose_Rz`` clockwise as the camera sees it.
* ``livelinkface``: 52 ARKit shapes and the head, one row a frame with a face. The time code is the take's time at 60
  frames a second. Head angles are radians with the signs of a take; eyes are not captured and are 0.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import WriteError
from .openface_angles import to_openface
from .outputs import refuse_existing, write_whole
from .parameters import AU_NAMES, EYES

if TYPE_CHECKING:
    from .take import Take

FloatArray = NDArray[np.float64]

TIMECODE_FPS: Final = 60

OPENFACE_AUS: Final = tuple(f"AU{number:02d}" for number in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26))
OPENFACE_FULL: Final = 5.0
OPENFACE_POSE: Final = ("pose_Rx", "pose_Ry", "pose_Rz")
LIVELINKFACE_HEAD: Final = ("HeadYaw", "HeadPitch", "HeadRoll")
_EYES: Final = tuple(f"{side}Eye{angle}" for side in ("Left", "Right") for angle in ("Yaw", "Pitch", "Roll"))


def export(take: Take, to: str, output: str | os.PathLike[str], overwrite: bool = False) -> int:
    """Write a take in another tool's format; the file appears only when it is whole.

    Args:
        take: its values are written as they are (see :meth:`Take.processed`).
        to: one of :data:`FORMATS`.
        output: the file.
        overwrite: replace an older file.

    Returns:
        Number of rows written.

    Raises:
        ValueError: ``to`` is no format.
        OutputExistsError: the file exists and ``overwrite`` is false.
        WriteError: it cannot be written.
    """
    output = Path(output)
    if to not in FORMATS:
        raise ValueError(f"{to!r} is no format; they are {', '.join(FORMATS)}")
    if not overwrite:
        refuse_existing((output,))
    lines = list(_WRITERS[to](take))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        raise WriteError(
            "{path} cannot be written: {reason}. Free some space or choose another folder.",
            path=output,
            reason=error.strerror or error,
        ) from error
    return len(lines) - 1


def arkit_values(action_units: FloatArray) -> FloatArray:
    """The 52 ARKit shapes, (n, 52) in [0, 1], order of ``arkit_table()["order"]``, of intensities (n, 23).

    A closed eye takes down what opens or narrows it; contributions to one shape are added, then limited.
    """
    table = arkit_table()
    order = table["order"]
    weights = np.zeros((len(AU_NAMES), len(order)))
    for unit, targets in table["weights"].items():
        for name, weight in targets.items():
            weights[AU_NAMES.index(unit), order.index(name)] = weight
    values = action_units @ weights
    for rule in table["combine"]:
        unit = AU_NAMES.index(rule["reduce"])
        weakened = weights[unit] * [weakens(rule, name) for name in order]
        values -= (action_units[:, unit] * action_units[:, AU_NAMES.index(rule["by"])])[:, None] * weakened
    return np.clip(values, 0.0, 1.0)


@cache
def arkit_table() -> dict[str, Any]:
    """``data/arkit.json``: ``order`` of the 52 shapes, ``weights`` by action unit, and ``combine`` as in mappings."""
    table: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "arkit.json").read_text(encoding="utf-8"))
    return table


def weakens(rule: dict[str, Any], shape: str) -> bool:
    """Whether a rule of the table's ``combine`` holds for that shape."""
    return shape.casefold().endswith(rule["on"]) and any(fnmatchcase(shape, name) for name in rule.get("names", ["*"]))


def livelinkface_shapes() -> list[str]:
    """Live Link Face's columns of the 52 shapes."""
    return [name[0].upper() + name[1:] for name in arkit_table()["order"]]


def _openface(take: Take) -> Iterator[str]:
    columns = ["frame", "face_id", "timestamp", "confidence", "success", *OPENFACE_POSE]
    yield ",".join([*columns, *(f"{unit}_r" for unit in OPENFACE_AUS), "AU45_r"])
    rotation = to_openface(take.rotation)
    intensity = np.c_[
        take.action_units[:, [AU_NAMES.index(unit) for unit in OPENFACE_AUS]],
        np.mean([take.channel(eye) for eye in EYES], axis=0),
    ]
    values = np.where(take.success[:, None], np.c_[rotation, OPENFACE_FULL * intensity], 0.0)
    for i, row in enumerate(values):
        start = f"{take.frames[i] + 1},0,{take.timestamps[i]:.3f},{take.confidence[i]:.2f},{int(take.success[i])}"
        yield ",".join([start, *(f"{value:.3f}" for value in row)])


def _livelinkface(take: Take) -> Iterator[str]:
    columns = (*livelinkface_shapes(), *LIVELINKFACE_HEAD, *_EYES)
    yield ",".join(["Timecode", "BlendShapeCount", *columns])
    found = np.flatnonzero(take.success)
    shapes = arkit_values(take.action_units[found])
    values = np.c_[shapes, np.radians(take.rotation[found]), np.zeros((len(found), len(_EYES)))]
    for i, row in zip(found, values, strict=True):
        yield ",".join([timecode(float(take.timestamps[i])), str(len(columns)), *(f"{value:.10f}" for value in row)])


def timecode(seconds: float) -> str:
    """``HH:MM:SS:FF.fff`` at 60 frames a second, FF.fff being frames and thousandths of one."""
    thousandths = round(seconds * TIMECODE_FPS * 1000)
    frames, rest = divmod(thousandths, 1000)
    whole, frame = divmod(frames, TIMECODE_FPS)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}:{frame:02d}.{rest:03d}"


_WRITERS: Final[dict[str, Callable[[Take], Iterator[str]]]] = {"openface": _openface, "livelinkface": _livelinkface}
FORMATS: Final = tuple(_WRITERS)
"""Names of the formats."""
