# SPDX-License-Identifier: MIT
"""What the demo and run.py work out by themselves; the demo as a whole is run by .ci/run."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from bdfm_infer.errors import CancelledError, TakeFormatError, WriteError
from bdfm_infer.parameters import AU_NAMES
from bdfm_infer.rows import Row
from bdfm_infer.take import Take, TakeWriter

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from demo import accuracy, blender, figure5, moments, pictures  # noqa: E402
from demo.__main__ import main  # noqa: E402


def rows(units, rotation=None, times=None, lost=()):
    """A take's rows out of action units by name, each (n,)."""
    n = len(next(iter(units.values())))
    table = np.column_stack([units.get(name, np.zeros(n)) for name in AU_NAMES])
    angles = np.zeros((n, 3)) if rotation is None else rotation
    times = np.arange(n) / 25 if times is None else times
    face = np.array([60.0, 40.0, 20.0])
    return [Row(i, times[i], 0.0) if i in lost else Row(i, times[i], 0.9, angles[i], face, table[i]) for i in range(n)]


def test_accuracy_of_known_errors():
    wave = 0.4 + 0.4 * np.sin(np.arange(50))
    turn = np.column_stack([20 * np.sin(np.arange(50) / 5), np.zeros(50), np.zeros(50)])
    truth = Take.from_rows(rows({"AU12": wave, "AU26": wave}, turn))
    take = Take.from_rows(rows({"AU12": wave + 0.1, "AU26": 0.8 - wave}, turn - (3.0, 0, 0), lost=(7,)))
    measured, frames = accuracy.compare(take, truth)
    by = {row.channel: row for row in measured}
    assert frames == 49
    assert by["AU12"].error == pytest.approx(0.1) and by["AU12"].correlation == pytest.approx(1)
    assert by["AU26"].correlation == pytest.approx(-1)
    assert by["yaw"].error == pytest.approx(3.0) and by["yaw"].correlation == pytest.approx(1)
    assert np.isnan(by["AU01"].correlation) and by["AU01"].error == 0
    assert "still" in accuracy.table(measured)


