# SPDX-License-Identifier: MIT
"""Shape keys as tools and communities publish them: the mapping is found, it is complete, and sides stay apart."""

from __future__ import annotations

import re

import pytest
from rigs import MAPPINGS, bone

from bdfm_infer.parameters import AU_NAMES
from blender_addon.core.mapping import load_folder
from blender_addon.core.matching import Resolution, choose, resolve
from blender_addon.core.rig import Rig

SHIPPED = list(load_folder(MAPPINGS)[0].values())
EYES = ("eye_closed_left", "eye_closed_right")
JAW = ("jaw_left", "jaw_right")


def both(names: str, marks: tuple[str, str] = ("Left", "Right")) -> list[str]:
    """Names with a ``*`` for the side, for both sides."""
    return list(dict.fromkeys(name.replace("*", mark) for name in names.split() for mark in marks))


ARKIT = both(
    "browInnerUp browDown* browOuterUp* eyeBlink* eyeSquint* eyeWide* cheekPuff cheekSquint* noseSneer* jawOpen "
    "jawForward jaw* mouthFunnel mouthPucker mouth* mouthRollUpper mouthRollLower mouthShrugUpper mouthShrugLower "
    "mouthClose mouthSmile* mouthFrown* mouthDimple* mouthUpperUp* mouthLowerDown* mouthPress* mouthStretch* tongueOut"
)
VISEMES = [f"vrc.v_{name}" for name in both("sil pp ff th dd kk ch ss nn rr aa e ih oh ou")]
MOODS = both("A I U E O Joy Angry Sorrow Fun")
MMD = both(
    "真面目 困る にこり 怒り 上 下 まばたき 笑い なごみ はぅ びっくり じと目 瞳小 "
    "あ い う え お ▲ ∧ ω にやり ぺろっ 口角上げ"
)
UNIFIED = both(
    "EyeClosed* EyeSquint* EyeWide* BrowPinch* BrowLowerer* BrowInnerUp* BrowOuterUp* NoseSneer* CheekSquint* "
    "CheekPuff* JawOpen MouthClosed Jaw* JawForward LipSuckUpper* LipSuckLower* LipFunnelUpper* LipFunnelLower* "
    "LipPuckerUpper* LipPuckerLower* MouthUpperUp* MouthLowerDown* MouthUpper* MouthLower* MouthCornerPull* "
    "MouthCornerSlant* MouthFrown* MouthStretch* MouthDimple* MouthRaiserUpper MouthRaiserLower MouthPress* "
    "MouthTightener* TongueOut"
)
UNIFIED_BLENDED = both(
    "EyeClosed* EyeSquint* EyeWide* BrowDown* BrowInnerUp BrowOuterUp* NoseSneer CheekSquint* JawOpen MouthClosed Jaw* "
    "JawForward LipSuckUpper LipSuckLower LipFunnel LipPucker MouthUpperUp* MouthLowerDown* MouthSmile* MouthSad* "
    "MouthStretch* MouthDimple* MouthRaiserUpper MouthRaiserLower MouthPress* MouthTightener* TongueOut"
)
SRANIPAL = both(
    "Eye_*_Blink Eye_*_Wide Eye_*_Left Eye_*_Right Eye_*_Up Eye_*_Down Eye_*_Squeeze Eye_Frown Jaw_* Jaw_Forward "
    "Jaw_Open Mouth_Ape_Shape Mouth_Upper_* Mouth_Lower_* Mouth_Upper_Overturn Mouth_Lower_Overturn Mouth_Pout "
    "Mouth_Smile_* Mouth_Sad_* Cheek_Puff_* Cheek_Suck Mouth_Upper_Up* Mouth_Lower_Down* Mouth_Upper_Inside "
    "Mouth_Lower_Inside Mouth_Lower_Overlay Tongue_LongStep1"
)
META = both(
    "EYES_CLOSED_* LID_TIGHTENER_* UPPER_LID_RAISER_* BROW_LOWERER_* INNER_BROW_RAISER_* OUTER_BROW_RAISER_* "
    "NOSE_WRINKLER_* CHEEK_RAISER_* CHEEK_PUFF_* JAW_DROP LIPS_TOWARD JAW_THRUST LIP_PUCKER_* UPPER_LIP_RAISER_* "
    "LOWER_LIP_DEPRESSOR_* LIP_CORNER_PULLER_* LIP_CORNER_DEPRESSOR_* LIP_STRETCHER_* DIMPLER_* CHIN_RAISER_T "
    "CHIN_RAISER_B LIP_PRESSOR_* LIP_TIGHTENER_*",
    ("L", "R"),
) + both("JAW_SIDEWAYS_*", ("LEFT", "RIGHT"))
CC_STANDARD = both(
    "Brow_Raise_Inner_* Brow_Raise_Outer_* Brow_Drop_* Eye_Blink_* Eye_Squint_* Eye_Wide_* Nose_Sneer_* Cheek_Raise_* "
    "Cheek_Puff_* Mouth_Smile_* Mouth_Frown_* Mouth_Stretch_* Mouth_Dimple_* Mouth_Press_* Mouth_Pucker Mouth_Funnel "
    "Mouth_Roll_In_Upper Mouth_Roll_In_Lower Mouth_* Mouth_Shrug_Upper Mouth_Shrug_Lower Mouth_Up_Upper_* "
    "Mouth_Down_Lower_* Mouth_Close Jaw_Open Jaw_Forward Jaw_*",
    ("L", "R"),
)
CC_TRADITIONAL = [f"A{number:02}_{re.sub('(?=[A-Z])', '_', name[0].upper() + name[1:])[1:]}"
                  for number, name in enumerate(ARKIT, start=1)] + both(
    "Brow_Raise_Inner_* Brow_Raise_Outer_* Brow_Drop_*") + both(
    "Eye_Blink_* Eye_Wide_* Eye_Squint_* Nose_Scrunch Cheek_Raise_* Mouth_Smile_* Mouth_Frown_* Mouth_Pucker "
    "Mouth_Open Mouth_Widen_Sides Mouth_Dimple_*",
    ("L", "R"),
)  # fmt: skip
MIXAMO = both(
    "Blink_* BrowsDown_* BrowsIn_* BrowsOuterLower_* BrowsUp_* CheekPuff_* EyesWide_* Frown_* JawForeward Jaw_Down "
    "Jaw_* Jaw_Up LowerLipDown_* LowerLipIn LowerLipOut Midmouth_* MouthDown MouthNarrow_* MouthOpen MouthUp "
    "MouthWhistle_NarrowAdjust_* NoseScrunch_* Smile_* Squint_* UpperLipIn UpperLipOut UpperLipUp_*"
)
GENESIS = both(
    "facs_jnt_JawOpen facs_jnt_Jaw* facs_jnt_EyeBlink* facs_jnt_EyesWide* facs_BrowDown* facs_BrowOuterUp* "
    "facs_bs_BrowInnerUp*_div2 facs_bs_CheekSquint*_div2 facs_bs_EyeSquint*_div2 facs_bs_MouthDimple*_div2 "
    "facs_bs_MouthFrown*_div2 facs_bs_MouthLowerDown*_div2 facs_bs_MouthPress*_div2 facs_bs_MouthPucker_div2 "
    "facs_bs_MouthRollLower_div2 facs_bs_MouthRollUpper_div2 facs_bs_MouthShrugLower_div2 facs_bs_MouthShrugUpper_div2 "
    "facs_bs_MouthSmile*_div2 facs_bs_MouthStretch*_div2 facs_bs_MouthUpperUp*_div2 facs_bs_NoseSneer*_div2"
)
SLIDERS = both(
    "BrowInnerUp-Down* BrowOuterUp-Down* BrowUp-Down* CheekEyeFlex* EyesSquint* EyesClosed* EyelidsUpperDownUp* "
    "LipTopUp-Down* LipBottomUp-Down* MouthSmileSimple* MouthCornerBack* MouthNarrow* BrowSqueeze NoseWrinkle "
    "MouthFrown LipsPucker LipsPart MouthOpen JawSide-Side MouthSmile",
    ("L", "R"),
)
BROWS_UP = ("AU01", "AU02")
MOUTH_OF_MMD = ("AU09", "AU10", "AU14", "AU16", "AU17", "AU23", "AU24", *JAW)
OF_VISEMES = ("AU12", "AU16", "AU18", "AU20", "AU25", "AU26", *EYES)
OF_PRESETS = ("AU01", "AU04", "AU12", "AU14", "AU15", "AU18", "AU20", "AU25", "AU26", *EYES)


