# SPDX-License-Identifier: MIT
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bdfm_train.errors import SourcesError
from bdfm_train.face_model import build, sources
from bdfm_train.face_model.sources import Sources, source_table

BASE = "makehuman/3dobjs/base.obj"


def test_table_names_repository_and_hash_of_every_file() -> None:
    table = source_table()
    assert len(table) > 600
    for row in table.values():
        assert len(row.sha256) == 64 and int(row.sha256, 16)
        assert row.address.startswith("https://github.com/") and " " not in row.address.split("/blob/")[0]


def test_unset_variable_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BDFM_SOURCES", raising=False)
    with pytest.raises(SourcesError, match="set BDFM_SOURCES"):
        Sources()
    assert build.main(["--out", str(tmp_path / "heads")]) == SourcesError.exit_code
    assert "BDFM_SOURCES" in capsys.readouterr().err
    assert not (tmp_path / "heads").exists()


@pytest.mark.parametrize("value", ["nowhere", "."])
def test_folder_without_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str) -> None:
    monkeypatch.setenv("BDFM_SOURCES", str(tmp_path / value))
    with pytest.raises(SourcesError, match=r"must (hold|name)"):
        Sources()


def test_wrong_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "face_model" / BASE
    path.parent.mkdir(parents=True)
    path.write_text("v 0 0 0\n")
    with pytest.raises(SourcesError, match=r"SHA-256.*github\.com/makehumancommunity"):
        Sources(tmp_path).path(BASE)


def test_missing_file_names_its_address(tmp_path: Path) -> None:
    (tmp_path / "face_model").mkdir()
    with pytest.raises(SourcesError, match=r"cannot read.*github\.com/makehumancommunity/makehuman"):
        Sources(tmp_path).path(BASE)


def test_file_outside_the_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "face_model").mkdir()
    (tmp_path / "face_model" / "other.obj").write_text("")
    with pytest.raises(SourcesError, match=r"not in sources\.tsv"):
        Sources(tmp_path).path("other.obj")


def test_right_bytes_pass_and_are_hashed_once(sources_root: Path, tmp_path: Path) -> None:
    path = tmp_path / "face_model" / BASE
    path.parent.mkdir(parents=True)
    shutil.copy(sources_root / "face_model" / BASE, path)
    verified = Sources(tmp_path)
    assert verified.path(BASE) == path
    path.unlink()
    assert verified.path(BASE) == path


def test_command_lists_and_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sources.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(source_table())
    (tmp_path / "face_model").mkdir()
    monkeypatch.setenv("BDFM_SOURCES", str(tmp_path))
    assert sources.main([]) == SourcesError.exit_code
    assert f"0 of {len(source_table())}" in capsys.readouterr().out
