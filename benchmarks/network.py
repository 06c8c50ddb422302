# SPDX-License-Identifier: MIT
"""CPU time of the face network on one crop and one thread, beside a matrix product of as many multiply-adds, and of one
picture of the avatar."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx.shape_inference import infer_shapes

from bdfm_infer.alignment import CROP_SIZE
from bdfm_infer.avatar import Avatar
from bdfm_infer.network import OWN_WEIGHTS, FaceNetwork
from bdfm_infer.parameters import N_AU

ROUNDS = 40
RUNS = 5
GOALS = "goals: 1.6 ms for the face network, 15 ms for the avatar"


def main() -> None:
    """Print milliseconds of CPU, best of forty rounds each, all networks in turn within a round, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "networks",
        nargs="*",
        type=Path,
        default=[OWN_WEIGHTS / "face.onnx"],
        help="face.onnx of several exports, such as one with --float (default: the package's own)",
    )
    options = parser.parse_args()
    crop = np.random.default_rng(0).integers(0, 256, (CROP_SIZE, CROP_SIZE), np.uint8)
    work = multiply_adds(options.networks[0])
    side = round(work ** (1 / 3))
    square = np.ones((side, side), np.float32)
    name = f"float32 product of two {side} x {side} matrices"
    runs: dict[str, Callable[[], object]] = {name: partial(np.matmul, square, square)}
    for path in options.networks:
        runs[str(path)] = partial(FaceNetwork(path.read_bytes()), crop)
    runs["avatar"] = partial(Avatar().draw, [5.0, 5.0, 5.0], np.zeros(N_AU))
    best = dict.fromkeys(runs, math.inf)
    for _ in range(ROUNDS):
        for label, run in runs.items():
            begun = time.process_time()
            for _ in range(RUNS):
                run()
            best[label] = min(best[label], (time.process_time() - begun) / RUNS * 1e3)
    print(f"{work / 1e6:.0f} million multiply-adds in the face network's convolutions; {GOALS}")
    for label, cost in best.items():
        print(f"{cost:7.2f} ms {cost / best[name]:6.2f} of the product   {label}")


def multiply_adds(path: Path) -> int:
    """Multiply-adds of all convolutions for one crop."""
    graph = infer_shapes(onnx.load(path)).graph
    shapes = {
        value.name: [dimension.dim_value or 1 for dimension in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.output)
    }
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            kernel = _weights(graph, node.input[1])
            total += math.prod(shapes[node.output[0]]) * math.prod(kernel[1:])
    return total


def _weights(graph: onnx.GraphProto, name: str) -> list[int]:
    """Shape of a convolution's weights, in 8 bits or not."""
    sizes = {item.name: list(item.dims) for item in graph.initializer}
    source = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    return sizes[source.get(name, name)]
