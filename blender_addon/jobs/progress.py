# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker's events mean, in words for the artist."""

from __future__ import annotations

from typing import Any


def share(event: dict[str, Any]) -> float:
    """How much is done, 0 to 1; 0 where the length is not known."""
    frame, of = event.get("frame") or 0, event.get("of")
    return min(1.0, frame / of) if of else 0.0


def describe(event: dict[str, Any]) -> str:
    """Frames done, frames a second, time left."""
    frame, of, rate, left = (event.get(key) for key in ("frame", "of", "fps", "eta_s"))
    parts = [f"{frame or 0} of {of} frames" if of else f"{frame or 0} frames"]
    parts += [f"{rate:.0f} fps"] if rate else []
    parts += [f"{_clock(left)} left"] if left else []
    return ", ".join(parts)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
