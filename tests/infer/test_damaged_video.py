# SPDX-License-Identifier: MIT
"""Videos whose frames end long before their container says."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from media import write_video
from synthetic_face import picture
from test_command_line import command

from bdfm_infer import CaptureOptions, Predictor, capture
from bdfm_infer.batch import SUMMARY
from bdfm_infer.errors import BdfmError
from bdfm_infer.frames import open_source

FACE = (80.0, 60.0, 60.0, 0.6, 0.0)
N = 20


@pytest.fixture
def promising(tmp_path: Path) -> Path:
    """An AVI of 20 frames that promises 80."""
    path = write_video(tmp_path / "clip.avi", [picture(160, 120, FACE)] * N)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"avih") + 8 + 16, 4 * N)
    struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, 4 * N)
    path.write_bytes(bytes(data))
    return path


def warnings_of(path: Path, predictor: Predictor, options: CaptureOptions | None = None) -> list[str]:
    said: list[BdfmError] = []
    capture(path, None, options, predictor=predictor, warn=said.append)
    return [str(warning) for warning in said]


def test_a_video_that_ends_early_is_reported(promising: Path, predictor: Predictor) -> None:
    (said,) = warnings_of(promising, predictor)
    assert f"ends after {N} of {4 * N} frames" in said


def test_nothing_is_said_of_a_whole_one_or_of_a_stretch(promising: Path, predictor: Predictor, tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", [picture(160, 120, FACE)] * N)
    assert warnings_of(whole, predictor) == []
    assert warnings_of(promising, predictor, CaptureOptions(end=2.0)) == []


def test_a_batch_says_so_too(promising: Path, weights: Path, tmp_path: Path) -> None:
    done = command("batch", promising, "-o", tmp_path / "takes", "--weights", weights)
    assert done.returncode == 0
    assert done.stderr.startswith("bdfm-infer: warning: ") and f"ends after {N} of {4 * N} frames" in done.stderr
    (said,) = json.loads((tmp_path / "takes" / SUMMARY).read_text())["clips"]
    assert (said["status"], said["code"]) == ("done", "truncated")
    assert said["message"] in done.stderr


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_damaged_middle_is_said(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (96, 128, 3), np.uint8)
    path = write_video(tmp_path / f"clip{suffix}", (np.roll(noise, 3 * i, 1) for i in range(60)))
    data = path.read_bytes()
    begin, end = len(data) * 3 // 10, len(data) * 8 // 10
    path.write_bytes(data[:begin] + bytes(end - begin) + data[end:])
    source = open_source(path)
    count = sum(1 for _ in source)
    assert 0 < count < 54
    assert source.warning is not None and f"ends after {count} of 60 frames" in str(source.warning)
