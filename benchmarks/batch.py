# SPDX-License-Identifier: MIT
"""A batch: 20 characters x 2,000 frames x 52 shape keys, against ``foreach_set`` of as many keys and nothing else.

Needs a Python that has ``bpy``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import bpy
import numpy as np

from bdfm_infer.parameters import AU_NAMES
from blender_addon.blender.bake import scene_time
from blender_addon.blender.bake_options import BakeOptions
from blender_addon.blender.batch import Job, run
from blender_addon.blender.rig import Character
from blender_addon.blender.rig_choice import Choice
from blender_addon.blender.versions import ActionSet
from blender_addon.core.mapping import Mapping
from blender_addon.core.matching import Fit
from blender_addon.core.performance import Performance

CHARACTERS, FRAMES, CHANNELS, REPEATS = 20, 2_000, 52, 3
KEYS = [f"key_{number:02}" for number in range(CHANNELS)]


def main() -> None:
    """Print seconds, best of three, and the ratio of the batch to the floor, both in this run."""
    performance, mapping = _performance(), _mapping()
    batch = min(_seconds(lambda faces: _batch(faces, performance, mapping)) for _ in range(REPEATS))
    floor = min(_seconds(_floor) for _ in range(REPEATS))
    print(f"Blender {bpy.app.version_string}, {CHARACTERS} characters x {FRAMES:,} frames x {CHANNELS} channels")
    print(f"batch      {batch:6.2f} s")
    print(f"keys alone {floor:6.2f} s")
    print(f"batch / keys alone = {batch / floor:.2f}")


def _seconds(work: Callable[[list[bpy.types.Object]], None]) -> float:
    faces = _faces()
    start = time.perf_counter()
    work(faces)
    return time.perf_counter() - start


def _batch(faces: list[bpy.types.Object], performance: Performance, mapping: Mapping) -> None:
    scene = bpy.context.scene
    jobs = [Job(face.name, face, lambda: performance) for face in faces]

    def choose(character: Character) -> Choice:
        return Choice(character, (Fit(mapping, 1.0),))

    outcomes = list(run(jobs, scene, choose, scene_time(scene, 1), BakeOptions()))
    assert all(each.report is not None and each.report.keys == FRAMES for each in outcomes)


def _floor(faces: list[bpy.types.Object]) -> None:
    points = np.column_stack([np.arange(1, FRAMES + 1), np.random.default_rng(0).random(FRAMES)]).astype(np.float32)
    for face in faces:
        actions = ActionSet(face.name)
        channels = actions.channels(face.data.shape_keys, face.name)
        for key in KEYS:
            curve = channels.fcurves.new(f'key_blocks["{key}"].value')
            curve.keyframe_points.add(FRAMES)
            curve.keyframe_points.foreach_set("co", points.ravel())
            curve.update()
        actions.assign()


def _faces() -> list[bpy.types.Object]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return [_face(f"Face {number:02}") for number in range(CHARACTERS)]


def _face(name: str) -> bpy.types.Object:
    data = bpy.data.meshes.new(name)
    data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    face = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(face)
    for key in ("Basis", *KEYS):
        face.shape_key_add(name=key)
    return face


def _performance() -> Performance:
    times = np.arange(FRAMES) / 24
    units = 0.5 + 0.5 * np.sin(times[:, None] * np.arange(1, len(AU_NAMES) + 1))
    return Performance("benchmark", times, np.concatenate([units, np.zeros((FRAMES, 3))], axis=1))


def _mapping() -> Mapping:
    channels: dict[str, list[dict[str, str]]] = {}
    for number, key in enumerate(KEYS):
        channels.setdefault(AU_NAMES[number % len(AU_NAMES)], []).append({"kind": "shape_key", "name": key})
    head = {"format_version": 1, "id": "bench", "name": "Benchmark", "confidence": "experimental"}
    return Mapping.from_dict({**head, "fingerprint": {"shape_keys": KEYS}, "channels": channels})


if __name__ == "__main__":
    main()
