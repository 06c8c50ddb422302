# SPDX-License-Identifier: MIT
"""An environment that holds ``bpy`` and what it asks for, nothing else, and runs without network."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sysconfig
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

NO_SOCKETS = """
import socket

def refuse(*_):
    raise OSError("no network in this test")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""


class BareBlender:
    """Blender as a module in an environment of its own, which borrows its packages from the one that runs the tests.

    Args:
        folder: for the environment.
    """

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=os.name != "nt")
        scripts = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = scripts / ("python.exe" if os.name == "nt" else "python")
        packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        for path in _files_of("bpy", set()):
            if not (packages / path.name).exists():
                (packages / path.name).symlink_to(path, target_is_directory=path.is_dir())
        (packages / "sitecustomize.py").write_text(NO_SOCKETS, encoding="utf-8")
        self.offline = ["unshare", "--map-root-user", "--net"]
        if shutil.which("unshare") is None or subprocess.run([*self.offline, "true"], check=False).returncode:
            self.offline = []

    def run(self, script: Path, arguments: Sequence[str | Path], user: Path) -> str:
        """Run a script, with ``user`` as Blender's folder for settings and extensions. Returns what it printed."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment["BLENDER_USER_RESOURCES"] = str(user)
        done = subprocess.run(
            [*self.offline, self.python, "-s", script, *arguments],
            cwd=user.parent,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def _files_of(distribution: str, seen: set[str]) -> Iterator[Path]:
    """What a distribution and those that it requires have in site-packages."""
    if distribution in seen:
        return
    seen.add(distribution)
    found = importlib.metadata.distribution(distribution)
    for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
        yield Path(str(found.locate_file(top)))
    for requirement in found.requires or ():
        if "extra ==" not in requirement:
            name = re.match(r"[\w.-]+", requirement)
            assert name is not None
            try:
                yield from _files_of(name[0].lower().replace("_", "-"), seen)
            except importlib.metadata.PackageNotFoundError:
                assert ";" in requirement, f"{distribution} lacks {requirement}"
