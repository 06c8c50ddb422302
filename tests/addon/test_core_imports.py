# SPDX-License-Identifier: MIT
"""The core of the add-on needs numpy alone: no Blender, and of the inference package only what numpy can carry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = {"bpy", "torch", "cv2", "onnxruntime", "PIL", "tqdm", "scipy", "jsonschema"}


def test_the_core_imports_without_blender_and_without_the_network() -> None:
    modules = sorted(path.stem for path in (ROOT / "blender_addon" / "core").glob("*.py"))
    assert "mapping" in modules
    imports = "\n".join(f"import blender_addon.core.{name}" for name in modules if name != "__init__")
    script = f"{imports}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert not FORBIDDEN & set(run.stdout.split())
