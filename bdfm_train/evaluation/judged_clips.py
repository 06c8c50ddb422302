# SPDX-License-Identifier: MIT
"""What is read from the measuring clips against what was seen in them, frame by frame (``data/clips_judged.csv``)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_NAMES
from bdfm_infer.take import Take
from bdfm_train.errors import MeasureError

from .statistics import rank_correlation

OPEN, HALF, CLOSED = 0, 1, 2
"""Judgements of the eyes."""
SHUT: Final = 0
"""Judgement of a closed mouth; 1 is a little open, 2 open."""

BLINK: Final = 0.5
"""Mean closure of both eyes from which an eye counts as closed."""

STILL: Final = 5
"""Least frames in a row with eyes open and mouth shut in which a face counts as still."""
SETTLING: Final = 2
"""Frames at both ends of such a stretch that are left out: the mouth is still on its way there."""
STEADY: Final = 0.02
"""Goal for the standard deviation of an action unit while the face is still."""

_TABLE: Final = Path(__file__).parent / "data" / "clips_judged.csv"

FloatArray = NDArray[np.float64]
Stretch = tuple[int, int]
"""First frame, and the one after the last."""


@dataclass(frozen=True)
class JudgedClip:
    """What was seen in a clip of n frames.

    Attributes:
        eyes: (n,) 0 open, 1 half, 2 closed.
        mouth: (n,) 0 shut, 1 a little open, 2 open.
    """

    eyes: NDArray[np.int64]
    mouth: NDArray[np.int64]

    @property
    def blinks(self) -> list[Stretch]:
        """Stretches of half or wholly closed eyes with at least one frame of closed ones."""
        return [(a, b) for a, b in stretches(self.eyes > OPEN) if (self.eyes[a:b] == CLOSED).any()]

    @property
    def still(self) -> list[Stretch]:
        """Stretches in which eyes are open and the mouth is shut, without their ends within the clip."""
        last = len(self.eyes)
        runs = [(a, b) for a, b in stretches((self.eyes == OPEN) & (self.mouth == SHUT)) if b - a >= STILL]
        return [(a + SETTLING * (a > 0), b - SETTLING * (b < last)) for a, b in runs]


def load_judged(path: Path = _TABLE) -> dict[str, JudgedClip]:
    """Judgements by clip.

    Raises:
        MeasureError: frames are missing, or a judgement is none of 0, 1, 2.
    """
    rows: dict[str, list[tuple[int, int, int]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            if not {row["eyes"], row["mouth"]} <= {"0", "1", "2"}:
                raise MeasureError(f"{path}: {row['clip']} frame {row['frame']}: write 0, 1 or 2.")
            rows.setdefault(row["clip"], []).append((int(row["frame"]), int(row["eyes"]), int(row["mouth"])))
    clips = {}
    for clip, judged in rows.items():
        table = np.array(sorted(judged))
        if not np.array_equal(table[:, 0], np.arange(len(table))):
            raise MeasureError(f"{path}: {clip} needs one row for each frame from 0 on.")
        clips[clip] = JudgedClip(table[:, 1], table[:, 2])
    return clips


def stretches(mask: NDArray[np.bool_]) -> list[Stretch]:
    """Runs of true values."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def closure(take: Take) -> FloatArray:
    """Mean closure of both eyes, (n,)."""
    return (take.channel("eye_closed_left") + take.channel("eye_closed_right")) / 2


def false_blinks(read: FloatArray, eyes: NDArray[np.int64]) -> int:
    """Stretches (n,) of closure above :data:`BLINK` that do not touch a frame in which the eyes are seen to close."""
    near = np.convolve(eyes > OPEN, np.ones(3), "same") > 0
    return sum(not near[a:b].any() for a, b in stretches(np.nan_to_num(read) > BLINK))


def deviation(take: Take, still: list[Stretch]) -> FloatArray:
    """Standard deviation of each unit (23,) while still, each stretch about its own mean; NaN without a stretch."""
    parts = [take.action_units[a:b] for a, b in still]
    if not parts:
        return np.full(len(AU_NAMES), np.nan)
    squares = np.concatenate([(part - np.nanmean(part, 0)) ** 2 for part in parts])
    return np.sqrt(np.nanmean(squares, 0))


def report_lines(take: Take, judged: JudgedClip) -> list[str]:
    """One clip's figures against what was seen in it.

    Raises:
        MeasureError: the take has another number of frames.
    """
    if len(take) != len(judged.eyes):
        raise MeasureError(f"The clip has {len(take)} frames, judged were {len(judged.eyes)}. Name the same clips.")
    read = closure(take)
    peaks = [float(np.nanmax(read[a:b])) for a, b in judged.blinks]
    found = sum(peak > BLINK for peak in peaks)
    mouth = take.channel("AU25") + take.channel("AU26")
    known = ~np.isnan(mouth)
    frames = sum(b - a for a, b in judged.still)
    lines = [
        f"  blinks seen {len(peaks)}, found {found} (closure above {BLINK:g}; at most "
        f"{', '.join(f'{p:.2f}' for p in peaks) or '-'}), false {false_blinks(read, judged.eyes)}",
        f"  mouth: AU25 + AU26 goes with what was seen, rank correlation "
        f"{rank_correlation(judged.mouth[known], mouth[known]):.2f}",
    ]
    for name, values in (("raw", take), ("smoothed as by default", take.processed())):
        spread = deviation(values, judged.still)
        if np.isnan(spread).all():
            lines.append("  at no time still")
            break
        worst = ", ".join(f"{AU_NAMES[i]} {spread[i]:.3f}" for i in np.argsort(spread)[::-1][:5])
        lines.append(
            f"  still for {frames} frames, {name}: deviation under {STEADY:g} in {int((spread < STEADY).sum())} of "
            f"{len(spread)} units, mean {spread.mean():.3f}, most: {worst}"
        )
    return lines
