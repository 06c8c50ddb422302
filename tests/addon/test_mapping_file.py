# SPDX-License-Identifier: MIT
"""Reading and writing mapping files: what is refused, and that the message says where and why."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blender_addon.core.errors import MappingError
from blender_addon.core.json_node import MAX_BYTES, MAX_DEPTH, MAX_NAME, format_json
from blender_addon.core.mapping import MAX_TARGETS, Mapping, load_folder
from blender_addon.core.mapping_edit import own_copy
from blender_addon.core.matching import MOST_COMPARED, resolve
from blender_addon.core.rig import Rig
from blender_addon.core.targets import BoneLocation, ShapeKey

REMOVED = object()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def test_reads_every_kind_of_target(data: dict[str, Any]) -> None:
    mapping = Mapping.from_dict(data)
    assert mapping.warnings == ()
    assert mapping.channels["AU12"][0] == ShapeKey(name="smile_L", weight=0.8, side="left")
    lip = mapping.channels["AU12"][2]
    assert lip == BoneLocation(bone="lip", axis="y", amount=0.1, reference="eyes", max=0.15)
    assert [t.kind for s in mapping.channels.values() for t in s] == [
        *["shape_key"] * 4,
        "bone_location",
        "bone_scale",
        "custom_property",
        "bone_location",
        "bone_rotation",
        "custom_property",
        "bone_rotation",
        "bone_rotation",
    ]


def test_saved_and_loaded_it_is_the_same(data: dict[str, Any], tmp_path: Path) -> None:
    mapping = Mapping.from_dict(data)
    mapping.save(tmp_path / "small.json")
    assert Mapping.load(tmp_path / "small.json") == mapping
    assert [path.name for path in tmp_path.iterdir()] == ["small.json"]


@pytest.mark.parametrize("name", ["چهره\u200cمن", "👨\u200d👩\u200d👧", "顔 ①", "Größe & Maß"])
def test_names_in_any_script(data: dict[str, Any], tmp_path: Path, name: str) -> None:
    mapping = Mapping.from_dict(data | {"id": name, "name": name})
    mapping.save(tmp_path / f"{name}.json")
    assert Mapping.load(tmp_path / f"{name}.json").name == name == own_copy(mapping, "own", f" {name}\n").name


def test_unknown_keys_are_warned_about_and_kept(data: dict[str, Any], tmp_path: Path) -> None:
    data["mood"] = {"a": [1, None]}
    data["fingerprint"]["since"] = 2030
    data["channels"]["AU12"][0]["curve"] = "ease"
    data["channels"]["AU99"] = [{"kind": "unheard of"}]
    data["combine"][1]["strength"] = 0.5
    mapping = Mapping.from_dict(data, "small.json")
    assert sorted(mapping.warnings) == [
        "small.json: channels.AU12[0].curve: unknown key, kept but not used.",
        "small.json: channels.AU99: unknown source, kept but not used.",
        "small.json: combine[1].strength: unknown key, kept but not used.",
        "small.json: fingerprint.since: unknown key, kept but not used.",
        "small.json: mood: unknown key, kept but not used.",
    ]
    mapping.save(tmp_path / "small.json")
    again = json.loads((tmp_path / "small.json").read_text(encoding="utf-8"))
    assert again["mood"] == {"a": [1, None]}
    assert again["fingerprint"]["since"] == 2030
    assert again["channels"]["AU12"][0]["curve"] == "ease"
    assert again["channels"]["AU99"] == [{"kind": "unheard of"}]
    assert again["combine"][1]["strength"] == 0.5


@pytest.mark.parametrize(
    ("path", "value", "place", "reason"),
    [
        ("format_version", REMOVED, "", "'format_version' is missing"),
        ("format_version", 2, "format_version", "newer add-on"),
        ("format_version", True, "format_version", "newer add-on"),
        ("id", REMOVED, "", "'id' is missing"),
        ("name", 3, "name", "a text is expected, not 3"),
        ("name", "  ", "name", "a text is expected"),
        ("name", "n" * (MAX_NAME + 1), "name", "at most 256 characters"),
        ("name", "two\nlines", "name", "without line breaks"),
        ("name", "a\u202eb", "name", "without line breaks"),
        ("id", "../../evil", "id", "a name for files"),
        ("id", "C:\\evil", "id", "a name for files"),
        ("id", ".hidden", "id", "a name for files"),
        ("id", "a\tb", "id", "without line breaks"),
        ("confidence", "sure", "confidence", "one of verified, experimental"),
        ("confidence", [], "confidence", "not a list"),
        ("fingerprint", {"minimum": 1}, "fingerprint", "at least one name"),
        ("fingerprint.minimum", 0, "fingerprint.minimum", "above 0"),
        ("fingerprint.minimum", 1.5, "fingerprint.minimum", "up to 1"),
        ("fingerprint.shape_keys", "smile", "fingerprint.shape_keys", "a list […] is expected"),
        ("fingerprint.shape_keys.1", None, "fingerprint.shape_keys[1]", "not null"),
        ("reference_lengths.eyes", ["a", "b", "c"], "reference_lengths.eyes", "two bones"),
        ("directions", {"left": ["a", "b"]}, "directions", "'left' and 'up'"),
        ("directions", {"left": ["a", "b"], "up": ["a"]}, "directions.up", "two names"),
        ("aliases", {"jaw": "chin"}, "aliases.jaw", "a list"),
        ("channels", [], "channels", "an object {…} is expected, not a list"),
        ("channels.AU12", {}, "channels.AU12", "a list"),
        ("channels.AU12.0", "smile", "channels.AU12[0]", "an object"),
        ("channels.AU12.0.kind", REMOVED, "channels.AU12[0]", "'kind' is missing"),
        ("channels.AU12.0.kind", "blendshape", "channels.AU12[0].kind", "one of shape_key"),
        ("channels.AU12.0.name", REMOVED, "channels.AU12[0]", "'name' is missing"),
        ("channels.AU12.0.weight", "0.8", "channels.AU12[0].weight", "a number is expected, not '0.8'"),
        ("channels.AU12.0.weight", True, "channels.AU12[0].weight", "not true or false"),
        ("channels.AU12.0.weight", float("nan"), "channels.AU12[0].weight", "not finite"),
        ("channels.AU12.0.weight", float("inf"), "channels.AU12[0].weight", "not finite"),
        ("channels.AU12.0.weight", 10**400, "channels.AU12[0].weight", "not finite"),
        ("channels.AU12.0.weight", -1e300, "channels.AU12[0].weight", "beyond 1,000,000"),
        ("channels.AU12.0.side", "middle", "channels.AU12[0].side", "one of left, right"),
        ("channels.AU12.0.min", 2, "channels.AU12[0]", "min 2 is above max 1"),
        ("channels.AU12.2.axis", "w", "channels.AU12[2].axis", "one of x, y, z, left, up, front"),
        ("channels.AU12.2.reference", "ears", "channels.AU12[2].reference", "not among the reference_lengths"),
        ("channels.AU12.3.axis", "up", "channels.AU12[3].axis", "its own x, y or z"),
        ("channels.AU12.4.owner", "scene", "channels.AU12[4].owner", "one of object, armature, pose_bone"),
        ("channels.AU12.4.bone", "jaw", "channels.AU12[4]", "goes with the owner pose_bone"),
        ("channels.AU26.1.bone", REMOVED, "channels.AU26[1]", "goes with the owner pose_bone"),
        ("channels.AU26.0.degrees", REMOVED, "channels.AU26[0]", "states 'degrees'"),
        ("channels.AU26.0.degrees_per_degree", 1, "channels.AU26[0]", "not 'degrees_per_degree'"),
        ("channels.yaw.0.degrees", 1, "channels.yaw[0]", "states 'degrees_per_degree', and not 'degrees'"),
        ("combine.0.reduce", "AU99", "combine[0].reduce", "one of AU01"),
        ("combine.0.by", "yaw", "combine[0].by", "one of AU01"),
        ("combine.0.by", REMOVED, "combine[0]", "'by' is missing"),
        ("combine.0.on", "both", "combine[0].on", "one of left, right"),
        ("combine.0.names", "wide*", "combine[0].names", "a list"),
        ("channels.AU12.0.instead_of", True, "channels.AU12[0].instead_of", "a text is expected"),
    ],
)
def test_refusals_name_place_and_reason(data: dict[str, Any], path: str, value: Any, place: str, reason: str) -> None:
    data["channels"]["AU12"][0]["max"] = 1
    *parents, last = path.split(".")
    holder: Any = data
    for step in parents:
        holder = holder[int(step) if isinstance(holder, list) else step]
    key = int(last) if isinstance(holder, list) else last
    if value is REMOVED:
        del holder[key]
    else:
        holder[key] = value
    with pytest.raises(MappingError) as refusal:
        Mapping.from_dict(data, "small.json")
    message = str(refusal.value)
    assert message.startswith(f"small.json: {place}: " if place else "small.json: ")
    assert reason in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1, column 1: not JSON"),
        (b'{"format_version": 1,\n "id": }', "line 2, column 8: not JSON"),
        (b"[1, 2]", "an object {"),
        (b'"mapping"', "an object {"),
        (b'{"format_version": NaN}', "NaN is not a finite number"),
        (b'{"format_version": 1, "minimum": -Infinity}', "-Infinity is not a finite number"),
        (b'{"format_version": 1, "id": "a", "id": "b"}', "the key 'id' stands twice"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested too deep"),
        (b" " * MAX_BYTES + b"{}", "at most 1 MB"),
        (b'{"format_version": ' + b"9" * 5000 + b"}", "not JSON"),
        (rb'{"format_version": 1, "source": "\ud800x"}', r"holds half a character (\ud800)"),
        (rb'{"format_version": 1, "\udce9": 1}', r"holds half a character (\udce9)"),
    ],
)
def test_refuses_what_is_no_mapping(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "broken.json"
    file.write_bytes(content)
    with pytest.raises(MappingError) as refusal:
        Mapping.load(file)
    assert str(refusal.value).startswith(str(file))
    assert reason in str(refusal.value)


def test_a_name_that_is_no_text_can_be_shown(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"caf\\udce9\.json: cannot be read") as refusal:
        Mapping.load(tmp_path / "caf\udce9.json")
    assert str(refusal.value).encode()


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "huge.json"
    with file.open("wb") as stream:
        stream.truncate(100_000_000)
    with pytest.raises(MappingError, match="at most 1 MB"):
        Mapping.load(file)


@pytest.mark.parametrize("nest", ['{"a":', "["])
@pytest.mark.parametrize("inside", ["{NEST}", '{"format_version": 1, "mood": {NEST}', '{"channels": {"AU99": {NEST}'])
def test_deep_nesting_anywhere_is_refused(tmp_path: Path, nest: str, inside: str) -> None:
    file = tmp_path / "deep.json"
    file.write_text(inside.replace("{NEST}", nest * 50_000), encoding="utf-8")
    with pytest.raises(MappingError, match=r"nested too deep|not JSON"):
        Mapping.load(file)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files on Windows")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(MappingError, match=r"cannot be read .*no ordinary file"):
        Mapping.load(tmp_path / "pipe.json")


NASTY = (
    'smile"] = 1; import os; os.system("false"); x["',
    "__import__('os').system('false')",
    "#bpy.ops.wm.quit_blender()",
    "two\nlines",
    "../../etc/passwd",
    "${HOME} %s {0} \\",
    "名前 – ключ",
)


@pytest.mark.parametrize("name", NASTY)
def test_names_are_only_names(data: dict[str, Any], tmp_path: Path, name: str) -> None:
    """Whatever a name looks like, it is compared with the rig's names, saved and shown on one line; nothing else."""
    data["channels"]["AU12"] = [{"kind": "shape_key", "name": name, "aliases": [name + "2"]}]
    data["channels"]["AU15"] = [{"kind": "shape_key", "name": name + "3"}]
    data["channels"]["AU\n99"] = [name]
    mapping = Mapping.from_dict(data, "nasty.json")
    mapping.save(tmp_path / "nasty.json")
    assert Mapping.load(tmp_path / "nasty.json") == mapping
    assert list(tmp_path.iterdir()) == [tmp_path / "nasty.json"]
    resolution = resolve(mapping, Rig("Hero", {"Face": (name, "smile_L")}))
    assert [place.name for place in resolution.targets if place.source == "AU12"] == [name]
    assert all(line.isprintable() for line in (*mapping.warnings, *(missing.reason for missing in resolution.missing)))


