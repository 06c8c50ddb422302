# SPDX-License-Identifier: MIT
"""Inside Blender: build a character, bake a take onto it, save it, render it at some moments.

    python -m demo.bake CHARACTER TAKE BLEND FOLDER SIDE ROW [ROW ...]

Runs in a process of its own, prints a JSON object a line: ``{"event": "baked", ...}`` and ``{"event": "picture"}``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import bpy

from bdfm_infer.errors import BdfmError
from bdfm_infer.take import Take
from blender_addon.blender.bake import bake, scene_time
from blender_addon.blender.library import load_library
from blender_addon.blender.rig import characters_in, read_rig
from blender_addon.core.performance import Performance

from .others import load, others

ROOT = Path(__file__).resolve().parents[1]
START = 1
"""Scene frame of the take's second 0."""


def run(character: str, table: Path, blend: Path, folder: Path, side: int, rows: list[int]) -> None:
    """Build, bake, save, render pictures of ``side`` pixels."""
    take = Take.read(table)
    objects = _build(character)
    scene = bpy.context.scene
    _set_rate(scene, take)
    target = max(characters_in(objects, scene), key=lambda each: sum(len(mesh.data.vertices) for mesh in each.meshes))
    (fit, *_) = load_library(ROOT / "examples/characters").choose(read_rig(target))
    performance = Performance.from_take(take.processed(), table.stem)
    report = bake(performance, target, fit.mapping, scene_time(scene, START))
    scene.frame_start, scene.frame_end = START, max(report.last, START + 1)
    scene.frame_set(START)
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), compress=True)
    _say(
        event="baked",
        mapping=report.mapping,
        curves=report.curves,
        keys=report.keys,
        missing=[missing.name for missing in report.missing],
        warnings=list(report.warnings),
    )
    scene.render.resolution_x = scene.render.resolution_y = side
    for row in rows:
        frame = START + take.timestamps[row] * scene.render.fps / scene.render.fps_base
        scene.frame_set(int(frame), subframe=frame % 1)
        scene.render.filepath = str(folder / f"{row:06}.png")
        bpy.ops.render.render(write_still=True)
        _say(event="picture")


def _build(character: str) -> list[bpy.types.Object]:
    """One of our own by the name of its module, or one made by others by its name in ``others.toml``."""
    if character in others():
        return load(others()[character])
    built: list[bpy.types.Object] = importlib.import_module(f"examples.characters.{character}").build()
    return built


def _set_rate(scene: bpy.types.Scene, take: Take) -> None:
    """The clip's own frame rate, so that each of its frames gets a key; 30 where it has none."""
    source: dict[str, Any] = take.facts.get("source", {})
    rate = 30.0 if source.get("variable") else float(source.get("fps") or 30.0)
    scene.render.fps = max(round(rate), 1)
    scene.render.fps_base = scene.render.fps / rate


def _say(**event: object) -> None:
    print(json.dumps(event), flush=True)


def main() -> int:
    """Run the command line; the exit code is 0 or that of an error."""
    parser = argparse.ArgumentParser("demo.bake")
    parser.add_argument("character")
    parser.add_argument("take", type=Path)
    parser.add_argument("blend", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("side", type=int)
    parser.add_argument("rows", type=int, nargs="*")
    options = parser.parse_args()
    try:
        run(options.character, options.take, options.blend, options.folder, options.side, options.rows)
    except BdfmError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # some bpy versions crash or hang when the interpreter ends
