# SPDX-License-Identifier: MIT
from pathlib import Path

import numpy as np
import pytest
import torch

from bdfm_infer.alignment import FIVE_POINTS
from bdfm_train.data.augment import IGNORED, PARSING_SIZE
from bdfm_train.data.photos import Photo
from bdfm_train.data.shards import Shard
from bdfm_train.evaluation.parsing import intersection_over_union, parse, render_iou, write_overlays
from bdfm_train.face_model.labels import LABEL, LABELS
from bdfm_train.networks.segmentation import SegmentationNetwork


@pytest.fixture
def network() -> SegmentationNetwork:
    torch.manual_seed(0)
    return SegmentationNetwork(4, (1, 1, 1, 1), 96)


def crops(n: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, 96, 96), np.uint8)


def test_iou_of_a_map_counted_by_hand() -> None:
    truth = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 2, 2], [2, 2, 2, IGNORED]], np.uint8)
    found = np.array([[0, 0, 0, 1], [0, 0, 0, 1], [2, 2, 1, 1], [2, 2, 2, 3]], np.uint8)
    # class 0: 4 of 6; class 1: 2 of 6; class 2: 5 of 7; class 3 only where the truth is not known; class 4 nowhere
    iou = intersection_over_union(found, truth, classes=5)
    assert iou[:3] == pytest.approx([4 / 6, 2 / 6, 5 / 7])
    assert np.isnan(iou[3:]).all()


def test_iou_runs_over_all_pictures_together() -> None:
    truth = np.zeros((2, 2, 2), np.uint8)
    found = truth.copy()
    found[1] = 1
    assert intersection_over_union(found, truth, classes=2) == pytest.approx([0.5, 0.0])


def test_a_network_that_sees_one_class_gets_that_class_s_share(network: SegmentationNetwork) -> None:
    """Every pixel is called nose: its IoU is the share of nose among all pixels, all others have 0."""
    last = network.parse[1]
    assert isinstance(last, torch.nn.Conv2d) and last.bias is not None
    torch.nn.init.zeros_(last.weight)
    last.bias.data = torch.eye(len(LABELS))[LABEL["nose"]]
    labels = np.zeros((3, 72, 72), np.uint8)
    labels[:, :, 36:] = LABEL["nose"]  # the aligned crop sees the middle of the picture, half of it nose
    images = np.random.default_rng(0).integers(0, 256, (3, 144, 144), np.uint8)
    shard = Shard(images, np.zeros((3, 269), np.float16), np.stack([aligned_landmarks(71.5, 80.0)] * 3), labels, "a")
    iou = render_iou(network, shard)
    assert iou[LABEL["nose"]] == pytest.approx(0.5, abs=1 / PARSING_SIZE)
    assert iou[LABEL["background"]] == 0


def test_own_statistics_leave_the_network_as_it_was(network: SegmentationNetwork) -> None:
    pictures = crops(6)
    before, _ = parse(network, pictures)
    state = {key: value.clone() for key, value in network.state_dict().items() if "num_batches" not in key}
    parse(network, pictures, own_statistics=True)
    assert all(torch.equal(network.state_dict()[key], value) for key, value in state.items())
    assert np.array_equal(parse(network, pictures)[0], before)


def test_labels_and_landmarks_have_the_documented_shapes(network: SegmentationNetwork) -> None:
    labels, landmarks = parse(network, crops(2))
    assert labels.shape == (2, PARSING_SIZE, PARSING_SIZE) and labels.dtype == np.uint8
    assert landmarks.shape == (2, 68, 2)


def test_overlays_hold_every_photo(network: SegmentationNetwork, tmp_path: Path) -> None:
    image = np.random.default_rng(2).integers(0, 256, (224, 224), np.uint8)
    points = aligned_landmarks(111.5, 120.0)
    photos = [Photo(f"{i}.jpg", image, points, points[:36]) for i in range(50)]
    paths = write_overlays(network, photos, tmp_path)
    assert [path.name for path in paths] == ["parsing_0.png", "parsing_1.png"]  # 48 on the first


def aligned_landmarks(centre: float, size: float) -> np.ndarray:
    """68 points whose five points lie as in an aligned crop of that size."""
    points = np.full((68, 2), 0.5)
    points[36:42], points[42:48], points[30], points[48], points[54] = FIVE_POINTS
    return ((points - 0.5) * size + centre).astype(np.float32)
