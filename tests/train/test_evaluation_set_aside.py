# SPDX-License-Identifier: MIT
"""Photos of an archive, and those that were set aside and judged."""

from __future__ import annotations

import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from bdfm_infer import Predictor
from bdfm_train.arrays import write_arrays
from bdfm_train.data.photos import load_photos, set_aside
from bdfm_train.errors import MeasureError, SourcesError
from bdfm_train.evaluation.expressions import read_photos
from bdfm_train.evaluation.set_aside import load_judged, report, unit_line

SAMPLE = Path(__file__).parents[2] / "examples" / "clip" / "sample.mp4"
NAN = np.nan


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """An archive with a face of the sample clip and a grey picture."""
    folder = tmp_path / "faces"
    folder.mkdir()
    _, frame = cv2.VideoCapture(str(SAMPLE)).read()
    with tarfile.open(folder / "photos.tar", "w") as archive:
        for name, picture in (("grey.png", np.full((64, 64, 3), 128, np.uint8)), ("face.png", frame)):
            cv2.imwrite(str(tmp_path / name), picture)
            archive.add(tmp_path / name, f"photos/{name}")
    return tmp_path


def test_photos_are_read_in_the_archives_order(sources: Path) -> None:
    names, action_units, found = read_photos(sources, ["face.png", "grey.png"], Predictor())
    assert names == ("grey.png", "face.png")
    assert found.tolist() == [False, True]
    assert action_units.shape == (2, 23)
    assert not action_units[0].any()
    assert action_units[1].any()


def test_a_photo_that_the_archive_lacks_is_named(sources: Path, tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match=r"lacks 1 photos, first other\.png"):
        read_photos(sources, ["face.png", "other.png"], Predictor())
    with pytest.raises(SourcesError, match="BDFM_SOURCES"):
        report(tmp_path / "nowhere", Predictor())


def test_a_damaged_archive_or_table_is_said(sources: Path) -> None:
    archive, table = sources / "faces" / "photos.tar", sources / "faces" / "landmarks478.npz"
    (sources / "faces" / "expressions.csv").write_text("file,smile\nother.png,1\n")
    points = np.zeros((2, 478, 3), np.float32)
    write_arrays(table, {"names": np.array(["face.png", "grey.png"]), "xyz": points})
    assert sorted(photo.name for part in ("train", "held_out") for photo in load_photos(sources, part)) == [
        "face.png", "grey.png"
    ]  # fmt: skip
    for path, message in ((archive, "cannot be read"), (table, "no table of landmarks")):
        content = path.read_bytes()
        path.write_bytes(b"<html>not found</html>" * 40)
        with pytest.raises(SourcesError, match=message):
            load_photos(sources, "train")
        path.write_bytes(content)


def test_judged_photos_were_all_set_aside() -> None:
    names, judged = load_judged()
    assert len(set(names)) == len(names) == 403
    assert set(names) <= set_aside()
    assert list(judged) == ["AU14", "AU15", "AU16", "AU17", "AU18", "AU20", "AU23", "AU24"]
    assert (judged["AU15"] == 1).sum() >= 20
    assert (judged["AU15"] == 0).sum() >= 40


def test_photos_without_a_judgement_do_not_count() -> None:
    line = unit_line("AU15", np.array([1, 1, 0, NAN, 0]), np.array([0.9, 0.3, 0.5, 1.0, 0.1]))
    assert line.split()[:7] == ["AU15", "Lip", "corner", "depressor", "2", "2", "0.750"]
    assert line.endswith("too few to say much")
    many = unit_line("AU15", np.repeat([1.0, 0.0], [20, 40]), np.arange(60, 0, -1.0))
    assert many.endswith("1.000  1.000 to 1.000")
    assert "none to tell apart" in unit_line("AU20", np.array([0, 0, NAN]), np.zeros(3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,AU14\nother.png,1\n", r"other\.png is no action unit, or no photo that was set aside"),
        ("file,AU99\nNAME,1\n", "AU99 is no action unit"),
        ("file,AU14\nNAME,2\n", "judgement '2'"),
    ],
)
def test_a_bad_judgement_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "judged.csv"
    path.write_text(text.replace("NAME", min(set_aside())), encoding="utf-8")
    with pytest.raises(MeasureError, match=message):
        load_judged(path)
