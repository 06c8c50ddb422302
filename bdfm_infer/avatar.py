# SPDX-License-Identifier: MIT
"""The avatar: the base face that does what was captured, drawn by G (paper, section 2.2)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .containers import is_broken_off
from .errors import CancelledError, NoFramesError, WriteError
from .network import avatar_network, session
from .outputs import refuse_existing
from .parameters import (
    AU_SLICE,
    N_PARAMETERS,
    POSE_SLICE,
    base_face,
    parameter_from_degrees,
    parameter_from_intensity,
)
from .take import Take

SIZE: Final = 128
"""Side of a picture, pixels."""
VIDEO_SIZE: Final = 256
"""Side of a video, pixels."""
LEAST_FPS, MOST_FPS = 1.0, 240.0

Image = NDArray[np.uint8]


class Avatar:
    """Draws faces. Safe to call from several threads.

    Args:
        weights: folder of the networks; the package's own by default.

    Raises:
        WeightsError: the avatar's network is missing or damaged.
    """

    def __init__(self, weights: str | os.PathLike[str] | None = None) -> None:
        self._session: Any = session(avatar_network(weights), ("parameters",), ("image",))

    def draw(self, rotation: ArrayLike, action_units: ArrayLike) -> Image:
        """The base face as a take's row has it: (128, 128, 3) uint8 RGB.

        Args:
            rotation: (3,) yaw, pitch, roll in degrees (signs: :mod:`bdfm_infer.parameters`).
            action_units: (23,) intensities in [0, 1].
        """
        yaw, pitch, roll = np.asarray(rotation, np.float32)
        y = base_face()
        y[POSE_SLICE] = parameter_from_degrees([yaw, pitch])
        y[AU_SLICE] = parameter_from_intensity(action_units)
        return _rolled(self.draw_parameters(y), float(roll))

    def draw_parameters(self, y: ArrayLike) -> Image:
        """The face with parameters ``y`` (269,) in [0, 1], without roll: (128, 128, 3) uint8 RGB."""
        batch = np.asarray(y, np.float32).reshape(1, N_PARAMETERS)
        image: Image = self._session.run(("image",), {"parameters": batch})[0][0]
        return image


def write_avatar(
    take: Take,
    output: str | os.PathLike[str],
    avatar: Avatar,
    overwrite: bool = False,
    cancel: threading.Event | None = None,
) -> int:
    """Write a video (MP4) of the avatar doing a take, in step with its times; it appears only when it is whole.

    Rows without a face hold the face before them; before the first face the avatar is at rest.

    Args:
        take: its values are taken as they are (see :meth:`Take.processed`).
        output: the file.
        avatar: draws it.
        overwrite: replace an older file.
        cancel: ends the work when set; no file is left.

    Returns:
        Number of frames written.

    Raises:
        CancelledError: ``cancel`` was set.
        NoFramesError: the take has no row.
        OutputExistsError: the file exists and ``overwrite`` is false.
        WriteError: it cannot be written, or its name does not end in ``.mp4``.
    """
    output = Path(output)
    if len(take) == 0:
        raise NoFramesError("The take has no row, so there is nothing to draw. Capture the source again.")
    check_output(output, overwrite)
    draft = output.with_name(output.name + ".part.mp4")
    rate, rows = schedule(take)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        writer = cv2.VideoWriter(
            str(draft), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), rate, (VIDEO_SIZE, VIDEO_SIZE)
        )
        try:
            for image in _frames(take, rows, avatar):
                if cancel is not None and cancel.is_set():
                    raise CancelledError("Stopped; {path} was not written.", path=output)
                writer.write(cv2.resize(image[..., ::-1], (VIDEO_SIZE, VIDEO_SIZE), interpolation=cv2.INTER_CUBIC))
        finally:
            writer.release()
        if not draft.exists() or is_broken_off(draft):  # OpenCV does not say so
            raise WriteError("{path} cannot be written. Free some space or choose another folder.", path=output)
        draft.replace(output)
    except OSError as error:
        raise WriteError(
            "{path} cannot be written: {reason}. Free some space or choose another folder.",
            path=output,
            reason=error.strerror or error,
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return len(rows)


def check_output(output: Path, overwrite: bool) -> None:
    """See that a video may be written.

    Raises:
        OutputExistsError: the file exists and ``overwrite`` is false.
        WriteError: its name does not end in ``.mp4``.
    """
    if output.suffix.lower() != ".mp4":
        raise WriteError("{path}: the avatar's video is an MP4. Let its name end in .mp4.", path=output)
    if not overwrite:
        refuse_existing((output,))


def schedule(take: Take) -> tuple[float, NDArray[np.int64]]:
    """Frames a second of an even video, and for each of its frames the row of the take that is shown, (n,) int64.

    The rate is the take's own, gaps left out; each frame shows the last row up to half a frame after its time.
    """
    times = take.timestamps
    steps = np.diff(times) if len(times) > 1 else np.ones(1)
    step = float(steps[steps <= 1.5 * np.median(steps)].mean())
    rate = round(1.0 / np.clip(step, 1.0 / MOST_FPS, 1.0 / LEAST_FPS), 2)  # MPEG-4 cannot tell finer rates
    frames = round(float(times[-1] - times[0]) * rate) + 1
    shown = times[0] + (np.arange(frames) + 0.5) / rate
    return rate, np.searchsorted(times, shown, side="right") - 1


def _frames(take: Take, rows: NDArray[np.int64], avatar: Avatar) -> Iterator[Image]:
    with_face = np.maximum.accumulate(np.where(take.success, np.arange(len(take)), -1))
    rest = avatar.draw_parameters(base_face())
    shown, image = -1, rest
    for row in with_face[rows]:
        if row != shown:
            shown, image = int(row), avatar.draw(take.rotation[row], take.action_units[row])
        yield image


def _rolled(image: Image, roll: float) -> Image:
    """The picture turned by ``roll`` degrees, clockwise; its border fills what comes into view."""
    middle = ((SIZE - 1) / 2, (SIZE - 1) / 2)
    matrix = cv2.getRotationMatrix2D(middle, -roll, 1.0)
    return cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
