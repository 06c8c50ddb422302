# SPDX-License-Identifier: MIT
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bdfm_infer.parameters import AU_NAMES, AU_SLICE, BROW_SLICE, N_PARAMETERS, POSE_SLICE
from bdfm_train import cli
from bdfm_train.ablation import HEAT_MAPS, ROWS, VARIANTS, Approach, Budget, Results, T, run_ablations
from bdfm_train.config import Config, NetworkConfig, PaperLossConfig
from bdfm_train.data.photos import Photo
from bdfm_train.data.shards import Shard
from bdfm_train.errors import MeasureError
from bdfm_train.evaluation import regressor as evaluation
from bdfm_train.evaluation.regressor import Figures, measure
from bdfm_train.networks.checkpoints import build_reader, build_regressor, write_checkpoint
from bdfm_train.networks.generator import Generator
from bdfm_train.networks.identity import IdentityNetwork
from bdfm_train.networks.landmark_network import LandmarkNetwork
from bdfm_train.networks.regressor import ParameterRegressor
from bdfm_train.training import paper
from bdfm_train.training.objective import FrozenNetworks
from bdfm_train.training.processes import Processes

SIZE = 32
ALONE = Processes(0, 1, torch.device("cpu"))
BUDGET = Budget("lite", 2, 2, 0, "random", "random", "files")
FIGURES = Figures(icc=0.5, correlation=0.6, mae=0.4, degrees=3.0, identity=0.1, auc=0.7, units=9)


@pytest.fixture(scope="module")
def config() -> Config:
    lite = Config.load("lite")
    network = NetworkConfig(8, (1, 1, 1, 1), 8, 4, SIZE)
    return dataclasses.replace(lite, network=network, paper=dataclasses.replace(lite.paper, photos=2))


@pytest.fixture(scope="module")
def frozen(config: Config) -> FrozenNetworks:
    torch.manual_seed(0)
    networks = FrozenNetworks(
        Generator((8, 8, 8, 8, 8, 8, 8)), build_reader(config).segmentation, IdentityNetwork(), SIZE
    )
    return networks.to(torch.device("cpu"))


def landmarks(rng: np.random.Generator) -> np.ndarray:
    points = rng.uniform(30, 110, (68, 2)).astype(np.float32)
    points[36:42], points[42:48] = (47.0, 58.0), (97.0, 58.0)
    points[30], points[48], points[54] = (72.0, 84.0), (53.0, 109.0), (91.0, 109.0)
    return points


def test_the_variants_are_those_of_the_paper() -> None:
    full = Config.load("paper").paper.loss
    changed = {name: dataclasses.replace(full, **variant.change) for name, variant in VARIANTS.items()}
    assert changed.pop("full") == full
    for name in ("identity", "loopback", "parameter", "adversarial"):
        assert changed.pop(f"no-{name}") == dataclasses.replace(full, **{name: 0.0})
    assert changed == {
        "no-content": PaperLossConfig("none", *dataclasses.astuple(full)[1:]),
        "landmarks": PaperLossConfig("heatmaps", *dataclasses.astuple(full)[1:]),
    }
    assert VARIANTS["no-loopback"].paper == (0.60, 0.64, 0.52, 0.37)


def test_what_is_read_right_has_full_marks(frozen: FrozenNetworks, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((20, N_PARAMETERS)).astype(np.float16)
    shard = Shard(
        rng.integers(0, 256, (20, 144, 144), np.uint8),
        truth,
        np.stack([landmarks(rng)] * 20),
        np.zeros((20, 72, 72), np.uint8),
        "a",
    )
    grades = np.full((20, 23), np.nan, np.float32)
    grades[:, 0], grades[:10, 1], grades[10:, 1] = 0.0, 1.0, 2.0
    grades[:6, 2], grades[6:, 2] = 3.0, 0.0
    photos = [
        Photo("x.jpg", shard.images[i], shard.landmarks[i], shard.landmarks[i][:36], grades[i]) for i in range(20)
    ]
    said = truth.astype(np.float32)
    said[:6, AU_SLICE.start + 2], said[6:, AU_SLICE.start + 2] = 0.9, 0.1
    answers = [truth.astype(np.float32), said]
    monkeypatch.setattr(evaluation, "read", lambda *_: answers.pop(0))
    regressor = torch.nn.Linear(1, 1)
    right = measure(frozen.segmentation, regressor, SIZE, [shard], photos)
    assert (right.icc, right.correlation, right.identity) == pytest.approx((1.0, 1.0, 1.0))
    assert right.mae == right.degrees == 0.0
    # AU01 is shown by none, AU02 is nowhere absent: AU04 alone counts
    assert (right.auc, right.units) == (1.0, 1)

    off = truth.astype(np.float32)
    off[:, AU_SLICE] = np.clip(truth[:, AU_SLICE].astype(np.float32), 0.2, 0.8)
    off[:, POSE_SLICE] = truth[:, POSE_SLICE].astype(np.float32) + 0.1
    answers = [off, said]
    wrong = measure(frozen.segmentation, regressor, SIZE, [shard], photos)
    assert wrong.degrees == pytest.approx(12.0 * (1 - np.mean(off[:, POSE_SLICE] > 1)), abs=2.0)
    assert 0.9 < wrong.icc < 1.0 and wrong.mae > 0.05
    with pytest.raises(MeasureError, match="renders"):
        measure(frozen.segmentation, regressor, SIZE, [], photos)


def test_r_is_read_in_batches_and_cut_to_its_range(frozen: FrozenNetworks, config: Config) -> None:
    regressor = build_regressor(config)
    with torch.no_grad():
        regressor.pose.second.bias.fill_(7.0)
    crops = np.random.default_rng(0).integers(0, 256, (70, SIZE, SIZE), np.uint8)
    y = evaluation.read(frozen.segmentation, regressor, crops)
    assert y.shape == (70, N_PARAMETERS)
    assert (y[:, POSE_SLICE] == 1.0).all() and y.min() >= 0.0
    assert y[:, BROW_SLICE].sum(1) == pytest.approx(np.ones(70), abs=1e-4)


@pytest.fixture
def photos() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (4, SIZE, SIZE), np.uint8)


