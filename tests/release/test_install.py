# SPDX-License-Identifier: MIT
"""The zip in an empty Blender that has nothing else and no network: it runs, is updated, and is removed."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest
from bare import BareBlender
from conftest import ROOT, build

import bdfm_infer

SAMPLE = ROOT / "examples" / "clip" / "sample.mp4"
SCRIPT = Path(__file__).with_name("in_blender.py")
OLD_VERSION = "0.0.1"
TRACES = re.compile("bdfm|onnxruntime|cv2|opencv|PIL|pillow|tqdm")

if importlib.util.find_spec("bpy") is None:
    pytest.skip("this Python has no bpy to install the zip into", allow_module_level=True)


@pytest.fixture(scope="module")
def blender(tmp_path_factory):
    return BareBlender(tmp_path_factory.mktemp("bare"))


@pytest.fixture
def step(blender, tmp_path):
    """Takes one step in a Blender whose folder for settings is empty at first."""

    def take(name, *arguments):
        printed = blender.run(SCRIPT, [name, *arguments], tmp_path / "blender")
        return json.loads(printed[printed.index("FACTS ") + 6 :].splitlines()[0])

    return take


@pytest.fixture(scope="module")
def older_archive(clone, tmp_path_factory):
    """The same zip as an older version."""
    tree = tmp_path_factory.mktemp("older") / "tree"
    shutil.copytree(clone, tree)
    for name, pattern in (
        ("bdfm_infer/__init__.py", r'__version__ = "[\d.]+"'),
        ("blender_addon/blender_manifest.toml", r'(?m)^version = "[\d.]+"'),
    ):
        text = (tree / name).read_text(encoding="utf-8")
        line = re.search(pattern, text)[0]
        (tree / name).write_text(
            text.replace(line, f'{line.split(" = ")[0]} = "{OLD_VERSION}"', 1), encoding="utf-8", newline="\n"
        )
    (tree / "blender_addon" / "core" / "gone.py").write_text("", encoding="utf-8")
    return build(tree, tmp_path_factory.mktemp("dist-older"))


def test_it_captures_and_bakes_with_nothing_else_and_no_network(archive, blender, step, tmp_path):
    takes = tmp_path / "takes"
    takes.mkdir()
    assert step("look") == {"packages": []}
    assert step("install", archive)["packages"] == ["bdfm_infer", "onnxruntime", "cv2", "PIL", "tqdm"]
    done = step("capture_and_bake", SAMPLE, takes)
    assert done["version"] == bdfm_infer.__version__
    assert Path(done["own_wheel"]).is_relative_to(tmp_path / "blender")
    assert Path(done["take"]).parent == takes
    assert {"jawOpen", "mouthSmileLeft", "eyeBlinkLeft"} <= set(done["curves"])
    assert not blender.offline or done["interfaces"] == ["lo"]


def test_update_and_removal_leave_what_is_the_artists(archive, older_archive, step, tmp_path):
    user = tmp_path / "blender"
    step("install", older_archive)
    assert list(user.rglob("gone.py"))
    kept = {Path(path): Path(path).read_bytes() for path in step("keep_own")["own"]}
    assert len(kept) == 2

    updated = step("update", archive)
    assert updated["before"] == OLD_VERSION
    assert updated["version"] == bdfm_infer.__version__, "the older package is still in memory"
    assert updated["one_package"] and "own" in updated["mappings"]
    assert not list(user.rglob("gone.py")) and not list(user.rglob(f"*{OLD_VERSION}*"))

    assert step("remove") == {"enabled": False}
    assert step("look") == {"packages": []}
    left = {path for path in user.rglob("*") if path.is_file() and TRACES.search(path.relative_to(user).as_posix())}
    assert {path: path.read_bytes() for path in left} == kept
