# SPDX-License-Identifier: MIT
"""The sheet of one clip on many characters: what it can work out without them, and a small one of real characters."""

from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from bdfm_infer.errors import InputNotFoundError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from demo import figure5, pictures  # noqa: E402
from demo.blender import BlenderError  # noqa: E402
from demo.others import SOURCES, name_targets, others  # noqa: E402


def glb(facts):
    text = json.dumps(facts).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIIII", b"glTF", 2, 24 + len(text), len(text), 0x4E4F534A) + text + b"REST"


def test_names_of_shape_keys_come_to_where_the_importer_looks():
    primitive = {"extras": {"targetNames": ["ä", "b"]}}
    changed = name_targets(glb({"meshes": [{"primitives": [primitive]}, {"primitives": [{}]}]}))
    size = struct.unpack_from("<I", changed, 12)[0]
    assert struct.unpack_from("<I", changed, 8)[0] == len(changed)
    assert size % 4 == 0 and changed.endswith(b"REST")
    named, plain = json.loads(changed[20 : 20 + size])["meshes"]
    assert named["extras"]["targetNames"] == ["ä", "b"]
    assert "extras" not in plain


def test_characters_that_are_not_there_are_named(monkeypatch, tmp_path):
    assert len(others()) >= 3
    for folder in (None, tmp_path):
        if folder is None:
            monkeypatch.delenv(SOURCES, raising=False)
        else:
            monkeypatch.setenv(SOURCES, str(folder))
        with pytest.raises(InputNotFoundError, match=SOURCES):
            _ = others()["ict_head"].path


def test_a_sheet(monkeypatch, tmp_path, capsys):
    """A character of ours always, one of others where they are; the one that is not there is left out."""
    there = "BDFM_SOURCES" in os.environ
    if not there:
        monkeypatch.setenv(SOURCES, str(tmp_path))
    clip = ROOT / "examples/clip/sample.mp4"
    take = ROOT / "examples/clip/sample_truth.csv"
    arguments = [str(clip), "--take", str(take), "--out", str(tmp_path), "--rows", "20", "201"]
    code = figure5.main([*arguments, "--characters", "ict_head", "cartoon"])
    assert code == (0 if there else BlenderError.exit_code)
    assert ("ICT head is left out" in capsys.readouterr().err) != there
    sheet = cv2.imread(str(tmp_path / "sample_figure5.png"))
    lines = 3 if there else 2
    step = pictures.CELL + pictures.GAP
    assert sheet.shape[:2] == (pictures.TOP + lines * step, pictures.LEFT + 2 * step)
    for line in range(1, lines):
        top = pictures.TOP + line * step
        row = sheet[top : top + pictures.CELL, pictures.LEFT :].astype(int)
        one, other = row[:, : pictures.CELL], row[:, step : step + pictures.CELL]
        assert (np.abs(one - other).max(axis=2) > 30).mean() > 0.01, "the character does not change its face"
