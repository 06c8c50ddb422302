# SPDX-License-Identifier: MIT
"""Files that are damaged or cannot be written: what is said, and that nothing is lost."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from test_training import make_shard

from bdfm_infer.errors import WriteError
from bdfm_infer.network import OWN_WEIGHTS
from bdfm_train import cli
from bdfm_train.arrays import read_array, read_arrays, write_array, write_arrays, write_picture
from bdfm_train.config import Config
from bdfm_train.data.shards import ShardPool
from bdfm_train.detector.faces import Renders
from bdfm_train.errors import ArraysError, CheckpointError
from bdfm_train.networks.checkpoints import build_reader, load_reader, write_checkpoint


def test_files_of_arrays_that_are_none_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    good = tmp_path / "good.npz"
    write_arrays(good, {"a": np.zeros((50, 50))}, compressed=True)
    for content in (None, b"", b"text", good.read_bytes()[:200], good.read_bytes().replace(b"\x00" * 8, b"\x01" * 8)):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ArraysError, match=r"x\.npz is no heap of things .*python -m some\.module --help"):
            read_arrays(path, ("a",), "heap of things", "some.module")
    with pytest.raises(ArraysError, match=r"good\.npz"):
        read_arrays(good, ("b",), "heap of things", "some.module")
    write_array(tmp_path / "y.npy", np.zeros((3, 96, 96), np.float32))
    for name in ("y.npy", "good.npz", "none.npy"):
        with pytest.raises(ArraysError, match=f"{name} holds no pictures of 96 pixels"):
            read_array(tmp_path / name, 96, "bdfm_train negatives")
    with pytest.raises(ArraysError, match="file of renders for the detector"):
        Renders.load(good)


def test_a_checkpoint_with_one_byte_changed_or_no_numbers_is_refused(tmp_path: Path) -> None:
    model = build_reader(Config.load("lite"))
    path = tmp_path / "reader.pt"
    write_checkpoint({"average": model.state_dict(), "config": "lite"}, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "changed.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"changed\.pt is damaged"):
        load_reader(tmp_path / "changed.pt")
    with torch.no_grad():
        next(model.parameters())[0] = math.nan
    write_checkpoint({"average": model.state_dict(), "config": "lite"}, path)
    with pytest.raises(CheckpointError, match="no numbers"):
        load_reader(path)


def test_an_export_that_fails_leaves_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, checkpoint = tmp_path / "weights", tmp_path / "reader.pt"
    shutil.copytree(OWN_WEIGHTS, weights)
    before = {path.name: path.read_bytes() for path in weights.iterdir()}
    write_checkpoint({"average": build_reader(Config.load("lite")).state_dict(), "config": "lite"}, checkpoint)
    monkeypatch.delenv("BDFM_SOURCES", raising=False)
    assert cli.main(["export", "--checkpoint", str(checkpoint), "--out", str(weights), "--id", "new"]) != 0
    assert {path.name: path.read_bytes() for path in weights.iterdir()} == before


def test_shards_are_drawn_alike_whenever_they_were_written(tmp_path: Path) -> None:
    shard = vars(make_shard())
    for name in ("a.npz", "b.npz"):
        write_arrays(tmp_path / name, shard)
    orders = []
    for first, second in (("a.npz", "b.npz"), ("b.npz", "a.npz")):
        for seconds, name in enumerate((first, second)):
            os.utime(tmp_path / name, (seconds, seconds))
        pool = ShardPool(tmp_path, "*.npz", 4)
        pool.refresh()
        orders.append(list(pool.shards))
    assert orders[0] == orders[1]
    with pytest.raises(ArraysError, match="no pattern"):
        ShardPool(tmp_path, "", 4).refresh()


def test_a_picture_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    write_picture(tmp_path / "new" / "x.png", picture)
    assert np.array_equal(cv2.imread(str(tmp_path / "new" / "x.png")), picture)
    for name in ("x", "x.text"):
        with pytest.raises(WriteError, match=r"Name a \.png file"):
            write_picture(tmp_path / name, picture)
    with pytest.raises(WriteError, match="cannot be written"):
        write_picture(tmp_path / "new" / "x.png" / "x.png", picture)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x.png"]
