# SPDX-License-Identifier: MIT
"""What an artist does on the first day, step by step, in a Blender with a window. Run by ``drive.py``.

Each step checks what came of it. A picture of each state is saved in ``pictures``.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import bpy

sys.path[:0] = [os.environ["STAGE"], str(Path(os.environ["STAGE"]) / "tests" / "blender")]

import characters  # noqa: E402
import cleaning  # noqa: E402
import clips  # noqa: E402
from hands import Acts, Hands  # noqa: E402
from stage import (  # noqa: E402
    ADDON,
    BAKE,
    BATCH,
    CAPTURE,
    CHARACTERS,
    SMILE,
    STAGE,
    TAKE,
    addon_module,
    check,
    keys_of,
    select,
)

CORNER = 19
"""From the corner of the preferences to the middle of their menu, pixels."""


def install() -> None:
    """The zip into an empty profile."""
    archive = str(STAGE / "addon.zip")
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    check(ADDON in bpy.context.preferences.addons, "Blender refused the zip")


def open_character() -> None:
    """A head with ARKit's shape keys, nothing selected, at the rate of the clip."""
    bpy.ops.wm.open_mainfile(filepath=str(STAGE / "character.blend"), load_ui=False)
    scene = bpy.context.scene
    scene.frame_end, scene.render.fps = 234, 30
    for item in scene.objects:
        item.select_set(False)


def story(hands: Hands) -> Acts[None]:
    """From the zip to two baked characters."""
    yield 3
    yield from show_where_to_install(hands)
    install()
    open_character()
    yield 2
    yield from look_through_camera(hands)
    yield from hands.show_tab("BDFM")
    yield from hands.over_view()
    yield from hands.picture("01-tab", hands.area)
    for step in STEPS:
        print(f"STORY: {step.__name__}", flush=True)
        yield from step(hands)


def show_where_to_install(hands: Hands) -> Acts[None]:
    """The menu of the preferences that installs a zip."""
    area = hands.area
    bpy.context.preferences.active_section = "EXTENSIONS"
    area.type = "PREFERENCES"
    bpy.context.preferences.active_section = "EXTENSIONS"
    yield 3
    region = next(region for region in area.regions if region.type == "WINDOW")
    yield from hands.click(region.x + region.width - CORNER, region.y + region.height - CORNER)
    yield 1
    hands.save("00-install")
    yield from hands.press("ESC")
    area.type = "VIEW_3D"
    yield 1


def look_through_camera(hands: Hands) -> Acts[None]:
    """Numpad 0, and a view without grid and gizmos."""
    space = hands.area.spaces[0]
    space.overlay.show_overlays = space.show_gizmo = False
    space.shading.color_type = "MATERIAL"
    space.region_3d.view_perspective = "CAMERA"
    bpy.context.scene.camera.data.show_passepartout = False
    yield 0.5


def is_baked(name: str) -> bool:
    animation = keys_of(name).animation_data
    return animation is not None and animation.action is not None


def bake_and_undo(hands: Hands) -> Acts[None]:
    """Bake, look at the smile, take it back in one step, bake again."""
    yield from hands.open_panel(BAKE)
    yield from hands.click_button("bdfm.bake()")
    yield from hands.until(lambda: is_baked("ArkitHead"), 30, "the character is baked")
    smile = max(keys_of("ArkitHead").key_blocks["mouthSmileLeft"].value for _ in [bpy.context.scene.frame_set(SMILE)])
    yield from hands.over_view()
    yield from hands.picture("08-baked")
    yield from hands.press("Z", ctrl=True)
    yield from hands.until(lambda: not is_baked("ArkitHead"), 10, "one undo step takes the bake back")
    check(not bpy.types.BDFM_PT_bake_report.poll(bpy.context), "the report of a bake that was undone is shown")
    yield from hands.picture("09-undone", hands.area)
    yield from hands.press("Z", ctrl=True, shift=True)
    yield from hands.until(lambda: is_baked("ArkitHead"), 10, "redo brings the bake again")
    check(smile > 0.05, f"the character does not smile at frame {SMILE}")


def stop_a_long_bake(hands: Hands) -> Acts[None]:
    """A bake that plays the scene's strips at a twentieth of the speed takes seconds: its bar is seen, Esc stops it."""
    settings, animation = bpy.context.scene.bdfm.bake, keys_of("ArkitHead").animation_data
    track = animation.nla_tracks.new()
    track.strips.new("below", 1, animation.action)
    settings.additive, settings.speed = True, 0.05
    actions, frame = set(bpy.data.actions), bpy.context.scene.frame_current
    operator = addon_module("ui.bake").BDFM_OT_bake
    yield from hands.click_button("bdfm.bake()")
    yield from hands.until(
        lambda: operator.progress is not None and operator.progress[0] > 0.02, 30, "the bar is there"
    )
    yield from hands.picture("15-long-bake")
    yield from hands.press("ESC")
    yield from hands.until(lambda: operator.progress is None, 5, "Esc stops the bake")
    check(set(bpy.data.actions) == actions, "the stopped bake has left an action")
    check(bpy.context.scene.frame_current == frame, "the stopped bake has moved the playhead")
    yield from hold_second_window(hands)
    keys_of("ArkitHead").animation_data.nla_tracks.remove(track)
    settings.additive, settings.speed = False, 1.0


