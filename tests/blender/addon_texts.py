# SPDX-License-Identifier: MIT
"""The texts of the add-on: in its sources and in what it registers, where a translator finds them, and as drawn."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import bpy

ROOT = Path(__file__).resolve().parents[2] / "blender_addon"
LOOKUPS = ("iface_", "rpt_", "tip_", "data_")
"""Blender's own names for these functions, by which its tool for translators finds the texts."""
MARK = "n_"
"""Marks the texts of a table, which are looked up where they are used."""
FOR_THE_TERMINAL = {"command_line.py"}
SHOWN = {
    name: arguments
    for name, function in bpy.types.UILayout.bl_rna.functions.items()
    if (arguments := {"text", "placeholder", "heading"}.intersection(function.parameters.keys()))
}
"""Functions that draw, and which of their arguments are drawn."""


@cache
def trees() -> list[tuple[str, ast.Module]]:
    """Names and contents of the files that speak to the artist."""
    paths = [path for part in ("ui", "blender") for path in sorted((ROOT / part).glob("*.py"))]
    return [(path.name, ast.parse(path.read_text("utf-8"))) for path in paths if path.name not in FOR_THE_TERMINAL]


def calls(tree: ast.AST, *names: str) -> list[ast.Call]:
    """Calls in a file; of these functions alone where any is named."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in found if not names or called(call) in names]


def called(call: ast.Call) -> str:
    """Name of the function, without what it is of."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def options(value: ast.expr) -> list[ast.expr]:
    """The values that an expression may have, as far as conditions tell."""
    return [*options(value.body), *options(value.orelse)] if isinstance(value, ast.IfExp) else [value]


def texts(values: Iterable[ast.expr]) -> list[str]:
    """Those that are literal texts."""
    return [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]


def drawn(call: ast.Call) -> list[ast.expr]:
    """What a call draws, where it is a function of a layout."""
    names = SHOWN.get(called(call), ())
    return [option for word in call.keywords if word.arg in names for option in options(word.value)]


def is_finished(call: ast.Call) -> bool:
    """Whether a call says that what it draws was translated before, or is a name."""
    return any(word.arg == "translate" and ast.unparse(word.value) == "False" for word in call.keywords)


@cache
def looked_up_by_blender() -> set[str]:
    """Texts in the sources that Blender looks up by itself: what is drawn, and reports."""
    found = set()
    for _, tree in trees():
        for call in calls(tree):
            found |= set(texts([] if is_finished(call) else drawn(call)))
            found |= set(texts(options(call.args[1]) if called(call) == "report" else []))
    return found


@cache
def looked_up_by_us() -> set[str]:
    """Texts in the sources that the add-on looks up."""
    found = [call for _, tree in trees() for call in calls(tree, *LOOKUPS, MARK)]
    return {text for call in found for text in texts(options(call.args[0]))}


@cache
def error_templates() -> set[str]:
    """Texts of the errors of what knows no Blender, looked up where they are shown: literals that make an error."""
    found = set()
    for folder in (ROOT / "core", ROOT / "jobs", ROOT.parent / "bdfm_infer"):
        for path in folder.glob("*.py"):
            made = [
                call for call in calls(ast.parse(path.read_text("utf-8"))) if called(call).endswith(("Error", "fail"))
            ]
            found |= {text for call in made for text in texts(call.args[:1])}
    return found


def registered(classes: Iterable[type]) -> set[str]:
    """Names and descriptions of what is registered, which Blender looks up by itself."""
    found = {""}
    for cls in classes:
        found |= {getattr(cls, "bl_label", ""), getattr(cls, "bl_description", "")}
        if issubclass(cls, bpy.types.Operator):
            rna = getattr(bpy.ops.bdfm, cls.bl_idname.partition(".")[2]).get_rna_type()
            found.add(rna.description)
        elif issubclass(cls, bpy.types.PropertyGroup | bpy.types.AddonPreferences):
            rna = cls.bl_rna
        else:
            continue
        for item in rna.properties:
            entries = getattr(item, "enum_items", ())
            found |= {text for each in (item, *entries) for text in (each.name, each.description)}
    return found


def shown(layout: bpy.types.UILayout) -> list[str]:
    """All texts that were drawn into a layout, those of its inner layouts included."""

    def within(items: list[dict[str, Any]]) -> list[str]:
        return [
            text for item in items for text in (within(item["items"]) if "items" in item else [item["draw_string"]])
        ]

    return [text for text in within(layout.introspect()) if text]
