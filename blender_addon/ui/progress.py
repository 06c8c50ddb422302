# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker's events and its end mean, in the artist's words."""

from __future__ import annotations

from typing import Any

from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_

from ..blender.texts import artist_text
from ..jobs.worker import Outcome


def share(event: dict[str, Any]) -> float:
    """How much is done, 0 to 1; 0 where the length is not known."""
    frame, of = event.get("frame") or 0, event.get("of")
    return min(1.0, frame / of) if of else 0.0


def describe(event: dict[str, Any]) -> str:
    """Frames done, frames a second, time left."""
    frame, of, rate, left = (event.get(key) for key in ("frame", "of", "fps", "eta_s"))
    frames = iface_("{frame} of {of} frames") if of else iface_("{frame} frames")
    parts = [frames.format(frame=frame or 0, of=of)]
    parts += [iface_("{rate:.0f} fps").format(rate=rate)] if rate else []
    parts += [iface_("{time} left").format(time=_clock(left))] if left else []
    return ", ".join(parts)


def describe_end(outcome: Outcome) -> str:
    """One or two sentences: what happened, and what was kept."""
    frames = outcome.frames
    if outcome.error is None and not outcome.cancelled:
        return rpt_("Captured {count} frames: {where}").format(count=frames, where=_where(outcome))
    kept = rpt_("{count} frames are kept: {where}").format(count=frames, where=_where(outcome)) if frames else ""
    why = rpt_("Cancelled.") if outcome.error is None else artist_text(outcome.error)
    return f"{why} {kept or rpt_('Nothing was captured.')}"


def _where(outcome: Outcome) -> str:
    first, *others = outcome.takes
    return rpt_("{take} and {count} more").format(take=first, count=len(others)) if others else str(first)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
