# SPDX-License-Identifier: MIT
"""Every text that the artist sees can be translated.

The sources are read for texts that a translator could not find or could not write anew; then the panels are drawn with
a translation of all that could be found, and nothing untranslated may be left on them. Blender's Python module comes
without languages: there the lookups of the add-on answer in its place, and what Blender looks up by itself is known from
the sources. A Blender with languages translates in earnest.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import bpy
import numpy as np
import pytest
from scenes import armature, mapping_data, mesh, select, write_take

ROOT = Path(__file__).resolve().parents[2] / "blender_addon"
LOOKUPS = ("iface_", "rpt_", "tip_", "data_")
"""Blender's own names for these functions, by which its tool for translators finds the texts."""
FOR_THE_TERMINAL = {"command_line.py"}
TWO_WORDS = re.compile(r"[^\W\d_]{2,}['’]?[,;:.]? [^\W\d_]{2,}")
A_WORD = re.compile(r"\s[^\W\d_]{2,}|[^\W\d_]{2,}[,;:.]?\s")
"""In a part of an f-string: beside a space, for data paths and file names have words too."""
SHOWN = {name: arguments for name, function in bpy.types.UILayout.bl_rna.functions.items()
         if (arguments := {"text", "placeholder", "heading"}.intersection(function.parameters.keys()))}  # fmt: skip
"""Functions that draw, and which of their arguments are drawn."""
WIDE = {ord("A") + place: 0xFF21 + place for place in range(26)} | {ord("a") + p: 0xFF41 + p for p in range(26)}


def wide(text: str) -> str:
    """A translation that keeps its fields: full-width letters."""
    return "".join(part if part.startswith("{") else part.translate(WIDE) for part in re.split(r"(\{[^}]*\})", text))


def trees() -> list[tuple[Path, ast.Module]]:
    paths = [path for part in ("ui", "blender") for path in sorted((ROOT / part).glob("*.py"))]
    return [(path, ast.parse(path.read_text("utf-8"))) for path in paths if path.name not in FOR_THE_TERMINAL]


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((word.value for word in call.keywords if word.arg == name), None)


def options(value: ast.expr) -> list[ast.expr]:
    """The values that an expression may have, as far as conditions tell."""
    return [*options(value.body), *options(value.orelse)] if isinstance(value, ast.IfExp) else [value]


def is_text(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def is_translated_by_blender(call: ast.Call) -> bool:
    value = keyword(call, "translate")
    return value is None or not (isinstance(value, ast.Constant) and value.value is False)


def drawn(call: ast.Call) -> list[ast.expr]:
    """What a call draws, where it is a function of a layout."""
    values = [keyword(call, name) for name in SHOWN.get(called(call), ())]
    return [option for value in values if value is not None for option in options(value)]


def blenders_own() -> set[str]:
    """Texts in the sources that Blender looks up by itself: labels that are drawn, and reports."""
    found = set()
    for _, tree in trees():
        for call in calls(tree):
            values = drawn(call) if is_translated_by_blender(call) else []
            values += options(call.args[1]) if called(call) == "report" else []
            found |= {value.value for value in values if is_text(value)}
    return found


def looked_up() -> set[str]:
    """Texts in the sources that the add-on looks up."""
    found = [call for _, tree in trees() for call in calls(tree) if called(call) in (*LOOKUPS, "n_")]
    return {value.value for call in found for value in options(call.args[0]) if is_text(value)}


@pytest.fixture(scope="module")
def registered(part):
    """Names and descriptions of everything that the add-on has registered; Blender looks them up by itself."""
    found = set()
    for cls in part("ui").CLASSES:
        found |= {getattr(cls, "bl_label", ""), getattr(cls, "bl_description", None) or (cls.__doc__ or "").strip()}
        kind = cls if issubclass(cls, bpy.types.PropertyGroup | bpy.types.AddonPreferences) else None
        if issubclass(cls, bpy.types.Operator):
            rna = getattr(bpy.ops.bdfm, cls.bl_idname.partition(".")[2]).get_rna_type()
        elif kind is not None:
            rna = cls.bl_rna
        else:
            continue
        for item in rna.properties:
            found |= {item.name, item.description}
            found |= {text for e in getattr(item, "enum_items", ()) for text in (e.name, e.description)}
    return found


@pytest.fixture(scope="module")
def known(registered):
    """Everything that a translator finds."""
    return registered | blenders_own() | looked_up()


def test_no_sentence_is_put_together_where_no_translator_can_reach_it():
    wrong = []
    for path, tree in trees():
        printed = {id(node) for call in calls(tree) if called(call) == "print" for node in ast.walk(call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr) and id(node) not in printed:
                parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
                wrong += [f"{path.name}:{node.lineno} {part}" for part in parts if A_WORD.search(part)]
    assert wrong == []


def test_every_text_of_several_words_is_found_by_translators(known):
    wrong = []
    for path, tree in trees():
        passed = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Expr) and is_text(node.value)):
                passed |= {id(inner) for inner in ast.walk(node)}
            if isinstance(node, ast.Call) and called(node) == "print":
                passed |= {id(inner) for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if is_text(node) and id(node) not in passed and TWO_WORDS.search(node.value) and node.value not in known:
                wrong.append(f"{path.name}:{node.lineno} {node.value}")
    assert wrong == []


def test_what_is_looked_up_is_a_literal_or_known_from_elsewhere():
    """Tables are marked with ``n_``, or name what is registered; no text is looked up that was put together before."""
    wrong = []
    for path, tree in trees():
        for call in (call for call in calls(tree) if called(call) in (*LOOKUPS, "n_")):
            for value in options(call.args[0]):
                if isinstance(value, ast.JoinedStr | ast.BinOp) or (
                    isinstance(value, ast.Call) and called(value) == "format"
                ):
                    wrong.append(f"{path.name}:{call.lineno}")
        wrong += [f"{path.name}: translated" for name in ast.walk(tree) if isinstance(name, ast.alias)
                  and name.name.startswith("pgettext") and name.asname not in (*LOOKUPS, "n_")]  # fmt: skip
    assert wrong == []


def test_what_is_drawn_is_a_literal_or_was_translated_before():
    """Blender would look a finished text up, which no dictionary holds: ``translate=False`` says that it is finished."""
    wrong = [
        f"{path.name}:{call.lineno}"
        for path, tree in trees()
        for call in calls(tree)
        if is_translated_by_blender(call) and not all(map(is_text, drawn(call)))
    ]
    assert wrong == []


def test_a_poll_message_is_looked_up_for_blender_does_not():
    wrong = []
    for path, tree in trees():
        for call in (call for call in calls(tree) if called(call) == "poll_message_set"):
            wrong += [f"{path.name}:{call.lineno}" for value in options(call.args[0]) if is_text(value)]
    assert wrong == []


def test_drawn_texts_have_no_final_stop_and_buttons_are_in_title_case():
    small = {"a", "and", "as", "at", "before", "by", "for", "from", "in", "of", "on", "the", "to", "with"}
    wrong = []
    for path, tree in trees():
        for call in calls(tree):
            texts = [value.value for value in drawn(call) if is_text(value)]
            name = called(call)
            wrong += [f"{path.name}:{call.lineno} {text}" for text in texts if text.endswith(".")]
            if name.startswith(("operator", "prop")):
                words = [(text, word) for text in texts for word in text.split()]
                wrong += [f"{path.name}:{call.lineno} {t}" for t, w in words if w[0].islower() and w not in small]
    assert wrong == []
