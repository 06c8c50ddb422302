# SPDX-License-Identifier: MIT
"""What a command leaves alone: files of others, what is read, and nothing behind where there was nothing to write."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from synthetic_face import picture

from bdfm_infer import CaptureOptions, Predictor, Take, TakeWriter, capture
from bdfm_infer.avatar import check_output
from bdfm_infer.batch import SUMMARY, _write_summary
from bdfm_infer.cli import main
from bdfm_infer.errors import (
    BdfmError,
    CancelledError,
    NoFaceError,
    NotAVideoError,
    OutputExistsError,
    WriteError,
)
from bdfm_infer.find_faces import find_faces
from bdfm_infer.parameters import N_AU
from bdfm_infer.rows import Row
from bdfm_infer.several import record_all
from bdfm_infer.worker import run

FACE = (80.0, 60.0, 60.0, 0.6, 0.0)
ROW = Row(0, 0.0, 0.9, np.zeros(3), np.ones(3), np.zeros(N_AU))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "photo.png"), picture(160, 120, FACE))
    return tmp_path / "photo.png"


def test_a_json_file_of_others_is_not_replaced(photo: Path, predictor: Predictor, tmp_path: Path) -> None:
    for mine in ('{"mine": 1}', "mine", "[1]"):
        (tmp_path / "take.json").write_text(mine)
        for overwrite, said in ((False, "exists"), (True, "not of a take")):
            with pytest.raises(OutputExistsError, match=said):
                capture(photo, tmp_path / "take", CaptureOptions(overwrite=overwrite), predictor=predictor)
        assert (tmp_path / "take.json").read_text() == mine
        assert not (tmp_path / "take.csv").exists()


def test_a_list_that_would_become_the_json_file(photo: Path, weights: Path, tmp_path: Path) -> None:
    listing = tmp_path / "imgs.json"
    listing.write_text(f"{photo}\n")
    words = ["capture", str(listing), "--list", "--weights", str(weights), "-o", str(tmp_path / "imgs")]
    for more in ([], ["--overwrite"]):
        assert main([*words, *more]) == OutputExistsError.exit_code
    assert listing.read_text() == f"{photo}\n"


@pytest.mark.skipif(os.name == "nt", reason="no /dev/full")
def test_a_full_disk_leaves_the_older_file_and_no_draft(tmp_path: Path) -> None:
    (tmp_path / SUMMARY).write_text("older")
    (tmp_path / f"{SUMMARY}.part").symlink_to("/dev/full")
    with pytest.raises(WriteError, match=SUMMARY):
        _write_summary(tmp_path, [], {})
    assert [path.name for path in tmp_path.iterdir()] == [SUMMARY]
    assert (tmp_path / SUMMARY).read_text() == "older"


def test_of_two_captures_that_race_one_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bdfm_infer.take.refuse_existing", lambda paths: None)
    with TakeWriter(tmp_path / "take", {"mine": 1}) as writer:
        writer.append(ROW)
        with pytest.raises(BdfmError):
            TakeWriter(tmp_path / "take", {"mine": 2})
    assert len(Take.read(tmp_path / "take")) == 1
    assert json.loads((tmp_path / "take.json").read_text())["mine"] == 1


@pytest.mark.parametrize("name", ["1.csv", "1.json"])
def test_an_image_is_not_replaced_by_its_own_take(name: str, predictor: Predictor, tmp_path: Path) -> None:
    images = [tmp_path / "0.png", tmp_path / name]
    for path in images:
        path.write_bytes(cv2.imencode(".png", picture(160, 120, FACE))[1].tobytes())
    before = content(tmp_path)
    options = CaptureOptions(overwrite=True)
    with pytest.raises(OutputExistsError, match="is what is read"):
        capture(images, tmp_path / "1", options, predictor=predictor)
    assert content(tmp_path) == before


def test_a_run_that_yields_nothing_leaves_nothing(tmp_path: Path, predictor: Predictor) -> None:
    (tmp_path / "one.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    before = content(tmp_path)
    with pytest.raises(NotAVideoError):
        capture([tmp_path / "one.png"], tmp_path / "take", predictor=predictor)
    assert content(tmp_path) == before


def test_an_older_take_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    with TakeWriter(tmp_path / "take", {"mine": 1}) as writer:
        writer.append(ROW)
    older = content(tmp_path)
    with pytest.raises(CancelledError), TakeWriter(tmp_path / "take", {}, overwrite=True):
        raise CancelledError("Stopped.")
    with pytest.raises(CancelledError), TakeWriter(tmp_path / "new", {}):
        raise CancelledError("Stopped.")
    assert content(tmp_path) == older
    for stopped in (2, 3):
        with pytest.raises(CancelledError), TakeWriter(tmp_path / "take", {"mine": 2}, overwrite=True) as writer:
            for _ in range(stopped):
                writer.append(ROW)
            raise CancelledError("Stopped.")
        assert content(tmp_path).items() > older.items()
        assert len(Take.read(tmp_path / "take.part")) == stopped
    with TakeWriter(tmp_path / "take", {"mine": 3}, overwrite=True) as writer:
        for _ in range(4):
            writer.append(ROW)
        assert content(tmp_path).items() > older.items()
    assert sorted(content(tmp_path)) == ["take.csv", "take.json"]
    take = Take.read(tmp_path / "take")
    assert (len(take), take.facts["mine"], take.facts["complete"]) == (4, 3, True)


def test_a_draft_takes_the_place_of_no_other_take(tmp_path: Path) -> None:
    for name in ("take", "take.part"):
        with TakeWriter(tmp_path / name, {}) as writer:
            writer.append(ROW)
    before = content(tmp_path)
    with pytest.raises(OutputExistsError, match="needed for a draft"):
        TakeWriter(tmp_path / "take", {}, overwrite=True)
    assert content(tmp_path) == before


def test_where_the_rows_are_of_a_take_that_replaces_none_is_said(
    photo: Path, predictor: Predictor, tmp_path: Path
) -> None:
    capture(photo, tmp_path / "take", predictor=predictor)
    older = content(tmp_path)
    cv2.imwrite(str(tmp_path / "none.png"), np.zeros((120, 160), np.uint8))
    said = io.StringIO()
    options, stop = CaptureOptions(overwrite=True), threading.Event()
    reader, writer = os.pipe()
    with os.fdopen(reader) as stdin, os.fdopen(writer, "w"):
        names = (tmp_path / "none.png", tmp_path / "take.csv")
        code = run(*names, options, stop, lambda: predictor, stdin=stdin, stdout=said)
    warning, last = [json.loads(line) for line in said.getvalue().splitlines()][-2:]
    assert code == NoFaceError.exit_code
    assert content(tmp_path).items() > older.items()
    draft = tmp_path / "take.part.csv"
    assert (last["take"], last["frames"]) == (str(draft), 1)
    assert warning["event"] == "warning" and str(draft) in warning["message"]


def test_takes_of_any_face_are_in_the_way(photo: Path, predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "all-face2.csv").write_text("mine")
    with pytest.raises(OutputExistsError, match="all-face2"):
        record_all(photo, tmp_path / "all", predictor=predictor)
    assert not (tmp_path / "all-face1.csv").exists()


@pytest.mark.parametrize("name", ["faces.json", "face7.png"])
def test_pictures_of_faces_replace_nothing_unasked(name: str, photo: Path, weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    (folder / name).write_text("mine")
    (folder / "notes.png").write_text("mine too")
    words = ["faces", str(photo), "-o", str(folder), "--weights", str(weights)]
    assert main(words) == OutputExistsError.exit_code
    assert content(folder) == {name: b"mine", "notes.png": b"mine too"}
    assert main([*words, "--overwrite"]) == 0
    assert {"faces.json", "face1.png", "notes.png"} <= set(content(folder))


def test_pictures_of_faces_spare_what_is_read(weights: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "face1.png"), picture(160, 120, FACE))
    (tmp_path / "faces.json").write_text(f"{tmp_path / 'face1.png'}\n")
    before = content(tmp_path)
    with pytest.raises(OutputExistsError, match="is what is read"):
        find_faces(tmp_path / "face1.png", 0, tmp_path, weights=str(weights), overwrite=True)
    words: list[Any] = ["faces", tmp_path / "faces.json", "--list", "-o", tmp_path, "--overwrite", "--weights", weights]
    assert main([str(word) for word in words]) == OutputExistsError.exit_code
    assert content(tmp_path) == before


def test_the_video_of_the_avatar_is_an_mp4(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=r"end in \.mp4"):
        check_output(tmp_path / "take.csv", overwrite=True)
    check_output(tmp_path / "take.MP4", overwrite=False)
