# SPDX-License-Identifier: MIT
"""The side panel on a take of 10,000 frames: drawing it, and following the timeline with the live preview.

The preview is on a face of 52 shape keys, then on one of 51 bones. The panel shows another frame of the clip each time.
It draws into a layout that is never shown, as Blender's own windows do it before they paint; painting is Blender's.
Needs a Python that has ``bpy``.
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

from bdfm_infer import png
from bdfm_infer.pictures import KEPT
from bdfm_infer.rows import Row
from bdfm_infer.take import TakeWriter
from benchmarks import _face

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
    played, jumped = np.arange(1, FRAMES, 3)[:MOMENTS], np.random.default_rng(0).integers(1, FRAMES, MOMENTS)
    with tempfile.TemporaryDirectory() as folder:
        _enable(Path(folder))
        _load(Path(folder))
        picture = _write_pictures(np.union1d(played, jumped))
        print(f"Blender {bpy.app.version_string}, {FRAMES} frames, {picture / 1000:.0f} KB a picture")
        spent: dict[str, float] = {}
        for character, name in ((_face.add_face, "52 keys"), (_face.add_face_bones, "51 bones")):
            _preview(character())
            for way, frames in (("playing", played), ("jumping", jumped)):
                spent[f"{name}, {way}"] = _time(f"handlers, {name}, {way}", _follow, frames)
        panel = {
            "playing": _time("panel as it opens, playing", lambda frame: _draw(frame, OPEN), played),
            "jumping": _time("panel as it opens, jumping", lambda frame: _draw(frame, OPEN), jumped),
        }
        _time("panel, all of it open", lambda frame: _draw(frame, OPEN + CLOSED), played)
        for name, handlers in spent.items():
            both = handlers + panel[name.split(", ")[1]]
            print(f"{name}, with the panel: {both:.2f} ms, {both / LIMIT_MS:.2f} of the limit")
        sys.stdout.flush()
    os._exit(0)  # Blender's own clean-up hangs in 4.5 while classes are registered


def _enable(folder: Path) -> None:
    os.environ["BLENDER_USER_RESOURCES"] = str(folder / "user")
    (folder / "bdfm_face_capture").symlink_to(Path(__file__).parents[1] / "blender_addon", target_is_directory=True)
    repositories = bpy.context.preferences.extensions.repos
    repositories.new(name="Tree", module="tree", custom_directory=str(folder), remote_url="")
    bpy.ops.preferences.addon_enable(module=ADDON)
    (folder / "mappings").mkdir()
    for content in (_face.mapping_content(), _face.bones_mapping_content()):
        (folder / "mappings" / f"{content['id']}.json").write_text(json.dumps(content))
    bpy.context.preferences.addons[ADDON].preferences.mappings_folder = str(folder / "mappings")


def _load(folder: Path) -> None:
    _face.empty_scene()
    times, units = _face.action_units(FRAMES)
    with TakeWriter(folder / "take", {"settings": {"smoothing": {"method": "zero_phase"}}}) as writer:
        for number, time_ in enumerate(times):
            writer.append(Row(number, float(time_), 1.0, np.zeros(3), np.full(3, 100.0), units[number]))
    bpy.ops.bdfm.load_take(filepath=str(folder / "take.csv"))


def _write_pictures(frames: NDArray[np.int64]) -> float:
    """Pictures of clip and avatar for frames of the scene: smooth, with grain. Returns the bytes that one takes."""
    part = importlib.import_module
    takes, pictures, values = (part(f"{ADDON}.ui.{name}") for name in ("takes", "pictures", "values"))
    loaded, grain, scene = takes.loaded_take(bpy.context.scene), np.random.default_rng(1), bpy.context.scene
    down, across, colour = np.ogrid[:128, :256, :3]
    folder, sizes = pictures.picture_folder(loaded), []
    folder.mkdir(parents=True)
    for frame in frames:
        scene.frame_current = frame
        light = 127 + 80 * np.sin(across / 19 + colour + frame) + 20 * np.cos(down / 7 + colour)
        image = (light + grain.normal(0, 2, light.shape)).astype(np.uint8) & np.uint8(KEPT)
        path = folder / f"{loaded.row_at(values.seconds_now(scene)):06d}.png"
        sizes.append(path.write_bytes(png.encode(image)))
    return float(np.mean(sizes))


def _preview(character: bpy.types.Object) -> None:
    """Show the take on this character alone."""
    part = importlib.import_module(f"{ADDON}.ui.preview")
    if part.is_running(bpy.context.scene):
        bpy.ops.bdfm.preview()
    bpy.context.view_layer.update()
    for item in bpy.context.scene.objects:
        item.select_set(item == character)
    bpy.ops.bdfm.preview()
    assert part.names() == [character.name]


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
    print(f"{name:28} {median:6.2f} ms, 95th percentile {high:6.2f} ms")
    return float(median)


if __name__ == "__main__":
    main()
