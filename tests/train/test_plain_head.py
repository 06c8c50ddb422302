# SPDX-License-Identifier: MIT
"""The plain head, trained on for units that no photo shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bdfm_infer.parameters import AU_NAMES, N_AU, N_POSE
from bdfm_train.config import Config
from bdfm_train.data.changed_photos import load_changed_photos, save_changed_photos
from bdfm_train.data.photos import Origin, Photo, aligned_crops
from bdfm_train.data.shards import Shard
from bdfm_train.errors import DivergedError
from bdfm_train.evaluation.held_out import read_crops
from bdfm_train.networks.checkpoints import build_reader, load_reader, write_checkpoint
from bdfm_train.networks.reader import ExportedReader
from bdfm_train.training import head
from bdfm_train.training.head import UNITS, train_head

AU09 = AU_NAMES.index("AU09")
RARE = [N_POSE + AU_NAMES.index(name) for name in UNITS]
REST = [i for i in range(N_POSE + N_AU) if i not in RARE]


def landmarks() -> np.ndarray:
    """(68, 2) pixels of an upright face in the middle of 144 pixels."""
    points = np.random.default_rng(0).uniform(50, 94, (68, 2)).astype(np.float32)
    points[36:42], points[42:48] = (56, 58), (88, 58)
    points[30], points[[48, 60]], points[[54, 64]] = (72, 76), (60, 92), (84, 92)
    return points


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Renders, photos graded as at rest, and photos made bright that are to show AU09; a reader drawn by chance."""
    rng, points = np.random.default_rng(1), landmarks()
    photos = [
        Photo(f"{i}.jpg", rng.integers(0, 160, (144, 144), np.uint8), points, points[:36], np.zeros(N_AU, np.float32))
        for i in range(3)
    ]
    change = np.zeros(N_AU, np.float32)
    change[AU09] = 0.8
    changed = [replace(p, image=p.image // 2 + 128, grades=None, origin=Origin(p, change)) for p in photos]
    save_changed_photos(changed, tmp_path / "changed.npz")
    shard = Shard(
        rng.integers(0, 256, (8, 144, 144), np.uint8),
        rng.random((8, 269)).astype(np.float16),
        np.stack([points] * 8),
        rng.integers(0, 14, (8, 72, 72), np.uint8),
        "a",
    )
    np.savez(tmp_path / "one.npz", **vars(shard))
    torch.manual_seed(0)
    reader = build_reader(Config.load("lite")).state_dict()
    write_checkpoint({"average": reader, "config": "lite", "step": 7}, tmp_path / "reader.pt")
    monkeypatch.setattr(head, "load_photos", lambda sources, part: photos)
    monkeypatch.setattr(head, "_COUNTS", (8, 24, 1))
    monkeypatch.setattr(head, "_STEP", 16)
    return tmp_path


def train(work: Path, out: str, batches: int = 3) -> float:
    return train_head(work / "reader.pt", work, work, "one.npz", work / "changed.npz", batches, 5, work / out)


def test_the_head_alone_is_trained_and_by_the_same_seed_alike(work: Path) -> None:
    train(work, "one.pt")
    train(work, "again.pt")
    before, one, again = (torch.load(work / n, weights_only=True) for n in ("reader.pt", "one.pt", "again.pt"))
    moved = {name for name, value in one["average"].items() if not torch.equal(value, before["average"][name])}
    assert moved and all(name.startswith("head.") for name in moved)
    assert all(torch.equal(value, again["average"][name]) for name, value in one["average"].items())
    assert (one["step"], one["config"]) == (7, "lite")


def test_an_added_unit_is_read_and_all_else_as_before(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "_STEPS", 150)
    difference = train(work, "one.pt", 10)
    photos = head.load_photos(work, "train")
    crops = aligned_crops(photos)
    bright = aligned_crops(load_changed_photos(work / "changed.npz", photos))

    def read(name: str, of: np.ndarray) -> np.ndarray:
        return read_crops(ExportedReader(load_reader(work / name)), of)[1]

    before, gained = (
        (read(name, bright) - read(name, crops))[:, N_POSE + AU09].min() for name in ("reader.pt", "one.pt")
    )
    assert before < 0.05 and gained > 0.2  # a quarter of what was added
    assert difference < 0.02
    for of in (crops, bright):
        np.testing.assert_allclose(read("one.pt", of)[:, REST], read("reader.pt", of)[:, REST], atol=0.05)
    monkeypatch.setattr(head, "_KEEP", 0.0)
    assert train(work, "free.pt", 10) > 3 * difference


def test_an_error_that_is_no_number_writes_nothing(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "_RENDERS", float("nan"))
    with pytest.raises(DivergedError, match="Nothing was written"):
        train(work, "one.pt")
    assert not (work / "one.pt").exists()
