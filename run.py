# SPDX-License-Identifier: MIT
"""``python3 run.py demo [VIDEO]`` and ``python3 run.py test [SESSION ...]``: everything else is set up from here.

Needs Python 3.11 and nothing beside it. Makes ``.bdfm/venv`` with the runner (nox), which makes an environment for
each session of ``noxfile.py`` below ``.bdfm`` and runs it there.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
HOME = ROOT / ".bdfm"
VENV = HOME / "venv"
REPORTS = HOME / "reports"
REQUIREMENTS = ROOT / "requirements" / "runner.txt"
PYTHON = (3, 11)
DISCARD = "BDFM_DISCARD_ENVIRONMENTS"
"""Set to 1, each session's packages are removed at its end (noxfile.py)."""
LANES = ("lane-1", "lane-2")
"""Tags of the sessions that run after one another; those of different lanes run beside one another."""
ROOM_GB = {"demo": 2.0, "figure5": 2.0, "test": 10.0}
"""What the packages and results of each command take on the disk."""
DISCARDING_GB = 6.0
"""The same for the tests where packages are discarded."""
USAGE = """usage: python3 run.py demo [VIDEO or folder of images] [--out FOLDER]
       python3 run.py figure5 [VIDEO] [--out FOLDER]     (with characters of others, see docs/figure-5.md)
       python3 run.py test [SESSION ...]     (sessions: python3 run.py list)
On Windows: py -3.11 run.py ..."""
LIBRARIES = {
    "libEGL.so.1": "libegl1 libegl-mesa0 libgl1-mesa-dri",
    "libGL.so.1": "libgl1",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXfixes.so.3": "libxfixes3",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libgomp.so.1": "libgomp1",
}
"""What Blender loads from the system on Linux, and the Debian packages that bring it."""


def missing_packages() -> list[str]:
    """Debian packages that bring the libraries which this Linux lacks; empty elsewhere."""
    missing = []
    for library, packages in LIBRARIES.items() if sys.platform == "linux" else ():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing += packages.split()
    return missing


def check_machine() -> str | None:
    """What the user must do first, or None."""
    if sys.version_info[:2] != PYTHON:
        have, need = ".".join(map(str, sys.version_info[:2])), ".".join(map(str, PYTHON))
        line = f"py -{need} run.py" if os.name == "nt" else f"python{need} run.py"
        return f"This is Python {have}; Python {need} is needed (Blender exists for it). Run: {line} {sys.argv[1]}"
    if importlib.util.find_spec("ensurepip") is None:
        return "This Python cannot make virtual environments. Install them with: sudo apt-get install python3.11-venv"
    if missing := missing_packages():
        return (
            "Blender needs libraries that are not here. On Debian and Ubuntu install them with:\n"
            f"    sudo apt-get update && sudo apt-get install -y --no-install-recommends {' '.join(missing)}"
        )
    return None


def low_disk(command: str) -> str | None:
    """A warning where the disk has less room than a first run takes, or None."""
    free, room, advice = shutil.disk_usage(ROOT).free / 1e9, ROOM_GB.get(command, 0.0), ""
    if command == "test":
        if os.environ.get(DISCARD, "0") != "0":
            room = DISCARDING_GB
        else:
            advice = f" With {DISCARD}=1 about {DISCARDING_GB:.0f} GB are enough."
    return f"{free:.1f} GB are free here; a first run takes up to {room:.0f} GB.{advice}" if free < room else None


def runner() -> Path:
    """The runner's Python, in an environment that matches the requirements."""
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = VENV / REQUIREMENTS.name
    if not stamp.exists() or stamp.read_bytes() != REQUIREMENTS.read_bytes():
        print(f"Setting up {VENV.relative_to(ROOT)} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)], check=True)
        stamp.write_bytes(REQUIREMENTS.read_bytes())
    return python


def run_lanes(nox: Sequence[str], choices: Sequence[Sequence[str]]) -> int:
    """Run nox once for each choice of sessions, all at the same time. The first one's output comes as it is written,
    that of each other when all before it have ended. Returns the first exit status that is not 0."""
    runs = []
    for number, choice in enumerate(choices):
        command = [*nox, "--report", str(REPORTS / f"sessions-{number}.json"), *choice]
        output = (REPORTS / f"output-{number}.txt").open("w+", encoding="utf-8", errors="replace") if number else None
        runs.append((subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT if output else None), output))
    codes = []
    for process, output in runs:
        codes.append(process.wait())
        if output:
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout)
            output.close()
    return next((code for code in codes if code), 0)


def summary(reports: Iterable[Path]) -> str:
    """``N passed, N failed, N skipped``, over all sessions; a session that broke off or was left out counts as one."""
    passed = failed = skipped = 0
    for session in (s for path in reports for s in json.loads(path.read_text(encoding="utf-8"))["sessions"]):
        counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
        table = REPORTS / f"{session['name']}.xml"
        for suite in ElementTree.parse(table).iter("testsuite") if table.exists() else ():
            counts = {name: counts[name] + int(suite.get(name, 0)) for name in counts}
        bad = counts["failures"] + counts["errors"]
        passed += counts["tests"] - bad - counts["skipped"]
        failed += bad or session["result"] in ("failed", "aborted")
        skipped += counts["skipped"] + (session["result"] == "skipped")
    return f"{passed} passed, {failed} failed, {skipped} skipped"


def main() -> int:
    """Check the machine, set up the runner, hand over."""
    command, *rest = sys.argv[1:] or [""]
    if command not in ("demo", "figure5", "test", "list"):
        print(USAGE)
        return 2
    if problem := check_machine():
        print(problem, file=sys.stderr)
        return 1
    if warning := low_disk(command):
        print(warning, file=sys.stderr)
    nox = [str(runner()), "-m", "nox", "--noxfile", str(ROOT / "noxfile.py")]
    if command == "list":
        return subprocess.call([*nox, "--list"])
    if command in ("demo", "figure5"):
        return subprocess.call([*nox, "--session", command, "--", *rest])
    for old in REPORTS.glob("*"):
        old.unlink()
    REPORTS.mkdir(parents=True, exist_ok=True)
    code = run_lanes(nox, [["--session", *rest]] if rest else [["--tags", tag] for tag in LANES])
    print(summary(sorted(REPORTS.glob("sessions-*.json"))))
    return code


if __name__ == "__main__":
    sys.exit(main())
