# SPDX-License-Identifier: MIT
"""Tables of other tools as takes: what our own export wrote comes back, and what it cannot hold is said."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bdfm_infer.errors import TakeFormatError
from bdfm_infer.export import OPENFACE_AUS, arkit_table, arkit_values, export
from bdfm_infer.from_arkit import units_from_arkit
from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_infer.rows import Row
from bdfm_infer.take import Take, TakeWriter


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
    np.testing.assert_allclose(read.rotation, take.rotation, atol=np.degrees(2e-3))  # of three angles of 1e-3 each
    for name in OPENFACE_AUS:
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


def test_openface_with_its_landmarks(take: Take, tmp_path: Path) -> None:
    """Its tables have 714 columns, of which 23 are read; the others are not kept in memory."""
    export(take, "openface", tmp_path / "o.csv")
    before = Take.read(tmp_path / "o.csv")
    header, *lines = (tmp_path / "o.csv").read_text().splitlines()
    more = [header + "".join(f",x_{i}" for i in range(690)), *(line + ",-123.456" * 690 for line in lines * 5)]
    for place, line in enumerate(more[1:]):
        frame, face, _, rest = line.split(",", 3)
        more[place + 1] = f"{frame},{face},{place / 30:.3f},{rest}"
    (tmp_path / "o.csv").write_text("\n".join(more) + "\n")
    tracemalloc.start()
    after = Take.read(tmp_path / "o.csv")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(after.action_units[: len(before)], before.action_units)
    assert peak < 5 * (tmp_path / "o.csv").stat().st_size


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
        ("openface", "3,0,0.067", "3,0,0.007", "line 4, column timestamp: 0.007 is before the line above"),
        ("openface", ",1,0.", ",1,40.", "line 2, column pose_Rx: 40.* is not from"),
        ("livelinkface", "00:00:00:02.000", "00:00:09:02.000", "line 4, column Timecode: .* is before a line above"),
        (
            "livelinkface",
            "00:00:00:02.000",
            "9" * 400 + ":00:00:02.000",
            "line 3, column Timecode: .* is not HH:MM:SS:FF",
        ),
        ("livelinkface", ",0.", ",60.", "line 2, column .*: 60.* is not from -1 to 2"),
        ("livelinkface", "JawOpen", "JawOpened", "column 'JawOpen' is missing"),
        ("livelinkface", "00:00:00:00.000", "noon", "line 2, column Timecode: 'noon' is not HH:MM:SS:FF"),
    ],
)
def test_damage_is_named(take: Take, tmp_path: Path, tool: str, old: str, new: str, message: str) -> None:
    export(take, tool, tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text((tmp_path / "t.csv").read_text().replace(old, new, 1))
    with pytest.raises(TakeFormatError, match=message):
        Take.read(tmp_path / "t.csv")


@pytest.mark.parametrize("tool", ["openface", "livelinkface", "bdfm"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be"])
def test_spreadsheets_write_them_in_their_own_way(take: Take, tmp_path: Path, tool: str, encoding: str) -> None:
    """Tabs, decimal commas, other line ends, a mark at the start."""
    path = tmp_path / "t.csv"
    if tool == "bdfm":
        with TakeWriter(path, {}) as writer:
            for number in range(len(take)):
                found = take.success[number]
                values = (take.rotation[number], take.face[number], take.action_units[number]) if found else ()
                writer.append(Row(number, take.timestamps[number], take.confidence[number], *values))
    else:
        export(take, tool, path)
    before = Take.read(path)
    table = path.read_text().replace(",", "\t").replace(".", ",").replace("\n", "\r\n")
    path.write_bytes(("\ufeff" * (encoding != "utf-8-sig") + table).encode(encoding))
    after = Take.read(path)
    np.testing.assert_allclose(after.timestamps, before.timestamps)
    np.testing.assert_allclose(after.action_units, before.action_units)
    np.testing.assert_allclose(after.rotation, before.rotation)


def without(path: Path, columns: tuple[str, ...]) -> Path:
    """Take columns out of a table."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    kept = [place for place, name in enumerate(lines[0]) if name not in columns]
    path.write_text("".join(",".join(line[place] for place in kept) + "\n" for line in lines))
    return path


