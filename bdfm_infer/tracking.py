# SPDX-License-Identifier: MIT
"""One face followed through a clip, frames in parallel, rows independent of the number of threads.

The crop of frame n uses the landmarks of frame n - :data:`LAG`, so that :data:`LAG` frames can be read at the same time
and what a frame starts from is the same whatever the timing. The frames that were under way when a face was found, or
found again, are read once more from that find: all of them then follow the same face.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from .faces import Face, FloatArray
from .frames import Frame
from .predictor import Predictor

LAG: Final = 4
"""Frames between a crop and the landmarks that it is aligned by."""

REACH: Final = 0.7
REACH_PER_SECOND: Final = 2.0
"""How far from its last place a lost face may be found again, in its own sides: :data:`REACH`, growing with time."""

Result = tuple[Frame, Face | None]


@dataclass(frozen=True, slots=True)
class _Start:
    """What a frame starts from: the face LAG frames earlier, and where and when the face was last seen until then."""

    face: Face | None
    place: FloatArray
    time: float


def read_images(
    predictor: Predictor, frames: Iterable[Frame], face: int, threads: int
) -> Generator[Result, None, None]:
    """Each picture's face of that number (0 is the largest), every picture on its own, in order."""

    def read(frame: Frame) -> Face | None:
        return None if frame.image is None else predictor.predict(frame.image, face)

    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Frame, Future[Face | None]]] = deque()
        for frame in frames:
            if len(waiting) == LAG:
                done, result = waiting.popleft()
                yield done, result.result()
            waiting.append((frame, pool.submit(read, frame)))
        for done, result in waiting:
            yield done, result.result()


def follow(predictor: Predictor, frames: Iterable[Frame], face: int, threads: int) -> Generator[Result, None, None]:
    """The face that has that number (0 is the largest) in the first frame with so many faces, followed, in order.

    An error of ``frames`` is raised after the results of all frames before it.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Frame, Future[Face | None]]] = deque()
        start: _Start | None = None

        def submit(frame: Frame) -> tuple[Frame, Future[Face | None]]:
            return frame, pool.submit(_read, predictor, frame, start, face)

        def finish() -> Result:
            nonlocal start
            frame, future = waiting.popleft()
            found = future.result()
            is_new = found is not None and (start is None or start.face is None)
            if found is not None:
                start = _Start(found, found.place, frame.time)
            elif start is not None:
                start = _Start(None, start.place, start.time)
            if is_new:
                for _ in range(len(waiting)):
                    again, outdated = waiting.popleft()
                    outdated.cancel()
                    waiting.append(submit(again))
            return frame, found

        error: Exception | None = None
        try:
            for frame in frames:
                if len(waiting) == LAG:
                    yield finish()
                waiting.append(submit(frame))
        except Exception as raised:
            error = raised
        while waiting:
            yield finish()
        if error is not None:
            raise error


def _read(predictor: Predictor, frame: Frame, start: _Start | None, number: int) -> Face | None:
    if frame.image is None:
        return None
    if start is None:
        return predictor.predict(frame.image, number)
    followed = None if start.face is None else predictor.follow(frame.image, start.face.landmarks)
    if followed is not None:
        return followed
    reach = REACH + REACH_PER_SECOND * (frame.time - start.time)
    return predictor.find_near(frame.image, start.place, reach)
