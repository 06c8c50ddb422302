# SPDX-License-Identifier: MIT
"""An exported reader in 8 bits where it makes maps, or reads a whole one: a third of the time and of the size."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from .data.photos import Photo, aligned_crops

CALIBRATION_PHOTOS: Final = 300
_AFTER_CONVOLUTIONS: Final = ("Add", "Relu")
"""In 8 bits, too, so that maps go from one convolution to the next as they are; a ReLU is then where the range ends."""


class _Crops(CalibrationDataReader):
    def __init__(self, crops: NDArray[np.uint8]) -> None:
        self._rows: Iterator[NDArray[np.uint8]] = iter(crops[:, None])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        row = next(self._rows, None)
        return None if row is None else {"crops": row}


def quantise_reader(path: Path, photos: list[Photo]) -> float:
    """Replace ``face.onnx`` by its 8-bit form: weights by channel in 7 bits, ranges of activations by photos.

    Args:
        path: of the file, overwritten.
        photos: of the part ``train``; the second half of the first :data:`CALIBRATION_PHOTOS` tells the difference.

    Returns:
        Mean correlation of the 23 action units before and after, on photos that the ranges were not taken from.
    """
    crops = aligned_crops(photos[:CALIBRATION_PHOTOS])
    calibration, check = crops[: len(crops) // 2], crops[len(crops) // 2 :]
    before = read_action_units(path, check)
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(path),
            _Crops(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm", *_AFTER_CONVOLUTIONS],
            nodes_to_exclude=_in_32_bits(prepared),
            per_channel=True,
            reduce_range=True,  # else processors without VNNI saturate where they add two products in 16 bits
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]},
        )
    after = read_action_units(path, check)
    return float(np.mean([np.corrcoef(before[:, i], after[:, i])[0, 1] for i in range(before.shape[1])]))


def _in_32_bits(path: Path) -> list[str]:
    """Names of the nodes that stay as they are.

    The first convolution, whose one channel in 8 bits costs more time than it saves. What makes no maps (n, c, h, w):
    in 8 bits, landmarks and angles would move in steps and end where those of the calibration photos do. Linear layers,
    but the one that reads a whole map, which has 8 bits already; what it makes of it keeps 32.
    """
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    maps = {value.name for value in graph.value_info if len(value.type.tensor_type.shape.dim) == 4}
    flattened = {node.output[0] for node in graph.node if node.op_type == "Flatten" and node.input[0] in maps}
    first = next(node.name for node in graph.node if node.op_type == "Conv")
    readings = [node for node in graph.node if node.op_type in _AFTER_CONVOLUTIONS and node.output[0] not in maps]
    linear = [node for node in graph.node if node.op_type == "Gemm" and node.input[0] not in flattened]
    return [first, *(node.name for node in (*readings, *linear))]


def read_action_units(path: Path, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Parameters (n, 23), in [0, 1], that an exported reader reads from aligned crops (n, 96, 96), some at a time."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    parts = np.array_split(crops, max(1, len(crops) // 100))
    return np.concatenate([session.run(["action_units"], {"crops": part})[0] for part in parts])
