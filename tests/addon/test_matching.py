# SPDX-License-Identifier: MIT
"""Choosing a mapping by a rig's names, and laying it over the rig."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rigs import FACE_FORWARD, MAPPINGS, bone

from blender_addon.core.errors import NoMappingError
from blender_addon.core.mapping import Mapping, load_folder
from blender_addon.core.matching import choose, rank, resolve, score
from blender_addon.core.rig import Bone, PropertyOwner, Rig
from blender_addon.core.targets import BoneTarget, CustomProperty, ShapeKey

SHIPPED = list(load_folder(MAPPINGS)[0].values())
SIDES = (("Left", "_L"), ("Right", "_R"))
CHARACTERS = {
    "rocketbox-female01-facial": "rocketbox_au",
    "rocketbox-male08-bones": "rocketbox_bones",
    "vroid-vivi": "vrm_vroid",
    "froggy-visemes": "visemes",
    "chubby-cat": "vrm_presets",
    "godette-vrm": "vrm_presets",
    "robot-expressive": None,
    "makehuman-default": "mpfb_default",
    "ict-facekit": "arkit",
}


def imported(character: str) -> Rig:
    """The names of a character as Blender's importers give them, out of the log that lies beside it."""
    folder = Path(os.environ["BDFM_SOURCES"]) / "characters"
    (log,) = folder.glob("import_check_bpy*.txt")
    part = next(p for p in log.read_text(encoding="utf-8").split("##### ") if p.startswith(character))
    keys: dict[str, tuple[str, ...]] = {}
    bones: dict[str, Bone] = {}
    mesh = ""
    for line in part.splitlines():
        kind, _, rest = line.strip().partition(" ")
        if kind == "MESH":
            mesh = rest
        elif kind == "KEYS":
            keys[mesh] = tuple(json.loads(rest)[1:])
        elif kind == "BONES":
            bones = {name: bone(x=i) for i, name in enumerate(json.loads(rest))}
    return Rig(character, keys, bones)


def rig_of(mapping: Mapping, spell: Any = str) -> Rig:
    """A rig with every name that a mapping uses, each spelled by ``spell``."""
    targets = [target for channel in mapping.channels.values() for target in channel]
    mark = mapping.fingerprint
    keys = {target.name for target in targets if isinstance(target, ShapeKey)} | set(mark.shape_keys)
    properties = {target.name for target in targets if isinstance(target, CustomProperty)} | set(mark.properties)
    measured = [name for names in mapping.reference_lengths.values() for name in names]
    bones = {target.bone for target in targets if isinstance(target, BoneTarget)} | {*measured, *mark.bones}
    return Rig(
        "Hero",
        {"Face": tuple(map(spell, sorted(keys)))},
        {spell(name): bone(x=i, z=1) for i, name in enumerate(sorted(bones))},
        (PropertyOwner("object", "Hero", tuple(map(spell, sorted(properties)))),),
    )


@pytest.mark.parametrize("mapping", SHIPPED, ids=lambda mapping: mapping.id)
@pytest.mark.parametrize("spell", [str, lambda name: name.replace("_", "."), lambda name: f"!ex-{name}"])
def test_each_family_is_recognised_and_complete(mapping: Mapping, spell: Any) -> None:
    rig = rig_of(mapping, spell)
    fits = choose(SHIPPED, rig)
    assert [fit.mapping.id for fit in fits] == [mapping.id]
    assert fits[0].score == 1
    assert resolve(mapping, rig).missing == ()


@pytest.mark.parametrize("family", ["arkit", "rigify_legacy", "rigify_face", "vrm_vroid", "cc3_plus", "mpfb_default"])
def test_names_in_capitals_are_the_same_names(family: str) -> None:
    mapping = next(mapping for mapping in SHIPPED if mapping.id == family)
    assert [fit.mapping.id for fit in choose(SHIPPED, rig_of(mapping, str.upper))] == [family]


