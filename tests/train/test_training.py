# SPDX-License-Identifier: MIT
import os
import random
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from bdfm_infer import alignment
from bdfm_infer.alignment import CROP_SIZE, crop_units, five_points, mirror_landmarks
from bdfm_infer.parameters import AU_NAMES
from bdfm_train.config import BatchConfig, Config, NetworkConfig
from bdfm_train.data.augment import Jitter, jittered_alignment, photo_labels
from bdfm_train.data.batches import BatchMaker
from bdfm_train.data.crops import mirror_parameters
from bdfm_train.data.photos import Photo, judgements, load_photos, part_of, set_aside, unsuitable, without_copies
from bdfm_train.data.shards import Shard, ShardPool
from bdfm_train.data.training_data import TrainingData
from bdfm_train.errors import CheckpointError
from bdfm_train.face_model.labels import LABEL
from bdfm_train.networks.checkpoints import build_reader, build_regressor, load_reader, load_regressor
from bdfm_train.training.average import WeightAverage, mean_of_runs
from bdfm_train.training.confidence import SATURATED_CONFIDENCE, confidence_error, train_confidence
from bdfm_train.training.reader import Read, reader_losses, train_reader
from bdfm_train.training.steps import (
    mirror_mean,
    sidedness_error,
    span_error,
    steadiness_error,
    with_mirror_images,
)
from bdfm_train.training.work import Length, Run

SOURCES = os.environ.get("BDFM_SOURCES")
needs_sources = pytest.mark.skipif(not SOURCES, reason="BDFM_SOURCES is not set")


def face_landmarks(centre: tuple[float, float] = (72.0, 72.0), size: float = 80.0) -> np.ndarray:
    """68 points with the eyes, nose and mouth where an aligned crop has them, `size` pixels wide."""
    rng = np.random.default_rng(3)
    points = rng.uniform(0.3, 0.7, (68, 2))
    points[36:42] = np.array([0.33, 0.40]) + rng.normal(size=(6, 2)) * 0.01
    points[42:48] = np.array([0.67, 0.40]) + rng.normal(size=(6, 2)) * 0.01
    points[30], points[48], points[54] = (0.5, 0.58), (0.37, 0.75), (0.63, 0.75)
    return ((points - 0.5) * size + centre).astype(np.float32)


def make_shard(n: int = 6, head: str = "a") -> Shard:
    rng = np.random.default_rng(5)
    parameters = rng.random((n, 269)).astype(np.float16)
    return Shard(
        rng.integers(0, 256, (n, 144, 144), np.uint8),
        parameters,
        np.stack([face_landmarks()] * n),
        rng.integers(0, 14, (n, 72, 72), np.uint8),
        head,
    )


def make_batch_maker(head: str = "a") -> BatchMaker:
    rng = np.random.default_rng(7)
    image = rng.integers(0, 256, (224, 224), np.uint8)
    photo = Photo("x.jpg", image, face_landmarks((112, 112), 120), face_landmarks((112, 112), 160)[:36])
    pool = ShardPool(Path(), "none", 1)
    pool.shards = {"one": make_shard(head=head)}
    return BatchMaker([photo], pool, (4, 3, 2), 0)


def test_mirroring_twice_gives_back_the_same() -> None:
    rng = np.random.default_rng(0)
    landmarks = rng.random((68, 2)).astype(np.float32)
    parameters = rng.random(25).astype(np.float32)
    assert np.allclose(mirror_landmarks(mirror_landmarks(landmarks)), landmarks, atol=1e-6)
    assert np.allclose(mirror_parameters(mirror_parameters(parameters)), parameters, atol=1e-6)


def test_mirroring_exchanges_sides_and_turns_yaw() -> None:
    y = np.full(25, 0.02, np.float32)
    y[:2] = 0.7, 0.6
    y[2 + AU_NAMES.index("jaw_left")] = 0.9
    y[2 + AU_NAMES.index("AU12")] = 0.4
    z = mirror_parameters(y)
    assert z[0] == pytest.approx(0.3)
    assert z[1] == pytest.approx(0.6)
    assert z[2 + AU_NAMES.index("jaw_right")] == pytest.approx(0.9)
    assert z[2 + AU_NAMES.index("jaw_left")] == pytest.approx(0.02)
    assert z[2 + AU_NAMES.index("AU12")] == pytest.approx(0.4)


