# SPDX-License-Identifier: MIT
"""What importing costs and what it brings along, in fresh processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def modules_after(statement: str) -> set[str]:
    """Top-level modules that a statement loads."""
    code = f"{statement}\nimport sys, json\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "module", ["take", "calibrate", "smooth", "parameters", "errors", "export", "table", "captured", "outputs", "png"]
)
def test_numpy_alone(module: str) -> None:
    loaded = modules_after(f"import bdfm_infer.{module}")
    assert not loaded & {"cv2", "onnxruntime", "PIL", "tqdm", "torch", "bpy", "scipy", "onnx"}


def test_whole_api_without_training_or_blender() -> None:
    loaded = modules_after("from bdfm_infer import *; import bdfm_infer.cli, bdfm_infer.worker")
    assert {"cv2", "onnxruntime", "PIL"} <= loaded
    assert not loaded & {"torch", "bpy", "scipy", "onnx", "numba", "bdfm_train", "blender_addon"}


def test_the_package_itself_loads_none_of_what_it_is_built_on() -> None:
    loaded = modules_after("import bdfm_infer")
    assert not loaded & {"numpy", "cv2", "onnxruntime", "PIL", "tqdm"}


def test_the_networks_report_to_nobody(tmp_path: Path) -> None:
    """ONNX Runtime would keep an identifier of the machine and a queue of events in the user's cache, and send them."""
    silencers = {"ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "CI", "GITHUB_ACTIONS"}
    environment = {name: value for name, value in os.environ.items() if name not in silencers}
    code = "from bdfm_infer import Predictor; Predictor(); from bdfm_infer.avatar import Avatar; Avatar()"
    places = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment | places, check=True, timeout=60)
    assert not list(tmp_path.rglob("*"))


def test_all_names_are_there() -> None:
    import bdfm_infer

    assert all(getattr(bdfm_infer, name) is not None for name in bdfm_infer.__all__)
    with pytest.raises(AttributeError):
        _ = bdfm_infer.nothing
