# SPDX-License-Identifier: MIT
"""Characters made by others: read from their files, with a camera in front of their faces."""

from __future__ import annotations

import json
import math
import os
import struct
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdfm_infer.errors import InputNotFoundError

if TYPE_CHECKING:
    import bpy

SOURCES = "BDFM_SOURCES"
"""Environment variable: the folder in which ``characters`` lies."""

CLAY = (0.55, 0.42, 0.35)
"""Linear RGB of a character whose pictures are not in its file."""


@dataclass(frozen=True, kw_only=True)
class Other:
    """One character, as ``others.toml`` describes it.

    Attributes:
        title: for people.
        file: below the folder ``characters``.
        focus: middle of the picture, metres.
        height: what the picture takes in, metres.
        facing: ``-Y`` or ``+Y``.
        texture: its colours are in its pictures, not in its materials.
    """

    title: str
    file: str
    focus: tuple[float, float, float]
    height: float
    facing: str
    texture: bool = False

    @property
    def path(self) -> Path:
        """Where it lies.

        Raises:
            InputNotFoundError: it does not.
        """
        path = Path(os.environ.get(SOURCES, "")) / "characters" / self.file
        if SOURCES not in os.environ or not path.is_file():
            raise InputNotFoundError(f"{path} is not there. Name the folder of the characters in {SOURCES}.")
        return path


def others() -> dict[str, Other]:
    """All of ``others.toml``, by name."""
    data = tomllib.loads(Path(__file__).with_name("others.toml").read_text(encoding="utf-8"))
    return {name: Other(**{**entry, "focus": tuple(entry["focus"])}) for name, entry in data.items()}


def load(other: Other) -> list[bpy.types.Object]:
    """Read a character into an empty file of Blender, with camera and light. Returns its objects."""
    import bpy

    from examples.characters import scene

    scene.start()
    path = other.path
    if path.suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        with tempfile.TemporaryDirectory() as folder:
            named = Path(folder) / f"{path.stem}.glb"
            named.write_bytes(name_targets(path.read_bytes()))
            bpy.ops.import_scene.gltf(filepath=str(named))
    for unused in [item for item in bpy.context.scene.objects if item.name.startswith("Icosphere")]:
        bpy.data.objects.remove(unused)  # the glTF importer's picture of a bone
    objects = list(bpy.context.scene.objects)
    scene.finish(other.focus, other.height)
    camera = bpy.context.scene.camera
    if other.facing == "+Y":
        camera.location.y = 2 * other.focus[1] - camera.location.y
        camera.rotation_euler.z += math.pi
    if other.texture:
        _light_textures(camera)
    else:
        shading = bpy.context.scene.display.shading
        shading.color_type, shading.single_color = "SINGLE", CLAY
    return objects


def _light_textures(camera: bpy.types.Object) -> None:
    """Cycles and a sun behind the camera: Workbench shows what should be transparent as black."""
    import bpy

    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 24, False
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 2.5, camera.rotation_euler
    sun.rotation_euler.x -= math.radians(25)
    scene.collection.objects.link(sun)


def name_targets(binary: bytes) -> bytes:
    """A VRM's names of shape keys, copied from its primitives to its meshes, where Blender's importer looks."""
    size = struct.unpack_from("<I", binary, 12)[0]
    facts: dict[str, Any] = json.loads(binary[20 : 20 + size])
    for mesh in facts["meshes"]:
        names = mesh["primitives"][0].get("extras", {}).get("targetNames")
        if names:
            mesh["extras"] = {"targetNames": names}
    text = json.dumps(facts).encode()
    text += b" " * (-len(text) % 4)
    rest = binary[20 + size :]
    head = struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A)
    return head + text + rest
