# SPDX-License-Identifier: MIT
"""A clumsy or malicious user at every button: whatever a file or a scene holds, there is a report and no traceback.

What is tested at its own place is not repeated here: takes of newer versions and tables of other tools in
``test_takes.py``, refusals of mappings in ``tests/addon/test_mapping_file.py``, deleted and renamed objects in
``test_bake_options.py`` and ``test_rig_choice.py``, 500 characters in ``test_bake_operator.py``, names of files and
read-only folders in ``test_capture_sources.py``.
"""

from __future__ import annotations

import json
import os

import bpy
import numpy as np
import pytest
from scenes import armature, mapping_data, mesh, select, write_take

TIMES = np.arange(25) / 24
KEY = {"kind": "shape_key", "name": "smile"}
CHANNELS = {
    "AU12": [KEY],
    "AU26": [{"kind": "bone_rotation", "bone": "jaw", "axis": "x", "degrees": 30}],
    "AU01": [{"kind": "custom_property", "owner": "object", "name": "prop"}],
}
BUTTONS = (
    *({"button": "calibrate", "method": method} for method in ("FRAME", "RANGE", "AUTOMATIC")),
    *({"button": "add_markers"}, {"button": "add_sound"}, {"button": "save_cleaning"}),
    *({"button": "check"}, {"button": "preview"}, {"button": "bake"}, {"button": "edit_mapping"}),
    *({"button": "start_posing"}, {"button": "capture_pose"}, {"button": "cancel_posing"}),
    *({"button": "batch_add_characters"}, {"button": "batch_bake"}, {"button": "swap_sides"}),
)


def press(button, **options):
    """Press a button. Returns the report of a refusal, ``grey`` where it cannot be pressed, else nothing."""
    operator = getattr(bpy.ops.bdfm, button)
    if not operator.poll():
        return "grey"
    try:
        operator(**options)
    except RuntimeError as error:
        assert "Traceback" not in str(error), error
        return str(error)
    return ""


@pytest.fixture
def press_all(part, layout, capfd):
    """Press every button, move the timeline, draw the panels. Returns what the bake said."""

    def run():
        said = {options["button"]: press(**options) for options in BUTTONS}
        press("preview")
        bpy.context.scene.frame_set(3)
        for place in ("characters.draw_characters", "checks.draw_checks", "bake_panel.draw_reports"):
            module, draw = place.split(".")
            getattr(part(f"ui.{module}"), draw)(layout, bpy.context)
        part("ui.values").draw_values(layout, bpy.context)
        printed = capfd.readouterr()
        assert "Traceback" not in printed.out + printed.err, printed
        return said["bake"]

    return run


@pytest.fixture
def load(tmp_path, keep_mappings):
    """Write a take and load it. Returns the report."""
    keep_mappings(mapping_data(CHANNELS))

    def run(*arguments, change=lambda text: text, facts=None, **channels):
        path = write_take(tmp_path / "take.csv", *arguments, **(channels or {"AU12": 0.5, "AU26": 0.5, "AU01": 0.5}))
        path.write_bytes(change(path.read_text()).encode())
        if facts is not None:
            path.with_suffix(".json").write_text(facts)
        return press("load_take", filepath=str(path))

    return run


@pytest.fixture
def rig():
    """An armature with a face, which is selected."""
    rig = armature("Rig", {"jaw": "XYZ", "head": "QUATERNION"})
    face = mesh("Face", ["smile"], rig)
    face["prop"] = 0.0
    select(rig, face)
    return rig


@pytest.mark.parametrize("path", ["", ".", "/", "a" * 300, "/" + "a" * 5000, "two\nlines", "~/take"])
def test_paths_that_lead_nowhere(path, rig, keep_mappings):
    keep_mappings(mapping_data(CHANNELS))
    assert ".csv" in press("load_take", filepath=path)
    bpy.context.scene.bdfm.take = path
    assert press("bake")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files on Windows")
