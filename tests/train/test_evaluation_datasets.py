# SPDX-License-Identifier: MIT
"""Loaders of labelled sets on folders of the published layouts, made here; nobody here had the sets themselves."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from bdfm_infer.parameters import AU_NAMES
from bdfm_train.errors import DatasetError
from bdfm_train.evaluation.datasets import bp4d, ck_plus, disfa, face_warehouse, mmi, table
from bdfm_train.evaluation.datasets.labels import FACTS, Clip

PICTURE = np.full((32, 32), 128, np.uint8)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), PICTURE)
    return path


def video(path: Path, frames: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20, (32, 32), isColor=False)
    for _ in range(frames):
        writer.write(PICTURE)
    writer.release()
    return path


def column(clip: Clip, unit: str) -> list[float]:
    return clip.labels[:, AU_NAMES.index(unit)].tolist()


@pytest.fixture
def disfa_root(tmp_path: Path) -> Path:
    for number, subject in enumerate(FACTS["disfa"]["test"]):
        name = f"LeftVideo{subject}_comp.avi" if number % 2 else f"leftVideo{subject}_Comp.avi"
        video(tmp_path / "Videos_LeftCamera" / name, 3)
        for unit in FACTS["disfa"]["units"]:
            path = tmp_path / "ActionUnit_Labels" / subject / f"{subject}_au{int(unit[2:])}.txt"
            write(path, "1,0\n2,5\n3,2\n" if unit == "AU12" else "1,0\n2,0\n3,0\n")
    return tmp_path


@pytest.fixture(scope="module")
def bp4d_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bp4d")
    for subject in FACTS["bp4d"]["test"]:
        for task in ("T1", "T8"):
            for number in (98, 99, 100):
                picture(root / "BP4D-training" / subject / task / f"{number:03d}.jpg")
            for unit in FACTS["bp4d"]["units"]:
                text = "99,9\n100,3\n" if unit == "AU10" else "99,0\n100,0\n"
                write(root / "AUCoding" / "AU_INT" / unit / f"{subject}_{task}_{unit}.csv", text)
    return root


@pytest.fixture(scope="module")
def ck_plus_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ck_plus")
    for number in range(5, 107):
        name = f"S{number:03d}"
        write(root / "FACS" / name / "001" / f"{name}_001_00000003_facs.txt", "   1.2000000e+01   4.0000000e+00\n")
    for name in ("S105", "S106"):
        for frame in (1, 2, 3):
            picture(root / "cohn-kanade-images" / name / "001" / f"{name}_001_{frame:08d}.png")
    return root


@pytest.fixture
def mmi_root(tmp_path: Path) -> Path:
    markers = "".join(f'<Marker Frame="{f}" Type="{t}"/>' for f, t in ((1, 0), (3, 1), (5, 2), (7, 3), (9, 0)))
    units = f'<ActionUnit Number="12">{markers}</ActionUnit><ActionUnit Number="L4">{markers}</ActionUnit>'
    for number, view in ((1, 0), (2, 1)):
        folder = tmp_path / "Sessions" / str(number)
        video(folder / f"S00{number}-001.avi", 10)
        write(folder / "session.xml", f'<Session><track view="{view}" filename="S00{number}-001.avi"/></Session>')
        write(folder / f"S00{number}-001-oao_aucs.xml", f"<ActionUnitCoding>{units}</ActionUnitCoding>")
    return tmp_path


def test_disfa_reads_the_nine_tested_people(disfa_root: Path) -> None:
    found = disfa.load(disfa_root)
    assert found.graded
    assert [clip.subject for clip in found.clips] == FACTS["disfa"]["test"]
    assert len(found.clips) == 9
    assert len(FACTS["disfa"]["train"]) == 18
    clip = found.clips[0]
    assert clip.frames.tolist() == [0, 1, 2]  # the set counts from 1
    assert column(clip, "AU12") == [0, 5, 2]
    assert np.isnan(column(clip, "AU10")).all()
    assert isinstance(clip.source, Path)


def test_bp4d_reads_the_twenty_tested_people_at_each_task(bp4d_root: Path) -> None:
    found = bp4d.load(bp4d_root)
    assert sorted({clip.subject for clip in found.clips}) == sorted(FACTS["bp4d"]["test"])
    assert (len(FACTS["bp4d"]["train"]), len(FACTS["bp4d"]["test"])) == (21, 20)
    assert len(found.clips) == 40
    clip = found.clips[0]
    assert isinstance(clip.source, tuple)
    assert [path.name for path in clip.source] == ["099.jpg", "100.jpg"]
    assert np.isnan(column(clip, "AU10")[0])
    assert column(clip, "AU10")[1] == 3


def test_nobody_is_tested_who_trained() -> None:
    for key in ("disfa", "bp4d"):
        assert not set(FACTS[key]["train"]) & set(FACTS[key]["test"])
        assert len(set(FACTS[key]["train"] + FACTS[key]["test"])) == {"disfa": 27, "bp4d": 41}[key]


def test_ck_plus_leaves_out_the_first_hundred_people(ck_plus_root: Path) -> None:
    found = ck_plus.load(ck_plus_root)
    assert [clip.subject for clip in found.clips] == ["S105", "S106"]
    clip = found.clips[0]
    assert [path.name for path in clip.source] == ["S105_001_00000001.png", "S105_001_00000003.png"]
    assert column(clip, "AU12") == [0, 4]
    assert column(clip, "AU04") == [0, 0]
    assert np.isnan(column(clip, "jaw_left")).all()
    assert not set(found.units) & {"jaw_left", "jaw_right", "eye_closed_left", "eye_closed_right"}


def test_ck_plus_intensity_that_nobody_coded_is_not_zero(tmp_path: Path) -> None:
    path = write(tmp_path / "S1_facs.txt", " 4.0e+00 0.0e+00\n 27 3\n 43 1\n")
    labels = ck_plus._peak(path)
    assert np.isnan(labels[AU_NAMES.index("AU04")])
    assert np.isnan(labels[AU_NAMES.index("AU26")])  # AU27 is a further AU26
    assert labels[AU_NAMES.index("AU12")] == 0


def test_mmi_takes_apex_for_there_and_frontal_views_alone(mmi_root: Path) -> None:
    found = mmi.load(mmi_root)
    assert not found.graded
    (clip,) = found.clips
    assert clip.subject == "S001"
    assert clip.frames.tolist() == list(range(10))
    nan = np.nan
    np.testing.assert_array_equal(column(clip, "AU12"), [0, 0, nan, nan, 1, 1, nan, nan, 0, 0])
    assert np.isnan(column(clip, "AU04")).all()  # coded on one side
    assert column(clip, "AU01") == [0] * 10


def test_face_warehouse_shows_what_its_poses_are_named_for(tmp_path: Path) -> None:
    for person in (1, 2, 10):
        for pose in range(20):
            picture(tmp_path / f"Tester_{person}" / "TrainingPose" / f"pose_{pose}.png")
    found = face_warehouse.load(tmp_path)
    assert [clip.subject for clip in found.clips] == ["Tester_1", "Tester_2", "Tester_10"]
    clip = found.clips[0]
    assert column(clip, "AU12")[:3] == [0, 0, 1]
    assert np.isnan(column(clip, "AU12")[3])
    assert column(clip, "eye_closed_left")[19] == 1
    assert "AU09" not in found.units


def test_table_groups_images_by_person_and_frames_by_video(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    video(tmp_path / "v.avi", 3)
    path = write(
        tmp_path / "l.csv", "# own\nfile,frame,subject,AU12,AU01\nv.avi,2,p,5,\nv.avi,0,p,0,\na.png,,q,2.5,1\n"
    )
    found = table.load(path)
    assert found.units == ("AU01", "AU12")
    film, still = found.clips
    assert (film.subject, film.frames.tolist(), column(film, "AU12")) == ("p", [0, 2], [0, 5])
    assert np.isnan(column(film, "AU01")).all()
    assert (still.source, column(still, "AU12")) == ((tmp_path / "a.png",), [2.5])


@pytest.mark.parametrize(
    ("loader", "key"),
    [
        (disfa.load, "disfa"),
        (bp4d.load, "bp4d"),
        (ck_plus.load, "ck_plus"),
        (mmi.load, "mmi"),
        (face_warehouse.load, "face_warehouse"),
    ],
)
def test_another_folder_is_named_with_what_was_expected(loader, key: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as raised:
        loader(tmp_path)
    assert str(tmp_path) in str(raised.value)
    assert FACTS[key]["layout"] in str(raised.value)


def test_missing_files_are_named(disfa_root: Path, bp4d_root: Path, mmi_root: Path) -> None:
    (disfa_root / "ActionUnit_Labels" / "SN003" / "SN003_au5.txt").unlink()
    with pytest.raises(DatasetError, match=r"SN003_au5\.txt is missing"):
        disfa.load(disfa_root)
    taken = (bp4d_root / "BP4D-training" / "F002" / "T1" / "100.jpg").rename(bp4d_root / "100.jpg")
    with pytest.raises(DatasetError, match=r"lacks the pictures of 1 of 2 coded frames, first 100\.jpg"):
        bp4d.load(bp4d_root)
    taken.rename(bp4d_root / "BP4D-training" / "F002" / "T1" / "100.jpg")
    (mmi_root / "Sessions" / "1" / "S001-001.avi").unlink()
    with pytest.raises(DatasetError, match=r"S001-001\.avi is missing"):
        mmi.load(mmi_root)


@pytest.mark.parametrize("text", ["1,0\n2,6\n", "1,0\n2,-1\n", "1,0\n2,nan\n"])
def test_a_label_out_of_range_names_file_and_line(disfa_root: Path, text: str) -> None:
    write(disfa_root / "ActionUnit_Labels" / "SN004" / "SN004_au9.txt", text)
    with pytest.raises(DatasetError, match=r"SN004_au9\.txt, line 2: label .* out of range; it must be from 0 to 5"):
        disfa.load(disfa_root)


@pytest.mark.parametrize("text", ["", "a,b\n", "1\n", "2,0\n1,0\n", "0,0\n1,0\n", "-1,0\n", "1;0\n", "1,0,3\n"])
def test_another_form_of_label_file_is_an_error(disfa_root: Path, text: str) -> None:
    write(disfa_root / "ActionUnit_Labels" / "SN004" / "SN004_au9.txt", text)
    with pytest.raises(DatasetError, match=r"SN004_au9\.txt"):
        disfa.load(disfa_root)


def test_files_of_bytes_that_are_no_text_are_named(disfa_root: Path, ck_plus_root: Path) -> None:
    (disfa_root / "ActionUnit_Labels" / "SN004" / "SN004_au9.txt").write_bytes(b"\xff\xfe1,0\n")
    with pytest.raises(DatasetError, match=r"SN004_au9\.txt cannot be read"):
        disfa.load(disfa_root)
    path = ck_plus_root / "peak_facs.txt"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DatasetError, match=r"peak_facs\.txt cannot be read"):
        ck_plus._peak(path)


@pytest.mark.parametrize("text", ["12 9", "12 nan"])
def test_an_intensity_of_ck_plus_out_of_range_names_the_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(DatasetError, match=r"facs\.txt, line 2: label .* is out of range"):
        ck_plus._peak(write(tmp_path / "facs.txt", f"1 2\n{text}\n"))


@pytest.mark.parametrize("text", ["12", "a b", "1e400 2", "nan 2"])
def test_another_form_of_facs_file_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(DatasetError, match=r"facs\.txt, line 1: expected unit and intensity"):
        ck_plus._peak(write(tmp_path / "facs.txt", text))


def test_a_unit_of_ck_plus_with_two_intensities_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"facs\.txt, line 2: unit 12 was 4 above"):
        ck_plus._peak(write(tmp_path / "facs.txt", "12 4\n12 5\n"))
    twice = ck_plus._peak(write(tmp_path / "facs.txt", "12 4\n12 4\n"))
    assert twice[AU_NAMES.index("AU12")] == 4


def test_two_files_of_a_task_of_bp4d_are_an_error(bp4d_root: Path) -> None:
    subject = FACTS["bp4d"]["test"][0]
    second = write(bp4d_root / "AUCoding" / "AU_INT" / "AU10" / f"{subject}_T1_again.csv", "99,0\n")
    with pytest.raises(DatasetError, match=f"{subject}_T1_AU10.csv and {second.name} code the same task"):
        bp4d.load(bp4d_root)
    second.unlink()


def test_markers_of_mmi_count_by_their_frames(mmi_root: Path) -> None:
    (before,) = mmi.load(mmi_root).clips
    path = mmi_root / "Sessions" / "1" / "S001-001-oao_aucs.xml"
    markers = re.findall("<Marker[^>]*>", path.read_text())[:5]
    write(path, f'<A><ActionUnit Number="12">{"".join(reversed(markers))}</ActionUnit></A>')
    (after,) = mmi.load(mmi_root).clips
    np.testing.assert_array_equal(column(after, "AU12"), column(before, "AU12"))


@pytest.mark.parametrize(("frame", "phase"), [("0", "2"), ("x", "2"), ("3", "9"), ("", "0")])
def test_a_marker_of_mmi_that_cannot_be_is_an_error(mmi_root: Path, frame: str, phase: str) -> None:
    text = f'<A><ActionUnit Number="12"><Marker Frame="{frame}" Type="{phase}"/></ActionUnit></A>'
    write(mmi_root / "Sessions" / "1" / "S001-001-oao_aucs.xml", text)
    with pytest.raises(DatasetError, match=r"aucs\.xml: a marker has Frame"):
        mmi.load(mmi_root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,subject,AU12\na.png,p,1,7\n", "line 2 has not as many cells"),
        ("file,subject,AU12\na.png,p\n", "line 2 has not as many cells"),
        ("# own\n# labels\nfile,subject,AU12\na.png,,1\n", "line 4: subject is empty"),
        ("file,frame,subject,AU12\na.png,2,p,1\na.png,2,p,3\n", r"Frame 2 of .*a\.png has two rows"),
        ("file,subject,AU12\nmissing.png,p,1\n", "missing.png is missing"),
        ("file,subject,AU12\na.png,p,7\n", "AU12: label 7 is out of range"),
        ("file,subject,AU12\na.png,p,strong\n", "AU12 is 'strong'"),
        ("file,frame,subject,AU12\na.png,x,p,1\n", "frame 'x'"),
        ("file,subject,AU99\na.png,p,1\n", "has columns file, subject, AU99"),
        ("file,AU12\na.png,1\n", "has columns file, AU12"),
        ("file,subject,AU12\n", "has no row"),
        ("file,subject,AU12,AU12\na.png,p,1,2\n", "two columns of one name"),
        ("file,subject,AU12\na.png,p,1\na.png,p,2\n", r"a\.png has two rows"),
    ],
)
def test_a_bad_table_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    picture(tmp_path / "a.png")
    with pytest.raises(DatasetError, match=message):
        table.load(write(tmp_path / "labels.csv", text))
