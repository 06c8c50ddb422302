# SPDX-License-Identifier: MIT
"""The button Bake: the scene's options, one undo step, progress, many characters, bad input."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from scenes import armature, mapping_data, mesh, select, write_take

from bdfm_infer.parameters import AU_NAMES

TIMES = np.arange(25) / 24
SMILE = 'key_blocks["smile"].value'


@pytest.fixture
def settings(tmp_path, keep_mappings):
    """The scene's settings with a take loaded whose smile grows from 0 to 1 in the frames 1 to 25."""
    keep_mappings(mapping_data({"AU12": [{"kind": "shape_key", "name": "smile"}]}))
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "clip.csv", TIMES, AU12=TIMES)))
    return bpy.context.scene.bdfm


@pytest.fixture
def smile(part):
    """The F-curve of a face's smile, or None."""

    def find(name):
        channels = part("blender.versions").channels_of(bpy.data.objects[name].data.shape_keys)
        return channels and channels.fcurves.find(SMILE)

    return find


def test_the_options_of_the_panel_reach_the_bake(settings, smile):
    select(mesh("Anna", ["smile"]))
    settings.start_frame = 101
    settings.bake.speed = 0.5
    settings.bake.use_range, settings.bake.first, settings.bake.last = True, 110, 140
    settings.bake.use_reduction, settings.bake.largest_error = True, 0.01
    bpy.ops.bdfm.bake()
    assert [key.co.x for key in smile("Anna").keyframe_points] == [110, 140]
    assert smile("Anna").evaluate(125) == pytest.approx(0.5, abs=0.011)
    bpy.data.objects["Anna"].data.shape_keys.key_blocks["smile"].value = 0
    settings.bake.use_range = settings.bake.use_reduction = False
    settings.bake.target, settings.bake.additive = "ACTIVE_ACTION", True
    bpy.ops.bdfm.bake()
    assert smile("Anna").evaluate(125) == pytest.approx(1.0, abs=0.011)
    assert len(bpy.data.actions) == 1


def everything():
    """What the artist could miss after an undo: actions with their keys, tracks, values."""
    state = {}
    for item in bpy.data.objects:
        for id_block in (item, item.data.shape_keys if item.type == "MESH" else None):
            animation = id_block.animation_data if id_block else None
            if animation is None:
                continue
            tracks = [(track.name, [strip.name for strip in track.strips]) for track in animation.nla_tracks]
            state[item.name, id_block.id_type] = (animation.action and animation.action.name, tracks)
    state["values"] = {item.name: [key.value for key in item.data.shape_keys.key_blocks]
                       for item in bpy.data.objects if item.type == "MESH"}  # fmt: skip
    state["actions"] = {action.name: (action.use_fake_user, tuple(action.frame_range)) for action in bpy.data.actions}
    return state


@pytest.mark.parametrize("target", ["NEW_ACTION", "ACTIVE_ACTION", "NLA_STRIP"])
def test_one_undo_step_brings_everything_back(settings, smile, target):
    rig = armature("Rig", {"jaw": "XYZ"})
    faces = [mesh("Anna", ["smile"], rig), mesh("Berta", ["smile"]), mesh("Carla", ["smile"])]
    for face in faces[:2]:
        face.data.shape_keys.key_blocks["smile"].value = 0.25
        for frame in (-10, 5, 80):
            face.data.shape_keys.keyframe_insert(SMILE, frame=frame)
    select(rig, *faces[1:])
    settings.bake.target = target
    bpy.ops.ed.undo_push(message="before the bake")
    before = everything()
    handles = [tuple(key.handle_right) for key in smile("Berta").keyframe_points]
    assert bpy.ops.bdfm.bake("EXEC_DEFAULT", True) == {"FINISHED"}
    assert everything() != before
    bpy.ops.ed.undo()
    assert everything() == before
    assert [tuple(key.handle_right) for key in smile("Berta").keyframe_points] == handles
    assert [key.co.x for key in smile("Anna").keyframe_points] == [-10, 5, 80]
    bpy.ops.ed.redo()
    assert everything() != before


def test_the_report_goes_and_comes_with_the_bake(settings, part):
    panel = part("ui.bake_panel").BDFM_PT_bake_report
    select(mesh("Anna", ["smile"]))
    bpy.ops.ed.undo_push(message="before the bake")
    assert not panel.poll(bpy.context)
    assert bpy.ops.bdfm.bake("EXEC_DEFAULT", True) == {"FINISHED"}
    assert panel.poll(bpy.context)
    bpy.ops.ed.undo()
    assert not panel.poll(bpy.context)
    bpy.ops.ed.redo()
    assert panel.poll(bpy.context)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert not panel.poll(bpy.context)


