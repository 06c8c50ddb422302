# SPDX-License-Identifier: MIT
"""What checkpoints are chosen by: renders, and photos' landmarks and grades, that training never saw.

``python -m bdfm_train held-out``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bdfm_infer import alignment
from bdfm_infer.alignment import five_points
from bdfm_infer.parameters import AU_NAMES, N_POSE, degrees_from_parameter
from bdfm_train.data import device_augment as augment
from bdfm_train.data.augment import photo_labels, toned
from bdfm_train.data.photos import Photo, aligned_crops, crop_faces
from bdfm_train.data.shards import N_TARGETS, Shard
from bdfm_train.networks.reader import ExportedReader
from bdfm_train.training.steps import SIDED

from .statistics import concordance

LEAST: Final = 5
"""Photos that must show an action unit for its concordance to be told."""
ADDED: Final = 0.25
"""Intensity from which an action unit counts as added to a photo."""


@dataclass(frozen=True)
class ToneCheck:
    """A part of the face of another tone, which is not to be read as an action unit.

    Attributes:
        unit: that action unit.
        absent: units that photos must have been judged not to show.
        parts: classes of the part.
        factor: what its brightness is multiplied by.
        faces, part: what the report calls the photos and the part.
    """

    unit: str
    absent: tuple[str, ...]
    parts: tuple[str, ...]
    factor: float
    faces: str
    part: str


TONE_CHECKS: Final = (
    ToneCheck("AU25", ("AU25", "AU26"), ("u_lip",), 0.5, "shut mouths", "the upper lip"),
    ToneCheck("AU04", ("AU04",), ("l_brow", "r_brow"), 1.8, "faces without lowered brows", "the brows"),
)
"""A dark upper lip may be taken for a gap between the lips, fair brows for lowered ones."""


class ReadTwice(nn.Module):
    """What ``Predictor(accurate=True)`` makes of a reader's outputs: the mean of a crop's and of its mirror image's."""

    def __init__(self, model: ExportedReader) -> None:
        super().__init__()
        self.model = model

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Crops (n, 96, 96) uint8 to landmarks (n, 68, 2), pose (n, 2), action units (n, 23) and confidence (n,)."""
        landmarks, pose, action_units, confidence = self.model(crops)
        of_mirror = self.model(crops.flip(-1))
        other = augment.mirror_parameters(torch.cat(of_mirror[1:3], 1))
        return (
            (landmarks + augment.mirror_landmarks(of_mirror[0])) / 2,
            (pose + other[:, :N_POSE]) / 2,
            (action_units + other[:, N_POSE:]) / 2,
            (confidence + of_mirror[3]) / 2,
        )


Model = ExportedReader | ReadTwice


@torch.no_grad()
def read_crops(model: Model, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Landmarks (n, 68, 2) and parameters (n, 25) of crops (n, 96, 96), clean and aligned without error."""
    model.eval()
    landmarks: list[Tensor] = []
    parameters: list[Tensor] = []
    for part in torch.from_numpy(crops).split(128):
        points, pose, action_units, _ = model(part)
        landmarks.append(points)
        parameters.append(torch.cat([pose, action_units], 1))
    return torch.cat(landmarks).numpy(), torch.cat(parameters).numpy()


class Readings:
    """What a model reads from photos; each is read once, however often it is asked for.

    Args:
        model: reads them.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._known: dict[int, tuple[Photo, NDArray[np.float32], NDArray[np.float32]]] = {}

    def of(self, photos: Sequence[Photo]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As :func:`read_crops`, of photos aligned by their own landmarks."""
        new = list({id(photo): photo for photo in photos if id(photo) not in self._known}.values())
        if new:
            found = zip(new, *read_crops(self.model, aligned_crops(new)), strict=True)
            self._known |= {id(photo): (photo, points, parameters) for photo, points, parameters in found}
        _, landmarks, parameters = zip(*(self._known[id(photo)] for photo in photos), strict=True)
        return np.stack(landmarks), np.stack(parameters)


def landmark_error(readings: Readings, photos: list[Photo]) -> float:
    """Mean distance of the 51 landmarks within the face, in percent of the distance between the eyes."""
    matrices = [alignment.alignment(five_points(photo.landmarks)) for photo in photos]
    target = np.stack(
        [alignment.crop_units(alignment.apply(m, photo.landmarks)) for m, photo in zip(matrices, photos, strict=True)]
    )
    found, _ = readings.of(photos)
    eyes = np.linalg.norm(five_points(target)[:, 0] - five_points(target)[:, 1], axis=1)
    distance = np.linalg.norm(found - target, axis=2)[:, 17:].mean(1)
    return float((distance / np.maximum(eyes, 0.1)).mean() * 100.0)


def agreement(readings: Readings, photos: list[Photo]) -> dict[str, tuple[int, float]]:
    """By action unit, how many photos show it and the concordance of what is read with what was judged by eye.

    Units that fewer than :data:`LEAST` photos show are left out.
    """
    judged = [photo for photo in photos if photo.grades is not None]
    _, found = readings.of(judged)
    grades = np.stack([photo.grades for photo in judged if photo.grades is not None])
    result = {}
    for i, name in enumerate(AU_NAMES):
        known = ~np.isnan(grades[:, i])
        shown = int((grades[known, i] > 0).sum())
        if shown >= LEAST:
            result[name] = shown, concordance(grades[known, i], found[known, N_POSE + i])
    return result


@dataclass(frozen=True)
class Gain:
    """What is read of an action unit that was added to photos.

    Attributes:
        count: photos to which at least :data:`ADDED` of it was added.
        share: of what was added to those, how much is read, in the mean.
        correlation: of what is read more than before with what was added, over all changed photos.
    """

    count: int
    share: float
    correlation: float