def all_but(*units: str) -> tuple[str, ...]:
    return tuple(unit for unit in AU_NAMES if unit not in units)


OF_SLIDERS = all_but("AU05", "AU14", "AU16", "AU24", *JAW)
PUBLISHED: dict[str, tuple[list[str], str, tuple[str, ...]]] = {
    "ARKit of Maya": ([f"Head_blendShape.{name}" for name in ARKIT], "arkit", AU_NAMES),
    "ARKit with a namespace": ([f"hero:{name}" for name in ARKIT], "arkit", AU_NAMES),
    "VRChat, winks": ([*VISEMES, *both("vrc.blink_* vrc.lowerlid_*", ("left", "right"))], "visemes", OF_VISEMES),
    "VRChat, one blink": ([*VISEMES, "vrc.blink", "vrc.looking_up"], "visemes", OF_VISEMES),
    "Visemes, ARKit's blinks": ([*VISEMES, *both("eyeBlink*")], "visemes", OF_VISEMES),
    "VRM 0": ([*MOODS, *both("Blink_*", ("L", "R")), "Blink"], "vrm_presets", OF_PRESETS),
    "VRM 0 without winks": ([*MOODS, "Blink"], "vrm_presets", OF_PRESETS),
    "VRM 1": (both("happy angry sad relaxed surprised aa ih ou ee oh blink blink*"), "vrm_presets", OF_PRESETS),
    "MMD": ([*MMD, "ウィンク", "ウィンク右", "ウィンク２", "ｳｨﾝｸ２右", "口角下げ"], "mmd", all_but(*MOUTH_OF_MMD)),
    "MMD without winks": ([*MMD], "mmd", all_but(*MOUTH_OF_MMD)),
    "MMD, few morphs": (
        both("まばたき 笑い あ い う え お 困る 怒り"),
        "mmd",
        ("AU01", "AU04", "AU18", "AU26", *EYES),
    ),
    "MMD, other spelling": ([*MMD, "ウインク", "ウインク右"], "mmd", all_but(*MOUTH_OF_MMD)),
    "VRChat with MMD's": ([*VISEMES, "vrc.blink", *MMD], "mmd", all_but(*MOUTH_OF_MMD)),
    "Unified Expressions": (UNIFIED, "unified_expressions", AU_NAMES),
    "Unified Expressions, blended": (UNIFIED_BLENDED, "unified_expressions", AU_NAMES),
    "Unified Expressions and ARKit": ([*UNIFIED, *ARKIT], "unified_expressions", AU_NAMES),
    "SRanipal": (SRANIPAL, "sranipal", all_but(*BROWS_UP, "AU06", "AU20")),
    "Meta Movement": (META, "meta_movement", AU_NAMES),
    "CC standard": (CC_STANDARD, "cc3_plus", AU_NAMES),
    "CC traditional, without bones": (CC_TRADITIONAL, "arkit", AU_NAMES),
    "Fuse in Maya": ([f"Facial_Blends.{name}" for name in MIXAMO], "mixamo", all_but("AU20")),
    "Genesis 3 in Unity": ([f"head.eCTRL{name}" for name in SLIDERS], "genesis8_keys", OF_SLIDERS),
    "Genesis 8 of Daz Studio's bridge": (
        [f"Genesis8Female__eCTRL{name}".replace("LipsPucker", "LipsPucker-Pressed") for name in SLIDERS],
        "genesis8_keys",
        OF_SLIDERS,
    ),
    "Genesis 8.1": (GENESIS, "genesis81_keys", AU_NAMES),
    "Genesis 8.1 of Daz Studio's bridge": (
        [f"Genesis8_1Female__{name}" for name in GENESIS],
        "genesis81_keys",
        AU_NAMES,
    ),
}


