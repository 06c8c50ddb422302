# SPDX-License-Identifier: MIT
"""The mappings that ship: schema and loader agree on them, and left is the mirror image of right."""

from __future__ import annotations

import json
import re
import unicodedata
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from rigs import MAPPINGS

from bdfm_infer.parameters import AU_NAMES, ROTATION
from blender_addon.core.json_node import format_json
from blender_addon.core.mapping import Mapping
from blender_addon.core.names import normalise
from blender_addon.core.records import write_record
from blender_addon.core.targets import BoneTarget, ShapeKey, Target

FILES = sorted(path for path in MAPPINGS.glob("*.json") if path.name != "schema.json")
WITHOUT_BROWS = ("visemes", "ready_player_me_small", "sranipal")
UNEVEN = {
    ("rocketbox_au", key.replace("*", side))
    for key in ("AU_05_*_UpperLidRaiser", "AU_06_*_CheekRaiser", "AU_12_*_LipCornerPuller", "HB_01_*_Jaw")
    for side in ("L", "R")
} | {("rocketbox_au", f"mouth{key}{side}") for key in ("Dimple", "UpperUp") for side in ("Left", "Right")}
"""Keys of which one side goes further than the other, so that its weight is smaller."""

_TOKEN = re.compile(
    r"Left|Right|右|(?<![A-Za-z])[LRlr](?![a-z])|(?<=[a-z0-9UD])[LR](?=$|_)|_(?:max|min)$"  # MB-Lab's jaw has no side
)
SCHEMA = json.loads((MAPPINGS / "schema.json").read_text(encoding="utf-8"))


def test_families_and_how_sure_they_are() -> None:
    mappings = [Mapping.load(file) for file in FILES]
    assert len(mappings) >= 14
    assert sum(mapping.confidence == "verified" for mapping in mappings) >= 6
    for mapping in mappings:
        if mapping.confidence == "verified":
            assert "looked at" in mapping.source, mapping.id
        else:
            assert "Experimental:" in mapping.source, f"{mapping.id} does not say why"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
class TestEach:
    def test_schema_and_loader_accept_it(self, file: Path) -> None:
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(file.read_text(encoding="utf-8")))
        mapping = Mapping.load(file)
        assert mapping.warnings == ()
        assert mapping.id == file.stem
        assert mapping.licence and mapping.source

    def test_it_stands_as_the_add_on_writes_it(self, file: Path) -> None:
        assert file.read_text(encoding="utf-8") == format_json(Mapping.load(file).to_dict()) + "\n"

    def test_head_and_lids_and_jaw_move(self, file: Path) -> None:
        channels = Mapping.load(file).channels
        needed = {*ROTATION, "AU12", "AU26", "eye_closed_left", "eye_closed_right"}
        assert needed <= set(channels)
        assert {"AU01", "AU04"} <= set(channels) or file.stem in WITHOUT_BROWS
        assert all(channels.values())

    def test_no_key_needs_a_wider_slider(self, file: Path) -> None:
        """A weight above 1 would be cut off by the range that shape keys have."""
        for targets in Mapping.load(file).channels.values():
            assert all(target.weight <= 1 for target in targets if isinstance(target, ShapeKey))

    def test_sides_are_written_and_right(self, file: Path) -> None:
        for source, targets in Mapping.load(file).channels.items():
            for target in targets:
                named = _side_in_name(target)
                if named:
                    assert target.side == named, target
                if source.endswith(("_left", "_right")):
                    assert target.side == source.rpartition("_")[2], target

    def test_right_mirrors_left(self, file: Path) -> None:
        """The same amounts on both sides; only what points to the character's left changes its sign."""
        mapping = Mapping.load(file)
        moved = {
            side: sorted(
                (*_without_side(target, source), amount if side == "left" or not _sideways(target) else -amount)
                for source, targets in mapping.channels.items()
                for target in targets
                if target.side == side and (file.stem, target.label) not in UNEVEN
                for amount in [target.per_unit]
            )
            for side in ("left", "right")
        }
        assert moved["left"] == moved["right"]
        rules = {(r.reduce, r.by.replace("left", "right"), r.on and "right", r.names) for r in mapping.combine}
        assert rules == {(r.reduce, r.by, r.on, r.names) for r in mapping.combine if r.by.endswith("right")}

    def test_a_raised_cheek_leaves_closed_lids_alone(self, file: Path) -> None:
        """What narrows or closes the eye would push the lower lid through the upper one."""
        mapping = Mapping.load(file)
        narrows = [target for target in mapping.channels.get("AU07", ()) if target.side != "right"][:1]
        lids = {target.label for target in (*narrows, *mapping.channels["eye_closed_left"])}
        raised = [target for target in mapping.channels.get("AU06", ()) if target.label in lids]
        rules = [rule for rule in mapping.combine if rule.by == "eye_closed_left"]
        for target in raised:
            assert any(rule.weakens("AU06", target.side, target.label) for rule in rules), target.label


