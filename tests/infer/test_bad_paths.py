# SPDX-License-Identifier: MIT
"""Paths that cannot be used: a report and an exit code, never a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from media import write_video

from bdfm_infer.cli import main
from bdfm_infer.errors import (
    BdfmError,
    InputNotFoundError,
    NotAVideoError,
    OutputExistsError,
    TakeFormatError,
    WriteError,
)
from bdfm_infer.parameters import N_AU
from bdfm_infer.rows import Row
from bdfm_infer.take import TakeWriter

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "screenshots" / "01-tab.png"
LONG = "a" * 300
CODES = {
    InputNotFoundError.exit_code,
    NotAVideoError.exit_code,
    TakeFormatError.exit_code,
    WriteError.exit_code,
    BdfmError.exit_code,
}


@pytest.mark.parametrize(
    "words",
    [
        ["info", LONG],
        ["info", "loop.mp4"],
        ["capture", LONG, "-o", "take"],
        ["capture", "picture.png", "-o", LONG],
        ["capture", "picture.png", "-o", LONG, "--face", "all"],
        ["capture", "picture.png", "-o", "/"],
        ["capture", os.devnull, "-o", "take"],
        ["capture", "https://example.com/clip.mp4", "-o", "take"],
        ["capture", "other.mp4", "-o", "take"],
        ["capture", "playlist.mp4", "-o", "take"],
        ["export", LONG, "--to", "openface", "-o", "table.csv"],
        ["export", "", "--to", "openface", "-o", "table.csv"],
        ["batch", LONG, "-o", "takes"],
        ["faces", LONG, "-o", "faces"],
        ["pictures", LONG, "--source", "picture.png", "-o", "pictures"],
    ],
    ids=" ".join,
)
def test_paths_that_cannot_be_used(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop.mp4").symlink_to("loop.mp4")
    Path("other.mp4").write_text("ffconcat version 1.0\nfile loop.mp4\n")
    Path("playlist.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/clip.ts\n")
    Path("picture.png").write_bytes(PICTURE.read_bytes())
    assert main(words) in CODES
    assert capsys.readouterr().err.startswith("bdfm-infer: ")


@pytest.mark.parametrize(
    "words",
    [
        ["export", "take", "--to", "openface", "-o", "take.csv"],
        ["export", "take.csv", "--to", "livelinkface", "-o", "folder/../take.json"],
        ["capture", "names.csv", "--list", "-o", "names.csv"],
        ["capture", "new-face1.csv", "--list", "-o", "new", "--face", "all"],
        ["capture", "cl*.mp4", "-o", "new", "--avatar", "clip.mp4"],
        ["capture", "names.csv", "--list", "-o", "new", "--avatar", "folder/1.mp4"],
        ["capture", "clip.mp4", "-o", "new", "--avatar", "clip.mp4"],
    ],
    ids=" ".join,
)
def test_what_is_read_is_never_written_over(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for name in ("1.mp4", "2.png"):
        (tmp_path / "folder" / name).write_bytes(PICTURE.read_bytes())
    for name in ("names.csv", "new-face1.csv"):
        Path(name).write_text("folder/1.mp4\nfolder/2.png\n")
    with TakeWriter("take", {}) as writer:
        writer.append(Row(0, 0.0, 0.9, np.zeros(3), np.ones(3), np.zeros(N_AU)))
    write_video(tmp_path / "clip.mp4", [np.zeros((64, 64, 3), np.uint8)] * 3)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert main([*words, "--overwrite"]) == OutputExistsError.exit_code
    assert "is what is read" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="no such rights on Windows")
def test_a_folder_that_must_not_be_entered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Root, who may enter any folder, becomes nobody."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "clip.mp4").write_bytes(b"")
    (tmp_path / "closed").chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        code = main(["info", str(tmp_path / "closed" / "clip.mp4")])
    finally:
        if is_root:
            os.seteuid(0)
        (tmp_path / "closed").chmod(0o700)
    assert code == InputNotFoundError.exit_code
    assert "Permission denied" in capsys.readouterr().err
