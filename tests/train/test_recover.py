# SPDX-License-Identifier: MIT
"""A checkpoint out of the file that ships reads as the file does, and a training goes on from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from test_training import make_shard, tiny_config
from torch import Tensor, nn

from bdfm_infer.network import OUTPUTS
from bdfm_train import recover
from bdfm_train.config import Config
from bdfm_train.data.photo_pictures import PhotoPictures
from bdfm_train.data.photos import Photo, aligned_crops
from bdfm_train.data.training_data import TrainingData
from bdfm_train.errors import CheckpointError
from bdfm_train.export import export_reader
from bdfm_train.networks.checkpoints import build_reader, load_reader, write_checkpoint
from bdfm_train.networks.reader import ExportedReader, FaceReader
from bdfm_train.quantise import quantise_reader
from bdfm_train.training.reader import train_reader
from bdfm_train.training.work import Length, Run

TINY = tiny_config()


def pictures(count: int) -> list[Photo]:
    rng = np.random.default_rng(7)
    points = [(112 + 60 * np.cos(i), 112 + 60 * np.sin(i)) for i in range(68)]
    at = np.array(points, np.float32) + rng.normal(0, 3, (68, 2)).astype(np.float32)
    noise = [rng.integers(0, 256, (28, 28), np.uint8) for _ in range(count)]
    return [Photo(f"{i}.jpg", cv2.resize(x, (224, 224)), at, at[:36]) for i, x in enumerate(noise)]


@pytest.fixture
def trained() -> FaceReader:
    """With statistics and factors of batch normalisation that a training might have left."""
    torch.manual_seed(3)
    reader = build_reader(TINY)
    for layer in reader.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.3, 1.7)
            nn.init.normal_(layer.bias, 0.0, 0.3)
    with torch.no_grad():
        for _ in range(30):
            reader(torch.randn(8, 1, 96, 96))
    return reader.eval()


def readings(path: Path, crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(list(OUTPUTS), {"crops": crops})


def test_the_checkpoint_reads_as_the_file_does(
    trained: FaceReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Config, "load", classmethod(lambda cls, name: TINY))
    export_reader(ExportedReader(trained), tmp_path / "face.onnx")
    assert recover.recover_reader(tmp_path, TINY, pictures(12), tmp_path / "reader.pt") < 1e-4
    again, crops = load_reader(tmp_path / "reader.pt"), aligned_crops(pictures(20))[12:]
    with torch.no_grad():
        found = ExportedReader(again).eval()(torch.from_numpy(crops))
    for wanted, read in zip(readings(tmp_path / "face.onnx", crops), found, strict=True):
        np.testing.assert_allclose(read.numpy(), wanted, atol=1e-4)
    lengths = again.segmentation.stage2[0].first[0].weight.flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 2**0.5))


def joined(reader: FaceReader) -> dict[str, Tensor]:
    """Kernels times what batch normalisation multiplies by."""
    modules = dict(reader.named_modules())
    kernels = {}
    for name, layer in modules.items():
        norm = modules.get(f"{name[:-1]}1") if name.endswith(".0") and isinstance(layer, nn.Conv2d) else None
        if isinstance(norm, nn.BatchNorm2d) and ".parse." not in name:
            factor = norm.weight / (norm.running_var + norm.eps).sqrt()
            kernels[name] = (layer.weight * factor[:, None, None, None]).detach()
    return kernels


def test_from_8_bits_kernels_come_back_to_half_a_step(
    trained: FaceReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Config, "load", classmethod(lambda cls, name: TINY))
    export_reader(ExportedReader(trained), tmp_path / "face.onnx")
    quantise_reader(tmp_path / "face.onnx", pictures(12))
    assert recover.recover_reader(tmp_path, TINY, pictures(12), tmp_path / "reader.pt") > 1e-5
    again = load_reader(tmp_path / "reader.pt")
    before, after = joined(trained), joined(again)
    assert len(before) >= 15
    before["embed"], after["embed"] = trained.segmentation.embed[2].weight, again.segmentation.embed[2].weight
    for name, kernel in before.items():
        step = kernel.flatten(1).abs().amax(1) / 63  # weights have 7 bits, a scale for each channel
        assert ((kernel - after[name]).abs().flatten(1).amax(1) <= 0.51 * step).all(), name


def test_a_file_of_another_network_is_named(trained: FaceReader, tmp_path: Path) -> None:
    export_reader(ExportedReader(trained), tmp_path / "face.onnx")
    with pytest.raises(CheckpointError, match=r"face\.onnx is no reader of the configuration 'lite': .* differs"):
        recover.recover_reader(tmp_path, Config.load("lite"), pictures(2), tmp_path / "out.pt")
    (tmp_path / "face.onnx").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"face\.onnx cannot be read as ONNX"):
        recover.recover_reader(tmp_path, TINY, pictures(2), tmp_path / "out.pt")
    with pytest.raises(CheckpointError, match=r"cannot be read"):
        recover.recover_reader(tmp_path / "none", TINY, pictures(2), tmp_path / "out.pt")
    assert not (tmp_path / "out.pt").exists()


def test_a_training_begins_with_the_weights_it_is_given(trained: FaceReader, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    np.savez(tmp_path / "shards" / "one.npz", **vars(make_shard(12)))
    PhotoPictures.of(pictures(3)).save(tmp_path / "photos.npz")
    write_checkpoint({"average": trained.state_dict(), "config": "lite"}, tmp_path / "start.pt")
    data = TrainingData(Path(), tmp_path / "shards", pictures=tmp_path / "photos.npz")
    run = Run(tmp_path / "run", Length(steps=0))
    began = torch.load(train_reader(TINY, data, run, start=tmp_path / "start.pt"), weights_only=True)
    for part in ("reader", "average"):
        assert all(torch.equal(value, began[part][name]) for name, value in trained.state_dict().items())
    wider = replace(TINY, network=replace(TINY.network, width=16))
    with pytest.raises(CheckpointError, match="another network"):
        train_reader(wider, data, replace(run, work=tmp_path / "wider"), start=tmp_path / "start.pt")
