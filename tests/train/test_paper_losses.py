# SPDX-License-Identifier: MIT
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bdfm_infer.parameters import AU_SLICE, BROW_SLICE, IDENTITY_SLICE, N_PARAMETERS, POSE_SLICE, base_face
from bdfm_train.config import NAMES, Config, NetworkConfig, PaperLossConfig
from bdfm_train.errors import ConfigError
from bdfm_train.networks.checkpoints import build_reader, build_regressor
from bdfm_train.networks.generator import Generator
from bdfm_train.networks.identity import IdentityNetwork
from bdfm_train.networks.landmark_network import LandmarkMaps, LandmarkNetwork
from bdfm_train.networks.representation import Representation
from bdfm_train.networks.segmentation import normalise
from bdfm_train.training import losses
from bdfm_train.training.objective import FrozenNetworks, PaperObjective, Seen, within_range

SIZE = 32


def t_of(**values: float) -> Representation:
    """T whose components are constant, 2 where nothing is said."""
    sides = {"eyes": 8, "brows": 8, "nose": 4, "mouth": 4, "face": 2}
    return Representation(**{p: torch.full((2, 3, s, s), values.get(p, 2.0)) for p, s in sides.items()})


def base(n: int = 1) -> Tensor:
    return torch.from_numpy(base_face()).expand(n, -1).clone()


def test_content_loss_adds_up_the_components() -> None:
    # eyes: |3 - 2| / 2; brows: |1 - 4| / 4
    drawn, real = t_of(eyes=3.0, brows=1.0), t_of(brows=4.0)
    assert losses.content_loss(drawn, real).item() == pytest.approx(0.5 + 0.75)
    assert losses.content_loss(real, real).item() == 0.0


def test_identity_loss_is_one_minus_the_cosine() -> None:
    drawn = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    real = torch.tensor([[0.0, 2.0], [3.0, 0.0]])
    # cosines 0 and 9 / 15
    assert losses.identity_loss(drawn, real).item() == pytest.approx(1.0 - 0.3)


def test_parameter_loss_by_hand() -> None:
    y = base(2)
    assert losses.parameter_loss(y, 0.1, 0.01).item() == 0.0
    y[0, POSE_SLICE.start] = 0.7  # 0.04
    y[0, IDENTITY_SLICE.start : IDENTITY_SLICE.start + 2] = 0.6  # 0.1 * 0.02
    y[0, AU_SLICE.start] = 0.52  # 0.01 * 0.25
    y[1, BROW_SLICE] = 1.0  # no base
    assert losses.parameter_loss(y, 0.1, 0.01).item() == pytest.approx((0.04 + 0.002 + 0.0025) / 2, rel=1e-5)


def test_loopback_loss_by_hand() -> None:
    truth, read_units, read_identity = base(1), base(1), base(1)
    read_units[0, :3] += 0.1
    read_identity[0, -2:] += 0.2
    assert losses.loopback_loss(truth, read_units, truth, read_identity, 1.0).item() == pytest.approx(0.7, rel=1e-5)
    assert losses.loopback_loss(truth, read_units, truth, read_identity, 0.5).item() == pytest.approx(0.5, rel=1e-5)


def test_what_g_drew_is_the_truth_and_gets_no_gradient() -> None:
    truth, read = base(1).requires_grad_(), torch.rand(1, N_PARAMETERS).requires_grad_()
    losses.loopback_loss(truth, read, truth, read, 1.0).backward()
    assert truth.grad is None
    assert read.grad is not None


def test_adversarial_loss_looks_at_the_mouth_alone() -> None:
    face = t_of(mouth=4.0)
    assert losses.adversarial_loss(t_of(mouth=3.0, eyes=9.0, nose=9.0), face).item() == pytest.approx(0.25)
    one = Representation(**{part: value[:1] for part, value in vars(face).items()})
    assert losses.adversarial_loss(t_of(mouth=3.0), one).item() == pytest.approx(0.25)


def test_of_a_landmark_network_the_heat_maps_are_compared() -> None:
    def maps(heat: Tensor, rest: float = 0.0) -> LandmarkMaps:
        return LandmarkMaps(torch.full((1, 4, 8, 8), rest), torch.full((1, 8, 4, 4), rest), heat)

    real, drawn = torch.zeros(1, 68, 4, 4), torch.zeros(1, 68, 4, 4)
    real[0, 5, 1, 2], real[0, 50, 0, 0] = 1.0, 0.5
    drawn[0, 5, 3, 2], drawn[0, 50, 0, 0] = 0.5, 0.5
    # (1 + .25) in units of (1 + .25); what the first layers see does not count
    assert losses.content_loss(maps(drawn, 7.0), maps(real)).item() == pytest.approx(1.0)
    assert losses.content_loss(maps(real), maps(real)).item() == 0.0
    # the mouth is landmarks 48 to 67: there both agree
    assert losses.adversarial_loss(maps(drawn), maps(real)).item() == 0.0
    drawn[0, 67, 1, 1] = 0.25
    assert losses.adversarial_loss(maps(drawn), maps(real)).item() == pytest.approx(0.5)


