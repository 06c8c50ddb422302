# SPDX-License-Identifier: MIT
"""The live preview: it shows edits at once and leaves no trace, whatever ends it."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon_texts import shown as texts_shown
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
    rig = armature("Rig", {"jaw": "QUATERNION", "head": "XYZ", "neck": "XYZ"})
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
    jaw, head, neck = (rig.pose.bones[name] for name in ("jaw", "head", "neck"))
    return [
        keys.key_blocks["smile"].value,
        rig["frown"],
        *jaw.location,
        *jaw.rotation_quaternion,
        *head.rotation_euler,
        *neck.rotation_euler,
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


FRAMES = [*range(-3, 52), 60]


def at_frames():
    """What the take moves at each of the frames."""
    rows = []
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        rows.append(read())
    return rows


@pytest.mark.parametrize("head", ["MAPPED", "HEAD", "NECK", "BOTH", "NONE"])
@pytest.mark.parametrize(("start", "speed", "lost"), [(1, 1, [10]), (5, 0.8, [0, 1, *range(15, 30), 47])])
def test_it_shows_what_the_bake_makes(face, tmp_path, head, start, speed, lost):
    """At every frame: where the face is lost as well, and on a rig whose head does not follow its neck."""
    times = np.arange(48) / 30
    path = write_take(
        tmp_path / "u.csv", times, lost, AU12=times / 2, AU26=times / 3, AU04=0.75 - times / 4, yaw=9 * times
    )
    bpy.ops.bdfm.load_take(filepath=str(path))
    settings = bpy.context.scene.bdfm
    settings.start_frame, settings.bake.speed, settings.bake.head = start, speed, head
    bpy.data.objects["Rig"].bdfm_gains.overall = 1.25
    bpy.ops.bdfm.preview()
    previewed = at_frames()
    bpy.ops.bdfm.bake()
    np.testing.assert_allclose(previewed, at_frames(), atol=2e-4)
    turned = {
        bone for bone in ("head", "neck") if abs(bpy.data.objects["Rig"].pose.bones[bone].rotation_euler.z) > 0.01
    }
    assert turned >= {"MAPPED": {"head"}, "HEAD": {"head"}, "NONE": {"head"}}.get(head, {"head", "neck"})


def test_between_two_frames_it_goes_as_the_curves_do(face):
    bpy.ops.bdfm.preview()
    moments = [(20, 0.5), (10, 0.25), (11, 0.75)]
    previewed = []
    for frame, subframe in moments:
        bpy.context.scene.frame_set(frame, subframe=subframe)
        previewed.append(smile())
    bpy.ops.bdfm.bake()
    for (frame, subframe), value in zip(moments, previewed, strict=True):
        bpy.context.scene.frame_set(frame, subframe=subframe)
        assert value == pytest.approx(smile(), abs=2e-4)


def test_the_panel_says_that_the_face_is_lost_where_the_preview_holds_it(face, part, layout):
    bpy.ops.bdfm.preview()
    bpy.context.scene.frame_set(11)
    assert smile() == pytest.approx(9 / FPS / 2, abs=0.02)
    part("ui.values").draw_values(layout, bpy.context)
    assert "No face in this frame" in texts_shown(layout)


def yaw_of(bone):
    return round(np.degrees(bpy.data.objects["Rig"].pose.bones[bone].rotation_euler.z))


def test_settings_of_the_bake_show_at_once(face, part):
    before = face()
    scene, settings = bpy.context.scene, bpy.context.scene.bdfm
    bpy.ops.bdfm.preview()
    scene.frame_set(25)
    settings.start_frame = 13
    assert smile() == pytest.approx(0.25)
    settings.bake.speed = 2
    assert smile() == pytest.approx(0.5)
    assert (yaw_of("neck"), yaw_of("head")) == (0, 10)
    settings.bake.head = "BOTH"
    assert (yaw_of("neck"), yaw_of("head")) == (5, 10)
    settings.bake.head = "NONE"
    assert (yaw_of("neck"), yaw_of("head")) == (0, 43)
    settings.start_frame, settings.bake.speed = 1_048_000, 0.01
    assert face() == before  # there the take has no frames
    settings.start_frame, settings.bake.speed = 1, 1
    assert smile() == pytest.approx(0.5)
    bpy.ops.bdfm.preview()
    assert face() == before


def test_another_mapping_shows_at_once(face, keep_mappings, part):
    def weighing(weight):
        return mapping_data(
            {"AU12": [{"kind": "shape_key", "name": "smile", "weight": weight}]}, id="half", name="Half"
        )

    keep_mappings(weighing(0.5))
    before = face()
    bpy.context.scene.bdfm.mapping = "test"
    bpy.ops.bdfm.preview()
    bpy.context.scene.frame_set(25)
    bpy.context.scene.bdfm.mapping = "half"
    assert smile() == pytest.approx(0.25)
    assert face()[1:] == before[1:]
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.bdfm.choose_character_mapping("EXEC_DEFAULT", True, character="Rig", mapping="test")
    assert smile() == pytest.approx(0.5)
    bpy.ops.ed.undo()
    assert smile() == pytest.approx(0.25)
    bpy.ops.bdfm.edit_mapping()
    for amount in (0.75, 1):
        bpy.context.scene.bdfm.own_mapping.targets[0].amount = amount
        bpy.ops.bdfm.save_mapping(overwrite=True)
        assert smile() == pytest.approx(amount / 2)
    bpy.context.scene.bdfm.mapping = ""
    bpy.ops.bdfm.choose_character_mapping(character="Rig", mapping="BY_NAMES")
    bpy.ops.bdfm.preview()
    assert face() == before


def test_a_character_that_no_mapping_fits_any_more_is_left_out(face, part):
    before = face()
    bpy.ops.bdfm.preview()
    bpy.context.scene.frame_set(25)
    bpy.context.scene.bdfm.mapping = "no such mapping"
    assert not part("ui.preview").is_running(bpy.context.scene)
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


def test_an_undo_after_the_bake_leaves_what_was_baked(face):
    """A bake gives the very values that the preview showed, and they are no trace of it."""
    bpy.ops.ed.undo_push(message="start")
    bpy.ops.bdfm.preview()
    bpy.context.scene.frame_set(25)
    bpy.ops.bdfm.bake()
    bpy.context.scene.frame_set(25)
    baked = face()
    assert smile() == pytest.approx(0.5)
    bpy.ops.ed.undo_push(message="bake")
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="cube")
    bpy.ops.ed.undo()
    assert face() == baked


def test_previews_that_are_over_are_kept_for_as_many_steps_as_can_be_undone(face, part):
    over, steps = part("ui.preview")._ended, bpy.context.preferences.edit.undo_steps
    for _ in range(steps + 3):
        bpy.ops.bdfm.preview()
        bpy.ops.bdfm.preview()
    assert len(over) == steps


def test_a_scene_that_is_renamed_or_gone(face):
    before, scene = face(), bpy.context.scene
    bpy.ops.bdfm.preview()
    scene.name = "Take 2"
    scene.frame_set(25)
    assert smile() == pytest.approx(0.5)
    scene.frame_set(5)
    assert smile() == pytest.approx(4 / FPS / 2, abs=1e-4)
    bpy.ops.bdfm.preview()
    assert face() == before and not scene.bdfm.preview
    bpy.ops.bdfm.preview()
    scene.frame_set(25)
    bpy.context.window.scene = bpy.data.scenes.new("Other")
    bpy.data.scenes.remove(scene)
    assert not bpy.ops.bdfm.preview.poll()


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


def test_the_panel_names_the_characters_that_are_there(face, part, layout):
    names, draw = part("ui.preview").names, part("ui.take_panel").draw_take
    bpy.ops.bdfm.preview()
    bpy.data.objects["Rig"].name = "Other"
    assert names() == ["Other"]
    bpy.data.objects.remove(bpy.data.objects["Other"])
    assert names() == []
    draw(layout, bpy.context)
    assert "Preview on Characters" in texts_shown(layout) and "Shown" not in "".join(texts_shown(layout))


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