@pytest.fixture
def _tiny_r_is_loaded(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Config, "load", lambda _name: config)


class Measured:
    """Stands in for measuring R: counts up, and keeps a weight of what it was given."""

    def __init__(self) -> None:
        self.weights: list[torch.Tensor] = []

    def __call__(self, regressor: ParameterRegressor) -> Figures:
        self.weights.append(regressor.pose.second.weight.detach().clone())
        return dataclasses.replace(FIGURES, icc=len(self.weights) / 10)


def checkpoint_of(regressor: ParameterRegressor, folder: Path) -> Path:
    write_checkpoint({"regressor": regressor.state_dict()}, folder / "start.pt")
    return folder / "start.pt"


@pytest.mark.usefixtures("_tiny_r_is_loaded")
def test_variants_run_in_turn_from_one_start(
    config: Config, frozen: FrozenNetworks, photos: np.ndarray, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    start, measured = build_regressor(config), Measured()
    approaches = {T: Approach(frozen, checkpoint_of(start, tmp_path), measured)}
    run_ablations(["no-content", "no-identity"], config, approaches, photos, Results(tmp_path, BUDGET), ALONE)
    seen = measured.weights
    assert torch.equal(seen[0], start.pose.second.weight)
    assert not torch.equal(seen[1], seen[0]) and not torch.equal(seen[1], seen[2])
    state = torch.load(tmp_path / "no-content" / paper.CHECKPOINT, weights_only=True)
    assert state["step"] == 2 and state["settings"]["loss"]["content"] == "none"
    again = Results(tmp_path, BUDGET)
    assert {name: value.icc for name, value in again.figures.items()} == {
        "start": 0.1,
        "no-content": 0.2,
        "no-identity": 0.3,
    }
    rows = again.table().splitlines()
    assert [row.split("|")[1].strip() for row in rows[2:]] == [
        "before any step", VARIANTS["no-identity"].title, VARIANTS["no-content"].title
    ]  # fmt: skip
    assert "| 0.53, 0.65 | 0.55, 0.35 | 0.300 |" in rows[3]


@pytest.mark.usefixtures("_tiny_r_is_loaded")
def test_on_the_landmark_network_r_has_a_start_of_its_own(
    config: Config, frozen: FrozenNetworks, photos: np.ndarray, tmp_path: Path
) -> None:
    by_landmarks = dataclasses.replace(frozen, segmentation=LandmarkNetwork(frozen.segmentation))  # type: ignore[arg-type]
    torch.manual_seed(6)
    start, measured, other = build_regressor(config, by_landmarks.segmentation), Measured(), Measured()
    approaches = {
        T: Approach(frozen, None, other),
        HEAT_MAPS: Approach(by_landmarks, checkpoint_of(start, tmp_path), measured),
    }
    run_ablations(["full", "landmarks"], config, approaches, photos, Results(tmp_path, BUDGET), ALONE)
    assert len(measured.weights) == len(other.weights) == 2
    assert torch.equal(measured.weights[0], start.pose.second.weight)
    assert not torch.equal(measured.weights[1], measured.weights[0])
    rows = [row.split("|")[1].strip() for row in Results(tmp_path, BUDGET).table().splitlines()[2:]]
    assert rows == [ROWS[name].title for name in ("start", "full", "landmarks-start", "landmarks")]


def test_figures_of_another_budget_are_not_mixed(tmp_path: Path) -> None:
    Results(tmp_path, BUDGET).add("full", FIGURES)
    with pytest.raises(MeasureError, match=f"another budget: steps was {BUDGET.steps}, is 3. Choose"):
        Results(tmp_path, dataclasses.replace(BUDGET, steps=3))
    content = json.loads((tmp_path / "ablation.json").read_text())
    del content["figures"]["full"]["auc"]
    (tmp_path / "ablation.json").write_text(json.dumps(content))
    with pytest.raises(MeasureError, match=r"ablation\.json"):
        Results(tmp_path, BUDGET)


def test_the_ablation_of_f_seg_asks_for_the_landmark_network(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    options = ["--reader", "r", "--generator", "g", "--identity", "i", "--renders", "x", "--work", str(tmp_path)]
    for name in ("landmarks", "all"):
        assert cli.main(["ablation", name, *options]) != 0
        assert "--landmark-network" in capsys.readouterr().err


def test_an_unknown_ablation_lists_the_known_ones(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    options = ["--reader", "r", "--generator", "g", "--identity", "i", "--renders", "x", "--work", str(tmp_path)]
    assert cli.main(["ablation", "no-nose", *options]) != 0
    said = capsys.readouterr().err
    assert "no-nose" in said and "no-loopback" in said
    assert AU_NAMES[0] not in said
