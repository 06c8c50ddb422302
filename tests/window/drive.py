# SPDX-License-Identifier: MIT
"""Drive the add-on in a Blender with a window, on a virtual screen, with simulated events, and keep screenshots.

python tests/window/drive.py --chroot FOLDER --python 3.14 --out docs/screenshots

Builds a zip for that Blender's Python, installs it, and lets ``story.py`` play the artist; then the take that was
captured is baked from the command line. Needs Xvfb and ImageMagick; with ``--chroot`` (see ``debian_blender.sh``; as
root) they are those of that folder.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

import build_addon  # noqa: E402

ANY_BLENDER = {"blender_version_min": "4.2.0", "blender_version_max": "6.0.0"}
SCREEN = (1280, 1000)
LIMIT_S = 1800
PREPARE = (
    "import sys; sys.path.insert(0, '.'); from examples.characters import arkit_head, scene; "
    "arkit_head.build(); scene.save('character.blend')"
)
BAKE = "{blender} -b character.blend --addons bl_ext.user_default.bdfm_face_capture --command bdfm {take}.csv -o {out}"
NONE_BAKED = 52
IS_BAKED = "import bpy; assert any(key.animation_data and key.animation_data.action for key in bpy.data.shape_keys)"
RUN = """
set -e
{blender} --background --factory-startup --python-expr "{prepare}" >prepare.log 2>&1 || (cat prepare.log; exit 1)
rm -f /tmp/.X{display}-lock /tmp/.X11-unix/X{display}
Xvfb :{display} -screen 0 {width}x{height}x24 +extension GLX -nolisten tcp >xvfb.log 2>&1 &
screen=$!
sleep 3
set +e
DISPLAY=:{display} LIBGL_ALWAYS_SOFTWARE=1 {blender} --factory-startup --enable-event-simulate \\
    --window-geometry 0 0 {width} {height} --python story.py
code=$?
kill $screen
exit $code
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0 where the story and the command line did what they should."""
    parser = argparse.ArgumentParser(description="Drive the add-on in a Blender with a window.")
    parser.add_argument("--chroot", type=Path, help="folder that holds a system with Blender")
    parser.add_argument("--blender", default="blender")
    parser.add_argument("--python", default="3.13", help="the Python of that Blender")
    parser.add_argument("--out", type=Path, default=ROOT / ".bdfm" / "window", help="folder for the screenshots")
    parser.add_argument("--display", type=int, default=77)
    options = parser.parse_args(arguments)
    top = options.chroot or Path("/")
    with tempfile.TemporaryDirectory(prefix="artist-", dir=top / ("home" if options.chroot else "tmp")) as folder:
        stage = Path(folder)
        for path in HERE.glob("*.py"):
            shutil.copy(path, stage)
        (stage / "tests" / "blender").mkdir(parents=True)
        shutil.copy(ROOT / "tests" / "blender" / "footage.py", stage / "tests" / "blender")
        shutil.copy(ROOT / "examples" / "clip" / "sample.mp4", stage)
        shutil.copytree(ROOT / "examples", stage / "examples", ignore=shutil.ignore_patterns("__pycache__"))
        archive = build_addon.build("linux-x64", options.python, stage, build_addon.read_config(), ANY_BLENDER)
        archive.rename(stage / "addon.zip")
        (stage / "pictures").mkdir()
        width, height = SCREEN
        script = RUN.format(
            display=options.display, width=width, height=height, blender=options.blender, prepare=PREPARE
        )
        (stage / "run.sh").write_text(script, encoding="utf-8")
        try:
            code = run(stage, options.chroot, "bash run.sh").returncode
            code = code or bake_without_window(stage, options.chroot, options.blender)
        except subprocess.TimeoutExpired:
            print(f"Stopped after {LIMIT_S} seconds.", file=sys.stderr)
            code = 1
        options.out.mkdir(parents=True, exist_ok=True)
        for picture in sorted((stage / "pictures").iterdir()):
            shutil.copyfile(picture, options.out / picture.name)
    return code


def run(stage: Path, chroot: Path | None, line: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a line in the stage, with a user of its own; ``options`` are those of ``subprocess.run``."""
    variables = environment(stage, chroot or Path("/"))
    return subprocess.run(command(stage, chroot, line), env=variables, timeout=LIMIT_S, text=True, **options)


def bake_without_window(stage: Path, chroot: Path | None, blender: str) -> int:
    """The command ``bdfm``: the story's take is baked into a new file, one that is missing is refused in one line.

    Returns 0 where it does so.
    """
    kept = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    baked = run(stage, chroot, BAKE.format(blender=blender, take="sample", out="baked.blend"), **kept)
    opened = run(stage, chroot, f'{blender} -b baked.blend --python-exit-code 1 --python-expr "{IS_BAKED}"', **kept)
    refused = run(stage, chroot, BAKE.format(blender=blender, take="missing", out="none.blend"), **kept)
    print(baked.stdout + refused.stdout)
    codes = [done.returncode for done in (baked, opened, refused)]
    reasons = [line for line in refused.stdout.splitlines() if line.startswith("bdfm: ")]
    is_told = len(reasons) == 1 and "Traceback" not in refused.stdout and not (stage / "none.blend").exists()
    is_right = codes == [0, 0, NONE_BAKED] and is_told
    print(f"COMMAND LINE: {'' if is_right else 'not '}as it should be", flush=True)
    return int(not is_right)


def command(stage: Path, chroot: Path | None, line: str) -> list[str]:
    """What runs a line in the stage, in process and mount namespaces of its own, so that nothing outlives it."""
    inside = Path("/") / stage.relative_to(chroot or "/")
    run = f"cd {inside} && {line}"
    if chroot is None:
        return ["bash", "-c", run]
    mount = f"mount -t proc proc {chroot}/proc && exec chroot {chroot} bash -c {shlex.quote(run)}"
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", mount]


def environment(stage: Path, top: Path) -> dict[str, str]:
    """The Blender's own folder for settings, empty at first."""
    inside = Path("/") / stage.relative_to(top)
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "DISPLAY")}
    return kept | {"BLENDER_USER_RESOURCES": str(inside / "user"), "HOME": str(inside), "STAGE": str(inside)}


if __name__ == "__main__":
    sys.exit(main())