def test_without_jitter_the_alignment_is_the_one_in_use() -> None:
    landmarks = face_landmarks()
    none = Jitter(points=0.0, turn=0.0, scale=0.0, shift=0.0)
    matrix = jittered_alignment(landmarks, none, np.random.default_rng(0))
    assert np.allclose(matrix, alignment.alignment(five_points(landmarks)))
    placed = crop_units(alignment.apply(matrix, five_points(landmarks)))
    assert np.abs(placed - alignment.FIVE_POINTS).max() < 0.02


def test_photo_labels_put_each_part_at_its_landmarks() -> None:
    landmarks = face_landmarks((48, 48), CROP_SIZE)
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    for start, centre in ((36, (32.0, 38.0)), (42, (64.0, 38.0))):
        angles = np.linspace(np.pi, -np.pi, 7)[:6]
        landmarks[start : start + 6] = np.array(centre) + 6 * np.stack([np.cos(angles), -np.sin(angles)], 1)
        brow = 17 if start == 36 else 22
        landmarks[brow : brow + 5] = np.stack([np.linspace(-9, 9, 5) + centre[0], np.full(5, 24.0)], 1)
    labels = photo_labels(landmarks, square * 40 + 48)
    assert labels[12, 16] == LABEL["r_brow"]
    assert labels[12, 32] == LABEL["l_brow"]
    assert labels[19, 16] == LABEL["r_eye"]  # the picture's left is the person's right
    assert labels[19, 32] == LABEL["l_eye"]
    assert labels[40, 24] == LABEL["skin"]
    assert labels[0, 0] == 255


def test_identity_is_learned_on_head_a_alone() -> None:
    assert not make_batch_maker("b").draw().identity_known.any()
    draws = torch.cat([make_batch_maker("a").draw().identity_known for _ in range(1)])
    assert draws.dtype == torch.bool


def test_batch_shapes_and_range() -> None:
    batch = make_batch_maker().draw()
    assert batch.renders.shape == (4, 1, 96, 96)
    assert batch.photos.shape == batch.clean_photos.shape == (3, 1, 96, 96)
    assert batch.negatives.shape == (2, 1, 96, 96)
    assert batch.render_parsing.shape == (4, 48, 48)
    assert batch.parameters.shape == (4, 25)
    assert batch.render_landmarks.mean((0, 1)).sub(0.5).abs().max() < 0.15
    assert batch.renders.mean((1, 2, 3)).abs().max() < 1e-4


def test_shard_pool_takes_new_files_and_drops_the_oldest(tmp_path: Path) -> None:
    def write(name: str, when: int) -> None:
        shard = make_shard(2)
        np.savez(tmp_path / name, **vars(shard))
        os.utime(tmp_path / name, (when, when))

    pool = ShardPool(tmp_path, "*.npz", 2)
    write("one.npz", 1)
    assert pool.refresh()
    assert not pool.refresh()
    write("two.npz", 2)
    write("three.npz", 3)
    assert pool.refresh()
    assert list(pool.shards) == ["three.npz", "two.npz"]
    shard, index = pool.draw(random.Random(0))
    assert 0 <= index < len(shard.images)


def tiny_config() -> Config:
    lite = Config.load("lite")
    return replace(lite, network=NetworkConfig(8, (1, 1, 1, 1), 16, 12, CROP_SIZE), batch=BatchConfig(4, 1, 3, 2, 4))


