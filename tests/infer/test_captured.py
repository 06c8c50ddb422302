# SPDX-License-Identifier: MIT
"""A table as a capture wrote it is read in one go, and any other as if there were no such way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bdfm_infer import table
from bdfm_infer.captured import captured_rows
from bdfm_infer.errors import TakeFormatError
from bdfm_infer.parameters import N_AU
from bdfm_infer.rows import Row
from bdfm_infer.take import Take, TakeWriter


def _outcome(path: Path) -> list[list[float]] | str:
    """All numbers of a take, or why it is refused."""
    try:
        take = Take.read(path)
    except TakeFormatError as error:
        return str(error)
    columns = [take.frames, take.timestamps, take.confidence, take.success, take.rotation, take.face, take.action_units]
    return np.nan_to_num(np.column_stack(columns), nan=-1.0).tolist()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("\n5,", "\n\n5,"),
        ("\n5,", "\n5.7,"),
        ("\n5,", "\n 5,"),
        ("\n5,", '\n"5",'),
        ("\n5,", "\n5_0,"),
        ("\n5,", "\n1e12,"),
        ("\n5,", "\nnan,"),
        ("\n5,", "\n,"),
        ("\n5,", "\n#5,"),
        ("\n5,", "\n５,"),
        ("\n5,0.166667", "\n5,0.1"),
        ("\n5,0.166667", "\n5,inf"),
        (",0.9000,", ",1.9000,"),
        (",0.9000,1,", ",0.9000,2,"),
        (",0.9000,1,", ",0.9000,0,"),
        (",0.0000,0,", ",0.0000,1,"),
        (",0.0000,0,", ",0.0000,0,what"),
        (",1.00,", ",1e9,"),
        (",0.0000\n", ",1.2000\n"),
        (",0.0000\n", ",0.0000,7\n"),
        (",0.0000\n", "\n"),
        (",AU26,", ",AU26 ,"),
        (",AU26,", ",AU27,"),
        ("frame,", "frame,file,"),
    ],
)
def test_a_captured_table_is_read_alike_in_one_go_and_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    path, random = tmp_path / "t.csv", np.random.default_rng(3)
    with TakeWriter(path, {}) as writer:
        for row in range(40):
            found = (random.normal(size=3), np.ones(3), random.choice([0, 0.5, 1], N_AU)) if row != 7 else ()
            writer.append(Row(row, row / 30, 0.9 if found else 0.0, *found))
    text = path.read_text(encoding="utf-8")
    assert captured_rows(text.splitlines()) is not None and old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    at_once = _outcome(path)
    monkeypatch.setattr(table, "captured_rows", lambda lines: None)
    assert _outcome(path) == at_once
