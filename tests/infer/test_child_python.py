# SPDX-License-Identifier: MIT
"""The environment of another Python that is started with ``-P``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bdfm_infer.child_python import child_environment


@pytest.mark.parametrize(
    ("inherited", "path"),
    [
        (None, ["first", "second"]),
        ("", ["first", "second"]),
        (os.pathsep, ["first", "second"]),
        (f"third{os.pathsep}{os.pathsep}first", ["first", "second", "third"]),
    ],
)
def test_an_empty_entry_which_is_the_current_folder_is_left_out(
    monkeypatch: pytest.MonkeyPatch, inherited: str | None, path: list[str]
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if inherited is not None:
        monkeypatch.setenv("PYTHONPATH", inherited)
    monkeypatch.setenv("OTHER", "stays")
    made = child_environment([Path("first"), Path("second")])
    assert made["PYTHONPATH"] == os.pathsep.join(path)
    assert made["OTHER"] == "stays"
