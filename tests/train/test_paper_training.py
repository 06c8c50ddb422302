# SPDX-License-Identifier: MIT
import json
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bdfm_train import cli
from bdfm_train.config import Config, NetworkConfig
from bdfm_train.config import __file__ as config_file
from bdfm_train.errors import CheckpointError, ConfigError, DivergedError, MeasureError
from bdfm_train.evaluation.curves import draw, read_log, table
from bdfm_train.networks.checkpoints import (
    build_reader,
    build_regressor,
    load_config,
    load_reader,
    load_segmentation,
    write_checkpoint,
)
from bdfm_train.networks.generator import Generator
from bdfm_train.networks.identity import IdentityNetwork
from bdfm_train.networks.representation import Representation
from bdfm_train.training import paper
from bdfm_train.training.objective import FrozenNetworks
from bdfm_train.training.own_losses import load_losses
from bdfm_train.training.paper import CHECKPOINT, LOG, Intervals, train_paper
from bdfm_train.training.processes import Processes, processes

SIZE = 32
ONE = Processes(0, 1, torch.device("cpu"))
OFTEN = Intervals(log=1, save=2)


def tiny_config() -> Config:
    lite = Config.load("lite")
    settings = replace(lite.paper, photos=2, training=replace(lite.paper.training, warm_up_steps=1))
    return replace(lite, network=NetworkConfig(8, (1, 1, 1, 1), 8, 4, SIZE), paper=settings)


def tiny_networks() -> FrozenNetworks:
    torch.manual_seed(0)
    reader = build_reader(tiny_config())
    return FrozenNetworks(Generator((8, 8, 8, 8, 8, 8, 8)), reader.segmentation, IdentityNetwork(), SIZE)


def photos(n: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, SIZE, SIZE), np.uint8)


def run(work: Path, steps: int, config: Config | None = None, seed: int = 0) -> dict[str, torch.Tensor]:
    path = train_paper(config or tiny_config(), tiny_networks(), photos(), work, steps, ONE, seed, intervals=OFTEN)
    state = torch.load(path, weights_only=True)
    assert state["step"] == steps
    return state


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, how: BaseException | float) -> None:
    """Break a run off at a step: by an exception, or by a value that a loss takes."""
    real = paper.total_loss
    done = 0

    def total(found: dict[str, torch.Tensor], config: object) -> torch.Tensor:
        nonlocal done
        done += 1
        if done > step and isinstance(how, BaseException):
            raise how
        return real(found, config) * (how if done > step else 1.0)  # type: ignore[operator]

    monkeypatch.setattr(paper, "total_loss", total)


def test_a_killed_run_resumes_with_the_same_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(tmp_path / "whole", 5)
    with monkeypatch.context() as patch:
        stop_at(patch, 3, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "broken", 5)
    assert torch.load(tmp_path / "broken" / CHECKPOINT, weights_only=True)["step"] == 2
    again = run(tmp_path / "broken", 5)
    for key in ("regressor", "trained"):
        assert all(torch.equal(value, again[key][name]) for name, value in whole[key].items())
    first, second = (read_log(tmp_path / name / LOG) for name in ("whole", "broken"))
    for log in (first, second):
        for record in log.values():
            del record["steps_a_second"]
    assert first == second
    assert list(first) == [1, 2, 3, 4, 5]


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    one, two = run(tmp_path / "one", 1), run(tmp_path / "two", 1, seed=1)
    assert any(not torch.equal(value, two["trained"][name]) for name, value in one["trained"].items())


def test_a_loss_that_is_no_number_leaves_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_at(monkeypatch, 3, float("nan"))
    with pytest.raises(DivergedError, match=r"step 4.*Lower the learning rate"):
        run(tmp_path, 5)
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert state["step"] == 2
    assert all(value.isfinite().all() for value in state["trained"].values())


