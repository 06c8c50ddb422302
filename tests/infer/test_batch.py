# SPDX-License-Identifier: MIT
"""Many clips in one command: one take each, a failure stops no other, a second start does what is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from media import write_video
from synthetic_face import picture
from test_command_line import command

from bdfm_infer import Take, errors
from bdfm_infer.batch import DRAFTS, SOME_FAILED, SUMMARY, Clip, clips_of, run_batch

N = 12


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    faces = [(60 + i, 60, 60, 0.6, 0) for i in range(N)]
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", (picture(160, 120, f) for f in faces))


def shots(clip: Path, folder: Path, *names: str) -> list[Path]:
    """Copies of the clip."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, folder / name)
    return [folder / name for name in names]


def summary(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return data


def test_a_failure_is_reported_and_the_others_go_on_and_a_second_start_does_the_rest(
    clip: Path, weights: Path, tmp_path: Path
) -> None:
    first, last = shots(clip, tmp_path / "in", "première vue.mp4", "z 'last'.mp4")
    broken = tmp_path / "in" / "broken.mp4"
    broken.write_text("no video")
    out = tmp_path / "takes"
    arguments = ("batch", first, broken, last, tmp_path / "none.mp4", "-o", out, "--weights", weights, "--jobs", 2)
    done = command(*arguments)
    assert done.returncode == SOME_FAILED
    assert "broken.mp4 is neither a video" in done.stderr
    assert "none.mp4: no such file" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [SUMMARY, *(f"{path.stem}{end}" for path in (first, last) for end in (".csv", ".json"))]
    )
    assert [len(Take.read(out / f"{path.stem}.csv")) for path in (first, last)] == [N, N]
    said = summary(out)
    assert said["counts"] == {"failed": 2, "done": 2}
    assert [each["code"] for each in said["clips"]] == ["not_found", "", "not_a_video", ""]

    stamps = {path: path.stat().st_mtime_ns for path in out.glob("*.csv")}
    shots(clip, tmp_path / "in", "broken.mp4")
    again = command(*arguments)
    assert again.returncode == SOME_FAILED
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert summary(out)["counts"] == {"failed": 1, "skipped": 2, "done": 1}


def test_what_lies_in_the_folder_is_never_overwritten(clip: Path, weights: Path, tmp_path: Path) -> None:
    one, notes, other = shots(clip, tmp_path / "a", "one.mp4", "notes.mp4", "other/one.mp4")
    out = tmp_path / "takes"
    out.mkdir()
    (out / "notes.json").write_text("mine")
    done = command("batch", one, notes, "-o", out, "--weights", weights, "--accurate")
    assert done.returncode == SOME_FAILED
    assert "notes exists" in done.stderr
    assert (out / "notes.json").read_text() == "mine"
    assert Take.read(out / "one.csv").facts["settings"]["accurate"]
    before = (out / "one.csv").read_bytes()
    done = command("batch", other, "-o", out, "--weights", weights)
    assert done.returncode == SOME_FAILED
    assert "the take of another clip" in done.stderr
    assert (out / "one.csv").read_bytes() == before


def test_a_summary_of_another_program_is_refused(clip: Path, tmp_path: Path) -> None:
    (tmp_path / SUMMARY).write_text("[]")
    done = command("batch", clip, "-o", tmp_path)
    assert done.returncode == errors.TakeFormatError.exit_code
    assert "Move it away" in done.stderr
    assert (tmp_path / SUMMARY).read_text() == "[]"


