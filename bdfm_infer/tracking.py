# SPDX-License-Identifier: MIT
"""One face followed through a clip, frames in parallel, rows independent of the number of threads.

The crop of frame n uses the landmarks of frame n - :data:`LAG`, so that :data:`LAG` frames can be read at the same time
and what a frame starts from is the same whatever the timing. The frames that were under way when a face was found, or
found again, are read once more from that find: all of them then follow the same face.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeVar

from .faces import Face, FloatArray
from .frames import Frame, Image
from .predictor import Predictor

LAG: Final = 4
"""Frames between a crop and the landmarks that it is aligned by."""

REACH: Final = 0.7
REACH_PER_SECOND: Final = 2.0
"""How far from its last place a lost face may be found again, in its own sides: :data:`REACH`, growing with time."""

Result = tuple[Frame, Face | None]
Finds = TypeVar("Finds")
"""What is read in one frame."""
Found = TypeVar("Found", covariant=True)
"""What is known of it once the frames before it are done."""


def read_images(
    predict: Callable[[Image], Found], frames: Iterable[Frame], threads: int
) -> Generator[tuple[Frame, Found | None], None, None]:
    """What is found in each picture, every picture on its own, in order; None where there is no picture."""

    def read(frame: Frame) -> Found | None:
        return None if frame.image is None else predict(frame.image)

    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Frame, Future[Found | None]]] = deque()
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
    return in_order(frames, threads, _OneFace(predictor, face))


class Memory(Protocol[Finds, Found]):
    """What is known of the frames that are done, for those that are begun next."""

    def reader(self) -> Callable[[Frame], Finds]:
        """Reads a frame by what is known now; it is called in another thread."""

    def learn(self, frame: Frame, finds: Finds) -> tuple[Found, bool]:
        """Take in what was read in the next frame. Returns its result, and whether frames under way are outdated."""


def in_order(
    frames: Iterable[Frame], threads: int, memory: Memory[Finds, Found]
) -> Generator[tuple[Frame, Found], None, None]:
    """Frames with what a memory learns of them: each starts from what is known :data:`LAG` frames earlier.

    An error of ``frames`` is raised after the results of all frames before it.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Frame, Future[Finds]]] = deque()

        def submit(frame: Frame) -> tuple[Frame, Future[Finds]]:
            return frame, pool.submit(memory.reader(), frame)

        def finish() -> tuple[Frame, Found]:
            frame, future = waiting.popleft()
            found, is_new = memory.learn(frame, future.result())
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


@dataclass(frozen=True, slots=True)
class Start:
    """What a frame starts from: the face LAG frames earlier, and where and when the face was last seen until then."""

    face: Face | None
    place: FloatArray
    time: float

    @classmethod
    def after(cls, frame: Frame, found: Face | None, before: Start | None) -> Start | None:
        """What is known once a frame is done."""
        if found is not None:
            return cls(found, found.place, frame.time)
        return before and cls(None, before.place, before.time)

    def reach(self, time: float) -> float:
        """How far from its last place a lost face may be at a time, in sides."""
        return REACH + REACH_PER_SECOND * (time - self.time)


class _OneFace:
    """Follows one face. Parameters as in :func:`follow`."""

    def __init__(self, predictor: Predictor, number: int) -> None:
        self._predictor = predictor
        self._number = number
        self._start: Start | None = None

    def reader(self) -> Callable[[Frame], Face | None]:
        return partial(self._read, self._start)

    def learn(self, frame: Frame, finds: Face | None) -> tuple[Face | None, bool]:
        is_new = finds is not None and (self._start is None or self._start.face is None)
        self._start = Start.after(frame, finds, self._start)
        return finds, is_new

    def _read(self, start: Start | None, frame: Frame) -> Face | None:
        if frame.image is None:
            return None
        if start is None:
            return self._predictor.predict(frame.image, self._number)
        followed = None if start.face is None else self._predictor.follow(frame.image, start.face.landmarks)
        if followed is not None:
            return followed
        return self._predictor.find_near(frame.image, start.place, start.reach(frame.time))
