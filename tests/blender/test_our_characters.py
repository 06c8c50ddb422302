# SPDX-License-Identifier: MIT
"""The three characters of the demo: the mapping is found, nothing is missing, and each action moves what it should."""

from __future__ import annotations

import importlib

import bpy
import numpy as np
import pytest
from conftest import ROOT
from scenes import make_performance

MAPPINGS = {"arkit_head": "arkit", "rigify_face": "rigify_legacy", "cartoon": "cartoon"}
ACTIONS = ("AU12", "AU15", "AU26", "AU01", "AU04", "eye_closed_left", "eye_closed_right", "jaw_left")
TURNS = ("yaw", "pitch", "roll")
DEGREES = 20.0


def pose(name, part):
    """By action or turn, what it does: (rest, moved), all vertices of the character, (n, 3), metres."""
    objects = importlib.import_module(f"examples.characters.{name}").build()
    scene = bpy.context.scene
    (character,) = part("blender.rig").characters_in(objects, scene)
    for mesh in character.meshes:
        for modifier in mesh.modifiers:
            modifier.show_viewport = modifier.type == "ARMATURE"
    rig = part("blender.rig").read_rig(character)
    (fit, *others) = part("blender.library").load_library(ROOT / "examples" / "characters").choose(rig)
    assert fit.mapping.id == MAPPINGS[name]
    assert not others
    frames = 1 + len(ACTIONS) + len(TURNS)
    values = {name: np.arange(frames) == place for place, name in enumerate(ACTIONS, start=1)}
    turns = {name: DEGREES * (np.arange(frames) == place) for place, name in enumerate(TURNS, start=1 + len(ACTIONS))}
    bake = part("blender.bake")
    time = bake.scene_time(scene, 0)
    report = bake.bake(make_performance(np.arange(frames) / time.rate, **values, **turns), character, fit.mapping, time)
    assert report.missing == ()
    shapes = []
    for frame in range(frames):
        scene.frame_set(frame)
        shapes.append(shape(character))
    return {name: (shapes[0], moved) for name, moved in zip((*ACTIONS, *TURNS), shapes[1:], strict=True)}


def shape(character):
    graph = bpy.context.evaluated_depsgraph_get()
    parts = []
    for item in character.meshes:
        mesh = item.evaluated_get(graph).data
        points = np.empty(len(mesh.vertices) * 3, np.float32)
        mesh.vertices.foreach_get("co", points)
        parts.append(points.reshape(-1, 3))
    return np.concatenate(parts)


def most_moved(rest, moved):
    """Places and offsets of the vertices that move at least half as far as the one that moves most."""
    offset = moved - rest
    length = np.linalg.norm(offset, axis=1)
    return rest[length > length.max() / 2], offset[length > length.max() / 2]


def check_face(posed):
    up = {name: most_moved(*posed[name])[1][:, 2].mean() for name in ("AU12", "AU15", "AU26", "AU01", "AU04")}
    assert up["AU12"] > 0.001 and up["AU01"] > 0.001
    assert up["AU15"] < -0.001 and up["AU04"] < -0.001
    assert up["AU26"] < -0.015, "a fully open jaw"
    assert most_moved(*posed["jaw_left"])[1][:, 0].mean() > 0.001, "the character's left is +X"
    for side, sign in (("left", 1), ("right", -1)):
        places, offset = most_moved(*posed[f"eye_closed_{side}"])
        assert (places[:, 0] * sign > 0).mean() > 0.8, f"the {side} eye alone (and what lies unseen within the head)"
        assert offset[:, 2].min() < -0.004, "the upper lid comes down"


def check_turns(posed):
    def tips(name, axis, end):
        rest, moved = posed[name]
        return (moved - rest)[rest[:, axis].argsort()[:: 1 if end == "low" else -1][:20]].mean(0)

    assert tips("yaw", 1, "low")[0] > 0.01, "yaw: the nose to the character's left"
    assert tips("pitch", 1, "low")[2] > 0.01, "pitch: the nose up"
    assert tips("roll", 2, "high")[0] > 0.01, "roll: clockwise as the camera sees it"


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_character_of_ours_moves_as_the_take_says(name, part):
    posed = pose(name, part)
    check_face(posed)
    check_turns(posed)


def baked(name, part, *frames):
    """A character of ours on which each frame from 0 shows these action units."""
    objects = importlib.import_module(f"examples.characters.{name}").build()
    scene = bpy.context.scene
    (character,) = part("blender.rig").characters_in(objects, scene)
    rig = part("blender.rig").read_rig(character)
    (fit,) = part("blender.library").load_library(ROOT / "examples" / "characters").choose(rig)
    bake = part("blender.bake")
    time = bake.scene_time(scene, 0)
    units = {unit: [frame.get(unit, 0.0) for frame in frames] for frame in frames for unit in frame}
    bake.bake(make_performance(np.arange(len(frames)) / time.rate, **units), character, fit.mapping, time)
    return character


def test_no_skin_of_the_cartoon_is_seen_within_its_laughing_mouth(part):
    """Its mouth is a disc on the face, which would come out of it where the corners go up and the jaw goes down."""
    character = baked("cartoon", part, {}, {"AU06": 0.6, "AU12": 0.8, "AU25": 0.6, "AU26": 0.4})
    bpy.context.scene.frame_set(1)
    graph = bpy.context.evaluated_depsgraph_get()
    rig = character.armature.evaluated_get(graph)
    upper, lower, left, right = (
        rig.matrix_world @ rig.pose.bones[name].head for name in ("lip_upper", "lip_lower", "corner.L", "corner.R")
    )
    across = (left - right) / 2
    for down in np.linspace(0.15, 0.85, 8):
        for aside in np.linspace(-0.4, 0.4, 5):
            place = upper.lerp(lower, down) + across * float(aside * (1 - down))
            hit, *_, seen, _ = bpy.context.scene.ray_cast(graph, (place.x, -1, place.z), (0, 1, 0))
            assert hit and seen.name in ("Mouth", "Lips"), (down, aside, seen)


def test_teeth_of_the_rigify_face_follow_the_jaw_and_not_the_chin(part):
    character = baked("rigify_face", part, {}, {"AU17": 1.0}, {"AU26": 1.0})
    (teeth,) = (item for item in character.meshes if item.name == "Teeth")
    rest, raised, opened = (teeth_at(frame, teeth) for frame in range(3))
    assert np.abs(raised - rest).max() < 1e-4
    assert (opened - rest)[:, 2].min() < -0.015


def teeth_at(frame, teeth):
    bpy.context.scene.frame_set(frame)
    mesh = teeth.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    points = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)
