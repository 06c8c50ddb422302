# SPDX-License-Identifier: MIT
"""Whether a photo and its mirror image are read alike, left and right exchanged: ``python -m bdfm_train mirror``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bdfm_infer import Predictor
from bdfm_infer.parameters import AU_NAMES, MIRRORED_AU, MIRRORED_ROTATION
from bdfm_train.data.photos import Photo
from bdfm_train.errors import MeasureError

GOAL: Final = 0.03
WORST: Final = 5
"""Photos whose names are printed."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class MirrorTest:
    """Differences between n photos and their mirror images.

    Attributes:
        names: of the photos in which, and in whose mirror images, a face was found.
        photos: how many were read.
        difference: (n, 23) of intensities, photo less mirror image with left and right exchanged.
        rotation: (n, 3) degrees, the same with yaw and roll turned round.
    """

    names: tuple[str, ...]
    photos: int
    difference: FloatArray
    rotation: FloatArray


def run(photos: list[Photo], predictor: Predictor) -> MirrorTest:
    """Read photos and their mirror images.

    Raises:
        MeasureError: no photo and its mirror image both show a face.
    """
    names, difference, rotation = [], [], []
    for photo in photos:
        face = predictor.predict(photo.image)
        other = predictor.predict(np.ascontiguousarray(photo.image[:, ::-1]))
        if face is not None and other is not None:
            names.append(photo.name)
            difference.append(face.action_units - other.action_units[list(MIRRORED_AU)])
            rotation.append(face.rotation - other.rotation * MIRRORED_ROTATION)
    if not names:
        raise MeasureError(f"No face was found in any of {len(photos)} photos and its mirror image.")
    return MirrorTest(tuple(names), len(photos), np.array(difference), np.array(rotation))


def report(test: MirrorTest) -> str:
    """Largest and mean difference of each unit, and the photos that differ most."""
    apart = np.abs(test.difference)
    worst = apart.max(1)
    lines = [
        f"{len(test.names)} of {test.photos} held-out photos: a face in the photo and in its mirror image",
        f"{'difference':18s}{'mean':>8s}{'largest':>9s}   goal {GOAL:g}",
    ]
    for i, unit in enumerate(AU_NAMES):
        lines.append(f"{unit:18s}{apart[:, i].mean():8.3f}{apart[:, i].max():9.3f}")
    degrees = np.abs(test.rotation)
    lines += [
        f"{'all units':18s}{apart.mean():8.3f}{apart.max():9.3f}   {(apart <= GOAL).mean():.1%} of values, all units "
        f"of {(worst <= GOAL).sum()} photos within {GOAL:g}",
        f"yaw, pitch, roll: {', '.join(f'{d:.2f}' for d in degrees.mean(0))} degrees in the mean, "
        f"{', '.join(f'{d:.2f}' for d in degrees.max(0))} at most",
        "differ most: "
        + ", ".join(
            f"{test.names[i]} ({AU_NAMES[int(apart[i].argmax())]} {worst[i]:.2f})"
            for i in worst.argsort()[::-1][:WORST]
        ),
    ]
    return "\n".join(lines)
