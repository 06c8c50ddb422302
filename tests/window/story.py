# SPDX-License-Identifier: MIT
"""What an artist does on the first day, step by step, in a Blender with a window. Run by ``drive.py``.

Each step checks what came of it. A picture of each state is saved in ``pictures``.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
import traceback
from pathlib import Path

import bpy

STAGE = Path(os.environ["STAGE"])
sys.path[:0] = [str(STAGE), str(STAGE / "tests" / "blender")]

from hands import Acts, Hands, NotSeenError  # noqa: E402

ADDON = "bl_ext.user_default.bdfm_face_capture"
OPEN_AT_FIRST = ("BDFM_PT_calibrate", "BDFM_PT_checks")
"""Blender tells no script where a panel's header is: these sub-panels are opened before the first drawing."""
CAPTURE, TAKE, CHARACTERS, BAKE, BATCH = range(5)
SMILE = 151
TICK_S = 0.02
CORNER = 19
"""From the corner of the preferences to the middle of their menu, pixels."""


def check(holds: object, what: str) -> None:
    """Raises:
    NotSeenError: it does not hold.
    """
    if not holds:
        raise NotSeenError(what)


def install() -> None:
    """The zip into an empty profile."""
    archive = str(STAGE / "addon.zip")
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    check(ADDON in bpy.context.preferences.addons, "Blender refused the zip")
    for name in OPEN_AT_FIRST:
        panel = getattr(bpy.types, name)
        bpy.utils.unregister_class(panel)
        panel.bl_options = set()
        bpy.utils.register_class(panel)


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
    yield from choose_video(hands)
    yield from cancel_capture(hands)
    yield from capture(hands)
    yield from scrub(hands)
    yield from calibrate(hands)
    yield from choose_character(hands)
    yield from mend(hands)
    yield from unknown_character(hands)
    yield from bake_and_undo(hands)
    yield from stop_a_long_bake(hands)
    yield from batch(hands)
    yield from pick_face(hands)


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
    yield from hands.picture("00-install")
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