def hold_second_window(hands: Hands) -> Acts[None]:
    """In a second window nothing can be undone during a bake, which would write into freed memory; Esc stops it."""
    operator, scene = addon_module("ui.bake").BDFM_OT_bake, bpy.context.scene
    with bpy.context.temp_override(window=hands.window):
        bpy.ops.wm.window_new_main()
    other = bpy.context.window_manager.windows[-1]
    for place in (1, 2):
        scene.cursor.location.x = place
        bpy.ops.ed.undo_push(message="Move Cursor")
    with bpy.context.temp_override(window=hands.window, area=hands.area):
        bpy.ops.bdfm.bake("INVOKE_DEFAULT")
    middle = {"x": other.width // 3, "y": other.height // 2}
    other.event_simulate(type="Z", value="PRESS", ctrl=True, **middle)
    yield 1
    is_held = scene.cursor.location.x == 2 and operator.progress is not None
    other.event_simulate(type="ESC", value="PRESS", **middle)
    yield from hands.until(lambda: operator.progress is None, 60, "Esc in the second window stops the bake")
    check(is_held, "Ctrl-Z in a second window was heard while a bake ran")
    with bpy.context.temp_override(window=other):
        bpy.ops.wm.window_close()
    scene.cursor.location.x = 0
    yield 1


def batch(hands: Hands) -> Acts[None]:
    """Both characters at one press."""
    add_second_character()
    yield 0.5
    yield from hands.open_panel(BATCH)
    yield from hands.click_button("bdfm.batch_add_characters()", across=0.95)
    yield from hands.until(lambda: len(bpy.context.scene.bdfm.batch.characters) == 2, 10, "two characters are listed")
    yield from hands.click_button("bdfm.batch_bake()")
    yield from hands.until(lambda: is_baked("Second"), 60, "both are baked")
    yield 1
    check({item.status for item in bpy.context.scene.bdfm.batch.characters} <= {"BAKED", "WARNED"}, "one has failed")
    bpy.context.scene.frame_set(SMILE)
    yield from hands.over_view()
    yield from hands.picture("10-batch")
    gains = bpy.context.scene.objects["Second"].bdfm_gains
    yield from hands.click_button("bdfm.batch.show_gains", across=0.3)
    yield from hands.enter("bdfm_gains.AU12", "0.5")
    yield from hands.until(lambda: gains.AU12 == 0.5, 5, "the gain of one character is set")
    yield from hands.over_view()
    yield from hands.picture("14-batch-gains", hands.sidebar)
    yield from hands.click_button("bdfm.reset_gains(", across=0.95)
    yield from hands.until(lambda: gains.AU12 == 1, 5, "the gains are set back")


def take_by_take(hands: Hands) -> Acts[None]:
    """A take for each character: the one that lacks it fails and says so, the other is baked; then both are."""
    lists = bpy.context.scene.bdfm.batch
    lists.takes.clear()  # those that were captured
    yield from hands.click_button("bdfm.batch.show_gains", across=0.3)
    yield from hands.click_button("bdfm.batch.pairing", across=0.75)
    yield from hands.until(lambda: lists.pairing == "PAIRS", 5, "the takes are listed")
    for take, becomes, picture in (
        ("sample.csv", {"FAILED"}, "24-batch-failed"),
        ("long.csv", {"BAKED", "WARNED"}, "25-take-by-take"),
    ):
        yield from clips.choose_file(hands, "bdfm.batch_add_takes", take)
        check(Path(lists.takes[-1].path).name == take, "another take was chosen, or none")
        yield from hands.click_button("bdfm.batch_bake()")
        ends = lambda: lists.characters[1].status in becomes  # noqa: B023, E731
        yield from hands.until(ends, 60, f"with {take} the second character is {becomes}")
        check(lists.characters[0].status in {"BAKED", "WARNED"}, "the first character was not baked")
        yield from hands.over_view()
        yield from hands.picture(picture, hands.sidebar)


def add_second_character() -> None:
    """A copy of the first beside it, both selected."""
    first = bpy.context.scene.objects["ArkitHead"]
    copies = {}
    for item in (first, *first.children_recursive):
        copy = item.copy()
        copy.data = item.data.copy()
        copy.animation_data_clear()
        bpy.context.scene.collection.objects.link(copy)
        copies[item] = copy
    for item, copy in copies.items():
        copy.parent = copies.get(item.parent)
        for modifier in copy.modifiers:
            if modifier.type == "ARMATURE":
                modifier.object = copies[modifier.object]
        if copy.type == "MESH" and copy.data.shape_keys:
            copy.data.shape_keys.animation_data_clear()
    copies[first].name = "Second"
    copies[first].location.x += 0.25
    camera = bpy.context.scene.camera
    camera.location.x += 0.2
    camera.location.y *= 1.7
    select("ArkitHead", "Second")


STEPS = (
    clips.choose_video,
    clips.cancel_capture,
    clips.save_by_itself,
    clips.capture,
    cleaning.scrub,
    cleaning.calibrate,
    characters.choose_character,
    characters.mend,
    characters.unknown_character,
    cleaning.edit,
    cleaning.smooth,
    characters.set_gains,
    characters.edit_mapping,
    characters.pose_units,
    bake_and_undo,
    stop_a_long_bake,
    batch,
    take_by_take,
    clips.pick_face,
    clips.work_off_queue,
)
"""What follows once the tab is open."""


def main() -> None:
    """Play the story from a timer, so that Blender handles events and draws in between."""
    hands = Hands(STAGE / "pictures", {CAPTURE, TAKE, CHARACTERS, BAKE})
    acts = story(hands)

    def step() -> float | None:
        try:
            return next(acts)
        except StopIteration:
            print("STORY: as it should be", flush=True)
            os._exit(0)
        except Exception:
            traceback.print_exc()
            try:
                hands.save("failed")
            finally:
                os._exit(1)

    bpy.context.preferences.view.show_splash = False
    bpy.app.timers.register(step, first_interval=1, persistent=True)


if __name__ == "__main__":
    main()
