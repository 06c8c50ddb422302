# SPDX-License-Identifier: MIT
"""How far a take is from the truth: correlation and mean absolute error of each action unit, and of the head's angles.

    python -m demo.accuracy TAKE TRUTH

Both files are takes; rows belong together by their frame number. Of TAKE the values as they are baked are measured,
that is, with the calibration and smoothing that its JSON file asks for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.cli_common import show_any_name
from bdfm_infer.errors import BdfmError, TakeFormatError
from bdfm_infer.parameters import ACTION_UNITS, ROTATION
from bdfm_infer.take import Take

MOVES = 0.02
"""Standard deviation of the truth below which a correlation means nothing (intensity; degrees for an angle)."""


@dataclass(frozen=True)
class Accuracy:
    """One channel against the truth.

    Attributes:
        channel: ``AU01`` … or ``yaw``, ``pitch``, ``roll``.
        correlation: Pearson's, -1 to 1; NaN where the truth does not move.
        error: mean absolute error, intensity (0 to 1) or degrees.
        top: largest true value (largest turn, for an angle).
    """

    channel: str
    correlation: float
    error: float
    top: float


def compare(take: Take, truth: Take) -> tuple[list[Accuracy], int]:
    """Each channel's accuracy, and the number of frames with a face that both takes have.

    Raises:
        TakeFormatError: the takes have no such frame in common.
    """
    _, rows, true_rows = np.intersect1d(take.frames[take.success], truth.frames[truth.success], return_indices=True)
    if len(rows) == 0:
        raise TakeFormatError("The takes have no frame with a face in common. Are they of the same clip?")
    measured = []
    for channel in (*ACTION_UNITS, *ROTATION):
        found = take.channel(channel)[take.success][rows]
        true = truth.channel(channel)[truth.success][true_rows]
        measured.append(
            Accuracy(channel, _correlation(found, true), float(abs(found - true).mean()), float(abs(true).max()))
        )
    return measured, len(rows)


def table(measured: Sequence[Accuracy]) -> str:
    """The figures as lines of text."""
    lines = [f"{'':18}{'':22}{'correlation':>12}{'mean error':>12}{'true maximum':>14}"]
    for row in measured:
        angle = row.channel in ROTATION
        name = "head" if angle else ACTION_UNITS[row.channel]
        correlation = "still" if np.isnan(row.correlation) else f"{row.correlation:.2f}"
        error, top = (f"{row.error:.1f}°", f"{row.top:.1f}°") if angle else (f"{row.error:.3f}", f"{row.top:.2f}")
        lines.append(f"{row.channel:18}{name:22}{correlation:>12}{error:>12}{top:>14}")
    units = [row for row in measured if row.channel not in ROTATION]
    moving = [row.correlation for row in units if not np.isnan(row.correlation)]
    mean = f"{np.mean(moving):.2f}" if moving else "still"
    lines.append(f"{'mean':18}{'action units':22}{mean:>12}{np.mean([row.error for row in units]):>12.3f}")
    return "\n".join(lines)


def _correlation(found: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    if true.std() < MOVES:
        return float("nan")
    return 0.0 if found.std() == 0 else float(np.corrcoef(found, true)[0, 1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures of a take; the exit code is that of an error, or 0."""
    parser = argparse.ArgumentParser("demo.accuracy", description="How far a take is from the truth.")
    parser.add_argument("take", help="a take's .csv")
    parser.add_argument("truth", help="the true values, as a take's .csv")
    options = parser.parse_args(arguments)
    show_any_name()
    try:
        measured, frames = compare(Take.read(options.take).processed(), Take.read(options.truth))
    except BdfmError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{frames} frames\n{table(measured)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