def test_losses_are_small_where_the_reading_is_right() -> None:
    torch.manual_seed(0)
    batch = make_batch_maker().draw()
    reader = build_reader(tiny_config())
    renders, photos = Read.of(reader(batch.renders)), Read.of(reader(batch.photos))
    nothing = reader(batch.negatives).confidence
    teacher = photos.parameters.detach()[:, 2:]
    truth = batch.render_landmarks
    right = replace(renders, parameters=batch.parameters, landmarks=truth, coarse=truth)
    losses, wrong = (
        reader_losses(batch, right, photos, nothing, teacher, torch.ones(23)),
        reader_losses(batch, renders, photos, nothing, teacher, torch.ones(23)),
    )
    assert losses.action_units.item() == losses.pose.item() == losses.landmarks_renders.item() == 0.0
    assert losses.sides.item() == 0.0 and wrong.sides.item() > 0.0
    assert 0.0 < losses.spans.item() < wrong.spans.item()  # what is left is the photos' part
    assert wrong.action_units.item() > 0.01
    assert wrong.landmarks_renders.item() > 0.001


def test_a_missed_action_unit_costs_more_than_a_false_one() -> None:
    batch = make_batch_maker().draw()
    reader = build_reader(tiny_config())
    renders, photos = Read.of(reader(batch.renders)), Read.of(reader(batch.photos))
    nothing, teacher = reader(batch.negatives).confidence, photos.parameters.detach()[:, 2:]

    def cost(truth: float, said: float) -> float:
        true = torch.full((4, 25), truth)
        reading = replace(renders, parameters=torch.full((4, 25), said))
        return reader_losses(
            replace(batch, parameters=true), reading, photos, nothing, teacher, torch.ones(23)
        ).action_units.item()

    assert cost(1.0, 0.5) == pytest.approx(4 * 0.25, rel=1e-5)  # weight 1 + 3 y
    assert cost(0.0, 0.5) == pytest.approx(0.25, rel=1e-5)


def test_what_was_changed_in_a_photo_is_asked_for_on_the_side_where_the_mirror_shows_it() -> None:
    left, right = AU_NAMES.index("eye_closed_left"), AU_NAMES.index("eye_closed_right")
    teacher, change = torch.full((1, 23), 0.1), torch.zeros(1, 23)
    change[0, left] = 0.5
    read = torch.full((1, 25), 0.1)
    read[0, 2 + left] = 0.6
    assert steadiness_error(read, teacher, change, torch.tensor([False])).item() == pytest.approx(0.0, abs=1e-12)
    both = 2 * 0.5**2 * (1 + 1 + 3 * 0.5) / 2 / 23  # one lid weighs 1, the changed one 1 + 3 * 0.5
    assert steadiness_error(read, teacher, change, torch.tensor([True])).item() == pytest.approx(both)
    read[0, [2 + left, 2 + right]] = read[0, [2 + right, 2 + left]]
    assert steadiness_error(read, teacher, change, torch.tensor([True])).item() == pytest.approx(0.0, abs=1e-12)
    full = torch.full((1, 23), 0.9)
    assert steadiness_error(torch.ones(1, 25), full, torch.full((1, 23), 0.3), torch.tensor([False])).item() == 0.0


def test_the_teacher_reads_a_photo_and_its_mirror_image_alike() -> None:
    left, right, both = (AU_NAMES.index(name) for name in ("eye_closed_left", "eye_closed_right", "AU12"))
    read = torch.zeros(2, 25)  # one photo, then its mirror image
    read[:, 2 + left] = torch.tensor([1.0, 0.2])
    read[:, 2 + right] = torch.tensor([0.0, 0.6])
    read[:, 2 + both] = torch.tensor([0.3, 0.5])
    mean = mirror_mean(read)
    assert mean.shape == (1, 23)
    assert mean[0, [left, right, both]].tolist() == pytest.approx([0.8, 0.1, 0.4])
    crops = torch.arange(12.0).view(1, 1, 3, 4)
    twice = with_mirror_images(crops)
    assert torch.equal(twice[:1], crops) and twice[1, 0, 0].tolist() == [3.0, 2.0, 1.0, 0.0]


