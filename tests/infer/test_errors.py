# SPDX-License-Identifier: MIT
"""Errors: texts out of templates, which survive pickling and the way through a worker's JSON lines."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bdfm_infer.errors import BdfmError, NoFaceError

TEMPLATE = "{path}: {count:,} of {share:.0%}, {name!r}, {names}."
VALUES = {"path": Path("a/{b}.mp4"), "count": 1200, "share": 0.256, "name": "it's", "names": ["x", "y"]}
TEXT = "a/{b}.mp4: 1,200 of 26%, \"it's\", ['x', 'y']."


def sent(error: BdfmError) -> dict[str, Any]:
    """What the other process reads of it."""
    line: dict[str, Any] = json.loads(json.dumps({"event": "error", **error.to_json()}, allow_nan=False))
    return line


def test_a_text_is_its_template_filled_in() -> None:
    error = NoFaceError(TEMPLATE, **VALUES)
    assert str(error) == TEXT
    assert (error.template, error.values) == (TEMPLATE, VALUES)


def test_a_text_without_values_is_taken_as_it_is() -> None:
    assert str(BdfmError("{no} field {")) == "{no} field {"


@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_copies_are_whole(again: Any) -> None:
    error = again(NoFaceError(TEMPLATE, **VALUES))
    assert type(error) is NoFaceError
    assert (str(error), error.template, error.values) == (TEXT, TEMPLATE, VALUES)


def test_it_crosses_a_process_with_its_template() -> None:
    error = BdfmError.from_json(sent(NoFaceError(TEMPLATE, **VALUES)))
    assert (str(error), error.template) == (TEXT, TEMPLATE)
    assert error.values == {
        name: value if name in ("count", "share", "name") else str(value) for name, value in VALUES.items()
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32(0.5), np.int64(3), True, None])
def test_a_number_that_json_has_not_leaves_the_text(value: Any) -> None:
    error = BdfmError("{value:.1f}", value=value) if value is not None else BdfmError("{value}", value=value)
    assert str(BdfmError.from_json(sent(error))) == str(error)


def test_names_of_arguments_are_names_of_fields_too() -> None:
    error = BdfmError("{self} {template} {cls}", self=1, template=2, cls=3)
    assert str(BdfmError.from_json(sent(error))) == "1 2 3"


@pytest.mark.parametrize(
    "damage",
    [
        {},
        {"template": TEMPLATE},
        {"template": TEMPLATE, "values": {"path": 1}},
        {"template": "{", "values": {"a": 1}},
        {"template": "{0}", "values": {"a": 1}},
        {"template": "{a.b} {a[c]}", "values": {"a": 1}},
        {"template": "{a:99999999999999999999}", "values": {"a": 1}},
        {"template": "Something else.", "values": {}},
        {"template": 3, "values": {}},
        {"template": None, "values": None},
        {"template": ["{a}"], "values": ["a"]},
        {"template": "{a}", "values": {"a": "Said", "": [1]}},
    ],
)
def test_a_damaged_or_older_line_is_its_message(damage: dict[str, Any]) -> None:
    error = BdfmError.from_json({"event": "error", "message": "Said. {as} it is", **damage})
    assert str(error) == error.template == "Said. {as} it is"
    assert error.values == {}


def test_a_line_without_a_message_has_no_text() -> None:
    assert str(BdfmError.from_json({"event": "error"})) == ""
    assert str(BdfmError.from_json({"message": 3})) == "3"
