# SPDX-License-Identifier: MIT
"""The command and the worker as other programs see them: exit codes, JSON lines, files left behind."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import pytest
from media import cut, write_sound, write_video
from synthetic_face import picture

from bdfm_infer import CaptureOptions, Predictor, Take, capture, errors
from bdfm_infer.cli import main
from bdfm_infer.cli_common import source_of
from bdfm_infer.worker import run

ROOT = Path(__file__).parents[2]
N = 40


def command(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run ``python -m bdfm_infer`` to its end; stdin stays open unless given."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as open_stdin, os.fdopen(writer, "w"):
        return subprocess.run(
            [sys.executable, "-m", "bdfm_infer", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
            **({} if "input" in options else {"stdin": open_stdin}),
            **options,
        )


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    faces = [(60 + i, 60, 60, 0.6, 0) for i in range(N)]
    return write_video(tmp_path_factory.mktemp("clip") / "my clip.mp4", (picture(160, 120, f) for f in faces))


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long enough that a run is still under way when it is stopped."""
    image = picture(160, 120, (80, 60, 60, 0.6, 0))
    return write_video(tmp_path_factory.mktemp("long") / "long.avi", (image for _ in range(2500)))


def test_capture_for_people(clip: Path, weights: Path, tmp_path: Path) -> None:
    done = command("capture", clip, "--weights", weights, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"my clip.csv: {N} frames, 0 without a face\n"
    take = Take.read(tmp_path / "my clip.csv")
    assert take.success.all()
    again = command("capture", clip, "--weights", weights, cwd=tmp_path)
    assert again.returncode == errors.OutputExistsError.exit_code
    assert "exists" in again.stderr


def test_accurate(clip: Path, weights: Path, tmp_path: Path) -> None:
    for name, options in (("plain", []), ("both", ["--accurate"])):
        assert command("capture", clip, "-o", name, "--weights", weights, *options, cwd=tmp_path).returncode == 0
    plain, both = (Take.read(tmp_path / f"{name}.csv") for name in ("plain", "both"))
    assert [take.facts["settings"]["accurate"] for take in (plain, both)] == [False, True]
    # The synthetic network turns a head's mirror image the same way as the head.
    assert plain.rotation[:, 0].min() > 5 and both.rotation[:, 0] == pytest.approx(0, abs=0.5)


def events(stdout: str) -> list[dict[str, Any]]:
    """JSON lines as objects."""
    return [json.loads(line) for line in stdout.splitlines()]


def worker(*arguments: Any) -> subprocess.Popen[str]:
    """Start ``python -m bdfm_infer capture --progress json``."""
    return subprocess.Popen(
        [sys.executable, "-m", "bdfm_infer", "capture", *map(str, arguments), "--progress", "json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_capture_for_programs(clip: Path, weights: Path, tmp_path: Path) -> None:
    with worker(clip, "-o", tmp_path / "t.csv", "--weights", weights, "--rows", "--threads", 2) as process:
        assert process.stdout is not None
        said = events(process.stdout.read())
    assert process.returncode == 0
    assert said[0] == {"event": "start", "source": str(clip), "take": str(tmp_path / "t.csv"), "model": "synthetic"}
    assert said[-1] == {"event": "done", "take": str(tmp_path / "t.csv"), "frames": N, "without_face": 0}
    rows = [e for e in said if e["event"] == "row"]
    assert [row["frame"] for row in rows] == list(range(N))
    assert rows[0]["success"] == 1
    assert 0 < rows[0]["eye_closed_right"] < 1
    progress = [e for e in said if e["event"] == "progress"]
    assert {"frame", "of", "fps", "eta_s"} < progress[-1].keys()
    assert (progress[-1]["frame"], progress[-1]["of"]) == (N, N)


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_worker_stops_at_once_and_keeps_rows(long_clip: Path, weights: Path, tmp_path: Path, how: str) -> None:
    with worker(long_clip, "-o", tmp_path / "t.csv", "--weights", weights) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        while json.loads(process.stdout.readline())["event"] != "progress":
            pass
        if how == "cancel":
            process.stdin.write("cancel\n")
            process.stdin.flush()
        else:
            process.stdin.close()
        began = time.monotonic()
        last = events(process.stdout.read())[-1]
        took = time.monotonic() - began
        process.wait(10)
    assert took < 2.0  # half a second is promised; a machine under load may take four times as long
    assert process.returncode == errors.CancelledError.exit_code
    assert (last["event"], last["code"]) == ("error", "cancelled")
    take = Take.read(tmp_path / "t.csv")
    assert 0 < len(take) == last["frames"] < 2500
    assert take.facts["complete"] is False


def test_worker_ends_when_nobody_reads(long_clip: Path, weights: Path, tmp_path: Path) -> None:
    with worker(long_clip, "-o", tmp_path / "t.csv", "--weights", weights) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == errors.CancelledError.exit_code


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_interrupt_keeps_rows(long_clip: Path, weights: Path, tmp_path: Path) -> None:
    import signal

    arguments = ["capture", str(long_clip), "-o", str(tmp_path / "t.csv"), "--weights", str(weights)]
    with subprocess.Popen(
        [sys.executable, "-m", "bdfm_infer", *arguments],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        while not (tmp_path / "t.csv").exists() or (tmp_path / "t.csv").stat().st_size < 5000:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == errors.CancelledError.exit_code
    assert b"rows are kept" in said
    assert len(Take.read(tmp_path / "t.csv")) > 0


def bad_input(name: str, folder: Path) -> Path:
    """The input of that name in :data:`EXPECTED`."""
    path = folder / name
    if name == "empty":
        path.mkdir()
    elif name == "text.mp4":
        path.write_text("not a video")
    elif name == "sound.wav":
        write_sound(path)
    elif name == "cut.avi":
        write_video(path, (picture(160, 120, (80, 60, 60, 0.6, 0)) for _ in range(N)))
        cut(path, 0.5)
    elif name == "small.mp4":
        write_video(path, [picture(24, 24)] * 3)
    elif name == "none.mp4":
        write_video(path, [picture(160, 120)] * 8)
    return path


EXPECTED = {
    "missing.mp4": errors.InputNotFoundError,
    "empty": errors.EmptyFolderError,
    "text.mp4": errors.NotAVideoError,
    "sound.wav": errors.NoVideoStreamError,
    "cut.avi": errors.TruncatedVideoError,
    "small.mp4": errors.FrameTooSmallError,
    "none.mp4": errors.NoFaceError,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_bad_input_has_its_own_code(
    name: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = bad_input(name, tmp_path)
    expected = EXPECTED[name]
    assert (
        main(["capture", str(source), "-o", str(tmp_path / "t.csv"), "--weights", str(weights)]) == expected.exit_code
    )
    message = capsys.readouterr().err
    assert message.startswith("bdfm-infer: ")
    assert message.count("\n") == 1
    assert source.name in message
    left = Take.read(tmp_path / "t.csv") if (tmp_path / "t.csv").exists() else None
    assert (left is not None) == (name in ("cut.avi", "none.mp4"))

    reader, writer = os.pipe()
    out = io.StringIO()
    with os.fdopen(reader) as stdin:
        output = tmp_path / "u.csv"
        predictor = partial(Predictor, weights)
        code = run(str(source), output, CaptureOptions(), threading.Event(), predictor, stdin=stdin, stdout=out)
        os.close(writer)
    last = events(out.getvalue())[-1]
    assert (code, last["event"], last["code"]) == (expected.exit_code, "error", expected.code)
    assert source.name in last["message"]
    assert errors.BdfmError.from_json(last).template == last["template"] != last["message"]
    assert last.get("frames") == (None if left is None else len(left))


def test_a_warning_is_said_with_its_template(weights: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), picture(160, 120, (80, 60, 60, 0.6, 0)))
    (tmp_path / "2.png").write_bytes(b"not an image")
    reader, writer = os.pipe()
    out, output = io.StringIO(), tmp_path / "t.csv"
    with os.fdopen(reader) as stdin:
        predictor = partial(Predictor, weights)
        run(str(tmp_path), output, CaptureOptions(), threading.Event(), predictor, stdin=stdin, stdout=out)
        os.close(writer)
    (warning,) = (event for event in events(out.getvalue()) if event["event"] == "warning")
    assert warning["message"].startswith(str(tmp_path / "2.png"))
    assert errors.BdfmError.from_json(warning).template == warning["template"] != warning["message"]


def test_codes_are_all_different() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.BdfmError)]
    assert len({kind.exit_code for kind in kinds}) == len({kind.code for kind in kinds}) == len(kinds)


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX's")
def test_full_disk_keeps_rows(clip: Path, weights: Path, tmp_path: Path) -> None:
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = command("capture", clip, "-o", tmp_path / "t.csv", "--weights", weights, preexec_fn=limit)
    assert done.returncode == errors.WriteError.exit_code
    assert "Free some space" in done.stderr
    take = Take.read(tmp_path / "t.csv")
    assert 5 < len(take) < N
    assert f"{len(take)} rows" in done.stderr
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    "arguments", [["capture"], ["capture", "x", "--face", "-1"], ["capture", "x", "--threads", "0"], ["export", "x"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_a_face_that_is_no_number_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["capture", "x", "--face", "left"])
    assert "'left' is neither a number nor all" in capsys.readouterr().err


def test_a_list_with_a_byte_order_mark(tmp_path: Path) -> None:
    listing = tmp_path / "names.txt"
    listing.write_text("ä.png\r\nb.png\r\n", encoding="utf-8-sig")
    assert source_of(str(listing), is_list=True) == [Path("ä.png"), Path("b.png")]


def test_end_before_start() -> None:
    assert main(["capture", "x", "--start", "3", "--end", "2"]) == 2


def test_info(clip: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json", "--weights", str(weights)]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["model"] == "synthetic"
    assert {"bdfm-infer", "python", "numpy", "onnxruntime", "sha256"} <= about.keys()
    assert main(["info", str(clip), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["size"], facts["frames"], facts["fps"]) == ([160, 120], N, 30.0)
    assert main(["info", str(clip)]) == 0
    assert "size: 160 x 120" in capsys.readouterr().out


def test_export(clip: Path, weights: Path, tmp_path: Path) -> None:
    def run_main(*arguments: Any) -> int:
        return main([str(a) for a in arguments])

    assert run_main("capture", clip, "-o", tmp_path / "t.csv", "--weights", weights, "--progress", "none") == 0
    assert run_main("export", tmp_path / "t.csv", "--to", "openface", "-o", tmp_path / "o.csv") == 0
    assert len((tmp_path / "o.csv").read_text().splitlines()) == N + 1
    assert run_main("export", tmp_path / "t.csv", "--to", "livelinkface", "-o", tmp_path / "o.csv") == 19
    assert run_main("export", clip, "--to", "openface", "-o", tmp_path / "p.csv") == 18


def test_cancel_while_skipping_to_the_start(long_clip: Path, predictor: Predictor) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(errors.CancelledError):
        capture(long_clip, None, CaptureOptions(start=250), predictor=predictor, cancel=cancel)


def test_output_keeps_dots_in_its_name(clip: Path, weights: Path, tmp_path: Path) -> None:
    done = command("capture", clip, "-o", tmp_path / "take.v2", "--weights", weights)
    assert done.returncode == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["take.v2.csv", "take.v2.json"]
