# SPDX-License-Identifier: MIT
"""Every face of a clip, each followed by its place, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final

from .faces import Face
from .frames import Frame
from .predictor import Predictor
from .tracking import Start, in_order, read_images

SEEK_EVERY: Final = 15
"""Frames from one look for new faces to the next. A look costs as much as following a face for some frames."""

SEEK_LOST_S: Final = 1.0
"""Seconds for which a lost face is looked for in each frame; from then on it is found again as new ones are."""

MOST_FACES: Final = 16

_SAME_FACE: Final = 0.4
"""Faces closer than this part of the larger one's side are one face."""

Faces = tuple[Face | None, ...]
"""One place a face, in the order in which they came, those of one frame by their size; it grows with new ones."""


@dataclass(frozen=True, slots=True)
class FrameFinds:
    """Attributes: the faces that were followed, one a known face; and all faces, where they were looked for."""

    followed: list[Face | None]
    seen: list[Face]


class Tracks:
    """All faces, frame by frame. Iterate once; an error of ``frames`` comes after the results of all frames before it.

    A lost face is looked for around its last place, as where one face is captured; no two faces become one.

    Args:
        predictor: reads the faces.
        frames: of a clip, in order.
        threads: frames read at the same time; results do not depend on it.
    """

    def __init__(self, predictor: Predictor, frames: Iterable[Frame], threads: int) -> None:
        self._predictor = predictor
        self._frames = frames
        self._threads = threads
        self._starts: list[Start | None] = []
        self._only: int | None = None

    def __iter__(self) -> Generator[tuple[Frame, Faces], None, None]:
        return in_order(self._frames, self._threads, self)

    def keep_only(self, number: int) -> None:
        """From now on follow one face alone; the others are given as None."""
        self._only = number
        self._starts = [start if i == number else None for i, start in enumerate(self._starts)]

    def reader(self) -> Callable[[Frame], FrameFinds]:
        """See :class:`bdfm_infer.tracking.Memory`."""
        return partial(self._read, tuple(self._starts))

    def learn(self, frame: Frame, finds: FrameFinds) -> tuple[Faces, bool]:
        """See :class:`bdfm_infer.tracking.Memory`."""
        faces = self._apart(finds.followed)
        is_new = False
        for face in self._nearest_to_lost_first(finds.seen, faces, frame.time):
            if not _is_apart(face, faces):
                continue
            lost = self._lost_nearest(face, faces, frame.time)
            if lost is not None:
                faces[lost] = face
            elif self._only is None and len(faces) < MOST_FACES:
                faces.append(face)
                self._starts.append(None)
            else:
                continue
            is_new = True
        self._starts = [Start.after(frame, *pair) for pair in zip(faces, self._starts, strict=True)]
        return tuple(faces), is_new

    def _read(self, starts: Sequence[Start | None], frame: Frame) -> FrameFinds:
        if frame.image is None:
            return FrameFinds([None] * len(starts), [])
        followed = [
            None if start is None or start.face is None else self._predictor.follow(frame.image, start.face.landmarks)
            for start in starts
        ]
        is_lost = any(
            start is not None and face is None and frame.time - start.time <= SEEK_LOST_S
            for start, face in zip(starts, followed, strict=True)
        )
        seek = is_lost or (self._only is None and (not starts or frame.index % SEEK_EVERY == 0))
        return FrameFinds(followed, self._predictor.faces(frame.image) if seek else [])

    def _apart(self, followed: Sequence[Face | None]) -> list[Face | None]:
        """Where two have come to lie on one face, it is that of the one that moved less; the other is lost."""
        faces: list[Face | None] = [None] * len(self._starts)
        moved = [
            (face.distance(start.place), i, face)
            for i, (face, start) in enumerate(zip(followed, self._starts, strict=True))
            if face is not None and start is not None
        ]
        for _, i, face in sorted(moved, key=lambda move: move[:2]):
            if _is_apart(face, faces):
                faces[i] = face
        return faces

    def _nearest_to_lost_first(self, seen: Sequence[Face], faces: Sequence[Face | None], time: float) -> list[Face]:
        def nearness(face: Face) -> float:
            lost = self._lost_nearest(face, faces, time)
            return float("inf") if lost is None else self._distance(face, lost)

        return sorted(seen, key=nearness)

    def _lost_nearest(self, face: Face, faces: Sequence[Face | None], time: float) -> int | None:
        """The lost face nearest to a face, among those within whose reach it is."""
        near = [
            i
            for i, start in enumerate(self._starts)
            if start is not None and faces[i] is None and self._distance(face, i) <= start.reach(time)
        ]
        return min(near, key=lambda i: self._distance(face, i), default=None)

    def _distance(self, face: Face, number: int) -> float:
        start = self._starts[number]
        return float("inf") if start is None else face.distance(start.place)


def read_all_images(
    predictor: Predictor, frames: Iterable[Frame], threads: int
) -> Generator[tuple[Frame, Faces], None, None]:
    """The faces of each picture, every picture on its own: the first place is the largest face's."""
    with closing(read_images(predictor.faces, frames, threads)) as results:
        for frame, faces in results:
            yield frame, tuple(faces or ())


def _is_apart(face: Face, others: Iterable[Face | None]) -> bool:
    return all(other is None or face.distance(other.place) > _SAME_FACE for other in others)
