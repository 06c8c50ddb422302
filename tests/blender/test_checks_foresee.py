# SPDX-License-Identifier: MIT
"""The checks find what a bake with the options of the scene will meet, and nothing else."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from scenes import animate, armature, mapping_data, mesh, select, write_take

FPS = 24
SMILE = 'key_blocks["smile"].value'
CHANNELS = {
    "AU12": [{"kind": "shape_key", "name": "smile"}],
    "yaw": [{"kind": "bone_rotation", "bone": "head", "axis": "y", "degrees_per_degree": 1}],
}


@pytest.fixture
def rig(keep_mappings, tmp_path):
    """A head and a neck beside it, a face with a key; a take of a second, half a smile and 30 degrees."""
    keep_mappings(mapping_data(CHANNELS))
    item = armature("Rig", {"neck": "XYZ", "head": "XYZ"})
    mesh("Face", ["smile"], item)
    bpy.context.scene.render.fps = FPS
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "t.csv", np.arange(24) / FPS, AU12=0.5, yaw=30)))
    select(item)
    return item


@pytest.fixture
def check(part):
    """Press the button; what was found on the one character."""

    def press():
        bpy.ops.bdfm.check()
        (checked,) = part("ui.checks").last_checks.values()
        return checked

    return press


def face():
    return bpy.data.objects["Face"]


def keys():
    return face().data.shape_keys


@pytest.fixture
def curve(rig, curve_of):
    """The artist's curve on the key, which the bake goes into."""
    animate(face(), {1: 0.75, 100: 0.75})
    bpy.context.scene.bdfm.bake.target = "ACTIVE_ACTION"
    return lambda: curve_of(keys(), SMILE)


@pytest.mark.parametrize(
    ("head", "kinds"),
    [("MAPPED", {"driven"}), ("HEAD", {"driven"}), ("NECK", {"driven", "locked"}), ("BOTH", {"driven", "locked"}),
     ("NONE", set())],
)  # fmt: skip
def test_where_the_head_rotation_goes(rig, check, part, head, kinds):
    rig.pose.bones["neck"].lock_rotation = (True, True, True)
    rig.pose.bones["head"].driver_add("rotation_euler", 1)
    bpy.context.scene.bdfm.bake.head = head
    found = check().texts
    assert set(found) == kinds
    bpy.ops.bdfm.bake()
    assert list(part("ui.bake").last_reports[0].warnings) == [text for texts in found.values() for text in texts]


@pytest.mark.parametrize("whole_group", [False, True])
@pytest.mark.parametrize(("what", "kind"), [("lock", "locked_curve"), ("mute", "muted_curve")])
def test_channels_of_the_active_action(curve, check, part, what, kind, whole_group):
    there = curve()
    if whole_group:
        there.group = there.group or part("blender.versions").channels_of(keys()).groups.new("Face")
    setattr(there.group if whole_group else there, what, True)
    if whole_group and what == "mute" and bpy.app.version >= (4, 4, 0):  # which no longer mutes its channels
        assert not check().texts
        return
    assert list(check().texts) == [kind]
    bpy.context.scene.bdfm.bake.target = "NEW_ACTION"
    assert not check().texts, "a new action has channels of its own"
    bpy.context.scene.bdfm.bake.target = "ACTIVE_ACTION"
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.bdfm.mend("EXEC_DEFAULT", True, character="Rig", kind=kind) == {"FINISHED"}
    assert not check().texts
    bpy.ops.ed.undo()
    select(bpy.data.objects["Rig"])
    assert list(check().texts) == [kind]


def _switched_off(animation):
    animation.use_nla = False


def _alone(animation):
    track = animation.nla_tracks.new()
    track.strips.new("old", 1, animation.action)
    animation.action = None
    track.is_solo = True


@pytest.mark.parametrize(("harm", "kind"), [(_switched_off, "nla_off"), (_alone, "solo")])
def test_an_nla_that_would_not_play_the_bake(curve, check, harm, kind):
    curve()
    harm(keys().animation_data)
    bpy.context.scene.bdfm.bake.target = "NLA_STRIP"
    assert kind in check().texts
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.bdfm.mend("EXEC_DEFAULT", True, character="Rig", kind=kind) == {"FINISHED"}
    assert kind not in check().texts
    bpy.ops.ed.undo()
    select(bpy.data.objects["Rig"])
    assert kind in check().texts


def _beside_a_strip(settings, _):
    settings.target = "NLA_STRIP"


def _shared_with_a_twin(_, versions):
    animation = mesh("Twin", ["smile"]).data.shape_keys.animation_data_create()
    animation.action = keys().animation_data.action
    if versions.LAYERED_ACTIONS:
        animation.action_slot = keys().animation_data.action_slot


