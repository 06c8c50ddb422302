# SPDX-License-Identifier: MIT
"""Build the extension's zip for one platform and one Python: ``python build_addon.py --platform linux-x64``.

The zip holds ``blender_addon``, ``rig_mappings``, our own ``bdfm_infer`` wheel built from this tree, and the wheels
that ``build_addon.toml`` pins. Only the manifest inside the zip names wheels and platform; the tree stays as it is.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
ADDON = ROOT / "blender_addon"
MAPPINGS = ROOT / "rig_mappings"
LEFT_OUT = ("__pycache__", "*.pyc")
ZIP_DATE = (2026, 1, 1, 0, 0, 0)


def build(platform: str, python: str, out: Path, config: dict[str, Any]) -> Path:
    """Write the zip and return its path.

    Args:
        platform: one of the keys of ``[platforms]`` in ``build_addon.toml``.
        python: Blender's Python, such as ``3.11``.
        out: folder for the zip.
        config: the content of ``build_addon.toml``.

    Raises:
        subprocess.CalledProcessError: pip cannot build or fetch a wheel; it has said why.
    """
    with tempfile.TemporaryDirectory() as scratch:
        package = Path(scratch) / "package"
        shutil.copytree(ADDON, package, ignore=shutil.ignore_patterns(*LEFT_OUT))
        shutil.copytree(MAPPINGS, package / "rig_mappings", ignore=shutil.ignore_patterns(*LEFT_OUT))
        wheels = package / "wheels"
        wheels.mkdir()
        build_own_wheel(wheels, Path(scratch) / "source")
        fetch_wheels(wheels, config["wheels"], config["platforms"][platform], python)
        manifest = package / "blender_manifest.toml"
        names = sorted(f"./wheels/{path.name}" for path in wheels.iterdir())
        text = fill_manifest(
            manifest.read_text(encoding="utf-8"), {**config["python"][python], "platforms": [platform], "wheels": names}
        )
        manifest.write_text(text, encoding="utf-8", newline="\n")
        facts = tomllib.loads(text)
        out.mkdir(parents=True, exist_ok=True)
        target = out / f"{facts['id']}-{facts['version']}-{platform.replace('-', '_')}-py{python.replace('.', '')}.zip"
        write_zip(package, target)
    return target


def build_own_wheel(wheels: Path, scratch: Path) -> None:
    """Build ``bdfm_infer`` in a copy, since a build leaves its traces beside the source."""
    shutil.copytree(ROOT / "bdfm_infer", scratch / "bdfm_infer", ignore=shutil.ignore_patterns(*LEFT_OUT))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, scratch)
    pip("wheel", "--no-deps", "--wheel-dir", str(wheels), str(scratch))


def fetch_wheels(wheels: Path, pins: list[str], tags: list[str], python: str) -> None:
    """Download the pinned wheels for one platform and one Python."""
    platforms = [argument for tag in tags for argument in ("--platform", tag)]
    pip(
        "download", "--no-deps", "--only-binary=:all:", "--python-version", python, *platforms,
        "--dest", str(wheels), *pins,
    )  # fmt: skip


def pip(*arguments: str) -> None:
    """Run this Python's pip."""
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *arguments], check=True)


def fill_manifest(text: str, values: dict[str, str | list[str]]) -> str:
    """Set top-level keys of the manifest: replaced where they stand, else added ahead of the first table."""
    lines = text.splitlines()
    for key, value in values.items():
        written = f'"{value}"' if isinstance(value, str) else "[" + ", ".join(f'"{item}"' for item in value) + "]"
        first_table = next((i for i, line in enumerate(lines) if line.startswith("[")), len(lines))
        place = next((i for i, line in enumerate(lines[:first_table]) if line.split("=")[0].strip() == key), None)
        if place is None:
            lines.insert(first_table, f"{key} = {written}")
        else:
            lines[place] = f"{key} = {written}"
    return "\n".join(lines) + "\n"


def write_zip(folder: Path, target: Path) -> None:
    """Zip a folder so that equal content gives an equal file."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), ZIP_DATE)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if path.suffix == ".whl" else zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def validate(archive: Path) -> bool:
    """Have Blender's own tool check the zip. False where this Python has no ``bpy`` to lend it."""
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        return False
    tool = next(Path(spec.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    subprocess.run([sys.executable, str(tool), "validate", str(archive)], check=True)
    return True


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    config = tomllib.loads((ROOT / "build_addon.toml").read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description="Build the add-on's zip for one platform and one Python.")
    parser.add_argument("--platform", choices=sorted(config["platforms"]), default="linux-x64")
    parser.add_argument("--python", choices=sorted(config["python"]), default="3.11", help="Blender's Python")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the zip")
    options = parser.parse_args(arguments)
    archive = build(options.platform, options.python, options.out, config)
    checked = "checked by Blender's own tool" if validate(archive) else "not checked: this Python has no bpy"
    print(f"{archive} ({archive.stat().st_size / 1e6:.1f} MB, {checked})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
