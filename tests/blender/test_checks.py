# SPDX-License-Identifier: MIT
"""Checks before the bake: each finds what it is for, is mended by one press, and undone by one more."""

from __future__ import annotations

import math

import bpy
import numpy as np
import pytest
from addon_texts import shown
from mathutils import Matrix
from scenes import armature, mapping_data, mesh, select

SMILE = {"AU12": [{"kind": "shape_key", "name": "smile"}]}


@pytest.fixture
def own(keep_mappings):
    """Make a mapping the only one that fits."""
    return lambda channels, **more: keep_mappings(mapping_data(channels, **more))


@pytest.fixture
def kinds(part):
    """Check the selection; kinds of findings by character."""

    def run(*selection):
        select(*selection)
        bpy.ops.bdfm.check()
        return {name: list(checked.texts) for name, checked in part("ui.checks").last_checks.items()}

    return run


def drive(block, path, index=-1):
    driver = block.driver_add(path, index) if index >= 0 else block.driver_add(path)
    driver.driver.expression = "0.5"
    return driver


def break_driver(face, rig):
    drive(face.data.shape_keys, 'key_blocks["smile"].value')


def break_mute(face, rig):
    face.data.shape_keys.key_blocks["smile"].mute = True


def break_pin(face, rig):
    face.show_only_shape_key = True


def break_absolute(face, rig):
    face.data.shape_keys.use_relative = False


def break_range(face, rig):
    face.data.shape_keys.key_blocks["smile"].slider_max = 0.5


def break_lock(face, rig):
    rig.pose.bones["jaw"].lock_rotation[0] = True


def break_tweak(face, rig):
    data = rig.animation_data_create()
    strip = data.nla_tracks.new().strips.new("strip", 1, bpy.data.actions.new("walk"))
    strip.select = data.nla_tracks[0].select = True
    data.nla_tracks.active = data.nla_tracks[0]
    data.use_tweak_mode = True


def break_rest(face, rig):
    rig.data.pose_position = "REST"