@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_pipe_is_not_waited_for(load, tmp_path, suffix):
    load(TIMES)
    (tmp_path / f"take{suffix}").unlink()
    os.mkfifo(tmp_path / f"take{suffix}")
    assert "no ordinary file" in press("load_take", filepath=str(tmp_path / "take.csv"))


@pytest.mark.parametrize(
    ("change", "report"),
    [
        (lambda text: text.replace("\n0,", "\n1e300,", 1), "column frame: 1e300 is not from"),
        (lambda text: text.replace("0.9000", "9" * 200_000, 1), "no table"),
        (lambda text: text.replace("0.9000", "0.9\x000", 1), "not a number"),
        (lambda text: text.replace(",", "|"), "column 'frame' is missing"),
        (lambda text: text.replace("AU04", "AU01", 1), "column 'AU04' is missing"),
        (lambda text: text.replace(",1,", ",yes,", 1), "column success: 'yes' is not a number"),
        (lambda text: text.replace("0.9000", "nan", 1), "column confidence: 'nan' is not a number"),
        (lambda text: text.replace("\n", "\r"), ""),
        (lambda text: text.replace("\n", "\n\n"), ""),
        (lambda text: text.replace(",", "\t"), ""),
        (lambda text: text.replace(",", ";").replace(".", ","), ""),
        (lambda text: text.replace(",", " , "), ""),
    ],
)
def test_tables_edited_by_hand(load, change, report):
    said = load(TIMES, change=change)
    assert report in said and bool(report) == bool(said)


@pytest.mark.parametrize(
    "facts",
    [
        "[" * 100_000,
        '{"format_version": 1, "settings": [1]}',
        '{"format_version": 1, "settings": {"smoothing": {"cutoff_hz": {"head": NaN}}}}',
        '{"format_version": 1, "settings": {"calibration": {"neutral": {"AU12": 1e999}}}}',
        '{"format_version": 1, "source": {"name": "../../../etc/passwd"}}',
        '{"format_version": 1, "source": {"name": "' + "a" * 300 + '"}}',
        '{"format_version": 1, "source": {"name": "a\\u0000b"}}',
        '{"format_version": 1, "source": 5, "counts": 5}',
        '{"format_version": 1, "x": "\\ud800"}',
    ],
    ids=range(9),
)
def test_facts_of_any_kind(load, press_all, rig, facts):
    load(TIMES, facts=facts)
    press_all()


@pytest.mark.parametrize(
    ("rows", "lost", "target"),
    [
        (0, [], "NEW_ACTION"),
        (1, [], "NEW_ACTION"),
        (1, [], "NLA_STRIP"),
        (2, [], "ACTIVE_ACTION"),
        (1, [0], "NEW_ACTION"),
        (2, [0], "NLA_STRIP"),
        (3, [0, 1, 2], "ACTIVE_ACTION"),
        (25, range(24), "NLA_STRIP"),
    ],
)
def test_takes_of_few_rows_or_faces(load, press_all, rig, rows, lost, target):
    load(TIMES[:rows], lost)
    settings = bpy.context.scene.bdfm
    settings.bake.target, settings.bake.additive, settings.bake.use_reduction = target, True, True
    settings.cleaning.method = "one_euro" if rows % 2 else "zero_phase"
    assert press_all() == "" or rows == len(lost)
    assert bool(bpy.data.actions) == (rows > len(lost))


@pytest.mark.parametrize(
    ("stamps", "start", "fps", "base", "is_baked"),
    [
        ([0, 1, 1e13], 1, 24, 1.0, False),
        ([0, 1, 2], 2**31 - 1, 24, 1.0, False),
        ([0, 1, 2], -100, 24, 1.001, True),
        ([-5, 0, 1], 1, 24, 1.0, True),
        ([1, 1, 1], 1, 24, 1.0, True),
        ([0, 1, 2], 1, 1, 10_000.0, True),
        ([0, 1, 2], 1, 32_767, 1e-5, False),
    ],
)
def test_times_of_any_kind(load, press_all, rig, stamps, start, fps, base, is_baked):
    load([*stamps, stamps[-1] + 1], [3])
    scene = bpy.context.scene
    scene.bdfm.start_frame, scene.render.fps, scene.render.fps_base = start, fps, base
    said = press_all()
    assert said == "" if is_baked else "timeline ends" in said
    assert bool(bpy.data.actions) == is_baked


