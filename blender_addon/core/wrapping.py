# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts over several lines."""

from __future__ import annotations

from collections.abc import Callable


def wrapped(text: str, fits: Callable[[str], bool]) -> list[str]:
    """The lines of a text, broken between words; a word that does not fit by itself is broken too.

    Args:
        fits: whether a line is short enough.
    """
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if fits(longer):
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        rest = word
        while not fits(rest) and len(rest) > 1:
            size = next((size for size in range(len(rest) - 1, 1, -1) if fits(rest[:size])), 1)
            lines[-1:] = [rest[:size], ""]
            rest = rest[size:]
        lines[-1] = rest
    return lines
