# SPDX-License-Identifier: MIT
"""Tables 1 and 2 on a set of DISFA's layout whose pictures are frames of the sample clip, and on a CSV of labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from bdfm_infer import Predictor
from bdfm_infer.parameters import AU_NAMES
from bdfm_infer.take import Take
from bdfm_train.cli import main
from bdfm_train.errors import MeasureError
from bdfm_train.evaluation.datasets.labels import FACTS, Clip, Dataset
from bdfm_train.evaluation.readings import Readings
from bdfm_train.evaluation.statistics import icc31, mean_absolute_error
from bdfm_train.evaluation.tables import LOADERS, PAPER, report, scores

EXAMPLES = Path(__file__).parents[2] / "examples" / "clip"
STEP = 12


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    video = cv2.VideoCapture(str(EXAMPLES / "sample.mp4"))
    found = []
    while (answer := video.read())[0]:
        found.append(answer[1])
    return found[::STEP]


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return np.rint(Take.read(EXAMPLES / "sample_truth.csv").action_units[::STEP] * 5)


@pytest.fixture(scope="module")
def disfa_root(frames: list[np.ndarray], truth: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine times the same person at different moments."""
    root = tmp_path_factory.mktemp("disfa")
    (root / "Videos_LeftCamera").mkdir()
    chosen = np.arange(len(frames))
    for number, subject in enumerate(FACTS["disfa"]["test"]):
        rows = chosen[number::9]
        path = root / "Videos_LeftCamera" / f"LeftVideo{subject}_comp.avi"
        size = (frames[0].shape[1], frames[0].shape[0])
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20, size)
        for row in rows:
            writer.write(frames[row])
        writer.release()
        (root / "ActionUnit_Labels" / subject).mkdir(parents=True)
        for unit in FACTS["disfa"]["units"]:
            lines = [f"{i},{int(truth[row, AU_NAMES.index(unit)])}" for i, row in enumerate(rows, 1)]
            file = root / "ActionUnit_Labels" / subject / f"{subject}_au{int(unit[2:])}.txt"
            file.write_text("\n".join(lines), encoding="utf-8")
    return root


def readings_of(labels: np.ndarray, action_units: np.ndarray, clips: list[int] | None = None) -> Readings:
    n = len(labels)
    return Readings(np.full(n, "p"), np.array(clips or [0] * n), labels, action_units)


def test_the_papers_averages_are_those_of_its_rows() -> None:
    # A column that slipped would show here; printed to two digits, averages may differ by .01.
    for key in ("bp4d", "disfa"):
        assert PAPER[key]["units"] == FACTS[key]["units"]
        for measure in ("icc", "mae"):
            for row in PAPER[key][measure].values():
                assert len(row["values"]) == len(PAPER[key]["units"])
                assert np.mean(row["values"]) == pytest.approx(row["average"], abs=0.0101)
    assert PAPER["disfa"]["supervised"]["paper"]["icc"] == PAPER["disfa"]["icc"]["paper"]["average"]


def test_figures_are_on_intensities_to_five_over_found_faces() -> None:
    labels = np.full((4, 23), np.nan)
    labels[:, AU_NAMES.index("AU12")] = [0, 2, 5, 5]
    values = np.zeros((4, 23))
    values[:, AU_NAMES.index("AU12")] = [0.2, 0.4, 0.8, 0]
    values[3] = np.nan
    readings = readings_of(labels, values)
    assert scores(readings, ("AU12", "AU01"), mean_absolute_error)[0] == pytest.approx(2 / 3)
    assert scores(readings, ("AU12",), icc31)[0] == pytest.approx(icc31(np.array([0, 2, 5]), np.array([1, 2, 4])))
    assert np.isnan(scores(readings, ("AU01",), icc31)[0])


def test_neutral_is_the_first_frame_at_rest_and_median_that_of_the_clip() -> None:
    column = AU_NAMES.index("AU04")
    labels = np.zeros((4, 23))
    labels[0, column] = 3
    values = np.zeros((4, 23))
    values[:, column] = [0.6, 0.2, 0.4, 0.2]
    neutral, without = readings_of(labels, values).calibrated("neutral")
    assert without == 0
    np.testing.assert_allclose(neutral.action_units[:, column], [0.5, 0, 0.25, 0])  # (x - .2) / .8
    median, _ = readings_of(labels, values, [0, 0, 1, 1]).calibrated("median")
    np.testing.assert_allclose(median.action_units[:, column], [1 / 3, 0, 1 / 7, 0], atol=1e-4)  # clips at .4 and .3
    labels[:, column] = 1
    same, without = readings_of(labels, values).calibrated("neutral")
    assert without == 1
    np.testing.assert_array_equal(same.action_units, values)


