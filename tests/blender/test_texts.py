# SPDX-License-Identifier: MIT
"""What the artist reads follows Blender's own style, and each kind of error has a code of its own."""

from __future__ import annotations

import re
from pathlib import Path

import bpy
import pytest
from addon_texts import calls, trees

from bdfm_infer.errors import BdfmError

TABLE = Path(__file__).resolve().parents[2] / "docs" / "command-line.md"
SMALL = {"a", "and", "as", "at", "before", "by", "for", "from", "in", "of", "on", "the", "to", "with"}
"""Words that Title Case leaves small."""


@pytest.fixture
def labels_and_tooltips(part):
    """Every label and every tooltip of the add-on, with where it stands."""
    labels, tooltips = [], []
    for cls in part("ui").CLASSES:
        name = cls.__name__
        if issubclass(cls, bpy.types.Panel):
            labels.append((name, cls.bl_label))
        if issubclass(cls, bpy.types.Operator):
            labels.append((name, cls.bl_label))
            tooltips.append((name, getattr(bpy.ops.bdfm, cls.bl_idname.partition(".")[2]).get_rna_type().description))
        own = [] if issubclass(cls, bpy.types.Panel | bpy.types.UIList) else cls.bl_rna.properties
        for item in (item for item in own if item.identifier in cls.__annotations__ and not item.is_hidden):
            place = f"{name}.{item.identifier}"
            if item.name != item.identifier:
                labels.append((place, item.name))
                tooltips.append((place, item.description))
            for entry in item.enum_items if item.type == "ENUM" and name != "BDFM_PG_own_mapping" else ():
                labels.append((f"{place}.{entry.identifier}", entry.name))
                tooltips.append((f"{place}.{entry.identifier}", entry.description))
    return labels, tooltips


def test_labels_are_in_title_case(labels_and_tooltips):
    labels, _ = labels_and_tooltips
    assert len(labels) > 100
    wrong = {
        place: label
        for place, label in labels
        for number, word in enumerate(label.split())
        if word[0].islower() and (number == 0 or word not in SMALL)
    }
    assert not wrong


def test_tooltips_are_sentences_without_a_final_stop(labels_and_tooltips):
    _, tooltips = labels_and_tooltips
    wrong = {
        place: text
        for place, text in tooltips
        if text.endswith(".") or "\n" in text or "  " in text or (text and not text[0].isupper())
    }
    assert not wrong


def test_every_operator_has_a_tooltip(labels_and_tooltips):
    _, tooltips = labels_and_tooltips
    assert not [place for place, text in tooltips if "_OT_" in place and "." not in place and not text]


def kinds(cls=BdfmError):
    yield cls
    for sub in cls.__subclasses__():
        yield from kinds(sub)


def test_each_kind_of_error_has_a_code_and_a_name_in_the_table(part):
    home = part("core.errors").AddonError.__module__.removesuffix(".core.errors")
    ours = [each for each in kinds() if each.__module__.startswith((home, "bdfm_infer"))]
    codes = [each.exit_code for each in ours]
    assert len(ours) > 20 and len(set(codes)) == len(codes)
    assert len({each.code for each in ours}) == len(codes)
    table = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", TABLE.read_text(encoding="utf-8"), re.MULTILINE))
    assert {str(each.exit_code): each.code for each in ours} == table
    line = part("blender.command_line")
    assert not {line.SOME_FAILED, line.NONE_BAKED}.intersection(codes)


def test_a_text_of_another_tool_in_the_status_bar_is_left_alone(part):
    """The bake sets a text and takes it back. The capture draws beside it, and draws again without setting any."""
    writers = {name for name, tree in trees() if calls(tree, "status_text_set", "status_text_set_internal")}
    assert writers == {"stepped.py"}
    panel = part("ui.capture_panel")
    panel.show_status()
    panel.redraw()
    panel.hide_status()
