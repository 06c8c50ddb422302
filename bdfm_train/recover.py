# SPDX-License-Identifier: MIT
"""A reader's checkpoint out of ``face.onnx``, to go on from what ships: ``python -m bdfm_train recover``.

The file holds most layers in 8 bits, convolutions joined with their batch normalisation, and neither the parsing nor
the optimizer's state. Convolutions are taken apart again by what photos make of them; the parsing begins at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from .config import Config
from .data.photos import Photo, aligned_crops
from .errors import CheckpointError
from .networks.checkpoints import build_reader, write_checkpoint
from .networks.reader import ExportedReader, FaceReader
from .networks.segmentation import normalise
from .quantise import read_action_units

PHOTOS: Final = 400
_NOT_EXPORTED: Final = "segmentation.parse."
_DOUBT: Final = "segmentation.refine_landmarks.doubt"
_LENGTH: Final = 2**0.5
"""Of a channel's weights, as they are drawn at first: batch normalisation makes up for any other."""


def recover_reader(weights: Path, config: Config, photos: Sequence[Photo], out: Path) -> float:
    """Write a checkpoint with the weights of ``face.onnx``, those in 8 bits exact to the 7 that they use.

    Args:
        weights: folder of ``face.onnx``, as ``export`` wrote it, without R.
        config: of the reader that was exported.
        photos: the first :data:`PHOTOS` tell mean and deviation of each channel, all of them what is returned.
        out: checkpoint to write, to be read like the reader's; a training begins from it by ``--start``.

    Returns:
        Mean difference of the action units that the file and the checkpoint read from the photos.

    Raises:
        CheckpointError: the file is missing, is no reader of this configuration, or ``out`` cannot be written.
    """
    reader, path = build_reader(config).eval(), weights / "face.onnx"
    layers, doubt = _read(path)
    shapes = {
        name: module.weight.shape
        for name, module in reader.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and not name.startswith(_NOT_EXPORTED)
    }
    found = {name: kernel.shape for name, (kernel, _) in layers.items()}
    if wrong := sorted(name for name, _ in shapes.items() ^ found.items()):
        raise CheckpointError(f"{path} is no reader of the configuration {config.name!r}: {wrong[0]} differs.")
    reader.load_state_dict({_DOUBT: doubt}, strict=False)
    crops = aligned_crops(list(photos))
    with torch.no_grad():
        _take_apart(reader, layers, crops[:PHOTOS])
        parts = torch.from_numpy(crops).split(100)
        read = torch.cat([ExportedReader(reader)(part)[2] for part in parts]).numpy()
    write_checkpoint({"average": reader.state_dict(), "config": config.kept, "step": 0}, out)
    return float(np.abs(read - read_action_units(path, crops)).mean())


def read_graph(path: Path, command: str) -> onnx.GraphProto:
    """The graph of an ONNX file that ``python -m bdfm_train COMMAND`` wrote.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        return onnx.load(path).graph
    except Exception as error:  # what a damaged file raises depends on where it is damaged
        raise CheckpointError(
            f"{path} cannot be read as ONNX ({error}). Name the folder that {command} wrote."
        ) from error


def _read(path: Path) -> tuple[dict[str, tuple[Tensor, Tensor]], Tensor]:
    """Kernel and bias of each layer by its module, and the one weight beside them."""
    graph = read_graph(path, "export")
    arrays = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    values = dict(arrays)
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in arrays:
            whole, scale = arrays[node.input[0]], arrays[node.input[1]]
            values[node.output[0]] = whole.astype(np.float32) * scale.reshape(-1, *[1] * (whole.ndim - 1))
    layers = {}
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            kernel, bias = (torch.from_numpy(np.array(values[name], np.float32)) for name in node.input[1:])
            layers[_module(node.name)] = kernel, bias
    return layers, torch.from_numpy(np.array(arrays[f"reader.{_DOUBT}"]))


def _module(node: str) -> str:
    """``/reader/a/a.0/b/Conv`` is the module ``a.0.b``: a sequence's own name comes before that of its part."""
    parts = node.strip("/").split("/")[1:-1]
    whole = [part for part, after in zip(parts, [*parts[1:], ""], strict=True) if not after.startswith(part + ".")]
    return ".".join(whole)


def _take_apart(reader: FaceReader, layers: dict[str, tuple[Tensor, Tensor]], crops: NDArray[np.uint8]) -> None:
    """Give each layer its weights, and the batch normalisation behind a convolution what it takes to change nothing."""
    modules = dict(reader.named_modules())
    for name, (kernel, bias) in layers.items():
        layer = modules[name]
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        if layer.bias is not None:
            layer.weight.copy_(kernel)
            layer.bias.copy_(bias)
            continue
        length = kernel.flatten(1).norm(dim=1).clamp_min(1e-6) / _LENGTH
        layer.weight.copy_(kernel / length[:, None, None, None])
        before, _, last = name.rpartition(".")
        norm = modules[f"{before}.{int(last) + 1}"]
        assert isinstance(norm, nn.BatchNorm2d)
        norm.register_forward_pre_hook(_Joined(length, bias))
    reader(normalise(torch.from_numpy(crops)))
    for module in reader.modules():
        module._forward_pre_hooks.clear()


class _Joined:
    """Sets a batch normalisation so that it multiplies by ``scale`` and adds ``bias``, on what it sees first."""

    def __init__(self, scale: Tensor, bias: Tensor) -> None:
        self.scale, self.bias = scale, bias

    def __call__(self, norm: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
        variance, mean = torch.var_mean(inputs[0], (0, 2, 3), correction=0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_(self.scale * (variance + norm.eps).sqrt())
        norm.bias.copy_(self.bias + self.scale * mean)