def laid_on(keys: list[str], bones: tuple[str, ...] = ()) -> list[Resolution]:
    rig = Rig("Hero", {"Face": tuple(keys)}, {name: bone(x=i) for i, name in enumerate(bones)})
    return [resolve(fit.mapping, rig) for fit in choose(SHIPPED, rig)]


@pytest.mark.parametrize("family", PUBLISHED)
def test_published_names_find_their_mapping(family: str) -> None:
    keys, mapping, units = PUBLISHED[family]
    (found,) = laid_on(keys)
    assert found.mapping.id == mapping
    moved = {place.source for place in found.targets}
    assert [unit for unit in units if unit not in moved] == []


@pytest.mark.parametrize("family", PUBLISHED)
def test_an_eye_closes_alone_or_both_by_half(family: str) -> None:
    """Where each eye has a key, a wink is one; where both have one, each does half of it, and two close it."""
    (found,) = laid_on(PUBLISHED[family][0])
    amounts: dict[str, dict[str, float]] = {
        source: {place.name: place.target.per_unit for place in found.targets if place.source == source}
        for source in EYES
    }
    left, right = amounts.values()
    assert len(left) == len(right) == 1
    assert set(left.values()) == set(right.values()) == {0.5 if left == right else 1.0}
    assert not [gap for gap in found.missing if set(gap.sources) & set(EYES)]


