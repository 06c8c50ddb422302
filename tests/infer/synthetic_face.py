# SPDX-License-Identifier: MIT
"""Faces that need no training: bright ellipses, and ONNX networks that measure them by their moments.

A face is an ellipse of semi-axes 0.22 and 0.308 sides of its aligned square. How bright it is stands for its expression
``v`` in [0, 1]: action unit j has the intensity ``v * (j + 1) / 23``, yaw is ``120 * (v - 0.5)`` degrees and pitch its
opposite.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bdfm_infer.alignment import CROP_SIZE, FIVE_POINTS, N_LANDMARKS
from bdfm_infer.parameters import AU_BASE, N_AU

SEMI_AXES = (0.22, 0.308)
BACKGROUND = 20
FLOOR = 0.25
"""Brightness (of 1) up to which nothing is seen; the expression is what is above it."""


def draw(image: NDArray[np.uint8], x: float, y: float, side: float, v: float, roll: float = 0.0) -> None:
    """Draw a face: centre and side of its aligned square in pixels, expression, roll in degrees clockwise."""
    grey = 255 * (FLOOR + (1 - FLOOR) * v)
    axes = tuple(round(side * a * 16) for a in SEMI_AXES)
    cv2.ellipse(image, (round(x * 16), round(y * 16)), axes, roll, 0, 360, (grey,) * 3, -1, cv2.LINE_AA, shift=4)


def picture(width: int = 320, height: int = 240, *faces: tuple[float, ...]) -> NDArray[np.uint8]:
    """A picture (height, width, 3) with faces, each the arguments of :func:`draw`."""
    image = np.full((height, width, 3), BACKGROUND, np.uint8)
    for face in faces:
        draw(image, *face)
    return image


def canonical_landmarks() -> NDArray[np.float32]:
    """(68, 2) in crop units whose five points are the canonical ones."""
    landmarks = np.full((N_LANDMARKS, 2), 0.5, np.float32)
    landmarks[36:42], landmarks[42:48] = FIVE_POINTS[0], FIVE_POINTS[1]
    landmarks[30], landmarks[48], landmarks[54] = FIVE_POINTS[2:]
    return landmarks


def write_weights(folder: Path) -> Path:
    """A weights folder with the two networks."""
    folder.mkdir(parents=True, exist_ok=True)
    description: dict[str, Any] = {"id": "synthetic", "thresholds": {"score": 0.5, "confidence": 0.5}}
    for name, model in (("face", _face_network()), ("detector", _detector())):
        content = model.SerializeToString()
        (folder / f"{name}.onnx").write_bytes(content)
        description[name] = {"file": f"{name}.onnx", "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "model.json").write_text(json.dumps(description))
    return folder


class _Graph:
    """Nodes and constants of an ONNX graph, by plain calls."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def __call__(self, operator: str, *inputs: Any, out: str | None = None, **attributes: Any) -> str:
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        name = out or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [name], **attributes))
        return name

    def sum(self, value: str, axes: list[int]) -> str:
        return self("ReduceSum", value, self.constant(axes, np.int64), keepdims=0)

    def brightness(self, image: str) -> str:
        """What is above the floor, in [0, 1]."""
        scaled = self("Div", self("Cast", image, to=TensorProto.FLOAT), 255.0)
        return self("Relu", self("Div", self("Sub", scaled, FLOOR), 1 - FLOOR))

    def model(self, image: Any, outputs: dict[str, list[Any]]) -> onnx.ModelProto:
        made = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in outputs.items()]
        graph = helper.make_graph(self.nodes, "synthetic", [image], made, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return model


def _face_network() -> onnx.ModelProto:
    g = _Graph()
    grid = (np.arange(CROP_SIZE) + 0.5) / CROP_SIZE
    x, y = grid[None, None, :], grid[None, :, None]
    w = g.brightness("crops")
    mass = g("Add", g.sum(w, [1, 2]), 1e-6)

    def mean(value: str) -> str:
        return g("Div", g.sum(value, [1, 2]), mass)

    cx, cy = mean(g("Mul", w, x)), mean(g("Mul", w, y))
    xx = g("Sub", mean(g("Mul", w, x * x)), g("Mul", cx, cx))
    yy = g("Sub", mean(g("Mul", w, y * y)), g("Mul", cy, cy))
    xy = g("Sub", mean(g("Mul", w, x * y)), g("Mul", cx, cy))

    tangent = g("Div", g("Mul", xy, -2.0), g("Add", g("Sub", yy, xx), 1e-6))
    angle = g("Mul", g("Atan", tangent), 0.5)
    scale = g("Div", g("Sqrt", g("Add", g("Add", xx, yy), 1e-9)), float(np.hypot(*SEMI_AXES)) / 2)
    cosine, sine = g("Mul", g("Cos", angle), scale), g("Mul", g("Sin", angle), scale)
    offset = canonical_landmarks() - 0.5

    def column(value: str) -> str:
        return g("Unsqueeze", value, g.constant([1], np.int64))

    def turned(centre: str, along_x: str, along_y: str, sign: float) -> str:
        first = g("Mul", column(along_x), offset[None, :, 0])
        second = g("Mul", g("Mul", column(along_y), offset[None, :, 1]), sign)
        return g("Unsqueeze", g("Add", g("Add", first, second), column(centre)), g.constant([2], np.int64))

    g("Concat", turned(cx, cosine, sine, -1.0), turned(cy, sine, cosine, 1.0), axis=2, out="landmarks")
    v = column(g("Min", mean(g("Mul", w, w)), 1.0))
    g("Concat", v, g("Sub", 1.0, v), axis=1, out="pose")
    share = np.arange(1, N_AU + 1, dtype=np.float32)[None] / N_AU * (1 - AU_BASE)
    g("Add", g("Mul", v, share), AU_BASE, out="action_units")

    # An ellipse of uniform brightness covers 4 pi times the root of its second moments' determinant.
    area = g("Div", g("Mul", mass, mass), g("Add", g.sum(g("Mul", w, w), [1, 2]), 1e-6))
    share_of_crop = g("Div", area, float(CROP_SIZE**2))
    determinant = g("Relu", g("Sub", g("Mul", xx, yy), g("Mul", xy, xy)))
    of_moments = g("Mul", g("Sqrt", g("Add", determinant, 1e-9)), float(4 * np.pi))
    apart = g("Abs", g("Sub", g("Div", share_of_crop, of_moments), 1.0))
    g("Relu", g("Sub", 1.0, g("Mul", apart, 4.0)), out="confidence")
    image = helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", CROP_SIZE, CROP_SIZE])
    shapes = {"landmarks": ["n", N_LANDMARKS, 2], "pose": ["n", 2], "action_units": ["n", N_AU], "confidence": ["n"]}
    return g.model(image, shapes)


def _detector() -> onnx.ModelProto:
    g = _Graph()
    w = g("Unsqueeze", g.brightness("image"), g.constant([1], np.int64))

    def pooled(value: str) -> str:
        return g("AveragePool", value, kernel_shape=[4, 4], strides=[4, 4])

    def around(value: str, kernel: NDArray[np.float64]) -> str:
        pad = kernel.shape[0] // 2
        return g("Conv", value, kernel[None, None], pads=[pad] * 4, kernel_shape=list(kernel.shape))

    cells, squares = pooled(w), pooled(g("Mul", w, w))
    distance = np.hypot(*np.mgrid[-8:9, -8:9])
    cone = np.maximum(1.0 - distance / 8.5, 0.0)
    peak = around(cells, cone / cone.sum())
    g("Squeeze", g("Div", peak, g("Add", peak, 0.01)), g.constant([1], np.int64), out="score")

    window = np.ones((25, 25))
    total = around(cells, window)
    area = g("Mul", g("Div", g("Mul", total, total), g("Add", around(squares, window), 1e-6)), 16.0)
    side = g("Sqrt", g("Add", g("Div", area, float(np.pi * SEMI_AXES[0] * SEMI_AXES[1])), 1e-6))
    g("Mul", side, (FIVE_POINTS - 0.5).reshape(1, 10, 1, 1), out="points")
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "h", "w"])
    return g.model(image, {"score": [1, "h4", "w4"], "points": [1, 10, "h4", "w4"]})
