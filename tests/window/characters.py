# SPDX-License-Identifier: MIT
"""Steps of the story with one character: choose and check it, its gains, a mapping edited, a mapping posed."""

from __future__ import annotations

import bpy
from hands import Acts, Hands
from stage import CHARACTERS, SMILE, check, keys_of, pose, select

SUB_PANELS = ("BDFM_PT_mapping", "BDFM_PT_posing", "BDFM_PT_checks", "BDFM_PT_gains")
BOX = 110
"""Pixels from the field that is first in the panel Characters to the first sub-panel, where one is selected."""
EDGE = 0.95
"""Across the sidebar: where the last button of a row is."""


def fold(hands: Hands, panel: str, is_open: bool = True) -> Acts[None]:
    """Open or close a sub-panel of the panel Characters, while the others are closed."""
    yield from hands.fold(panel, "bdfm.mapping", SUB_PANELS.index(panel), is_open, BOX)


def choose_character(hands: Hands) -> Acts[None]:
    """Selected, it is listed with its mapping; the checks find nothing wrong."""
    select("ArkitHead")
    bpy.context.scene.frame_set(SMILE)
    yield from hands.open_panel(CHARACTERS)
    yield from fold(hands, "BDFM_PT_checks")
    yield from hands.click_button("bdfm.check(")
    yield from hands.over_view()
    yield from hands.picture("07-character", hands.area)


def mend(hands: Hands) -> Acts[None]:
    """A muted shape key is found before the bake, and mended by its button."""
    keys = keys_of("ArkitHead").key_blocks
    keys["jawOpen"].mute = True
    bpy.ops.ed.undo_push(message="Mute")
    yield from hands.click_button("bdfm.check(")
    yield from hands.picture("11-finding", hands.sidebar)
    yield from hands.click_button("bdfm.mend(")
    yield from hands.until(lambda: not keys_of("ArkitHead").key_blocks["jawOpen"].mute, 10, "the key is unmuted")


def unknown_character(hands: Hands) -> Acts[None]:
    """A mesh whose shape keys have names that no mapping knows."""
    mesh = bpy.data.meshes.new("Stone")
    mesh.from_pydata([(0, 0, 0), (0.01, 0, 0), (0, 0.01, 0)], [], [(0, 1, 2)])
    stone = bpy.data.objects.new("Stone", mesh)
    bpy.context.scene.collection.objects.link(stone)
    for name in ("Basis", "Crumble"):
        stone.shape_key_add(name=name).value = 0
    select("Stone")
    yield from hands.over_view()
    yield 2.5
    yield from hands.picture("12-no-mapping", hands.sidebar)
    bpy.data.objects.remove(stone)
    select("ArkitHead")


def set_gains(hands: Hands) -> Acts[None]:
    """One character shows less of the smile; the arrow makes all gains 1 again."""
    gains = bpy.context.scene.objects["ArkitHead"].bdfm_gains
    yield from hands.open_panel(CHARACTERS)
    yield from fold(hands, "BDFM_PT_checks", is_open=False)
    yield from fold(hands, "BDFM_PT_gains")
    yield from hands.enter("bdfm_gains.AU12", "0.6")
    yield from hands.until(lambda: abs(gains.AU12 - 0.6) < 1e-6, 5, "the gain is set")
    yield from hands.over_view()
    yield from hands.picture("19-gains", hands.sidebar)
    yield from hands.click_button("bdfm.reset_gains(", across=EDGE)
    yield from hands.until(lambda: gains.AU12 == 1, 5, "the gains are set back")
    yield from fold(hands, "BDFM_PT_gains", is_open=False)


def edit_mapping(hands: Hands) -> Acts[None]:
    """A copy of the character's mapping: a target is searched for, added, weighed, removed."""
    own = bpy.context.scene.bdfm.own_mapping
    yield from fold(hands, "BDFM_PT_mapping")
    yield from hands.click_button("bdfm.edit_mapping()", across=0.25)
    yield from hands.until(lambda: own.document, 5, "the mapping is edited")
    yield from hands.find("bdfm.own_mapping.source")
    while own.source != "AU12":
        yield from hands.press("WHEELDOWNMOUSE", ctrl=True)
    count = len(own.targets)
    yield from hands.click_button("bdfm.add_target()", across=EDGE)
    yield 1
    yield from hands.type("cheekpuff")
    yield from hands.until(lambda: len(own.targets) > count, 10, "a target is added")
    yield from hands.enter(f"bdfm.own_mapping.targets[{own.active}].amount", "0.3", across=0.2)
    yield from hands.until(lambda: abs(own.active_target().amount - 0.3) < 1e-6, 5, "the target is weighed")
    yield from hands.over_view()
    yield from hands.picture("20-mapping", hands.sidebar)
    yield from hands.click_button("bdfm.remove_target()", across=EDGE)
    yield from hands.until(lambda: len(own.targets) == count, 5, "the target is removed")
    yield from hands.click_button("bdfm.close_mapping()", across=EDGE)
    yield from hands.until(lambda: not own.document, 5, "the mapping is closed")
    yield from fold(hands, "BDFM_PT_mapping", is_open=False)


def pose_units(hands: Hands) -> Acts[None]:
    """The way through the action units: two are posed and captured, one is skipped, the character rests again."""
    own, keys = bpy.context.scene.bdfm.own_mapping, keys_of("ArkitHead").key_blocks
    yield from fold(hands, "BDFM_PT_posing")
    yield from hands.click_button("bdfm.start_posing()")
    yield from hands.until(lambda: own.rest, 10, "posing begins")
    pose("ArkitHead", browInnerUp=1)
    yield from hands.click_button("bdfm.capture_pose()")
    yield from hands.until(lambda: own.source == "AU02" and keys["browInnerUp"].value == 0, 10, "the next unit comes")
    pose("ArkitHead", browOuterUpLeft=1, browOuterUpRight=1)
    yield from hands.over_view()
    yield from hands.picture("21-posing", hands.area)
    yield from hands.click_button("bdfm.capture_pose()")
    yield from hands.until(lambda: own.source == "AU04", 10, "the next unit comes")
    yield from hands.click_button("bdfm.step_action_unit(", across=0.85)
    yield from hands.until(lambda: own.source == "AU05", 10, "an action unit is skipped")
    yield from hands.click_button("bdfm.finish_posing()", across=0.25)
    yield from hands.until(lambda: not own.rest, 10, "posing ends")
    found = {(target.source, target.content().get("name")) for target in own.targets if target.source.startswith("AU")}
    outer = {("AU02", "browOuterUpLeft"), ("AU02", "browOuterUpRight")}
    check(found == {("AU01", "browInnerUp"), *outer}, f"the poses have become {found}")
    yield from fold(hands, "BDFM_PT_posing", is_open=False)
    yield from fold(hands, "BDFM_PT_mapping")
    yield from hands.click_button("bdfm.close_mapping()", across=EDGE)
    yield from hands.until(lambda: not own.document, 5, "the mapping is closed")
    yield from fold(hands, "BDFM_PT_mapping", is_open=False)
