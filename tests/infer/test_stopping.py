# SPDX-License-Identifier: MIT
"""Every command ends with one line and exit code 21 on Ctrl-C, and a program hears of every end in its last line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media import write_video
from synthetic_face import picture
from test_command_line import command, events

from bdfm_infer import TakeWriter
from bdfm_infer.cli import main
from bdfm_infer.errors import CancelledError, InputNotFoundError, TakeFormatError
from bdfm_infer.parameters import N_AU
from bdfm_infer.rows import Row

ROOT = Path(__file__).parents[2]
N = 3000

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip and its take, long enough that a command is still under way when it is stopped."""
    path = tmp_path_factory.mktemp("long")
    image = picture(160, 120, (80, 60, 60, 0.6, 0))
    write_video(path / "clip.avi", (image for _ in range(N)))
    with TakeWriter(path / "take", {}) as writer:
        for i in range(N):
            units = np.full(N_AU, i % 30 / 30)
            writer.append(Row(i, i / 30, 0.9, np.zeros(3), np.array([80.0, 60.0, 60.0]), units))
    return path


def stop(words: list[Any], is_under_way: Callable[[], bool], number: int) -> tuple[int, str, str]:
    """Start a command, send it a signal once it is under way; its exit code, stdout and stderr."""
    with subprocess.Popen(
        [sys.executable, "-m", "bdfm_infer", *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        end = time.monotonic() + 60
        while not is_under_way() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(number)
        assert process.stdout is not None and process.stderr is not None
        out, err = process.stdout.read(), process.stderr.read()
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_video_of_the_avatar(folder: Path, tmp_path: Path, number: int) -> None:
    draft = tmp_path / "a.mp4.part.mp4"
    code, out, err = stop(["avatar", folder / "take.csv", "-o", tmp_path / "a.mp4"], draft.exists, number)
    assert (code, out, err.count("\n")) == (CancelledError.exit_code, "", 1)
    assert err.startswith("bdfm-infer: Stopped")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["people", "program"])
def test_pictures(folder: Path, tmp_path: Path, more: list[str]) -> None:
    words = ["pictures", folder / "take.csv", "--source", folder / "clip.avi", "-o", tmp_path, *more]
    code, out, err = stop(words, (tmp_path / "000005.png").exists, signal.SIGINT)
    assert code == CancelledError.exit_code
    if more:
        assert (events(out)[-1]["event"], events(out)[-1]["code"], err) == ("error", "cancelled", "")
    else:
        assert (out, err.count("\n")) == ("", 1)
    assert 5 < len(list(tmp_path.glob("*.png"))) < N


@pytest.mark.parametrize("how", ["cancel\n", ""], ids=["cancel", "closed"])
def test_the_search_for_faces_hears_its_standard_input(folder: Path, tmp_path: Path, how: str) -> None:
    done = command("faces", folder / "clip.avi", "-o", tmp_path / "faces", "--at", 99, "--json", input=how)
    (last,) = events(done.stdout)
    assert (last["event"], last["code"], done.returncode) == ("error", "cancelled", CancelledError.exit_code)
    assert not (tmp_path / "faces").exists()


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["people", "program"])
def test_an_interrupt_anywhere(
    more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bdfm_infer.find_faces.find_faces", interrupted)
    assert main(["faces", "clip.mp4", "-o", str(tmp_path), *more]) == CancelledError.exit_code
    said = capsys.readouterr()
    if more:
        assert (events(said.out)[-1]["code"], said.err) == ("cancelled", "")
    else:
        assert (said.out, said.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["capture", "nope.txt", "--list", "--progress", "json"], InputNotFoundError.code),
        (["capture", "clip.mp4", "-o", "", "--progress", "json"], TakeFormatError.code),
        (["pictures", "nope.csv", "--source", "clip.mp4", "-o", "p", "--json"], TakeFormatError.code),
        (["faces", "nope.txt", "--list", "-o", "p", "--json"], InputNotFoundError.code),
    ],
)
def test_what_is_wrong_from_the_start_is_said_in_a_line_too(words: list[str], code: str, tmp_path: Path) -> None:
    done = command(*words, cwd=tmp_path)
    (last,) = events(done.stdout)
    assert (last["event"], last["code"]) == ("error", code)
    assert done.returncode != 0