FACE = SMILE | {"AU26": [{"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 30}]}


@pytest.mark.parametrize(
    ("kind", "harm"),
    [
        ("driven", break_driver), ("muted", break_mute), ("pinned", break_pin), ("absolute", break_absolute),
        ("range", break_range), ("locked", break_lock), ("tweaked", break_tweak),
        ("rest", break_rest),
    ],
)  # fmt: skip
def test_found_mended_and_undone(own, kinds, kind, harm):
    own(FACE)
    rig = armature("Rig", {"jaw": "XYZ"})
    face = mesh("Face", ["smile"], rig)
    assert kinds(rig) == {"Rig": []}
    harm(face, rig)
    assert kinds(rig) == {"Rig": [kind]}
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.bdfm.mend("EXEC_DEFAULT", True, character="Rig", kind=kind) == {"FINISHED"}
    rig = bpy.data.objects["Rig"]
    assert kinds(rig) == {"Rig": []}
    bpy.ops.ed.undo()
    assert kinds(bpy.data.objects["Rig"]) == {"Rig": [kind]}


def test_a_bake_warns_of_what_the_checks_find(own, part):
    own(SMILE)
    face = mesh("Face", ["smile"])
    break_mute(face, None)
    (character,) = part("blender.rig").characters_in([face], bpy.context.scene)
    assert [finding.kind for finding in part("ui.checks").check(bpy.context, character)] == ["muted"]


def test_a_muted_driver_is_no_finding(own, kinds):
    own(SMILE)
    face = mesh("Face", ["smile"])
    drive(face.data.shape_keys, 'key_blocks["smile"].value').mute = True
    assert kinds(face) == {"Face": []}


def test_all_drivers_of_one_bone_are_muted(own, kinds, part):
    own(FACE)
    rig = armature("Rig", {"jaw": "QUATERNION"})
    mesh("Face", ["smile"], rig)
    for index in range(4):
        drive(rig, 'pose.bones["jaw"].rotation_quaternion', index)
    assert kinds(rig) == {"Rig": ["driven"]}
    assert len(part("ui.checks").last_checks["Rig"].texts["driven"]) == 1
    bpy.ops.bdfm.mend(character="Rig", kind="driven")
    assert kinds(rig) == {"Rig": []}


def test_the_range_of_a_property_holds_keyframes_back(own, kinds):
    own({"AU14": [{"kind": "custom_property", "owner": "object", "name": "open", "weight": 2}], **SMILE})
    face = mesh("Face", ["smile"])
    face["open"] = 2.0
    face.keyframe_insert('["open"]', frame=1)
    face.id_properties_ui("open").update(min=0.0, max=1.0, soft_min=0.0, soft_max=1.0)

    def shown():
        face["open"] = 0.0
        face.update_tag()
        for frame in (5, 1):
            bpy.context.scene.frame_set(frame)
        return face["open"]

    assert shown() == 1  # Blender does hold back what an F-curve says: the check is about something
    assert kinds(face) == {"Face": ["range"]}
    bpy.ops.bdfm.mend(character="Face", kind="range")
    assert kinds(face) == {"Face": []}
    limits = face.id_properties_ui("open").as_dict()
    assert (limits["min"], limits["max"], limits["soft_max"]) == (0, 2, 2)
    assert shown() == 2


def test_gimbal(own, kinds):
    own({"AU26": [{"kind": "bone_rotation", "bone": "jaw", "axis": "y", "degrees": 85}], **SMILE})
    rig = armature("Rig", {"jaw": "XYZ"})
    mesh("Face", ["smile"], rig)
    bone = rig.pose.bones["jaw"]
    bone.rotation_euler = (0.1, 0.2, 0.3)
    before = bone.matrix_basis.copy()
    assert kinds(rig) == {"Rig": ["gimbal"]}
    bpy.ops.bdfm.mend(character="Rig", kind="gimbal")
    assert bone.rotation_mode == "QUATERNION"
    assert np.allclose(bone.matrix_basis, before, atol=1e-6)
    assert kinds(rig) == {"Rig": []}
    bone.rotation_mode = "YXZ"
    assert kinds(rig) == {"Rig": []}


def test_gimbal_of_an_animated_bone_is_refused_with_the_reason(own, kinds):
    own({"AU26": [{"kind": "bone_rotation", "bone": "jaw", "axis": "y", "degrees": 85}], **SMILE})
    rig = armature("Rig", {"jaw": "XYZ"})
    mesh("Face", ["smile"], rig)
    rig.keyframe_insert('pose.bones["jaw"].rotation_euler', frame=1)
    select(rig)
    with pytest.raises(RuntimeError, match="has keyframes on its Euler angles"):
        bpy.ops.bdfm.mend(character="Rig", kind="gimbal")
    assert rig.pose.bones["jaw"].rotation_mode == "XYZ"


def test_scale(own, kinds):
    own(SMILE)
    face = mesh("Face", ["smile"])
    face.scale = (2, 2, 2)
    assert kinds(face) == {"Face": []}
    face.scale = (1, 1, 1.5)
    assert kinds(face) == {"Face": ["scale"]}
    face.scale = (-1, 1, 1)
    assert kinds(face) == {"Face": ["scale"]}


def head(left="left", right="right", matrix=None):
    """A head of points that faces -Y, with a key that lifts each eye."""
    points = [(math.sin(a) * 0.1, math.cos(a) * 0.1, z) for a in np.linspace(0, 6, 12) for z in (-0.1, 0, 0.1)]
    points += [(0.03, -0.12, 0.02), (-0.03, -0.12, 0.02)]
    data = bpy.data.meshes.new("Head")
    data.from_pydata(points, [], [])
    item = bpy.data.objects.new("Head", data)
    bpy.context.scene.collection.objects.link(item)
    item.shape_key_add(name="Basis")
    for side, place in ((left, -2), (right, -1)):
        key = item.shape_key_add(name=f"wink_{side}")
        key.value = 0
        key.data[len(points) + place].co.z += 0.02
    if matrix is not None:
        item.matrix_world = matrix
    return item


WINK = {
    f"eye_closed_{side}": [{"kind": "shape_key", "name": f"wink_{side}", "side": side}] for side in ("left", "right")
}


@pytest.mark.parametrize("turn", [0, 90, 180, 250])
def test_swapped_names_are_found_whichever_way_the_head_faces(own, kinds, turn):
    own(WINK, fingerprint={"shape_keys": ["wink_left", "wink_right"]})
    matrix = Matrix.Rotation(math.radians(turn), 4, "Z")
    assert kinds(head(matrix=matrix)) == {"Head": []}
    bpy.data.objects.remove(bpy.data.objects["Head"])
    assert kinds(head("right", "left", matrix)) == {"Head": ["mirrored"]}


def test_swapped_bones_are_found(own, kinds):
    channels = {
        f"eye_closed_{side}": [
            {"kind": "bone_rotation", "bone": f"lid_{side}", "axis": "x", "degrees": 9, "side": side}
        ]
        for side in ("left", "right")
    }
    own(channels, fingerprint={"bones": ["lid_left", "lid_right"]})
    rig = armature("Rig", {"lid_left": "XYZ", "lid_right": "XYZ", "spine": "XYZ"})
    bpy.ops.object.mode_set(mode="EDIT")
    places = {"lid_left": (0.03, -0.1, 1.6), "lid_right": (-0.03, -0.1, 1.6), "spine": (0, 0.05, 1)}
    for name, place in places.items():
        rig.data.edit_bones[name].head = place
        rig.data.edit_bones[name].tail = (place[0], place[1], place[2] + 0.1)
    bpy.ops.object.mode_set(mode="OBJECT")
    assert kinds(rig) == {"Rig": []}
    rig.data.bones["lid_left"].name = "x"
    rig.data.bones["lid_right"].name = "lid_left"
    rig.data.bones["x"].name = "lid_right"
    assert kinds(rig) == {"Rig": ["mirrored"]}
    bpy.ops.bdfm.swap_sides(character="Rig")
    assert kinds(rig) == {"Rig": []}


def test_swapping_left_and_right_makes_an_own_mapping(own, kinds, part, tmp_path):
    own(WINK, fingerprint={"shape_keys": ["wink_left", "wink_right"]})
    item = head("right", "left")
    select(item)
    bpy.ops.bdfm.swap_sides(character="Head")
    assert item["bdfm_mapping"] == "test_rig_sides_swapped"
    assert (tmp_path / "own" / "test_rig_sides_swapped.json").exists()
    assert kinds(item) == {"Head": []}


@pytest.fixture
def linked(tmp_path):
    """A character linked from another file."""
    rig = armature("Rig", {"jaw": "XYZ"})
    face = mesh("Face", ["smile"], rig)
    path = str(tmp_path / "library.blend")
    bpy.data.libraries.write(path, {rig, face})
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.objects = ["Rig", "Face"]
    for item in wanted.objects:
        bpy.context.scene.collection.objects.link(item)
    return wanted.objects


def test_a_linked_character_gets_an_override_whose_keyframes_stay(own, kinds, linked, part, tmp_path):
    own(FACE)
    name = linked[0].name_full
    assert kinds(linked[0]) == {name: ["linked"]}
    assert part("ui.checks").last_checks[name].blocking == {"linked"}
    assert bpy.ops.bdfm.mend(character=name, kind="linked") == {"FINISHED"}
    assert {name: checked.texts for name, checked in part("ui.checks").last_checks.items()} == {"Rig": {}}
    assert sorted((item.name, item.library) for item in bpy.context.scene.objects) == [("Face", None), ("Rig", None)]
    rig, face = (bpy.context.scene.objects[name] for name in ("Rig", "Face"))
    assert rig.select_get() and bpy.context.object == rig
    assert face.data.shape_keys.library is None
    face.data.shape_keys.keyframe_insert('key_blocks["smile"].value', frame=1)
    rig.keyframe_insert('pose.bones["jaw"].rotation_euler', frame=1)
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    face = bpy.context.scene.objects["Face"]
    assert face.data.shape_keys.animation_data.action is not None
    assert face.parent.animation_data.action is not None


def test_a_range_that_an_override_would_lose_is_refused_with_the_reason(own, kinds, linked):
    own(SMILE)
    kinds(linked[0])
    bpy.ops.bdfm.mend(character="Rig", kind="linked")
    rig, face = (bpy.context.scene.objects[name] for name in ("Rig", "Face"))
    break_range(face, rig)
    with pytest.raises(RuntimeError, match="library's own file"):
        bpy.ops.bdfm.mend(character="Rig", kind="range")


def test_an_undo_takes_an_override_back(own, kinds, linked):
    own(FACE)
    kinds(linked[0])
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.bdfm.mend("EXEC_DEFAULT", True, character="Rig", kind="linked")
    assert all(item.library is None for item in bpy.context.scene.objects)
    bpy.ops.ed.undo()
    assert [item.library is None for item in bpy.context.scene.objects] == [False, False]
    rig = bpy.context.scene.objects["Rig"]
    assert kinds(rig) == {rig.name_full: ["linked"]}


def test_an_undo_or_redo_forgets_what_was_found(own, kinds, part):
    own(SMILE)
    face = mesh("Face", ["smile"])
    bpy.ops.ed.undo_push(message="face")
    face.scale = (1, 1, 1.5)
    bpy.ops.ed.undo_push(message="scaled")
    for step in (bpy.ops.ed.undo, bpy.ops.ed.redo):
        assert kinds(bpy.data.objects["Face"])
        step()
        assert not part("ui.checks").last_checks
    assert kinds(bpy.data.objects["Face"]) == {"Face": ["scale"]}


def test_a_local_object_with_a_linked_mesh_gets_an_override_of_the_mesh(own, kinds, tmp_path):
    own(SMILE)
    face = mesh("Face", ["smile"])
    path = str(tmp_path / "library.blend")
    bpy.data.libraries.write(path, {face.data})
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(path, link=True) as (_, wanted):
        wanted.meshes = ["Face"]
    face = bpy.data.objects.new("Face", wanted.meshes[0])
    bpy.context.scene.collection.objects.link(face)
    assert kinds(face) == {"Face": ["linked"]}
    bpy.ops.bdfm.mend(character="Face", kind="linked")
    assert kinds(face) == {"Face": []}
    assert face.data.library is None and face.data.override_library is not None


def test_a_character_that_is_gone_is_a_report(own):
    own(SMILE)
    face = mesh("Face", ["smile"])
    select(face)
    bpy.ops.bdfm.check()
    bpy.data.objects.remove(face)
    with pytest.raises(RuntimeError, match="not in this scene any more"):
        bpy.ops.bdfm.mend(character="Face", kind="muted")


@pytest.fixture
def boxes(part, layout, monkeypatch):
    """What the panel Checks shows beneath its button."""
    monkeypatch.setattr(part("ui.sidebar"), "room", lambda margin: 10_000)

    def draw():
        column = layout.column()
        part("ui.checks").draw_checks(column, bpy.context)
        return shown(column)[1:]

    return draw


def test_the_panel_shows_the_selected_characters_alone(own, kinds, boxes):
    own(SMILE)
    anna, stone = mesh("Anna", ["smile"]), mesh("Stone", ["k"])
    kinds(anna)
    assert boxes() == ["Anna", "Nothing in the way"]
    select(stone)
    assert boxes() == []
    select(stone, anna)
    assert boxes() == ["Anna", "Nothing in the way"]
    bpy.data.objects.remove(anna)
    assert boxes() == []


def test_a_linked_and_a_local_character_of_one_name_are_told_apart(own, kinds, boxes, linked, part):
    own(FACE)
    rig = armature("Rig", {"jaw": "XYZ"})
    face = mesh("Face", ["smile"], rig)
    assert rig.name == linked[0].name
    break_mute(face, rig)
    full = linked[0].name_full
    assert kinds(rig, linked[0]) == {"Rig": ["muted"], full: ["linked"]}
    texts = boxes()
    assert texts[:1] == ["Rig"] and texts.count(full) == 1
    select(linked[0])
    assert boxes()[0] == full and "Rig" not in boxes()
    for name, character in (("Rig", rig), (full, linked[0])):
        assert part("ui.characters").find_character(bpy.context, name).top == character
    select(rig, linked[0])
    bpy.ops.bdfm.mend(character="Rig", kind="muted")
    assert not face.data.shape_keys.key_blocks["smile"].mute
    assert linked[0].library is not None
    assert kinds(rig, linked[0]) == {"Rig": [], full: ["linked"]}
    assert [row.name for row in part("ui.characters").listed(bpy.context).rows] == ["Rig", full]


def test_names_with_quotes_and_newlines(own, kinds):
    name = 'a "b"\n[c]\\'
    own({"AU12": [{"kind": "shape_key", "name": name}]}, fingerprint={"shape_keys": [name]})
    face = mesh('Fa"ce\n', [name])
    drive(face.data.shape_keys, f'key_blocks["{bpy.utils.escape_identifier(name)}"].value')
    assert kinds(face) == {face.name: ["driven"]}
    bpy.ops.bdfm.mend(character=face.name, kind="driven")
    assert kinds(face) == {face.name: []}


@pytest.mark.parametrize("where", ["strip", "kept action", "driver", "another rig's action"])
def test_quaternions_are_refused_where_euler_angles_are_moved_from_elsewhere(own, kinds, where):
    own({"AU26": [{"kind": "bone_rotation", "bone": "jaw", "axis": "y", "degrees": 85}], **SMILE})
    rig = armature("Rig", {"jaw": "XYZ"})
    mesh("Face", ["smile"], rig)
    path = 'pose.bones["jaw"].rotation_euler'
    moved = armature("Other", {"jaw": "XYZ"}) if where == "another rig's action" else rig
    if where == "driver":
        drive(rig, path, 1)
    else:
        moved.keyframe_insert(path, frame=1)
    if where == "strip":
        rig.animation_data.nla_tracks.new().strips.new("walk", 1, rig.animation_data.action)
    if where in ("strip", "kept action"):
        rig.animation_data.action.use_fake_user = True
        rig.animation_data.action = None
    select(rig)
    if moved != rig:
        assert bpy.ops.bdfm.mend(character="Rig", kind="gimbal") == {"FINISHED"}
        return
    with pytest.raises(RuntimeError, match="drivers" if where == "driver" else "keyframes on its Euler angles"):
        bpy.ops.bdfm.mend(character="Rig", kind="gimbal")
    assert rig.pose.bones["jaw"].rotation_mode == "XYZ"