@pytest.mark.parametrize("name", NAMES)
def test_the_sum_has_the_paper_s_weights(name: str) -> None:
    config = Config.load(name).paper.loss
    content = "heatmaps" if name == "landmarks" else "T"
    assert config == PaperLossConfig(content, 0.1, 0.1, 0.1, 0.1, alpha=0.1, beta=0.01, lambda_le=1.0)
    found = dict(zip(("content", "identity", "parameter", "loopback", "adversarial"), torch.ones(5), strict=True))
    assert losses.total_loss(found, config).item() == pytest.approx(1.4)
    del found["content"], found["identity"]
    assert losses.total_loss(found, config).item() == pytest.approx(0.3)


def test_bases_replace_one_group_and_leave_the_rest() -> None:
    y = torch.rand(2, N_PARAMETERS)
    units, identity = losses.with_base_units(y), losses.with_base_identity(y)
    assert torch.equal(units[:, AU_SLICE], torch.full((2, 23), 0.02))
    assert torch.equal(units[:, POSE_SLICE], y[:, POSE_SLICE])
    assert torch.equal(units[:, IDENTITY_SLICE.start :], y[:, IDENTITY_SLICE.start :])
    assert torch.equal(identity[:, IDENTITY_SLICE], torch.full((2, 208), 0.5))
    assert torch.equal(identity[:, BROW_SLICE], torch.eye(36)[[0, 0]])
    assert torch.equal(identity[:, : AU_SLICE.stop], y[:, : AU_SLICE.stop])
    assert torch.equal(base()[0, POSE_SLICE], torch.tensor([0.5, 0.5]))  # frontal


def test_a_value_outside_of_its_range_can_come_back() -> None:
    y = torch.tensor([-0.5, 0.3, 1.5], requires_grad=True)
    cut = within_range(y)
    assert cut.tolist() == pytest.approx([0.0, 0.3, 1.0])
    cut.sum().backward()
    assert y.grad is not None and y.grad.tolist() == [1.0, 1.0, 1.0]


NOTHING = PaperLossConfig("none", 0.0, 0.0, 0.0, 0.0, alpha=0.1, beta=0.01, lambda_le=1.0)


Parts = tuple[nn.Module, FrozenNetworks]


def tiny(by_landmarks: bool) -> Parts:
    """R and the frozen networks, all with random weights."""
    torch.manual_seed(0)
    config = replace(Config.load("lite"), network=NetworkConfig(8, (1, 1, 1, 1), 8, 4, SIZE))
    segmentation = build_reader(config).segmentation
    reads = LandmarkNetwork(segmentation) if by_landmarks else segmentation
    if by_landmarks:  # at first the heat maps' weight is next to nothing
        nn.init.zeros_(segmentation.refine_landmarks.doubt)
    frozen = FrozenNetworks(Generator((8, 8, 8, 8, 8, 8, 8)), reads, IdentityNetwork(), SIZE)
    return build_regressor(config, reads), frozen.to(torch.device("cpu"))


@pytest.fixture(scope="module")
def parts() -> Parts:
    return tiny(by_landmarks=False)


@pytest.fixture(scope="module")
def landmark_parts() -> Parts:
    return tiny(by_landmarks=True)


LEARNS = [
    ("identity", {"identity": 0.1}, {"pose", "identity", "brow_style"}),
    ("parameter", {"parameter": 0.1}, {"pose", "action_units", "identity"}),
    ("loopback", {"loopback": 0.1}, {"pose", "action_units", "identity", "brow_style"}),
    ("adversarial", {"adversarial": 0.1}, {"pose", "identity", "brow_style"}),
]
"""A loss, what switches it on, and what of R it moves."""


@pytest.mark.parametrize(
    ("name", "change", "learns"),
    [("content", {"content": "T"}, {"pose", "action_units", "identity", "brow_style"}), *LEARNS],
)
def test_the_gradient_reaches_r_alone(parts: Parts, name: str, change: dict[str, object], learns: set[str]) -> None:
    assert moved_by(parts, name, change) == learns


@pytest.mark.parametrize(
    ("name", "change", "learns"),
    [("content", {"content": "heatmaps"}, {"pose", "action_units", "identity", "brow_style"}), *LEARNS],
)
def test_so_it_does_with_a_landmark_network(
    landmark_parts: Parts, name: str, change: dict[str, object], learns: set[str]
) -> None:
    assert moved_by(landmark_parts, name, change) == learns


