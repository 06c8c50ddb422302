# SPDX-License-Identifier: MIT
"""How free Blender's window stays while a clip is captured: ticks of a timer, idle and capturing. Needs a display.

Blender's Python needs onnxruntime, OpenCV and Pillow; where it has none, name their folder in PYTHONPATH.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
TICK_S = 0.02
SETTLE_S = 10.0
"""Until all shaders are compiled."""

WINDOW = ("0", "0", "800", "600")
"""Small, so that drawing without a graphics card does not outweigh all else."""


def main() -> None:
    """Start Blender with this file as its script, and let it print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", help="video of a face; a long one, since its capture is measured and then cancelled")
    parser.add_argument("--blender", default="blender", help="Blender's program (default: the one on PATH)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each stretch (default 10)")
    options = parser.parse_args()
    inherited = os.environ.get("PYTHONPATH")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *([inherited] if inherited else [])])}
    script = ["--python-use-system-env", "--python", __file__, "--", str(Path(options.clip).resolve())]
    done = subprocess.run(
        [options.blender, "--factory-startup", "--window-geometry", *WINDOW, *script, str(options.seconds)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith(("idle", "capturing", "cancelled", "ERROR"))]
    print("\n".join(found) or f"Blender ended with {done.returncode} and no result")


class _Ticks:
    """Counts how often a timer of Blender's is called."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def __call__(self) -> float:
        self._times.append(time.perf_counter())
        return TICK_S

    def describe(self, seconds: float) -> str:
        """Ticks a second and gaps between them over the last seconds."""
        times = np.array([t for t in self._times if t > time.perf_counter() - seconds])
        gaps = np.diff(times) * 1000
        return (
            f"{len(times) / seconds:5.1f} ticks a second, gaps: median {np.median(gaps):.0f} ms, "
            f"95 % {np.percentile(gaps, 95):.0f} ms, longest {gaps.max():.0f} ms"
        )


def _measure(bpy: Any, clip: str, seconds: float, folder: str) -> Iterator[float]:
    ticks = _Ticks()
    bpy.app.timers.register(ticks)
    settings, state = bpy.context.scene.bdfm, bpy.context.window_manager.bdfm_capture
    settings.source, settings.take_folder = clip, folder
    _show_tab(bpy)
    yield SETTLE_S
    yield seconds
    print("idle     ", ticks.describe(seconds), flush=True)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.bdfm.capture("INVOKE_DEFAULT")
    while state.running and state.factor == 0:
        yield TICK_S
    yield seconds
    print("capturing", ticks.describe(seconds), f"({state.text})", flush=True)
    asked = time.perf_counter()
    bpy.ops.bdfm.cancel_capture()
    while state.running:
        yield TICK_S
    print(f"cancelled after {time.perf_counter() - asked:.2f} s", flush=True)


def _show_tab(bpy: Any) -> None:
    """The panel is drawn as well: that is what an artist looks at."""
    for area in bpy.context.window_manager.windows[0].screen.areas:
        if area.type == "VIEW_3D":
            area.spaces[0].show_region_ui = True


def _in_blender(clip: str, seconds: float) -> None:
    """Run :func:`_measure` from a timer of Blender's, then leave."""
    import bpy

    scratch = tempfile.mkdtemp()
    repository = Path(scratch) / "repository"
    repository.mkdir()
    (repository / "bdfm_face_capture").symlink_to(ROOT / "blender_addon", target_is_directory=True)
    bpy.context.preferences.view.show_splash = False
    bpy.context.preferences.extensions.repos.new(
        name="Tree", module="tree", custom_directory=str(repository), remote_url=""
    )
    bpy.ops.preferences.addon_enable(module="bl_ext.tree.bdfm_face_capture")
    steps: Iterator[float] | None = None

    def go_on() -> float:
        nonlocal steps
        try:
            steps = steps or _measure(bpy, clip, seconds, scratch)
            return next(steps)
        except StopIteration:
            pass
        except Exception as error:
            traceback.print_exc()
            print(f"ERROR {error}", flush=True)
        os._exit(0)

    bpy.app.timers.register(go_on, first_interval=1.0)


if __name__ == "__main__":
    _in_blender(sys.argv[-2], float(sys.argv[-1]))
