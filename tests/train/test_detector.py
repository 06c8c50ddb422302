# SPDX-License-Identifier: MIT
"""The detector: composited pictures, targets, network, export."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from bdfm_infer.alignment import crop_face
from bdfm_infer.detector import STRIDE
from bdfm_infer.detector import Detector as ProductDetector
from bdfm_train.data.photos import load_photos
from bdfm_train.detector import backgrounds, bodies, data, evaluate, mine
from bdfm_train.detector.export import export
from bdfm_train.detector.faces import Face, Renders, spread
from bdfm_train.detector.mine import mine_faces, mine_negatives
from bdfm_train.detector.model import Detector, point_loss, score_loss
from bdfm_train.detector.train import batch_of
from bdfm_train.face_model.labels import LABEL

POINTS = np.array([[70, 80], [130, 80], [100, 110], [78, 150], [122, 150]], np.float32)
SOURCES = os.environ.get("BDFM_SOURCES")
needs_sources = pytest.mark.skipif(SOURCES is None, reason="BDFM_SOURCES names no folder")


def marked_face() -> Face:
    """A picture whose five points are bright spots on black: compositing can be checked by looking for them."""
    image = np.zeros((200, 200), np.uint8)
    for x, y in POINTS:
        cv2.circle(image, (int(x), int(y)), 6, 255, -1)
    outline = np.array([[40, 40], [160, 40], [160, 180], [40, 180]], np.float32)
    return Face(image, np.full((200, 200), 255, np.uint8), POINTS, outline, 140.0)


@pytest.mark.parametrize("height", [30.0, 60.0, 140.0, 190.0])
@pytest.mark.parametrize("degrees", [-45.0, 0.0, 30.0])
def test_points_land_where_the_picture_shows_them(height: float, degrees: float) -> None:
    face, picture = marked_face(), np.zeros((240, 320), np.uint8)
    matrix = data.similarity(face, height, degrees, np.array([150.0, 120.0], np.float32))
    data.paste(picture, face.image, face.mask, matrix)
    for point in face.points @ matrix[:, :2].T + matrix[:, 2]:
        radius = int(np.ceil(8 * height / face.height))
        y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
        near = np.hypot(x - point[0], y - point[1]) <= radius
        light = picture * near.astype(float)
        centre = np.array([(light * x).sum(), (light * y).sum()]) / light.sum()
        assert np.abs(centre - point).max() < 0.35, "the filtered spot's centre is off by less than a sample's rounding"


def test_similarity_has_the_height_turn_and_place_asked_for() -> None:
    face = marked_face()
    matrix = data.similarity(face, 70.0, 30.0, np.array([60.0, 50.0], np.float32))
    points = face.points @ matrix[:, :2].T + matrix[:, 2]
    assert points.mean(0) == pytest.approx([60.0, 50.0], abs=1e-4)
    assert spread(points) == pytest.approx(spread(POINTS) * 70 / 140, rel=1e-5)
    eyes = points[1] - points[0]
    assert np.degrees(np.arctan2(eyes[1], eyes[0])) == pytest.approx(30.0, abs=1e-3)


def test_mirror_keeps_the_picture_left_eye_first() -> None:
    image = np.zeros((64, 96), np.uint8)
    points = np.array([[[30, 20], [50, 22], [40, 30], [33, 40], [47, 41]]], np.float32)
    for k, (x, y) in enumerate(points[0].astype(int)):
        image[y, x] = 50 + 40 * k
    mirrored = data.mirrored(data.Sample(image, points))
    assert mirrored.points[0, 0, 0] < mirrored.points[0, 1, 0]
    assert mirrored.points[0, 3, 0] < mirrored.points[0, 4, 0]
    values = [mirrored.image[int(y), int(x)] for x, y in mirrored.points[0]]
    assert values == [90, 50, 130, 210, 170]


def test_targets_peak_in_the_cell_of_the_mean_and_point_back() -> None:
    points = (POINTS * 0.4 + [3, 5])[None].astype(np.float32)
    wanted = data.targets(data.Sample(np.zeros((128, 160), np.uint8), points))
    row, column = np.unravel_index(wanted.heat.argmax(), wanted.heat.shape)
    assert wanted.heat[row, column] == 1.0
    assert (column, row) == tuple(((points[0].mean(0) + 0.5) // STRIDE).astype(int))
    for r, c in np.argwhere(wanted.weight > 0):
        found = wanted.points[:, r, c].reshape(5, 2) + (np.array([c, r]) + 0.5) * STRIDE
        assert found == pytest.approx(points[0], abs=1e-4)
    assert wanted.spread[row, column] == pytest.approx(spread(points[0]))


def test_a_picture_without_a_face_has_empty_targets() -> None:
    wanted = data.targets(data.Sample(np.zeros((96, 128), np.uint8), np.zeros((0, 5, 2), np.float32)))
    assert not wanted.heat.any()
    assert not wanted.weight.any()


def composer(seed: int = 0) -> data.Composer:
    rng = np.random.default_rng(seed)
    pool = np.stack([backgrounds.pattern(rng) for _ in range(6)])
    photo = marked_face()
    photo = Face(photo.image, None, photo.points, photo.outline, photo.height)
    landmarks = np.repeat(POINTS[[0]], 68, 0)[None].astype(np.float32)
    landmarks[0, 42:48], landmarks[0, 30], landmarks[0, 48], landmarks[0, 54] = POINTS[1:]
    landmarks[0, 8] = 100, 185
    labels = np.full((4, 200, 200), LABEL["skin"], np.uint8)
    labels[:2, 0, 0], labels[:2, 0, 1] = LABEL["nose"], LABEL["l_eye"]
    images = np.repeat(photo.image[None], 4, 0)
    heads = Renders(images, labels, np.repeat(landmarks, 4, 0), np.array([10, -80, 20, 170], np.float32))
    return data.Composer([photo], [heads], pool, seed)


def test_composed_pictures_have_their_faces_inside_and_the_shape_asked_for() -> None:
    drawn = composer()
    assert (drawn.heads, drawn.side_views, drawn.backs) == ([(0, 0), (0, 1)], [(0, 1)], [(0, 3)])
    for shape in data.SHAPES:
        for _ in range(8):
            positive, negative = drawn.positive(shape), drawn.negative(shape)
            assert positive.image.shape == negative.image.shape == shape
            assert len(positive.points) >= 1
            assert len(negative.points) == 0
            centres = positive.points.mean(1)
            assert (centres >= 0).all()
            assert (centres <= np.array(shape[::-1]) - 1).all()


def test_the_same_seed_draws_the_same_pictures() -> None:
    first, second = composer(3).positive((96, 128)), composer(3).positive((96, 128))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.points, second.points)


def test_regions_outside_of_heads_touch_none() -> None:
    image = np.zeros((200, 300), np.uint8)
    image[50:150, 100:200] = 255
    rng = np.random.default_rng(0)
    box = np.array([[100, 50, 200, 150]], np.float32)
    parts = [data.outside_heads(image, box, (160, 120), rng) for _ in range(50)]
    found = [part for part in parts if part is not None]
    assert len(found) > 30
    assert all(part.max() == 0 for part in found)
    assert data.outside_heads(image, np.array([[0, 0, 300, 200]], np.float32), (160, 120), rng) is None


@needs_sources
def test_bodies_have_no_head_and_textures_of_the_evaluation_are_apart() -> None:
    assert SOURCES is not None
    root = Path(SOURCES)
    vertices, quads = bodies.load_body(root / backgrounds.BODY)
    assert vertices[quads].max((0, 1))[1] < bodies.NECK
    assert len(quads) > 3000
    training, held_out = (set(backgrounds.texture_names(root, evaluation)) for evaluation in (False, True))
    assert held_out == set(backgrounds.EVALUATION_TEXTURES)
    assert len(training) > 10
    assert not training & held_out
    first, again = (bodies.body_scenes(root / backgrounds.BODY, 3, (120, 90), seed=5) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, bodies.body_scenes(root / backgrounds.BODY, 3, (120, 90), seed=6))


def network(seed: int = 0) -> Detector:
    """Random weights and running statistics, so that folding them has something to do."""
    torch.manual_seed(seed)
    made = Detector()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    torch.nn.init.normal_(made.head.weight, std=0.2)
    return made.eval()


def test_export_equals_the_network_at_any_size(tmp_path: Path) -> None:
    made, path = network(), tmp_path / "detector.onnx"
    export(made, path)
    assert path.stat().st_size < 1_500_000
    model = onnx.load(path)
    assert model.opset_import[0].version == 17
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for height, width in ((128, 160), (96, 160), (320, 256), (32, 32)):
        image = rng.integers(0, 256, (1, height, width)).astype(np.uint8)
        score, points = session.run(["score", "points"], {"image": image})
        assert score.shape == (1, height // 4, width // 4)
        assert points.shape == (1, 10, height // 4, width // 4)
        with torch.no_grad():
            logits, wanted = made(torch.from_numpy(image)[None].float())
        assert score == pytest.approx(torch.sigmoid(logits).numpy(), abs=1e-4)
        assert points == pytest.approx(wanted.numpy(), abs=1e-2, rel=1e-3)


def test_learns_two_pictures_by_heart_and_the_product_reads_its_export(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    face, samples = marked_face(), []
    for tall, centre in ((40.0, (40.0, 45.0)), (60.0, (80.0, 50.0))):
        picture = rng.integers(60, 100, (96, 128)).astype(np.uint8)
        matrix = data.similarity(face, tall, 0.0, np.array(centre, np.float32))
        data.paste(picture, face.image, face.mask, matrix)
        points = face.points @ matrix[:, :2].T + matrix[:, 2]
        samples.append(data.Sample(picture, points[None].astype(np.float32)))
    batch = batch_of(samples)
    made = Detector()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.3
    optimizer = torch.optim.Adam(made.parameters(), 4e-3)
    for _ in range(50):
        logits, places = made(batch.images.float())
        loss = score_loss(logits, batch.heat)
        loss = loss + 2 * point_loss(places, batch.points, batch.spread, batch.weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    path = tmp_path / "detector.onnx"
    export(made, path)
    product = ProductDetector(path.read_bytes(), 0.3)
    for sample in samples:
        found = product(sample.image, 160)
        assert evaluate.is_found([found[0].astype(np.float32)], sample.points[0])
        assert np.abs(found[0] - sample.points[0]).max() < 0.3 * spread(sample.points[0])


def test_a_find_must_have_the_place_and_the_size() -> None:
    assert evaluate.is_found([POINTS + 1], POINTS)
    assert not evaluate.is_found([POINTS + 40], POINTS)
    assert not evaluate.is_found([(POINTS - POINTS.mean(0)) * 2 + POINTS.mean(0)], POINTS)
    assert not evaluate.is_found([], POINTS)


def test_placed_faces_are_whole_and_as_tall_as_told() -> None:
    rng, face = np.random.default_rng(0), marked_face()
    for _ in range(20):
        picture = np.zeros((480, 640), np.uint8)
        share, points = evaluate.placed(face, picture, 0.08, 0.6, rng)
        assert 0.08 <= share <= 0.6
        assert spread(points) == pytest.approx(spread(POINTS) * share * 480 / face.height, rel=1e-4)
        x, y = points.mean(0).round().astype(int)
        assert picture[max(y - 80, 0) : y + 80, max(x - 80, 0) : x + 80].max() > 100


@needs_sources
def test_mined_negatives_are_crops_and_depend_on_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mine, "_SCENES", 10)
    sources = Path(os.environ["BDFM_SOURCES"])
    first, again, other = (mine_negatives(sources, None, 6, seed) for seed in (100, 100, 101))
    assert first.shape == (6, 96, 96)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@needs_sources
def test_mined_faces_show_the_face_and_carry_its_yaw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mine, "_SCENES", 10)
    sources = Path(os.environ["BDFM_SOURCES"])
    photos = load_photos(sources, "held_out")[:4]
    labels = np.full((4, *photos[0].image.shape), LABEL["skin"], np.uint8)
    labels[:, 0, 0], labels[:, 0, 1] = LABEL["nose"], LABEL["l_eye"]
    images, landmarks = np.stack([p.image for p in photos]), np.stack([p.landmarks for p in photos])
    yaw = np.array([10, 20, 30, 120], np.float32)
    mined = mine_faces(sources, None, [Renders(images, labels, landmarks, yaw)], 6, seed=3)
    assert len(mined.crops) >= 6 and set(mined.yaw.tolist()) <= {10.0, 20.0, 30.0}
    alike = []
    for crop, angle in zip(mined.crops, mined.yaw, strict=True):
        photo = photos[yaw.tolist().index(angle)]
        straight = crop_face(photo.image, photo.landmarks)
        alike.append(np.corrcoef(cv2.blur(crop, (9, 9)).ravel(), cv2.blur(straight, (9, 9)).ravel())[0, 1])
    assert np.median(alike) > 0.7
    assert mined.beside.shape[1:] == (96, 96)
