# SPDX-License-Identifier: MIT
"""Tables of other tools as takes: what our own export wrote comes back, and what it cannot hold is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bdfm_infer.errors import TakeFormatError
from bdfm_infer.export import OPENFACE_AUS, arkit_table, arkit_values, export
from bdfm_infer.from_arkit import units_from_arkit
from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_infer.take import Row, Take


@pytest.fixture
def take() -> Take:
    """Forty rows of random faces, one of them without."""
    rng = np.random.default_rng(3)
    rows = [
        Row(
            i,
            i / 30,
            0.9,
            rng.uniform(-40, 40, 3),
            np.ones(3),
            rng.uniform(0, 1, N_AU) * (rng.uniform(size=N_AU) < 0.3),
        )
        for i in range(40)
    ]
    rows[7] = Row(7, 7 / 30, 0.0)
    return Take.from_rows(rows)


def test_openface_comes_back(take: Take, tmp_path: Path) -> None:
    export(take, "openface", tmp_path / "o.csv")
    read = Take.read(tmp_path / "o.csv")
    assert read.facts["imported"] == "openface"
    assert read.frames.tolist() == take.frames.tolist()
    assert read.success.tolist() == take.success.tolist()
    np.testing.assert_allclose(read.timestamps, take.timestamps, atol=6e-4)
    np.testing.assert_allclose(read.rotation, take.rotation, atol=np.degrees(6e-4))
    for name in (f"AU{number:02d}" for number in OPENFACE_AUS):
        np.testing.assert_allclose(read.channel(name), take.channel(name), atol=2e-4)
    blink = (take.channel("eye_closed_left") + take.channel("eye_closed_right")) / 2
    for side in ("left", "right"):
        np.testing.assert_allclose(read.channel(f"eye_closed_{side}"), blink, atol=2e-4)


def test_openface_with_spaces_and_two_faces(take: Take, tmp_path: Path) -> None:
    export(take, "openface", tmp_path / "o.csv")
    header, *lines = (tmp_path / "o.csv").read_text().splitlines()
    doubled = [line for one in lines for line in (one, one.replace(",0,", ",1,", 1))]
    (tmp_path / "o.csv").write_text("\n".join([header.replace(",", ", "), *doubled]) + "\n")
    assert len(Take.read(tmp_path / "o.csv")) == len(take)


def test_livelinkface_comes_back(take: Take, tmp_path: Path) -> None:
    export(take, "livelinkface", tmp_path / "l.csv")
    read = Take.read(tmp_path / "l.csv")
    found = take.success
    assert read.facts["imported"] == "livelinkface"
    assert read.success.all() and len(read) == found.sum()
    np.testing.assert_allclose(read.timestamps, take.timestamps[found], atol=1e-4)
    np.testing.assert_allclose(read.rotation, take.rotation[found], atol=1e-6)
    np.testing.assert_allclose(arkit_values(read.action_units), arkit_values(take.action_units[found]), atol=0.36)


@pytest.mark.parametrize("name", AU_NAMES)
def test_each_unit_alone_comes_back_from_arkit(name: str) -> None:
    units = np.zeros((1, N_AU))
    units[0, AU_NAMES.index(name)] = 0.8
    np.testing.assert_allclose(units_from_arkit(arkit_values(units)), units, atol=1e-3)


def test_a_closed_eye_does_not_hide_its_squint() -> None:
    units = np.zeros((1, N_AU))
    for name, value in {"eye_closed_left": 0.5, "eye_closed_right": 0.5, "AU07": 0.6}.items():
        units[0, AU_NAMES.index(name)] = value
    np.testing.assert_allclose(units_from_arkit(arkit_values(units)), units, atol=1e-3)


def recording(path: Path, codes: list[str]) -> Path:
    """A recording of an open jaw with these time codes."""
    names = [name[0].upper() + name[1:] for name in arkit_table()["order"]]
    row = ",".join("0.5" if name == "JawOpen" else "0" for name in (*names, "HeadYaw", "HeadPitch", "HeadRoll"))
    header = ",".join(["Timecode", "BlendShapeCount", *names, "HeadYaw", "HeadPitch", "HeadRoll"])
    path.write_text("\n".join([header, *(f"{code},61,{row}" for code in codes)]) + "\n")
    return path


def test_a_recording_by_the_clock(tmp_path: Path) -> None:
    codes = [f"23:59:{58 + i // 60:02d}:{i % 60:02d}.250" for i in range(120)] + ["00:00:00:00.250"]
    take = Take.read(recording(tmp_path / "a.csv", codes))
    np.testing.assert_allclose(take.timestamps, np.arange(121) / 60, atol=1e-3)
    np.testing.assert_allclose(take.channel("AU26"), 0.5)
    codes = [f"10:00:{i // 30:02d}:{i % 30:02d}" for i in range(90)]
    np.testing.assert_allclose(
        Take.read(recording(tmp_path / "b.csv", codes)).timestamps, np.arange(90) / 30, atol=1e-9
    )


@pytest.mark.parametrize(
    ("tool", "old", "new", "message"),
    [
        ("openface", "AU45_r", "AU45_c", "column 'AU45_r' is missing"),
        ("openface", "1,0,0.000,0.90", "1,0,soon,0.90", "line 2, column timestamp: 'soon' is not a number"),
        ("livelinkface", "JawOpen", "JawOpened", "column 'JawOpen' is missing"),
        ("livelinkface", "00:00:00:00.000", "noon", "line 2, column Timecode: 'noon' is not HH:MM:SS:FF"),
    ],
)
def test_damage_is_named(take: Take, tmp_path: Path, tool: str, old: str, new: str, message: str) -> None:
    export(take, tool, tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text((tmp_path / "t.csv").read_text().replace(old, new, 1))
    with pytest.raises(TakeFormatError, match=message):
        Take.read(tmp_path / "t.csv")