SIDED = ("browDown*", "eyeBlink*", "mouthSmile*", "noseSneer*", "cheekSquint*")
SPELLINGS = {
    "Live Link Face": lambda name: name[0].upper() + name[1:].replace("*", "Left"),
    "Face Cap, ICT-FaceKit": lambda name: name.replace("*", "_L"),
    "MPFB": lambda name: "!ex-" + name.replace("*", "Left"),
    "Rocketbox": lambda name: "AK_07_" + name[0].upper() + name[1:].replace("*", "Left"),
    "CC3 Traditional": lambda name: "A07_" + re.sub("(?=[A-Z])", "_", name[0].upper() + name[1:].replace("*", "Left")),
    "VRM 0 clips": lambda name: "BlendShape." + name[0].upper() + name[1:].replace("*", "Left"),
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_arkit_in_all_its_spellings(spell: Any) -> None:
    both = [spell(name).replace("Left", side).replace("_L", mark) for name in SIDED for side, mark in SIDES]
    rig = Rig("Hero", {"Face": (*both, *map(spell, ("jawOpen", "browInnerUp", "mouthPucker")))})
    assert [fit.mapping.id for fit in choose(SHIPPED, rig)] == ["arkit"]


def test_what_a_rig_has_more_of_comes_first() -> None:
    """Rocketbox's woman has ARKit keys, AU keys and face bones; her own AU keys are taken, the rest can be chosen."""
    by_id = {mapping.id: rig_of(mapping) for mapping in SHIPPED}
    au, arkit, bones = by_id["rocketbox_au"], by_id["arkit"], by_id["rocketbox_bones"]
    rig = Rig("Woman", {"Face": (*au.shape_keys["Face"], *arkit.shape_keys["Face"])}, bones.bones)
    assert [fit.mapping.id for fit in choose(SHIPPED, rig)] == ["rocketbox_au"]
    assert [fit.mapping.id for fit in rank(SHIPPED, rig) if fit.fits] == ["rocketbox_au", "arkit", "rocketbox_bones"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("arkit", "mpfb_default"),  # MPFB with its face units
        ("arkit", "vrm_vroid"),  # VRoid with Perfect Sync
        ("arkit", "visemes"),  # Ready Player Me
        ("arkit", "ready_player_me_small"),
        ("humgen3d", "arkit"),
        ("genesis81", "genesis81_keys"),  # properties that drive the keys
        ("genesis9", "genesis9_keys"),
        ("genesis81", "genesis8"),  # 8.1 has the sliders of 8 as well
        ("genesis81_keys", "genesis8_keys"),
        ("genesis8", "genesis8_keys"),
    ],
)
def test_a_rig_of_two_families_is_moved_by_the_first(first: str, second: str) -> None:
    one, two = (rig_of(mapping) for name in (first, second) for mapping in SHIPPED if mapping.id == name)
    keys = {"Face": tuple({*one.shape_keys["Face"], *two.shape_keys["Face"]})}
    both = Rig("Hero", keys, {**one.bones, **two.bones}, (*one.properties, *two.properties))
    assert [fit.mapping.id for fit in choose(SHIPPED, both)] == [first]


@pytest.mark.skipif("BDFM_SOURCES" not in os.environ, reason="BDFM_SOURCES names no folder with characters")
@pytest.mark.parametrize(("character", "family"), CHARACTERS.items())
def test_characters_of_others_are_told_by_their_names(character: str, family: str | None) -> None:
    rig = imported(character)
    if family is None:
        with pytest.raises(NoMappingError):
            choose(SHIPPED, rig)
    else:
        assert [fit.mapping.id for fit in choose(SHIPPED, rig)] == [family]


def test_the_score_is_the_share_of_the_fingerprint(data: dict[str, Any], rig: Rig) -> None:
    mapping = Mapping.from_dict(data)
    assert score(mapping, rig) == 1
    assert score(mapping, replace(rig, bones={})) == pytest.approx(2 / 3)
    assert score(mapping, Rig("Cube")) == 0


def test_ties_are_shown(data: dict[str, Any], rig: Rig) -> None:
    first, second = Mapping.from_dict(data), Mapping.from_dict(data | {"id": "b", "confidence": "verified"})
    worse = Mapping.from_dict(data | {"id": "c", "fingerprint": {"bones": ["jaw", "tail"], "minimum": 0.5}})
    assert [fit.mapping.id for fit in choose([worse, first, second], rig)] == ["b", "small"]
    assert [fit.mapping.id for fit in rank([worse, first, second], rig)] == ["b", "small", "c"]