@pytest.mark.parametrize("family", PUBLISHED)
def test_no_two_targets_of_an_action_unit_are_one_key(family: str) -> None:
    (found,) = laid_on(PUBLISHED[family][0])
    for source in AU_NAMES:
        keys = [place.name for place in found.targets if place.source == source]
        assert len(keys) == len(set(keys)), source


def test_a_smile_among_visemes_is_used() -> None:
    """Ready Player Me's avatars have one beside the visemes, VRChat's have not."""
    ready = both("viseme_aa viseme_E viseme_I viseme_O viseme_U viseme_PP viseme_FF viseme_SS mouthOpen eyesClosed")

    def smile(keys: list[str]) -> list[str]:
        (found,) = laid_on(keys)
        assert found.mapping.id == "visemes"
        return [place.name for place in found.targets if place.source == "AU12"]

    assert smile([*ready, "mouthSmile"]) == ["mouthSmile"]
    assert smile(ready) == ["viseme_E"]


def test_teeth_of_character_creator_follow_the_jaw() -> None:
    (found,) = laid_on(CC_TRADITIONAL, ("CC_Base_JawRoot", "CC_Base_Head", "CC_Base_L_Eye", "CC_Base_R_Eye"))
    assert found.mapping.id == "cc3_traditional"
    assert {place.owner for place in found.targets if place.source == "AU26"} == {"Face", "CC_Base_JawRoot"}


def test_a_brow_has_its_blended_key_or_its_parts() -> None:
    def lowered(keys: list[str]) -> set[str]:
        (found,) = laid_on(keys)
        return {place.name for place in found.targets if place.source == "AU04" and place.target.side == "left"}

    assert lowered(UNIFIED) == {"BrowLowererLeft", "BrowPinchLeft"}
    assert lowered([*UNIFIED, *UNIFIED_BLENDED]) == {"BrowDownLeft"}


@pytest.mark.parametrize("name", ["head", "Head", "mixamorig:Head", "Bip001 Head", "c_head.x", "char:head"])
def test_heads_of_bodies_that_have_a_face_of_arkits_keys(name: str) -> None:
    (found,) = laid_on(ARKIT, ("pelvis", "spine", name))
    assert [place.owner for place in found.targets if place.source == "yaw"] == [name]
