# SPDX-License-Identifier: MIT
"""The capture operator with the real worker: bad input becomes a report, files and processes are left in order."""

from __future__ import annotations

import sys

import bpy
import cv2
import numpy as np
import pytest
from footage import sample_frames, write_clip

from bdfm_infer.take import Take


@pytest.fixture
def settings(tmp_path):
    takes = tmp_path / "takes"
    takes.mkdir()
    settings = bpy.context.scene.bdfm
    settings.take_folder = str(takes)
    return settings


@pytest.fixture
def waiting(part, tmp_path):
    """A session in the operators' hands whose worker goes on until it is told to stop."""
    capture, state = part("ui.capture"), bpy.context.window_manager.bdfm_capture
    session = capture._session = part("ui.capture_session").Session(lambda level, text: None)
    script = "import sys; sys.stdin.readline()"
    command = part("jobs.requests").Command([sys.executable, "-c", script])
    session.worker = part("jobs.worker").Worker(command, tmp_path / "none.csv")
    state.queue.add().state = "RUNNING"
    yield session.worker
    capture.stop_capture()


def test_a_missing_video_is_a_report(settings, tmp_path, part):
    settings.source = str(tmp_path / "gone.mp4")
    with pytest.raises(RuntimeError, match=r"gone\.mp4"):
        bpy.ops.bdfm.capture()
    assert settings.take == ""
    assert not bpy.context.window_manager.bdfm_capture.running
    assert part("ui.capture")._session is None


def test_a_text_file_is_a_report(settings, tmp_path):
    source = tmp_path / "notes.mp4"
    source.write_text("not a video")
    settings.source = str(source)
    with pytest.raises(RuntimeError, match=r"notes\.mp4"):
        bpy.ops.bdfm.capture()


def test_a_video_without_a_face_is_a_report_and_its_take_is_kept(settings, tmp_path):
    source = tmp_path / "sky.avi"
    writer = cv2.VideoWriter(str(source), cv2.VideoWriter_fourcc(*"MJPG"), 30, (160, 120))
    for number in range(6):
        row = np.linspace(60 + 5 * number, 200, 160)
        writer.write(np.repeat(np.tile(row, (120, 1))[:, :, None], 3, axis=2).astype(np.uint8))
    writer.release()
    settings.source = str(source)
    with pytest.raises(RuntimeError, match="face"):
        bpy.ops.bdfm.capture()
    assert (tmp_path / "takes" / "sky.csv").is_file()


def test_the_captured_take_outlives_the_undo_of_a_bake(settings, tmp_path):
    settings.source = source = str(write_clip(tmp_path / "sample.avi", sample_frames(6)))
    bpy.ops.ed.undo_push(message="start")
    assert bpy.ops.bdfm.capture("EXEC_DEFAULT", True) == {"FINISHED"}
    captured = tmp_path / "takes" / "sample.csv"
    assert settings.take == str(captured)
    bpy.ops.bdfm.choose_video("EXEC_DEFAULT", True, filepath="another.mp4")
    bpy.ops.ed.undo()
    assert bpy.context.scene.bdfm.take == str(captured)
    assert bpy.context.scene.bdfm.source == source


def test_one_capture_at_a_time(settings, waiting):
    settings.source = "clip.mp4"
    assert not bpy.ops.bdfm.capture.poll()
    assert bpy.ops.bdfm.cancel_capture.poll()
    bpy.ops.bdfm.cancel_capture()
    while waiting.outcome is None:
        waiting.poll()
    assert waiting.outcome.cancelled


def test_opening_another_file_ends_the_capture(waiting, part):
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert part("ui.capture")._session is None
    while waiting.outcome is None:
        waiting.poll()
    assert waiting.outcome.cancelled


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """Longer than anyone waits."""
    frames = [cv2.resize(frame, None, fx=0.5, fy=0.5) for frame in sample_frames(60)]
    return write_clip(tmp_path_factory.mktemp("clips") / "long.avi", frames * 20)


@pytest.fixture
def begun(settings, part, tmp_path, long_clip):
    """A capture in the operators' hands that has some rows; what it is called."""
    capture, state = part("ui.capture"), bpy.context.window_manager.bdfm_capture
    settings.source = str(long_clip)
    part("ui.capture_queue").enqueue(bpy.context, settings.capture, bpy.context.scene, is_next=True)
    session = capture._session = part("ui.capture_session").Session(lambda level, text: None)
    while state.factor == 0:
        assert not session.step(bpy.context)
    yield str(tmp_path / "takes" / "long.csv")
    capture.stop_capture()
    bpy.context.window_manager.bdfm_capture.queue.clear()


def test_a_file_that_cannot_be_opened_keeps_what_was_captured(begun, part, tmp_path):
    (tmp_path / "none.blend").write_bytes(b"no file of Blender's")
    with pytest.raises(RuntimeError):
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "none.blend"))
    check_what_was_kept(begun, part)


def test_disabling_the_add_on_keeps_what_was_captured(begun, part):
    addon = part("ui").__name__.removesuffix(".ui")
    bpy.ops.preferences.addon_disable(module=addon)
    bpy.ops.preferences.addon_enable(module=addon)
    check_what_was_kept(begun, part)


def check_what_was_kept(take, part):
    state = bpy.context.window_manager.bdfm_capture
    assert part("ui.capture")._session is None and not state.running
    assert [item.state for item in state.queue] == ["CANCELLED"] and "long.csv" in state.queue[0].message
    assert bpy.context.scene.bdfm.take == take
    assert [item.path for item in bpy.context.scene.bdfm.batch.takes] == [take]
    assert 0 < len(Take.read(take)) < 1200
    assert not bpy.ops.bdfm.cancel_capture.poll() and bpy.ops.bdfm.capture.poll()


def test_takes_never_overwrite_each_other(part, tmp_path):
    free_take = part("jobs.requests").free_take
    for expected in ("clip.csv", "clip-2.csv", "clip-3.csv"):
        path = free_take(tmp_path / "clip.csv")
        assert path.name == expected
        path.touch()
    (tmp_path / "clip-4-face1.csv").touch()
    (tmp_path / "clip-5-face2.csv").touch()
    (tmp_path / "clip-6.json").touch()
    assert free_take(tmp_path / "clip.csv").name == "clip-7.csv"


def test_a_capture_is_not_watched_amid_a_bake_in_steps(waiting, part, monkeypatch):
    """Its end would be an undo step amid the bake's."""
    capture = part("ui.capture")
    monkeypatch.setattr(capture, "_window", bpy.context.window_manager.windows[0])
    monkeypatch.setattr(part("ui.stepped"), "_running", object())
    assert capture._watch_again() == capture.TURN_S
    assert capture._timer is None
