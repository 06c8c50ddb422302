# SPDX-License-Identifier: MIT
"""The add-on's end of the worker: lines in, cancel, workers that crash, hang or are killed."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

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

    def run(script):
        take = tmp_path / "take.csv"
        workers.append(part("jobs.worker").CaptureWorker([sys.executable, "-c", script, str(take)], take))
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
    assert worker.outcome.error is None and not worker.outcome.cancelled and worker.outcome.take is None


def test_cancel_keeps_what_is_done(start):
    worker = start(WAIT_FOR_CANCEL)
    listen(worker, is_progress)
    asked = time.monotonic()
    worker.cancel()
    worker.cancel()
    listen(worker)
    assert time.monotonic() - asked < 2
    assert worker.outcome.cancelled and worker.outcome.error is None
    assert worker.outcome.take.read_text() == "row\n"
    assert is_gone(worker.pid)


def test_a_worker_that_does_not_listen_is_killed(start, part, monkeypatch):
    monkeypatch.setattr(part("jobs.worker"), "CANCEL_GRACE_S", 0.2)
    worker = start(IGNORE_CANCEL)
    listen(worker, is_progress)
    worker.cancel()
    listen(worker, limit=5)
    assert worker.outcome.cancelled and is_gone(worker.pid)


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
    assert "signal 9" in worker.outcome.error and "kept" in worker.outcome.error
    assert worker.outcome.take is not None and not worker.outcome.cancelled


def test_the_workers_own_message_comes_first(start):
    worker = start(SPEAK + "say('error', code='no_face', message='No face. Film again.'); sys.exit(15)")
    listen(worker)
    assert worker.outcome.error == "No face. Film again."


def test_a_crash_shows_its_last_line_and_keeps_the_rest(start):
    worker = start("raise SystemError('broken\\nin two')")
    listen(worker)
    assert "in two" in worker.outcome.error and "exit code 1" in worker.outcome.error
    assert "Traceback" in worker.outcome.details


def test_missing_packages_are_explained(start):
    worker = start("import no_such_package_here")
    listen(worker)
    assert "Install the extension again" in worker.outcome.error


def test_much_on_standard_error_does_not_block(start):
    worker = start(SPEAK + "sys.stderr.write('x' * 5_000_000); say('done')")
    assert listen(worker)[-1]["event"] == "done"
    assert len(worker.outcome.details) <= 4000
