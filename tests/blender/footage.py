# SPDX-License-Identifier: MIT
"""Clips for the tests of the capture, out of the sample clip."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "clip" / "sample.mp4"
FRAMES, RATE = 234, 30.0


def sample_frames(number: int) -> list[NDArray[np.uint8]]:
    """The first frames of the sample."""
    video = cv2.VideoCapture(str(SAMPLE))
    return [video.read()[1] for _ in range(number)]


def two_people(number: int) -> list[NDArray[np.uint8]]:
    """Frames with the sample's face twice, a smaller mirrored one to the right."""
    frames = []
    for frame in sample_frames(number):
        small = cv2.resize(frame[:, ::-1], None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
        wide = np.full((frame.shape[0], frame.shape[1] + small.shape[1], 3), 90, np.uint8)
        wide[:, : frame.shape[1]] = frame
        wide[: small.shape[0], frame.shape[1] :] = small
        frames.append(wide)
    return frames


def write_clip(path: Path, frames: list[NDArray[np.uint8]]) -> Path:
    """An AVI at the sample's rate."""
    drawn = path.with_name("drawn.avi")
    writer = cv2.VideoWriter(str(drawn), cv2.VideoWriter.fourcc(*"MJPG"), RATE, frames[0].shape[1::-1])
    for frame in frames:
        writer.write(frame)
    writer.release()
    return drawn.rename(path)


def write_images(folder: Path, frames: list[NDArray[np.uint8]], first: int = 1) -> list[Path]:
    """Numbered JPEGs."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"shot.{number:04}.jpg" for number in range(first, first + len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        path.write_bytes(cv2.imencode(".jpg", frame)[1].tobytes())
    return paths