def test_openface_without_a_pose_leaves_the_head_at_rest(take: Take, tmp_path: Path) -> None:
    """As its option ``-aus`` writes it."""
    export(take, "openface", tmp_path / "o.csv")
    before = Take.read(tmp_path / "o.csv")
    read = Take.read(without(tmp_path / "o.csv", ("pose_Rx", "pose_Ry", "pose_Rz")))
    assert read.facts["imported"] == "openface"
    np.testing.assert_array_equal(read.action_units, before.action_units)
    assert read.success.tolist() == before.success.tolist() and not read.rotation[read.success].any()


def test_openface_with_a_part_of_its_pose_is_refused(take: Take, tmp_path: Path) -> None:
    export(take, "openface", tmp_path / "o.csv")
    with pytest.raises(TakeFormatError, match=r"line 1: column 'pose_Ry' is missing\. "):
        Take.read(without(tmp_path / "o.csv", ("pose_Ry",)))


@pytest.mark.parametrize("tool", ["openface", "livelinkface"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_that_tells_excel_the_separator(take: Take, tmp_path: Path, tool: str, end: str) -> None:
    path = tmp_path / "t.csv"
    export(take, tool, path)
    before = Take.read(path)
    table = "sep=;\n" + path.read_text().replace(",", ";")
    path.write_bytes(("\ufeff" + table.replace("\n", end)).encode())
    np.testing.assert_array_equal(Take.read(path).action_units, before.action_units)
    lines = table.splitlines()
    lines[2] = lines[2].replace(";", ";x")
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(TakeFormatError, match="line 3, column"):
        Take.read(path)


@pytest.mark.parametrize("tool", ["openface", "livelinkface"])
def test_a_table_turned_upside_down_is_refused(take: Take, tmp_path: Path, tool: str) -> None:
    export(take, tool, tmp_path / "t.csv")
    header, *lines = (tmp_path / "t.csv").read_text().splitlines()
    (tmp_path / "t.csv").write_text("\n".join([header, *reversed(lines)]) + "\n")
    with pytest.raises(TakeFormatError, match="sorted by something else"):
        Take.read(tmp_path / "t.csv")


def test_openface_writes_no_numbers_where_it_failed(take: Take, tmp_path: Path) -> None:
    export(take, "openface", tmp_path / "o.csv")
    header, *lines = (tmp_path / "o.csv").read_text().splitlines()
    lines[7] = ",".join([*lines[7].split(",")[:5], *["-nan(ind)"] * (header.count(",") - 4)])
    (tmp_path / "o.csv").write_text("\n".join([header, *lines]) + "\n")
    read = Take.read(tmp_path / "o.csv")
    assert read.success.tolist() == take.success.tolist() and not read.success[7]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"PK\x03\x04" + bytes(100), "no table"),
        ("größe\n".encode("latin-1"), "Save the table as CSV in UTF-8"),
        ("frame\n".encode("utf-16")[:-1], "Save the table as CSV in UTF-8"),
    ],
)
def test_what_is_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(TakeFormatError, match=message):
        Take.read(tmp_path / "t.csv")


@pytest.mark.parametrize(("column", "value"), [("yaw", "1e300"), ("roll", "-721"), ("face_size", "1e12")])
def test_angles_and_places_of_no_face(tmp_path: Path, column: str, value: str) -> None:
    with TakeWriter(tmp_path / "t", {}) as writer:
        writer.append(Row(0, 0.0, 0.9, np.zeros(3), np.ones(3), np.zeros(N_AU)))
    header, line = writer.path.read_text().splitlines()
    cells = line.split(",")
    cells[header.split(",").index(column)] = value
    writer.path.write_text(f"{header}\n{','.join(cells)}\n")
    with pytest.raises(TakeFormatError, match=f"line 2, column {column}: {value} is not from"):
        Take.read(writer.path)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ('{"format_version": 2.0}', r"newer version \(format_version 2.0; this one reads 1\)\. Update"),
        ("[" * 100_000, "nested too deep"),
        ('{"format_version": "2"}', "not of a take"),
    ],
)
def test_facts_that_are_not_understood(tmp_path: Path, facts: str, message: str) -> None:
    with TakeWriter(tmp_path / "t", {}) as writer:
        writer.append(Row(0, 0.0, 0.0))
    (tmp_path / "t.json").write_text(facts)
    with pytest.raises(TakeFormatError, match=message):
        Take.read(writer.path)