def test_patterns_and_missing_names_take_no_time(data: dict[str, Any]) -> None:
    """Neither patterns made to be slow nor thousands of names that a rig lacks keep Blender waiting."""
    data["channels"] = {
        "AU12": [{"kind": "shape_key", "name": "smile", "objects": ["*a" * 100 + "b"]}],
        "AU15": [{"kind": "shape_key", "name": f"key {i} of another rig"} for i in range(MAX_TARGETS - 2)],
        "AU26": [{"kind": "shape_key", "name": "open"}],
    }
    rig = Rig("Hero", {"a" * 200: ("smile", "open", *(f"key of this rig {i}" for i in range(300)))})
    resolution = resolve(Mapping.from_dict(data), rig)
    assert len(resolution.missing) == MAX_TARGETS - 1
    assert 0 < sum(bool(missing.nearest) for missing in resolution.missing) <= MOST_COMPARED


def test_refuses_too_many_targets(data: dict[str, Any]) -> None:
    data["channels"]["AU14"] = data["channels"]["AU14"] * (MAX_TARGETS + 1)
    with pytest.raises(MappingError, match=r"channels: a mapping has at most 10000 targets"):
        Mapping.from_dict(data)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pick=st.randoms(use_true_random=False), value=VALUES)
def test_whatever_stands_in_a_mapping_is_read_or_refused(data: dict[str, Any], pick: Random, value: Any) -> None:
    """One value anywhere in the file is replaced; the loader either takes it or says that it does not."""
    data = copy.deepcopy(data)
    holder: Any = data
    while True:
        key = pick.choice(range(len(holder)) if isinstance(holder, list) else sorted(holder))
        if not isinstance(holder[key], dict | list) or not holder[key] or pick.random() < 0.2:
            break
        holder = holder[key]
    holder[key] = value
    try:
        mapping = Mapping.from_dict(data, "fuzzed")
    except MappingError as refusal:
        assert str(refusal).startswith("fuzzed")
    else:
        assert Mapping.from_dict(mapping.to_dict()) == mapping


