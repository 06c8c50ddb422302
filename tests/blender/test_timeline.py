# SPDX-License-Identifier: MIT
"""Markers where the face was lost, and the clip's sound in the sequencer."""

from __future__ import annotations

import math
import struct
import wave

import bpy
import numpy as np
import pytest
from scenes import write_take

SOUND = bpy.app.version >= (4, 5, 0)
"""The module of Blender 4.2 is built without sound; there the button says so."""


@pytest.fixture
def take(tmp_path):
    """Fifty frames at 25 a second of ``clip.mp4``; no face in the frames 10 to 14, in 20, and at the end."""
    scene = bpy.context.scene
    scene.render.fps, scene.bdfm.start_frame = 25, 101
    path = write_take(tmp_path / "t.csv", np.arange(50) / 25, lost=[*range(10, 15), 20, 48, 49], AU12=0.5)
    bpy.ops.bdfm.load_take(filepath=str(path))
    return path


def markers():
    return sorted((marker.frame, marker.name) for marker in bpy.context.scene.timeline_markers)


def test_marks_where_the_face_is_lost_and_found(take):
    bpy.context.scene.timeline_markers.new("Face Lost", frame=7)
    for _ in range(2):
        bpy.ops.bdfm.add_markers()
        assert markers() == [
            (7, "Face Lost"),
            (111, "Face Lost: t"),
            (116, "Face Found: t"),
            (121, "Face Lost: t"),
            (122, "Face Found: t"),
            (149, "Face Lost: t"),
        ]
    bpy.ops.bdfm.remove_markers()
    assert markers() == [(7, "Face Lost")]


@pytest.mark.parametrize("name", ["a" * 60, "テイク" * 8, "x" + "é" * 40])
def test_marks_whose_names_blender_cuts_are_removed(tmp_path, name):
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / f"{name}.csv", np.arange(50) / 25, lost=[7, 20])))
    for _ in range(2):
        bpy.ops.bdfm.add_markers()
        assert len(markers()) == 4 and markers()[0][1] != f"Face Lost: {name}"
    bpy.ops.bdfm.remove_markers()
    assert not markers()


@pytest.mark.parametrize(("speed", "range_"), [(1.0, (101, 150)), (0.4, (101, 224)), (1.5, (101, 134))])
def test_the_scene_plays_the_take(take, speed, range_):
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end, scene.bdfm.bake.speed = 1, 50, speed
    bpy.ops.bdfm.fit_scene_range()
    assert (scene.frame_start, scene.frame_end) == range_


def test_one_undo_takes_the_marks_back(take):
    bpy.ops.ed.undo_push(message="start")
    bpy.ops.bdfm.add_markers()
    bpy.ops.ed.undo_push(message="marked")
    bpy.ops.ed.undo()
    assert not markers()


def write_sound(path, seconds=2.0):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        samples = (int(9000 * math.sin(i / 8)) for i in range(round(8000 * seconds)))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


def test_the_sound_begins_with_the_take_and_is_added_once(take, part):
    write_sound(take.with_name("clip.mp4"))
    if not SOUND:
        with pytest.raises(RuntimeError, match="cannot be added as sound"):
            bpy.ops.bdfm.add_sound()
        return
    versions = part("blender.versions")
    strips = versions.strips_of
    for _ in range(2):
        assert bpy.ops.bdfm.add_sound() == {"FINISHED"}
        assert [versions.strip_span(strip) for strip in strips(bpy.context.scene)] == [(101, 0, 50)]
    strips(bpy.context.scene)[0].frame_offset_start = 10  # trimmed by hand, in step all the same
    bpy.ops.bdfm.add_sound()
    assert [versions.strip_span(strip) for strip in strips(bpy.context.scene)] == [(111, 10, 40)]
    bpy.context.scene.bdfm.start_frame = 201
    with pytest.raises(RuntimeError, match="from frame 101, but Start Frame is 201"):
        bpy.ops.bdfm.add_sound()
    assert len(strips(bpy.context.scene)) == 1


def test_the_sequencer_shows_the_sound_or_the_report_says_where_it_is(take, part, capfd):
    """From 5.0 on the sequencer shows a scene of its own, or none."""
    if not SOUND:
        return
    write_sound(take.with_name("clip.mp4"))
    scene, workspace = bpy.context.scene, bpy.context.workspace
    has_own_scene = bpy.app.version >= (5, 0, 0)
    bpy.ops.bdfm.add_sound()
    assert f"added to {scene.name} from frame 101" in "".join(capfd.readouterr())
    assert not has_own_scene or workspace.sequencer_scene == scene
    if has_own_scene:
        workspace.sequencer_scene = bpy.data.scenes.new("Edit")
        bpy.ops.bdfm.add_sound()
        said = "".join(capfd.readouterr())
        assert "already, from frame 101" in said and f"shows Edit. Choose {scene.name} in its header" in said
        assert workspace.sequencer_scene.name == "Edit"


def test_a_clip_without_sound_leaves_nothing(take, part):
    take.with_name("clip.mp4").write_bytes(b"no sound")
    with pytest.raises(RuntimeError, match="has no sound" if SOUND else "cannot be added"):
        bpy.ops.bdfm.add_sound()
    assert not part("blender.versions").strips_of(bpy.context.scene)
    assert not bpy.data.sounds


def test_a_clip_that_is_gone_is_a_report(take):
    with pytest.raises(RuntimeError, match="clip of this take is not found"):
        bpy.ops.bdfm.add_sound()
