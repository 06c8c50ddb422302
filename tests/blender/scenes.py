# SPDX-License-Identifier: MIT
"""Small rigs and takes for the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from bdfm_infer.parameters import AU_NAMES, ROTATION
from bdfm_infer.rows import Row
from bdfm_infer.take import Take, TakeWriter
from blender_addon.core.performance import Performance


def mesh(name: str, keys: Sequence[str] = (), parent: bpy.types.Object | None = None) -> bpy.types.Object:
    """A triangle with shape keys, all at 0; each key lifts the triangle by 1."""
    data = bpy.data.meshes.new(name)
    data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    item = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(item)
    for key in ("Basis", *keys) if keys else ():
        block = item.shape_key_add(name=key)
        block.value = 0.0
        if key != "Basis":
            for point in block.data:
                point.co.z += 1
    item.parent = parent
    return item


def armature(name: str, bones: Mapping[str, str]) -> bpy.types.Object:
    """An armature with upright bones side by side, each with its rotation mode."""
    data = bpy.data.armatures.new(name)
    item = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(item)
    bpy.context.view_layer.objects.active = item
    bpy.ops.object.mode_set(mode="EDIT")
    for place, bone in enumerate(bones):
        edit_bone = data.edit_bones.new(bone)
        edit_bone.head, edit_bone.tail = (place, 0, 0), (place, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone, mode in bones.items():
        item.pose.bones[bone].rotation_mode = mode
    return item


def animate(face: bpy.types.Object, keys: Mapping[float, float], key: str = "smile") -> None:
    """Keyframes of an artist on a shape key: values by frame."""
    block = face.data.shape_keys.key_blocks[key]
    for frame, value in keys.items():
        block.value = value
        block.keyframe_insert("value", frame=frame)


def select(*items: bpy.types.Object) -> None:
    """Select these objects and no others."""
    bpy.context.view_layer.update()
    for item in bpy.context.view_layer.objects:
        item.select_set(item in items)
    bpy.context.view_layer.objects.active = items[0] if items else None


def make_rows(timestamps: ArrayLike, lost: Sequence[int] = (), **channels: ArrayLike) -> list[Row]:
    """Rows of a take: the named channels as given, all others 0; no face in the rows ``lost``."""
    times = np.asarray(timestamps, float)
    table = {name: np.broadcast_to(np.asarray(values, float), times.shape) for name, values in channels.items()}
    zero = np.zeros_like(times)
    units = np.column_stack([table.get(name, zero) for name in AU_NAMES])
    angles = np.column_stack([table.get(name, zero) for name in ROTATION])
    face = np.array([320.0, 240.0, 200.0])
    return [
        Row(number, float(time), 0.0) if number in lost
        else Row(number, float(time), 0.9, angles[number], face, units[number])
        for number, time in enumerate(times)
    ]  # fmt: skip


def make_performance(
    timestamps: ArrayLike, lost: Sequence[int] = (), name: str = "take", **channels: ArrayLike
) -> Performance:
    """A performance in memory, see :func:`make_rows`."""
    return Performance.from_take(Take.from_rows(make_rows(timestamps, lost, **channels)), name)


def pixels_of(icon: bpy.types.ImagePreview) -> NDArray[np.uint8]:
    """What an icon shows, (h, w, 3) RGB with the top line first."""
    width, height = icon.image_size
    pixels = np.empty(width * height, np.int32)
    icon.image_pixels.foreach_get(pixels)
    return pixels.view(np.uint8).reshape(height, width, 4)[::-1, :, :3]


def write_take(path: Path, timestamps: ArrayLike, lost: Sequence[int] = (), **channels: ArrayLike) -> Path:
    """A take on disk, see :func:`make_rows`. Returns its CSV file."""
    with TakeWriter(path, {"source": {"name": "clip.mp4"}}) as writer:
        for row in make_rows(timestamps, lost, **channels):
            writer.append(row)
    return writer.path


def mapping_data(channels: Mapping[str, list[dict[str, Any]]], **more: Any) -> dict[str, Any]:
    """The content of a mapping file whose fingerprint is the shape key ``smile``."""
    return {
        "format_version": 1,
        "id": "test",
        "name": "Test rig",
        "confidence": "experimental",
        "fingerprint": {"shape_keys": ["smile"]},
        "channels": channels,
    } | more
