# SPDX-License-Identifier: MIT
"""The shipped Rigify mappings on rigs that Rigify generates here: what the deforming bones do at each action unit."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
import scenes
from mathutils import Vector

from bdfm_infer.parameters import AU_NAMES, ROTATION

MAPPINGS = Path(__file__).resolve().parents[2] / "rig_mappings"
SOURCES = (*AU_NAMES, *ROTATION)
WINK = {"AU05": 1.0, "eye_closed_left": 1.0}
SURPRISE = {"AU01": 1.0, "AU02": 1.0}
NECK_AND_HEAD = ("spine.004", "spine.005", "spine.006")
REST = 1
DEGREES = 30.0
EYES = 0.104
"""Metres between the eyes of the human meta-rig; movements are judged in shares of it."""


class Posed:
    """Where the deforming bones of a baked rig are, read once: (head, tail) by bone, for each moment of the take."""

    def __init__(self, armature: bpy.types.Object, moments: list[dict[str, float]]) -> None:
        self._moments = moments
        self._places = []
        for number in range(len(moments)):
            bpy.context.scene.frame_set(REST + number)
            bones = [bone for bone in armature.pose.bones if bone.name.startswith("DEF-")]
            self._places.append({bone.name: (bone.head.copy(), bone.tail.copy()) for bone in bones})

    def at(self, bone: str, end: str = "head", **moment: float) -> Vector:
        """Where an end of a deforming bone is, in the armature."""
        return self._places[self._moments.index(moment)][f"DEF-{bone}"][end == "tail"]

    def move(self, bone: str, end: str = "head", **moment: float) -> Vector:
        """How far it is from its place at rest, in shares of the distance between the eyes."""
        return (self.at(bone, end, **moment) - self.at(bone, end)) / EYES

    def gap(self, upper: str, lower: str, **moment: float) -> float:
        """Distance between the heads of two bones, in the same shares."""
        return (self.at(upper, **moment) - self.at(lower, **moment)).length / EYES

    def lids(self, side: str, **moment: float) -> float:
        """How far an eye is open."""
        return self.gap(f"lid.T.{side}.002", f"lid.B.{side}.002", **moment)


def _generate(upgraded: bool) -> bpy.types.Object:
    """Rigify's rig for neck, head and face: with the body it would take a minute."""
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    meta = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    bones = meta.data.edit_bones
    kept = {*NECK_AND_HEAD, "face", *(bone.name for bone in bones["face"].children_recursive)}
    for bone in [bone for bone in bones if bone.name not in kept]:
        bones.remove(bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    meta.pose.bones[NECK_AND_HEAD[0]].rigify_parameters.connect_chain = False
    if upgraded:
        bpy.ops.pose.rigify_upgrade_face()
    bpy.ops.pose.rigify_generate()
    rig = meta.data.rigify_target_rig
    bpy.data.objects.remove(meta)
    return rig


@pytest.fixture(scope="module", params=["rigify_legacy", "rigify_face"])
def posed(request, enabled_addon, part) -> Posed:
    """The human meta-rig's head with either face, and on it a take that shows each source at its strongest in turn.

    The mapping is the one that the add-on chooses.
    """
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    armature = _generate(upgraded=request.param == "rigify_face")
    (character,) = part("blender.rig").characters_in([armature], bpy.context.scene)
    mappings, _ = part("core.mapping").load_folder(MAPPINGS)
    (fit,) = part("core.matching").choose(mappings.values(), part("blender.rig").read_rig(character))
    assert fit.mapping.id == request.param
    moments = [{}, *({name: DEGREES if name in ROTATION else 1.0} for name in SOURCES), WINK, SURPRISE]
    channels = {name: [moment.get(name, 0.0) for moment in moments] for name in SOURCES}
    performance = scenes.make_performance(np.arange(len(moments)) / 24, **channels)
    bake = part("blender.bake")
    report = bake.bake(performance, character, fit.mapping, bake.scene_time(bpy.context.scene, REST))
    assert report.missing == ()
    return Posed(armature, moments)


def test_the_eyes_close_each_for_itself(posed):
    for side, other, source in (("L", "R", "eye_closed_left"), ("R", "L", "eye_closed_right")):
        assert posed.lids(side, **{source: 1.0}) < 0.1 * posed.lids(side)
        assert posed.lids(other, **{source: 1.0}) == pytest.approx(posed.lids(other), rel=1e-3)


def test_lids_meet_towards_their_corners(posed):
    for upper, lower in (("lid.T.L.001", "lid.B.L.003"), ("lid.T.L.003", "lid.B.L.001")):
        opening, closed = (posed.at(upper, **m).z - posed.at(lower, **m).z for m in ({}, {"eye_closed_left": 1.0}))
        assert closed < 0.1 * opening


def test_a_wink_with_raised_lids(posed):
    assert posed.lids("L", **WINK) < 0.1 * posed.lids("L")
    assert posed.lids("R", **WINK) == pytest.approx(posed.lids("R", AU05=1.0), rel=1e-3)
    assert posed.lids("R", AU05=1.0) > 1.15 * posed.lids("R")


def test_lids_narrow(posed):
    for source in ("AU06", "AU07"):
        assert 0.3 * posed.lids("L") < posed.lids("L", **{source: 1.0}) < 0.9 * posed.lids("L")


def test_the_jaw_opens_fully_and_goes_to_its_sides(posed):
    assert posed.gap("lip.T.L", "lip.B.L", AU26=1.0) - posed.gap("lip.T.L", "lip.B.L") > 0.35
    assert posed.move("chin", "tail", AU26=1.0).z < -0.3
    assert posed.move("chin", "tail", jaw_left=1.0).x > 0.08
    assert posed.move("chin", "tail", jaw_right=1.0).x < -0.08


def test_the_open_mouth_is_round(posed):
    """Between its middle and a corner the lower lip hangs well below the straight line of a V."""
    middle, side = posed.at("lip.B.L", AU26=1.0), posed.at("lip.B.L.001", AU26=1.0)
    corner = posed.at("lip.B.L.001", "tail", AU26=1.0)
    straight = middle.lerp(corner, (side.x - middle.x) / (corner.x - middle.x))
    assert (straight.z - side.z) / EYES > 0.1


@pytest.mark.parametrize(
    ("source", "out", "up"), [("AU12", 0.07, 0.09), ("AU15", None, -0.05), ("AU20", 0.07, None), ("AU18", -0.07, None)]
)
def test_the_corners_of_the_mouth(posed, source, out, up):
    """Out is to the side, up is up, in shares of the distance between the eyes; the sign tells the direction."""
    left = posed.move("lip.T.L.001", "tail", **{source: 1.0})
    for wanted, got in ((out, left.x), (up, left.z)):
        if wanted is not None:
            assert got / wanted > 1


def test_the_brows(posed):
    assert posed.move("brow.T.L.003", AU01=1.0).z > 0.06
    assert posed.move("brow.T.L.001", AU01=1.0).z < 0.5 * posed.move("brow.T.L.003", AU01=1.0).z
    assert posed.move("brow.T.L.001", AU02=1.0).z > 0.06
    lowered = posed.move("brow.T.L.003", AU04=1.0)
    assert lowered.z < -0.04 and lowered.x < -0.02


def test_raised_brows_keep_their_shape(posed):
    """A brow that rises in its middle alone looks angry."""
    raised = [posed.move(f"brow.T.L.00{number}", **SURPRISE).z for number in (1, 2, 3)]
    assert min(raised) > 0.7 * max(raised)


@pytest.mark.parametrize("source", [name for name in AU_NAMES if not name.endswith(("left", "right"))])
def test_left_mirrors_right(posed, source):
    ends = {"lip.T.L.001": "tail", "brow.T.L.003": "head", "lid.T.L.002": "head", "nose.L.001": "head"}
    for bone, end in ends.items():
        left = posed.move(bone, end, **{source: 1.0})
        right = posed.move(bone.replace(".L", ".R"), end, **{source: 1.0})
        assert (left - Vector((-right.x, right.y, right.z))).length < 0.01, bone


def test_the_head_turns_as_the_face_in_the_video(posed):
    """Yaw to the character's left (+X), pitch up, roll clockwise for who looks at the face (its top to +X)."""
    assert posed.move("nose.002", yaw=DEGREES).x > 0.3
    assert posed.move("nose.002", pitch=DEGREES).z > 0.3
    assert posed.move("forehead.L", roll=DEGREES).x > 0.3
