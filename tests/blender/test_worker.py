# SPDX-License-Identifier: MIT
"""The add-on's end of the worker: lines in, cancel, workers that crash, hang or are killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

SPEAK = """
import json, sys, threading, time
def say(event, **members): print(json.dumps({"event": event, **members}), flush=True)
"""
WAIT_FOR_CANCEL = (
    SPEAK
    + """
open(sys.argv[1], "w").write("row\\n"); say("progress", frame=1, of=9)
sys.stdin.readline()
say("error", code="cancelled", message="Stopped."); sys.exit(21)
"""
)
IGNORE_CANCEL = SPEAK + "say('progress', frame=1)\ntime.sleep(60)"


@pytest.fixture
def start(part, tmp_path):
    """Start a script in a worker's place; all are ended after the test."""
    workers = []

    def run(script, scratch=None):
        take = tmp_path / "take.csv"
        command = part("jobs.requests").Command([sys.executable, "-c", script, str(take)], scratch)
        workers.append(part("jobs.worker").Worker(command, take))
        return workers[-1]

    yield run
    for worker in workers:
        worker.stop()


def listen(worker, until=None, limit=20.0):
    """All events until the worker has ended, or one that ``until`` accepts."""
    events, end = [], time.monotonic() + limit
    while worker.outcome is None and time.monotonic() < end:
        events += worker.poll()
        if until and any(until(event) for event in events):
            return events
        time.sleep(0.01)
    assert worker.outcome is not None or until, "the worker did not end"
    return events


def is_progress(event):
    return event["event"] == "progress"


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_events_arrive_in_order_and_other_output_does_no_harm(start):
    worker = start(SPEAK + "print('hello'); print('[1]'); say('start'); say('progress', frame=3); say('done')")
    assert [event["event"] for event in listen(worker)] == ["start", "progress", "done"]
    assert worker.outcome.error is None and not worker.outcome.cancelled and worker.outcome.takes == ()


def test_cancel_keeps_what_is_done(start):
    worker = start(WAIT_FOR_CANCEL)
    listen(worker, is_progress)
    asked = time.monotonic()
    worker.cancel()
    worker.cancel()
    listen(worker)
    assert time.monotonic() - asked < 1
    assert worker.outcome.cancelled and worker.outcome.error is None
    assert worker.outcome.takes[0].read_text() == "row\n"
    assert is_gone(worker.pid)


def test_a_worker_that_does_not_listen_is_killed_within_a_second(start):
    worker = start(IGNORE_CANCEL)
    listen(worker, is_progress)
    asked = time.monotonic()
    worker.cancel()
    listen(worker, limit=5)
    assert time.monotonic() - asked < 1
    assert worker.outcome.cancelled and is_gone(worker.pid)


def test_it_is_killed_while_nobody_has_time_to_poll(start):
    worker = start(IGNORE_CANCEL)
    listen(worker, is_progress)
    worker.cancel()
    worker._process.wait(1)
    listen(worker, limit=5)
    assert worker.outcome.cancelled and worker.outcome.error is None


def test_the_worker_lets_blender_go_first(start):
    worker = start(IGNORE_CANCEL)
    listen(worker, is_progress)
    assert os.getpriority(os.PRIO_PROCESS, worker.pid) > os.getpriority(os.PRIO_PROCESS, 0)


def test_stop_leaves_no_process(start, part, monkeypatch):
    monkeypatch.setattr(part("jobs.worker"), "CANCEL_GRACE_S", 0.2)
    for script in (WAIT_FOR_CANCEL, IGNORE_CANCEL):
        worker = start(script)
        listen(worker, is_progress)
        worker.stop()
        assert is_gone(worker.pid)


def test_a_killed_worker_is_explained(start):
    worker = start(WAIT_FOR_CANCEL)
    listen(worker, is_progress)
    os.kill(worker.pid, signal.SIGKILL)
    listen(worker)
    assert "signal 9" in str(worker.outcome.error) and not worker.outcome.cancelled
    assert len(worker.outcome.takes) == 1


def test_the_workers_own_message_comes_first(start):
    worker = start(SPEAK + "say('error', code='no_face', message='No face. Film again.'); sys.exit(15)")
    listen(worker)
    assert str(worker.outcome.error) == "No face. Film again."


def test_a_crash_shows_its_last_line_and_keeps_the_rest(start):
    worker = start("raise SystemError('broken\\nin two')")
    listen(worker)
    assert "in two" in str(worker.outcome.error) and "exit code 1" in str(worker.outcome.error)
    assert "Traceback" in worker.outcome.details


def test_missing_packages_are_explained(start):
    worker = start("import no_such_package_here")
    listen(worker)
    assert "Install the extension again" in str(worker.outcome.error)


def test_much_on_standard_error_does_not_block(start):
    worker = start(SPEAK + "sys.stderr.write('x' * 5_000_000); say('done')")
    assert listen(worker)[-1]["event"] == "done"
    assert len(worker.outcome.details) <= 4000