def test_the_panel_shows_how_far_a_long_bake_is(part, layout, capfd):
    """Background mode bakes at once: the bar and Esc are tried in ``tests/window``."""
    panel, operator, stepped = part("ui.bake_panel"), part("ui.bake").BDFM_OT_bake, part("ui.stepped")
    assert stepped.describe(0.452, 1) == "45 %" and stepped.describe(3.9, 20) == "3 of 20 characters"
    operator.progress = 0.5, 1
    try:
        panel.draw_bake(layout, bpy.context)
    finally:
        operator.progress = None
    assert "not found" not in "".join(capfd.readouterr())


def test_blinks_that_close_the_eyes(tmp_path, keep_mappings, part):
    """A blink that was read at .8 is baked at 1 unless that is switched off, which is kept with the take."""
    key = {"kind": "shape_key", "name": "smile"}
    keep_mappings(mapping_data({"eye_closed_left": [key]}))
    lids = [0.1] * 10 + [0.4, 0.8, 0.5] + [0.1] * 12
    path = write_take(tmp_path / "clip.csv", TIMES, eye_closed_left=lids, eye_closed_right=lids)
    bpy.ops.bdfm.load_take(filepath=str(path))
    face = mesh("Anna", ["smile"])
    select(face)
    cleaning, shown = bpy.context.scene.bdfm.cleaning, []
    assert cleaning.complete_blinks
    for switch in (True, False):
        cleaning.complete_blinks = switch
        bpy.ops.bdfm.bake()
        bpy.context.scene.frame_set(12)
        shown.append(face.data.shape_keys.key_blocks["smile"].value)
    assert shown == pytest.approx([1, 0.8], abs=1e-5)
    bpy.ops.bdfm.save_cleaning()
    stored = part("ui.takes").performance_of(path).values[:, AU_NAMES.index("eye_closed_left")]
    assert stored.max() == pytest.approx(0.8)
    bpy.ops.bdfm.reset_edits()
    assert cleaning.complete_blinks


def test_five_hundred_characters(settings, part, layout):
    """They are baked in one press and the panel lists a few of them."""
    faces = [mesh(f"Face {number}", ["smile"]) for number in range(500)]
    select(*faces)
    bpy.ops.bdfm.bake()
    bpy.context.scene.frame_set(25)
    assert all(face.data.shape_keys.key_blocks["smile"].value > 0.999 for face in faces)
    assert len(part("ui.bake").last_reports) == 500
    part("ui.bake_panel").draw_reports(layout, bpy.context)


def test_a_character_deleted_or_renamed_after_it_was_selected(settings, part, layout):
    anna, berta = mesh("Anna", ["smile"]), mesh("Berta", ["smile"])
    select(anna, berta)
    part("ui.characters").draw_characters(layout, bpy.context)
    anna.name = 'An "na"\n'
    bpy.data.objects.remove(berta)
    assert bpy.ops.bdfm.bake() == {"FINISHED"}
    (report,) = part("ui.bake").last_reports
    assert report.character == anna.name
    bpy.data.objects.remove(anna)
    part("ui.bake_panel").draw_reports(layout, bpy.context)


def test_impossible_settings_are_reports(settings):
    select(mesh("Anna", ["smile"]))
    settings.bake.use_range, settings.bake.first, settings.bake.last = True, 500, 600
    with pytest.raises(RuntimeError, match="from frame 1 to 25"):
        bpy.ops.bdfm.bake()
    settings.bake.first, settings.bake.last = 20, 10
    with pytest.raises(RuntimeError, match="range"):
        bpy.ops.bdfm.bake()
    settings.start_frame = 2**31 - 1
    with pytest.raises(RuntimeError, match="timeline ends"):
        bpy.ops.bdfm.bake()
    assert not bpy.data.actions


def test_the_panel_shows_a_newcomer_what_is_needed(part):
    panel = part("ui.bake_panel")
    assert panel.BDFM_PT_bake.bl_order == 30
    assert "DEFAULT_CLOSED" in panel.BDFM_PT_bake_options.bl_options
    assert panel.BDFM_PT_bake_options.bl_parent_id == "BDFM_PT_bake"
