# SPDX-License-Identifier: MIT
"""What the three characters share: an empty file, meshes, flat materials, a camera and the Workbench look."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import ArrayLike, NDArray

Point = tuple[float, float, float]
Bone = tuple[Point, Point, str | None]
"""Head, tail and parent."""
Colour = tuple[float, float, float]


def start() -> None:
    """An empty file."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def material(name: str, colour: Colour, shine: float = 0.2) -> bpy.types.Material:
    """A material of one colour (linear RGB) that looks the same in Workbench and in a render."""
    made = bpy.data.materials.new(name)
    made.diffuse_color = (*colour, 1)
    made.roughness = 1 - shine
    if made.node_tree is None:
        made.use_nodes = True
    shader = next(node for node in made.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1)
    shader.inputs["Roughness"].default_value = 1 - shine
    return made


def mesh_object(
    name: str,
    vertices: NDArray[np.floating],
    faces: Sequence[Sequence[int]],
    materials: Sequence[bpy.types.Material],
    face_materials: Sequence[int] | None = None,
    levels: int = 0,
) -> bpy.types.Object:
    """A smooth-shaded mesh in the scene; ``levels`` of subdivision."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(np.asarray(vertices).tolist(), [], [list(map(int, face)) for face in faces])
    for each in materials:
        mesh.materials.append(each)
    if face_materials is not None:
        mesh.polygons.foreach_set("material_index", np.asarray(face_materials, np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), bool))
    mesh.update()
    made = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(made)
    if levels:
        subdivision = made.modifiers.new("Subdivision", "SUBSURF")
        subdivision.levels = subdivision.render_levels = levels
    return made


def ball(polar: ArrayLike, around: int = 24) -> tuple[NDArray[np.float64], list[tuple[int, ...]]]:
    """A unit ball (or a cap of it) whose first pole points along -Y.

    Args:
        polar: angle of each ring from that pole, radians.
        around: points on a ring.

    Returns:
        Vertices (rings * around, 3) and quads that face outward, ring by ring.
    """
    turn = np.arange(around) * 2 * np.pi / around
    a = np.repeat(np.asarray(polar, float), around)
    b = np.tile(turn, len(a) // around)
    points = np.stack([np.sin(a) * np.cos(b), -np.cos(a), np.sin(a) * np.sin(b)], 1)
    quads: list[tuple[int, ...]] = [
        (i * around + j, (i + 1) * around + j, (i + 1) * around + (j + 1) % around, i * around + (j + 1) % around)
        for i in range(len(a) // around - 1)
        for j in range(around)
    ]
    return points, quads


def points_of(made: bpy.types.Object) -> NDArray[np.float64]:
    """The mesh's vertices at rest, (n, 3), metres."""
    points = np.empty(len(made.data.vertices) * 3, np.float32)
    made.data.vertices.foreach_get("co", points)
    return points.reshape(-1, 3).astype(float)


def armature(name: str, bones: Mapping[str, Bone]) -> bpy.types.Object:
    """An armature of the given bones, parents first."""
    made = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(made)
    bpy.context.view_layer.objects.active = made
    bpy.ops.object.mode_set(mode="EDIT")
    for bone, (start_at, end_at, parent) in bones.items():
        edit = made.data.edit_bones.new(bone)
        edit.head, edit.tail = start_at, end_at
        if parent:
            edit.parent = made.data.edit_bones[parent]
    bpy.ops.object.mode_set(mode="OBJECT")
    return made


def bind(made: bpy.types.Object, rig: bpy.types.Object, weights: Mapping[str, NDArray[np.floating]]) -> None:
    """Let the rig's bones move the mesh: one weight a vertex, (n,), for each bone."""
    for bone, weight in weights.items():
        group = made.vertex_groups.new(name=bone)
        for index in np.flatnonzero(weight > 1e-3):
            group.add([int(index)], float(weight[index]), "REPLACE")
    made.parent = rig
    modifier = made.modifiers.new("Armature", "ARMATURE")
    modifier.object = rig
    made.modifiers.move(len(made.modifiers) - 1, 0)


def finish(focus: Sequence[float], height: float) -> None:
    """Camera in front of the face, and how the scene looks in Workbench.

    Args:
        focus: the middle of the picture, metres.
        height: what the picture takes in, metres.
    """
    scene = bpy.context.scene
    lens = bpy.data.cameras.new("Camera")
    lens.lens, lens.sensor_width = 85, 36
    lens.clip_start, lens.clip_end = 0.01, 100
    camera = bpy.data.objects.new("Camera", lens)
    distance = height * lens.lens / lens.sensor_width
    camera.location = Vector(focus) + Vector((0, -distance, 0))
    camera.rotation_euler = (np.pi / 2, 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera

    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x = scene.render.resolution_y = 256
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"
    scene.display.render_aa = "8"
    shading = scene.display.shading
    shading.light, shading.color_type = "STUDIO", "MATERIAL"
    shading.show_cavity, shading.cavity_type = True, "WORLD"
    shading.show_specular_highlight = True
    world = bpy.data.worlds.new("World")
    world.color = (0.16, 0.19, 0.23)
    scene.world = world


def save(path: str | Path) -> None:
    """Write the file, packed small."""
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True)


def command_line(build: Callable[[], object]) -> None:
    """``python -m examples.characters.NAME OUT.blend``."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: python -m examples.characters.{Path(sys.argv[0]).stem} OUT.blend")
    build()
    save(Path(sys.argv[1]).resolve())
    print(f"{sys.argv[1]}: open it in Blender, or bake a take onto it", flush=True)
    os._exit(0)  # some bpy versions crash or hang when the interpreter ends