def test_tables_stand_beside_the_papers_rows(disfa_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tables", "--disfa", str(disfa_root), "--calibrate", "median"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Table 1, DISFA: 9 people, face found in ")
    rows = [line.split() for line in lines]
    icc = rows.index(["ICC(3,1)", "01", "02", "04", "05", "06", "09", "12", "15", "17", "20", "25", "26", "Avg"])
    assert rows[icc + 7] == ["paper", *(f"{v:.2f}" for v in PAPER["disfa"]["icc"]["paper"]["values"]), "0.61"]
    ours = rows[icc + 8]
    assert ours[0] == "ours"
    # On the sample clip AU12 and AU26 are read best: their intraclass correlation is that of a working reader.
    assert float(ours[7]) > 0.7
    assert float(ours[12]) > 0.7
    assert any(row[:2] == ["ours,", "median"] for row in rows)
    table_2 = lines.index("Table 2, DISFA, supervised methods")
    assert rows[table_2 + 2] == ["CNN", "0.33", "0.42"]
    assert rows[table_2 + 6][0] == "ours"
    assert rows[table_2 + 6][1] == ours[-1]


def test_a_csv_of_images_gives_a_table_of_its_units(
    frames: list[np.ndarray], truth: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["file,subject,AU12,AU09"]
    for row in range(0, len(frames), 2):
        cv2.imwrite(str(tmp_path / f"{row}.png"), frames[row])
        lines.append(f"{row}.png,p,{truth[row, AU_NAMES.index('AU12')]:g},0")
    (tmp_path / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    assert main(["tables", "--labels", str(tmp_path / "labels.csv")]) == 0
    text = capsys.readouterr().out
    assert "labels.csv: 1 people, face found in" in text
    assert ["ICC(3,1)", "09", "12", "Avg"] in [line.split() for line in text.splitlines()]
    assert "the same in all frames" in text  # AU09 is 0 throughout
    assert "KBSS" not in text


def test_a_set_without_intensities_gives_aucs(
    frames: list[np.ndarray], truth: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.full((len(frames), 23), np.nan, np.float32)
    column = AU_NAMES.index("AU26")
    labels[:, column] = truth[:, column] >= 2
    paths = tuple(tmp_path / f"{i}.png" for i in range(len(frames)))
    for path, frame in zip(paths, frames, strict=True):
        cv2.imwrite(str(path), frame)
    clip = Clip("p", paths, np.arange(len(frames)), labels)
    monkeypatch.setitem(LOADERS, "mmi", lambda _: Dataset("MMI", ("AU26",), False, (clip,)))
    lines = report({"mmi": tmp_path}, Predictor(), None, every=2).splitlines()
    assert lines[0].split(",")[1].endswith(f"of {(len(frames) + 1) // 2} labelled frames; the others are left out")
    assert lines[2].split() == ["AUC", "26", "Avg"]
    assert float(lines[3].split()[1]) > 0.9  # the jaw is read well on this clip


def test_no_set_and_no_face_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MeasureError, match="--bp4d, --disfa, --ck-plus"):
        report({}, Predictor(), None)
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((64, 64), 128, np.uint8))
    (tmp_path / "labels.csv").write_text("file,subject,AU12\ngrey.png,p,1\n", encoding="utf-8")
    assert main(["tables", "--labels", str(tmp_path / "labels.csv")]) == MeasureError.exit_code
    assert "no face was found in any of 1 labelled frames" in capsys.readouterr().err
    shutil.copy(EXAMPLES / "sample.mp4", tmp_path)
    (tmp_path / "labels.csv").write_text("file,frame,subject,AU12\nsample.mp4,90000,p,1\n", encoding="utf-8")
    assert main(["tables", "--labels", str(tmp_path / "labels.csv")]) == MeasureError.exit_code
    assert "of 1 labelled frames, of which the videos lack 1" in capsys.readouterr().err
