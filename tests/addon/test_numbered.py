# SPDX-License-Identifier: MIT
"""Files told to be the frames of one clip by the last number of their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from blender_addon.core.numbered import numbered_from


def test_files_from_one_on_by_number(tmp_path: Path) -> None:
    for name in ("s2_8.png", "s2_9.png", "s2_10.png", "s2_12.png", "s3_11.png", "s2_11.jpg", "S2_11.png", "s2_x.png"):
        (tmp_path / name).touch()

    def names(first: str) -> list[str]:
        return [path.name for path in numbered_from(tmp_path / first)]

    assert names("s2_9.png") == ["s2_9.png", "s2_10.png"]
    assert names("s2_8.png") == ["s2_8.png", "s2_9.png", "s2_10.png"]
    assert names("s2_12.png") == ["s2_12.png"]
    assert names("s2_x.png") == ["s2_x.png"]


def test_a_name_without_a_number_stands_alone(tmp_path: Path) -> None:
    assert numbered_from(tmp_path / "face.png") == (tmp_path / "face.png",)


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        numbered_from(tmp_path / "gone" / "a1.png")
