# SPDX-License-Identifier: MIT
"""The side panel on a take of 10,000 frames: drawing it, and following the timeline with the live preview on 52 keys.

Needs a Python that has ``bpy``. The panel draws into a layout that is never shown, as Blender's own windows do it
before they paint; painting is Blender's.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.take import Row, TakeWriter
from benchmarks._face import KEYS, action_units, add_face, empty_scene, mapping_content

FRAMES, MOMENTS = 10_000, 200
LIMIT_MS = 5.0
ADDON = "bl_ext.tree.bdfm_face_capture"
OPEN = (("take_panel", "draw_take"), ("values", "draw_values"))
CLOSED = (
    ("edit", "draw_edit"),
    ("edit", "draw_smoothing"),
    ("calibrate", "draw_calibrate"),
    ("curves", "draw_curves_panel"),
    ("presets", "draw_presets"),
)
"""Sub-panels that the artist opens."""


def main() -> None:
    """Print milliseconds of the processor: the median and the 95th percentile over 200 frames."""
    with tempfile.TemporaryDirectory() as folder:
        _enable(Path(folder))
        _load(Path(folder))
        print(f"Blender {bpy.app.version_string}, {FRAMES} frames, {len(KEYS)} shape keys")
        played, jumped = np.arange(1, FRAMES, 3)[:MOMENTS], np.random.default_rng(0).integers(1, FRAMES, MOMENTS)
        follow = _time("frame handlers, playing", _follow, played)
        _time("frame handlers, jumping", _follow, jumped)
        panel = _time("panel as it opens", lambda frame: _draw(frame, OPEN), played)
        _time("panel, all of it open", lambda frame: _draw(frame, OPEN + CLOSED), played)
        print(f"playing and panel: {follow + panel:.2f} ms, {(follow + panel) / LIMIT_MS:.2f} of the limit")
        sys.stdout.flush()
    os._exit(0)  # Blender's own clean-up hangs in 4.5 while classes are registered


def _enable(folder: Path) -> None:
    os.environ["BLENDER_USER_RESOURCES"] = str(folder / "user")
    (folder / "bdfm_face_capture").symlink_to(Path(__file__).parents[1] / "blender_addon", target_is_directory=True)
    repositories = bpy.context.preferences.extensions.repos
    repositories.new(name="Tree", module="tree", custom_directory=str(folder), remote_url="")
    bpy.ops.preferences.addon_enable(module=ADDON)
    (folder / "mappings").mkdir()
    (folder / "mappings" / "bench.json").write_text(json.dumps(mapping_content()))
    bpy.context.preferences.addons[ADDON].preferences.mappings_folder = str(folder / "mappings")


def _load(folder: Path) -> None:
    empty_scene()
    face = add_face()
    bpy.context.view_layer.update()
    face.select_set(True)
    times, units = action_units(FRAMES)
    with TakeWriter(folder / "take", {"settings": {"smoothing": {"method": "zero_phase"}}}) as writer:
        for number, time_ in enumerate(times):
            writer.append(Row(number, float(time_), 1.0, np.zeros(3), np.full(3, 100.0), units[number]))
    bpy.ops.bdfm.load_take(filepath=str(folder / "take.csv"))
    bpy.ops.bdfm.preview()


def _follow(frame: int) -> None:
    """What the add-on does when the frame changes, without Blender's own evaluation."""
    scene = bpy.context.scene
    scene.frame_current = frame
    for name in ("frame_change_pre", "frame_change_post"):
        for handler in getattr(bpy.app.handlers, name):
            if handler.__module__.startswith(ADDON):
                handler(scene, None)


def _draw(frame: int, parts: tuple[tuple[str, str], ...]) -> None:
    bpy.context.scene.frame_current = frame
    layout = bpy.context.window_manager.popmenu_begin__internal("benchmark").layout
    for module, function in parts:
        getattr(importlib.import_module(f"{ADDON}.ui.{module}"), function)(layout, bpy.context)


def _time(name: str, work: Callable[[int], None], frames: NDArray[np.int64]) -> float:
    """Print the times of some frames in milliseconds; the median is returned."""
    work(1)
    spent = []
    for frame in frames:
        start = time.process_time()
        work(int(frame))
        spent.append(1000 * (time.process_time() - start))
    median, high = np.percentile(spent, [50, 95])
    print(f"{name:24} {median:6.2f} ms, 95th percentile {high:6.2f} ms")
    return float(median)


if __name__ == "__main__":
    main()