def test_other_settings_do_not_go_on_in_the_same_folder(tmp_path: Path) -> None:
    run(tmp_path, 1)
    config = tiny_config()
    other = replace(config, paper=replace(config.paper, loss=replace(config.paper.loss, identity=0.0)))
    with pytest.raises(CheckpointError, match=r"other settings: loss identity was [0-9.]+, is 0.0; seed was 0, is 1. "):
        run(tmp_path, 2, other, seed=1)


@pytest.mark.parametrize(("name", "said"), [("generator", "G"), ("segmentation", "F_seg"), ("recognition", "F_rec")])
def test_other_frozen_networks_do_not_go_on_in_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    run(tmp_path, 1)
    others = tiny_networks()
    with torch.no_grad():
        next(getattr(others, name).parameters()).add_(1.0)
    monkeypatch.setattr(f"{__name__}.tiny_networks", lambda: others)
    with pytest.raises(CheckpointError, match=rf"other settings: other {said}\. Choose"):
        run(tmp_path, 1)


def test_a_damaged_checkpoint_is_named_and_kept(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=CHECKPOINT):
        run(tmp_path, 1)
    assert (tmp_path / CHECKPOINT).read_bytes() == b"not a checkpoint"


def test_r_of_another_size_is_refused_as_start(tmp_path: Path) -> None:
    start = tmp_path / "start.pt"
    write_checkpoint({"regressor": build_regressor(Config.load("lite")).state_dict()}, start)
    with pytest.raises(CheckpointError, match=r"start\.pt was trained with another network \(size mismatch for pose"):
        train_paper(tiny_config(), tiny_networks(), photos(), tmp_path, 1, ONE, start=start)


