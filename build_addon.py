# SPDX-License-Identifier: MIT
"""Build the extension's zip for one platform and one Python: ``python build_addon.py --platform linux-x64``.

The zip holds ``blender_addon``, ``rig_mappings``, the licences, our own ``bdfm_infer`` wheel built from this tree with
its weights, and the wheels that ``build_addon.toml`` pins by hash. Only the manifest inside the zip names wheels and
platform; the tree stays as it is. The same tree gives the same bytes, whoever builds it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

try:
    import tomllib
except ModuleNotFoundError:
    sys.exit("This is Python {}.{}; Python 3.11 or later is needed to build.".format(*sys.version_info[:2]))

ROOT = Path(__file__).resolve().parent
ADDON = ROOT / "blender_addon"
LEFT_OUT = ("__pycache__", "*.pyc")
PLATFORM, PYTHON = "linux-x64", "3.11"
"""What is built unless the command line says otherwise."""
ZIP_DATE = (2026, 1, 1, 0, 0, 0)

Config = dict[str, Any]
"""The content of ``build_addon.toml``."""


class BuildError(Exception):
    """The zip cannot be built as it should be; the message says why."""


def read_config() -> Config:
    """``build_addon.toml``."""
    return tomllib.loads((ROOT / "build_addon.toml").read_text(encoding="utf-8"))


def releases(config: Config) -> list[tuple[str, str]]:
    """Every pair of platform and Blender's Python that a zip is released for."""
    return [(platform, python) for python, facts in config["python"].items() for platform in facts["platforms"]]


def build(platform: str, python: str, out: Path, config: Config, versions: dict[str, str] | None = None) -> Path:
    """Write the zip and return its path.

    Args:
        platform: such as ``linux-x64``, a table of ``[wheels]``.
        python: Blender's Python, such as ``3.11``.
        out: folder for the zip.
        config: the content of ``build_addon.toml``.
        versions: ``blender_version_min`` and ``_max`` in place of the release's.

    Raises:
        BuildError: no wheels are pinned for that pair, the zip cannot be written or is over the limit.
        OSError: a part of the tree is missing.
        subprocess.CalledProcessError: pip cannot build or fetch a wheel; it has said why.
    """
    pinned = pinned_wheels(config, platform, python)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(f"{out} cannot be made: {error.strerror}. Name another folder with --out.") from error
    with tempfile.TemporaryDirectory() as scratch:
        package = Path(scratch) / "package"
        copy_tree(ADDON, package)
        copy_tree(ROOT / "rig_mappings", package / "rig_mappings")
        (package / "licences").mkdir()
        for name in ("LICENSE", "NOTICE"):
            shutil.copy(ROOT / name, package / "licences")
        wheels = package / "wheels"
        wheels.mkdir()
        build_own_wheel(wheels, Path(scratch), config["setuptools"])
        fetch_wheels(wheels, Path(scratch), pinned, python)
        manifest = package / "blender_manifest.toml"
        facts = tomllib.loads(manifest.read_text(encoding="utf-8"))
        values = {
            "tagline": facts["tagline"] + least_macos(pinned),
            **(versions or blender_versions(config, platform, python)),
            "platforms": [platform],
            "wheels": sorted(f"./wheels/{path.name}" for path in wheels.iterdir()),
        }
        text = fill_manifest(manifest.read_text(encoding="utf-8"), values)
        manifest.write_text(text, encoding="utf-8", newline="\n")
        target = out / f"{facts['id']}-{facts['version']}-{platform.replace('-', '_')}-py{python.replace('.', '')}.zip"
        try:
            write_zip(package, target)
        except OSError as error:
            target.unlink(missing_ok=True)
            raise BuildError(
                f"{target} cannot be written: {error.strerror}. Free some space, or name another folder with --out."
            ) from error
    size, limit = target.stat().st_size / 1e6, config["size_limit_mb"]
    if size > limit:
        raise BuildError(f"{target} has {size:.1f} MB, more than the {limit} MB that build_addon.toml allows.")
    return target


def pinned_wheels(config: Config, platform: str, python: str) -> dict[str, str]:
    """File name and SHA-256 of the wheels for one platform and one Python.

    Raises:
        BuildError: there is none that is made for that Python.
    """
    tag = f"cp{python.replace('.', '')}"
    pinned: dict[str, str] = config["wheels"].get(platform, {})
    if not any(f"-{tag}-" in name for name in pinned):
        raise BuildError(f"build_addon.toml pins no wheels for {platform} and Python {python}.")
    return config["wheels"]["any"] | {
        name: digest for name, digest in pinned.items() if f"-{tag}-" in name or "-abi3-" in name
    }