@pytest.mark.parametrize("settings", ["[1]", "7", "null", "{}"])
def test_settings_of_any_kind(tmp_path: Path, settings: str) -> None:
    with TakeWriter(tmp_path / "t", {}) as writer:
        writer.append(Row(0, 0.0, 0.0))
    facts = f'{{"format_version": 1, "settings": {settings}}}'
    (tmp_path / "t.json").write_text(facts)
    take = Take.read(writer.path)
    if settings in ("null", "{}"):
        assert len(take.processed()) == 1
        assert "smoothing" in Take.save_settings(writer.path, {"smoothing": None}).read_text()
        return
    with pytest.raises(TakeFormatError, match="settings are no object"):
        take.processed()
    with pytest.raises(TakeFormatError, match="settings are no object"):
        Take.save_settings(writer.path, {"smoothing": None})
    assert (tmp_path / "t.json").read_text() == facts


def test_facts_that_an_editor_marked_as_utf_8(tmp_path: Path) -> None:
    with TakeWriter(tmp_path / "t", {"version": "0"}) as writer:
        writer.append(Row(0, 0.0, 0.0))
    (tmp_path / "t.json").write_text((tmp_path / "t.json").read_text(), encoding="utf-8-sig")
    assert Take.read(writer.path).facts["version"] == "0"


@pytest.mark.parametrize("with_face", [True, False])
def test_one_row_without_a_newline(tmp_path: Path, with_face: bool) -> None:
    with TakeWriter(tmp_path / "a", {}) as writer:
        values = (np.zeros(3), np.ones(3), np.full(N_AU, 0.25)) if with_face else ()
        writer.append(Row(0, 0.0, 0.9 * with_face, *values))
    text = (tmp_path / "a.csv").read_text().rstrip("\n")
    (tmp_path / "a.csv").write_text(text)
    assert len(Take.read(tmp_path / "a")) == 1
    (tmp_path / "a.csv").write_text(text[:-1])
    assert len(Take.read(tmp_path / "a")) == 0


def test_a_suffix_in_capitals(take: Take, tmp_path: Path) -> None:
    export(take, "openface", tmp_path / "F.CSV")
    assert len(Take.read(tmp_path / "F.CSV")) == len(take)


def test_faces_that_are_lost_late_in_each_second_leave_the_rate(tmp_path: Path) -> None:
    """Of our own export, which counts 60 frames a second whatever the clip's rate."""
    rows = [Row(i, i / 30, 0.9, np.zeros(3), np.ones(3), np.zeros(N_AU)) for i in range(120)]
    rows = [row if row.timestamp % 1 < 0.35 else Row(row.frame, row.timestamp, 0.0) for row in rows]
    sparse = Take.from_rows(rows)
    export(sparse, "livelinkface", tmp_path / "l.csv")
    read = Take.read(tmp_path / "l.csv")
    np.testing.assert_allclose(read.timestamps, sparse.timestamps[sparse.success], atol=1e-4)


@pytest.mark.parametrize("rate", [24, 25, 30])
def test_a_recording_at_another_rate(tmp_path: Path, rate: int) -> None:
    codes = [f"10:00:{i // rate:02d}:{i % rate:02d}" for i in range(3 * rate)]
    take = Take.read(recording(tmp_path / "a.csv", codes))
    np.testing.assert_allclose(take.timestamps, np.arange(3 * rate) / rate, atol=1e-9)


def test_a_short_row_of_a_recording_is_named(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.csv", ["10:00:00:00", "10:00:00:01"])
    lines = [",".join([*line.split(",")[1:], line.split(",")[0]]) for line in path.read_text().splitlines()]
    lines[2] = lines[2].rpartition(",")[0]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(TakeFormatError, match="line 3, column Timecode"):
        Take.read(path)
