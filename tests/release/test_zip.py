# SPDX-License-Identifier: MIT
"""The extension's zips: what is in them, for whom, and that the same tree gives the same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from conftest import PYTHON, ROOT, build

import bdfm_infer

sys.path.insert(0, str(ROOT))

import build_addon

CONFIG = build_addon.read_config()
RELEASES = build_addon.releases(CONFIG)
PACKAGES = {"onnxruntime", "opencv_python_headless", "pillow", "tqdm"}


def names(wheels):
    return {Path(wheel).name.split("-")[0] for wheel in wheels}


def manifest_of(archive):
    with zipfile.ZipFile(archive) as bundle:
        return tomllib.loads(bundle.read("blender_manifest.toml").decode())


def files_in(folder):
    """Sizes of the files in a folder by their place in it, without what Python leaves behind."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def test_versions_agree():
    manifest = tomllib.loads((ROOT / "blender_addon" / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert manifest["version"] == bdfm_infer.__version__
    assert "wheels" not in manifest and "platforms" not in manifest


def test_the_zip_holds_what_the_manifest_names_and_nothing_else(archive, clone):
    manifest = manifest_of(archive)
    with zipfile.ZipFile(archive) as bundle:
        held = set(bundle.namelist())
        licences = {name: bundle.read(f"licences/{name}") for name in ("LICENSE", "NOTICE")}
    wheels = {name.removeprefix("./") for name in manifest["wheels"]}
    assert manifest["platforms"] == ["linux-x64"]
    assert wheels == {name for name in held if name.endswith(".whl")}
    assert names(wheels) == PACKAGES | {"bdfm_infer"}
    mappings = {f"rig_mappings/{name}" for name in files_in(clone / "rig_mappings")}
    ours = files_in(clone / "blender_addon").keys() | mappings | {f"licences/{name}" for name in licences}
    assert held == ours | wheels
    assert "LICENSE" in held and licences == {name: (clone / name).read_bytes() for name in licences}


def test_wheels_are_those_that_were_pinned(archive):
    pinned = build_addon.pinned_wheels(CONFIG, "linux-x64", PYTHON)
    with zipfile.ZipFile(archive) as bundle:
        found = {
            Path(name).name: hashlib.sha256(bundle.read(name)).hexdigest()
            for name in bundle.namelist()
            if name.endswith(".whl") and "bdfm_infer" not in name
        }
    assert found == pinned


def test_our_wheel_carries_its_weights_and_licence(archive, clone, tmp_path):
    with zipfile.ZipFile(archive) as bundle:
        wheel = bundle.extract(next(name for name in bundle.namelist() if "bdfm_infer" in name), tmp_path)
    with zipfile.ZipFile(wheel) as bundle:
        held = set(bundle.namelist())
    ours = {f"bdfm_infer/{name}" for name in files_in(clone / "bdfm_infer")}
    assert {name for name in held if ".dist-info/" not in name} == ours
    assert {Path(name).name for name in ours} >= {"face.onnx", "detector.onnx", "model.json"}
    assert [name for name in held if name.endswith("/LICENSE")]


def test_the_same_tree_gives_the_same_bytes(archive, clone, tmp_path):
    """In another folder, with other dates and other permissions; and a build leaves nothing behind in the tree."""
    before, again = files_in(clone), tmp_path / "another place"
    previous = os.umask(0o077)
    try:
        shutil.copytree(clone, again, copy_function=shutil.copyfile)
        rebuilt = build(again, tmp_path / "dist")
    finally:
        os.umask(previous)
    assert rebuilt.name == archive.name
    assert rebuilt.read_bytes() == archive.read_bytes()
    assert files_in(again) == before


def test_the_size_is_held(archive, tmp_path, monkeypatch):
    assert archive.stat().st_size <= CONFIG["size_limit_mb"] * 1e6 <= 110e6
    monkeypatch.setattr(build_addon, "fetch_wheels", lambda *_: None)
    monkeypatch.setattr(build_addon, "build_own_wheel", lambda *_: None)
    with pytest.raises(build_addon.BuildError, match="more than the 0 MB"):
        build_addon.build("linux-x64", PYTHON, tmp_path, CONFIG | {"size_limit_mb": 0})


def test_a_zip_that_cannot_be_built_or_is_not_valid_ends_the_build(tmp_path, monkeypatch, capsys):
    def fail(*_):
        subprocess.run([sys.executable, "-c", "raise SystemExit(3)"], check=True)

    command = ["--platform", "linux-x64", "--python", PYTHON, "--out", str(tmp_path)]
    monkeypatch.setattr(build_addon, "build_own_wheel", lambda *_: None)
    monkeypatch.setattr(build_addon, "fetch_wheels", fail)
    assert build_addon.main(command) == 1
    monkeypatch.setattr(build_addon, "fetch_wheels", lambda *_: None)
    monkeypatch.setattr(build_addon, "validate", fail)
    assert build_addon.main(command) == 1
    assert capsys.readouterr().err.count("exit status 3") == 2


@pytest.mark.parametrize("option", [["--platform", "linux-x64"], ["--python", PYTHON]])
def test_all_zips_and_one_of_them_is_refused(option, tmp_path, capsys):
    with pytest.raises(SystemExit):
        build_addon.main(["--all", *option, "--out", str(tmp_path / "dist")])
    assert "Leave out --platform and --python, or --all" in capsys.readouterr().err
    assert not (tmp_path / "dist").exists()


def test_a_zip_that_cannot_be_written_is_said_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build_addon, "build_own_wheel", lambda *_: None)
    monkeypatch.setattr(build_addon, "fetch_wheels", lambda *_: None)
    (tmp_path / "file").touch()
    assert build_addon.main(["--out", str(tmp_path / "file" / "dist")]) == 1
    assert "Name another folder with --out" in capsys.readouterr().err

    def full(_, target):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build_addon, "write_zip", full)
    assert build_addon.main(["--out", str(tmp_path / "dist")]) == 1
    assert "No space left on device. Free some space" in capsys.readouterr().err
    assert list((tmp_path / "dist").iterdir()) == []

    def missing(*_):
        raise FileNotFoundError(2, "No such file or directory", "rig_mappings")

    monkeypatch.setattr(build_addon, "copy_tree", missing)
    assert build_addon.main(["--out", str(tmp_path / "dist")]) == 1
    assert "'rig_mappings'" in capsys.readouterr().err