def test_the_artists_own_mapping_wins_a_tie(data: dict[str, Any], rig: Rig) -> None:
    ships = Mapping.from_dict(data | {"id": "a", "confidence": "verified"})
    copy, other = (Mapping.from_dict(data | {"id": name, "name": name}) for name in ("mine", "other"))
    assert [fit.mapping.id for fit in choose([ships, copy], rig, {"mine"})] == ["mine"]
    assert [fit.mapping.id for fit in choose([ships, copy, other], rig, {"mine", "other"})] == ["mine", "other"]
    worse = Mapping.from_dict(data | {"id": "mine", "fingerprint": {"bones": ["jaw", "tail"], "minimum": 0.5}})
    assert [fit.mapping.id for fit in choose([ships, worse], rig, {"mine"})] == ["a"]


def test_with_the_same_share_more_names_win(data: dict[str, Any], rig: Rig) -> None:
    one, three = Mapping.from_dict(data | {"id": "a", "fingerprint": {"bones": ["jaw"]}}), Mapping.from_dict(data)
    assert [fit.mapping.id for fit in choose([one, three], rig)] == ["small"]


def test_a_rig_that_fits_nothing_is_told_what_came_closest(data: dict[str, Any], rig: Rig) -> None:
    mapping = Mapping.from_dict(data | {"fingerprint": {"bones": ["jaw", "tail", "wing"], "minimum": 0.5}})
    with pytest.raises(NoMappingError, match=r"Hero: no mapping fits .* closest, Small, finds 33%"):
        choose([mapping], rig)
    far = Mapping.from_dict(data | {"fingerprint": {"bones": ["tail"]}})
    with pytest.raises(NoMappingError, match=r"Hero: no mapping fits the names of this rig\. .* Capture Pose as AU"):
        choose([far], rig)
    with pytest.raises(NoMappingError, match="Cube: no mapping fits, for it has no shape keys, bones"):
        choose([mapping], Rig("Cube", shape_keys={"Cube": ()}))
    with pytest.raises(NoMappingError, match="no mapping file"):
        choose([], rig)


def test_every_mesh_that_owns_a_key_is_driven(data: dict[str, Any], rig: Rig) -> None:
    places = resolve(Mapping.from_dict(data), rig).targets
    wide = [(place.owner, place.name) for place in places if place.source == "AU05" and place.target.side == "left"]
    assert wide == [("Head", "wide_L"), ("Lashes", "wide_L")]
    assert [(p.owner, p.name) for p in places if p.target.label == "smile_L"] == [("Head", "Smile.L")]


def test_a_filter_keeps_meshes_out(data: dict[str, Any], rig: Rig) -> None:
    data["channels"]["AU05"][0]["objects"] = ["la*"]
    places = resolve(Mapping.from_dict(data), rig).targets
    assert [place.owner for place in places if place.source == "AU05" and place.target.side == "left"] == ["Lashes"]


def test_missing_targets_are_listed_with_the_nearest_names(data: dict[str, Any], rig: Rig) -> None:
    data["channels"]["AU14"].append({"kind": "bone_rotation", "bone": "jaws", "axis": "x", "degrees": 1})
    data["channels"]["AU26"].append({"kind": "bone_rotation", "bone": "jaws", "axis": "z", "degrees": 1})
    data["channels"]["AU15"] = [{"kind": "shape_key", "name": "smiles_L"}]
    data["channels"]["AU16"] = [{"kind": "custom_property", "owner": "armature", "name": "opens"}]
    resolution = resolve(Mapping.from_dict(data), rig)
    assert resolution.report() == [
        "AU14, AU26: there is no bone 'jaws'. Nearest: jaw.",
        "AU15: no mesh has the shape key 'smiles_L'. Nearest: Smile.L, wide_L, Smile.R.",
        "AU16: there is no custom property 'opens'. Nearest: open.",
    ]
    assert len(resolution.targets) == len(resolve(Mapping.from_dict(data), rig).targets) > 0


