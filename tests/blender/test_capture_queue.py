# SPDX-License-Identifier: MIT
"""Several clips in a queue, and what is kept when one is cancelled, dies, or fills the disk."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

import bpy
import pytest
from footage import sample_frames, two_people, write_clip

from bdfm_infer.take import Take

LONG = 240


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Short ones, a long one, and one that is no video."""
    folder = tmp_path_factory.mktemp("clips")
    frames = sample_frames(LONG // 4)
    for name in ("a", "b", "c"):
        write_clip(folder / f"{name}.avi", frames[:4])
    write_clip(folder / "long.avi", frames * 4)
    write_clip(folder / "two.avi", two_people(14))
    (folder / "text.avi").write_text("no video")
    return folder


@pytest.fixture
def queue(tmp_path, clips):
    """Puts clips in the queue by their names."""
    state = bpy.context.window_manager.bdfm_capture
    bpy.context.scene.bdfm.take_folder = str(tmp_path)
    assert not state.queue

    def add(*names):
        for name in names:
            bpy.ops.bdfm.queue_add(directory=str(clips), files=[{"name": f"{name}.avi"}])
        return state

    return add


@pytest.fixture
def session(part):
    """A session of its own, as the operators have it, and what it reports."""
    said = []
    session = part("ui.capture_session").Session(lambda level, text: said.append((*level, text)))
    session.said = said
    yield session
    session.stop(bpy.context)


def run(session, until=lambda state: False, limit=40):
    """Go on until all is done, or ``until`` accepts the state."""
    end = time.monotonic() + limit
    while not session.step(bpy.context):
        assert time.monotonic() < end, "the session does not end"
        if until(bpy.context.window_manager.bdfm_capture):
            return
        time.sleep(0.01)


def is_under_way(state):
    return 0 < state.factor < 1


def states(state):
    return {item.name.removesuffix(".avi"): item.state for item in state.queue}


def test_one_after_the_other_and_a_failure_stops_no_other(queue, tmp_path):
    state = queue("a", "text", "b")
    assert states(state) == dict.fromkeys(("a", "text", "b"), "WAITING")
    assert bpy.ops.bdfm.capture_queue() == {"FINISHED"}
    assert states(state) == {"a": "DONE", "text": "FAILED", "b": "DONE"}
    assert "text.avi" in state.queue[1].message
    assert state.queue[0].message == f"Captured 4 frames: {tmp_path / 'a.csv'}"
    takes = [str(tmp_path / name) for name in ("a.csv", "b.csv")]
    assert [take.path for item in state.queue for take in item.takes] == takes
    assert [take.path for take in bpy.context.scene.bdfm.batch.takes] == takes
    assert bpy.context.scene.bdfm.take == takes[-1]
    assert not state.running and not bpy.ops.bdfm.capture_queue.poll()


def test_a_failure_of_the_last_clip_is_an_error(queue):
    queue("text")
    with pytest.raises(RuntimeError, match=r"text\.avi"):
        bpy.ops.bdfm.capture_queue()
    assert bpy.context.scene.bdfm.take == ""


def test_the_list_is_put_in_order(queue):
    state = queue("a", "b", "c")
    assert state.active == 2
    bpy.ops.bdfm.queue_move(step=-1)
    assert list(states(state)) == ["a", "c", "b"] and state.active == 1
    bpy.ops.bdfm.queue_remove()
    assert list(states(state)) == ["a", "b"]
    assert bpy.ops.bdfm.queue_move(step=1) == {"CANCELLED"}
    state.queue[state.active].state = "RUNNING"
    assert not bpy.ops.bdfm.queue_remove.poll() and not bpy.ops.bdfm.queue_move.poll()
    state.queue[state.active].state = "FAILED"
    bpy.ops.bdfm.queue_again()
    assert states(state) == dict.fromkeys(("a", "b"), "WAITING")
    with pytest.raises(RuntimeError, match="No file is selected"):
        bpy.ops.bdfm.queue_add(directory="/")


def test_clips_added_while_one_runs_come_after_it(queue, session, tmp_path):
    state = queue("a")
    session.step(bpy.context)
    assert state.running and states(state) == {"a": "RUNNING"}
    queue("b")
    run(session)
    assert states(state) == {"a": "DONE", "b": "DONE"}
    assert session.load(bpy.context) and bpy.context.scene.bdfm.take == str(tmp_path / "b.csv")


def test_the_clip_that_is_captured_by_itself_comes_before_those_that_wait(queue, clips):
    state = queue("a", "b")
    state.queue[0].state = "DONE"
    bpy.context.scene.bdfm.source = str(clips / "c.avi")
    bpy.ops.bdfm.capture()
    assert states(state) == dict.fromkeys(("a", "c", "b"), "DONE")
    assert list(states(state)) == ["a", "c", "b"]
    assert bpy.context.scene.bdfm.take.endswith("b.csv")


def test_undo_while_a_clip_runs_does_no_harm(queue, session, tmp_path):
    queue("a")
    bpy.ops.ed.undo_push(message="start")
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="cube")
    session.step(bpy.context)
    bpy.ops.ed.undo()
    run(session)
    assert session.load(bpy.context) and bpy.context.scene.bdfm.take == str(tmp_path / "a.csv")


