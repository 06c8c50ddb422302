# SPDX-License-Identifier: MIT
"""Writes G (paper, section 2.2) as ``bdfm_infer`` runs it: ``python -m bdfm_train generator-export``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from bdfm_infer.parameters import N_PARAMETERS, base_face
from bdfm_train.arrays import write_content

from .errors import CheckpointError
from .networks.generator import Generator

MOST_BYTES: Final = 8_000_000
STORED: Final = "_16"
"""What the name of a tensor stored in 16 bits ends in."""
_OPSET: Final = 17


class ExportedGenerator(nn.Module):
    """G as ``bdfm_infer`` runs it: parameters (n, 269) to pictures (n, 128, 128, 3) uint8 RGB."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, parameters: Tensor) -> Tensor:
        return (self.generator(parameters) * 255.0 + 0.5).permute(0, 2, 3, 1).to(torch.uint8)


def export_generator(generator: Generator, path: Path) -> float:
    """Write ``avatar.onnx``, its weights stored in 16 bits and computed in 32.

    Args:
        generator: trained.
        path: of the ONNX file.

    Returns:
        Mean absolute difference, in grey levels of 255, to the network on the base face and random ones.

    Raises:
        CheckpointError: the file would be larger than the package can carry, or cannot be written.
    """
    model = ExportedGenerator(generator).eval()
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        torch.onnx.export(
            model,
            (torch.from_numpy(_faces()),),
            draft,
            input_names=["parameters"],
            output_names=["image"],
            dynamic_axes={"parameters": {0: "n"}, "image": {0: "n"}},
            opset_version=_OPSET,
            dynamo=False,
        )
        stored = store_in_16_bits(onnx.load(draft))
    onnx.checker.check_model(stored)
    content = stored.SerializeToString()
    if len(content) > MOST_BYTES:
        raise CheckpointError(f"This G takes {len(content)} bytes, {MOST_BYTES} are allowed. Choose narrower widths.")
    write_content(path, content, CheckpointError)
    return difference_to(content, model)


def difference_to(content: bytes, model: ExportedGenerator) -> float:
    """Mean absolute difference of an ``avatar.onnx`` to G, in grey levels of 255, on the base face and random ones."""
    y = _faces()
    with torch.no_grad():
        expected = model(torch.from_numpy(y)).numpy()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (found,) = session.run(["image"], {"parameters": y})
    return float(np.abs(expected.astype(np.float32) - found).mean())


def _faces() -> NDArray[np.float32]:
    y = np.random.default_rng(0).random((4, N_PARAMETERS), np.float32)
    y[0] = base_face()
    return y


def store_in_16_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store each tensor of 32-bit floats with more than one value in 16 bits; a cast in front of the graph undoes it.

    onnxruntime computes the casts once, when it loads the file.
    """
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < 2:
            continue
        name, stored = tensor.name, f"{tensor.name}{STORED}"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model
