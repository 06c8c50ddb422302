# SPDX-License-Identifier: MIT
"""What is read from clips of real people speaking: ``python -m bdfm_train clips [--out FOLDER]``.

The figures say whether the mouth opens, whether the eyes blink, and what trembles. Three of the clips were judged frame
by frame (:mod:`judged_clips`), and what was read is held against what was seen; none of the clips is trained on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer import Predictor, capture
from bdfm_infer.frames import VideoSource
from bdfm_infer.parameters import AU_NAMES
from bdfm_infer.take import Take
from bdfm_train.arrays import write_picture

from .judged_clips import BLINK, closure, load_judged, report_lines, stretches

DRAWN: Final = ("AU26", "AU25", "eye_closed_left", "AU12", "AU01", "AU04")


def blinks(take: Take) -> int:
    """How often the eyes close."""
    return len(stretches(np.nan_to_num(closure(take)) > BLINK))


def tremble(take: Take) -> NDArray[np.float64]:
    """Of each action unit, the median of |second difference| over frames in a row, (23,): jitter, not movement."""
    second = np.abs(np.diff(take.action_units, 2, axis=0))
    return np.nanmedian(second, axis=0)


def jumps(path: Path, take: Take, predictor: Predictor) -> NDArray[np.float64]:
    """How far each unit jumps where a followed face is found anew, (n, 23); NaN where no face is found.

    Args:
        path: the video.
        take: its capture.
        predictor: finds the face in each frame by itself.
    """
    values = np.full(take.action_units.shape, np.nan)
    for frame in VideoSource(path):
        face = None if frame.image is None else predictor.predict(frame.image)
        if face is not None:
            values[frame.index] = face.action_units
    return np.abs(values - take.action_units)


def jump_line(difference: NDArray[np.float64]) -> str:
    """Mean and largest jump of :func:`jumps`."""
    frame, unit = np.unravel_index(int(np.nanargmax(difference)), difference.shape)
    return (
        f"  found anew in a frame instead of followed: {np.nanmean(difference):.3f} apart in the mean, at most "
        f"{difference[frame, unit]:.3f} ({AU_NAMES[unit]}, frame {frame})"
    )


def report_line(name: str, take: Take) -> str:
    """One clip's figures."""
    mouth = take.channel("AU25") + take.channel("AU26")
    low, high = np.nanpercentile(mouth, [5, 95])
    jitter = tremble(take)
    worst = ", ".join(f"{AU_NAMES[i]} {jitter[i]:.3f}" for i in np.argsort(jitter)[::-1][:3])
    return (
        f"{name}: face in {int(take.success.sum())} of {len(take)} frames, "
        f"mouth (AU25 + AU26) {low:.2f} to {high:.2f}, {blinks(take)} blinks, trembles most: {worst}"
    )


def draw(path: Path, take: Take, columns: int = 8) -> NDArray[np.uint8]:
    """A sheet: frames of the clip above, curves below. Returns (h, w, 3) BGR."""
    video = cv2.VideoCapture(str(path))
    frames = []
    while True:
        good, frame = video.read()
        if not good:
            break
        frames.append(frame)
    width, height = 180, 144
    chosen = np.linspace(0, len(frames) - 1, columns).astype(int)
    top = np.hstack([cv2.resize(frames[i], (width, height), interpolation=cv2.INTER_AREA) for i in chosen])
    rows = [top]
    for name in DRAWN:
        rows.append(_curve(name, take.channel(name), top.shape[1], chosen / max(len(frames) - 1, 1)))
    return np.vstack(rows)


def _curve(name: str, values: NDArray[np.float64], width: int, marks: NDArray[np.float64]) -> NDArray[np.uint8]:
    height = 70
    picture = np.full((height, width, 3), 30, np.uint8)
    for column in (int(mark * (width - 1)) for mark in marks):
        cv2.line(picture, (column, 0), (column, height), (60, 60, 60), 1)
    points = np.stack([np.linspace(0, width - 1, len(values)), (1 - np.nan_to_num(values)) * (height - 8) + 4], 1)
    cv2.polylines(picture, [np.round(points).astype(np.int32)], False, (120, 220, 255), 1, cv2.LINE_AA)
    cv2.putText(picture, name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (220, 220, 220), 1, cv2.LINE_AA)
    return picture


def report(sources: Path, predictor: Predictor, out: Path | None) -> str:
    """Capture every clip; draw sheets where a folder is named."""
    judged, lines = load_judged(), []
    for path in sorted((sources / "videos").glob("*.mpg")):
        take = capture(path, predictor=predictor)
        lines.append(report_line(path.stem, take))
        if path.stem in judged:
            lines += report_lines(take, judged[path.stem])
            lines.append(jump_line(jumps(path, take, predictor)))
        if out is not None:
            write_picture(out / f"{path.stem}.png", draw(path, take))
    return "\n".join(lines)
