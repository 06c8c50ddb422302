# SPDX-License-Identifier: MIT
"""Texts over several lines."""

from __future__ import annotations

import pytest

from blender_addon.core.wrapping import wrapped


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("one", ["one"]),
        ("one two three", ["one two", "three"]),
        ("eight ab 12345678 c", ["eight ab", "12345678", "c"]),
        ("a 123456789012345678 b", ["a", "12345678", "90123456", "78 b"]),
        ("  spaces \n and\nlines ", ["spaces", "and", "lines"]),
    ],
)
def test_lines_of_eight_letters(text, lines):
    assert wrapped(text, lambda line: len(line) <= 8) == lines


def test_where_nothing_fits_each_letter_has_a_line():
    assert wrapped("ab c", lambda line: False) == ["a", "b", "c"]
