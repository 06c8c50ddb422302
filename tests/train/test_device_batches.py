# SPDX-License-Identifier: MIT
"""Batches made on a device hold what those made picture by picture hold."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from test_training import face_landmarks, make_shard, tiny_config
from torch import Tensor

from bdfm_infer import alignment
from bdfm_infer.alignment import CROP_SIZE, MIRRORED_LANDMARK
from bdfm_infer.parameters import MIRRORED_AU, N_AU, parameter_from_intensity
from bdfm_train.cli import main
from bdfm_train.config import Config
from bdfm_train.data import device_augment as augment
from bdfm_train.data.augment import IGNORED, Jitter, warp_labels
from bdfm_train.data.batches import UNKNOWN_CLASS, BatchMaker
from bdfm_train.data.crops import MIRRORED_CLASS
from bdfm_train.data.device_augment import Chance
from bdfm_train.data.device_batches import DeviceBatchMaker, Renders
from bdfm_train.data.photo_pictures import SIZE, PhotoPictures
from bdfm_train.data.photos import Origin, Photo
from bdfm_train.data.shards import Shard, ShardPool
from bdfm_train.data.training_data import TrainingData
from bdfm_train.errors import ArraysError
from bdfm_train.networks.checkpoints import build_reader
from bdfm_train.networks.reader import FaceReader
from bdfm_train.networks.segmentation import normalise
from bdfm_train.training.reader import train_reader
from bdfm_train.training.teacher import read_photos
from bdfm_train.training.work import Length, Run

CPU = torch.device("cpu")
SPOT = 48
"""The landmark that a spot of light marks."""


class Fixed(Chance):
    """Always the same number in place of an even draw."""

    def __init__(self, value: float) -> None:
        super().__init__(CPU, 0)
        self.value = value

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return torch.full(shape, self.value)


def smooth_picture(side: int, seed: int = 1) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8), np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def photos(count: int = 3) -> list[Photo]:
    """Photos of nothing with landmarks, the first of which was graded."""
    at = face_landmarks((112, 112), 120)
    made = [Photo(f"{i}.jpg", smooth_picture(224, i), at, face_landmarks((112, 112), 160)[:36]) for i in range(count)]
    return [replace(made[0], grades=np.full(N_AU, 2.0, np.float32)), *made[1:]]


def changed(of: Photo) -> Photo:
    change = np.zeros(N_AU, np.float32)
    change[3] = 0.5
    return Photo(of.name, smooth_picture(144, 9), face_landmarks((72, 72), 80), of.oval, None, Origin(of, change))


def pool_of(shard: Shard) -> ShardPool:
    return ShardPool(Path(), "none", 1, {"one": shard})


def maker_of(pictures: PhotoPictures, shard: Shard, counts: tuple[int, int, int] = (8, 6, 4)) -> DeviceBatchMaker:
    return DeviceBatchMaker(pictures, pool_of(shard), counts, 0, CROP_SIZE, CPU)


def teacher_of(seed: int) -> FaceReader:
    """A reader that was never trained, of values that differ."""
    torch.manual_seed(seed)
    reader = build_reader(tiny_config()).eval()
    with torch.no_grad():
        reader.head[-1].weight.mul_(30.0)
        reader.head[-1].bias.add_(0.5)
    return reader


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pictures are left as they are, and alignments are right."""
    monkeypatch.setattr(augment, "photograph", lambda x, chance: x)
    monkeypatch.setattr(augment, "borrow_look", lambda x, looks, chance: x)
    monkeypatch.setattr("bdfm_train.data.device_batches._KINDS", (Jitter(0, 0, 0, 0),) * 3)
    monkeypatch.setattr("bdfm_train.data.crops.FINE", Jitter(0, 0, 0, 0))
    yield


def test_crops_and_labels_are_those_of_one_picture_at_a_time() -> None:
    shard = make_shard(4)
    pictures = np.stack([smooth_picture(144, seed) for seed in range(4)])
    landmarks = torch.from_numpy(shard.landmarks)
    matrix = augment.jittered_alignments(landmarks, (Jitter(),), torch.zeros(4, dtype=torch.long), Chance(CPU, 3))
    for size in (96, 128):
        made = augment.crops(torch.from_numpy(pictures), matrix, size) * 255.0
        for i in range(4):
            share = size / CROP_SIZE
            at = matrix[i].double().numpy()
            wanted = alignment.crop(pictures[i], np.c_[at[:, :2] * share, (at[:, 2] + 0.5) * share - 0.5], size)
            assert np.abs(made[i].numpy() - wanted).mean() < 1.0  # OpenCV rounds places to 1/32 of a pixel
    labels = maker_of(PhotoPictures.of(photos()), shard).renders.pictures.labels_of(torch.arange(4), matrix)
    for i in range(4):
        assert (labels[i].numpy() != warp_labels(shard.labels[i], matrix[i].double().numpy(), 0.5)).mean() < 0.01