def choose_video(hands: Hands) -> Acts[None]:
    """By the folder button; the file browser fills the window."""
    bpy.context.preferences.view.filebrowser_display_type = "SCREEN"
    yield from hands.click_button("bdfm.choose_video", across=0.95)
    browsers = lambda: [area for area in hands.window.screen.areas if area.type == "FILE_BROWSER"]  # noqa: E731
    yield from hands.until(browsers, 20, "the file browser opens")
    yield 1
    parameters = browsers()[0].spaces[0].params
    parameters.directory, parameters.filename = str(STAGE).encode(), "sample.mp4"
    yield 1
    area = browsers()[0]
    yield from hands.move(area.x + area.width // 2, area.y + area.height // 2)
    yield from hands.press("RET")
    yield from hands.until(lambda: bpy.context.scene.bdfm.source, 10, "the video is chosen")
    check(Path(bpy.context.scene.bdfm.source).name == "sample.mp4", "another file was chosen")
    yield 1
    yield from hands.picture("02-video-chosen", hands.area)


def capture_state() -> bpy.types.PropertyGroup:
    return bpy.context.window_manager.bdfm_capture


def cancel_capture(hands: Hands) -> Acts[None]:
    """Esc over the panel ends a capture; what was done by then is a take."""
    yield from hands.click_button("bdfm.capture()")
    yield from hands.until(lambda: capture_state().factor > 0.15, 60, "the capture gets on")
    yield from hands.picture("03-capturing")
    asked = time.monotonic()
    yield from hands.press("ESC")
    yield from hands.until(lambda: not capture_state().running, 5, "the capture is cancelled")
    print(f"STORY: cancelled after {time.monotonic() - asked:.2f} s", flush=True)
    check(bpy.context.scene.bdfm.take, "the cancelled capture left no take")
    rows = len(Path(bpy.context.scene.bdfm.take).read_text(encoding="utf-8").splitlines())
    check(20 < rows < 234, f"the cancelled capture left {rows} rows")
    yield from hands.picture("04-cancelled", hands.area)


def capture(hands: Hands) -> Acts[None]:
    """The whole clip."""
    first = bpy.context.scene.bdfm.take
    yield from hands.to_top()
    yield from hands.click_button("bdfm.capture()")
    yield from hands.until(lambda: capture_state().running, 5, "the capture starts")
    yield from hands.until(lambda: capture_state().factor > 0, 60, "the first frames are read")
    ticks = [time.monotonic()]
    while capture_state().running:
        yield TICK_S
        ticks.append(time.monotonic())
        check(ticks[-1] - ticks[0] < 180, "the capture does not end")
    waits = sorted(b - a for a, b in itertools.pairwise(ticks))
    print(
        f"STORY: while capturing, a timer of {TICK_S} s came after {waits[len(waits) // 2]:.3f} s in the median, ",
        end="",
    )
    print(f"{waits[-1]:.3f} s at the longest, {len(waits)} times", flush=True)
    take = bpy.context.scene.bdfm.take
    check(take and take != first, "the second take overwrote the first")
    check(len(Path(take).read_text(encoding="utf-8").splitlines()) == 235, "the take lacks frames")


def scrub(hands: Hands) -> Acts[None]:
    """The arrow keys move the timeline; the values follow, and beside them the clip and the avatar."""
    yield from hands.open_panel(TAKE)
    bpy.context.scene.frame_set(SMILE - 5)
    yield from hands.over_view()
    for _ in range(5):
        yield from hands.press("RIGHT_ARROW")
    check(bpy.context.scene.frame_current == SMILE, "the arrow keys did not move the timeline")
    yield from hands.click_button("bdfm.read_pictures()")
    pictures = sys.modules[f"{ADDON}.ui.pictures"]
    yield from hands.until(lambda: pictures._worker is None, 300, "the pictures of clip and avatar are read")
    yield from hands.over_view()
    yield from hands.picture("05-take", hands.area)


def calibrate(hands: Hands) -> Acts[None]:
    """The face at rest, from the first frame, in which the face does nothing."""
    cleaning = bpy.context.scene.bdfm.cleaning
    bpy.context.scene.frame_set(1)
    yield from hands.click_button("bdfm.calibrate(method='FRAME')")
    units = [item.identifier for item in cleaning.bl_rna.properties if item.identifier.startswith("AU")]
    yield from hands.until(lambda: any(getattr(cleaning, name).neutral > 0 for name in units), 10, "the rest is set")
    yield from hands.picture("06-face-at-rest", hands.sidebar)


def select(*names: str) -> None:
    """As a click in the outliner does."""
    for item in bpy.context.scene.objects:
        item.select_set(item.name in names)
    bpy.context.view_layer.objects.active = bpy.context.scene.objects[names[0]]
    bpy.ops.ed.undo_push(message="Select")


def choose_character(hands: Hands) -> Acts[None]:
    """Selected, it is listed with its mapping; the checks find nothing wrong."""
    select("ArkitHead")
    bpy.context.scene.frame_set(SMILE)
    yield from hands.open_panel(CHARACTERS)
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


def keys_of(name: str) -> bpy.types.Key:
    """The shape keys of a character's face."""
    meshes = [item for item in bpy.context.scene.objects[name].children_recursive if item.type == "MESH"]
    return next(mesh.data.shape_keys for mesh in meshes if mesh.data.shape_keys)


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
    operator = sys.modules[f"{ADDON}.ui.bake"].BDFM_OT_bake
    yield from hands.click_button("bdfm.bake()")
    yield from hands.until(
        lambda: operator.progress is not None and operator.progress[0] > 0.02, 30, "the bar is there"
    )
    yield from hands.picture("15-long-bake")
    yield from hands.press("ESC")
    yield from hands.until(lambda: operator.progress is None, 5, "Esc stops the bake")
    check(set(bpy.data.actions) == actions, "the stopped bake has left an action")
    check(bpy.context.scene.frame_current == frame, "the stopped bake has moved the playhead")
    keys_of("ArkitHead").animation_data.nla_tracks.remove(track)
    settings.additive, settings.speed = False, 1.0


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


def pick_face(hands: Hands) -> Acts[None]:
    """Two people in one clip; the one to the right is picked by the picture."""
    from footage import two_people, write_clip  # its cv2 came with the zip

    settings = bpy.context.scene.bdfm
    settings.source = str(write_clip(STAGE / "two.avi", two_people(30)))
    settings.capture.face = "PICKED"
    yield from hands.open_panel(CAPTURE)
    yield from hands.click_button("bdfm.find_faces()", across=0.75)
    faces = sys.modules[f"{ADDON}.ui.faces"]
    yield from hands.until(lambda: faces._found is not None, 120, "faces are found")
    yield 1
    yield from hands.click_button("bdfm.pick_face(number=2)", across=0.75)
    yield from hands.until(lambda: settings.capture.pick_place[0] > 640, 5, "the face to the right is picked")
    yield from hands.picture("13-picked-face", hands.sidebar)


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
