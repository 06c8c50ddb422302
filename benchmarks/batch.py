# SPDX-License-Identifier: MIT
"""A batch: 20 characters x 2,000 frames x 52 shape keys, against ``foreach_set`` of as many keys and nothing else.

Needs a Python that has ``bpy``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import bpy
import numpy as np

from benchmarks._face import KEYS, action_units, add_face, empty_scene, mapping_content
from blender_addon.blender.bake import scene_time
from blender_addon.blender.bake_options import BakeOptions
from blender_addon.blender.batch import Job, Outcome, run
from blender_addon.blender.rig import Character
from blender_addon.blender.rig_choice import Choice
from blender_addon.blender.versions import ActionSet
from blender_addon.core.mapping import Mapping
from blender_addon.core.matching import Fit
from blender_addon.core.performance import Performance

CHARACTERS, FRAMES, CHANNELS, REPEATS = 20, 2_000, len(KEYS), 3


def main() -> None:
    """Print seconds, best of three, and the ratio of the batch to the floor, both in this run."""
    times, units = action_units(FRAMES)
    performance = Performance("benchmark", times, np.concatenate([units, np.zeros((FRAMES, 3))], axis=1))
    mapping = Mapping.from_dict(mapping_content())
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

    steps = run(jobs, scene, choose, scene_time(scene, 1), BakeOptions())
    reports = [step.report for step in steps if isinstance(step, Outcome)]
    assert [report and report.keys for report in reports] == [FRAMES] * CHARACTERS


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
    empty_scene()
    return [add_face(f"Face {number:02}") for number in range(CHARACTERS)]


if __name__ == "__main__":
    main()