@pytest.mark.parametrize("mode", ["EDIT", "POSE", "SCULPT", "WEIGHT_PAINT"])
def test_any_mode(load, press_all, rig, mode):
    load(TIMES)
    face = bpy.data.objects["Face"]
    bpy.context.view_layer.objects.active = face if mode in ("SCULPT", "WEIGHT_PAINT") else rig
    bpy.ops.object.mode_set(mode=mode)
    assert press_all() == ""
    assert face.data.shape_keys.animation_data.action and rig.animation_data.action


def test_hidden_excluded_locked_and_nothing_active(load, press_all, rig):
    load(TIMES)
    face = bpy.data.objects["Face"]
    face.hide_set(True)
    face.lock_location = rig.pose.bones["jaw"].lock_rotation = (True, True, True)
    bpy.context.view_layer.objects.active = None
    assert press_all() == "" and face.data.shape_keys.animation_data.action
    face.hide_set(False)
    folder = bpy.data.collections.new("Excluded")
    bpy.context.scene.collection.children.link(folder)
    folder.objects.link(rig)
    bpy.context.scene.collection.objects.unlink(rig)
    bpy.context.view_layer.layer_collection.children["Excluded"].exclude = True
    select(face)
    assert press_all() == ""
    select()
    assert press_all() == "grey"


def test_an_armature_without_bones_and_one_that_blender_has_not_looked_at(load, press_all):
    load(TIMES)
    rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    select(mesh("Face", ["smile"], rig))
    assert press_all() == ""
    bpy.context.scene.collection.objects.link(rig)
    select(rig)
    assert press_all() == ""
    select(mesh("Bare"))
    assert "no mapping fits" in press_all()


def test_data_shared_between_objects_and_scenes(load, press_all, rig):
    load(TIMES)
    face = bpy.data.objects["Face"]
    twins = [bpy.data.objects.new("Twin", face.data), bpy.data.objects.new("Twin rig", rig.data)]
    other, take = bpy.data.scenes.new("Other"), bpy.context.scene.bdfm.take
    for twin in twins:
        bpy.context.scene.collection.objects.link(twin)
    other.collection.objects.link(face)
    select(face, *twins)
    assert press_all() == ""
    bpy.context.window.scene = other
    assert press("load_take", filepath=take) == ""
    select(face)
    assert press_all() == ""
    bpy.data.scenes.remove(other)
    assert press_all() in ("", "grey")


def test_a_property_that_becomes_something_else_during_the_preview(load, rig, capfd):
    load(TIMES)
    face = bpy.data.objects["Face"]
    press("preview")
    for value in ("text", [1.0, 2.0], True):
        face["prop"] = value
        for frame in (5, 9):
            bpy.context.scene.frame_set(frame)
        assert type(face["prop"]) is type(value) or list(face["prop"]) == value
    printed = capfd.readouterr()
    assert "Traceback" not in printed.out + printed.err, printed
    press("preview")


