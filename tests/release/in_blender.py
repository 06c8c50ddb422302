# SPDX-License-Identifier: MIT
"""Run in an empty Blender by ``test_zip.py``: install the zip, capture a video, bake it. Prints one line of JSON.

python install_and_bake.py ZIP VIDEO FOLDER
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import bpy

ADDON = "bl_ext.user_default.bdfm_face_capture"


def main(archive: str, video: str, folder: str) -> dict[str, object]:
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    if ADDON not in bpy.context.preferences.addons:
        return {"installed": False}
    import bdfm_infer

    settings = bpy.context.scene.bdfm
    settings.source, settings.take_folder = video, folder
    error = ""
    try:
        bpy.ops.bdfm.capture()
    except RuntimeError as reported:
        error = str(reported)
    facts: dict[str, object] = {
        "installed": True,
        "own_wheel": bdfm_infer.__file__,
        "error": error,
        "take": settings.take,
    }
    if settings.take and not error:
        face = _arkit_face()
        bpy.ops.bdfm.bake()
        facts["curves"] = sorted(_moved(face))
    return facts


def _arkit_face() -> bpy.types.Object:
    """A triangle with the shape keys that tell an ARKit face."""
    names = json.loads(next(Path(_package()).glob("rig_mappings/arkit.json")).read_text(encoding="utf-8"))
    data = bpy.data.meshes.new("Face")
    data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    face = bpy.data.objects.new("Face", data)
    bpy.context.scene.collection.objects.link(face)
    for key in ("Basis", *names["fingerprint"]["shape_keys"]):
        face.shape_key_add(name=key).value = 0
    bpy.context.view_layer.update()
    face.select_set(True)
    return face


def _package() -> str:
    return os.path.dirname(sys.modules[ADDON].__file__ or "")  # noqa: PTH120


def _moved(face: bpy.types.Object) -> set[str]:
    """Names of the shape keys whose value changes over the scene's first 100 frames."""
    seen: dict[str, set[float]] = {}
    for frame in range(100):
        bpy.context.scene.frame_set(frame)
        for key in face.data.shape_keys.key_blocks:
            seen.setdefault(key.name, set()).add(round(key.value, 3))
    return {name for name, values in seen.items() if len(values) > 1}


if __name__ == "__main__":
    print("FACTS " + json.dumps(main(*sys.argv[1:])))
    sys.stdout.flush()
    os._exit(0)
