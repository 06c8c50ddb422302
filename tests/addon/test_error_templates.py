# SPDX-License-Identifier: MIT
"""What a translator needs of the errors that an artist may see: whole texts in the sources, with named fields."""

from __future__ import annotations

import ast
from pathlib import Path
from string import Formatter

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bdfm_infer", "blender_addon/core", "blender_addon/jobs")
HELPERS = {"fail"}
"""Methods that raise an error of the template that they are given, for a place that they fill in themselves."""
FILLED = {"table.py": {"table", "line", "column"}}
"""Fields that a helper fills in, by the file that calls it; elsewhere :data:`PLACE`."""
PLACE = {"place"}


def trees() -> list[tuple[str, ast.Module]]:
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).glob("*.py"))]
    return [(path.name, ast.parse(path.read_text("utf-8"))) for path in paths]


def our_errors() -> set[str]:
    """Names of the error classes: those that come from ``BdfmError``, by whatever steps."""
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    kinds = {"BdfmError"}
    while more := {name for name, found in bases.items() if found & kinds} - kinds:
        kinds |= more
    return kinds


def made() -> list[tuple[str, ast.Call, set[str]]]:
    """Every call that makes an error or has a helper raise one: where it is, and the fields that the helper fills."""
    kinds, found = our_errors(), []
    for name, tree in trees():
        helpers = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in HELPERS]
        inside = {id(node) for helper in helpers for node in ast.walk(helper)}
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and id(node) not in inside):
            if isinstance(call.func, ast.Name) and call.func.id in kinds:
                found.append((f"{name}:{call.lineno}", call, set[str]()))
            elif isinstance(call.func, ast.Attribute) and call.func.attr in HELPERS:
                found.append((f"{name}:{call.lineno}", call, FILLED.get(name, PLACE)))
    return found


def test_errors_are_found() -> None:
    assert {"MappingError", "PresetError", "TakeFormatError"} < our_errors()
    assert len(made()) > 110


def test_every_error_has_a_template_that_is_a_literal() -> None:
    wrong = [
        where
        for where, call, _ in made()
        if not (call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str))
    ]
    assert wrong == []


def test_every_field_of_a_template_has_its_value() -> None:
    wrong = []
    for where, call, filled in made():
        values = filled | {word.arg for word in call.keywords}
        template = call.args[0].value if isinstance(call.args[0], ast.Constant) else ""
        fields = {field for _, field, _, _ in Formatter().parse(str(template)) if field is not None}
        if not values:  # the text is taken as it is, and may show braces
            fields = {field for field in fields if field.isidentifier()}
        if fields != values:
            wrong.append(f"{where} {fields} {values}")
    assert wrong == []


def test_what_a_template_says_is_not_put_together_from_words() -> None:
    """A value that is itself a literal text, or one of two, would stay English."""
    wrong = [
        f"{where} {word.arg}"
        for where, call, _ in made()
        for word in call.keywords
        if any(isinstance(node, ast.JoinedStr | ast.IfExp) for node in ast.walk(word.value))
    ]
    assert wrong == []
