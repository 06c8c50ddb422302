# SPDX-License-Identifier: MIT
"""Every text that the artist sees can be found by a translator, and is looked up before it is filled in and shown."""

from __future__ import annotations

import ast
import re
from string import Formatter

import pytest
from addon_texts import (
    LOOKUPS,
    MARK,
    called,
    calls,
    drawn,
    is_finished,
    looked_up_by_blender,
    looked_up_by_us,
    options,
    registered,
    texts,
    trees,
)

TWO_WORDS = re.compile(r"[^\W\d_]{2,}['’]?[,;:.]? [^\W\d_]{2,}")
A_WORD = re.compile(r"\s[^\W\d_]{2,}|[^\W\d_]{2,}[,;:.]?\s")
"""In a part of an f-string: beside a space, for data paths and file names have words too."""
SMALL = {"a", "and", "as", "at", "before", "by", "for", "from", "in", "of", "on", "the", "to", "with"}


def within(tree: ast.AST, kinds: type | tuple[type, ...], condition=lambda node: True) -> set[int]:  # type: ignore[no-untyped-def]
    """Everything inside of such nodes."""
    outer = [node for node in ast.walk(tree) if isinstance(node, kinds) and condition(node)]
    return {id(inner) for node in outer for inner in ast.walk(node)}


def printed(tree: ast.AST) -> set[int]:
    return within(tree, ast.Call, lambda call: called(call) == "print")


def test_no_sentence_is_put_together_out_of_reach_of_translators():
    wrong = []
    for name, tree in trees():
        passed = printed(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr) and id(node) not in passed:
                wrong += [f"{name}:{node.lineno} {part}" for part in texts(node.values) if A_WORD.search(part)]
    assert wrong == []


def test_every_text_of_several_words_is_found_by_translators(part):
    known = registered(part("ui").CLASSES) | looked_up_by_blender() | looked_up_by_us()
    wrong = []
    for name, tree in trees():
        passed = printed(tree) | within(tree, ast.JoinedStr)
        passed |= within(tree, ast.Expr, lambda node: isinstance(node.value, ast.Constant))
        for node in ast.walk(tree):
            found = texts([node]) if isinstance(node, ast.Constant) and id(node) not in passed else []
            wrong += [f"{name}:{node.lineno} {text}" for text in found if TWO_WORDS.search(text) and text not in known]
    assert wrong == []


def test_what_is_looked_up_was_not_filled_in_before():
    wrong = []
    for name, tree in trees():
        for call in calls(tree, *LOOKUPS, MARK):
            for value in options(call.args[0]):
                is_filled_in = isinstance(value, ast.Call) and called(value) == "format"
                if is_filled_in or isinstance(value, ast.JoinedStr | ast.BinOp):
                    wrong.append(f"{name}:{call.lineno}")
    assert wrong == []


def test_every_field_of_a_text_is_filled_in_by_its_name():
    count, wrong = 0, []
    for name, tree in trees():
        for call in calls(tree, "format"):
            inner = call.func.value if isinstance(call.func, ast.Attribute) else None
            if isinstance(inner, ast.Call) and called(inner) in LOOKUPS:
                found = texts(options(inner.args[0]))
                fields = {field for text in found for _, field, _, _ in Formatter().parse(text) if field is not None}
                count += 1
                if call.args or fields != {word.arg for word in call.keywords}:
                    wrong.append(f"{name}:{call.lineno} {fields}")
    assert count > 80 and wrong == []


def test_lookups_bear_the_names_that_blenders_tool_looks_for():
    names = [
        (name, alias.asname)
        for name, tree in trees()
        for alias in ast.walk(tree)
        if isinstance(alias, ast.alias) and alias.name.startswith("pgettext")
    ]
    assert len(names) > 30
    assert [pair for pair in names if pair[1] not in (*LOOKUPS, MARK)] == []


def test_what_is_drawn_is_a_literal_or_was_translated_before():
    """Blender looks up what it draws: a text that was filled in is in no dictionary, a name may be in it by chance."""
    wrong = []
    for name, tree in trees():
        for call in calls(tree):
            values = [] if is_finished(call) else drawn(call)
            wrong += [f"{name}:{call.lineno}" for value in values if not texts([value])]
    assert wrong == []


def test_what_is_drawn_out_of_a_table_is_looked_up():
    wrong = []
    for name, tree in trees():
        for value in (value for call in calls(tree) for value in drawn(call)):
            table = value.value if isinstance(value, ast.Subscript) else value
            if isinstance(table, ast.Name) and table.id.isupper():
                wrong.append(f"{name}:{value.lineno} {table.id}")
    assert wrong == []


@pytest.mark.parametrize("function", ["poll_message_set", "status_text_set"])
def test_what_blender_does_not_look_up_is_looked_up_by_us(function):
    wrong = []
    for name, tree in trees():
        for call in calls(tree, function):
            wrong += [f"{name}:{call.lineno} {text}" for text in texts(options(call.args[0]))]
    assert wrong == []


def test_drawn_texts_have_no_final_stop_and_buttons_are_in_title_case():
    wrong = []
    for name, tree in trees():
        for call in calls(tree):
            found = texts(drawn(call))
            words = [word for text in found for word in text.split()]
            is_button = called(call).startswith(("operator", "prop"))
            small = any(word[0].islower() and word not in SMALL for word in words)
            if any(text.endswith(".") for text in found) or (is_button and small):
                wrong.append(f"{name}:{call.lineno} {found}")
    assert wrong == []


def test_poll_messages_have_no_final_stop():
    found = [text for _, tree in trees() for call in calls(tree, "tip_") for text in texts(options(call.args[0]))]
    assert len(found) > 20
    assert [text for text in found if text.endswith(".") or not text[0].isupper()] == []