def test_a_mapping_that_cannot_be_kept_on_a_linked_character(load, tmp_path, capfd):
    mesh("Face", ["smile"])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (there, here):
        here.objects = there.objects
    bpy.context.scene.collection.objects.link(here.objects[0])
    select(here.objects[0])
    press("batch_add_characters")
    (item,) = bpy.context.scene.bdfm.batch.characters
    item.mapping = "test"
    assert item.status == "FAILED" and "library override" in item.message
    press("edit_mapping")
    assert press("save_mapping") == "" and (tmp_path / "own" / "test_rig.json").exists()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["take.csv", "-o", "a" * 300 + ".blend"], 17),
        (["take.csv", "-o", "folder", "--overwrite"], 17),
        (["take.csv", "-o", "take.csv", "--overwrite"], 17),
        (["take.csv", "-o", "take.csv/new.blend"], 17),
        (["", "-o", "new.blend"], 52),
        (["a" * 300, "-o", "new.blend"], 52),
        (["take.csv", "-o", "new.blend", "--start", "9" * 15], 52),
    ],
    ids=range(7),
)
def test_the_command_line(load, rig, part, tmp_path, monkeypatch, capfd, words, code):
    monkeypatch.chdir(tmp_path)
    load(TIMES)
    (tmp_path / "folder").mkdir()
    take = (tmp_path / "take.csv").read_bytes()
    assert part("blender.command_line").execute(part("ui.command").services(), words) == code
    assert "Traceback" not in capfd.readouterr().err
    assert not list(tmp_path.glob("*.blend")) and (tmp_path / "folder").is_dir()
    assert (tmp_path / "take.csv").read_bytes() == take


@pytest.mark.parametrize("kind", ["dangling", "loop", "folder", "pipe", "long", "file", "name"])
def test_anything_in_the_place_of_the_own_mappings(load, press_all, rig, part, tmp_path, kind):
    load(TIMES)
    preferences = bpy.context.preferences.addons[part("ui.preferences").ADDON].preferences
    path = tmp_path / "own" / "a.json"
    if kind in ("dangling", "loop"):
        path.symlink_to(path if kind == "loop" else tmp_path / "nowhere.json")
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "name":
        path.with_name('two\nlines "quoted".json').write_text("{")
    else:
        preferences.mappings_folder = "/" + "a" * 400 if kind == "long" else str(tmp_path / "own" / "test.json")
    said = press_all()
    refused = part("ui.preferences").library(bpy.context).refused
    assert len(refused) == 1
    if kind in ("long", "file"):
        assert "no mapping fits" in said and "Choose another folder" in str(refused[0])
    else:
        assert said == ""


CANARY = "canary"
NASTY = (
    f'smile"] = 1; import pathlib; pathlib.Path("{CANARY}").touch(); x["',
    f"__import__('pathlib').Path('{CANARY}').touch()",
    f"#__import__('pathlib').Path('{CANARY}').touch()",
    'key_blocks["smile"].value',
    '"].driver_add("value").driver.expression="1"#',
    "../../smile",
    "two\nlines\t",
    "${HOME} %s {0} \\",
)


def test_nothing_in_a_mapping_is_ever_run(load, press_all, tmp_path, keep_mappings, monkeypatch):
    """Names that look like code, drivers, paths in Blender's data or in the file system are names, wherever they go."""
    monkeypatch.chdir(tmp_path)
    load(TIMES)
    names = [name[:60] for name in NASTY]
    channels = {
        "AU12": [KEY | {"name": name} for name in names],
        "AU26": [{"kind": "bone_rotation", "bone": name, "axis": "x", "degrees": 9} for name in names],
        "AU01": [{"kind": "custom_property", "owner": "object", "name": name} for name in names],
    }
    data = mapping_data(channels, name=names[1], source=NASTY[0], licence=NASTY[1])
    folder = keep_mappings(data | {"fingerprint": {"shape_keys": names}})
    rig = armature("Rig", dict.fromkeys(names, "XYZ"))
    face = mesh("Face", names, rig)
    for name in names:
        face[name] = 0.0
    select(rig, face)
    assert press_all() == ""
    press("clear_calibration")
    assert press("bake") == ""
    bpy.context.scene.frame_set(5)
    assert [block.value for block in face.data.shape_keys.key_blocks[1:]] == pytest.approx([0.5] * len(names))
    assert [face[name] for name in names] == pytest.approx([0.5] * len(names))
    assert [np.degrees(rig.pose.bones[name].rotation_euler.x) for name in names] == pytest.approx([4.5] * len(names))
    assert not any(item.animation_data.drivers for item in (rig, face, face.data.shape_keys))
    assert not (tmp_path / CANARY).exists()
    assert {path.parent for path in folder.rglob("*.json")} == {folder}
    assert not [
        path for path in tmp_path.rglob("*") if path.suffix == ".json" and path.parent not in (folder, tmp_path)
    ]


