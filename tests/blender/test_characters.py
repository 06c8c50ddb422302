# SPDX-License-Identifier: MIT
"""Characters made by others: the mapping is found by their own names, and their faces move."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import bpy
import numpy as np
import pytest
from scenes import make_performance

if "BDFM_SOURCES" not in os.environ:
    pytest.skip("BDFM_SOURCES names no folder with characters", allow_module_level=True)
CHARACTERS = Path(os.environ["BDFM_SOURCES"]) / "characters"
FILES = {
    "ict-facekit/ict-facekit-head.glb": "arkit",
    "rocketbox-female01-facial/Female_Adult_01_facial.fbx": "arkit",
    "vroid-vivi/sample-vivi.vrm": "vrm_vroid",
}
SHOWN = ("AU01", "AU04", "AU12", "AU26", "eye_closed_left")


def load(path, tmp_path):
    if path.suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        binary = tmp_path / f"{path.stem}.glb"
        binary.write_bytes(name_targets(path.read_bytes()))
        bpy.ops.import_scene.gltf(filepath=str(binary))


def name_targets(binary):
    """A VRM's names of shape keys, moved from its primitives to its meshes, where Blender's importer looks."""
    size = struct.unpack_from("<I", binary, 12)[0]
    facts = json.loads(binary[20 : 20 + size])
    for mesh in facts["meshes"]:
        names = mesh["primitives"][0].get("extras", {}).get("targetNames")
        if names:
            mesh["extras"] = {"targetNames": names}
    text = json.dumps(facts).encode()
    text += b" " * (-len(text) % 4)
    rest = binary[20 + size :]
    head = struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A)
    return head + text + rest


def shape(character):
    """All vertices of a character as they are shown, (n, 3), in units of its size."""
    graph = bpy.context.evaluated_depsgraph_get()
    parts = []
    for item in character.meshes:
        mesh = item.evaluated_get(graph).data
        points = np.empty(len(mesh.vertices) * 3, np.float32)
        mesh.vertices.foreach_get("co", points)
        parts.append(points.reshape(-1, 3))
    points = np.concatenate(parts)
    return points / np.ptp(points, axis=0).max()


@pytest.mark.parametrize("file", FILES)
def test_a_character_of_others_moves(part, tmp_path, file):
    load(CHARACTERS / file, tmp_path)
    characters = part("blender.rig").characters_in(bpy.context.scene.objects, bpy.context.scene)
    character = max(characters, key=lambda each: sum(len(item.data.vertices) for item in each.meshes))
    fit = part("blender.library").load_library().choose(part("blender.rig").read_rig(character))[0]
    assert fit.mapping.id == FILES[file]
    frames = len(SHOWN) + 1
    values = {name: np.arange(frames) == place for place, name in enumerate(SHOWN, start=1)}
    module = part("blender.bake")
    time = module.scene_time(bpy.context.scene, 0)
    report = module.bake(make_performance(np.arange(frames) / time.rate, **values), character, fit.mapping, time)
    shapes = []
    for frame in range(frames):
        bpy.context.scene.frame_set(frame)
        shapes.append(shape(character))
    for name, moved in zip(SHOWN, shapes[1:], strict=True):
        distance = np.linalg.norm(moved - shapes[0], axis=1)
        assert distance.max() > 1e-3, f"{name} moves nothing"
        assert (distance > 1e-4).mean() < 0.7, f"{name} moves everything"
    assert report.keys == frames