def test_cancel_within_a_second_keeps_what_is_done_and_what_waits(queue, session, tmp_path):
    state = queue("long", "a")
    run(session, is_under_way)
    assert "fps" in state.text and "left" in state.text
    asked = time.monotonic()
    session.cancel()
    run(session)
    assert time.monotonic() - asked < 1
    assert states(state) == {"long": "CANCELLED", "a": "WAITING"}
    rows = len(Take.read(tmp_path / "long.csv"))
    assert 0 < rows < LONG
    assert session.said[-1] == ("INFO", f"Cancelled. {rows} frames are kept: {tmp_path / 'long.csv'}")
    assert session.load(bpy.context) and bpy.context.scene.bdfm.take == str(tmp_path / "long.csv")


def test_a_killed_worker_is_reported_with_what_was_kept(queue, session, tmp_path):
    state = queue("long", "a")
    run(session, is_under_way)
    os.kill(session.worker.pid, signal.SIGKILL)
    run(session)
    assert states(state) == {"long": "FAILED", "a": "DONE"}
    rows = len(Take.read(tmp_path / "long.csv"))
    assert 0 < rows < LONG
    message = state.queue[0].message
    assert "signal 9" in message and f"{rows} frames are kept: {tmp_path / 'long.csv'}" in message
    assert session.load(bpy.context) and bpy.context.scene.bdfm.take == str(tmp_path / "a.csv")
    assert [Path(take.path).name for take in bpy.context.scene.bdfm.batch.takes] == ["long.csv", "a.csv"]


def test_a_full_disk_is_reported_with_what_was_kept(queue, session, tmp_path):
    """The worker inherits a limit on the size of its files; a full disk looks the same to it."""
    state = queue("long")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, limits[1]))
    try:
        session.step(bpy.context)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    run(session)
    rows = len(Take.read(tmp_path / "long.csv"))
    assert 5 < rows < LONG
    message = state.queue[0].message
    assert "Free some space" in message and f"{rows} frames are kept: {tmp_path / 'long.csv'}" in message
    assert session.said[-1][0] == "ERROR"


@pytest.mark.parametrize("broken", ["describe_end", "set_take"])
def test_an_error_of_ours_leaves_no_button_grey(queue, part, monkeypatch, broken):
    def fail(*_):
        raise ValueError("no such thing")

    state = queue("a")
    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="no such thing"):
        patched.setattr(part("ui.capture_session"), broken, fail)
        bpy.ops.bdfm.capture_queue()
    assert part("ui.capture")._session is None and not state.running
    assert states(state) == {"a": "CANCELLED" if broken == "describe_end" else "DONE"}
    bpy.ops.bdfm.queue_again()
    assert bpy.ops.bdfm.capture_queue() == {"FINISHED"} and states(state) == {"a": "DONE"}


def test_each_face_becomes_a_take(queue, tmp_path):
    bpy.context.scene.bdfm.capture.face = "ALL"
    state = queue("two")
    bpy.ops.bdfm.capture_queue()
    names = ["two-face1.csv", "two-face2.csv"]
    assert [Path(take.path).name for take in state.queue[0].takes] == names
    assert [Path(take.path).name for take in bpy.context.scene.bdfm.batch.takes] == names
    first, second = (Take.read(tmp_path / name) for name in names)
    assert len(first) == len(second) == 14
    assert first.success.all() and second.success.all()
    assert first.face[:, 2].min() > second.face[:, 2].max()
    assert "two-face1.csv and 1 more" in state.queue[0].message
    assert bpy.context.scene.bdfm.take == str(tmp_path / names[0])


