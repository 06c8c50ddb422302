# SPDX-License-Identifier: MIT
"""Steps of the story with the take: look at it, set the face at rest, edit, smooth, see the curves."""

from __future__ import annotations

import bpy
from hands import Acts, Hands
from stage import SMILE, TAKE, addon_module, check, keys_of

LAST = "bdfm.fit_scene_range"
"""The last button of the panel Take, whose sub-panels follow."""
SUB_PANELS = ("BDFM_PT_values", "BDFM_PT_calibrate", "BDFM_PT_edit", "BDFM_PT_smoothing", "BDFM_PT_curves")
MUTE, SOLO, CURVE = 0.07, 0.15, 0.95
"""Where the buttons of an action unit are across the sidebar."""
SECOND_OF_FOUR = 0.4


def fold(hands: Hands, panel: str, is_open: bool = True) -> Acts[None]:
    """Open or close a sub-panel of the panel Take, while the others are closed."""
    yield from hands.fold(panel, LAST, SUB_PANELS.index(panel), is_open)


def scrub(hands: Hands) -> Acts[None]:
    """The arrow keys move the timeline; the values follow, and beside them the clip and the avatar."""
    yield from hands.open_panel(TAKE)
    bpy.context.scene.frame_set(SMILE - 5)
    yield from hands.over_view()
    for _ in range(5):
        yield from hands.press("RIGHT_ARROW")
    check(bpy.context.scene.frame_current == SMILE, "the arrow keys did not move the timeline")
    yield from hands.click_button("bdfm.read_pictures()")
    pictures = addon_module("ui.pictures")
    yield from hands.until(lambda: pictures._worker is None, 300, "the pictures of clip and avatar are read")
    yield from hands.over_view()
    yield from hands.picture("05-take", hands.area)


def calibrate(hands: Hands) -> Acts[None]:
    """The face at rest, from the first frame, in which the face does nothing."""
    cleaning = bpy.context.scene.bdfm.cleaning
    bpy.context.scene.frame_set(1)
    yield from fold(hands, "BDFM_PT_values", is_open=False)
    yield from fold(hands, "BDFM_PT_calibrate")
    yield from hands.click_button("bdfm.calibrate(method='FRAME')")
    units = [item.identifier for item in cleaning.bl_rna.properties if item.identifier.startswith("AU")]
    yield from hands.until(lambda: any(getattr(cleaning, name).neutral > 0 for name in units), 10, "the rest is set")
    yield from hands.picture("06-face-at-rest", hands.sidebar)


def edit(hands: Hands) -> Acts[None]:
    """Gain, mute, offset, solo: each shows on the character at once; the button sets all of them back."""
    group, smile = bpy.context.scene.bdfm.cleaning, lambda: keys_of("ArkitHead").key_blocks["mouthSmileLeft"].value
    bpy.context.scene.frame_set(SMILE)
    yield from hands.open_panel(TAKE)
    yield from fold(hands, "BDFM_PT_calibrate", is_open=False)
    yield from hands.click_button("bdfm.preview(")
    yield from hands.until(lambda: smile() > 0.3, 10, "the preview shows the smile")
    yield from fold(hands, "BDFM_PT_edit")
    whole = smile()
    yield from hands.enter("bdfm.cleaning.AU12.gain", "0.5")
    yield from hands.until(lambda: smile() < 0.7 * whole, 10, "the character smiles less")
    yield from hands.click_button("bdfm.cleaning.AU25.mute", across=MUTE)
    yield from hands.until(lambda: group.AU25.mute, 5, "an action unit is muted")
    for name in ("AU01", "AU12", "AU25"):
        yield from hands.click_button(f"bdfm.cleaning.{name}.curve", across=CURVE)
    yield from hands.to_top()
    yield from hands.bring_up("bdfm.save_cleaning()", across=0.25)
    yield from hands.over_view()
    yield from hands.picture("16-edit", hands.area)
    yield from hands.click_button("bdfm.cleaning.shown", across=SECOND_OF_FOUR)
    yield from hands.enter("bdfm.cleaning.AU02.offset", "0.6")
    yield from hands.click_button("bdfm.cleaning.AU02.solo", across=SOLO)
    yield from hands.until(lambda: smile() < 0.01, 10, "all other action units rest")
    yield from hands.over_view()
    yield from hands.picture("17-solo", hands.area)
    yield from hands.click_button("bdfm.reset_edits()", across=0.75)
    yield from hands.until(lambda: abs(smile() - whole) < 0.01, 10, "the edits are set back")
    check(not group.AU25.mute and not group.AU02.solo and group.AU02.offset == 0, "an edit was not set back")


def smooth(hands: Hands) -> Acts[None]:
    """A lower cut-off, and what it does in the picture of the curves; then back."""
    cutoff = lambda: bpy.context.scene.bdfm.cleaning.cutoff_face  # noqa: E731
    before = cutoff()
    yield from fold(hands, "BDFM_PT_edit", is_open=False)
    yield from fold(hands, "BDFM_PT_smoothing")
    yield from hands.enter("bdfm.cleaning.cutoff_face", "1.5")
    yield from hands.until(lambda: cutoff() == 1.5, 5, "the cut-off is set")
    yield from hands.fold("BDFM_PT_curves", "bdfm.cleaning.cutoff_face", 0)
    yield from hands.bring_up("bdfm.cleaning.method")
    yield from hands.over_view()
    yield from hands.picture("18-curves", hands.sidebar)
    yield from hands.press("Z", ctrl=True)
    yield from hands.until(lambda: abs(cutoff() - before) < 1e-6, 10, "undo brings the cut-off back")
    yield from hands.to_top()
    yield from hands.click_button("bdfm.preview(")
    rests = lambda: keys_of("ArkitHead").key_blocks["mouthSmileLeft"].value == 0  # noqa: E731
    yield from hands.until(rests, 10, "the preview ends")