@pytest.mark.parametrize(
    "name",
    ["", "a" * 500, "two\nlines\t", "../../x", '"quoted"', "CON", "schema", "名前", "چهره\u200cمن", "👨\u200d👩"],
)
def test_a_mapping_saved_under_any_name_is_read_again(load, rig, part, name):
    load(TIMES)
    rig.name = name[:60] or "Rig"
    press("edit_mapping")
    own = bpy.context.scene.bdfm.own_mapping
    own.name = name
    for _ in range(2):
        assert press("save_mapping", overwrite=True) == ""
    library = part("ui.preferences").library(bpy.context)
    assert not library.refused
    assert rig["bdfm_mapping"] in library.mappings
    assert press("swap_sides") == "" and not part("ui.preferences").library(bpy.context).refused
    press("close_mapping")
    assert press("new_mapping") == "" and press("bake") == ""


@pytest.mark.parametrize(
    "settings",
    [
        {"edits": {"units": []}},
        {"edits": {"units": {"AU12": None}}},
        {"edits": {"rotation": [1, 2, 3]}},
        {"calibration": [1]},
        {"smoothing": "one_euro"},
    ],
    ids=json.dumps,
)
def test_settings_that_cannot_be_used_say_so_in_plain_words(load, settings):
    """They name the file, which can be moved away, and nothing of Python."""
    said = load(TIMES, facts=json.dumps({"format_version": 1, "settings": settings}))
    assert "take.json: " in said and "move that file away" in said
    assert "a member is of the wrong type" in said and "object" not in said and "NoneType" not in said


def test_facts_that_were_damaged_since_the_take_was_loaded(load, rig, tmp_path):
    load(TIMES)
    facts = tmp_path / "take.json"
    facts.write_text('{"format_version": 1, "settings": [1]}')
    assert "settings are no object" in press("save_cleaning")
    assert facts.read_text() == '{"format_version": 1, "settings": [1]}'


@pytest.mark.parametrize(
    "data",
    [
        "",
        "[1]",
        '{"kind": 5}',
        '{"kind": "shape_key", "name": "' + "x" * 5000 + '"}',
        '{"kind": "shape_key", "weight": []}',
        '{"kind": "bone_rotation", "axis": [], "side": {}, "min": "a", "max": []}',
    ],
    ids=range(6),
)
def test_a_target_that_a_damaged_file_holds(load, rig, draw_characters, data, capfd):
    load(TIMES)
    press("edit_mapping")
    own = bpy.context.scene.bdfm.own_mapping
    own.source = "AU12"
    target = own.active_target()
    target.data = data
    draw_characters()
    for name in ("amount", "axis", "side", "use_min", "use_max", "low", "high"):
        setattr(target, name, getattr(target, name))
    target.data = data
    assert press("save_mapping")
    press("remove_target")
    assert "Traceback" not in capfd.readouterr().err


def test_an_id_with_a_path_writes_no_file_elsewhere(load, rig, tmp_path, keep_mappings, part):
    load(TIMES)
    folder = keep_mappings()
    (folder / "evil.json").write_text(json.dumps(mapping_data(CHANNELS, id="../../evil")))
    (error,) = part("ui.preferences").library(bpy.context).refused
    assert "a name for files is expected" in str(error)
    press("edit_mapping")
    bpy.context.scene.bdfm.own_mapping.name = "../../../evil\n/x"
    assert press("save_mapping") == ""
    assert not [path for path in tmp_path.parent.rglob("*evil*.json") if path.parent != folder]


def test_a_folder_for_own_mappings_that_cannot_be_written(load, rig, tmp_path, part):
    load(TIMES)
    preferences = bpy.context.preferences.addons[part("ui.preferences").ADDON].preferences
    press("edit_mapping")
    preferences.mappings_folder = str(tmp_path / "take.csv")
    assert "cannot be made" in press("save_mapping")
    assert bpy.context.scene.bdfm.own_mapping.document, "the edits are still there"