def test_accuracy_by_frame_number_from_the_command_line(tmp_path, capsys):
    wave = np.linspace(0, 1, 20)
    for name, kept in (("truth", range(20)), ("take", range(0, 20, 2))):
        with TakeWriter(tmp_path / name, {}) as writer:
            for row in (rows({"AU12": wave})[i] for i in kept):
                writer.append(row)
    assert accuracy.main([str(tmp_path / "take.csv"), str(tmp_path / "truth.csv")]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("10 frames")
    (line,) = (line for line in shown.splitlines() if line.startswith("AU12"))
    assert line.split()[-3:] == ["1.00", "0.000", "0.95"]


def test_takes_of_different_clips_are_refused(tmp_path, capsys):
    one = Take.from_rows(rows({"AU12": np.ones(3)}, lost=(0, 1, 2)))
    with pytest.raises(TakeFormatError, match="same clip"):
        accuracy.compare(one, one)
    assert accuracy.main([str(tmp_path / "none.csv"), str(tmp_path / "none.csv")]) == TakeFormatError.exit_code
    assert "none.csv" in capsys.readouterr().err


def test_the_sheet_shows_each_expression():
    units = {name: np.zeros(100) for name in AU_NAMES}
    peaks = {10: "AU12", 30: "AU26", 55: "AU18", 80: "AU04"}
    for place, name in peaks.items():
        units[name][place] = 1
    assert moments.sheet_rows(Take.from_rows(rows(units)), 4) == sorted(peaks)
    assert moments.sheet_rows(Take.from_rows(rows(units, lost=range(1, 100))), 8) == [0]


def test_video_rows_go_by_time():
    uneven = np.concatenate([np.arange(0, 1, 1 / 60), 1 + np.arange(10) / 5])
    take = Take.from_rows(rows({"AU12": np.zeros(len(uneven))}, times=uneven))
    chosen = moments.video_rows(take, 12, 10)
    assert (np.diff(uneven[chosen][:12]) < 0.12).all() and len(chosen) == 12 + 10
    assert uneven[moments.video_rows(take, 12, 0.5)].max() <= 0.5 + 1 / 60


def test_the_sheet_puts_pictures_where_their_row_and_column_are(tmp_path):
    def plain(blue, green, red):
        return np.full((64, 64, 3), (blue, green, red), np.uint8)

    pictures.write_sheet(
        tmp_path / "sheet.png",
        {"Clip": [plain(255, 0, 0), plain(0, 255, 0)], "Other": [plain(0, 0, 255), plain(255, 255, 255)]},
        ["0.00 s", "1.00 s"],
    )
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    step = pictures.CELL + pictures.GAP
    middle = (pictures.TOP + pictures.CELL // 2, pictures.LEFT + pictures.CELL // 2)
    seen = [[tuple(sheet[middle[0] + r * step, middle[1] + c * step]) for c in (0, 1)] for r in (0, 1)]
    assert seen == [[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]]


def test_the_video_is_side_by_side(tmp_path):
    red, blue = np.full((64, 87, 3), (0, 0, 255), np.uint8), np.full((64, 64, 3), (255, 0, 0), np.uint8)
    pictures.write_video(tmp_path / "both.mp4", [[red] * 5, [blue] * 5], 12)
    video = cv2.VideoCapture(str(tmp_path / "both.mp4"))
    frames = [frame for found, frame in iter(video.read, (False, None)) if found]
    assert len(frames) == 5 and frames[0].shape == (64, 150, 3)
    assert frames[4][32, 40].argmax() == 2 and frames[4][32, 120].argmax() == 0


def test_the_crop_is_centred_on_the_face():
    picture = np.zeros((100, 160, 3), np.uint8)
    cv2.circle(picture, (60, 40), 4, (255, 255, 255), -1)
    crop = pictures.face_crop(picture, np.array([60.0, 40.0, 20.0]))
    ys, xs = np.nonzero(crop[:, :, 0] > 128)
    pixel = pictures.CELL / (pictures.FACE_SIDES * 20)  # of the source, in the crop
    assert abs(ys.mean() - pictures.CELL / 2) < pixel and abs(xs.mean() - pictures.CELL / 2) < pixel
    assert len(xs) > 1000, "enlarged"
    large = pictures.face_crop(cv2.resize(picture, None, fx=20, fy=20), np.array([1200.0, 800.0, 400.0]))
    assert np.abs(np.argwhere(large[:, :, 0] > 128).mean(0) - (ys.mean(), xs.mean())).max() < pixel


def test_pictures_of_another_shape_are_letterboxed():
    tall = pictures.letterbox(np.full((100, 20, 3), 255, np.uint8), 80, 40)
    assert tall.shape == (40, 80, 3)
    ys, xs = np.nonzero((tall == 255).all(2))
    assert (ys.min(), ys.max(), xs.min(), xs.max()) == (0, 39, 36, 43)


def python(code):
    return subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True)


def test_a_blender_that_gets_on_is_waited_for_and_one_that_says_nothing_is_stopped():
    slow = python("import time\nfor i in range(8): print(i); time.sleep(0.5)")
    assert [line.strip() for line in blender.lines_of(slow, 3)] == list("01234567"), "four seconds, half a second each"
    dead = python("import time\nprint(0); time.sleep(60)")
    with pytest.raises(blender.BlenderError, match="said nothing for 3 seconds"):
        list(blender.lines_of(dead, 3))
    assert dead.wait(10) != 0


def test_results_that_cannot_be_written_and_rows_that_are_not_there_are_said(tmp_path, capsys):
    (tmp_path / "file").touch()
    for command in (main, figure5.main):
        assert command(["--out", str(tmp_path / "file" / "out")]) == WriteError.exit_code
        assert "Name another folder with --out" in capsys.readouterr().err
    with TakeWriter(tmp_path / "take", {}) as writer:
        for row in rows({"AU12": np.ones(3)}):
            writer.append(row)
    with pytest.raises(SystemExit):
        figure5.main(["--out", str(tmp_path), "--take", str(tmp_path / "take.csv"), "--rows", "1", "3"])
    assert "rows 0 to 2" in capsys.readouterr().err


def test_a_name_that_the_output_cannot_show(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "demo", "日本.mp4", "--out", tmp_path / "空", "--take", tmp_path / "空.csv"],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        text=True,
        encoding="cp1252",
        check=False,
    )
    assert done.returncode == TakeFormatError.exit_code
    assert "\\u7a7a.csv: cannot be read" in done.stderr


@pytest.fixture
def run():
    return importlib.import_module("run")


