# SPDX-License-Identifier: MIT
"""Steps of the story with clips: choose, capture, cancel, pick a face, work off the queue."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import bpy
from hands import Acts, Hands
from stage import CAPTURE, STAGE, addon_module, check

TICK_S = 0.02
EDGE = 0.95
"""Across the sidebar: where the last button of a row is."""


def capture_state() -> bpy.types.PropertyGroup:
    return bpy.context.window_manager.bdfm_capture


def long_clip() -> Path:
    """A clip of 1,200 frames."""
    from footage import sample_frames, write_clip  # its cv2 came with the zip

    path = STAGE / "long.avi"
    return path if path.exists() else write_clip(path, sample_frames(120) * 10)


def choose_file(hands: Hands, button: str, name: str) -> Acts[None]:
    """A file of the stage, by a button that opens the file browser, which fills the window."""
    bpy.context.preferences.view.filebrowser_display_type = "SCREEN"
    yield from hands.click_button(button, across=EDGE)
    browsers = lambda: [area for area in hands.window.screen.areas if area.type == "FILE_BROWSER"]  # noqa: E731
    yield from hands.until(browsers, 20, "the file browser opens")
    yield 1
    parameters = browsers()[0].spaces[0].params
    parameters.directory, parameters.filename = str(STAGE).encode(), name
    yield 1
    area = browsers()[0]
    yield from hands.move(area.x + area.width // 2, area.y + area.height // 2)
    yield from hands.press("RET")
    yield from hands.until(lambda: not browsers(), 10, "the file browser closes")
    yield 1


def choose_video(hands: Hands) -> Acts[None]:
    """By the folder button."""
    yield from choose_file(hands, "bdfm.choose_video", "sample.mp4")
    check(Path(bpy.context.scene.bdfm.source).name == "sample.mp4", "another file was chosen, or none")
    yield from hands.picture("02-video-chosen", hands.area)


def cancel_capture(hands: Hands) -> Acts[None]:
    """Esc over the panel ends a capture, of a clip long enough for it; what was done by then is a take."""
    settings = bpy.context.scene.bdfm
    chosen, settings.source = settings.source, str(long_clip())
    yield from hands.drawing()
    yield from hands.click_button("bdfm.capture()")
    yield from hands.until(lambda: capture_state().factor > 0.05, 60, "the capture gets on")
    yield from hands.picture("03-capturing")
    hands.show_overlap(True)
    yield from hands.drawing()
    yield from hands.until(lambda: addon_module("ui.capture")._timer, 20, "the capture is watched again")
    asked = time.monotonic()
    yield from hands.press("ESC")
    yield from hands.until(lambda: not capture_state().running, 5, "the capture is cancelled")
    print(f"STORY: cancelled after {time.monotonic() - asked:.2f} s", flush=True)
    check(settings.take, "the cancelled capture left no take")
    rows = len(Path(settings.take).read_text(encoding="utf-8").splitlines())
    check(20 < rows < 1200, f"the cancelled capture left {rows} rows")
    yield from hands.picture("04-cancelled", hands.area)
    settings.source = chosen


def save_by_itself(hands: Hands) -> Acts[None]:
    """While clips are captured Blender goes on saving by itself, and the capture goes on after that."""
    settings, state, files = bpy.context.scene.bdfm, capture_state(), bpy.context.preferences.filepaths
    chosen, settings.source = settings.source, str(long_clip())
    for _ in range(10):
        bpy.ops.bdfm.enqueue()
    kept = lambda: Path(bpy.app.tempdir).parent.glob("*autosave*")  # noqa: E731
    saved = lambda: {(path, path.stat().st_mtime_ns) for path in kept()}  # noqa: E731
    before = saved()
    files.auto_save_time = 1
    yield from hands.click_button("bdfm.capture()")
    yield from hands.until(lambda: saved() - before, 150, "Blender saves by itself")
    factor, item = state.factor, len([item for item in state.queue if item.state == "DONE"])
    gets_on = lambda: (len([i for i in state.queue if i.state == "DONE"]), state.factor) > (item, factor)  # noqa: E731
    yield from hands.until(gets_on, 20, "the capture gets on afterwards")
    check(state.running, "the capture ended before Blender saved")
    yield from hands.click_button("bdfm.cancel_capture()", across=EDGE)
    yield from hands.until(lambda: not state.running, 5, "the capture is cancelled")
    check(settings.take, "the cancelled capture left no take")
    state.queue.clear()
    files.auto_save_time, settings.source = 5, chosen


def capture(hands: Hands) -> Acts[None]:
    """The whole clip."""
    first = bpy.context.scene.bdfm.take
    yield from hands.to_top()
    yield from hands.click_button("bdfm.capture()")
    yield from hands.until(lambda: capture_state().running, 5, "the capture starts")
    yield from hands.until(lambda: capture_state().factor > 0, 60, "the first frames are read")
    hands.show_overlap(True)
    yield from hands.drawing()
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


def pick_face(hands: Hands) -> Acts[None]:
    """Two people in one clip; the one to the right is picked by the picture."""
    from footage import two_people, write_clip  # its cv2 came with the zip

    settings = bpy.context.scene.bdfm
    settings.source = str(write_clip(STAGE / "two.avi", two_people(30)))
    settings.capture.face = "PICKED"
    yield from hands.open_panel(CAPTURE)
    yield from hands.click_button("bdfm.find_faces()", across=0.75)
    faces = addon_module("ui.faces")
    yield from hands.until(lambda: faces._found is not None, 120, "faces are found")
    yield 1
    yield from hands.click_button("bdfm.pick_face(number=2)", across=0.75)
    yield from hands.until(lambda: settings.capture.pick_place[0] > 640, 5, "the face to the right is picked")
    yield from hands.picture("13-picked-face", hands.sidebar)


def work_off_queue(hands: Hands) -> Acts[None]:
    """Three clips wait. The first is captured, the X beside the bar stops the second, the third keeps waiting."""
    settings, state, long = bpy.context.scene.bdfm, capture_state(), long_clip()
    yield from hands.fold("BDFM_PT_queue", "bdfm.load_take(", 0)
    while state.queue:
        count = len(state.queue)
        yield from hands.click_button("bdfm.queue_remove()", across=EDGE)
        yield from hands.until(lambda: len(state.queue) < count, 5, "an older clip leaves the queue")  # noqa: B023
    for source, face in ((STAGE / "two.avi", "PICKED"), (long, "LARGEST"), (STAGE / "two.avi", "ALL")):
        settings.source, settings.capture.face = str(source), face
        yield from hands.drawing()
        yield from hands.click_button("bdfm.enqueue()", across=EDGE)
    check(len(state.queue) == 3, f"{len(state.queue)} clips are in the queue")
    yield from hands.click_button("bdfm.capture_queue()")
    yield from hands.find("bdfm.cancel_capture()", across=EDGE)
    button = hands.place
    yield from hands.over_view()
    running = lambda: state.queue[1].state == "RUNNING" and state.factor > 0.05  # noqa: E731
    yield from hands.until(running, 240, "the second clip is captured")
    yield from hands.picture("22-queue", hands.sidebar)
    hands.show_overlap(True)
    yield from hands.move(*button)
    asked, worked = time.monotonic(), time.process_time()
    yield from hands.press("LEFTMOUSE")
    yield from hands.until(lambda: not state.running, 30, "the capture is cancelled")
    waited, worked = time.monotonic() - asked, time.process_time() - worked
    print(f"STORY: cancelled by the button after {waited:.2f} s, {worked:.2f} s of them Blender's work", flush=True)
    states = [item.state for item in state.queue]
    check(states == ["DONE", "CANCELLED", "WAITING"], f"the clips of the queue are {states}")
    yield from hands.over_view()
    yield from hands.picture("23-queue-stopped", hands.sidebar)