def test_a_stopped_batch_goes_on_where_it_was(clip: Path, weights: Path, tmp_path: Path) -> None:
    image = picture(160, 120, (80, 60, 60, 0.6, 0))
    long = write_video(tmp_path / "long.avi", (image for _ in range(2500)))
    out = tmp_path / "takes"
    arguments = ["batch", clip, long, "-o", out, "--weights", weights]
    process = subprocess.Popen(
        [sys.executable, "-m", "bdfm_infer", *map(str, arguments)], cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    draft = out / DRAFTS / "long.csv"
    until = time.monotonic() + 30
    while time.monotonic() < until and not (draft.exists() and draft.stat().st_size > 2000):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == errors.CancelledError.exit_code, said
    assert summary(out)["counts"] == {"done": 1, "cancelled": 1}
    assert (out / "clip.csv").exists()
    assert not (out / "long.csv").exists()
    assert 0 < len(Take.read(draft)) < 2500
    write_video(long, (image for _ in range(N)))
    assert command(*arguments).returncode == 0
    assert summary(out)["counts"] == {"skipped": 1, "done": 1}
    assert len(Take.read(out / "long.csv")) == N
    assert not draft.parent.exists()


def test_a_draft_takes_the_place_of_nothing(clip: Path, weights: Path, tmp_path: Path) -> None:
    part, one = shots(clip, tmp_path / "in", "one.part.mp4", "one.mp4")
    out = tmp_path / "takes"
    assert command("batch", part, "-o", out, "--weights", weights).returncode == 0
    assert command("batch", one, part, "-o", out, "--weights", weights).returncode == 0
    assert summary(out)["counts"] == {"skipped": 1, "done": 1}
    assert {path.stem for path in out.iterdir()} == {"one", "one.part", "bdfm-batch"}


def test_whatever_ends_one_clip_the_others_go_on(clip: Path, weights: Path, tmp_path: Path) -> None:
    odd, good = shots(clip, tmp_path / "in", "odd.mp4", "good.mp4")
    out = tmp_path / "takes"
    assert command("batch", odd, "-o", out, "--weights", weights).returncode == 0
    facts = out / "odd.json"
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"source": None}))
    (out / SUMMARY).unlink()
    done = command("batch", odd, good, "-o", out, "--weights", weights)
    assert (done.returncode, "Traceback" in done.stderr) == (SOME_FAILED, False)
    assert summary(out)["counts"] == {"failed": 1, "done": 1}


def test_an_exception_is_the_result_of_its_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("bdfm_infer.batch._work", broken)
    (result,) = run_batch([Clip(tmp_path / "a.mp4", tmp_path / "out" / "a.csv")], tmp_path / "out")
    assert (result.status, result.message) == ("failed", "Unexpected RuntimeError: broken")


@pytest.mark.parametrize("is_checkout", [False, True])
def test_no_module_of_the_current_folder_is_run(clip: Path, weights: Path, tmp_path: Path, is_checkout: bool) -> None:
    """From a checkout's root the package is found by the current folder; in any other, nothing is."""
    root = Path(__file__).parents[2]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if not is_checkout:
        environment["PYTHONPATH"] = str(root)
        (tmp_path / "cv2.py").write_text("open('ran', 'w')")
    words = ["batch", clip, "-o", tmp_path / "takes", "--weights", weights]
    done = subprocess.run(
        [sys.executable, *([] if is_checkout else ["-P"]), "-m", "bdfm_infer", *map(str, words)],
        cwd=root if is_checkout else tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()


def test_inputs(clip: Path, tmp_path: Path) -> None:
    shots(clip, tmp_path, "a/shot.mp4", "a/shot2.MOV", "b/shot.mp4", "b/shot.mov", "-odd.mp4")
    (tmp_path / "a" / "sound.wav").write_bytes(b"")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.jpg").write_bytes(b"")
    out = tmp_path / "out"
    inputs = [str(tmp_path / name) for name in ("a", "b/*.mp4", "b/shot.mov", "images", "a/shot.mp4", "-odd.mp4")]
    clips, refused = clips_of(inputs, out)
    assert not refused
    assert [each.take.name for each in clips] == [
        "a-shot.mp4.csv", "shot2.csv", "b-shot.mp4.csv", "b-shot.mov.csv", "images.csv", "-odd.csv",
    ]  # fmt: skip
    clips, refused = clips_of([str(tmp_path / "x/*.mp4")], out)
    assert (clips, [each.code for each in refused]) == ([], ["not_found"])
    deep = shots(clip, tmp_path, "one/cam/shot.mp4", "two/cam/shot.mp4")
    clips, refused = clips_of(map(str, deep), out)
    assert (clips, [each.code for each in refused]) == ([], ["output_exists"] * 2)