def test_an_older_python_is_told_so():
    code = "import runpy, sys; sys.modules['tomllib'] = None; runpy.run_path('build_addon.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Python 3.11 or later is needed" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_invalid_zip_is_refused_by_blenders_own_tool(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as bundle:
        bundle.writestr("blender_manifest.toml", 'schema_version = "1.0.0"\nid = "a b"\n')
    with pytest.raises(subprocess.CalledProcessError):
        build_addon.validate(tmp_path / "bad.zip")


@pytest.mark.parametrize("platform, python", RELEASES)
def test_every_release_has_its_wheels(platform, python):
    pinned = build_addon.pinned_wheels(CONFIG, platform, python)
    assert names(pinned) == PACKAGES and len(pinned) == len(PACKAGES)
    assert all(len(digest) == 64 for digest in pinned.values())
    family = {"linux": "manylinux", "windows": "win_amd64", "macos": "macosx"}[platform.split("-")[0]]
    machine = {"arm64": "arm64", "x64": "x86_64" if family != "win_amd64" else "amd64"}[platform.split("-")[1]]
    compiled = [name for name in pinned if not name.endswith("-any.whl")]
    assert all(family in name and machine in name for name in compiled)


def test_one_zip_fits_each_blender():
    """4.2 to 5.0 take Python 3.11, later ones 3.13; Intel's Macs end before 5.0."""
    assert {platform for platform, _ in RELEASES} == {"linux-x64", "windows-x64", "macos-arm64", "macos-x64"}
    for platform in ("linux-x64", "windows-x64", "macos-arm64"):
        assert build_addon.blender_versions(CONFIG, platform, "3.11") == {
            "blender_version_min": "4.2.0", "blender_version_max": "5.1.0",
        }  # fmt: skip
        assert build_addon.blender_versions(CONFIG, platform, "3.13") == {"blender_version_min": "5.1.0"}
    assert [python for platform, python in RELEASES if platform == "macos-x64"] == ["3.11"]
    assert build_addon.blender_versions(CONFIG, "macos-x64", "3.11")["blender_version_max"] == "5.0.0"


@pytest.mark.parametrize("platform, python", [release for release in RELEASES if "macos" in release[0]])
def test_the_manifest_states_the_least_macos(platform, python, tmp_path, monkeypatch):
    monkeypatch.setattr(build_addon, "fetch_wheels", lambda *_: None)
    monkeypatch.setattr(build_addon, "build_own_wheel", lambda *_: None)
    manifest = manifest_of(build_addon.build(platform, python, tmp_path, CONFIG))
    assert manifest["tagline"].endswith(" (macOS 13+)") and len(manifest["tagline"]) <= 64
    assert manifest["platforms"] == [platform]
    assert build_addon.least_macos(
        ["a-1-cp311-cp311-macosx_11_0_arm64.whl", "b-1-cp37-abi3-macosx_13_5_arm64.whl"]
    ) == (" (macOS 13.5+)")
    assert build_addon.least_macos(["a-1-cp311-cp311-win_amd64.whl"]) == ""


def test_a_platform_without_wheels_is_refused(tmp_path):
    with pytest.raises(build_addon.BuildError, match=r"windows-x64 and Python 3\.14"):
        build_addon.build("windows-x64", "3.14", tmp_path, CONFIG)