def _with_more_than_the_face(settings, _):
    settings.target = "NEW_ACTION"
    for name in ("smile", "scar"):
        face().shape_key_add(name=name)
        keys().key_blocks[name].keyframe_insert("value", frame=1)


@pytest.mark.parametrize(
    ("harm", "kind"),
    [(_beside_a_strip, "hidden"), (_shared_with_a_twin, "shared"), (_with_more_than_the_face, "replaced")],
)
def test_what_a_bake_says_of_actions_is_said_before_it(curve, check, part, harm, kind):
    curve()
    bpy.context.scene.render.frame_map_new = 200
    harm(bpy.context.scene.bdfm.bake, part("blender.versions"))
    select(bpy.data.objects["Rig"])
    found = check().texts
    assert set(found) == {"time_stretching", kind}
    bpy.ops.bdfm.bake()
    assert list(part("ui.bake").last_reports[0].warnings) == [text for texts in found.values() for text in texts]


def test_a_bake_that_could_write_nothing_is_refused(curve, check, part):
    bpy.context.scene.bdfm.bake.head = "NONE"
    curve().lock = True
    checked = check()
    assert set(checked.texts) == {"locked_curve", "unwritable"} and checked.blocking == {"unwritable"}
    actions = list(bpy.data.actions)
    with pytest.raises(RuntimeError, match="Rig: All its channels in the action are locked"):
        bpy.ops.bdfm.bake()
    assert not part("ui.bake").last_reports
    assert list(bpy.data.actions) == actions
    bpy.ops.bdfm.mend(character="Rig", kind="locked_curve")
    assert not check().texts
    bpy.ops.bdfm.bake()
    assert len(curve().keyframe_points) == 25


def test_a_batch_lists_a_bake_that_could_write_nothing_as_failed(curve):
    settings = bpy.context.scene.bdfm
    settings.bake.head = "NONE"
    curve().lock = True
    bpy.ops.bdfm.batch_add_characters()
    with pytest.raises(RuntimeError, match="locked"):
        bpy.ops.bdfm.batch_bake()
    assert settings.batch.characters[0].status == "FAILED"


def test_what_additive_adds_up_to(curve, check):
    assert not check().texts
    settings = bpy.context.scene.bdfm.bake
    settings.additive = True
    (text,) = check().texts["range"]
    assert "the take from 1.25 to 1.25" in text
    settings.use_range, settings.first, settings.last = True, 5, 9
    assert "range" in check().texts
    bpy.ops.bdfm.mend(character="Rig", kind="range")
    assert keys().key_blocks["smile"].slider_max == pytest.approx(1.25)
    assert not check().texts


def test_strips_are_not_played(curve, check, rig):
    """They would have to be played frame by frame."""
    frames = []
    bpy.context.scene.bdfm.bake.additive = True
    animation = keys().animation_data
    animation.nla_tracks.new().strips.new("Old", 1, animation.action)
    bpy.app.handlers.frame_change_pre.append(lambda scene, *_: frames.append(scene.frame_current))
    try:
        assert not check().texts
    finally:
        bpy.app.handlers.frame_change_pre.pop()
    assert not frames


def test_the_preview_is_not_taken_for_what_was_there(rig, check):
    key = keys().key_blocks["smile"]
    key.value = 0.25
    bpy.context.scene.bdfm.bake.additive = True
    bpy.context.scene.bdfm.bake.target = "ACTIVE_ACTION"
    key.slider_max = 0.8
    bpy.ops.bdfm.preview()
    assert key.value == pytest.approx(0.5)
    assert not check().texts
    assert key.value == pytest.approx(0.5)
    bpy.ops.bdfm.preview()
    assert key.value == 0.25


def test_a_mend_shows_in_the_preview_at_once(rig, check):
    key = keys().key_blocks["smile"]
    key.slider_max = 0.25
    bpy.ops.bdfm.preview()
    assert key.value == pytest.approx(0.25)
    bpy.ops.bdfm.mend(character="Rig", kind="range")
    assert key.value == pytest.approx(0.5)
    bpy.ops.bdfm.preview()
    assert key.value == 0


def test_a_range_that_holds_nothing_of_the_take_is_said(rig, part, capfd):
    settings = bpy.context.scene.bdfm.bake
    settings.use_range, settings.first, settings.last = True, 1000, 2000
    bpy.ops.bdfm.check()
    assert not part("ui.checks").last_checks
    assert "nothing of it lies in the range" in "".join(capfd.readouterr())
