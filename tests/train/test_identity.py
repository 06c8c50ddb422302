# SPDX-License-Identifier: MIT
"""F_rec of our own: its renders, its batches, its loss by hand, its training and its measure."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bdfm_infer.alignment import MIRRORED_LANDMARK
from bdfm_infer.parameters import (
    AU_BASE,
    AU_SLICE,
    BROW_SLICE,
    IDENTITY_SLICE,
    N_IDENTITY,
    N_PARAMETERS,
    POSE_SLICE,
    base_face,
)
from bdfm_train.cli import main
from bdfm_train.data.identities import Counts, IdentityBatch, IdentityPool
from bdfm_train.data.photos import Photo
from bdfm_train.errors import CheckpointError, DivergedError, IdentityShardError, MeasureError
from bdfm_train.evaluation.verification import report, verification
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.identities import IdentityShard, resting_shape, write_identities
from bdfm_train.networks.identity import IdentityNetwork, load_identity
from bdfm_train.training.identity import SETTINGS, contrastive_loss, train_identity

FACE = np.array(
    [[10 + 5 * i, 70 + abs(i - 8)] for i in range(17)]
    + [[20 + 4 * i, 40] for i in range(5)] + [[60 + 4 * i, 40] for i in range(5)]
    + [[48, 46 + 5 * i] for i in range(4)] + [[44 + 2 * i, 64] for i in range(5)]
    + [[24 + 3 * i, 48] for i in range(6)] + [[60 + 3 * i, 48] for i in range(6)]
    + [[34 + 4.5 * i, 80] for i in range(7)] + [[58 - 4 * i, 84] for i in range(5)]
    + [[38 + 3 * i, 81] for i in range(8)],
    np.float32,
)  # fmt: skip
FEW = replace(
    SETTINGS,
    counts=Counts(rendered=3, photographed=2, views=2),
    training=replace(SETTINGS.training, warm_up_steps=1, average=0.9),
    log_steps=1,
    save_steps=2,
)


def people(count: int, views: int, seed: int, head: str = "a") -> IdentityShard:
    """Noise in place of faces, another one for each person, with a little change from view to view."""
    rng = np.random.default_rng(seed)
    faces = rng.integers(0, 230, (count, 12, 12), np.uint8)
    images = np.stack([face for face in np.kron(faces, np.ones((8, 8), np.uint8)) for _ in range(views)])
    images = images + rng.integers(0, 25, images.shape, np.uint8)
    shape = rng.normal(size=(count, 68, 3)).astype(np.float32).repeat(views, 0)
    n = count * views
    identity = np.repeat(np.arange(count, dtype=np.int32), views)
    return IdentityShard(images, np.zeros((n, N_PARAMETERS), np.float16), np.stack([FACE] * n), shape, identity, head)


def photos(count: int) -> list[Photo]:
    shard = people(count, 1, 77)
    return [Photo(f"{i}.jpg", image, FACE, FACE[:3]) for i, image in enumerate(shard.images)]


@pytest.fixture(scope="module")
def pool() -> IdentityPool:
    return IdentityPool([people(4, 3, 0), people(4, 3, 1, "b")], photos(5))


def test_embeddings_have_unit_length_and_pass_a_gradient_on() -> None:
    network = IdentityNetwork().eval()
    crops = torch.randn(2, 1, 96, 96, requires_grad=True)
    embeddings = network(crops)
    assert embeddings.shape == (2, 256)
    assert torch.allclose(embeddings.norm(dim=1), torch.ones(2), atol=1e-5)
    embeddings[:, 0].sum().backward()
    assert crops.grad is not None
    assert float(crops.grad.abs().sum()) > 0


def test_the_network_stays_as_cheap_as_it_says() -> None:
    network, multiplications = IdentityNetwork().eval(), 0

    def count(module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal multiplications
        if isinstance(module, torch.nn.Conv2d):
            multiplications += output.numel() * module.in_channels * module.kernel_size[0] ** 2
        elif isinstance(module, torch.nn.Linear):
            multiplications += module.weight.numel()

    for module in network.modules():
        module.register_forward_hook(count)
    network(torch.zeros(1, 1, 96, 96))
    assert 10e6 < multiplications < 20e6


def test_contrastive_loss_by_hand() -> None:
    """Two views of one person at a right angle to the only view of another, and an angle of 60 degrees between them.

    Each view of the first person: -log(e^(.5/t) / (e^(.5/t) + e^0)); the second person has no second view.
    """
    embeddings = torch.tensor([[1.0, 0.0, 0.0], [0.5, math.sqrt(0.75), 0.0], [0.0, 0.0, 1.0]])
    loss = contrastive_loss(embeddings, torch.tensor([0, 0, 1]), temperature=0.5)
    assert float(loss) == pytest.approx(math.log(1 + math.exp(-1.0)), abs=1e-6)


def test_contrastive_loss_takes_the_mean_over_the_other_views() -> None:
    """Three views, cosines 1 (0 with 1), 0 (0 with 2), 0 (1 with 2), and nobody else: t = 1."""
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    near = -((1 - math.log(math.e + 1)) + (0 - math.log(math.e + 1))) / 2
    far = math.log(2)
    loss = contrastive_loss(embeddings, torch.tensor([5, 5, 5]), temperature=1.0)
    assert float(loss) == pytest.approx((2 * near + far) / 3, abs=1e-6)


def test_a_batch_holds_the_views_of_different_people(pool: IdentityPool) -> None:
    batch = pool.draw(Counts(rendered=5, photographed=4, views=2), np.random.default_rng(3))
    assert batch.crops.shape == (18, 1, 96, 96)
    assert batch.crops.mean((1, 2, 3)).abs().max() < 1e-4, "crops are normalised"
    assert batch.person.tolist() == [i for i in range(9) for _ in range(2)]
    again = pool.draw(Counts(rendered=5, photographed=4, views=2), np.random.default_rng(3))
    assert torch.equal(batch.crops, again.crops)
    assert not torch.equal(batch.crops[0], batch.crops[1])
    assert batch.shape.shape == (10, 204)


def test_shapes_of_a_batch_are_in_units_of_their_spread_and_mirrored_with_the_crop() -> None:
    shard = people(40, 2, 5)
    batch = IdentityPool([shard], []).draw(Counts(rendered=40, photographed=0, views=2), np.random.default_rng(0))
    assert float(batch.shape.std()) == pytest.approx(1.0, abs=0.05)
    truth = (shard.shape / shard.shape[::2].std(0)).reshape(80, 204)
    mirrored = (shard.shape / shard.shape[::2].std(0))[:, MIRRORED_LANDMARK] * [-1, 1, 1]
    for shape in batch.shape.numpy():
        here = np.abs(truth - shape).max(1).min() < 1e-4
        there = np.abs(mirrored.reshape(80, 204) - shape).max(1).min() < 1e-4
        assert here != there


def test_a_person_seen_once_cannot_be_learned() -> None:
    with pytest.raises(IdentityShardError, match="two views or more"):
        IdentityPool([people(4, 1, 0)], [])


def test_training_lowers_the_loss_and_tells_people_apart(pool: IdentityPool, tmp_path: Path) -> None:
    settings = replace(FEW, counts=Counts(rendered=6, photographed=2, views=3), log_steps=10)
    checkpoint = train_identity(pool, tmp_path, 20, settings=settings)
    records = [json.loads(line) for line in (tmp_path / "identity.jsonl").read_text().splitlines()]
    chance = math.log(6 * 3 + 2 * 3 - 1)
    assert records[-1]["contrast"] < records[0]["contrast"] < chance
    assert records[-1]["contrast"] < chance - 0.4
    network = load_identity(checkpoint)
    assert not network.training
    text = report({"own": network}, {"seen": people(4, 3, 0)}, photos(5))
    assert "4 identities" in text
    assert "pixels alone" in text
    assert float(text.split("own: AUC ")[1].split()[0]) > 0.9


def test_a_broken_off_training_goes_on_to_the_same_weights(pool: IdentityPool, tmp_path: Path) -> None:
    whole = load_identity(train_identity(pool, tmp_path / "whole", 4, settings=FEW)).state_dict()
    folder = tmp_path / "broken"

    class DyingPool(IdentityPool):
        left = 3

        def draw(self, counts: Counts, rng: np.random.Generator) -> IdentityBatch:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().draw(counts, rng)

    with pytest.raises(KeyboardInterrupt):
        train_identity(DyingPool([people(4, 3, 0), people(4, 3, 1, "b")], photos(5)), folder, 4, settings=FEW)
    resumed = load_identity(train_identity(pool, folder, 4, settings=FEW)).state_dict()
    assert all(torch.equal(resumed[key], whole[key]) for key in whole)


def test_nan_ends_training_and_leaves_the_last_checkpoint(pool: IdentityPool, tmp_path: Path) -> None:
    checkpoint = train_identity(pool, tmp_path, 2, settings=FEW)
    good = checkpoint.read_bytes()
    with pytest.raises(DivergedError, match="last good state"):
        train_identity(pool, tmp_path, 4, settings=replace(FEW, temperature=math.nan))
    assert checkpoint.read_bytes() == good


def test_foreign_and_damaged_checkpoints_are_refused(pool: IdentityPool, tmp_path: Path) -> None:
    checkpoint = tmp_path / "identity.pt"
    checkpoint.write_bytes(b"torn")
    for use in (load_identity, lambda _: train_identity(pool, tmp_path, 2, settings=FEW)):
        with pytest.raises(CheckpointError):
            use(checkpoint)
    torch.save({"network": {}, "average": {"x": torch.zeros(1)}, "optimizer": {}, "step": 1}, checkpoint)
    for use in (load_identity, lambda _: train_identity(pool, tmp_path, 2, settings=FEW)):
        with pytest.raises(CheckpointError, match="another network"):
            use(checkpoint)
    with pytest.raises(CheckpointError, match="python -m bdfm_train identity"):
        load_identity(tmp_path / "none.pt")


def test_verification_by_hand() -> None:
    """Two people of two views at 0, 10 and 30, 70 degrees in a plane, and two more alike in another plane.

    Pairs of one person: cos 10 and cos 40, twice. Pairs of two: cos 20, 30, 60, 70, twice, and 16 of cosine 0. Each of
    the two cos 40 loses against cos 20 and cos 30 of both planes: 8 of 4 x 24 comparisons.
    """
    angles = np.radians([0.0, 10.0, 30.0, 70.0])
    plane = np.stack([np.cos(angles), np.sin(angles)], 1)
    embeddings = np.kron(np.eye(2), plane).astype(np.float32)
    measured = verification(embeddings, np.array([0, 0, 1, 1, 2, 2, 3, 3]))
    assert measured.value == pytest.approx(1 - 8 / 96)


def test_verification_of_first_views_takes_only_pairs_of_one_first_and_one_other() -> None:
    """First views of all four people are alike; the second views tell people apart and lie by no first view."""
    first_view = np.eye(6, dtype=np.float32)[[0, 0, 0, 0]]
    others = np.eye(6, dtype=np.float32)[[1, 2, 3, 4]]
    embeddings = np.stack([first_view, others], 1).reshape(8, 6)
    person = np.repeat(np.arange(4), 2)
    first = np.tile([True, False], 4)
    assert verification(embeddings, person, first).value == pytest.approx(0.5)


def test_verification_needs_people() -> None:
    with pytest.raises(MeasureError):
        verification(np.eye(2, dtype=np.float32), np.array([0, 1]))


def test_shards_of_another_form_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "shard.npz"
    with pytest.raises(IdentityShardError, match="shard of identities"):
        IdentityShard.load(path)
    path.write_bytes(b"torn")
    with pytest.raises(IdentityShardError, match="shard of identities"):
        IdentityShard.load(path)
    np.savez(path, **vars(people(2, 2, 0)) | {"identity": np.zeros(1, np.int32)})
    with pytest.raises(IdentityShardError, match="identity is int32"):
        IdentityShard.load(path)


def test_a_shard_that_cannot_be_written_is_said_so(heads_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IdentityShardError, match="cannot be written"):
        write_identities(Head.load(heads_folder, "a"), None, 1, 2, 0, tmp_path / "file" / "shard.npz")


def test_views_of_a_rendered_identity_share_shape_and_brows_alone(heads_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "ids.npz"
    write_identities(Head.load(heads_folder, "a"), None, 2, 4, 4, path)
    shard = IdentityShard.load(path)
    y = shard.parameters.astype(np.float32)
    assert shard.identity.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert np.flatnonzero(shard.first_views).tolist() == [0, 4]
    for own in (slice(0, 4), slice(4, 8)):
        assert np.ptp(y[own, IDENTITY_SLICE], axis=0).max() == 0
        assert np.ptp(y[own, BROW_SLICE], axis=0).max() == 0
        assert np.ptp(y[own, POSE_SLICE], axis=0).min() > 0
        assert y[own][0, AU_SLICE] == pytest.approx(AU_BASE, abs=1e-3)
        assert y[own][1:, AU_SLICE].max(1).min() > 0.05
    assert np.abs(y[0, IDENTITY_SLICE] - y[4, IDENTITY_SLICE]).max() > 0.2
    assert np.ptp(shard.shape[:4], axis=0).max() == 0
    assert np.abs(shard.shape[0] - shard.shape[4]).max() > 0.02
    again = tmp_path / "again.npz"
    write_identities(Head.load(heads_folder, "a"), None, 2, 4, 4, again)
    assert np.array_equal(IdentityShard.load(again).images, shard.images)


def test_the_base_face_has_no_shape_of_its_own(heads_folder: Path) -> None:
    for name in ("a", "b"):
        head = Head.load(heads_folder, name)
        assert np.abs(resting_shape(head, base_face()[IDENTITY_SLICE])).max() < 1e-6
        wide = np.full(N_IDENTITY, 0.8, np.float32)
        shape = resting_shape(head, wide)
        assert shape.shape == (68, 3)
        assert np.abs(shape).max() > 0.01


def test_verification_without_a_network_file_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BDFM_SOURCES", str(tmp_path))
    assert main(["verification", "--checkpoint", str(tmp_path / "none.pt")]) != 0
    assert "python -m bdfm_train identity" in capsys.readouterr().err
    assert main(["verification", "--light-cnn", str(tmp_path / "none.pth")]) != 0
    assert "LightCNN_29Layers_V2" in capsys.readouterr().err
