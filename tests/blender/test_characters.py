# SPDX-License-Identifier: MIT
"""Characters made by others: the mapping is found by their own names, and their faces move."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
import numpy as np
import pytest
from scenes import make_performance, mapping_data, mesh

from demo.others import name_targets

if "BDFM_SOURCES" not in os.environ:
    pytest.skip("BDFM_SOURCES names no folder with characters", allow_module_level=True)
CHARACTERS = Path(os.environ["BDFM_SOURCES"]) / "characters"
FILES = {
    "ict-facekit/ict-facekit-head.glb": "arkit",
    "rocketbox-female01-facial/Female_Adult_01_facial.fbx": "rocketbox_au",
    "rocketbox-male08-bones/Male_Adult_08.fbx": "rocketbox_bones",
    "makehuman-default/makehuman-default-assembled.glb": "mpfb_default",
    "vroid-vivi/sample-vivi.vrm": "vrm_vroid",
    "chubby-cat/chubby-cat.vrm": "vrm_presets",
    "froggy-visemes/froggy.vrm": "visemes",
}
MOUTH = ("AU12", "AU26", "eye_closed_left")
SHOWN = ("AU01", "AU04", "AU10", "AU14", *MOUTH)
HUMAN = ("arkit", "rocketbox_au", "rocketbox_bones", "mpfb_default")
UP = {"AU01": 1, "AU04": -1, "AU12": 1, "AU26": -1, "eye_closed_left": -1}
"""Which way the part that moves most goes."""


def load(path, tmp_path):
    if path.suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        binary = tmp_path / f"{path.stem}.glb"
        binary.write_bytes(name_targets(path.read_bytes()))
        bpy.ops.import_scene.gltf(filepath=str(binary))


def shape(character):
    """All vertices of a character as they stand in the scene, (n, 3), in units of its size."""
    graph = bpy.context.evaluated_depsgraph_get()
    parts = []
    for item in character.meshes:
        shown = item.evaluated_get(graph)
        points = np.empty(len(shown.data.vertices) * 3, np.float32)
        shown.data.vertices.foreach_get("co", points)
        turn = np.array(shown.matrix_world)
        parts.append(points.reshape(-1, 3) @ turn[:3, :3].T + turn[:3, 3])
    points = np.concatenate(parts)
    return points / np.ptp(points, axis=0).max()


@pytest.mark.parametrize("file", FILES)
def test_a_character_of_others_moves(part, tmp_path, file):
    load(CHARACTERS / file, tmp_path)
    characters = part("blender.rig").characters_in(bpy.context.scene.objects, bpy.context.scene)
    character = max(characters, key=lambda each: sum(len(item.data.vertices) for item in each.meshes))
    fit = part("blender.library").load_library().choose(part("blender.rig").read_rig(character))[0]
    assert fit.mapping.id == FILES[file]
    shown = [name for name in SHOWN if name in fit.mapping.channels]
    assert set(shown) >= set(MOUTH)
    frames = len(shown) + 1
    values = {name: np.arange(frames) == place for place, name in enumerate(shown, start=1)}
    module = part("blender.bake")
    time = module.scene_time(bpy.context.scene, 0)
    report = module.bake(make_performance(np.arange(frames) / time.rate, **values), character, fit.mapping, time)
    shapes = []
    for frame in range(frames):
        bpy.context.scene.frame_set(frame)
        shapes.append(shape(character))
    for name, moved in zip(shown, shapes[1:], strict=True):
        offset = moved - shapes[0]
        distance = np.linalg.norm(offset, axis=1)
        assert distance.max() > 5e-4, f"{name} moves nothing"
        assert (distance > 1e-4).mean() < 0.7, f"{name} moves everything"
        most = distance > distance.max() / 2
        if name not in MOUTH and fit.mapping.id in HUMAN:
            is_left = shapes[0][:, 0] > np.median(shapes[0][:, 0])
            left, right = (np.linalg.norm(distance[side]) for side in (is_left, ~is_left))
            assert right / left == pytest.approx(1, abs=0.25), f"{name} moves one side more"
        if name in UP and fit.mapping.id in HUMAN:
            assert offset[most, 2].mean() * UP[name] > 0, f"{name} moves the wrong way"
        if name == "eye_closed_left" and fit.mapping.id in HUMAN:
            assert (shapes[0][most, 0] > np.median(shapes[0][:, 0])).mean() > 0.9, "the character's own left is +X"
    assert report.keys == frames


@pytest.mark.parametrize("name", ['say "ah"', "back\\slash", "two\nlines", '"] = 1; import os; x["', "名前"])
def test_a_key_of_any_name_is_keyed_as_it_is(part, name):
    """Names out of a mapping become F-curve paths, where quotes and line breaks must not end the name."""
    item = mesh("Face", [name, "other"])
    data = mapping_data({"AU12": [{"kind": "shape_key", "name": name}]}, fingerprint={"shape_keys": [name]})
    mapping = part("core.mapping").Mapping.from_dict(data)
    (character,) = part("blender.rig").characters_in([item], bpy.context.scene)
    bake = part("blender.bake")
    time = bake.scene_time(bpy.context.scene, 1)
    bake.bake(make_performance([0, 1 / time.rate], AU12=[0.0, 0.5]), character, mapping, time)
    bpy.context.scene.frame_set(2)
    keys = item.data.shape_keys.key_blocks
    assert [keys[name].value, keys["other"].value] == [pytest.approx(0.5), 0.0]