def test_without_error_the_alignment_is_the_one_in_use() -> None:
    landmarks = np.stack([face_landmarks(), face_landmarks((60, 80), 50)])
    made = augment.alignments(augment.five_points(torch.from_numpy(landmarks)))
    for got, points in zip(made.numpy(), landmarks, strict=True):
        np.testing.assert_allclose(got, alignment.alignment(alignment.five_points(points)), atol=1e-3)


@pytest.mark.usefixtures("plain")
def test_a_mirrored_crop_goes_with_mirrored_truth() -> None:
    shard = make_shard(1)
    image = np.zeros((1, 144, 144), np.uint8)
    x, y = shard.landmarks[0, SPOT].round().astype(int)
    image[0, y - 1 : y + 2, x - 1 : x + 2] = 255
    maker = maker_of(PhotoPictures.of(photos()), replace(shard, images=image), (32, 6, 4))
    batch = maker.draw(1)
    pose, units = shard.parameters[0, :2].astype(np.float32), shard.parameters[0, 2:25].astype(np.float32)
    straight, mirrored = np.r_[pose, units], np.r_[1.0 - pose[0], pose[1], units[list(MIRRORED_AU)]]
    parsing = {}
    seen = set()
    for i in range(32):
        is_mirrored = bool(np.allclose(batch.parameters[i].numpy(), mirrored, atol=1e-3))
        assert is_mirrored or np.allclose(batch.parameters[i].numpy(), straight, atol=1e-3)
        seen.add(is_mirrored)
        assert bool(batch.identity_known[i]) != is_mirrored
        bright = np.array(np.unravel_index(int(batch.renders[i, 0].argmax()), (CROP_SIZE, CROP_SIZE)))[::-1]
        landmark = int(MIRRORED_LANDMARK[SPOT]) if is_mirrored else SPOT
        assert np.abs((bright + 0.5) / CROP_SIZE - batch.render_landmarks[i, landmark].numpy()).max() < 0.02
        parsing[is_mirrored] = batch.render_parsing[i].numpy()
    assert seen == {True, False}
    known = np.where(parsing[False] == UNKNOWN_CLASS, IGNORED, parsing[False])
    turned = MIRRORED_CLASS[known[:, ::-1]].astype(int)
    assert (parsing[True] == np.where(turned == IGNORED, UNKNOWN_CLASS, turned)).all()


@pytest.mark.usefixtures("plain")
def test_photos_keep_their_grades_changes_and_origins() -> None:
    taken = photos()
    pictures = PhotoPictures.of(taken, [changed(taken[1])])
    maker = maker_of(pictures, make_shard(), (4, 200, 2))
    maker.readings = torch.arange(4.0)[:, None].expand(-1, N_AU)
    batch = maker.draw(2)
    assert batch.photo_readings is not None
    by_origin = batch.photo_readings[:, 0].long()
    is_changed = batch.photo_change[:, 3] == 0.5
    assert 30 < int(is_changed.sum()) < 90  # three in ten
    assert set(by_origin[is_changed].tolist()) == {1}
    assert int((by_origin == 0).sum()) > int((by_origin == 2).sum())  # what was graded comes more often
    low = parameter_from_intensity(np.float32(0.5))
    torch.testing.assert_close(batch.photo_bounds[is_changed][:, 0].amax(1), torch.full((int(is_changed.sum()),), low))
    clean = normalise(augment.crops(maker.photos.images[:3], augment.alignments(augment.five_points(
        maker.photos.landmarks[:3])), CROP_SIZE), white=1.0)  # fmt: skip
    torch.testing.assert_close(batch.clean_photos, clean[by_origin])


def test_the_same_number_gives_the_same_batch() -> None:
    pictures = PhotoPictures.of(photos())
    first, second = (maker_of(pictures, make_shard()) for _ in range(2))
    again, other = second.draw(5), first.draw(6)
    for name, value in vars(first.draw(5)).items():
        if value is not None:
            assert torch.equal(value, getattr(again, name)), name
    assert not torch.equal(again.renders, other.renders)
    assert not torch.equal(again.negatives, other.negatives)
    first.seed = 1
    assert not torch.equal(again.renders, first.draw(5).renders)


