# SPDX-License-Identifier: MIT
"""Which objects belong to one character, and what is read from it."""

from __future__ import annotations

import bpy
import pytest
from scenes import armature, mesh


@pytest.fixture
def characters(part):
    """The characters of a selection as {name: names of their meshes}."""

    def find(*selection):
        found = part("blender.rig").characters_in(selection, bpy.context.scene)
        return {each.name: {item.name for item in each.meshes} for each in found}

    return find


def empty(name, parent=None):
    item = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(item)
    item.parent = parent
    return item


def deform(item, rig):
    modifier = item.modifiers.new("Armature", "ARMATURE")
    modifier.object = rig
    return item


def test_an_armature_owns_what_it_deforms_and_what_hangs_on_it(characters):
    rig = armature("Rig", {"head": "XYZ"})
    deform(mesh("Body"), rig)
    head = mesh("Head", parent=rig)
    teeth = mesh("Teeth", parent=head)
    eye = mesh("Eye", parent=rig)
    eye.parent_type, eye.parent_bone = "BONE", "head"
    mesh("Lamp shade")
    belongings = {"Rig": {"Body", "Head", "Teeth", "Eye"}}
    for selected in (rig, head, teeth, eye, bpy.data.objects["Body"]):
        assert characters(selected) == belongings


def test_a_mesh_that_one_armature_deforms_and_another_carries_belongs_to_the_first(characters):
    face, body = armature("FaceRig", {"a": "XYZ"}), armature("BodyRig", {"b": "XYZ"})
    head = deform(mesh("Head", parent=body), face)
    assert characters(head) == {"FaceRig": {"Head"}}
    assert characters(body) == {"BodyRig": set()}


def test_meshes_alone_belong_together_under_their_topmost_mesh_or_their_empty(characters):
    head = mesh("Head")
    mesh("Teeth", parent=head)
    holder = empty("Holder", parent=empty("Set"))
    mesh("Face", parent=holder)
    mesh("Lashes", parent=holder)
    assert characters(bpy.data.objects["Teeth"]) == {"Head": {"Head", "Teeth"}}
    assert characters(bpy.data.objects["Lashes"]) == {"Holder": {"Face", "Lashes"}}


def test_an_empty_stands_for_all_beneath_it(characters):
    top = empty("Set")
    for name in ("One", "Two"):
        rig = armature(name, {"head": "XYZ"})
        rig.parent = top
        mesh(f"{name} face", parent=rig)
    assert characters(top) == {"One": {"One face"}, "Two": {"Two face"}}


def test_each_character_once_in_the_order_of_the_selection(characters):
    rigs = [armature(name, {"head": "XYZ"}) for name in ("B", "A")]
    faces = [mesh(f"Face {rig.name}", parent=rig) for rig in rigs]
    assert list(characters(faces[0], rigs[1], rigs[0], faces[1])) == ["B", "A"]


def test_what_is_no_character(characters):
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    bpy.context.scene.collection.objects.link(camera)
    assert characters(camera, empty("Alone")) == {}


def test_an_armature_that_was_not_evaluated_yet(part):
    """As a script makes it; it has no pose then."""
    made = bpy.data.objects.new("Made", armature("Rig", {"jaw": "XYZ"}).data)
    bpy.context.scene.collection.objects.link(made)
    assert made.pose is None
    (character,) = part("blender.rig").characters_in([made], bpy.context.scene)
    assert list(part("blender.rig").read_rig(character).bones) == list(made.pose.bones.keys()) == ["jaw"]


def test_names_and_rest_pose(part):
    rig = armature("Rig", {"jaw": "XYZ", "lip": "QUATERNION"})
    rig["number"], rig["switch"], rig["text"], rig["vector"] = 0.5, True, "no", [1.0, 2.0]
    rig.pose.bones["lip"]["amount"] = 1
    rig.location = (5, 5, 5)
    mesh("Face", ["smile", "frown"], rig)
    mesh("Hat", parent=rig)
    (character,) = part("blender.rig").characters_in([rig], bpy.context.scene)
    read = part("blender.rig").read_rig(character)
    assert read.shape_keys == {"Face": ("smile", "frown")}
    assert read.bones["lip"].head == pytest.approx((1, 0, 0)) and read.bones["lip"].length == pytest.approx(1)
    bone = rig.data.bones["lip"]
    for row, expected in zip(read.bones["lip"].matrix, bone.matrix_local.to_3x3(), strict=True):
        assert row == pytest.approx(tuple(expected))
    owners = {(owner.kind, owner.name): set(owner.properties) for owner in read.properties}
    assert owners == {("object", "Rig"): {"number", "switch"}, ("pose_bone", "lip"): {"amount"}}