def test_a_stand_in_is_used_where_the_rig_lacks_the_other(data: dict[str, Any], rig: Rig) -> None:
    """And then the other is not reported; where both are missing, it alone is."""
    data["channels"] = {
        "AU12": [
            {"kind": "shape_key", "name": "blink", "weight": 0.5, "instead_of": "smile_L"},
            {"kind": "shape_key", "name": "smile_L"},
        ],
        "AU05": [{"kind": "shape_key", "name": "wide_L", "instead_of": "removed"}],
    }

    def found(*keys: str) -> tuple[list[tuple[str, str]], list[str]]:
        resolution = resolve(Mapping.from_dict(data), replace(rig, shape_keys={"Head": ("wide_L", *keys)}))
        return [(place.source, place.name) for place in resolution.targets], [gap.name for gap in resolution.missing]

    alone = ("AU05", "wide_L")
    assert found("smile_L", "blink") == ([("AU12", "smile_L"), alone], [])
    assert found("blink") == ([("AU12", "blink"), alone], [])
    assert found() == ([alone], ["smile_L"])


def test_nothing_at_all_is_an_error(data: dict[str, Any]) -> None:
    with pytest.raises(NoMappingError, match="Cube: nothing of the mapping Small is on this rig"):
        resolve(Mapping.from_dict(data), Rig("Cube", {"Cube": ("Key 1",)}))


def test_reference_lengths_are_measured(data: dict[str, Any], rig: Rig) -> None:
    data["channels"]["AU14"][0]["reference"] = "jaw"
    places = resolve(Mapping.from_dict(data), rig).targets
    units = {place.source: place.unit for place in places if place.target.kind == "bone_location"}
    assert units == {"AU12": pytest.approx(0.06), "AU14": pytest.approx(0.1)}


@pytest.mark.parametrize(
    ("bones", "reason"),
    [
        ({"eye.R": None}, "the reference length 'eyes' needs the bone 'eye.R', which is missing"),
        ({"eye.R": bone(x=0.03)}, "the reference length 'eyes' is 0 on this rig"),
    ],
)
def test_without_a_reference_length_the_bone_stays_and_the_report_says_why(
    data: dict[str, Any], rig: Rig, bones: dict[str, Any], reason: str
) -> None:
    kept = {name: bone for name, bone in {**rig.bones, **bones}.items() if bone}
    resolution = resolve(Mapping.from_dict(data), replace(rig, bones=kept))
    assert [(m.sources, m.name, m.reason) for m in resolution.missing] == [(("AU12", "AU14"), "lip", reason)]


def test_aliases_of_a_mapping_hold_wherever_a_name_is_used(data: dict[str, Any], rig: Rig) -> None:
    renamed = {("Bip01 LEye" if name == "eye.L" else name): bone for name, bone in rig.bones.items()}
    data["aliases"] = {"eye.L": ["LeftEye", "Bip01 LEye"], "smile_L": ["grin_L"]}
    keys = {"Head": ("grin_L", *rig.shape_keys["Head"][1:])}
    resolution = resolve(Mapping.from_dict(data), replace(rig, bones=renamed, shape_keys=keys))
    assert resolution.missing == ()
    assert score(resolution.mapping, resolution.rig) == 1


def test_directions_of_the_character_in_the_space_of_a_bone(data: dict[str, Any], rig: Rig) -> None:
    """The head's y points up: turning about 'up' is turning about its y."""
    (head,) = (p for p in resolve(Mapping.from_dict(data), rig).targets if p.owner == "head")
    np.testing.assert_allclose(np.array(head.direction), (0, 1, 0), atol=1e-12)