def test_new_renders_are_taken_in_and_old_ones_let_go(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", **vars(make_shard(5)))
    pool = ShardPool(tmp_path, "*.npz", 1)
    pool.refresh()
    maker = DeviceBatchMaker(PhotoPictures.of(photos()), pool, (4, 3, 2), 0, CROP_SIZE, CPU)
    assert len(maker.renders.pictures) == len(maker.renders.parameters) == 5
    np.savez(tmp_path / "two.npz", **vars(make_shard(7, head="b")))
    maker.refresh()
    assert len(maker.renders.pictures) == len(maker.renders.identity_known) == 7
    assert not maker.renders.identity_known.any()


def test_renders_that_stay_keep_their_own_rows(tmp_path: Path) -> None:
    pool = ShardPool(tmp_path, "*.npz", 2)
    for number, (name, count, head) in enumerate((("one", 5, "a"), ("two", 7, "b"), ("three", 3, "a"))):
        shard = make_shard(count, head=head)
        rng = np.random.default_rng(number)
        own = replace(
            shard, images=rng.integers(0, 256, shard.images.shape, np.uint8), parameters=shard.parameters / (number + 1)
        )
        np.savez(tmp_path / f"{name}.npz", **vars(own))
        os.utime(tmp_path / f"{name}.npz", (number, number))
        pool.refresh()
        if number == 0:
            renders = Renders(pool, CPU)
        renders.refresh()
        shards = list(pool.shards.values())
        for column, found in (("images", renders.pictures.images), ("parameters", renders.parameters)):
            np.testing.assert_array_equal(found.numpy(), np.concatenate([getattr(x, column) for x in shards]))
        assert renders.identity_known.tolist() == [x.head == "a" for x in shards for _ in x.images]
    assert [len(x.images) for x in shards] == [3, 7]  # of three, then of two: by their names


def test_compression_is_that_of_jpeg() -> None:
    picture = smooth_picture(96)
    left = augment._compressed(torch.from_numpy(picture).float()[None] / 255.0, Fixed(40.0))[0]
    made = left.clamp(0, 1).numpy() * 255.0
    wanted = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE)
    assert np.abs(made - wanted).mean() < 0.5 < np.abs(picture - wanted.astype(float)).mean()


def test_blur_is_that_of_a_gaussian() -> None:
    picture = smooth_picture(96)
    made = augment._blurred(torch.from_numpy(picture).float()[None], Fixed(1.2))[0].numpy()
    wanted = cv2.GaussianBlur(picture.astype(np.float32), (11, 11), 1.2)
    np.testing.assert_allclose(made, wanted, atol=0.1)


def test_a_borrowed_look_keeps_brightness_and_shape() -> None:
    x, look = (torch.from_numpy(smooth_picture(96, seed)).float()[None] / 255.0 for seed in (1, 2))
    torch.testing.assert_close(augment.borrow_look(x, x, Chance(CPU, 0)), x, atol=1e-4, rtol=0)
    borrowed = augment.borrow_look(x, look, Fixed(1.0))
    torch.testing.assert_close(borrowed.mean(), x.mean(), atol=1e-4, rtol=0)
    ours, theirs, made = (torch.fft.fft2(value)[0] for value in (x, look, borrowed))
    torch.testing.assert_close(made[0, 1].abs(), theirs[0, 1].abs())
    torch.testing.assert_close(made[9, 9].abs(), ours[9, 9].abs())


def test_pictures_are_written_and_read_again(tmp_path: Path) -> None:
    taken = photos()
    pictures = PhotoPictures.of(taken, [changed(taken[2])])
    pictures.save(tmp_path / "pictures.npz")
    again = PhotoPictures.load(tmp_path / "pictures.npz")
    for name, value in vars(pictures).items():
        np.testing.assert_array_equal(value, getattr(again, name))
    assert again.origin.tolist() == [0, 1, 2, 2] and again.images.shape == (4, SIZE, SIZE)
    points = alignment.five_points(again.landmarks[0])
    wanted = (alignment.FIVE_POINTS - 0.5) * SIZE * 2 / 3 + (SIZE - 1) / 2
    assert np.abs(points - wanted).max() < 2.0
    (tmp_path / "pictures.npz").write_bytes(b"no pictures")
    with pytest.raises(ArraysError, match="photo-pictures"):
        PhotoPictures.load(tmp_path / "pictures.npz")


