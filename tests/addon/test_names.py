# SPDX-License-Identifier: MIT
"""Names are told apart as a person would tell them apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.core.names import Name, NameIndex, normalise


@pytest.mark.parametrize(
    ("spelling", "stem", "side"),
    [
        ("browDownLeft", "browdown", "left"),  # Apple, VRM, MPFB
        ("BrowDownLeft", "browdown", "left"),  # Live Link Face, Daz exports
        ("browDown_L", "browdown", "left"),  # Face Cap, ICT-FaceKit
        ("Brow_Down_Left", "browdown", "left"),
        ("brow down.l", "browdown", "left"),
        ("browDownL", "browdown", "left"),  # MetaHuman
        ("brow-down-right", "browdown", "right"),
        ("!ex-browDownRight", "browdown", "right"),
        ("A03_Brow_Down_Right", "browdown", "right"),  # CC3 Traditional
        ("AK_02_BrowDownRight", "browdown", "right"),  # Rocketbox
        ("BlendShape.BrowDownRight", "browdown", "right"),  # VRM 0 clips
        ("blendShape1.browDownRight", "browdown", "right"),  # Maya
        ("Face.M_F00_000_00_Fcl_EYE_Close_L", "fcleyeclose", "left"),  # VRoid, merged
        ("Fcl_EYE_Close_L", "fcleyeclose", "left"),
        ("ｳｨﾝｸ２右", "ウィンク2右", ""),  # MikuMikuDance, in half-width letters
        ("ウィンク２右", "ウィンク2右", ""),
        ("jawOpen", "jawopen", ""),
        ("eye.L", "eye", "left"),
        ("lid.T.L.002", "lidtl002", ""),
        ("mixamorig:Head", "head", ""),
        ("Left", "left", ""),
        ("BALL", "ball", ""),
        ("__", "", ""),
    ],
)
def test_spellings(spelling: str, stem: str, side: str) -> None:
    assert normalise(spelling) == Name(stem, side)


@given(
    words=st.lists(st.from_regex(r"[a-z]{2,6}", fullmatch=True), min_size=1, max_size=4),
    separator=st.sampled_from(["", "_", ".", "-", " "]),
    case=st.sampled_from([str.lower, str.upper, str.title]),
)
def test_case_and_separators_do_not_matter(words: list[str], separator: str, case: object) -> None:
    plain = "".join(words)
    written = separator.join(case(word) for word in words) + "_L"  # type: ignore[operator]
    assert normalise(written) == Name(plain, "left")


@given(st.text(max_size=30))
def test_any_text_has_a_normal_form(text: str) -> None:
    name = normalise(text)
    assert name.side in ("", "left", "right")
    assert name.stem == name.stem.casefold()


def test_the_nearest_spelling_wins() -> None:
    index = NameIndex(["AK_25_JawOpen", "Jaw_Open", "jawOpen"])
    assert index.find("jawOpen") == ("jawOpen",)
    assert NameIndex(["AK_25_JawOpen", "Jaw_Open"]).find("jawOpen") == ("Jaw_Open",)
    assert NameIndex(["SR_21_Jaw_Open", "AK_25_JawOpen"]).find("jawOpen") == ("AK_25_JawOpen",)


@pytest.mark.parametrize(
    "name",
    [
        "Head_blendShape.browDown_L",  # Maya's FBX export
        "Facial_Blends.BrowDown_Left",
        "Face:browDownLeft",
        "Genesis9__BrowDownLeft",  # Daz Studio's bridge
        "char:BS_node.browDownL",
    ],
)
def test_what_a_mesh_or_node_is_called_does_not_matter(name: str) -> None:
    index = NameIndex(["other", name], pairs=True)
    assert index.find("browDownLeft") == (name,)
    assert index.find("browDownRight") == ()
    assert NameIndex([name, "A02_Brow_Down_Left"]).find("browDownLeft") == ("A02_Brow_Down_Left",)


@pytest.mark.parametrize("name", ["lip.T.L.001", "brow.T.L", "jaw.x", "Bip01 L.Eye", "vrc.v_aa"])
def test_no_side_or_number_is_taken_for_a_name(name: str) -> None:
    index = NameIndex([name])
    assert [index.find(part) for part in ("001", "L", "x", "T.L", "aa", "v_aa")] == [()] * 6


def test_aliases_come_after_the_name() -> None:
    index = NameIndex(["eyesWide", "EYE_Spread"])
    assert index.find("eyeSpread", "eyesWide") == ("EYE_Spread",)
    assert index.find("lidsUp", "eyesWide") == ("eyesWide",)
    assert index.find("lidsUp", "lidsOpen") == ()


def test_left_and_right_never_stand_for_each_other() -> None:
    index = NameIndex(["smile_R", "smile"])
    assert index.find("smileLeft") == ()
    assert index.find("smileRight") == ("smile_R",)


def test_a_name_without_side_may_stand_for_a_pair() -> None:
    names = ["browInnerUp_L", "browInnerUp_R", "jawLeft"]
    assert NameIndex(names, pairs=True).find("browInnerUp") == ("browInnerUp_L", "browInnerUp_R")
    assert NameIndex(names).find("browInnerUp") == ()
    assert NameIndex(names, pairs=True).find("jaw") == ()


def test_nearest_names_help_with_typing_errors() -> None:
    index = NameIndex(["MouthSmile_L", "MouthSmile_R", "JawOpen", "cheekPuff"])
    assert index.nearest("mouthSmilesLeft")[0] == "MouthSmile_L"
    assert index.nearest("zzz") == ()