def blender_versions(config: Config, platform: str, python: str) -> dict[str, str]:
    """``blender_version_min`` and, where there is one, ``blender_version_max`` (exclusive) of a release."""
    facts = config["python"][python] | config["platform"].get(platform, {})
    return {key: value for key, value in facts.items() if key.startswith("blender_version_")}


def least_macos(names: Iterable[str]) -> str:
    """The oldest macOS that all wheels load on, as the tagline states it; empty where none is for macOS."""
    found = [tuple(map(int, match)) for name in names for match in re.findall(r"macosx_(\d+)_(\d+)_", name)]
    if not found:
        return ""
    major, minor = max(found)
    return f" (macOS {major}{f'.{minor}' if minor else ''}+)"


def build_own_wheel(wheels: Path, scratch: Path, setuptools: str) -> None:
    """Build ``bdfm_infer`` in a copy, since a build leaves its traces beside the source."""
    source, built, content = scratch / "source", scratch / "built", scratch / "content"
    copy_tree(ROOT / "bdfm_infer", source / "bdfm_infer")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    constraint = scratch / "constraint.txt"
    constraint.write_text(f"setuptools=={setuptools}\n", encoding="utf-8")
    pip("wheel", "--no-deps", "--wheel-dir", str(built), str(source), constraint=constraint)
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(content)
    write_zip(content, wheels / wheel.name)


def fetch_wheels(wheels: Path, scratch: Path, pinned: dict[str, str], python: str) -> None:
    """Download the pinned wheels, each checked by its hash."""
    lines = []
    tags = set()
    for name, digest in pinned.items():
        package, version, *_, tag = name.removesuffix(".whl").split("-")
        lines.append(f"{package}=={version} --hash=sha256:{digest}\n")
        tags.update(tag.split("."))
    requirements = scratch / "wheels.txt"
    requirements.write_text("".join(lines), encoding="utf-8")
    platforms = [argument for tag in sorted(tags - {"any"}) for argument in ("--platform", tag)]
    pip(
        "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--python-version", python, *platforms,
        "--dest", str(wheels), "-r", str(requirements),
    )  # fmt: skip


def pip(*arguments: str, constraint: Path | None = None) -> None:
    """Run this Python's pip, with pinned packages for the builds that it starts."""
    pins = {name: str(constraint) for name in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")} if constraint else {}
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *arguments]
    subprocess.run(command, check=True, env=os.environ | pins)


def fill_manifest(text: str, values: dict[str, Any]) -> str:
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


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder without what Python leaves in it."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*LEFT_OUT))


def write_zip(folder: Path, target: Path) -> None:
    """Zip a folder so that equal content gives an equal file: stored, since compressors differ between machines."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted((path for path in folder.rglob("*") if path.is_file()), key=Path.as_posix):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), ZIP_DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, path.read_bytes())


def validate(archive: Path) -> bool:
    """Have Blender's own tool check the zip: of this Python's ``bpy``, else of the Blender on the path.

    Returns:
        False where neither is there.

    Raises:
        subprocess.CalledProcessError: the zip is not valid; the tool has said why.
    """
    spec = importlib.util.find_spec("bpy")
    blender = shutil.which("blender")
    if spec is not None and spec.origin is not None:
        tool = next(Path(spec.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
        command = [sys.executable, str(tool), "validate", str(archive)]
    elif blender is not None:
        command = [blender, "--background", "--factory-startup", "--command", "extension", "validate", str(archive)]
    else:
        return False
    subprocess.run(command, check=True)
    return True


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    config = read_config()
    parser = argparse.ArgumentParser(description="Build the add-on's zip for one platform and one Python.")
    platforms = sorted(set(config["wheels"]) - {"any"})
    parser.add_argument("--platform", choices=platforms, help=f"default: {PLATFORM}")
    parser.add_argument("--python", choices=sorted(config["python"]), help=f"Blender's Python, default: {PYTHON}")
    parser.add_argument("--all", action="store_true", help="every zip of a release")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the zips")
    options = parser.parse_args(arguments)
    if options.all and (options.platform or options.python):
        parser.error("--all builds every zip. Leave out --platform and --python, or --all.")
    one = options.platform or PLATFORM, options.python or PYTHON
    for platform, python in releases(config) if options.all else [one]:
        try:
            archive = build(platform, python, options.out, config)
            checked = "checked by Blender's own tool" if validate(archive) else "not checked: no Blender is here"
        except (BuildError, OSError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{archive} ({archive.stat().st_size / 1e6:.1f} MB, {checked})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
