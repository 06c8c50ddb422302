# SPDX-License-Identifier: MIT
"""Files that are damaged or cannot be written: what is said, and that nothing is lost."""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from test_training import make_shard

from bdfm_infer.errors import WriteError
from bdfm_infer.network import OWN_WEIGHTS
from bdfm_train import cli
from bdfm_train.arrays import Form, read_array, read_arrays, write_array, write_arrays, write_picture
from bdfm_train.config import Config
from bdfm_train.data.photo_pictures import PhotoPictures
from bdfm_train.data.shards import Shard, ShardPool
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
            read_arrays(path, {"a": Form((50, 50), np.float32)}, "heap of things", "some.module")
    with pytest.raises(ArraysError, match=r"good\.npz"):
        read_arrays(good, {"b": Form((50, 50), np.float32)}, "heap of things", "some.module")
    write_array(tmp_path / "y.npy", np.zeros((3, 96, 96), np.float32))
    for name in ("y.npy", "good.npz", "none.npy"):
        with pytest.raises(ArraysError, match=f"{name} holds no pictures of 96 pixels"):
            read_array(tmp_path / name, 96, "bdfm_train negatives")
    with pytest.raises(ArraysError, match="file of renders for the detector"):
        Renders.load(good)


def test_arrays_are_read_as_their_forms_say(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    pairs = {"a": Form(("n", 2), np.float32, 0.0, 1.0, unknown=True), "b": Form(("n",), np.uint8, most=3)}
    write_arrays(path, {"a": np.array([[0.0, np.nan], [1.0, 0.5]]), "b": np.arange(2, dtype=np.uint8), "c": 5})
    a, b = read_arrays(path, pairs, "heap", "some.module")
    assert a.dtype == np.float32 and np.array_equal(a, [[0.0, np.nan], [1.0, 0.5]], equal_nan=True)
    assert b.tolist() == [0, 1]
    assert str(read_arrays(path, {"c": Form((), np.int64)}, "heap", "some.module")[0]) == "5"


WRONG = {
    "images": (np.zeros((6, 144, 100), np.uint8), r"images is uint8 of \(6, 144, 100\) where uint8 of \(n, s, s\)"),
    "images no rows": (np.zeros((0, 144, 144), np.uint8), r"images is uint8 of \(0, 144, 144\)"),
    "images numbers": (np.zeros((6, 144, 144)), "images is float64"),
    "parameters": (np.full((6, 269), 1.01, np.float16), "parameters holds what is no number, or none from 0 to 1"),
    "parameters -": (np.full((6, 269), -0.01, np.float16), "parameters holds"),
    "landmarks": (np.full((6, 68, 2), np.nan, np.float32), "landmarks holds what is no number"),
    "landmarks inf": (np.full((6, 68, 2), np.inf, np.float32), "landmarks holds what is no number"),
    "landmarks fewer": (np.zeros((5, 68, 2), np.float32), r"landmarks is float32 of \(5, 68, 2\)"),
    "landmarks flat": (np.zeros((6, 136), np.float32), r"landmarks is float32 of \(6, 136\)"),
    "labels": (np.full((6, 72, 72), 14, np.uint8), "labels holds .* to 13"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_shard_of_another_form_is_refused(tmp_path: Path, case: str) -> None:
    array, message = WRONG[case]
    write_arrays(tmp_path / "one.npz", vars(make_shard()) | {case.split()[0]: array})
    with pytest.raises(ArraysError, match=f"one.npz is no shard of renders .*{message}"):
        Shard.load(tmp_path / "one.npz")


def test_pictures_name_no_photo_that_is_not_there(tmp_path: Path) -> None:
    pictures = PhotoPictures(
        images=np.zeros((2, 192, 192), np.uint8),
        landmarks=np.zeros((2, 68, 2), np.float32),
        labels=np.zeros((2, 96, 96), np.uint8),
        grades=np.full((2, 23), np.nan, np.float32),
        origin=np.array([0, 1]),
        changes=np.zeros((2, 23), np.float32),
    )
    pictures.save(tmp_path / "x.npz")
    assert np.isnan(PhotoPictures.load(tmp_path / "x.npz").grades).all()
    for origin in ([0, 2], [-1, 0]):
        replace(pictures, origin=np.array(origin)).save(tmp_path / "x.npz")
        with pytest.raises(ArraysError, match="origin"):
            PhotoPictures.load(tmp_path / "x.npz")


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


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--id", " ", "it is empty"),
        ("--id", "a\nb", "more than a line"),
        ("--score", "1.5", "not within 0 and 1"),
        ("--score", "nan", "not within 0 and 1"),
        ("--confidence", "-0.1", "not within 0 and 1"),
    ],
)
def test_export_takes_no_model_without_a_name_or_with_other_thresholds(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["export", "--checkpoint", "c", "--out", "o", "--id", "i", f"{option}={value}"])
    assert f"argument {option}" in (said := capsys.readouterr().err) and message in said


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
