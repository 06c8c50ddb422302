# SPDX-License-Identifier: MIT
"""The sessions that ``run.py`` starts, each in an environment of its own with pinned packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
REPORTS = ROOT / ".bdfm" / "reports"
BLENDERS = {"4.2": "3.11", "4.5": "3.11", "5.0": "3.11", "5.2": "3.13"}
"""Blender's version, and the Python that its module is for."""
NEWEST = "5.2"
"""The Blender that is tested in the lane of the tests without one; they take as long as three others."""
RELEASE = "4.5"
"""The Blender in which the zip's content and the demo are tested; the zip is installed in each."""
PACKAGES = ("bdfm_infer", "bdfm_train", "blender_addon", "demo", "examples.characters", "benchmarks")
MODULES = ("run", "noxfile", "build_addon")
"""What mypy checks."""
TEST_LIMIT_S = 1500
"""Longest time for the tests of one session: some bpy versions hang when the interpreter ends."""
DISCARD = os.environ.get("BDFM_DISCARD_ENVIRONMENTS", "0") != "0"
"""Whether each session's environment (1 to 2 GB) is removed at its end, for a machine with a small disk."""

nox.options.envdir = str(ROOT / ".bdfm" / "nox")
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = True


def find_python(version: str) -> str | None:
    """A Python of that version: on PATH, by the Windows launcher, or among pyenv's versions."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [[f"python{version}"], ["py", f"-{version}"]]
    candidates += [[str(path)] for path in sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)]
    for candidate in candidates:
        if shutil.which(candidate[0]):
            asked = [*candidate, "-c", "import sys; print(sys.version_info[:2], sys.executable, sep='|')"]
            answer = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
            found, _, executable = answer.partition("|")
            if found == f"({version.replace('.', ', ')})":
                return executable
    return None


@contextmanager
def environment(session: nox.Session, requirements: str) -> Iterator[None]:
    """The session's environment with its pinned packages, which stays for the next time, or not (``DISCARD``)."""
    try:
        session.install("--quiet", "--disable-pip-version-check", "-r", str(ROOT / "requirements" / requirements))
        yield
    finally:
        if DISCARD:
            shutil.rmtree(Path(session.bin).parent, ignore_errors=True)


def run(session: nox.Session, arguments: Sequence[str], limit: float | None = None, folder: str | Path = ROOT) -> bool:
    """Run the environment's Python, the repository on its path. Returns whether it ended well, in ``limit`` seconds."""
    python = Path(session.bin) / ("python.exe" if os.name == "nt" else "python")
    try:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run([str(python), *arguments], cwd=folder, env=environment, timeout=limit, check=False)
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        session.log(f"Stopped after {limit} seconds: {' '.join(arguments)}")
        return False


def run_tests(session: nox.Session, folders: Sequence[str]) -> bool:
    """pytest with a report that ``run.py`` adds up."""
    report = REPORTS / f"{session.name}.xml"
    options = ["-q", f"--junitxml={report}", "-o", "junit_family=xunit2", *session.posargs]
    return run(session, ["-m", "pytest", *options, *folders], TEST_LIMIT_S)


@nox.session(tags=["lane-1"])
def python(session: nox.Session) -> None:
    """ruff, mypy, and all tests that need no Blender."""
    typed = [word for package in PACKAGES for word in ("-p", package)] + [w for m in MODULES for w in ("-m", m)]
    with environment(session, "test.txt"):
        steps = [
            run(session, ["-m", "ruff", "check", "."]),
            run(session, ["-m", "mypy", *typed]),
            run_tests(session, ["tests/infer", "tests/addon", "tests/train"]),
        ]
    if not all(steps):
        session.error("ruff, mypy or a test failed.")


def blender_session(version: str, python_version: str) -> None:
    """Add the session that runs tests/blender in one version of Blender."""
    interpreter = find_python(python_version)

    lane = "lane-1" if version == NEWEST else "lane-2"

    @nox.session(name=f"blender-{version}", python=interpreter or False, tags=[lane])
    def blender(session: nox.Session) -> None:
        if interpreter is None:
            session.skip(f"Blender {version} needs Python {python_version}, which is not on this machine.")
        release = "tests/release" if version == RELEASE else "tests/release/test_install.py"
        with environment(session, f"blender-{version}.txt"):
            passed = run_tests(session, ["tests/blender", release])
        if not passed:
            session.error("A test failed.")

    blender.__doc__ = f"The tests in Blender {version} (Python {python_version})."


for _version, _python in BLENDERS.items():
    blender_session(_version, _python)


@nox.session(default=False)
def window(session: nox.Session) -> None:
    """The add-on in a Blender with a window on a virtual screen: ``nox -s window -- --chroot FOLDER --python 3.14``."""
    arguments = [str(ROOT / "tests" / "window" / "drive.py"), *session.posargs]
    if not run(session, arguments, folder=session.invoked_from):
        session.error("The story in the window did not end well; failed.png shows where.")


@nox.session
def demo(session: nox.Session) -> None:
    """A clip's face on three characters in Blender 4.5: take, .blend files, contact sheet, video in out/."""
    with environment(session, "demo.txt"):
        done = run(session, ["-m", "demo", *session.posargs], folder=session.invoked_from)
    if not done:
        session.error("The demo did not end well.")


@nox.session
def figure5(session: nox.Session) -> None:
    """A clip on three characters of ours and on those of others in the folder BDFM_SOURCES, as one sheet in out/."""
    with environment(session, "demo.txt"):
        done = run(session, ["-m", "demo.figure5", *session.posargs], folder=session.invoked_from)
    if not done:
        session.error("A character is missing, or the sheet.")