def test_a_teacher_reads_the_mean_of_both_sides(plain: None) -> None:
    teacher = teacher_of(0)
    pictures = PhotoPictures.of(photos(2))
    mirrored = replace(
        pictures,
        images=np.ascontiguousarray(pictures.images[..., ::-1]),
        landmarks=pictures.landmarks[:, MIRRORED_LANDMARK] * np.float32([-1, 1]) + np.float32([SIZE - 1, 0]),
    )
    straight, other = (read_photos([teacher], maker_of(of, make_shard()), 0, CPU) for of in (pictures, mirrored))
    assert straight.shape == (2, N_AU) and 0.0 <= float(straight.min()) <= float(straight.max()) <= 1.0
    apart = (straight - other[:, list(MIRRORED_AU)]).abs()
    assert float(straight.std()) > 0.1 and float(apart.mean()) < 0.01


def test_what_teachers_read_goes_with_their_photo(plain: None) -> None:
    taken, teachers = photos(), [teacher_of(1), teacher_of(2)]
    after = [changed(taken[2])]
    one_by_one = BatchMaker(taken, pool_of(make_shard(4)), (2, 12, 2), 0, changed=after)
    makers = one_by_one, maker_of(PhotoPictures.of(taken, after), make_shard(4), (2, 12, 2))
    one, other, both = (read_photos(chosen, one_by_one, 0, CPU) for chosen in (teachers[:1], teachers[1:], teachers))
    assert float((one - other).abs().mean()) > 0.1
    torch.testing.assert_close(both, (one + other) / 2)
    mark = torch.arange(3.0)[:, None].expand(3, N_AU)
    for maker in makers:
        maker.readings = mark if maker is one_by_one else torch.cat([mark, mark[2:] + 7])
        batch = maker.draw(3)
        assert batch.photo_readings is not None and float(batch.photo_change.abs().max()) == 0.5
        views = normalise(maker.photo_views(range(3), CROP_SIZE, None), white=1.0)
        apart = (batch.clean_photos[:, None] - views[None]).abs().mean((2, 3, 4))
        assert float(apart.min(1).values.max()) < 1e-5
        assert batch.photo_readings[:, 0].tolist() == apart.argmin(1).tolist()


def test_photos_are_shown_to_teachers_as_well_aligned_as_to_readers() -> None:
    taken = photos()
    one_by_one = BatchMaker(taken, pool_of(make_shard(4)), (2, 2, 2), 0)
    for maker in (one_by_one, maker_of(PhotoPictures.of(taken), make_shard(4))):
        straight, seeds = maker.photo_views(range(3), 128, None), (1, 1, 2)
        for photo, view in zip(taken, straight.numpy(), strict=True):
            assert np.abs(view - alignment.crop_face(photo.image, photo.landmarks, 128) / 255.0).mean() < 0.02
        once, again, otherwise = (maker.photo_views(range(3), 128, seed) for seed in seeds)
        assert torch.equal(once, again)
        for view in (straight, otherwise):
            assert float((once - view).abs().mean()) > 0.02


def test_a_training_on_the_device_learns_from_a_teacher_and_resumes(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", **vars(make_shard(12)))
    PhotoPictures.of(photos()).save(tmp_path / "pictures" / "photos.npz")
    teacher = tmp_path / "teacher.pt"
    torch.save({"average": build_reader(Config.load("lite")).state_dict(), "config": "lite"}, teacher)
    data = TrainingData(Path(), tmp_path, pictures=tmp_path / "pictures" / "photos.npz", times=2)
    whole = train_reader(tiny_config(), data, Run(tmp_path / "whole", Length(steps=4)), teachers=[teacher])
    train_reader(tiny_config(), data, Run(tmp_path / "parts", Length(steps=2)), teachers=[teacher])
    assert torch.load(whole, weights_only=True)["step"] == 4
    parts = train_reader(tiny_config(), data, Run(tmp_path / "parts", Length(steps=4)), teachers=[teacher])
    assert torch.load(parts, weights_only=True)["step"] == 4


def test_the_command_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "one.npz", **vars(make_shard(2)))
    arguments = ["--shards", str(tmp_path), "--work", str(tmp_path / "work"), "--pictures", str(tmp_path / "none.npz")]
    threads = str(torch.get_num_threads())  # torch crashes later in a process that has changed them
    assert main(["reader", *arguments, "--steps", "1", "--device", "cpu", "--threads", threads]) != 0
    assert "none.npz" in capsys.readouterr().err
