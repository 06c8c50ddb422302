# SPDX-License-Identifier: MIT
"""Writes the face reader as ``bdfm_infer`` runs it. ``python -m bdfm_train export``."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from bdfm_infer.alignment import CROP_SIZE
from bdfm_infer.network import OUTPUTS
from bdfm_train.arrays import write_content

from .errors import CheckpointError
from .networks.reader import ExportedReader

AVATAR = "avatar.onnx"
_OPSET = 17


def export_reader(model: ExportedReader, path: Path) -> float:
    """Write ``face.onnx``; returns the largest difference between it and the network on random crops.

    Args:
        model: the trained networks.
        path: of the ONNX file.
    """
    model.eval()
    crops = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, CROP_SIZE, CROP_SIZE), np.uint8))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Constant folding")  # of a padding's amounts, which onnxruntime folds
        torch.onnx.export(
            model,
            (crops,),
            path,
            input_names=["crops"],
            output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "n"} for name in ("crops", *OUTPUTS)},
            opset_version=_OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(onnx.load(path))
    with torch.no_grad():
        expected = model(crops)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(list(OUTPUTS), {"crops": crops.numpy()})
    return max(float(np.abs(a.numpy() - b).max()) for a, b in zip(expected, found, strict=True))


def write_model(folder: Path, model_id: str, score: float, confidence: float) -> None:
    """Write ``model.json``: the hashes of the networks in ``folder``, and the thresholds that go with them.

    The avatar is listed where there is one.
    """
    files: dict[str, Any] = {}
    for name in ("face", "detector"):
        path = folder / f"{name}.onnx"
        if not path.exists():
            raise CheckpointError(f"{path} is missing. Export it first.")
        files[name] = _entry(path)
    facts = {"id": model_id, **files, "thresholds": {"score": score, "confidence": confidence}}
    if (folder / AVATAR).exists():
        facts["avatar"] = _entry(folder / AVATAR)
    _write_facts(folder, facts)


def list_avatar(folder: Path) -> None:
    """Add the avatar of ``folder`` to its ``model.json``.

    Raises:
        CheckpointError: there is no ``model.json`` to add it to.
    """
    path = folder / "model.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise ValueError("it describes no model")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}). Export the face reader there first.") from error
    _write_facts(folder, facts | {"avatar": _entry(folder / AVATAR)})


def _entry(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _write_facts(folder: Path, facts: dict[str, Any]) -> None:
    write_content(folder / "model.json", (json.dumps(facts, indent=2) + "\n").encode(), CheckpointError)