def gains(readings: Readings, changed: Sequence[Photo]) -> dict[str, Gain]:
    """By action unit, how photos of changed expression are read beside themselves as they were.

    Units that fewer than :data:`LEAST` of them gained are left out.
    """
    origins = [photo.origin for photo in changed if photo.origin is not None]
    before, after = (readings.of(photos)[1][:, N_POSE:] for photos in ([origin.photo for origin in origins], changed))
    read, added = after - before, np.stack([origin.change for origin in origins])
    result = {}
    for i, name in enumerate(AU_NAMES):
        shown = added[:, i] >= ADDED
        if shown.sum() >= LEAST:
            share = float(read[shown, i].mean() / added[shown, i].mean())
            result[name] = Gain(int(shown.sum()), share, float(np.corrcoef(read[:, i], added[:, i])[0, 1]))
    return result


@dataclass(frozen=True)
class ToneErrors:
    """What is read of an action unit that photos do not show.

    Attributes:
        count: photos.
        as_taken, toned: mean intensity read of these, and with the part of another tone.
    """

    count: int
    as_taken: float
    toned: float


def tone_errors(readings: Readings, photos: Sequence[Photo], check: ToneCheck) -> ToneErrors | None:
    """Whether another tone of a part is taken for an action unit; None where no photo was judged not to show it."""
    absent = [AU_NAMES.index(name) for name in check.absent]
    resting = [photo for photo in photos if photo.grades is not None and (photo.grades[absent] == 0).all()]
    if not resting:
        return None
    changed = []
    for crop, photo in zip(aligned_crops(resting), resting, strict=True):
        matrix = alignment.alignment(five_points(photo.landmarks))
        points, oval = (alignment.apply(matrix, x).astype(np.float32) for x in (photo.landmarks, photo.oval))
        changed.append(toned(crop, photo_labels(points, oval), dict.fromkeys(check.parts, check.factor)))
    unit = N_POSE + AU_NAMES.index(check.unit)
    both = (readings.of(resting), read_crops(readings.model, np.stack(changed)))
    return ToneErrors(len(resting), *(float(parameters[:, unit].mean()) for _, parameters in both))


@dataclass(frozen=True)
class RenderErrors:
    """What is read from renders against their truth.

    Attributes:
        correlation: (23,) of each action unit.
        sides: correlation of left less right, by name of the left unit.
        degrees: (2,) mean absolute error of yaw and pitch.
    """

    correlation: NDArray[np.float64]
    sides: dict[str, float]
    degrees: NDArray[np.float64]


def render_errors(model: Model, shard: Shard) -> RenderErrors:
    """Read the renders of a shard, aligned by their own landmarks."""
    _, found = read_crops(model, crop_faces(shard.images, shard.landmarks))
    truth = shard.parameters[:, :N_TARGETS].astype(np.float64)
    correlation = np.array([np.corrcoef(found[:, i], truth[:, i])[0, 1] for i in range(N_POSE, N_TARGETS)])
    degrees = np.abs(degrees_from_parameter(found[:, :N_POSE]) - degrees_from_parameter(truth[:, :N_POSE]))
    units, true_units = found[:, N_POSE:], truth[:, N_POSE:]
    sides = {
        AU_NAMES[i]: float(np.corrcoef(units[:, i] - units[:, j], true_units[:, i] - true_units[:, j])[0, 1])
        for i, j in SIDED
    }
    return RenderErrors(correlation, sides, degrees.mean(0))


def _told(judged: dict[str, tuple[int, float]]) -> str:
    units = ", ".join(f"{name} {value:.3f} ({shown})" for name, (shown, value) in judged.items())
    return f"mean {np.mean([value for _, value in judged.values()]):.3f}; {units}"


def report(
    model: Model,
    photos: list[Photo],
    shards: dict[str, Path],
    changed: Sequence[Photo] = (),
    composed: Sequence[Photo] = (),
) -> str:
    """All of it, a line each; of held-out photos ``changed`` were changed in expression, ``composed`` made of two."""
    readings = Readings(model)
    error = landmark_error(readings, photos)
    lines = [f"landmarks of {len(photos)} held-out photos: {error:.2f} % of the eyes' distance"]
    judged = agreement(readings, photos)
    lines.append(f"concordance with grades by eye: {_told(judged)}")
    for check in TONE_CHECKS:
        if found := tone_errors(readings, photos, check):
            lines.append(
                f"{check.unit} of {found.count} {check.faces}: {found.as_taken:.3f}, "
                f"with {check.part} {check.factor:g} times as bright {found.toned:.3f}"
            )
    if composed:
        told = _told({unit: value for unit, value in agreement(readings, list(composed)).items() if unit in judged})
        lines.append(f"the same on {len(composed)} photos with the eyes of one and the mouth of another: {told}")
    if changed:
        told = ", ".join(
            f"{n} {g.share:.2f} (r {g.correlation:.2f}, {g.count})" for n, g in gains(readings, changed).items()
        )
        lines.append(f"share that is read of what was added to {len(changed)} held-out photos: {told}")
    for name, path in shards.items():
        shard = Shard.load(path)
        errors = render_errors(model, shard)
        least, (yaw, pitch) = int(errors.correlation.argmin()), errors.degrees
        sides = ", ".join(f"{unit} {r:.3f}" for unit, r in errors.sides.items())
        lines.append(
            f"{name}: {len(shard.images)} renders, action units r {errors.correlation.mean():.3f} (least "
            f"{AU_NAMES[least]} {errors.correlation[least]:.3f}), left less right r {sides}, yaw {yaw:.2f}, "
            f"pitch {pitch:.2f} degrees"
        )
    return "\n".join(lines)
