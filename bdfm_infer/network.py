# SPDX-License-Identifier: MIT
"""The trained networks as files: a weights folder that is checked, and the face network on aligned crops."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .alignment import CROP_SIZE, N_LANDMARKS, mirror_landmarks
from .errors import WeightsError
from .parameters import MIRRORED_AU, MIRRORED_ROTATION, N_AU, N_POSE, degrees_from_parameter, intensity_from_parameter

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # asked once, at its import: from 1.29 on it reports to its makers
import onnxruntime

OWN_WEIGHTS: Final = Path(__file__).parent / "weights"
"""Folder of the weights that come with the package."""

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Weights:
    """A folder with ``model.json``, the two ONNX files that it names, and the thresholds that belong to them.

    Attributes:
        id: the model's name.
        sha256: of the face network's file.
        score_threshold: detector's score from which a peak is looked at as a face, 0 to 1.
        confidence_threshold: face network's confidence from which a face is accepted, 0 to 1.
    """

    id: str
    sha256: str
    face: bytes
    detector: bytes
    score_threshold: float
    confidence_threshold: float

    @classmethod
    def load(cls, folder: str | os.PathLike[str] | None = None) -> Weights:
        """Read a folder, by default the package's own, and check both files against their SHA-256.

        Raises:
            WeightsError: a file is missing, damaged, or not of this format.
        """
        folder = OWN_WEIGHTS if folder is None else Path(folder)
        with _explained(folder):
            model = _model(folder)
            face, detector = (_checked(folder, model[name]) for name in ("face", "detector"))
            thresholds = model["thresholds"]
            return cls(
                id=str(model["id"]),
                sha256=str(model["face"]["sha256"]),
                face=face,
                detector=detector,
                score_threshold=float(thresholds["score"]),
                confidence_threshold=float(thresholds["confidence"]),
            )


def avatar_network(folder: str | os.PathLike[str] | None = None) -> bytes:
    """The ONNX file of the avatar in a folder of weights, by default the package's own. Captures do not need it.

    Raises:
        WeightsError: the folder has no avatar, or its file is missing or damaged.
    """
    folder = OWN_WEIGHTS if folder is None else Path(folder)
    with _explained(folder):
        model = _model(folder)
        if "avatar" not in model:
            raise WeightsError(
                "The weights in {folder} have no avatar. Use the package's own, or capture without it.",
                folder=folder,
            )
        return _checked(folder, model["avatar"])


def _model(folder: Path) -> Any:
    return json.loads((folder / "model.json").read_text(encoding="utf-8"))


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """What can go wrong while a folder of weights is read, as a :class:`WeightsError`."""
    try:
        yield
    except OSError as error:
        raise WeightsError(
            "The network's files cannot be read ({reason}). Install the package again, or name a folder of weights.",
            reason=error,
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            "{path} does not describe a model ({reason}). Install the package again.",
            path=folder / "model.json",
            reason=repr(error),
        ) from error


def _checked(folder: Path, entry: dict[str, str]) -> bytes:
    path = folder / entry["file"]
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise WeightsError(
            "{path} is damaged: its SHA-256 differs from model.json. Install the package again.",
            path=path,
        )
    return content


def session(model: bytes, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> onnxruntime.InferenceSession:
    """An ONNX file on one thread (frames run in parallel, not what is within a frame).

    Raises:
        WeightsError: not an ONNX file, or its inputs and outputs are not the ones that are asked for.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        made = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions have no common base
        raise WeightsError(
            "The network cannot be loaded ({reason}). Install the package again.", reason=error
        ) from error
    has = {node.name for node in (*made.get_inputs(), *made.get_outputs())}
    if not has.issuperset((*inputs, *outputs)):
        raise WeightsError(
            "The network lacks {names}. Install the package again.", names=sorted({*inputs, *outputs} - has)
        )
    return made


@dataclass(frozen=True, slots=True)
class Reading:
    """What the face network says about one aligned crop.

    Attributes:
        landmarks: (68, 2) float32, units of the crop's side, x to the right, y down.
        angles: (2,) float32, yaw and pitch in degrees.
        action_units: (23,) float32 intensities in [0, 1], 0 at rest.
        confidence: 0 to 1, that the crop shows an aligned face.
    """

    landmarks: FloatArray
    angles: FloatArray
    action_units: FloatArray
    confidence: float

    @property
    def mirrored(self) -> Reading:
        """The same of the mirror image of the crop: left and right exchanged, yaw turned round."""
        landmarks = mirror_landmarks(self.landmarks).astype(np.float32)
        angles = self.angles * np.array(MIRRORED_ROTATION[:N_POSE], np.float32)
        return Reading(landmarks, angles, self.action_units[list(MIRRORED_AU)], self.confidence)

    def averaged(self, other: Reading) -> Reading:
        """The mean of this and another reading of the same crop."""
        return Reading(
            _mean(self.landmarks, other.landmarks),
            _mean(self.angles, other.angles),
            _mean(self.action_units, other.action_units),
            (self.confidence + other.confidence) / 2,
        )


def _mean(one: FloatArray, other: FloatArray) -> FloatArray:
    return np.mean([one, other], axis=0, dtype=np.float32)


OUTPUTS: Final = ("landmarks", "pose", "action_units", "confidence")
"""Of ``face.onnx``."""


class FaceNetwork:
    """``face.onnx``: aligned grey crops to landmarks, head pose, action units and confidence.

    Safe to call from several threads.
    """

    def __init__(self, model: bytes) -> None:
        self._session: Any = session(model, ("crops",), OUTPUTS)

    def __call__(self, crop: NDArray[np.uint8]) -> Reading:
        """Read one crop, (96, 96) uint8, aligned by :mod:`bdfm_infer.alignment`."""
        landmarks, pose, action_units, confidence = self._session.run(
            OUTPUTS, {"crops": crop.reshape(1, CROP_SIZE, CROP_SIZE)}
        )
        return Reading(
            landmarks.reshape(N_LANDMARKS, 2),
            degrees_from_parameter(pose[0]),
            intensity_from_parameter(action_units.reshape(N_AU)),
            float(np.clip(confidence.reshape(-1)[0], 0.0, 1.0)),
        )