def test_live_link_face_export_uses_the_same_weights() -> None:
    """``bdfm_infer`` writes ARKit curves with a table of its own, which must be this mapping's."""
    table = json.loads(resources.files("bdfm_infer").joinpath("data/arkit.json").read_text(encoding="utf-8"))
    mapping = Mapping.load(MAPPINGS / "arkit.json")
    ours = {
        source: {target.name: target.weight for target in targets if isinstance(target, ShapeKey)}
        for source, targets in mapping.channels.items()
        if source in AU_NAMES
    }
    assert table["weights"] == ours
    assert table["combine"] == [write_record(rule) for rule in mapping.combine]


@pytest.mark.parametrize("family", ["humgen3d", "cc3_traditional"])
def test_families_with_arkits_keys_are_moved_as_arkit_is(family: str) -> None:
    """Their keys are ARKit's in another spelling; files of their own know them by their bones, and move a jaw's."""
    arkit, own = (Mapping.load(MAPPINGS / f"{name}.json") for name in ("arkit", family))

    def weights(mapping: Mapping) -> dict[str, dict[object, float]]:
        return {
            source: {
                (normalise(target.name), target.side): target.weight
                for target in targets
                if isinstance(target, ShapeKey)
            }
            for source, targets in mapping.channels.items()
            if source in AU_NAMES
        }

    assert weights(own) == weights(arkit)
    assert own.combine == arkit.combine


@pytest.mark.parametrize("page", ["docs/mappings.md", "rig_mappings/README.md"])
def test_the_examples_of_the_docs_can_be_copied(page: str) -> None:
    text = (MAPPINGS.parent / page).read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    data = json.loads(example)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    assert Mapping.from_dict(data).warnings == ()


def test_the_docs_name_every_mapping_as_sure_as_it_is() -> None:
    text = (MAPPINGS.parent / "docs/mappings.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`" in line]
    for file in FILES:
        said = [row for row in rows if f"`{file.stem}`" in row]
        assert [Mapping.load(file).confidence in row for row in said] == [True], file.stem


@pytest.mark.parametrize("kind", ["shape_key", "bone_location", "bone_rotation", "bone_scale", "custom_property"])
def test_schema_knows_every_kind(kind: str) -> None:
    assert SCHEMA["$defs"][kind]["properties"]["kind"] == {"const": kind}


def test_schema_lists_the_sources() -> None:
    assert tuple(SCHEMA["$defs"]["action_unit"]["enum"]) == AU_NAMES
    assert tuple(SCHEMA["$defs"]["rotation"]["enum"]) == ROTATION


def _side_in_name(target: Target) -> str:
    if "Left-Right" in target.label:
        return ""
    if isinstance(target, BoneTarget):
        tokens = _TOKEN.findall(target.label)
        return {"L": "left", "R": "right"}.get(tokens[0].upper(), "") if tokens else ""
    return normalise(target.label).side


def _without_side(target: Target, source: str) -> tuple[str, ...]:
    axis = target.axis if isinstance(target, BoneTarget) else ""
    name = _TOKEN.sub("", unicodedata.normalize("NFKC", target.label))
    return re.sub("_left|_right", "", source), target.kind, name, axis


def _sideways(target: Target) -> bool:
    """Whether its amount changes its sign from left to right: Rigify's face controls have x to the character's left
    on both sides; a jaw turns about z, or about the character's up and front; one slider may go both ways."""
    if not isinstance(target, BoneTarget):
        return "Left-Right" in target.label
    return target.axis in ("x", "left") if target.kind == "bone_location" else target.axis in ("z", "y", "up", "front")