def test_a_wink_read_as_two_half_closed_eyes_costs_by_its_sides() -> None:
    left, right = AU_NAMES.index("eye_closed_left"), AU_NAMES.index("eye_closed_right")
    truth = torch.zeros(1, 23)
    truth[0, left] = 1.0
    halves = torch.zeros(1, 23)
    halves[0, [left, right]] = 0.5
    assert sidedness_error(truth, truth).item() == 0.0
    assert sidedness_error(halves, truth).item() == pytest.approx(1.0 * (1 + 3 * 1.0) / 2)  # two pairs have sides
    assert sidedness_error(truth + 0.2, truth).item() == pytest.approx(0.0, abs=1e-12)


def test_spans_pass_over_a_shift_and_see_one_lid() -> None:
    truth = torch.rand(2, 68, 2)
    assert span_error(truth + 0.1, truth).item() == pytest.approx(0.0, abs=1e-6)
    lid = truth.clone()
    lid[:, 41, 1] += 0.02
    assert span_error(lid, truth).item() == pytest.approx(0.02 / 2 / 20, rel=1e-4)  # one of 20 spans, one of 2 axes


def test_a_profile_is_worth_less_confidence() -> None:
    profile, frontal, nothing = torch.tensor([[1.0, 0.5]]), torch.tensor([[0.5, 0.5]]), torch.zeros(0)

    def cost(logit: float, parameters: torch.Tensor) -> float:
        return confidence_error(torch.tensor([logit]), nothing, nothing, parameters).item()

    best = float(np.log(SATURATED_CONFIDENCE / (1 - SATURATED_CONFIDENCE)))
    assert cost(best, profile) < cost(best + 2, profile) and cost(best, profile) < cost(best - 2, profile)
    assert cost(0.0, frontal) == pytest.approx(np.log(2)) and cost(5.0, frontal) < cost(best, frontal)
    three = confidence_error(torch.zeros(1), torch.full((1,), 9.0), torch.full((2,), -9.0), frontal)
    assert three.item() == pytest.approx((np.log(2) + 3 * np.log1p(np.exp(-9))) / 4, rel=1e-4)


@needs_sources
def test_confidence_is_trained_alone(tmp_path: Path) -> None:
    assert SOURCES
    np.savez(tmp_path / "one.npz", **vars(make_shard(12)))
    np.save(tmp_path / "negatives.npy", np.random.default_rng(0).integers(0, 256, (8, 96, 96), np.uint8))
    reader = build_reader(Config.load("lite"))
    before = {name: value.clone() for name, value in reader.state_dict().items()}
    torch.save({"average": before, "config": "lite", "step": 7}, tmp_path / "reader.pt")
    out = tmp_path / "sure.pt"
    negatives, faces = tmp_path / "negatives.npy", tmp_path / "faces.npz"
    crops = np.load(negatives)
    np.savez(faces, crops=crops, yaw=np.linspace(-90, 90, 8, dtype=np.float32), beside=crops)
    train_confidence(tmp_path / "reader.pt", Path(SOURCES), tmp_path, "one.npz", negatives, faces, Length(0.02), 0, out)
    after = torch.load(out, weights_only=True)
    changed = {name for name, value in after["average"].items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("face.") for name in changed)
    assert after["step"] == 7 and after["config"] == "lite"


def test_average_starts_fast_and_then_follows_slowly() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    average = WeightAverage(network, 0.999)
    torch.nn.init.ones_(network.weight)
    average.update(1)
    # decay 1 - 1 / (1/10 + 1) = 1/11: ten elevenths of the new weight
    assert average.network.weight.item() == pytest.approx(10 / 11)
    before = average.network.weight.item()
    average.update(10**9)
    assert average.network.weight.item() - before == pytest.approx((1 - before) * 0.001, rel=1e-3)


def test_parts_of_the_photos_do_not_overlap() -> None:
    assert part_of("a.jpg", {"a.jpg"}, {"a.jpg"}) == "expressions"
    assert part_of("a.jpg", set(), {"a.jpg"}) == "set_aside"
    parts = [part_of(f"{i}.jpg", set(), set()) for i in range(2000)]
    assert {*parts} == {"train", "held_out"}
    assert 0.05 < parts.count("held_out") / 2000 < 0.11


