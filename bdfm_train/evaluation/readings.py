# SPDX-License-Identifier: MIT
"""What ``Predictor`` reads in labelled frames, as it is and with the person's face at rest as reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bdfm_infer import Predictor
from bdfm_infer.calibrate import Calibration
from bdfm_infer.frames import VideoSource
from bdfm_infer.images import load_image
from bdfm_infer.rows import Row
from bdfm_infer.take import Take

from .datasets.labels import Clip, Dataset

Reference = Literal["neutral", "median"]
"""``neutral``: a person's first frame with all coded units at rest. ``median``: of each clip, without labels."""

Image = NDArray[np.uint8]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Readings:
    """n labelled frames and what was read in them.

    Attributes:
        subjects: (n,) the people.
        clips: (n,) numbers of the clips.
        labels: (n, 23) as in :class:`Dataset`; NaN where a unit was not coded.
        action_units: (n, 23) intensities in [0, 1]; NaN where no face was found.
    """

    subjects: NDArray[np.str_]
    clips: NDArray[np.int64]
    labels: FloatArray
    action_units: FloatArray

    @property
    def found(self) -> NDArray[np.bool_]:
        """(n,) whether a face was found."""
        return ~np.isnan(self.action_units).any(1)

    def calibrated(self, reference: Reference) -> tuple[Readings, int]:
        """The readings with a reference taken out, and how many people or clips had none (they stay as they are)."""
        groups = self.subjects if reference == "neutral" else self.clips
        values = self.action_units.copy()
        without = 0
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            take = _take(values[rows])
            usable = take.success
            if reference == "neutral":
                coded = ~np.isnan(self.labels[rows])
                usable = usable & coded.any(1) & (np.where(coded, self.labels[rows], 0) == 0).all(1)
            if not usable.any():
                without += 1
                continue
            if reference == "neutral":
                at = float(take.timestamps[np.argmax(usable)])
                calibration = Calibration.from_take(take, at, at)
            else:
                calibration = Calibration.from_take(take)
            values[rows] = calibration.apply(take).action_units
        return replace(self, action_units=values), without


def _take(action_units: FloatArray) -> Take:
    """Readings (n, 23) as a take of one frame a second."""
    place = np.array([0.0, 0.0, 1.0])
    return Take.from_rows(
        [
            Row(i, float(i), 0.0) if np.isnan(row).any() else Row(i, float(i), 1.0, np.zeros(3), place, row)
            for i, row in enumerate(action_units)
        ]
    )


def read_dataset(dataset: Dataset, predictor: Predictor, every: int = 1) -> Readings:
    """Read each labelled frame by itself, the largest face.

    Args:
        dataset: what to read. Labelled frames that its video does not have are left out.
        predictor: reads them.
        every: read each n-th labelled frame alone.

    Raises:
        BdfmError: a picture or a video cannot be decoded.
    """
    subjects, clips, labels, values = [], [], [], []
    nothing = np.full(dataset.clips[0].labels.shape[1], np.nan)
    count = sum(len(clip.frames[::every]) for clip in dataset.clips)
    with tqdm(total=count, desc=dataset.title, unit="frame", disable=None) as progress:
        for number, clip in enumerate(dataset.clips):
            for row, image in _pictures(clip, every):
                face = predictor.predict(image)
                subjects.append(clip.subject)
                clips.append(number)
                labels.append(clip.labels[row])
                values.append(nothing if face is None else face.action_units)
                progress.update()
    shape = (-1, len(nothing))
    return Readings(
        np.array(subjects),
        np.array(clips, np.int64),
        np.array(labels, np.float64).reshape(shape),
        np.array(values, np.float64).reshape(shape),
    )


def _pictures(clip: Clip, every: int) -> Iterator[tuple[int, Image]]:
    """Number of the label and picture of each n-th labelled frame."""
    if isinstance(clip.source, Path):
        wanted = {int(frame): row for row, frame in enumerate(clip.frames) if row % every == 0}
        last = max(wanted)
        for frame in VideoSource(clip.source):
            if frame.index in wanted and frame.image is not None:
                yield wanted[frame.index], frame.image
            if frame.index >= last:
                break
        return
    for row in range(0, len(clip.source), every):
        yield row, load_image(clip.source[row])