def test_missing_file_and_unwritable_folder(data: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="cannot be read"):
        Mapping.load(tmp_path / "none.json")
    with pytest.raises(MappingError, match="cannot be read"):
        Mapping.load(tmp_path)
    with pytest.raises(MappingError, match=r"cannot be written .* Choose another folder"):
        Mapping.from_dict(data).save(tmp_path / "no folder" / "small.json")


def test_a_byte_order_mark_is_no_damage(data: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "small.json"
    file.write_text("\ufeff" + json.dumps(data), encoding="utf-8")
    assert Mapping.load(file) == Mapping.from_dict(data)


def test_one_damaged_file_does_not_hide_the_others(data: dict[str, Any], tmp_path: Path) -> None:
    Mapping.from_dict(data).save(tmp_path / "b.json")
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    (tmp_path / "schema.json").write_text("{}", encoding="utf-8")
    mappings, refused = load_folder(tmp_path)
    assert [(path.name, mapping.id) for path, mapping in mappings.items()] == [("b.json", "small")]
    assert len(refused) == 1 and "a.json" in str(refused[0])


def test_the_second_file_with_one_id_is_refused_by_name(data: dict[str, Any], tmp_path: Path) -> None:
    for name in ("b.json", "a.json"):
        Mapping.from_dict(data).save(tmp_path / name)
    mappings, (refused,) = load_folder(tmp_path)
    assert [path.name for path in mappings] == ["a.json"]
    assert "b.json" in str(refused) and "a.json" in str(refused) and "'small'" in str(refused)


@settings(max_examples=50)
@given(VALUES)
def test_text_for_people_is_the_same_json(value: Any) -> None:
    assert json.loads(format_json(value)) == value