@pytest.mark.parametrize(
    ("left", "up", "front"),
    [
        ((1, 0, 0), (0, 0, 1), (0, -1, 0)),  # Blender's front view
        ((-1, 0, 0), (0, 0, 1), (0, 1, 0)),  # a VRM 0 model in the glTF importer
        ((1, 0, 0), (0, 1, 0), (0, 0, 1)),  # the armature of an FBX file, which stands along y
    ],
)
@pytest.mark.parametrize("lean", [0.0, 0.4])
def test_directions_are_measured_on_the_rig(
    data: dict[str, Any], rig: Rig, left: Any, up: Any, front: Any, lean: float
) -> None:
    """Whichever way a character stands in its armature, even with one shoulder higher than the other."""
    data["directions"] = {"left": ["arm.R", "arm.L"], "up": ["hips", "head"]}
    axes = {"left": left, "up": up, "front": front}
    data["channels"] = {
        source: [{"kind": "bone_rotation", "bone": "head", "axis": axis, "degrees_per_degree": 1}]
        for source, axis in zip(("yaw", "pitch", "roll"), axes, strict=True)
    }
    arm = np.array(left) + lean * np.array(up)
    bones = {"arm.L": bone(*arm), "arm.R": bone(*-arm), "hips": bone(), "head": bone(*up)}
    targets = resolve(Mapping.from_dict(data), replace(rig, bones=bones)).targets
    for place, axis in zip(targets, axes.values(), strict=True):
        np.testing.assert_allclose(np.array(place.direction), axis, atol=1e-12)


@pytest.mark.parametrize(("sides", "sign"), [(("eye.R", "eye.L"), 1), (("eye.L", "eye.R"), -1)])
def test_other_bones_of_both_sides_tell_left_where_the_named_ones_are_missing(
    data: dict[str, Any], rig: Rig, sides: tuple[str, str], sign: int
) -> None:
    """A character without eye bones in an armature that stands along -y, as some importers leave it."""
    data["directions"] = {"left": list(sides), "up": ["hips", "head"]}
    data["channels"] = {
        "pitch": [{"kind": "bone_rotation", "bone": "head", "axis": "left", "degrees_per_degree": 1}],
        "yaw": [{"kind": "bone_rotation", "bone": "head", "axis": "up", "degrees_per_degree": 1}],
    }
    bones = {"Arm.L": bone(x=1), "Arm.R": bone(x=-1), "Foot.L": bone(x=9), "hips": bone(), "head": bone(y=-1)}
    pitch, yaw = resolve(Mapping.from_dict(data), replace(rig, bones=bones)).targets
    np.testing.assert_allclose(np.array(pitch.direction), (sign, 0, 0), atol=1e-12)
    np.testing.assert_allclose(np.array(yaw.direction), (0, -1, 0), atol=1e-12)


def test_without_the_bones_to_measure_it_a_character_faces_the_front_view(data: dict[str, Any], rig: Rig) -> None:
    data["directions"] = {"left": ["arm.R", "arm.L"], "up": ["hips", "head"]}
    data["channels"] = {"roll": [{"kind": "bone_rotation", "bone": "head", "axis": "front", "degrees_per_degree": 1}]}
    (head,) = resolve(Mapping.from_dict(data), replace(rig, bones={"head": bone(matrix=FACE_FORWARD)})).targets
    np.testing.assert_allclose(np.array(head.direction), (0, 0, 1), atol=1e-12)


def test_a_property_of_one_pose_bone_is_not_that_of_another(data: dict[str, Any], rig: Rig) -> None:
    places = resolve(Mapping.from_dict(data), rig).targets
    assert [(p.owner_kind, p.owner, p.name) for p in places if p.target.kind == "custom_property"] == [
        ("object", "Hero", "Smile"),
        ("pose_bone", "jaw", "open"),
    ]
    data["channels"]["AU26"][1]["bone"] = "lip"
    assert resolve(Mapping.from_dict(data), rig).report() == [
        "AU26: there is no custom property 'open'. Nearest: open."
    ]


@pytest.mark.parametrize(
    ("pattern", "mesh"), [("face [LOD0]", "Face [LOD0]"), ("Face ?", "Face R"), ("Face [LR]", "Face R")]
)
def test_objects_by_name_and_by_pattern(data: dict[str, Any], pattern: str, mesh: str) -> None:
    data["channels"] = {"AU12": [{"kind": "shape_key", "name": "smile", "objects": [pattern]}]}
    found = resolve(Mapping.from_dict(data), Rig("Hero", {"Face [LOD0]": ("smile",), "Face R": ("smile",)})).targets
    assert [place.owner for place in found] == [mesh]
