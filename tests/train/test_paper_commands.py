# SPDX-License-Identifier: MIT
"""The commands ``paper``, ``fit`` and ``ablation`` from files to files, with networks of a tiny configuration."""

import os
import re
import shutil
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from bdfm_train import cli
from bdfm_train.config import Config
from bdfm_train.config import __file__ as config_file
from bdfm_train.config.generator import GeneratorConfig
from bdfm_train.data.photos import Part, Photo, load_photos
from bdfm_train.networks import bisenet
from bdfm_train.networks.bisenet import BiSeNet
from bdfm_train.networks.checkpoints import build_reader, load_regressor, write_checkpoint
from bdfm_train.networks.generator import Generator
from bdfm_train.networks.identity import IdentityNetwork
from bdfm_train.training.paper import CHECKPOINT

SOURCES = os.environ.get("BDFM_SOURCES")
CLIP = Path(cli.__file__).parents[1] / "examples" / "clip" / "sample.mp4"
CHANGES = {"width": "8", "blocks": "[1, 1, 1, 1]", "regressor_channels": "8", "regressor_size": "4", "crop_size": "32"}


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Options that name a tiny F_seg, G and F_rec with random weights; the configuration is ``tiny.toml``."""
    text = (Path(config_file).parent / "lite.toml").read_text(encoding="utf-8")
    for name, value in CHANGES.items():
        text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
    text = text.replace("[paper]\nphotos = 16", "[paper]\nphotos = 2")
    config = tmp_path / "tiny.toml"
    config.write_text(text, encoding="utf-8")
    torch.manual_seed(0)
    reader = build_reader(Config.load(str(config))).state_dict()
    write_checkpoint({"average": reader, "config": str(config)}, tmp_path / "reader.pt")
    settings = replace(GeneratorConfig.load(), widths=(8, 8, 8, 8, 8, 8, 8))
    g = Generator(settings.widths).state_dict()
    state = {"generator": g, "average": g, "optimizer": {}, "step": 1, "config": asdict(settings), "head": "a"}
    write_checkpoint(state, tmp_path / "generator.pt")
    write_checkpoint({"average": IdentityNetwork().state_dict()}, tmp_path / "identity.pt")
    names = ("reader", "generator", "identity")
    return [option for name in names for option in (f"--{name}", str(tmp_path / f"{name}.pt"))]


@cache
def some_photos(sources: Path, part: Part) -> list[Photo]:
    return load_photos(sources, part)[:200]


@pytest.fixture
def few_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command reads the archive anew: here 200 photos of each part are read once."""
    monkeypatch.setattr("bdfm_train.data.photos.load_photos", some_photos)


def test_fit_reads_files_and_writes_a_sheet(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = cv2.VideoCapture(str(CLIP))
    cv2.imwrite(str(tmp_path / "face.png"), video.read()[1])
    sheet = tmp_path / "sheet.png"
    options = [*files, "--steps", "2", "--out", str(sheet), "--device", "cpu"]
    assert cli.main(["fit", str(tmp_path / "face.png"), *options]) == 0
    printed = capsys.readouterr().out
    assert "face.png: loss" in printed and "times as fast" in printed and sheet.exists()
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200, 3), 120, np.uint8))
    assert cli.main(["fit", str(tmp_path / "wall.png"), *options]) != 0
    assert "wall.png" in capsys.readouterr().err


def test_a_foreign_file_is_named(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "generator.pt").write_bytes(b"something else")
    assert cli.main(["fit", str(tmp_path / "face.png"), *files, "--device", "cpu"]) != 0
    assert "generator.pt" in capsys.readouterr().err


