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

from bdfm_infer.parameters import AU_NAMES
from bdfm_infer.take import Row, Take
from blender_addon.blender.bake import bake, scene_time
from blender_addon.blender.rig import characters_in
from blender_addon.core.mapping import Mapping
from blender_addon.core.performance import Performance

FRAMES, CHANNELS, REPEATS = 10_000, 52, 3
KEYS = [f"key_{number:02}" for number in range(CHANNELS)]


def main() -> None:
    """Print seconds (best of three for the bake) and the ratio."""
    take = _take()
    mapping = _mapping()
    baked = min(_seconds(lambda: _bake(take, mapping)) for _ in range(REPEATS))
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


def _take() -> Take:
    times = np.arange(FRAMES) / 24
    units = 0.5 + 0.5 * np.sin(times[:, None] * np.arange(1, len(AU_NAMES) + 1))
    nothing = np.zeros(3)
    return Take.from_rows([Row(n, float(t), 1.0, nothing, nothing, units[n]) for n, t in enumerate(times)])


def _mapping() -> Mapping:
    channels: dict[str, list[dict[str, str]]] = {}
    for number, key in enumerate(KEYS):
        channels.setdefault(AU_NAMES[number % len(AU_NAMES)], []).append({"kind": "shape_key", "name": key})
    head = {"format_version": 1, "id": "bench", "name": "Benchmark", "confidence": "experimental"}
    return Mapping.from_dict({**head, "fingerprint": {"shape_keys": KEYS}, "channels": channels})


def _face() -> bpy.types.Object:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    data = bpy.data.meshes.new("Face")
    data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    face = bpy.data.objects.new("Face", data)
    bpy.context.scene.collection.objects.link(face)
    for key in ("Basis", *KEYS):
        face.shape_key_add(name=key)
    return face


def _bake(take: Take, mapping: Mapping) -> None:
    face = _face()
    (character,) = characters_in([face], bpy.context.scene)
    performance = Performance.from_take(take, "benchmark")
    report = bake(performance, character, mapping, scene_time(bpy.context.scene, 1))
    assert (report.keys, report.curves) == (FRAMES, CHANNELS)


def _insert() -> None:
    key = _face().data.shape_keys.key_blocks[KEYS[0]]
    for frame in range(FRAMES):
        key.value = frame / FRAMES
        key.keyframe_insert("value", frame=frame)


if __name__ == "__main__":
    main()
