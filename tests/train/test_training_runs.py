# SPDX-License-Identifier: MIT
"""Trainings that are broken off, diverge, or meet a full disk and damaged files: reader, R, confidence, detector."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bdfm_train import cli, command
from bdfm_train.arrays import write_array, write_arrays
from bdfm_train.config import BatchConfig, Config, NetworkConfig
from bdfm_train.data import batches, training_data
from bdfm_train.data.photos import Photo
from bdfm_train.data.shards import Shard, ShardPool
from bdfm_train.data.training_data import TrainingData
from bdfm_train.detector import train as detector
from bdfm_train.detector.backgrounds import pattern
from bdfm_train.detector.export import load as load_detector
from bdfm_train.detector.faces import face_of_photo
from bdfm_train.errors import ArraysError, CheckpointError, ConfigError, DivergedError
from bdfm_train.networks.checkpoints import build_reader, load_reader, read_checkpoint, write_checkpoint
from bdfm_train.training import confidence, reader, regressor
from bdfm_train.training.own_losses import OwnLoss, load_losses, with_own
from bdfm_train.training.work import (
    Descent,
    Length,
    Run,
    refuse_other_settings,
    write_line,
)

STEPS = 4
CONFIG = replace(
    Config.load("lite"),
    network=NetworkConfig(8, (1, 1, 1, 1), 8, 4, 96),
    batch=BatchConfig(3, 1, 2, 1, 4),
)


def landmarks(centre: float, size: float) -> np.ndarray:
    points = np.random.default_rng(3).uniform(0.3, 0.7, (68, 2))
    points[36:42], points[42:48] = (0.33, 0.40), (0.67, 0.40)
    points[[36, 42]], points[[39, 45]] = ((0.30, 0.40), (0.64, 0.40)), ((0.36, 0.40), (0.70, 0.40))
    points[30], points[48], points[54] = (0.5, 0.58), (0.37, 0.75), (0.63, 0.75)
    return ((points - 0.5) * size + centre).astype(np.float32)


def photo(number: int) -> Photo:
    image = np.random.default_rng(number).integers(0, 256, (224, 224), np.uint8)
    return Photo(f"{number}.jpg", image, landmarks(112, 120), landmarks(112, 160)[:36])


@dataclass(frozen=True)
class Training:
    """One training on tiny data.

    Attributes:
        run: to a number of steps, with its files in a folder; returns the checkpoint.
        unfinished: name of the file to resume from.
        weights: of a checkpoint.
    """

    run: Callable[..., Path]
    unfinished: str
    weights: str


@pytest.fixture
def trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Training]:
    rng = np.random.default_rng(5)
    shards, data = tmp_path / "shards", tmp_path / "data"
    shards.mkdir()
    data.mkdir()
    shard = Shard(
        rng.integers(0, 256, (6, 144, 144), np.uint8),
        rng.random((6, 269)).astype(np.float16),
        np.stack([landmarks(72, 80)] * 6),
        rng.integers(0, 14, (6, 72, 72), np.uint8),
        "a",
    )
    write_arrays(shards / "one.npz", vars(shard))
    crops = rng.integers(0, 256, (6, 96, 96), np.uint8)
    write_array(data / "negatives.npy", crops)
    write_arrays(data / "faces.npz", {"crops": crops, "yaw": np.zeros(6, np.float32), "beside": crops})
    torch.manual_seed(1)
    write_checkpoint({"average": build_reader(CONFIG).state_dict(), "config": "tiny"}, data / "reader.pt")
    monkeypatch.setattr(Config, "load", classmethod(lambda cls, name: CONFIG))
    for module in (training_data, confidence):
        monkeypatch.setattr(module, "load_photos", lambda sources, part: [photo(i) for i in range(4)])
    for module in (reader, regressor):
        monkeypatch.setattr(module, "_LOG_STEPS", 1)
        monkeypatch.setattr(module, "_SAVE_STEPS", 2)
    monkeypatch.setattr(confidence, "_SAVE_BATCHES", 2)
    monkeypatch.setattr(confidence, "_COUNTS", (2, 2, 2))
    monkeypatch.setattr(confidence, "_MINED", 2)
    monkeypatch.setattr(confidence, "_BESIDE", 2)
    monkeypatch.setattr(detector, "REPORT", 2)
    monkeypatch.setattr(detector, "MISTAKEN", 0.0)
    monkeypatch.setattr(detector, "_pictures_for_checks", lambda composer: [composer.positive((96, 128))])
    pool = np.stack([pattern(rng) for _ in range(3)])
    faces = [face_of_photo(photo(i)) for i in range(3)]

    seen = TrainingData(tmp_path, shards)

    def run_confidence(folder: Path, steps: int) -> Path:
        options = (shards, "*.npz", data / "negatives.npy", data / "faces.npz", Length(steps=steps), 0)
        confidence.train_confidence(data / "reader.pt", tmp_path, *options, folder / "sure.pt")
        return folder / "sure.pt"

    def run_detector(folder: Path, steps: int) -> Path:
        detector.train(folder, steps, faces, faces, [], pool)
        return folder / "detector.pt"

    def run_reader(folder: Path, steps: int, workers: int = 0, seed: int = 0, own: Sequence[OwnLoss] = ()) -> Path:
        return reader.train_reader(CONFIG, seen, Run(folder, Length(steps=steps), seed, workers=workers), own)

    def run_regressor(folder: Path, steps: int, workers: int = 0, seed: int = 0, own: Sequence[OwnLoss] = ()) -> Path:
        run = Run(folder, Length(steps=steps), seed, workers=workers)
        return regressor.train_regressor(data / "reader.pt", seen, run, own=own)

    return {
        "reader": Training(run_reader, "reader.pt", "average"),
        "regressor": Training(run_regressor, "regressor.pt", "regressor"),
        "confidence": Training(run_confidence, "sure.pt.unfinished", "average"),
        "detector": Training(run_detector, "detector.pt", "average"),
    }


NAMES = pytest.mark.parametrize("name", ["reader", "regressor", "confidence", "detector"])


def broken(patch: pytest.MonkeyPatch, after: int, how: str) -> None:
    """From a step on a training is stopped, or its loss is no number."""
    real, seen = Descent.step, set[int]()

    def one(self: Descent, losses: Any, total: torch.Tensor, number: int) -> None:
        seen.add(number)
        if len(seen) > after and how == "stopped":
            raise KeyboardInterrupt
        real(self, losses, total * (math.nan if len(seen) > after else 1.0), number)

    patch.setattr(Descent, "step", one)


@NAMES
def test_a_killed_run_goes_on_to_the_same_weights(
    trainings: dict[str, Training], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = trainings[name]
    whole = torch.load(training.run(tmp_path / "whole", STEPS), weights_only=True)
    with monkeypatch.context() as patch:
        broken(patch, 3, "stopped")
        with pytest.raises(KeyboardInterrupt):
            training.run(tmp_path / "broken", STEPS)
    assert (tmp_path / "broken" / training.unfinished).exists()
    again = torch.load(training.run(tmp_path / "broken", STEPS), weights_only=True)
    wanted, found = whole[training.weights], again[training.weights]
    assert all(torch.equal(value, found[key]) for key, value in wanted.items())
    first = torch.load(training.run(tmp_path / "other", 1), weights_only=True)[training.weights]
    assert any(not torch.equal(value, first[key]) for key, value in wanted.items())
    assert not list((tmp_path / "broken").glob("*.part"))


@pytest.mark.parametrize("name", ["reader", "regressor"])
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_processes_make_the_batches_that_a_thread_makes(
    trainings: dict[str, Training], name: str, tmp_path: Path
) -> None:
    training = trainings[name]
    by_thread, by_processes = (
        torch.load(training.run(tmp_path / f"{workers}", STEPS, workers=workers), weights_only=True)[training.weights]
        for workers in (0, 2)
    )
    assert all(torch.equal(value, by_processes[key]) for key, value in by_thread.items())


def test_processes_look_for_new_shards(trainings: dict[str, Training], tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    pool = ShardPool(shards, "*.npz", 4)
    pool.refresh()
    maker = batches.BatchMaker([photo(0)], pool, (8, 1, 1), 0)
    numbered = batches._Drawn(maker)
    shutil.copy(shards / "one.npz", shards / "two.npz")
    numbered[0]
    assert list(pool.shards) == ["one.npz"]
    numbered.looked -= 2 * batches._REFRESH_SECONDS
    numbered[1]
    assert sorted(pool.shards) == ["one.npz", "two.npz"]


@pytest.mark.parametrize("command_line", ["reader --shards s --work w", "regressor --checkpoint c --shards s --work w"])
def test_torchrun_is_refused_where_one_process_trains(
    command_line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert cli.main(command_line.split()) == ConfigError("").exit_code
    assert "without torchrun" in capsys.readouterr().err


@NAMES
def test_a_loss_that_is_no_number_leaves_the_last_checkpoint(
    trainings: dict[str, Training], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = trainings[name]
    broken(monkeypatch, 3, "diverged")
    with pytest.raises(DivergedError, match=r"step 4.*Lower the learning rate"):
        training.run(tmp_path / "work", STEPS)
    state = torch.load(tmp_path / "work" / training.unfinished, weights_only=True)
    weights = state.get("face") or state[training.weights]
    assert all(value.isfinite().all() for value in weights.values())


@NAMES
def test_damaged_and_foreign_checkpoints_are_named_and_kept(
    trainings: dict[str, Training], name: str, tmp_path: Path
) -> None:
    training, path = trainings[name], tmp_path / "work" / trainings[name].unfinished
    path.parent.mkdir()
    for content in (b"not a checkpoint", b""):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=path.name):
            training.run(path.parent, STEPS)
        assert path.read_bytes() == content
    torch.save({"generator": {}, "step": 3}, path)
    with pytest.raises(CheckpointError, match=f"{path.name} is no checkpoint of python -m bdfm_train"):
        training.run(path.parent, STEPS)


@NAMES
def test_a_checkpoint_of_another_network_is_named(
    trainings: dict[str, Training], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, path = trainings[name], tmp_path / "work" / trainings[name].unfinished
    with monkeypatch.context() as patch:
        broken(patch, 3, "stopped")
        with pytest.raises(KeyboardInterrupt):
            training.run(path.parent, STEPS)
    state = torch.load(path, weights_only=True)
    for key in ("reader", "trained", "network"):
        if isinstance(state.get(key), dict):
            state[key] = {"other": torch.zeros(1)}
    torch.save(state | ({"reader": "another"} if name == "confidence" else {}), path)
    with pytest.raises(CheckpointError, match=r"another (network|reader)"):
        training.run(path.parent, STEPS)


def test_r_does_not_go_on_over_another_f_seg(trainings: dict[str, Training], tmp_path: Path) -> None:
    trainings["regressor"].run(tmp_path / "work", 1)
    write_checkpoint({"average": build_reader(CONFIG).state_dict(), "config": "tiny"}, tmp_path / "data" / "reader.pt")
    with pytest.raises(CheckpointError, match=r"another F_seg.*--start"):
        trainings["regressor"].run(tmp_path / "work", 2)


@pytest.mark.parametrize("name", ["reader", "regressor"])
def test_a_run_does_not_go_on_by_another_seed_or_other_losses(
    trainings: dict[str, Training], name: str, tmp_path: Path
) -> None:
    training, work = trainings[name], tmp_path / "work"
    before = training.run(work, 1).read_bytes()
    wink = OwnLoss("wink", 2.0, lambda batch, renders, photos: torch.zeros((), requires_grad=True))
    with pytest.raises(
        CheckpointError, match=r"other settings: seed was 0, is 1; loss wink was None, is 2\.0\. Choose"
    ):
        training.run(work, 2, seed=1, own=[wink])
    assert (work / training.unfinished).read_bytes() == before
    state = torch.load(work / training.unfinished, weights_only=True)
    del state["settings"]  # as in one of an earlier version
    torch.save(state, work / training.unfinished)
    training.run(work, 2, own=[wink])
    with pytest.raises(CheckpointError, match=r"loss wink was 2\.0, is None"):
        training.run(work, 3)


def test_several_teachers_teach_on_processors(
    trainings: dict[str, Training], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BDFM_SOURCES", str(tmp_path))
    write_checkpoint({"average": build_reader(CONFIG).state_dict(), "config": "tiny"}, tmp_path / "other.pt")
    taught, threads = tmp_path / "taught", str(torch.get_num_threads())
    command_line = ["reader", "--shards", str(tmp_path / "shards"), "--work", str(taught), "--device", "cpu"]
    command_line += [
        "--threads",
        threads,
        "--teacher",
        str(tmp_path / "data" / "reader.pt"),
        str(tmp_path / "other.pt"),
    ]
    assert cli.main([*command_line, "--steps", "2"]) == 0
    assert cli.main([*command_line, "--steps", str(STEPS)]) == 0
    seen = [json.loads(line)["consistency"] for line in (taught / "log.jsonl").read_text().splitlines()]
    assert len(seen) == STEPS and min(seen) > 0.0
    monkeypatch.setattr(reader, "read_photos", lambda *of: pytest.fail("photos are read for a run that is refused"))
    assert cli.main([*command_line[:-1], "--steps", str(STEPS + 1)]) != 0


def test_another_teacher_does_not_go_on(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name)
    there, now = (reader._settings(CONFIG, (), [tmp_path / name], 0) for name in "ab")
    refuse_other_settings(tmp_path / "x.pt", there, there)
    with pytest.raises(CheckpointError, match=r"other settings: other teacher\. Choose"):
        refuse_other_settings(tmp_path / "x.pt", there, now)


@pytest.mark.parametrize("name", ["reader", "regressor"])
def test_a_damaged_shard_that_arrives_leaves_what_was_learned(
    trainings: dict[str, Training], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, damaged, real = trainings[name], tmp_path / "shards" / "two.npz", Descent.step
    whole = torch.load(training.run(tmp_path / "whole", STEPS), weights_only=True)

    def step(self: Descent, losses: Any, total: torch.Tensor, number: int) -> None:
        real(self, losses, total, number)
        if number == 3:
            damaged.write_bytes(b"half of")

    with monkeypatch.context() as patch:
        patch.setattr(Descent, "step", step)
        with pytest.raises(ArraysError, match=r"two\.npz"):
            training.run(tmp_path / "work", STEPS)
    assert torch.load(tmp_path / "work" / training.unfinished, weights_only=True)["step"] == 3
    damaged.unlink()
    again = torch.load(training.run(tmp_path / "work", STEPS), weights_only=True)
    wanted, found = whole[training.weights], again[training.weights]
    assert all(torch.equal(value, found[key]) for key, value in wanted.items())


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file grows beyond ``size`` bytes, as on a full disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX's")
@pytest.mark.parametrize("name", ["reader", "regressor", "confidence"])
def test_a_full_disk_leaves_the_last_checkpoint(trainings: dict[str, Training], name: str, tmp_path: Path) -> None:
    training = trainings[name]
    path = training.run(tmp_path / "work", 2)
    before = path.read_bytes()
    with full_disk(4096), pytest.raises(CheckpointError, match=r"cannot be written \([A-Za-z ]+\)\. Free some space"):
        training.run(tmp_path / "work", STEPS)
    assert path.read_bytes() == before
    assert not list((tmp_path / "work").glob("*.part"))
    training.run(tmp_path / "work", STEPS)


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX's")
def test_a_full_disk_leaves_no_torn_line_and_no_torn_file(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    for step in range(20):
        write_line(log, {"step": step})
    with full_disk(log.stat().st_size + 5), pytest.raises(CheckpointError, match="Free some space"):
        write_line(log, {"step": 20})
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == list(range(20))
    write_array(tmp_path / "a.npy", np.zeros(3))
    with full_disk(100), pytest.raises(ArraysError, match=r"a\.npy cannot be written .*Free some space"):
        write_array(tmp_path / "a.npy", np.zeros(10_000))
    assert np.load(tmp_path / "a.npy").shape == (3,)
    assert not list(tmp_path.glob("*.part"))


def test_a_folder_without_renders_does_not_wait_for_ever(tmp_path: Path) -> None:
    with pytest.raises(ArraysError, match=r"holds no \*\.npz"):
        ShardPool(tmp_path, "*.npz", 4).refresh()


def test_an_error_while_batches_are_made_is_raised_where_they_are_used() -> None:
    class Broken:
        def draw(self, number: int) -> None:
            raise ArraysError("no more")

    with pytest.raises(ArraysError, match="no more"):
        next(batches.feed(Broken()))  # type: ignore[arg-type]


def test_a_batch_depends_on_its_number_alone() -> None:
    shard = Shard(
        np.random.default_rng(0).integers(0, 256, (6, 144, 144), np.uint8),
        np.random.default_rng(0).random((6, 269)).astype(np.float16),
        np.stack([landmarks(72, 80)] * 6),
        np.zeros((6, 72, 72), np.uint8),
        "a",
    )
    pool = ShardPool(Path(), "none", 1, {"one": shard})
    first, second = (batches.BatchMaker([photo(0)], pool, (2, 2, 2), 0) for _ in range(2))
    first.draw(0)
    one, other = first.draw(1), second.draw(1)
    values = {name: value for name, value in vars(one).items() if value is not None}
    assert len(values) == 15 and all(torch.equal(value, getattr(other, name)) for name, value in values.items())
    assert not torch.equal(one.renders, second.draw(2).renders)


def test_checkpoints_of_other_commands_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "generator.pt"
    torch.save({"average": {}, "config": {"widths": []}}, path)
    with pytest.raises(CheckpointError, match="no checkpoint of python -m bdfm_train reader"):
        load_reader(path)
    torch.save({"average": {"x": torch.zeros(1)}}, path)
    with pytest.raises(CheckpointError, match="another network"):
        load_detector(path)
    with pytest.raises(CheckpointError, match=r"python -m bdfm_train\.detector\.train --help"):
        read_checkpoint(tmp_path / "none.pt", "detector.train", ())


def test_what_the_system_refuses_is_said_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def refused() -> None:
        raise PermissionError(13, "Permission denied", "/x")

    def stopped() -> None:
        raise KeyboardInterrupt

    assert command.run(refused) == command.UNREADABLE
    assert command.run(stopped) == command.INTERRUPTED
    assert command.run(lambda: None) == 0
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and "Permission denied: '/x'" in said[0] and "goes on with the same command" in said[1]


def test_minutes_or_steps(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["reader", "--shards", "s", "--work", "w", "--minutes", "3", "--steps", "4"])
    assert "not allowed with" in capsys.readouterr().err


def test_a_loss_of_one_s_own_is_one_file(trainings: dict[str, Training], tmp_path: Path) -> None:
    wink = tmp_path / "wink.py"
    wink.write_text("WEIGHT = 2.0\n\ndef loss(batch, renders, photos):\n    return _of(photos).square().mean()\n\n\n")
    wink.write_text(wink.read_text() + "def _of(read):\n    return getattr(read, 'parameters', read)[:, 2:]\n")
    own = load_losses([wink], ("pose",))
    for name, call in (("reader", reader.train_reader), ("regressor", regressor.train_regressor)):
        plain = torch.load(trainings[name].run(tmp_path / name / "plain", 2), weights_only=True)
        first: Any = CONFIG if name == "reader" else tmp_path / "data" / "reader.pt"
        work = tmp_path / name / "own"
        run = Run(work, Length(steps=2))
        path = call(first, TrainingData(tmp_path, tmp_path / "shards"), run, own=own)  # type: ignore[operator]
        key = trainings[name].weights
        there = torch.load(path, weights_only=True)[key]
        assert any(not torch.equal(value, there[part]) for part, value in plain[key].items())
        line = json.loads(next(work.glob("*.jsonl")).read_text().splitlines()[0])
        assert line["wink"] > 0.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def loss(a, b, c): return a", "WEIGHT must be a number"),
        ("WEIGHT = -1\ndef loss(a, b, c): return a", "WEIGHT must be a number"),
        ("WEIGHT = 1", "defines no function loss"),
        ("import nothing_of_that_name", "cannot be imported"),
        (None, "cannot be imported"),
    ],
)
def test_a_file_that_is_no_loss_is_named(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "own.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=rf"own\.py.*{message}"):
        load_losses([path], ())


@pytest.mark.parametrize("value", [0.5, None, torch.zeros(3)])
def test_what_is_no_loss_is_said(value: object) -> None:
    own = OwnLoss("wink", 1.0, lambda *seen: value)  # type: ignore[arg-type,return-value]
    with pytest.raises(ConfigError, match="wink: loss must return a tensor of one number"):
        with_own({}, {}, [own])


def test_a_loss_that_weighs_nothing_is_not_descended() -> None:
    x, y = (torch.ones((), requires_grad=True) for _ in range(2))
    losses, total = with_own({"a": 2 * x, "b": y / 0}, {"a": 3.0, "b": 0.0}, ())
    total.backward()
    assert set(losses) == {"a", "b"} and total.item() == 6.0
    assert x.grad is not None and x.grad.item() == 6.0 and y.grad is None


def test_a_loss_needs_a_name_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "pose.py"
    path.write_text("WEIGHT = 1\ndef loss(a, b, c): return a")
    with pytest.raises(ConfigError, match="two losses named pose"):
        load_losses([path], ("pose",))
