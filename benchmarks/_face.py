# SPDX-License-Identifier: MIT
"""A face with 52 shape keys, a mapping that moves them all, and values that never rest. Needs ``bpy``."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_NAMES

FPS = 24
KEYS = [f"key_{number:02}" for number in range(52)]


def empty_scene() -> None:
    """Start with nothing in the file."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def add_face(name: str = "Face") -> bpy.types.Object:
    """A triangle with the shape keys."""
    data = bpy.data.meshes.new(name)
    data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    face = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(face)
    for key in ("Basis", *KEYS):
        face.shape_key_add(name=key)
    return face


def mapping_content() -> dict[str, Any]:
    """Content of a mapping file: each key moves by one action unit."""
    channels: dict[str, list[dict[str, str]]] = {}
    for number, key in enumerate(KEYS):
        channels.setdefault(AU_NAMES[number % len(AU_NAMES)], []).append({"kind": "shape_key", "name": key})
    head = {"format_version": 1, "id": "bench", "name": "Benchmark", "confidence": "experimental"}
    return {**head, "fingerprint": {"shape_keys": KEYS}, "channels": channels}


def action_units(frames: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (n,) in seconds and action units (n, 23), a sine each."""
    times = np.arange(frames) / FPS
    return times, 0.5 + 0.5 * np.sin(times[:, None] * np.arange(1, len(AU_NAMES) + 1))
