# SPDX-License-Identifier: MIT
"""Data flows one way: each package of ``bdfm_train`` imports those before it alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import bdfm_train

ROOT = Path(bdfm_train.__file__).parent
ORDER = ("config", "face_model", "rig_fit", "networks", "data", "training", "detector", "evaluation")
"""Modules beside the packages are what all use, or commands, which use all."""


def imported(path: Path) -> Iterator[str]:
    """What a module names in its imports, wherever they stand, relative ones in full."""
    package = ("bdfm_train", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = package[: len(package) + 1 - node.level] if node.level else ()
            yield from (".".join((*origin, *filter(None, [node.module]), alias.name)) for alias in node.names)


def test_every_package_has_its_place() -> None:
    assert {path.parent.name for path in ROOT.glob("*/*.py")} == set(ORDER)


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_those_before_it_alone(package: str) -> None:
    later = ORDER[ORDER.index(package) + 1 :]
    found = {(path.name, name) for path in (ROOT / package).rglob("*.py") for name in imported(path)}
    assert any(name.startswith("bdfm_train") for _, name in found)
    assert not [each for each in found if each[1].startswith(tuple(f"bdfm_train.{other}." for other in later))]
