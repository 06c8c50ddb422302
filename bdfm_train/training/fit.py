# SPDX-License-Identifier: MIT
"""Fits y to one photo by gradient descent through G and F_seg: the baseline that R replaces (paper, 3.3: GENet).

``python -m bdfm_train fit IMAGE``. Content and identity loss (Eq. 8, 9) as in the face-to-parameter paper that this
one builds on (Shi et al. 2019). The paper says nothing of optimiser and steps of GENet; here it is Adam from the base
face, its rate falling to nothing by a cosine. After each step y is cut to its range and the brow style to sum 1.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from bdfm_infer import Predictor, alignment
from bdfm_infer.avatar import SIZE
from bdfm_infer.errors import NoFaceError
from bdfm_infer.images import load_image
from bdfm_infer.network import FaceNetwork, Weights
from bdfm_infer.parameters import (
    ACTION_UNITS,
    AU_SLICE,
    BROW_SLICE,
    POSE_SLICE,
    base_face,
    degrees_from_parameter,
    intensity_from_parameter,
)
from bdfm_train.arrays import write_picture
from bdfm_train.networks.segmentation import normalise

from .losses import content_loss, identity_loss, with_base_units
from .objective import FrozenNetworks
from .precision import training_precision

LEARNING_RATE: Final = 0.03
IDENTITY_WEIGHT: Final = 0.1
_READINGS: Final = 50
"""How often a crop is read to time the network."""

FloatArray = NDArray[np.float32]
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Fitted:
    """A photo fitted and read.

    Attributes:
        name: of the file.
        y: (269,) fitted parameters.
        losses: the sum of both losses at the first and at the last step.
        seconds: of the fitting, and of one reading by ``bdfm_infer``'s network, finding the face in neither. Seconds of
            the CPU, so that what else runs does not count; where a GPU fits, the clock's for the fitting.
        rotation, action_units: (2,) degrees of yaw and pitch, and (23,) intensities, that ``bdfm_infer`` reads.
        crop, drawn: (128, 128, 3) uint8 BGR, the aligned photo and G's picture of ``y``.
    """

    name: str
    y: FloatArray
    losses: tuple[float, float]
    seconds: tuple[float, float]
    rotation: FloatArray
    action_units: FloatArray
    crop: Image
    drawn: Image


def fit(frozen: FrozenNetworks, crop: Image, steps: int) -> tuple[FloatArray, tuple[float, float]]:
    """Parameters (269,) whose picture has the photo's T and identity; the loss at the first and at the last step.

    Args:
        frozen: G, F_seg and F_rec.
        crop: (s, s) uint8 grey, aligned, s the side of F_seg's input.
        steps: of gradient descent.
    """
    device = frozen.device
    photo = torch.from_numpy(np.ascontiguousarray(crop))[None].to(device)
    y = torch.from_numpy(base_face())[None].to(device).requires_grad_()
    optimizer = torch.optim.Adam([y], LEARNING_RATE)
    found = []
    with training_precision(device):
        with torch.no_grad():
            real, person = frozen.see(normalise(photo)), frozen.recognise(photo)
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * (0.5 + 0.5 * math.cos(math.pi * step / steps))
            pictures = frozen.draw(torch.cat([y, with_base_units(y)]))
            loss = content_loss(frozen.see_drawn(pictures[:1]).parts, real.parts)
            loss = loss + IDENTITY_WEIGHT * identity_loss(frozen.recognise_drawn(pictures[1:]), person)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
            with torch.no_grad():
                y.clamp_(0.0, 1.0)
                y[:, BROW_SLICE] /= y[:, BROW_SLICE].sum().clamp_min(1e-6)
    return y.detach()[0].cpu().numpy(), (found[0], found[-1])


def fit_photos(frozen: FrozenNetworks, paths: Sequence[Path], steps: int, weights: Path | None = None) -> list[Fitted]:
    """Fit the largest face of each photo, and read it with ``bdfm_infer``.

    Args:
        frozen: G, F_seg and F_rec.
        paths: image files.
        steps: of gradient descent.
        weights: folder of ``bdfm_infer``'s networks; the package's own by default.

    Raises:
        InputNotFoundError, NotAVideoError: a file is missing or no image.
        NoFaceError: a photo shows no face; nothing has been fitted then.
    """
    predictor, network = Predictor(weights), FaceNetwork(Weights.load(weights).face)
    clock = time.process_time if frozen.device.type == "cpu" else time.perf_counter
    images = [load_image(path) for path in paths]
    faces = [predictor.predict(image) for image in images]
    if faceless := [str(path) for path, face in zip(paths, faces, strict=True) if face is None]:
        raise NoFaceError(
            f"No face was found in {', '.join(faceless)}. Leave it out, or choose a larger picture of it."
        )
    fitted = []
    for path, image, face in zip(paths, images, faces, strict=True):
        assert face is not None
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        began = clock()
        y, losses = fit(frozen, alignment.crop_face(grey, face.landmarks, frozen.crop_size), steps)
        seconds = clock() - began
        colour = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        fitted.append(
            Fitted(
                name=path.name,
                y=y,
                losses=losses,
                seconds=(seconds, _reading_time(network, alignment.crop_face(grey, face.landmarks))),
                rotation=face.rotation[:2].astype(np.float32),
                action_units=face.action_units.astype(np.float32),
                crop=alignment.crop_face(colour, face.landmarks, SIZE),
                drawn=_picture(frozen, y),
            )
        )
    return fitted


def report(fitted: Sequence[Fitted]) -> str:
    """Action units and pose of each photo, fitted beside read, and the time of both."""
    lines = []
    for one in fitted:
        degrees, units = degrees_from_parameter(one.y[POSE_SLICE]), intensity_from_parameter(one.y[AU_SLICE])
        lines += [f"{one.name}: loss {one.losses[0]:.3f} to {one.losses[1]:.3f}", f"{'':18s}{'fitted':>8s}{'read':>8s}"]
        for name, fit_angle, read_angle in zip(("yaw", "pitch"), degrees, one.rotation, strict=True):
            lines.append(f"{name:18s}{fit_angle:8.1f}{read_angle:8.1f}")
        for name, fit_unit, read_unit in zip(ACTION_UNITS, units, one.action_units, strict=True):
            lines.append(f"{name:18s}{fit_unit:8.2f}{read_unit:8.2f}")
        lines.append("")
    slow, fast = np.mean([one.seconds for one in fitted], axis=0)
    lines.append(
        f"time a photo, without finding the face: fitting {slow:.2f} s, bdfm_infer's network {fast * 1e3:.2f} ms, "
        f"{slow / fast:.0f} times as fast"
    )
    return "\n".join(lines)


def write_sheet(fitted: Sequence[Fitted], path: Path) -> None:
    """A picture with a row for each photo: the aligned photo, then G's picture of the fitted parameters.

    Raises:
        WriteError: it cannot be written.
    """
    write_picture(path, np.vstack([np.hstack([one.crop, one.drawn]) for one in fitted]))


def _reading_time(network: FaceNetwork, crop: Image) -> float:
    """Seconds of the CPU for one reading."""
    network(crop)
    began = time.process_time()
    for _ in range(_READINGS):
        network(crop)
    return (time.process_time() - began) / _READINGS


@torch.no_grad()
def _picture(frozen: FrozenNetworks, y: FloatArray) -> Image:
    device = frozen.device
    rgb = frozen.draw(torch.from_numpy(y)[None].to(device))[0].permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray((rgb[..., ::-1] * 255.0 + 0.5).astype(np.uint8))
