# SPDX-License-Identifier: MIT
"""Frames of a video, an image, a folder or a pattern: decoded in order, upright, each with its presentation time."""

from __future__ import annotations

import glob
import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .containers import is_broken_off, is_media, is_mirrored
from .errors import (
    BdfmError,
    EmptyFolderError,
    FrameTooSmallError,
    InputNotFoundError,
    NotAVideoError,
    NoVideoStreamError,
    TruncatedVideoError,
)
from .images import IMAGE_SUFFIXES, is_image, load_image

Image = NDArray[np.uint8]

MINIMUM_SIDE: Final = 32
"""Shortest side of a picture in which a face is looked for, pixels."""

VARIABLE_RATE: Final = 0.1
"""A clip's rate is variable where its frame times differ by more than this part of their mean; rounding to
milliseconds stays below it up to 50 frames a second."""

_WHOLE: Final = 0.9
"""Part of the stated frames that have to be there; edit lists may leave out some."""

_TURN: Final = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a source.

    Attributes:
        index: number in the source, from 0.
        time: presentation time, seconds from the stream's start.
        image: (h, w) grey or (h, w, 3) BGR uint8, upright; None where an image of a list cannot be used.
        file: the image's name where the source is a list of images.
        problem: why ``image`` is None.
    """

    index: int
    time: float
    image: Image | None
    file: str | None = None
    problem: BdfmError | None = None


class VideoSource:
    """A video file. Iterate once; ``facts`` is complete after the last frame.

    Attributes:
        paths: the file.
        facts: of the take's JSON file.
        estimated_frames: how many are to come; 0 where it is not known.
        warning: after the last frame, what the user should know of it; None where there is nothing.

    Args:
        path: the file.
        start, end: seconds; frames with ``start <= time < end`` are given.
        threads: of the decoder.
        cancel: when set, frames end.

    Raises:
        NotAVideoError, NoVideoStreamError, FrameTooSmallError: on opening.
        TruncatedVideoError: on opening where nothing can be read, else after the last frame that could be read.
    """

    is_video = True

    def __init__(
        self,
        path: Path,
        start: float = 0.0,
        end: float = float("inf"),
        threads: int = 1,
        cancel: threading.Event | None = None,
    ) -> None:
        self.paths = (path,)
        self.warning: BdfmError | None = None
        self._path = path
        self._start, self._end = start, end
        self._cancel = cancel
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
        if not self._capture.isOpened():
            raise _why_not_opened(path)
        # Whether OpenCV turns frames by itself depends on its version and build: it is told not to, and they are
        # turned here.
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        rotation = int(self._capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        self._turn = _TURN.get(rotation)
        self._is_mirrored = is_mirrored(path)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self._fps = fps if np.isfinite(fps) and fps > 0 else 25.0
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._stated_frames = round(count) if np.isfinite(count) and count > 0 else 0
        duration = self._stated_frames / self._fps
        size = [int(self._capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
        _check_size(size[0], size[1], path)
        self.facts: dict[str, Any] = {
            "name": path.name,
            "kind": "video",
            "size": size[::-1] if rotation in (90, 270) else size,
            "duration": round(duration, 6),
            "fps": round(self._fps, 6),
            "variable": None,
            "rotation": rotation,
        }
        self.estimated_frames = max(round((min(end, duration) - start) * self._fps), 0) if duration else 0

    def __iter__(self) -> Iterator[Frame]:
        times = _Times(1.0 / self._fps)
        try:
            while self._capture.grab():
                time = times.next(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0)
                if time >= self._end or (self._cancel is not None and self._cancel.is_set()):
                    return
                if time < self._start:
                    continue
                found, image = self._capture.retrieve()
                if found:
                    yield Frame(times.count - 1, time, self._upright(image))
            if times.count == 0:
                raise NotAVideoError(
                    "{path}: no frame can be decoded. Convert it to MP4 (H.264) and try again.",
                    path=self._path,
                )
            self.facts |= {"duration": round(times.duration, 6), "variable": times.variable}
        finally:
            self._capture.release()
        if is_broken_off(self._path):
            raise TruncatedVideoError(
                "{path} breaks off after {count} frames ({seconds:.2f} s). These are kept; copy the file again to "
                "capture the rest.",
                path=self._path,
                count=times.count,
                seconds=times.duration,
            )
        self.warning = self._early_end(times)

    def _upright(self, image: Image) -> Image:
        """A frame as players show it; the rotation that is stated is that of its upper edge, mirrored or not."""
        if self._is_mirrored:
            image = np.asarray(cv2.flip(image, 0), np.uint8)
        return image if self._turn is None else np.asarray(cv2.rotate(image, self._turn), np.uint8)

    def _early_end(self, times: _Times) -> BdfmError | None:
        """What to say where the frames end long before what the container states."""
        least = _WHOLE * self._stated_frames
        if not np.isinf(self._end) or times.count >= least or times.duration >= least / self._fps:
            return None
        return TruncatedVideoError(
            "{path} ends after {count} of {of} frames; the file may be damaged. Copy it again, or convert it to MP4 "
            "(H.264).",
            path=self._path,
            count=times.count,
            of=self._stated_frames,
        )


class _Times:
    """Ascending times out of a stream's time stamps, and what they say about its rate."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._last = 0.0
        self._shortest, self._longest = float("inf"), 0.0
        self.count = 0

    def next(self, stamp: float) -> float:
        """The next frame's time: its stamp, or one period after the last where the stream has no usable stamp."""
        if self.count:
            step = stamp - self._last
            if not step > 0:
                step = self._period
                stamp = self._last + step
            self._shortest, self._longest = min(self._shortest, step), max(self._longest, step)
        self.count += 1
        self._last = stamp
        return stamp

    @property
    def duration(self) -> float:
        """Seconds to the end of the last frame."""
        return self._last + (self._last / (self.count - 1) if self.count > 1 else self._period)

    @property
    def variable(self) -> bool:
        """Whether frames follow each other at different distances."""
        return self.count > 2 and self._longest - self._shortest > VARIABLE_RATE * self._last / (self.count - 1)


