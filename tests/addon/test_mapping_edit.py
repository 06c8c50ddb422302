# SPDX-License-Identifier: MIT
"""Mappings of the artist's own: edited, saved, read back the same; poses that become targets."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from rigs import MAPPINGS, bone

from bdfm_infer.parameters import AU_NAMES
from blender_addon.core import mapping_edit as edit
from blender_addon.core.errors import AddonError, MappingError
from blender_addon.core.mapping import SOURCES, Mapping
from blender_addon.core.matching import resolve, score
from blender_addon.core.pose import BonePose, Pose, captured
from blender_addon.core.retarget import retarget
from blender_addon.core.rig import PropertyOwner, Rig
from blender_addon.core.targets import KINDS

NASTY = 'a "quoted"\nname\\ [1]*?'


@pytest.mark.parametrize("path", sorted(p for p in MAPPINGS.glob("*.json") if p.name != "schema.json"))
def test_a_mapping_taken_apart_and_put_together_is_the_same(path, tmp_path):
    mapping = Mapping.load(path)
    again = edit.with_targets(mapping, edit.target_data(mapping))
    assert again == mapping
    saved = edit.save_own(edit.own_copy(again, "mine", "Mine"), tmp_path / "new" / "folder")
    assert Mapping.load(saved) == edit.own_copy(mapping, "mine", "Mine")


def test_edits_of_targets(data):
    mapping = Mapping.from_dict(data)
    targets = edit.target_data(mapping)
    targets = [item for item in targets if item[0] != "AU05"]
    targets.append(("AU01", edit.new_target("AU01", "shape_key", NASTY)))
    targets[0][1]["weight"] = 0.25
    changed = edit.with_targets(mapping, targets)
    assert "AU05" not in changed.channels
    assert list(changed.channels) == [source for source in SOURCES if source in changed.channels]
    assert changed.channels["AU01"][0].name == NASTY
    assert changed.channels["AU12"][0].weight == 0.25
    with pytest.raises(MappingError, match="weight"):
        edit.with_targets(mapping, [("AU01", {"kind": "shape_key", "name": "x", "weight": float("nan")})])


def test_unknown_keys_and_sources_stay(data):
    data["channels"]["AU99"] = [{"any": "thing"}]
    data["channels"]["AU12"][0]["curve"] = "soft"
    mapping = Mapping.from_dict(data)
    written = edit.with_targets(mapping, edit.target_data(mapping)).to_dict()
    assert written["channels"]["AU99"] == [{"any": "thing"}]
    assert written["channels"]["AU12"][0]["curve"] == "soft"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", ["AU01", "yaw"])
def test_every_kind_of_target_can_be_added(data, kind, source):
    target = edit.new_target(source, kind, "lip_L", "jaw", "pose_bone")
    changed = edit.with_targets(Mapping.from_dict(data), [(source, target)])
    added = changed.channels[source][0]
    assert added.side == "left"
    assert added.per_unit == target.get(edit.amount_key(kind, source), 1)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("lip.L", "left"), ("AU_05_R_UpperLidRaiser", "right"), ("Bip01 LEyeBlinkTop", "left"), ("rightBrow", "right"),
        ("L_brow", "left"), ("CTRL_R_mouth_cornerPull", "right"), ("LipUp", ""), ("Rotate", ""), ("upper_lip", ""),
        ("jawLeft", "left"), ("LOD0_head", ""), ("alright now", ""), ("", ""),
    ],
)  # fmt: skip
def test_sides_in_names(name, side):
    assert edit.side_of(name) == side


def test_a_bone_added_to_the_head_turns_as_the_head_does():
    turns = {source: edit.new_target(source, "bone_rotation", "head") for source in ("yaw", "pitch", "roll")}
    shipped = Mapping.load(MAPPINGS / "arkit.json").channels
    for source, data in turns.items():
        assert (data["axis"], data["degrees_per_degree"]) == (shipped[source][0].axis, shipped[source][0].per_unit)


def test_the_head_bone_is_the_one_that_makes_all_of_its_turns():
    targets = edit.head_targets("skull")
    assert edit.head_bone(targets) == "skull"
    assert edit.head_bone(targets[:2]) == ""
    assert edit.head_bone([*targets[:2], *edit.head_targets("neck")[2:]]) == ""
    assert edit.head_bone([*targets, *edit.head_targets("neck")]) == ""


def test_a_chosen_head_bone_is_the_end_of_up(data):
    mapping = Mapping.from_dict(
        data | {"directions": {"left": ["eye.R", "eye.L"], "up": ["hips", "head"]}, "aliases": {"head": ["Bip01 Head"]}}
    )
    chosen = edit.with_head(mapping, "skull")
    assert chosen.aliases["head"] == ("skull", "Bip01 Head")
    assert edit.with_head(chosen, "skull") == chosen and edit.with_head(chosen, "head") == chosen
    without = replace(mapping, directions={})
    assert edit.with_head(without, "skull") == without


def test_nothing_is_overwritten_unasked(data, tmp_path):
    mapping = Mapping.from_dict(data)
    path = edit.save_own(mapping, tmp_path)
    path.write_text("the artist's")
    with pytest.raises(edit.MappingExistsError, match="is there already"):
        edit.save_own(mapping, tmp_path)
    assert path.read_text() == "the artist's"
    edit.save_own(mapping, tmp_path, overwrite=True)
    assert Mapping.load(path) == mapping


def test_a_mapping_that_cannot_be_put_in_its_place_leaves_nothing_behind(data, tmp_path):
    (tmp_path / "small.json").mkdir()
    with pytest.raises(MappingError, match="cannot be written"):
        Mapping.from_dict(data).save(tmp_path / "small.json")
    assert [path.name for path in tmp_path.iterdir()] == ["small.json"]


def test_a_mapping_is_saved_into_the_file_that_has_its_id(data, tmp_path):
    mapping = Mapping.from_dict(data)
    mapping.save(tmp_path / "old name.json")
    assert edit.save_own(replace(mapping, name="New"), tmp_path, overwrite=True) == tmp_path / "old name.json"
    assert [path.name for path in tmp_path.iterdir()] == ["old name.json"]


def test_a_file_with_another_id_is_never_overwritten(data, tmp_path):
    other = replace(Mapping.from_dict(data), id="other")
    other.save(tmp_path / "Small.json")
    assert edit.save_own(Mapping.from_dict(data), tmp_path) == tmp_path / "small_2.json"
    assert Mapping.load(tmp_path / "Small.json") == other


def test_a_folder_that_cannot_be_made_is_a_report(data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AddonError, match="preferences"):
        edit.save_own(Mapping.from_dict(data), tmp_path / "file" / "folder")


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("My Hero", "my_hero"), ("../../etc/passwd", "etc_passwd"), ("C:\\x.json", "c_x_json"), ("NUL", "nul_rig"),
        ("schema", "schema_rig"), ("ヒーロー", "ヒーロー"), ('"\n', "mapping"), ("", "mapping"), ("x" * 300, "x" * 60),
    ],
)  # fmt: skip
def test_ids_are_file_names_everywhere(name, identifier):
    assert edit.identifier_for(name) == identifier
    second = edit.identifier_for(name, [identifier])
    assert second == f"{identifier[:55]}_2" and edit.identifier_for(second) == second


def test_a_blank_mapping_fits_its_rig_and_lends_the_head(rig, data):
    known = edit.with_targets(Mapping.from_dict(data), edit.head_targets("head"))
    like = replace(known, aliases={"head": ("Bip01 Head",)})
    blank = edit.blank_mapping("mine", "Mine", rig, like)
    assert score(blank, rig) == 1
    assert edit.head_bone(edit.target_data(blank)) == "head" and blank.combine == like.combine
    headed = edit.blank_mapping("mine", "Mine", replace(rig, bones={"Bip01_Head": bone()}), like)
    assert edit.head_bone(edit.target_data(headed)) == "Bip01_Head"
    headless = edit.blank_mapping("mine", "Mine", replace(rig, bones={}), like)
    assert headless.channels == {}
    with pytest.raises(AddonError, match="Empty"):
        edit.blank_mapping("mine", "Mine", Rig("Empty"))


def test_the_fingerprint_of_what_is_moved(data):
    mapping = edit.finished(Mapping.from_dict(data))
    assert set(mapping.fingerprint.shape_keys) == {"wide_L", "wide_R", "smile_L", "smile_R"}
    assert set(mapping.fingerprint.bones) == {"lip", "jaw"}
    many = edit.with_targets(mapping, [("AU01", edit.new_target("AU01", "shape_key", f"k{i}")) for i in range(99)])
    names = edit.finished(many).fingerprint.shape_keys
    assert len(names) <= edit.FINGERPRINT_NAMES and names[0] == "k0"


def test_a_closed_eye_weakens_a_raised_lid_without_sides_as_well(data, rig):
    base = Mapping.from_dict(data)
    sided = edit.finished(base)
    assert {rule.on for rule in sided.combine} == {"left", "right"}
    wide = edit.with_targets(base, [("AU05", {"kind": "shape_key", "name": "wide_L"})])
    (channel,) = retarget(resolve(edit.finished(wide), rig), _values(AU05=0.8, eye_closed_left=1))[:1]
    assert channel.values == pytest.approx(0)


def _values(**units):
    return np.array([[units.get(source, 0.0) for source in SOURCES]])


def test_swapped_sides_come_back(data):
    mapping = Mapping.from_dict(data)
    swapped = edit.swapped_sides(mapping)
    assert [target.side for target in swapped.channels["AU05"]] == ["right", "left"]
    assert swapped.combine == mapping.combine
    assert edit.swapped_sides(swapped) == mapping


@pytest.fixture
def posed_rig():
    return Rig(
        "Hero",
        shape_keys={"Head": ("smile.L", "fat", "blink"), "Lashes": ("blink",), "Teeth[1]": ("blink",)},
        bones={"jaw": bone(length=0.1), "lip.R": bone(length=0.02)},
        properties=(PropertyOwner("object", "Hero", ("open",)), PropertyOwner("pose_bone", "jaw", ("ik",))),
    )


REST = Pose(
    keys={"Head": {"smile.L": 0.0, "fat": 0.5, "blink": 0.0}, "Lashes": {"blink": 0.0}, "Teeth[1]": {"blink": 0.0}},
    bones={"jaw": BonePose(), "lip.R": BonePose()},
    properties={("object", "Hero", "open"): 0.0, ("pose_bone", "jaw", "ik"): 1.0},
)


@pytest.mark.parametrize(("owners", "objects"), [(("Hero",), None), (("Hero", "Hat[1]"), ["Hat[[]1]"])])
def test_a_property_that_several_objects_have_is_that_of_the_moved_one(posed_rig, owners, objects):
    moved = owners[-1]
    rest = Pose(properties={("object", owner, "open"): 0.0 for owner in owners})
    pose = Pose(properties={("object", owner, "open"): float(owner == moved) for owner in owners})
    (target,) = captured(pose, rest, posed_rig).targets
    assert target.get("objects") == objects


def test_a_pose_brings_the_rig_where_it_was(posed_rig):
    pose = Pose(
        keys={"Head": {"smile.L": 1.3, "fat": 0.5, "blink": 0.7}, "Lashes": {"blink": 0.7}, "Teeth[1]": {"blink": 0.7}},
        bones={"jaw": BonePose(rotation=(30.0, -4.0, 2.0)), "lip.R": BonePose((0.01, 0, -0.004), scale=(1, 1.2, 1))},
        properties={("object", "Hero", "open"): -2.0, ("pose_bone", "jaw", "ik"): 1.0},
    )
    result = captured(pose, REST, posed_rig)
    assert not result.notes
    mapping = edit.with_targets(
        edit.blank_mapping("mine", "Mine", posed_rig), [("AU12", target) for target in result.targets]
    )
    values = np.zeros((1, len(SOURCES)))
    values[0, SOURCES.index("AU12")] = 1
    found = {
        (channel.owner, channel.kind, channel.name, channel.index): channel.values[0]
        for channel in retarget(resolve(mapping, posed_rig), values)
    }
    assert np.degrees(found.pop(("jaw", "bone_rotation", "", None))) == pytest.approx((30, -4, 2), abs=1e-4)
    expected = {
        ("Head", "shape_key", "smile.L", None): 1.3, ("Head", "shape_key", "blink", None): 0.7,
        ("Lashes", "shape_key", "blink", None): 0.7, ("Teeth[1]", "shape_key", "blink", None): 0.7,
        ("lip.R", "bone_location", "", 0): 0.01, ("lip.R", "bone_location", "", 2): -0.004,
        ("lip.R", "bone_scale", "", 1): 1.2, ("Hero", "custom_property", "open", None): -2.0,
    }  # fmt: skip
    assert found == pytest.approx(expected)
    sides = {target.get("name") or target["bone"]: target.get("side") for target in result.targets}
    assert sides == {"smile.L": "left", "blink": None, "open": None, "jaw": None, "lip.R": "right"}


def test_slips_of_the_hand_are_left_out(posed_rig):
    pose = Pose(
        keys={"Head": {"smile.L": 0.009, "fat": 0.492, "blink": 0.0}, "Lashes": {}, "Teeth[1]": {}},
        bones={"jaw": BonePose((1e-4, 0, 0), (0.1, 0.1, 0), (1.004, 1, 1)), "lip.R": BonePose((3e-5, 0, 0))},
        properties={("object", "Hero", "open"): 0.005, ("pose_bone", "jaw", "ik"): 1.0},
    )
    assert captured(pose, REST, posed_rig).targets == ()


def test_a_key_that_moves_on_one_mesh_alone_names_it(posed_rig):
    pose = Pose(keys={"Head": {"blink": 0.0}, "Lashes": {"blink": 0.0}, "Teeth[1]": {"blink": 0.7}})
    (target,) = captured(pose, REST, posed_rig).targets
    mapping = edit.with_targets(edit.blank_mapping("mine", "Mine", posed_rig), [("AU12", target)])
    assert [place.owner for place in resolve(mapping, posed_rig).targets] == ["Teeth[1]"]


def test_locations_in_reference_lengths(posed_rig):
    pose = Pose(bones={"lip.R": BonePose((0.03, 0, 0))})
    (target,) = captured(pose, REST, posed_rig, ("eyes", 0.06)).targets
    assert target["amount"] == pytest.approx(0.5) and target["reference"] == "eyes"


def test_noise_of_an_import_is_no_rest_pose(posed_rig):
    rest = Pose(bones={"jaw": BonePose((1e-6, 0, 0), (1e-3, 0, 0), (1.00001, 1, 1))})
    pose = Pose(bones={"jaw": BonePose(rotation=(30.0, 0, 0))})
    assert not captured(pose, rest, posed_rig).notes


def test_what_does_not_rest_at_zero_is_said(posed_rig):
    pose = Pose(keys={"Head": {"fat": 1.0}}, properties={("pose_bone", "jaw", "ik"): 0.0})
    notes = captured(pose, REST, posed_rig).notes
    assert len(notes) == 2 and "'fat' rests at 0.50" in notes[0] and "'ik' rests at 1.00" in notes[1]


def test_every_action_unit_has_a_small_picture():
    folder = MAPPINGS.parent / "blender_addon" / "pictures"
    files = sorted(folder.iterdir())
    assert {path.stem for path in files} == set(AU_NAMES)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files)
    assert sum(path.stat().st_size for path in files) < 400_000


def test_saved_mappings_are_plain_json(data, tmp_path):
    path = edit.save_own(Mapping.from_dict(data), tmp_path)
    assert json.loads(path.read_text(encoding="utf-8"))["id"] == "small"
