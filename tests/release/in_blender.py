# SPDX-License-Identifier: MIT
"""What ``test_install.py`` does in a bare Blender, each step in a process of its own. Prints one line of JSON.

python in_blender.py STEP ARGUMENTS
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import bpy

REPOSITORY = "user_default"
PACKAGE = "bdfm_face_capture"
ADDON = f"bl_ext.{REPOSITORY}.{PACKAGE}"


def install(archive: str) -> dict[str, Any]:
    """Install a zip, over an older one if there is one."""
    _install(archive)
    return _state()


def capture_and_bake(video: str, folder: str) -> dict[str, Any]:
    """Capture a video and bake it onto a face, with what was installed before."""
    _enable()
    settings = bpy.context.scene.bdfm
    settings.source, settings.take_folder = video, folder
    bpy.ops.bdfm.capture()
    face = _arkit_face()
    bpy.ops.bdfm.bake()
    return {"take": settings.take, "curves": sorted(_moved(face)), **_state()}


def keep_own() -> dict[str, Any]:
    """Save a mapping and a preset of the artist's own where the add-on keeps them."""
    _enable()
    folder = Path(_part("ui.preferences").own_folder(bpy.context))
    folder.mkdir(parents=True, exist_ok=True)
    text = (_package() / "rig_mappings" / "arkit.json").read_text(encoding="utf-8")
    path = folder / "own.json"
    path.write_text(text.replace('"id": "arkit"', '"id": "own"', 1), encoding="utf-8")
    preset = _part("core.presets").Preset("own", _part("core.cleaning").Cleaning())
    return {"own": [str(path), str(preset.save(_part("ui.cleaning").presets_folder()))], **_state()}


def update(archive: str) -> dict[str, Any]:
    """Install a zip while the older one is enabled and in use, as an artist does."""
    _enable()
    before = _state()["version"]
    _install(archive)
    return {"before": before, **_state()}


def remove() -> dict[str, Any]:
    """Remove the extension."""
    _enable()
    index = next(i for i, repo in enumerate(bpy.context.preferences.extensions.repos) if repo.module == REPOSITORY)
    bpy.ops.extensions.package_uninstall(repo_index=index, pkg_id=PACKAGE)
    return {"enabled": ADDON in bpy.context.preferences.addons}


def look() -> dict[str, Any]:
    """What a Blender without the extension can import."""
    return {"packages": _packages()}


def _install(archive: str) -> None:
    bpy.ops.extensions.package_install_files(filepath=archive, repo=REPOSITORY, enable_on_install=True)
    assert ADDON in bpy.context.preferences.addons, "Blender refused the zip"


def _enable() -> None:
    bpy.ops.preferences.addon_enable(module=ADDON)


def _part(name: str) -> Any:
    return sys.modules[f"{ADDON}.{name}"]


def _package() -> Path:
    return Path(sys.modules[ADDON].__file__ or "").parent


def _packages() -> list[str]:
    """Which of the packages that the zip brings can be imported."""
    return [name for name in ("bdfm_infer", "onnxruntime", "cv2", "PIL", "tqdm") if importlib.util.find_spec(name)]


def _state() -> dict[str, Any]:
    """What runs now."""
    from bdfm_infer.errors import BdfmError

    loaded = sys.modules["bdfm_infer"]
    return {
        "version": loaded.__version__,
        "own_wheel": loaded.__file__,
        "one_package": _part("ui.takes").BdfmError is BdfmError,
        "mappings": sorted(_part("ui.preferences").library(bpy.context).mappings),
        "packages": _packages(),
        "interfaces": [name for _, name in socket.if_nameindex()],
    }


def _arkit_face() -> bpy.types.Object:
    """A triangle with the shape keys that tell an ARKit face."""
    mapping = json.loads((_package() / "rig_mappings" / "arkit.json").read_text(encoding="utf-8"))
    data = bpy.data.meshes.new("Face")
    data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    face = bpy.data.objects.new("Face", data)
    bpy.context.scene.collection.objects.link(face)
    for key in ("Basis", *mapping["fingerprint"]["shape_keys"]):
        face.shape_key_add(name=key).value = 0
    bpy.context.view_layer.update()
    face.select_set(True)
    return face


def _moved(face: bpy.types.Object) -> set[str]:
    """Names of the shape keys whose value changes over the scene's first 100 frames."""
    seen: dict[str, set[float]] = {}
    for frame in range(100):
        bpy.context.scene.frame_set(frame)
        for key in face.data.shape_keys.key_blocks:
            seen.setdefault(key.name, set()).add(round(key.value, 3))
    return {name for name, values in seen.items() if len(values) > 1}


STEPS = {step.__name__: step for step in (install, capture_and_bake, keep_own, update, remove, look)}

if __name__ == "__main__":
    try:
        print("FACTS " + json.dumps(STEPS[sys.argv[1]](*sys.argv[2:])))
        code = 0
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
