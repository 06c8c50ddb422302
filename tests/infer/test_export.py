# SPDX-License-Identifier: MIT
"""Exports against numbers made by hand, and against the recordings of the app whose format it is."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from bdfm_infer.errors import OutputExistsError, WriteError
from bdfm_infer.export import arkit_table, arkit_values, export, timecode
from bdfm_infer.openface_angles import from_openface, to_openface
from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_infer.rows import Row
from bdfm_infer.take import Take


def units(**values: float) -> np.ndarray:
    """Intensities by name, the others 0."""
    made = np.zeros(N_AU)
    for name, value in values.items():
        made[AU_NAMES.index(name)] = value
    return made


@pytest.fixture
def take() -> Take:
    first = units(
        AU01=0.2, AU12=1.0, AU16=0.9, AU26=0.5, eye_closed_left=1.0, eye_closed_right=0.5, AU05=0.6, AU07=0.4, AU25=0.5
    )
    rotation = np.array([30.0, 10.0, -5.0])
    return Take.from_rows(
        [
            Row(0, 0.0, 0.98, rotation, np.array([1.0, 2.0, 3.0]), first),
            Row(1, 0.04, 0.0),
            Row(2, 3661.5041, 0.9, np.zeros(3), np.ones(3), units(AU23=1.0, AU17=1.0)),
        ]
    )


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_openface(take: Take, tmp_path: Path) -> None:
    assert export(take, "openface", tmp_path / "o.csv") == 3
    rows = read(tmp_path / "o.csv")
    assert [row["frame"] for row in rows] == ["1", "2", "3"]
    assert [row["success"] for row in rows] == ["1", "0", "1"]
    first = {name: float(value) for name, value in rows[0].items()}
    assert first["AU01_r"] == 1.0
    assert first["AU12_r"] == 5.0
    assert first["AU26_r"] == 2.5
    assert first["AU45_r"] == 3.75
    # Turned to the person's own left, up, and counter-clockwise: in OpenFace's axes all three are negative.
    assert max(first["pose_Rx"], first["pose_Ry"], first["pose_Rz"]) < -0.05
    assert first["confidence"] == 0.98
    assert not {"AU16_r", "AU18_r", "AU24_r"} & first.keys()
    assert all(float(rows[1][name]) == 0 for name in first if name.startswith(("AU", "pose")))


def test_livelinkface(take: Take, tmp_path: Path) -> None:
    assert export(take, "livelinkface", tmp_path / "l.csv") == 2
    rows = read(tmp_path / "l.csv")
    first = {name: float(value) for name, value in rows[0].items() if name != "Timecode"}
    expected = {
        "BrowInnerUp": 0.2,
        "BrowOuterUpLeft": 0.04,
        "BrowOuterUpRight": 0.04,
        "MouthSmileLeft": 0.75,
        "MouthSmileRight": 0.75,
        "MouthDimpleLeft": 0.5,
        "MouthDimpleRight": 0.5,
        "JawOpen": 0.5,
        "EyeBlinkLeft": 1.0,
        "EyeBlinkRight": 0.5,
        "EyeWideLeft": 0.0,
        "EyeSquintRight": 0.19,  # 0.95 of AU07, half of it taken down by the closing eye
        "CheekSquintRight": 0.054,
        "EyeWideRight": 0.3,
        "MouthLowerDownLeft": 1.0,  # 0.9 of AU16 and 0.72 * 0.5 of AU25, limited
        "MouthLowerDownRight": 1.0,
        "MouthShrugUpper": 0.4,
        "MouthFunnel": 0.135,
        "HeadYaw": np.radians(30),
        "HeadPitch": np.radians(10),
        "HeadRoll": np.radians(-5),
        "BlendShapeCount": 61.0,
    }
    for name, value in first.items():
        assert value == pytest.approx(expected.get(name, 0.0), abs=1e-9), name
    second = {name: float(value) for name, value in rows[1].items() if name != "Timecode"}
    assert {name: v for name, v in second.items() if v and name != "BlendShapeCount"} == {
        "MouthRollUpper": 0.6,
        "MouthRollLower": 0.8,  # 0.5 of AU23 and 0.3 of AU17
        "MouthFunnel": 0.55,
        "MouthClose": 0.15,
        "MouthShrugLower": 1.0,
        "MouthShrugUpper": 0.4,
        "JawForward": 0.2,
    }
    assert [row["Timecode"] for row in rows] == ["00:00:00:00.000", "01:01:01:30.246"]


def test_timecode_carries_over() -> None:
    assert timecode(0.999999) == "00:00:01:00.000"
    assert timecode(59 + 59.5 / 60) == "00:00:59:59.500"


def test_header_is_that_of_a_recording(take: Take, tmp_path: Path) -> None:
    if "BDFM_SOURCES" not in os.environ:
        pytest.skip("BDFM_SOURCES is not set: the recordings are not here")
    export(take, "livelinkface", tmp_path / "l.csv")
    recording = Path(os.environ["BDFM_SOURCES"]) / "performance" / "alex_rom_3.csv"
    with recording.open(encoding="utf-8") as theirs, (tmp_path / "l.csv").open() as ours:
        assert theirs.readline().strip() == ours.readline().strip()


def test_table_knows_all_names_and_only_those() -> None:
    table = arkit_table()
    assert len(table["order"]) == len(set(table["order"])) == 52
    assert tuple(table["weights"]) == AU_NAMES
    assert {name for targets in table["weights"].values() for name in targets} <= set(table["order"])
    assert arkit_values(np.zeros((2, N_AU))).shape == (2, 52)


def test_file_appears_whole_or_not_at_all(take: Take, tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("mine")
    with pytest.raises(OutputExistsError):
        export(take, "openface", tmp_path / "o.csv")
    assert (tmp_path / "o.csv").read_text() == "mine"
    export(take, "openface", tmp_path / "o.csv", overwrite=True)
    with pytest.raises(WriteError):
        export(take, "openface", tmp_path / "o.csv" / "below.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o.csv"]


@pytest.mark.parametrize(
    ("rotation", "pose"),
    [((30, 0, 0), (0, -30, 0)), ((0, 20, 0), (-20, 0, 0)), ((0, 0, 10), (0, 0, 10)), ((0, 0, 0), (0, 0, 0))],
)
def test_one_angle_alone_is_openfaces_but_for_its_sign(rotation: tuple[float, ...], pose: tuple[float, ...]) -> None:
    np.testing.assert_allclose(to_openface(np.array([rotation])), np.radians([pose]), atol=1e-12)
    np.testing.assert_allclose(from_openface(np.radians([pose])), [rotation], atol=1e-9)


def test_several_angles_stand_for_the_same_rotation() -> None:
    """A head that turns by its yaw, then nods, then tilts; OpenFace tilts it, turns it, then nods it."""
    rotation = np.array([[40.0, 30.0, 0.0], [-35.0, 20.0, 15.0], [60.0, -40.0, -25.0]])
    nose = np.array([0.0, 0.0, -1.0])  # towards the camera; x to the right of the picture, y down

    def turned(vector: np.ndarray, axis: int, degrees: float) -> np.ndarray:
        unit, angle = np.eye(3)[axis], np.radians(degrees)
        return (
            vector * np.cos(angle)
            + np.cross(unit, vector) * np.sin(angle)
            + unit * (unit @ vector) * (1 - np.cos(angle))
        )

    for (yaw, pitch, roll), (x, y, z) in zip(rotation, np.degrees(to_openface(rotation)), strict=True):
        for vector in (nose, np.array([0.0, -1.0, 0.0])):
            ours = turned(turned(turned(vector, 1, -yaw), 0, -pitch), 2, roll)
            theirs = turned(turned(turned(vector, 2, z), 1, y), 0, x)
            np.testing.assert_allclose(theirs, ours, atol=1e-12)
    np.testing.assert_allclose(from_openface(to_openface(rotation)), rotation, atol=1e-9)
