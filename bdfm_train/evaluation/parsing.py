# SPDX-License-Identifier: MIT
"""How well F_seg parses renders, and overlays to look at: ``python -m bdfm_train parsing`` (paper, section 2.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from bdfm_infer import alignment
from bdfm_infer.alignment import five_points
from bdfm_train.arrays import write_picture
from bdfm_train.data.augment import IGNORED, PARSING_SIZE, warp_labels
from bdfm_train.data.photos import Photo, aligned_crops
from bdfm_train.data.shards import Shard
from bdfm_train.face_model.labels import LABELS
from bdfm_train.networks.segmentation import SegmentationNetwork, normalise

_BATCH: Final = 128
_ENLARGED: Final = 3
_COLUMNS: Final = 8
_ROWS: Final = 6

Labels = NDArray[np.uint8]


def intersections_and_unions(
    found: Labels, truth: Labels, classes: int = len(LABELS)
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels of each class in both label maps, and in either, (classes,) each.

    Args:
        found, truth: labels of the same shape; pixels where the truth is :data:`IGNORED` do not count.
    """
    known = truth != IGNORED
    pairs = truth[known].astype(np.int64) * classes + found[known]
    table = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    both = np.diag(table)
    return both, table.sum(0) + table.sum(1) - both


def intersection_over_union(found: Labels, truth: Labels, classes: int = len(LABELS)) -> NDArray[np.float64]:
    """IoU of each class over all pixels of all pictures, (classes,); NaN for a class that neither shows."""
    both, either = intersections_and_unions(found, truth, classes)
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


@torch.no_grad()
def parse(
    network: SegmentationNetwork, crops: Labels, own_statistics: bool = False
) -> tuple[Labels, NDArray[np.float32]]:
    """Labels (n, 48, 48) and landmarks (n, 68, 2) in crop units of crops (n, 96, 96) uint8.

    Args:
        own_statistics: normalise by what each batch of 128 crops itself shows, as training does with renders; otherwise
            by the averages over photos, as in use.
    """
    network.eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train(own_statistics)
            module.momentum = 0.0
    labels, landmarks = [], []
    for part in torch.from_numpy(crops).split(_BATCH):
        features = network(normalise(part))
        logits = functional.interpolate(features.parsing, size=PARSING_SIZE, mode="bilinear", align_corners=False)
        labels.append(logits.argmax(1).to(torch.uint8))
        landmarks.append(features.landmarks)
    network.eval()
    return torch.cat(labels).numpy(), torch.cat(landmarks).numpy()


def render_iou(network: SegmentationNetwork, shard: Shard, own_statistics: bool = False) -> NDArray[np.float64]:
    """IoU by class, (14,), on the renders of a shard, aligned without error; statistics as in :func:`parse`."""
    matrices = [alignment.alignment(five_points(points)) for points in shard.landmarks]
    crops = [alignment.crop(image, matrix) for image, matrix in zip(shard.images, matrices, strict=True)]
    scale = shard.labels.shape[1] / shard.images.shape[1]
    truth = [warp_labels(labels, matrix, scale) for labels, matrix in zip(shard.labels, matrices, strict=True)]
    found, _ = parse(network, np.stack(crops), own_statistics)
    return intersection_over_union(found, np.stack(truth))


def report(network: SegmentationNetwork, shards: dict[str, Path]) -> str:
    """A row for each class; for each shard a column in use and one with the renders' own batch statistics."""
    loaded = {name: Shard.load(path) for name, path in shards.items()}
    lines = [f"{name}: {len(shard.images)} renders of head {shard.head}" for name, shard in loaded.items()]
    columns, titles = [], []
    for shard in loaded.values():
        columns += [render_iou(network, shard, own) for own in (False, True)]
        titles += [f"{shard.head} in use", f"{shard.head} own"]
    lines.append(f"{'IoU by head':12}" + "".join(f"{title:>10}" for title in titles))
    rows = [*zip(LABELS, np.transpose(columns), strict=True), ("mean", np.nanmean(columns, axis=1))]
    lines += [f"{name:12}" + "".join(f"{value:10.3f}" for value in row) for name, row in rows]
    return "\n".join(lines)


def write_overlays(network: SegmentationNetwork, photos: list[Photo], folder: Path) -> list[Path]:
    """Write sheets of photos beside their parsing and landmarks as read from their crops; returns their paths."""
    from bdfm_train.face_model.sheets import grid

    folder.mkdir(parents=True, exist_ok=True)
    crops = aligned_crops(photos)
    labels, landmarks = parse(network, crops)
    tiles = [_overlay(*each) for each in zip(crops, labels, landmarks, strict=True)]
    paths = []
    for start in range(0, len(tiles), _ROWS * _COLUMNS):
        paths.append(folder / f"parsing_{start // (_ROWS * _COLUMNS)}.png")
        write_picture(paths[-1], grid(tiles[start : start + _ROWS * _COLUMNS], _COLUMNS)[..., ::-1])
    return paths


def _overlay(crop: Labels, labels: Labels, landmarks: NDArray[np.float32]) -> Labels:
    """A crop, and beside it the same with the classes in colour and dots at the landmarks."""
    from bdfm_train.face_model.sheets import PALETTE

    size = (crop.shape[1] * _ENLARGED, crop.shape[0] * _ENLARGED)
    picture = cv2.cvtColor(cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
    colours = PALETTE[cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)]
    marked = np.where(colours.any(2, keepdims=True), picture // 2 + colours // 2, picture)
    for x, y in np.round(alignment.crop_pixels(landmarks, size[0])).astype(int).tolist():
        cv2.circle(marked, (x, y), 2, (0, 255, 0), -1)
    return np.hstack([picture, marked])
