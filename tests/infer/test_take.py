# SPDX-License-Identifier: MIT
"""Takes on disk: what was written is read, what is damaged is named."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdfm_infer.errors import OutputExistsError, TakeFormatError, WriteError
from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_infer.rows import VALUES, Row
from bdfm_infer.take import Take, TakeWriter, counts_of


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """Rows of a clip or of images, some without a face."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    name = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1)
    named = draw(st.booleans())
    made = []
    for i, found in enumerate(draw(st.lists(st.booleans(), max_size=5))):
        made.append(
            Row(
                frame=3 * i,
                timestamp=i / 7,
                confidence=rng.uniform(),
                rotation=rng.uniform(-90, 90, 3) if found else None,
                face=rng.uniform(-50, 4000, 3) if found else None,
                action_units=rng.uniform(0, 1, N_AU) if found else None,
                file=draw(name) if named else None,
            )
        )
    return made


def on_one_line(name: str) -> str:
    """A file's name as it stands in a take: control characters and line separators become spaces."""
    return "".join(" " if ord(c) < 32 or c in "\x7f\x85\u2028\u2029" else c for c in name)


@settings(max_examples=25)
@given(rows())
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, made: list[Row]) -> None:
    path = tmp_path_factory.mktemp("take") / "a.b"
    with_files = any(row.file is not None for row in made)
    with TakeWriter(path, {"source": {"name": "x"}}, with_files) as writer:
        for row in made:
            writer.append(row)
    take = Take.read(path)
    asked = Take.from_rows(made)
    assert take.frames.tolist() == asked.frames.tolist()
    assert take.success.tolist() == asked.success.tolist()
    np.testing.assert_allclose(take.timestamps, asked.timestamps, atol=5.1e-7)
    np.testing.assert_allclose(take.confidence, asked.confidence, atol=5.1e-5)
    np.testing.assert_allclose(take.rotation, asked.rotation, atol=5.1e-4)
    np.testing.assert_allclose(take.face, asked.face, atol=5.1e-3)
    np.testing.assert_allclose(take.action_units, asked.action_units, atol=5.1e-5)
    if with_files:
        assert take.files is not None
        assert list(take.files) == [on_one_line(str(row.file)) for row in made]
    assert take.facts["source"] == {"name": "x"}
    assert take.facts["counts"] == {"frames": len(made), "without_face": sum(not row.success for row in made)}


def sample(n: int = 5) -> list[Row]:
    """Rows with a face."""
    return [Row(i, i / 25, 0.9, np.zeros(3), np.ones(3), np.full(N_AU, 0.25)) for i in range(n)]


def write(path: Path, made: list[Row]) -> Path:
    """A take at that place."""
    with TakeWriter(path, {}) as writer:
        for row in made:
            writer.append(row)
    return path


def test_name_that_is_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    with TakeWriter(tmp_path / "t", {"source": {"name": name}}, with_files=True) as writer:
        writer.append(Row(0, 0.0, 0.0, file=name))
    take = Take.read(tmp_path / "t")
    assert take.files == ("caf?.png",)
    assert take.facts["source"]["name"] == "caf?.png"


def test_rows_are_on_disk_as_soon_as_appended(tmp_path: Path) -> None:
    writer = TakeWriter(tmp_path / "t.csv", {"source": {"name": "x"}})
    for i, row in enumerate(sample()):
        writer.append(row)
        read = Take.read(tmp_path / "t.csv")
        assert len(read) == i + 1
        assert read.facts["complete"] is False
    writer.close()


def test_killed_run_leaves_all_whole_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", sample())
    text = path.read_text()
    header, *lines = text.splitlines()
    for length in range(len(header) + 1, len(text), 7):
        path.write_text(text[:length])
        left = text[:length].splitlines()[1:]
        assert len(Take.read(path)) == sum(line == whole for line, whole in zip(left, lines, strict=False))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.2500", "much", r"line 2, column AU01: 'much' is not a number"),
        ("AU04", "AU4", r"line 1: column 'AU04' is missing"),
        ("AU04,AU05", "AU4,AU5", r"'AU04' is missing, and 1 more"),
        ("0.9000", "nan", r"line 2, column confidence"),
        ("0.9000", "90", r"line 2, column confidence: 90 is not from 0 to 1"),
        ("0.2500", "2.5", r"line 2, column AU01: 2.5 is not from 0 to 1"),
        ("0.040000", "9", r"line 4, column timestamp: 0.08 is before the line above"),
    ],
)
def test_damage_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write(tmp_path / "t.csv", sample())
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(TakeFormatError, match=message):
        Take.read(path)


