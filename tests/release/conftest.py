# SPDX-License-Identifier: MIT
"""The zip for this Python, built once, from a copy of the tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def build(tree: Path, out: Path) -> Path:
    """Build the zip for this Python out of a tree."""
    command = [sys.executable, "build_addon.py", "--platform", "linux-x64", "--python", PYTHON, "--out", out]
    subprocess.run(command, cwd=tree, check=True, timeout=300)
    return next(out.glob("*.zip"))


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone would hold once the changes in the working tree are committed."""
    folder = tmp_path_factory.mktemp("clone")
    listed = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def archive(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip for this Python, with the names and content that a clone would give it."""
    return build(clone, tmp_path_factory.mktemp("dist"))