def test_two_processes_train_one_r(tmp_path: Path) -> None:
    """As torchrun starts them: gradients are averaged, process 0 writes, and both end with the same weights."""
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            import torch
            torch.set_num_threads(1)
            from pathlib import Path
            from test_paper_training import OFTEN, photos, processes, tiny_config, tiny_networks, train_paper
            from bdfm_train.networks.checkpoints import build_regressor, write_checkpoint
            from bdfm_train.training import paper
            built = []
            paper.build_regressor = lambda *sizes: built.append(build_regressor(*sizes)) or built[0]
            with processes("cpu") as process:
                folder = Path({str(tmp_path)!r})
                train_paper(tiny_config(), tiny_networks(), photos(), folder, 2, process, intervals=OFTEN)
                weights = {{name: value for name, value in built[0].named_parameters()}}
                torch.save(weights, folder / f"rank{{process.rank}}.pt")
            """
        )
    )
    port = str(20000 + os.getpid() % 20000)
    root = str(Path(config_file).parents[2])
    common = {**os.environ, "PYTHONPATH": root, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, str(script)],
            env=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    for process in started:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    alone = run(tmp_path / "alone", 2)["trained"]
    assert any(not torch.equal(value, alone[name]) for name, value in first.items())
    assert len((tmp_path / LOG).read_text().splitlines()) == 2


def test_a_gpu_is_used_where_there_is_one_and_refused_where_there_is_none(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="--device cpu"), processes("cuda"):
            pass
    with processes() as process:
        assert process.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
        path = train_paper(tiny_config(), tiny_networks(), photos(), tmp_path, 1, process, intervals=OFTEN)
        again = train_paper(tiny_config(), tiny_networks(), photos(), tmp_path, 2, process, intervals=OFTEN)
    assert path == again
    assert torch.load(path, weights_only=True, map_location="cpu")["step"] == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width = 32", "width = 32\ndepth = 4", "depth"),
        ("width = 32\n", "", "width"),
        ("width = 32", 'width = "wide"', "width must be a whole number"),
        ("width = 32", "width = 0", "sizes must be above 0"),
        ("width = 32", "width = 6", "width must be a multiple of 8"),
        ("crop_size = 96", "crop_size = 100", "crop_size a multiple of 16"),
        ("crop_size = 96", "crop_size = 0", "sizes must be above 0"),
        ("renders = 22", "renders = 0", "[batch] and [paper] pictures of each kind"),
        ("negatives = 4", "negatives = 0", "[batch] and [paper] pictures of each kind"),
        ("photos = 18", "photos = 0", "[batch] and [paper] pictures of each kind"),
        ("photos = 16", "photos = 0", "[batch] and [paper] pictures of each kind"),
        ("shards = 20", "shards = 0", "[batch] and [paper] pictures of each kind"),
        ("renders_among_photos = 6", "renders_among_photos = 23", "not more than these"),
        ("blocks = [1, 2, 2, 2]", "blocks = [1, 2]", "blocks must be a list of 4"),
        ("alpha = 0.1", "alpha = -0.1", "alpha must be a number, 0 or above"),
        ("alpha = 0.1", "alpha = nan", "alpha must be a number, 0 or above"),
        ("AU04 = 2.0", "AU99 = 2.0", "AU99"),
        ('content = "T"', 'content = "pixels"', "content must be one of"),
        ("[paper.loss]", "[paper.los]", "los"),
        ("[network]", "[network", "cannot be read"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (Path(config_file).parent / "lite.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        Config.load(str(path))


def test_an_own_configuration_is_read_from_its_path(tmp_path: Path) -> None:
    text = (Path(config_file).parent / "lite.toml").read_text(encoding="utf-8")
    (tmp_path / "own.toml").write_text(text.replace("steps = 3000", "steps = 7"), encoding="utf-8")
    assert Config.load(str(tmp_path / "own.toml")).paper.steps == 7


def test_a_checkpoint_carries_an_own_configuration(tmp_path: Path) -> None:
    """It is read where its file is not, and whatever became of that."""
    own = tmp_path / "own.toml"
    own.write_text('extends = "lite"\n[network]\nwidth = 8\n[emphasis]\nAU12 = 5.0\n', encoding="utf-8")
    config, checkpoint = replace(Config.load(str(own)), emphasis={"AU12": 5.0}), tmp_path / "reader.pt"
    average = build_reader(config).state_dict()
    write_checkpoint({"average": average, "config": config.kept}, checkpoint)
    own.unlink()
    assert load_config(checkpoint) == config
    load_reader(checkpoint)
    kept = config.kept
    assert isinstance(kept, dict)
    del kept["paper"]["steps"]  # a setting that came later
    write_checkpoint({"average": average, "config": kept}, checkpoint)
    assert load_config(checkpoint).paper.steps == Config.load("lite").paper.steps
    kept["network"]["width"] = 12
    write_checkpoint({"average": average, "config": kept}, checkpoint)
    with pytest.raises(ConfigError, match=r"reader\.pt: \[network\] width"):
        load_config(checkpoint)
    assert Config.load("lite").kept == "lite"


def test_a_configuration_that_extends_another_gives_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('extends = "lite"\n[emphasis]\nAU12 = 5.0\n[paper.training]\nlearning_rate = 1.0', encoding="utf-8")
    own, lite = Config.load(str(path)), Config.load("lite")
    assert own.emphasis == lite.emphasis | {"AU12": 5.0}
    training = replace(lite.paper.training, learning_rate=1.0)
    assert own == replace(lite, name=str(path), emphasis=own.emphasis, paper=replace(lite.paper, training=training))
    for wrong, message in (('extends = "light"', "extends.*light"), ('extends = "lite"\ndepth = 4', "depth")):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(ConfigError, match=message):
            Config.load(str(path))


def test_the_landmark_network_is_trained_for_landmarks_alone() -> None:
    landmarks, lite = Config.load("landmarks"), Config.load("lite")
    assert landmarks.network == lite.network
    weights = asdict(landmarks.loss)
    assert {name for name, weight in weights.items() if weight} == {"landmarks_renders", "landmarks_photos", "spans"}


def test_the_paper_s_sizes_fit_together() -> None:
    config = Config.load("paper")
    assert config.network.width == 64 and config.network.blocks == (2, 2, 2, 2)
    small = replace(config, network=replace(config.network, width=8))
    torch.manual_seed(0)
    side = config.network.crop_size
    networks = FrozenNetworks(
        Generator((8, 8, 8, 8, 8, 8, 8)), build_reader(small).segmentation.eval(), IdentityNetwork().eval(), side
    )
    with torch.no_grad():
        pictures = networks.draw(torch.rand(2, 269))
        seen = networks.see_drawn(pictures)
        assert isinstance(seen.parts, Representation)
        assert seen.parts.eyes.shape[-1] == side // 4 and seen.parts.face.shape[-1] == side // 16
        assert build_regressor(small).eval()(seen.whole, seen.parts).shape == (2, 269)
        assert networks.recognise(torch.zeros(2, side, side, dtype=torch.uint8)).shape == (2, 256)


def test_f_seg_is_taken_out_of_a_reader_of_the_same_size(tmp_path: Path) -> None:
    config = tiny_config()
    reader = build_reader(config)
    write_checkpoint({"average": reader.state_dict(), "config": "lite"}, tmp_path / "reader.pt")
    network = load_segmentation(tmp_path / "reader.pt", config)
    assert torch.equal(network.locate.weight, reader.segmentation.locate.weight)
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    with pytest.raises(CheckpointError, match="another network"):
        load_segmentation(tmp_path / "reader.pt", Config.load("lite"))


def test_curves_as_table_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.jsonl"
    lines = [{"step": i, "content": 1 / i} for i in range(1, 31)] + [{"step": 30, "content": 5.0, "total": 7.0}]
    log.write_text("\n".join(map(json.dumps, lines)))
    assert cli.main(["curves", str(log)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["step", "content", "total"]
    assert printed[1].split() == ["1", "1"]
    assert printed[-1].split() == ["30", "5", "7"]  # the later line of a step counts
    assert len(printed) == 13
    pytest.importorskip("matplotlib")
    draw(read_log(log), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_log_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("hello")
    with pytest.raises(MeasureError, match=r"x\.jsonl"):
        read_log(tmp_path / "x.jsonl")
    assert table({1: {"a": 1.0}}).splitlines()[1].split() == ["1", "1"]


def test_a_loss_of_one_s_own_joins_the_paper_s(tmp_path: Path) -> None:
    path = tmp_path / "calm.py"
    path.write_text("WEIGHT = 3.0\ndef loss(y, drawn, real):\n    return (y[:, :2] - 0.5).abs().mean()\n")
    own = load_losses([path], paper.NAMES)
    train_paper(tiny_config(), tiny_networks(), photos(), tmp_path / "own", 1, ONE, intervals=OFTEN, own=own)
    run(tmp_path / "plain", 1)
    mine, plain = (read_log(tmp_path / name / LOG)[1] for name in ("own", "plain"))
    assert mine["calm"] > 0.0 and "calm" not in plain
    assert mine["total"] == pytest.approx(plain["total"] + 3.0 * mine["calm"], abs=2e-4)
    with pytest.raises(CheckpointError, match="other settings"):
        run(tmp_path / "own", 2)


def test_torchrun_takes_the_documented_line_with_every_option() -> None:
    """Without the two dashes torchrun takes ``--start`` for one of its own options."""
    from torch.distributed.run import parse_args

    page = (Path(config_file).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    line = re.search(r"^ +torchrun (.* bdfm_train paper)", page, re.MULTILINE)
    assert line
    names = ("reader", "generator", "identity", "start", "work", "steps", "seed", "loss", "device", "threads")
    own = [part for name in names for part in (f"--{name}", "1")]
    found = parse_args([*line[1].split(), *own])
    assert found.module and found.training_script == "bdfm_train"
    assert found.training_script_args == ["paper", *own]
