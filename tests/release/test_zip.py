# SPDX-License-Identifier: MIT
"""The extension's zip: what is in it, and that it installs into an empty Blender and runs there."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import bdfm_infer

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "examples" / "clip" / "sample.mp4"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """The zip for this Python."""
    out = tmp_path_factory.mktemp("dist")
    before = _tree()
    subprocess.run(
        [sys.executable, ROOT / "build_addon.py", "--platform", "linux-x64", "--python", PYTHON, "--out", out],
        check=True,
        timeout=300,
    )
    assert _tree() == before, "the build changed the tree"
    return next(out.glob("*.zip"))


def _tree():
    folders = ("bdfm_infer", "blender_addon", "rig_mappings")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    return {path: path.stat().st_size for path in files} | {path: 0 for path in ROOT.iterdir() if path.name != ".nox"}


def test_versions_agree():
    manifest = tomllib.loads((ROOT / "blender_addon" / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert manifest["version"] == bdfm_infer.__version__
    assert "wheels" not in manifest and "platforms" not in manifest


def test_the_zip_holds_what_the_manifest_names_and_nothing_else(archive):
    with zipfile.ZipFile(archive) as bundle:
        names = set(bundle.namelist())
        manifest = tomllib.loads(bundle.read("blender_manifest.toml").decode())
    wheels = {name.removeprefix("./") for name in manifest["wheels"]}
    assert manifest["platforms"] == ["linux-x64"]
    assert wheels == {name for name in names if name.endswith(".whl")}
    assert {wheel.split("/")[1].split("-")[0] for wheel in wheels} == {
        "bdfm_infer", "onnxruntime", "opencv_python_headless", "pillow", "tqdm",
    }  # fmt: skip
    code = {f"{path.relative_to(ROOT / 'blender_addon').as_posix()}" for path in (ROOT / "blender_addon").rglob("*.py")}
    mappings = {f"rig_mappings/{path.name}" for path in (ROOT / "rig_mappings").glob("*.json")}
    assert code | mappings <= names
    assert not [name for name in names if "bdfm_train" in name or "__pycache__" in name or "torch" in name]


def test_our_wheel_carries_its_weights(archive, tmp_path):
    with zipfile.ZipFile(archive) as bundle:
        wheel = bundle.extract(next(name for name in bundle.namelist() if "bdfm_infer" in name), tmp_path)
    with zipfile.ZipFile(wheel) as bundle:
        names = set(bundle.namelist())
    data = [path for path in (ROOT / "bdfm_infer").rglob("*") if path.suffix in (".py", ".onnx", ".json")]
    assert {path.relative_to(ROOT).as_posix() for path in data} <= names
    assert not [name for name in names if name.startswith("bdfm_train")]


@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="this Python has no bpy to install the zip into")
def test_it_installs_into_an_empty_blender_and_runs(archive, tmp_path):
    takes = tmp_path / "takes"
    takes.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["BLENDER_USER_RESOURCES"] = str(tmp_path / "blender")
    done = subprocess.run(
        [sys.executable, "-s", Path(__file__).with_name("install_and_bake.py"), archive, SAMPLE, takes],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout[done.stdout.index("FACTS ") + 6 :].splitlines()[0])
    assert facts["installed"], done.stdout + done.stderr
    assert Path(facts["own_wheel"]).is_relative_to(tmp_path / "blender")
    assert not facts["error"]
    assert Path(facts["take"]).parent == takes
    assert {"jawOpen", "mouthSmileLeft", "eyeBlinkLeft"} <= set(facts["curves"])
