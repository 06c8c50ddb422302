# SPDX-License-Identifier: MIT
"""Faces of 52 shape keys and of 51 bones, mappings that move them all, and values that never rest. Needs ``bpy``."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_NAMES

FPS = 24
KEYS = [f"key_{number:02}" for number in range(52)]
BONES = [f"bone_{number:02}" for number in range(51)]


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


def add_face_bones(name: str = "Rig") -> bpy.types.Object:
    """An armature of the bones side by side, which turn by quaternions."""
    rig = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for place, bone in enumerate(BONES):
        edited = rig.data.edit_bones.new(bone)
        edited.head, edited.tail = (place, 0, 0), (place, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def mapping_content() -> dict[str, Any]:
    """Content of a mapping file: each key moves by one action unit."""
    channels: dict[str, list[dict[str, str]]] = {}
    for number, key in enumerate(KEYS):
        channels.setdefault(AU_NAMES[number % len(AU_NAMES)], []).append({"kind": "shape_key", "name": key})
    return _mapping("bench", {"shape_keys": KEYS}, channels)


def bones_mapping_content() -> dict[str, Any]:
    """Content of a mapping file: each action unit turns every fourth bone and shifts every eighth."""
    channels = {
        unit: [{"kind": "bone_rotation", "bone": bone, "axis": "x", "degrees": 5} for bone in BONES[number % 4 :: 4]]
        + [{"kind": "bone_location", "bone": bone, "axis": "z", "amount": 0.01} for bone in BONES[number % 8 :: 8]]
        for number, unit in enumerate(AU_NAMES)
    }
    return _mapping("bench_bones", {"bones": BONES}, channels)


def _mapping(identifier: str, fingerprint: dict[str, Any], channels: dict[str, Any]) -> dict[str, Any]:
    head = {"format_version": 1, "id": identifier, "name": identifier, "confidence": "experimental"}
    return {**head, "fingerprint": fingerprint, "channels": channels}


def action_units(frames: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (n,) in seconds and action units (n, 23), a sine each."""
    times = np.arange(frames) / FPS
    return times, 0.5 + 0.5 * np.sin(times[:, None] * np.arange(1, len(AU_NAMES) + 1))