class ImageSource:
    """Images that have nothing to do with each other. One that cannot be used is given as a frame without a picture;
    where it is the only one, the error is raised.

    Attributes: ``paths``, ``facts``, ``estimated_frames`` and ``warning`` as of :class:`VideoSource`.

    Args:
        paths: the files, in order.
        name: of the source in the take.
        fps: images a second; the image of index n has the time n / fps.
        start, end: seconds; images with ``start <= time < end`` are given.
    """

    is_video = False

    def __init__(
        self, paths: Sequence[Path], name: str, fps: float = 1.0, start: float = 0.0, end: float = float("inf")
    ) -> None:
        self.paths = tuple(paths)
        self.warning: BdfmError | None = None
        self._chosen = [(i, i / fps, path) for i, path in enumerate(paths) if start <= i / fps < end]
        self.facts: dict[str, Any] = {
            "name": name,
            "kind": "images",
            "size": None,
            "duration": round(len(paths) / fps, 6),
            "fps": fps,
            "variable": False,
            "rotation": 0,
        }
        self.estimated_frames = len(self._chosen)

    def __iter__(self) -> Iterator[Frame]:
        for index, time, path in self._chosen:
            try:
                image = load_image(path)
                _check_size(image.shape[1], image.shape[0], path)
            except BdfmError as error:
                if len(self.paths) == 1:
                    raise
                yield Frame(index, time, None, path.name, error)
                continue
            if self.facts["size"] is None:
                self.facts["size"] = [image.shape[1], image.shape[0]]
            yield Frame(index, time, image, path.name)


Source = VideoSource | ImageSource

