# SPDX-License-Identifier: MIT
"""G from files to files: ``generator``, ``generator-eval``, ``-export``, ``-recover``, and what the second reports."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bdfm_infer.alignment import FIVE_POINTS
from bdfm_infer.avatar import SIZE, Avatar
from bdfm_infer.parameters import N_PARAMETERS, base_face
from bdfm_train.cli import main
from bdfm_train.config import Config
from bdfm_train.config.generator import OWN_CONFIG
from bdfm_train.evaluation.generator import report
from bdfm_train.export import write_model
from bdfm_train.face_model.pairs import Pairs, shard_path
from bdfm_train.networks.checkpoints import build_reader, write_checkpoint
from bdfm_train.networks.segmentation import SegmentationNetwork
from bdfm_train.networks.vgg16 import Vgg16
from bdfm_train.training.generator import load_generator, pictures


@pytest.fixture(scope="module")
def faces() -> Pairs:
    """Eight blurred blots; the first parameter of each is its number."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, SIZE, SIZE, 3)).astype(np.uint8)
    images = np.stack([cv2.GaussianBlur(image, (0, 0), 5) for image in images])
    parameters = rng.random((8, N_PARAMETERS)).astype(np.float32)
    parameters[:, 0] = np.arange(8) / 8
    landmarks = np.full((8, 68, 2), 0.5, np.float32)
    landmarks[:, 36:42], landmarks[:, 42:48], landmarks[:, [30, 48, 54]] = *FIVE_POINTS[:2, None], FIVE_POINTS[2:]
    return Pairs(images, parameters, landmarks * SIZE, np.arange(8) < 3, "a")


class Perfect(nn.Module):
    """G that knows the pictures."""

    def __init__(self, faces: Pairs) -> None:
        super().__init__()
        self.images = pictures(faces.images)

    def forward(self, y: Tensor) -> Tensor:
        return self.images[(y[:, 0] * 8).round().long()]


def test_uniform_faces_and_those_that_occur_are_reported_apart(faces: Pairs) -> None:
    torch.manual_seed(0)
    lines = report(Perfect(faces), faces, SegmentationNetwork(8, (1, 1, 1, 1), 96).eval()).splitlines()  # type: ignore[arg-type]
    assert [line.split(": SSIM")[0] for line in lines] == [
        "head a, uniform, 3 pairs, G",
        "head a, uniform, 3 pairs, mean picture",
        "head a, as faces occur, 5 pairs, G",
        "head a, as faces occur, 5 pairs, mean picture",
    ]
    ssim, l1, landmarks = zip(*(map(float, re.findall(r"\d+\.\d+", line)) for line in lines), strict=True)
    assert ssim[0] == ssim[2] == 1.0 and l1[0] == l1[2] == landmarks[0] == landmarks[2] == 0.0
    assert max(ssim[1], ssim[3]) < 0.99 and min(l1[1], l1[3], landmarks[1], landmarks[3]) > 0.001


def test_commands_train_by_vgg16_measure_and_export(
    faces: Pairs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with shard_path(tmp_path, "a", 0, 0).open("wb") as stream:
        np.savez(stream, **vars(faces))
    text = re.sub(r"^widths = .*$", "widths = [8, 8, 8, 8, 8, 8, 8]", OWN_CONFIG.read_text("utf-8"), flags=re.MULTILINE)
    text = re.sub(r"^(batch|coarse_steps) = .*$", r"\1 = 1", text, flags=re.MULTILINE)
    (tmp_path / "g.toml").write_text(text, encoding="utf-8")
    torch.manual_seed(0)
    torch.save(Vgg16().state_dict(), tmp_path / "vgg16.pth")
    options = [
        "--pairs",
        str(tmp_path),
        "--head",
        "a",
        "--work",
        str(tmp_path / "g"),
        "--config",
        str(tmp_path / "g.toml"),
    ]
    assert main(["generator", *options, "--steps", "2", "--vgg16", str(tmp_path / "vgg16.pth")]) == 0
    said = capsys.readouterr()
    checkpoint = tmp_path / "g" / "generator.pt"
    assert said.out.strip() == str(checkpoint) and "ImageNet" in said.err
    assert main(["generator", *options, "--steps", "3", "--vgg16", str(tmp_path / "none.pth")]) != 0
    assert "vgg16-397923af.pth" in capsys.readouterr().err

    write_checkpoint(
        {"average": build_reader(Config.load("lite")).state_dict(), "config": "lite"}, tmp_path / "reader.pt"
    )
    sheet = tmp_path / "sheet.png"
    shard = str(shard_path(tmp_path, "a", 0, 0))
    measure = [
        "generator-eval",
        "--checkpoint",
        str(checkpoint),
        "--pairs",
        shard,
        "--reader",
        str(tmp_path / "reader.pt"),
    ]
    assert main([*measure, "--sheet", str(sheet)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert cv2.imread(str(sheet)).shape == (2 * SIZE, 12 * SIZE, 3)

    for name in ("face", "detector"):
        (tmp_path / f"{name}.onnx").write_bytes(name.encode())
    write_model(tmp_path, "tiny", 0.5, 0.5)
    assert main(["generator-export", "--checkpoint", str(checkpoint), "--out", str(tmp_path)]) == 0
    assert "G of head a" in capsys.readouterr().out
    assert json.loads((tmp_path / "model.json").read_text())["avatar"]["file"] == "avatar.onnx"
    assert Avatar(tmp_path).draw_parameters(base_face()).shape == (SIZE, SIZE, 3)

    again = tmp_path / "again.pt"
    recover = ["generator-recover", "--weights", str(tmp_path), "--head", "a", "--out", str(again)]
    assert main([*recover, "--config", str(tmp_path / "g.toml")]) == 0
    assert "0.000 of 255 grey levels" in capsys.readouterr().out
    (drawn, head), (before, _) = load_generator(again), load_generator(checkpoint)
    assert head == "a"
    for name, value in drawn.named_parameters():
        if not name.startswith("sketch"):
            torch.testing.assert_close(value, before.get_parameter(name), atol=1e-4, rtol=1e-3)
    options[options.index("--work") + 1] = str(tmp_path / "on")
    assert main(["generator", *options, "--steps", "1", "--start", str(again)]) == 0
    capsys.readouterr()
    assert main(recover) != 0  # of the package's widths
    assert "widths" in capsys.readouterr().err
    (tmp_path / "avatar.onnx").write_bytes(b"nothing of the kind")
    assert main([*recover, "--config", str(tmp_path / "g.toml")]) != 0
    assert "avatar.onnx cannot be read" in capsys.readouterr().err