@pytest.mark.skipif(not SOURCES, reason="BDFM_SOURCES is not set")
@pytest.mark.usefixtures("few_photos")
def test_paper_and_ablation_train_r(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = [*files, "--config", str(tmp_path / "tiny.toml"), "--steps", "2", "--device", "cpu"]
    assert cli.main(["paper", *common, "--work", str(tmp_path / "paper")]) == 0
    printed = capsys.readouterr().out
    assert printed.split()[:6] == ["step", "content", "identity", "parameter", "loopback", "adversarial"]
    checkpoint = tmp_path / "paper" / CHECKPOINT
    assert not load_regressor(checkpoint).training

    rng = np.random.default_rng(0)
    points = rng.uniform(40, 100, (8, 68, 2)).astype(np.float32)
    points[:, 36:42], points[:, 42:48] = (47.0, 58.0), (97.0, 58.0)
    points[:, 30], points[:, 48], points[:, 54] = (72.0, 84.0), (53.0, 109.0), (91.0, 109.0)
    np.savez(
        tmp_path / "held.npz",
        images=rng.integers(0, 256, (8, 144, 144), np.uint8),
        parameters=rng.random((8, 269)).astype(np.float16),
        landmarks=points,
        labels=np.zeros((8, 72, 72), np.uint8),
        head="a",
    )
    options = [
        "--start",
        str(checkpoint),
        "--renders",
        str(tmp_path / "held.npz"),
        "--work",
        str(tmp_path / "ablation"),
    ]
    assert cli.main(["ablation", "no-loopback", *common, *options]) == 0
    rows = capsys.readouterr().out.strip().splitlines()
    assert len(rows) == 4 and rows[3].startswith("| without loopback loss | 0.60, 0.64 | 0.52, 0.37 |")
    network = ["--landmark-network", str(tmp_path / "reader.pt")]
    assert cli.main(["ablation", "landmarks", *common, *options, *network]) == 0
    rows = capsys.readouterr().out.strip().splitlines()
    assert [row.split("|")[1] for row in rows[4:]] == [
        " before any step, on the landmark network ", " a landmark network in place of F_seg (Fig. 6) "
    ]  # fmt: skip
    assert load_regressor(tmp_path / "ablation" / "landmarks" / CHECKPOINT).pose.reduce[0].in_channels == 68
    assert cli.main(["ablation", "full", *common, "--seed", "1", *options]) != 0
    assert "another budget" in capsys.readouterr().err
    shutil.copy(tmp_path / "held.npz", tmp_path / "other.npz")
    assert cli.main(["ablation", "full", *common, *options, "--renders", str(tmp_path / "other.npz")]) == 0
    with np.load(tmp_path / "held.npz") as held:
        np.savez(tmp_path / "other.npz", **{**held, "images": held["images"][::-1]})
    assert cli.main(["ablation", "full", *common, *options, "--renders", str(tmp_path / "other.npz")]) != 0
    assert "another budget" in capsys.readouterr().err


@pytest.mark.skipif(not SOURCES, reason="BDFM_SOURCES is not set")
@pytest.mark.usefixtures("few_photos")
def test_r_trains_on_a_landmark_network(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny, heat = tmp_path / "tiny.toml", tmp_path / "heat.toml"
    heat.write_text(tiny.read_text(encoding="utf-8").replace('"T"', '"heatmaps"'), encoding="utf-8")
    rest = [*files[files.index("--generator") :], "--steps", "1", "--device", "cpu", "--work", str(tmp_path / "work")]
    options = ["paper", "--landmark-network", str(tmp_path / "reader.pt"), *rest]
    assert cli.main([*options, "--config", str(tiny)]) != 0
    assert "content is 'T'" in capsys.readouterr().err
    assert cli.main([*options, "--config", str(heat)]) == 0
    assert "content" in capsys.readouterr().out
    assert load_regressor(tmp_path / "work" / CHECKPOINT).pose.reduce[0].in_channels == 68


@pytest.mark.skipif(not SOURCES, reason="BDFM_SOURCES is not set")
@pytest.mark.usefixtures("few_photos")
def test_r_trains_on_the_published_bisenet(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bisenet, "SIDE", 32)
    torch.save(BiSeNet().state_dict(), tmp_path / "bisenet.pth")
    narrow, wide, work = tmp_path / "tiny.toml", tmp_path / "wide.toml", tmp_path / "work"
    wide.write_text(narrow.read_text(encoding="utf-8").replace("width = 8", "width = 64"), encoding="utf-8")
    rest = files[files.index("--generator") :]
    options = ["paper", "--bisenet", str(tmp_path / "bisenet.pth"), *rest, "--steps", "1", "--device", "cpu"]
    assert cli.main([*options, "--config", str(wide), "--work", str(work)]) == 0
    assert load_regressor(work / CHECKPOINT).pose.reduce[0].in_channels == 256
    capsys.readouterr()
    assert cli.main([*options, "--config", str(narrow), "--work", str(tmp_path / "other")]) != 0
    assert "Choose --config paper" in capsys.readouterr().err
    write_checkpoint({"average": build_reader(Config.load(str(wide))).state_dict()}, tmp_path / "reader.pt")
    ours = ["paper", *files, "--steps", "2", "--device", "cpu", "--config", str(wide), "--work", str(work)]
    assert cli.main(ours) != 0
    assert "other F_seg" in capsys.readouterr().err