def test_a_wrong_python_is_named(run, monkeypatch):
    monkeypatch.setattr(run, "PYTHON", (3, 99))
    monkeypatch.setattr(sys, "argv", ["run.py", "demo"])
    assert "3.99" in run.check_machine()


def test_missing_libraries_end_in_the_line_that_installs_them(run, monkeypatch):
    def load(name):
        if name in ("libEGL.so.1", "libGL.so.1"):
            raise OSError(name)

    monkeypatch.setattr(run, "PYTHON", sys.version_info[:2])
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(run.ctypes, "CDLL", load)
    problem = run.check_machine()
    assert "apt-get install" in problem and "libegl1" in problem and "libgl1 " in problem + " "
    assert "libxi6" not in problem


def test_a_runner_that_cannot_be_set_up_is_said(run, monkeypatch, tmp_path, capfd):
    (tmp_path / "requirements.txt").write_text("./there_is_no_such_package\n")
    monkeypatch.setattr(run, "check_machine", lambda: None)
    monkeypatch.setattr(run, "REQUIREMENTS", tmp_path / "requirements.txt")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["run.py", "list"])
    for place in (tmp_path / "venv", tmp_path / "requirements.txt" / "venv"):
        monkeypatch.setattr(run, "VENV", place)
        assert run.main() == 1
        assert "cannot be set up" in capfd.readouterr().err


def test_ctrl_c_is_said_in_a_line(monkeypatch, tmp_path, capsys):
    code = (
        "import runpy, shutil, sys\n"
        "def press(_): raise KeyboardInterrupt\n"
        "shutil.disk_usage, sys.argv = press, ['run.py', 'demo']\n"
        "runpy.run_path('run.py', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, "Stopped.")

    def press(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules[main.__module__], "capture", press)
    assert main(["--out", str(tmp_path)]) == CancelledError.exit_code
    assert "Stopped" in capsys.readouterr().err


def test_the_summary_counts_sessions_that_broke_off(run, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "REPORTS", tmp_path)
    lanes = {"python": "success"}, {"blender-4.2": "failed", "blender-4.5": "failed", "blender-5.2": "skipped"}
    reports = [tmp_path / "0.json", tmp_path / "1.json"]
    for report, results in zip(reports, lanes, strict=True):
        sessions = [{"name": name, "result": result} for name, result in results.items()]
        report.write_text(json.dumps({"sessions": sessions}))
    xml = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'
    (tmp_path / "python.xml").write_text(xml.format(20, 0, 0, 2))
    (tmp_path / "blender-4.2.xml").write_text(xml.format(10, 1, 2, 0))
    assert run.summary(reports) == "25 passed, 4 failed, 3 skipped"


def test_lanes_run_at_the_same_time_and_one_that_fails_is_heard(run, monkeypatch, tmp_path, capfd):
    """The first lane ends when the second one has begun: one after the other they would wait for ever."""
    monkeypatch.setattr(run, "REPORTS", tmp_path)
    lane = tmp_path / "lane.py"
    lane.write_text(
        "import pathlib, sys, time\n"
        "_, _, report, mark = sys.argv\n"
        "begun, end = pathlib.Path(report).with_name('begun'), time.monotonic() + 60\n"
        "begun.touch() if mark == 'second' else None\n"
        "while not begun.exists() and time.monotonic() < end: time.sleep(0.01)\n"
        "print(mark, pathlib.Path(report).name, begun.exists(), flush=True)\n"
        "sys.exit(3 if mark == 'second' else 0)\n"
    )
    assert run.run_lanes([sys.executable, str(lane)], [["first"], ["second"]]) == 3
    assert capfd.readouterr().out.splitlines() == ["first sessions-0.json True", "second sessions-1.json True"]


def test_every_session_of_the_tests_is_in_a_lane(run):
    """So that a session cannot be left out for want of a tag."""
    assert set(re.findall(r'"(lane-\d)"', (ROOT / "noxfile.py").read_text())) == set(run.LANES)


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_requirements_are_pinned(path):
    lines = [line.split(";")[0].strip() for line in path.read_text().splitlines() if not line.startswith("#")]
    assert all(line.count("==") == 1 for line in lines)
    assert len({line.split("==")[0].lower() for line in lines}) == len(lines)


def test_the_demo_needs_no_torch():
    assert "torch" not in (ROOT / "requirements" / "demo.txt").read_text().split("Python 3.11.")[1]