def test_no_take(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    for name in ("missing.csv", "empty.csv", "picture.csv"):
        with pytest.raises(TakeFormatError, match=name):
            Take.read(tmp_path / name)
    path = write(tmp_path / "t.csv", sample())
    path.with_suffix(".json").write_text('{"format_version": 2}')
    with pytest.raises(TakeFormatError, match=r"newer version \(format_version 2; this one reads 1\)"):
        Take.read(path)
    path.with_suffix(".json").write_text('{"shots": []}')
    with pytest.raises(TakeFormatError, match="not of a take"):
        Take.read(path)
    path.with_suffix(".json").write_text("{")
    with pytest.raises(TakeFormatError, match="not valid JSON"):
        Take.read(path)


def test_table_alone_is_enough(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", sample())
    path.with_suffix(".json").unlink()
    assert len(Take.read(path)) == 5


def test_rows_are_counted_without_reading_the_table(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [*sample(), Row(5, 0.2, 0.0)])
    path.unlink()
    assert counts_of(path) == (6, 1)
    for damage in ("{", "[]", '{"counts": 3}', '{"counts": {"frames": 1}}', '{"counts": {"frames": Infinity}}'):
        path.with_suffix(".json").write_text(damage)
        assert counts_of(path) == (0, 0)
    path.with_suffix(".json").unlink()
    assert counts_of(path) == (0, 0)


def test_overwriting_has_to_be_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", sample())
    with pytest.raises(OutputExistsError):
        TakeWriter(path, {})
    TakeWriter(path, {}, overwrite=True).close()
    assert len(Take.read(path)) == 0


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="another folder"):
        TakeWriter(tmp_path / "file" / "t.csv", {})


def test_columns_are_those_of_the_format(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", sample(1))
    assert path.read_text().splitlines()[0] == ",".join(["frame", "timestamp", "confidence", "success", *VALUES])
    assert ("yaw", "pitch", "roll", "face_x", "face_y", "face_size", *AU_NAMES) == VALUES


def test_settings_apply_on_reading_only(tmp_path: Path) -> None:
    settings = {"calibration": {"neutral": {"AU01": 0.2}, "gain": {"AU02": 2.0}}, "smoothing": None}
    with TakeWriter(tmp_path / "t", {"settings": settings}) as writer:
        for row in sample():
            writer.append(row)
    take = Take.read(tmp_path / "t")
    np.testing.assert_allclose(take.action_units, 0.25)
    used = take.processed()
    np.testing.assert_allclose(used.channel("AU01"), (0.25 - 0.2) / 0.8)
    np.testing.assert_allclose(used.channel("AU02"), 0.5)
    np.testing.assert_allclose(used.channel("AU04"), 0.25)


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_a_spreadsheet_saved_it(tmp_path: Path, separator: str) -> None:
    path = write(tmp_path / "t.csv", [*sample(), Row(5, 0.2, 0.0)])
    rows = [line.split(",") for line in path.read_text().splitlines()]
    decimal = "." if separator == "," else ","
    short = [
        [cell.rstrip("0").rstrip(".").replace(".", decimal) or "0" if cell else "" for cell in r] for r in rows[1:]
    ]
    lines = [separator.join(row) for row in [rows[0], *short]]
    path.write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    take = Take.read(path)
    assert take.success.tolist() == [True] * 5 + [False]
    np.testing.assert_allclose(take.action_units[:5], 0.25)
    np.testing.assert_allclose(take.timestamps, np.arange(6) / 25)


def test_settings_are_saved_beside_the_table(tmp_path: Path) -> None:
    with TakeWriter(tmp_path / "t", {"source": {"name": "x"}, "settings": {"smoothing": None, "later": 1}}) as writer:
        writer.append(sample(1)[0])
    before = Take.read(tmp_path / "t").facts
    assert Take.save_settings(tmp_path / "t.csv", {"smoothing": {"method": "one_euro"}}) == tmp_path / "t.json"
    after = Take.read(tmp_path / "t").facts
    assert after == {**before, "settings": {"smoothing": {"method": "one_euro"}, "later": 1}}
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["t.csv", "t.json"]


def test_settings_never_replace_a_file_that_is_not_of_a_take(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", sample())
    path.with_suffix(".json").write_text("[1]")
    with pytest.raises(TakeFormatError, match="not of a take"):
        Take.save_settings(path, {})
    assert path.with_suffix(".json").read_text() == "[1]"
    path.with_suffix(".json").unlink()
    (tmp_path / "t.json.part").mkdir()
    with pytest.raises(WriteError, match="another folder"):
        Take.save_settings(path, {})