def moved_by(parts: Parts, name: str, change: dict[str, object]) -> set[str]:
    """Parts of R that the gradient of one loss reaches; that nothing else gets one is asserted."""
    regressor, frozen = parts
    regressor.zero_grad(set_to_none=True)
    objective = PaperObjective(regressor, frozen, replace(NOTHING, **change))  # type: ignore[arg-type]
    crops = torch.randint(0, 256, (3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    found = objective(crops)
    assert set(found) == {name}
    losses.total_loss(found, objective.config).backward()
    moved = {
        part
        for part, network in regressor.named_children()
        if any(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
    }
    for network in (frozen.generator, frozen.segmentation, frozen.recognition):
        assert all(p.grad is None and not p.requires_grad for p in network.parameters())
    assert {id(p) for p in objective.parameters()} == {id(p) for p in regressor.parameters()}
    return moved


class Mirrors(FrozenNetworks):
    """G draws y itself, F_seg sees it as f_gb and its pose and action units as T; F_rec knows identity and style."""

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def draw(self, y: Tensor) -> Tensor:
        return y

    def see(self, crops: Tensor) -> Seen:
        return self.see_drawn(crops[:, 0].flatten(1)[:, :N_PARAMETERS])

    def see_drawn(self, pictures: Tensor) -> Seen:
        pose, units = pictures[:, POSE_SLICE], pictures[:, AU_SLICE]
        t = Representation(eyes=pose, brows=pose, nose=pose, mouth=units, face=pose)
        return Seen(pictures, t)

    def recognise_drawn(self, pictures: Tensor) -> Tensor:
        return pictures[:, IDENTITY_SLICE]

    def recognise(self, crops: Tensor) -> Tensor:
        return torch.ones(len(crops), 208)


class Reads(nn.Module):
    """R that says one y of photos, and of pictures what ``says`` makes of what they were drawn with."""

    def __init__(self, y: Tensor, says: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.y, self.says, self.calls = y, says, 0

    def forward(self, whole: Tensor, _parts: Representation) -> Tensor:
        self.calls += 1
        return self.y.expand(len(whole), -1) if self.calls == 1 else self.says(whole)


def test_which_picture_each_loss_looks_at() -> None:
    """By hand: one y with pose .7, action units .5, identity .6 but for one value of .9, the second brow style."""
    y = base()
    y[0, POSE_SLICE], y[0, AU_SLICE], y[0, IDENTITY_SLICE] = 0.7, 0.52, 0.6
    y[0, IDENTITY_SLICE.start] = 0.9
    y[0, BROW_SLICE] = torch.eye(36)[1]
    config = Config.load("paper").paper.loss
    mirrors = Mirrors(nn.Identity(), nn.Identity(), nn.Identity(), SIZE)  # type: ignore[arg-type]
    crops = torch.randint(0, 256, (2, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    found = PaperObjective(Reads(y, lambda drawn: drawn), mirrors, config)(crops)
    assert found["loopback"].item() == 0.0  # R says what was drawn
    assert found["parameter"].item() == pytest.approx(2 * 0.04 + 0.1 * (0.16 + 207 * 0.01) + 0.01 * 23 * 0.25, rel=1e-4)
    product, length = 0.9 + 207 * 0.6, math.sqrt(208 * (0.81 + 207 * 0.36))
    assert found["identity"].item() == pytest.approx(1 - product / length, abs=1e-6)
    assert found["adversarial"].item() == 0.0  # base action units on both sides, whatever y says
    real = mirrors.see(normalise(crops)).parts
    drawn = mirrors.see_drawn(y.expand(2, -1)).parts
    assert found["content"].item() == pytest.approx(losses.content_loss(drawn, real).item())
    # R that says the base of everything is off by pose, identity and style in the first picture, by pose and units in
    # the second
    asleep = PaperObjective(Reads(y, lambda drawn: base(len(drawn))), mirrors, config)(crops)
    first, second = 2 * 0.2 + 0.4 + 207 * 0.1 + 2, 2 * 0.2 + 23 * 0.5
    assert asleep["loopback"].item() == pytest.approx(first + second, rel=1e-5)
    half = PaperObjective(Reads(y, lambda drawn: base(len(drawn))), mirrors, replace(config, lambda_le=0.5))(crops)
    assert half["loopback"].item() == pytest.approx(first + 0.5 * second, rel=1e-5)


def test_what_r_does_not_read_is_not_compared(parts: Parts, landmark_parts: Parts) -> None:
    for (regressor, frozen), content in ((parts, "heatmaps"), (landmark_parts, "T")):
        with pytest.raises(ConfigError, match=f"{content}.*--landmark-network"):
            PaperObjective(regressor, frozen, replace(NOTHING, content=content))
        PaperObjective(regressor, frozen, NOTHING)


def test_generated_pictures_leave_the_batch_statistics_alone(parts: Parts) -> None:
    regressor, frozen = parts
    crops = torch.randint(0, 256, (3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))

    def after(config: PaperLossConfig) -> Tensor:
        again = build_regressor(replace(Config.load("lite"), network=NetworkConfig(8, (1, 1, 1, 1), 8, 4, SIZE)))
        again.load_state_dict(regressor.state_dict())
        PaperObjective(again, frozen, config)(crops)
        mean = again.pose.reduce[1].running_mean
        assert isinstance(mean, Tensor)
        return mean

    photos_alone = after(replace(NOTHING, parameter=0.1))
    assert torch.equal(after(replace(NOTHING, parameter=0.1, loopback=0.1)), photos_alone)
    assert not torch.equal(photos_alone, torch.zeros_like(photos_alone))
