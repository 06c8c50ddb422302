# SPDX-License-Identifier: MIT
"""The live preview: it shows edits at once and leaves no trace, whatever ends it."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from scenes import armature, mapping_data, mesh, select, write_take

FPS = 24
TIMES = np.arange(48) / FPS


@pytest.fixture
def face(keep_mappings, tmp_path):
    """A character with a shape key, a bone and a custom property that a take moves; its values as a callable."""
    channels = {
        "AU12": [{"kind": "shape_key", "name": "smile"}],
        "AU26": [
            {"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 20},
            {"kind": "bone_location", "bone": "jaw", "axis": "z", "amount": -0.1},
        ],
        "AU04": [{"kind": "custom_property", "owner": "object", "name": "frown"}],
        "yaw": [{"kind": "bone_rotation", "bone": "head", "axis": "z", "degrees_per_degree": 1}],
    }
    keep_mappings(mapping_data(channels))
    rig = armature("Rig", {"jaw": "QUATERNION", "head": "XYZ"})
    item = mesh("Face", ["smile"], rig)
    rig["frown"] = 0.125
    item.data.shape_keys.key_blocks["smile"].value = 0.25
    rig.pose.bones["jaw"].location.z = 0.5
    rig.pose.bones["head"].rotation_euler.z = 0.75
    bpy.context.scene.render.fps = FPS
    path = write_take(tmp_path / "t.csv", TIMES, lost=[10], AU12=TIMES / 2, AU26=0.5, AU04=0.75, yaw=10)
    bpy.ops.bdfm.load_take(filepath=str(path))
    select(rig)
    return read


def read():
    """Everything that the take moves, as it stands in the file's data."""
    rig, keys = bpy.data.objects["Rig"], bpy.data.objects["Face"].data.shape_keys
    jaw, head = rig.pose.bones["jaw"], rig.pose.bones["head"]
    return [
        keys.key_blocks["smile"].value,
        rig["frown"],
        *jaw.location,
        *jaw.rotation_quaternion,
        *head.rotation_euler,
    ]


def smile():
    return bpy.data.objects["Face"].data.shape_keys.key_blocks["smile"].value


def test_values_follow_the_frame_and_the_edits(face):
    before = face()
    bpy.ops.bdfm.preview()
    bpy.context.scene.frame_set(25)
    assert smile() == pytest.approx(0.5)
    rig = bpy.data.objects["Rig"]
    assert rig["frown"] == pytest.approx(0.75)
    assert rig.pose.bones["jaw"].location.z == pytest.approx(-0.05)
    assert rig.pose.bones["jaw"].rotation_quaternion.angle == pytest.approx(np.radians(10), abs=1e-5)
    assert rig.pose.bones["head"].rotation_euler.z == pytest.approx(np.radians(10))
    bpy.context.scene.bdfm.cleaning.AU12.gain = 0.5
    assert smile() == pytest.approx(0.25)
    bpy.context.scene.bdfm.cleaning.AU12.offset = 0.25
    assert smile() == pytest.approx(0.5)
    bpy.ops.bdfm.preview()
    assert face() == before
    assert all(block.animation_data is None for block in (rig, bpy.data.objects["Face"].data.shape_keys))


def test_a_lost_face_takes_the_preview_back(face):
    before = face()
    bpy.ops.bdfm.preview()
    bpy.context.scene.frame_set(11)
    assert face() == before


def test_saving_keeps_the_preview_out_of_the_file(face, tmp_path):
    before = face()
    bpy.ops.bdfm.preview()
    bpy.context.scene.frame_set(25)
    shown = face()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    assert face() == shown
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert face() == before
    bpy.context.scene.frame_set(30)
    assert face() == before


def test_undo_while_it_runs_and_after_it(face):
    before = face()
    bpy.ops.ed.undo_push(message="start")
    bpy.ops.bdfm.preview()
    bpy.context.scene.frame_set(25)
    bpy.ops.ed.undo_push(message="something, with the preview's values in the step")
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="cube")
    bpy.context.scene.frame_set(30)
    bpy.ops.ed.undo()
    assert smile() == pytest.approx((bpy.context.scene.frame_current - 1) / FPS / 2, abs=1e-4)
    bpy.ops.bdfm.preview()
    assert face() == before
    bpy.ops.ed.undo()
    assert face() == before
    bpy.ops.ed.redo()
    assert face() == before


def test_animation_beneath_is_seen_again(face):
    block = bpy.data.objects["Face"].data.shape_keys.key_blocks["smile"]
    for frame, value in ((1, 0.0), (41, 1.0)):
        block.value = value
        block.keyframe_insert("value", frame=frame)
    for curve_point in (5, 21):
        bpy.context.scene.frame_set(curve_point)
        without = smile()
        bpy.ops.bdfm.preview()
        assert smile() == pytest.approx((curve_point - 1) / FPS / 2, abs=1e-4)
        bpy.context.scene.frame_set(33)
        bpy.context.scene.frame_set(curve_point)
        bpy.ops.bdfm.preview()
        assert smile() == without


def test_what_was_moved_by_hand_stays(face):
    bpy.ops.bdfm.preview()
    bpy.context.scene.frame_set(25)
    bpy.data.objects["Rig"]["frown"] = 0.5
    bpy.ops.bdfm.preview()
    assert bpy.data.objects["Rig"]["frown"] == 0.5
    assert smile() == 0.25


def test_deleted_and_renamed_objects(face):
    before = face()
    bpy.ops.bdfm.preview()
    bpy.context.scene.frame_set(25)
    bpy.data.objects["Rig"].name = "Other"
    bpy.data.objects.remove(bpy.data.objects["Face"])
    bpy.context.scene.frame_set(26)
    bpy.ops.bdfm.preview()
    bpy.data.objects["Other"].name = "Rig"
    assert bpy.data.objects["Rig"]["frown"] == before[1]


@pytest.mark.parametrize("bake", ["bake", "batch_bake"])
def test_a_bake_ends_it(face, part, bake):
    before = face()
    bpy.ops.bdfm.preview()
    bpy.context.scene.frame_set(25)
    if bake == "batch_bake":
        bpy.ops.bdfm.batch_add_characters()
    getattr(bpy.ops.bdfm, bake)()
    assert not part("ui.preview").is_running(bpy.context.scene)
    assert before[1] not in face()  # the keyframes have taken over
    bpy.context.scene.frame_set(30)
    assert smile() == pytest.approx(29 / FPS / 2, abs=1e-4)


def test_buttons_say_why(part):
    with pytest.raises(RuntimeError, match="Capture a video or load a take first"):
        bpy.ops.bdfm.preview()


def test_disabling_the_add_on_ends_it(face, part):
    before = face()
    bpy.ops.bdfm.preview()
    bpy.context.scene.frame_set(25)
    part("ui.preview").detach()
    assert face() == before
    part("ui.preview").attach()