@needs_sources
def test_training_never_sees_what_measures_it() -> None:
    assert SOURCES
    train = {photo.name for photo in load_photos(Path(SOURCES), "train")}
    held_out = {photo.name for photo in load_photos(Path(SOURCES), "held_out")}
    assert len(train) > 1500 and len(held_out) > 100
    assert not train & held_out
    assert not (train | held_out) & set(judgements(Path(SOURCES)))
    assert not (train | held_out) & set_aside()
    assert not (train | held_out) & unsuitable()


def test_copies_are_found_in_spite_of_light_and_place() -> None:
    rng = np.random.default_rng(2)
    landmarks = face_landmarks((112, 112), 120)

    def photo(image: np.ndarray, at: np.ndarray) -> Photo:
        return Photo("x.jpg", image, at, at[:36])

    smooth = cv2.resize(rng.integers(0, 256, (12, 12), np.uint8), (224, 224), interpolation=cv2.INTER_CUBIC)
    other = cv2.resize(rng.integers(0, 256, (12, 12), np.uint8), (224, 224), interpolation=cv2.INTER_CUBIC)
    moved = np.roll((smooth * 0.6 + 30).astype(np.uint8), (9, 5), (0, 1))
    copy, stranger = photo(moved, landmarks + np.array([5, 9], np.float32)), photo(other, landmarks)
    assert without_copies([copy, stranger], [photo(smooth, landmarks)]) == [stranger]


@needs_sources
def test_a_short_training_runs_and_resumes(tmp_path: Path) -> None:
    assert SOURCES
    np.savez(tmp_path / "one.npz", **vars(make_shard(12)))
    work, data = tmp_path / "work", TrainingData(Path(SOURCES), tmp_path)
    path = train_reader(tiny_config(), data, Run(work, Length(0.02)))
    first = torch.load(path, weights_only=True)
    assert first["step"] >= 1
    path = train_reader(tiny_config(), data, Run(work, Length(first["minutes"] + 0.02)))
    again = torch.load(path, weights_only=True)
    assert again["step"] > first["step"]
    assert not torch.equal(first["average"]["head.0.weight"], again["average"]["head.0.weight"])


def test_the_mean_of_two_readers_loads_and_lies_between_them(tmp_path: Path) -> None:
    config = Config.load("lite")
    paths = [tmp_path / "one.pt", tmp_path / "other.pt"]
    for path, value in zip(paths, (0.2, 0.6), strict=True):
        state = {name: x.clone() for name, x in build_reader(config).state_dict().items()}
        state["face.0.bias"].fill_(value)
        torch.save({"average": state, "config": "lite"}, path)
    mean_of_runs(paths, tmp_path / "mean.pt")
    torch.testing.assert_close(load_reader(tmp_path / "mean.pt").state_dict()["face.0.bias"], torch.full((64,), 0.4))
    mean_of_runs([*paths, paths[1]], tmp_path / "twice.pt")
    torch.testing.assert_close(
        load_reader(tmp_path / "twice.pt").state_dict()["face.0.bias"], torch.full((64,), 1.4 / 3)
    )
    for path in paths:
        torch.save({"regressor": build_regressor(config).state_dict(), "config": "lite", "step": 3}, path)
    mean_of_runs(paths, tmp_path / "mean_r.pt")
    first, second = (load_regressor(path).state_dict()["pose.second.weight"] for path in paths)
    torch.testing.assert_close(
        load_regressor(tmp_path / "mean_r.pt").state_dict()["pose.second.weight"], (first + second) / 2
    )
    torch.save({"average": {}, "config": "paper"}, tmp_path / "third.pt")
    with pytest.raises(CheckpointError, match="another network"):
        mean_of_runs([tmp_path / "mean.pt", tmp_path / "third.pt"], tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="Choose readers alone"):
        mean_of_runs([tmp_path / "mean.pt", paths[0]], tmp_path / "none.pt")
    assert not (tmp_path / "none.pt").exists()