SourceName = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""A path, a pattern, or the paths of images."""


def open_source(
    source: SourceName,
    start: float = 0.0,
    end: float = float("inf"),
    image_fps: float = 1.0,
    threads: int = 1,
    cancel: threading.Event | None = None,
) -> Source:
    """Open a video, an image, a folder of images, the images that a pattern such as ``shots/*.jpg`` names, or a list.

    Args:
        source: path or pattern, a path that exists being taken as it stands; or paths of images, in their order.
        start, end: seconds.
        image_fps: images a second, for the times of a list of images.
        threads: of the video decoder.
        cancel: when set, a video's frames end.

    Raises:
        InputNotFoundError, EmptyFolderError, NotAVideoError, NoVideoStreamError, TruncatedVideoError,
        FrameTooSmallError.
    """
    if not isinstance(source, (str, os.PathLike)):
        if not source:
            raise EmptyFolderError("The list names no image.")
        images = [Path(image) for image in source]
        return ImageSource(images, images[0].parent.name or images[0].name, image_fps, start, end)
    try:
        return _open_path(source, start, end, image_fps, threads, cancel)
    except OSError as error:
        raise InputNotFoundError(
            "{source}: cannot be read ({reason}). Copy it elsewhere.", source=source, reason=error.strerror or error
        ) from error


def _open_path(
    source: str | os.PathLike[str],
    start: float,
    end: float,
    image_fps: float,
    threads: int,
    cancel: threading.Event | None,
) -> Source:
    path = Path(source)
    if path.is_dir():
        files = sorted((p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()), key=_natural)
        if not files:
            raise EmptyFolderError(
                "{path}: the folder holds no image. Name a video, or a folder of JPEG or PNG.", path=path
            )
        return ImageSource(files, path.name or str(path.resolve()), image_fps, start, end)
    if path.is_file():
        if is_image(path):
            return ImageSource([path], path.name, image_fps, start, end)
        return VideoSource(path, start, end, threads, cancel)
    named = glob.glob(str(source), recursive=True)  # noqa: PTH207 (Path.glob takes no absolute pattern)
    matches = sorted((p for p in map(Path, named) if p.is_file()), key=_natural)
    if not matches:
        raise InputNotFoundError(
            "{source}: no such file, and no file of that pattern. Check the spelling.", source=source
        )
    if len(matches) == 1 and not is_image(matches[0]):
        return VideoSource(matches[0], start, end, threads, cancel)
    images = [p for p in matches if p.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise NotAVideoError(
            "{source} names {count} files and no image. Capture videos one at a time.",
            source=source,
            count=len(matches),
        )
    return ImageSource(images, str(source), image_fps, start, end)


def _natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key: numbers inside names by value (``shot2`` before ``shot10``)."""
    parts = re.findall(r"[0-9]+|[^0-9]+", str(path))
    return [(0, int(p), "") if p[0] in "0123456789" else (1, 0, p.casefold()) for p in parts], str(path)


def _check_size(width: int, height: int, path: Path) -> None:
    if min(width, height) < MINIMUM_SIDE:
        raise FrameTooSmallError(
            "{path}: the picture is {width} x {height} px; at least {least} px a side are needed. Use a larger "
            "version of it.",
            path=path,
            width=width,
            height=height,
            least=MINIMUM_SIDE,
        )


def _why_not_opened(path: Path) -> BdfmError:
    try:
        if is_broken_off(path):
            return TruncatedVideoError(
                "{path} breaks off before its index; nothing can be read from it. Copy or record the file again.",
                path=path,
            )
        if is_media(path):
            return NoVideoStreamError(
                "{path} holds no video that can be decoded (sound alone, or an unknown codec). Choose another file, "
                "or convert it to MP4 (H.264).",
                path=path,
            )
    except OSError as error:
        return InputNotFoundError(
            "{path} cannot be read: {reason}. Check its permissions.", path=path, reason=error.strerror
        )
    return NotAVideoError(
        "{path} is neither a video nor an image. Choose an MP4, MOV, MKV, AVI, JPEG or PNG file.",
        path=path,
    )