def test_of_all_takes_the_one_that_is_loaded_alone_is_read(queue, monkeypatch):
    tables, read = [], Take.read
    monkeypatch.setattr(Take, "read", lambda path: tables.append(Path(path).name) or read(path))
    bpy.context.scene.bdfm.capture.face = "ALL"
    queue("two", "a")
    bpy.ops.bdfm.capture_queue()
    assert len(bpy.context.scene.bdfm.batch.takes) == 3 and tables == ["a-face1.csv"]


def test_a_scene_that_is_renamed_meanwhile_gets_its_take(queue, session, tmp_path):
    scene = bpy.context.scene
    queue("a")
    session.step(bpy.context)
    scene.name, name = "Shot 1", scene.name
    bpy.context.window.scene = other = bpy.data.scenes.new(name)
    run(session)
    assert session.load(bpy.context)
    assert (scene.bdfm.take, other.bdfm.take) == (str(tmp_path / "a.csv"), "")
    assert len(scene.bdfm.batch.takes) == 1 and not other.bdfm.batch.takes


def test_a_take_whose_scene_is_gone_becomes_that_of_no_other(queue, session, tmp_path):
    scene, other = bpy.context.scene, bpy.data.scenes.new("Other")
    state = queue("a")
    session.step(bpy.context)
    bpy.context.window.scene = other
    bpy.data.scenes.remove(scene)
    run(session)
    assert not session.load(bpy.context)
    assert other.bdfm.take == "" and not other.bdfm.batch.takes
    assert [take.path for take in state.queue[0].takes] == [str(tmp_path / "a.csv")]
    assert session.said[-1] == ("WARNING", "a.csv is no scene's take: the scene it was captured for is gone.")
    assert state.queue[0].message.endswith(session.said[-1][1])


def test_a_strip_whose_scene_is_gone_is_not_looked_for_elsewhere(queue, session):
    state = queue("a")
    edit = bpy.data.scenes.new("Edit")
    item = state.queue[0]
    item.source.kind, item.source.strip, item.strips_scene = "STRIP", "a.avi", edit.session_uid
    bpy.data.scenes.remove(edit)
    run(session)
    assert states(state) == {"a": "FAILED"} and "scene of the strip 'a.avi' is gone" in item.message


def test_captures_are_no_part_of_undo_and_of_other_files(queue):
    state = queue("a")
    bpy.ops.ed.undo_push(message="start")
    bpy.context.scene.name = "Other"
    bpy.ops.ed.undo_push(message="renamed")
    state.queue[0].state = "DONE"
    bpy.ops.ed.undo()
    assert bpy.context.window_manager.bdfm_capture.queue[0].state == "DONE"
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert not bpy.context.window_manager.bdfm_capture.queue


def test_the_status_bar_is_left_as_it_was(part):
    panel, header = part("ui.capture_panel"), bpy.types.STATUSBAR_HT_header
    before = list(header._dyn_ui_initialize())
    panel.show_status()
    panel.show_status()
    assert len(header._dyn_ui_initialize()) == len(before) + 1
    panel.hide_status()
    panel.hide_status()
    assert header._dyn_ui_initialize() == before


def test_escape_counts_over_the_tab_alone(part, monkeypatch):
    """The module's window draws nothing: its sidebar is one pixel wide, and the name of its tab is not ours."""
    panel, screen = part("ui.capture_panel"), bpy.context.screen
    area = next(area for area in screen.areas if area.type == "VIEW_3D")
    sidebar = next(region for region in area.regions if region.type == "UI")
    assert not panel.is_over_panel(screen, sidebar.x, sidebar.y)
    monkeypatch.setattr(panel, "TAB", sidebar.active_panel_category)
    assert panel.is_over_panel(screen, sidebar.x, sidebar.y)
    assert not panel.is_over_panel(screen, sidebar.x + sidebar.width, sidebar.y)
    assert not panel.is_over_panel(screen, area.x + area.width // 2, area.y + area.height // 2)