def test_what_was_kept_is_said(start, part, tmp_path):
    describe_end = part("ui.progress").describe_end
    table = "head\\nrow\\nrow\\nhalf a r"
    script = f"open(sys.argv[1], 'w').write('{table}'); sys.exit(3)"
    worker = start(SPEAK + script)
    listen(worker)
    assert worker.outcome.frames == 2
    assert describe_end(worker.outcome).endswith(f"2 frames are kept: {tmp_path / 'take.csv'}")
    worker = start("import os, sys; os.remove(sys.argv[1]); sys.exit(3)")
    listen(worker)
    assert worker.outcome.takes == () and describe_end(worker.outcome).endswith("Nothing was captured.")


def test_a_take_of_another_capture_is_not_its_own(start):
    worker = start(
        SPEAK
        + """
open(sys.argv[1], "w").write("head\\nrow\\n")
say("error", code="output_exists", message="It exists."); sys.exit(19)
"""
    )
    listen(worker)
    assert str(worker.outcome.error) == "It exists."
    assert (worker.outcome.takes, worker.outcome.frames) == ((), 0)


def test_takes_of_faces_are_found_though_the_worker_dies(start, part):
    worker = start(
        SPEAK
        + """
from pathlib import Path
for n in 1, 2:
    path = Path(sys.argv[1]).with_name(f"take-face{n}.csv")
    path.write_text("head\\nrow\\n"); say("take", take=str(path))
import os, signal; os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    listen(worker)
    assert [path.name for path in worker.outcome.takes] == ["take-face1.csv", "take-face2.csv"]
    assert "take-face1.csv and 1 more" in part("ui.progress").describe_end(worker.outcome)


def test_scratch_is_deleted(start, tmp_path):
    for script in ("pass", WAIT_FOR_CANCEL):
        scratch = tmp_path / "list.txt"
        scratch.touch()
        worker = start(script, scratch)
        worker.stop()
        assert not scratch.exists()


def test_progress_in_words(part):
    progress = part("ui.progress")
    event = {"frame": 120, "of": 4000, "fps": 210.5, "eta_s": 78.4}
    assert progress.describe(event) == "120 of 4000 frames, 210 fps, 1:18 left"
    assert progress.share(event) == 0.03
    assert progress.describe({"frame": 3, "of": None, "fps": 0.0, "eta_s": None}) == "3 frames"
    assert progress.share({"frame": 9, "of": None}) == 0
    assert progress.describe({"frame": 1, "of": 9, "fps": 1.0, "eta_s": 3725}).endswith("1:02:05 left")


def test_commands(part, tmp_path):
    requests = part("jobs.requests")
    take, odd = tmp_path / "t.csv", Path("-a b/видео 顔.mp4")
    whole = requests.capture_command(requests.Footage(odd), take).words
    assert whole[-2:] == ["--", str(odd)] and not {"--start", "--sequence", "--accurate"} & set(whole)
    images = (tmp_path / "a, 1.png", tmp_path / "я.png")
    footage = requests.Footage(images, 0.5, 2.0, True, 24.0)
    part_of = requests.capture_command(footage, take, requests.Pick(1.5, 30, 40))
    words = " ".join(part_of.words)
    assert "--face-at 1.5 30 40" in words and "--start 0.5 --end 2.0 --sequence --image-fps 24.0 --list" in words
    assert part_of.scratch.read_text(encoding="utf-8").splitlines() == [str(path) for path in images]
    part_of.scratch.unlink()
    assert "--face all" in " ".join(requests.capture_command(footage, take, requests.ALL_FACES).words)
    assert "--accurate" in requests.capture_command(footage, take, accurate=True).words


def test_blender_gets_no_sigpipe_from_a_worker_that_is_gone(start):
    """Blender 4.3 in a window dies of it: its Python, unlike one that is a program of its own, does not ignore it."""
    if not hasattr(signal, "SIGPIPE"):
        return
    received = []
    before = signal.signal(signal.SIGPIPE, lambda *_: received.append(True))
    try:
        ended, killed = start(SPEAK + "say('done')"), start(IGNORE_CANCEL)
        listen(killed, is_progress)
        os.kill(killed.pid, signal.SIGKILL)
        for worker in (ended, killed):
            listen(worker)
            worker.cancel()
            worker.stop()
    finally:
        signal.signal(signal.SIGPIPE, before)
    assert not received


@pytest.mark.parametrize("inherited", ["", os.pathsep])
def test_what_lies_in_the_current_folder_is_not_run(part, tmp_path, monkeypatch, inherited):
    for name in ("random", "cv2", "bdfm_infer"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [inherited, str(ROOT)])) + inherited)
    requests = part("jobs.requests")
    footage = requests.Footage(ROOT / "examples" / "clip" / "sample.mp4", end=0.1)
    worker = part("jobs.worker").Worker(requests.capture_command(footage, tmp_path / "t.csv"), tmp_path / "t.csv")
    listen(worker)
    assert worker.outcome.error is None and worker.outcome.frames == 3
    assert not (tmp_path / "ran").exists()
