# SPDX-License-Identifier: MIT
"""Presets: names in any script, files that are damaged, and nothing lost on the way."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from bdfm_infer.calibrate import Calibration
from bdfm_infer.smooth import Smoothing
from blender_addon.core.cleaning import Cleaning
from blender_addon.core.edits import Edits, UnitEdit
from blender_addon.core.presets import Preset, PresetError, list_presets, preset_path

CLEANING = Cleaning(
    Calibration({"AU04": 0.1}),
    Smoothing("one_euro", {"head": 3.0, "brows": 5.0, "lids": 14.0, "face": 8.0}),
    Edits({"AU12": UnitEdit(gain=1.5, mute=True)}, swap=True, rotation={"yaw": 0.5}),
)


@pytest.mark.parametrize("name", ["Anna", "Ängström", "演员一", "שחקן", "a b  c", "😀"])
def test_what_is_saved_is_loaded(tmp_path: Path, name: str) -> None:
    path = Preset(name, CLEANING).save(tmp_path / "new" / "folder")
    assert path == preset_path(tmp_path / "new" / "folder", name)
    assert Preset.load(path) == Preset(name, CLEANING)
    assert list_presets(path.parent) == [name]
    assert [file.suffix for file in path.parent.iterdir()] == [".json"]


def test_names_that_no_file_can_have_stay_apart(tmp_path: Path) -> None:
    names = ["A/B", "A:B", "A.B", "A_B", "A%2FB", "50%", "A%B"]
    for name in names:
        Preset(name, CLEANING).save(tmp_path)
    assert list_presets(tmp_path) == sorted(names)
    assert [Preset.load(preset_path(tmp_path, name)).name for name in names] == names


@pytest.mark.skipif(sys.platform != "linux", reason="such names are refused by the file system")
def test_names_that_blender_cannot_hold_are_not_offered(tmp_path: Path) -> None:
    path = Preset("Anna", CLEANING).save(tmp_path)
    path.with_stem(os.fsdecode(b"caf\xe9")).write_bytes(path.read_bytes())
    assert list_presets(tmp_path) == ["Anna"]
    assert list_presets(tmp_path / "none") == []


@pytest.mark.parametrize("name", ["../../x", "a/b", "con:1", "..", "x" * 300, 'q"\n'])
def test_no_name_leaves_the_folder(tmp_path: Path, name: str) -> None:
    path = Preset(name, Cleaning()).save(tmp_path)
    assert path.parent == tmp_path and path.is_file()


def test_a_preset_is_replaced_when_it_is_saved_again(tmp_path: Path) -> None:
    Preset("a", CLEANING).save(tmp_path)
    path = Preset("a", Cleaning()).save(tmp_path)
    assert Preset.load(path).cleaning == Cleaning()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[" * 50_000, "no preset"),
        ("[]", "no preset"),
        ('{"format_version": 2}', "no preset with format_version 1"),
        (json.dumps({"format_version": 1, "settings": [1]}), "no object"),
        (
            json.dumps({"format_version": 1, "settings": {"edits": {"units": {"AU12": {"gain": "x"}}}}}),
            "Set them again",
        ),
        (" " * 200_000, "no preset"),
    ],
)
def test_damaged_presets_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(PresetError, match=message):
        Preset.load(tmp_path / "p.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files on Windows")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.json")
    with pytest.raises(PresetError, match="no ordinary file"):
        Preset.load(tmp_path / "p.json")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PresetError, match="cannot be written"):
        Preset("a", CLEANING).save(tmp_path / "file")


def test_a_preset_that_cannot_be_put_in_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    preset_path(tmp_path, "a").mkdir()
    with pytest.raises(PresetError, match="cannot be written"):
        Preset("a", CLEANING).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
