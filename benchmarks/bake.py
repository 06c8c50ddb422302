# SPDX-License-Identifier: MIT
"""Take to keyframes: 10,000 frames x 52 channels baked, against ``keyframe_insert`` at as many frames.

``keyframe_insert`` goes curve by curve, so that one curve is timed and counted 52 times.

Needs a Python that has ``bpy``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import bpy
import numpy as np

from benchmarks._face import KEYS, action_units, add_face, empty_scene, mapping_content
from blender_addon.blender.bake import bake, scene_time
from blender_addon.blender.rig import characters_in
from blender_addon.core.mapping import Mapping
from blender_addon.core.performance import Performance

FRAMES, CHANNELS, REPEATS = 10_000, len(KEYS), 3


def main() -> None:
    """Print seconds (best of three for the bake) and the ratio."""
    times, units = action_units(FRAMES)
    performance = Performance("benchmark", times, np.concatenate([units, np.zeros((FRAMES, 3))], axis=1))
    mapping = Mapping.from_dict(mapping_content())
    baked = min(_seconds(lambda: _bake(performance, mapping)) for _ in range(REPEATS))
    inserted = _seconds(_insert)
    print(f"Blender {bpy.app.version_string}")
    print(f"bake             {FRAMES} frames x {CHANNELS} channels  {baked:8.2f} s")
    print(
        f"keyframe_insert  {FRAMES} frames x 1 channel    {inserted:8.2f} s, x {CHANNELS}: {CHANNELS * inserted:.0f} s"
    )
    print(f"The bake is {CHANNELS * inserted / baked:.0f} times faster.")


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _bake(performance: Performance, mapping: Mapping) -> None:
    empty_scene()
    (character,) = characters_in([add_face()], bpy.context.scene)
    report = bake(performance, character, mapping, scene_time(bpy.context.scene, 1))
    assert (report.keys, report.curves) == (FRAMES, CHANNELS)


def _insert() -> None:
    empty_scene()
    key = add_face().data.shape_keys.key_blocks[KEYS[0]]
    for frame in range(FRAMES):
        key.value = frame / FRAMES
        key.keyframe_insert("value", frame=frame)


if __name__ == "__main__":
    main()
