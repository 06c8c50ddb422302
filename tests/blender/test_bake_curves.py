# SPDX-License-Identifier: MIT
"""What a bake into the active action makes there, and what it leaves alone."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from scenes import armature, make_performance, mesh

KEY = {"kind": "shape_key", "name": "smile"}
JAW = {"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 30}
TIMES = np.arange(25) / 24
ROTATION = 'pose.bones["jaw"].rotation_euler'


@pytest.fixture
def locked_rig(part):
    """A rig whose active action has a locked group for a bone that is not animated yet."""
    rig = armature("Rig", {"jaw": "XYZ"})
    mesh("Face", ["smile"], rig)
    rig.keyframe_insert("location", frame=1)
    part("blender.versions").channels_of(rig).groups.new("jaw").lock = True
    return rig


def test_a_locked_group_keeps_new_channels_out_and_they_are_named(bake, curve_of, locked_rig):
    channels = {"AU12": [KEY], "AU26": [JAW]}
    report = bake(locked_rig, make_performance(TIMES, AU12=TIMES, AU26=TIMES), channels, target="ACTIVE_ACTION")
    assert curve_of(locked_rig, ROTATION) is None
    assert report.curves == 1
    assert any("jaw" in warning and "locked" in warning for warning in report.warnings)


def test_a_bake_that_could_write_nothing_is_refused(bake, part, locked_rig):
    with pytest.raises(part("blender.bake").BakeError, match="locked"):
        bake(locked_rig, make_performance(TIMES, AU26=TIMES), {"AU26": [JAW]}, target="ACTIVE_ACTION")


def test_the_mend_unlocks_the_group(bake, curve_of, part, locked_rig):
    item = part("blender.properties").properties_of
    (character,) = part("blender.rig").characters_in([locked_rig], bpy.context.scene)
    channel = part("core.retarget").Channel("bone_rotation", "pose_bone", "jaw", "", None, np.zeros((1, 3)))
    options = part("blender.bake_options").BakeOptions(target="ACTIVE_ACTION")
    found = part("blender.bake_warnings").action_findings(item(character, [channel]), options)
    next(finding for finding in found if finding.kind == "locked_curve").mend()
    bake(locked_rig, make_performance(TIMES, AU26=TIMES), {"AU26": [JAW]}, target="ACTIVE_ACTION")
    assert len(curve_of(locked_rig, ROTATION).keyframe_points) == 25


def test_a_stopped_bake_leaves_the_artists_curves_without_keys(bake_steps, curve_of, part):
    rig = armature("Rig", {"jaw": "XYZ"})
    rig.keyframe_insert("location", frame=1)
    channels = part("blender.versions").channels_of(rig)
    for path in ("rotation_euler", ROTATION):
        channels.fcurves.new(path, index=0).modifiers.new("NOISE")
    steps = bake_steps(rig, make_performance(TIMES, AU26=TIMES), {"AU26": [JAW]}, target="ACTIVE_ACTION")
    for _ in range(2):
        next(steps)
    assert curve_of(rig, ROTATION, 1) is not None
    steps.close()
    assert [modifier.type for modifier in curve_of(rig, "rotation_euler").modifiers] == ["NOISE"]
    assert [modifier.type for modifier in curve_of(rig, ROTATION).modifiers] == ["NOISE"]
    assert curve_of(rig, ROTATION, 1) is None


def test_an_armature_without_a_pose_is_no_crash(bake):
    """One that a script has just made, and that is in no scene."""
    rig = armature("Rig", {"jaw": "XYZ"})
    rig.keyframe_insert("location", frame=1)
    bpy.data.objects.new("New", bpy.data.armatures.new("New"))
    report = bake(rig, make_performance(TIMES, AU26=TIMES), {"AU26": [JAW]}, target="ACTIVE_ACTION")
    assert report.curves == 3
