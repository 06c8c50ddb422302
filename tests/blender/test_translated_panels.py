# SPDX-License-Identifier: MIT
"""The panels and errors in another language: nothing that the add-on says is left as it was.

Blender's Python module comes without languages: there this test answers the add-on's lookups, and what Blender looks up
by itself is known from the sources. In a Blender with languages the dictionary is registered in earnest.
"""

from __future__ import annotations

import re
import sys

import bpy
import numpy as np
import pytest
from addon_texts import LOOKUPS, error_templates, looked_up_by_blender, looked_up_by_us, registered, shown
from scenes import armature, mapping_data, mesh, select, write_take

from bdfm_infer.errors import BdfmError

LANGUAGE = "be"
"""Belarusian: Blender itself has hardly any texts in it, and none in Latin letters."""
PANELS = {
    "capture_panel": ["draw_capture", "draw_clip"],
    "take_panel": ["draw_take"],
    "values": ["draw_values"],
    "calibrate": ["draw_calibrate"],
    "edit": ["draw_edit", "draw_smoothing"],
    "curves": ["draw_curves_panel"],
    "presets": ["draw_presets"],
    "characters": ["draw_characters", "draw_first_gains"],
    "mapping_panel": ["draw_unit"],
    "posing": ["draw_posing"],
    "checks": ["draw_checks"],
    "bake_panel": ["draw_bake", "draw_options", "draw_reports"],
}
"""Functions that draw, by module."""
VALUE = re.compile(r"AU\d\d|:? -?[\d.]+( s)?$|:$")
"""What Blender or FACS adds to a text: the number of an action unit or of a field, a colon."""
WIDE = {ord("A") + place: 0xFF21 + place for place in range(26)} | {ord("a") + p: 0xFF41 + p for p in range(26)}


def wide(text: str) -> str:
    """A translation that keeps its fields: full-width letters."""
    return "".join(part if part.startswith("{") else part.translate(WIDE) for part in re.split(r"(\{[^}]*\})", text))


@pytest.fixture
def by_blender(part, monkeypatch):
    """Translate the add-on. Gives the texts that stay because this Blender has no languages."""
    own, others = looked_up_by_us() | error_templates(), looked_up_by_blender() | registered(part("ui").CLASSES)
    known = own | others
    if bpy.app.build_options.international:
        view = bpy.context.preferences.view
        view.language = LANGUAGE
        view.use_translate_interface = view.use_translate_tooltips = view.use_translate_new_dataname = True
        words = {(context, text): wide(text) for context in ("*", "Operator") for text in known if text}
        bpy.app.translations.register("test", {LANGUAGE: words})
        yield set()
        bpy.app.translations.unregister("test")
        view.language = "en_US"
        return
    addon = part("ui").__name__.removesuffix("ui")
    for module in [module for name, module in sys.modules.items() if name.startswith(addon)]:
        for name in (name for name in LOOKUPS if hasattr(module, name)):
            monkeypatch.setattr(module, name, lambda text, context="*": wide(text) if text in known else text)
    yield others


@pytest.fixture
def left(part, layout, by_blender, monkeypatch):
    """Draw all panels but the lists, which need a region. Gives what was drawn by then and is not translated."""
    monkeypatch.setattr(part("ui.sidebar"), "room", lambda margin: 10_000)  # Blender cannot tell lines that end in '

    def draw():
        context, scene = bpy.context, bpy.context.scene
        own, state = scene.bdfm.own_mapping, context.window_manager.bdfm_capture
        for module, names in PANELS.items():
            for name in names:
                getattr(part(f"ui.{module}"), name)(layout, context)
        part("ui.batch").draw_state(layout, scene.bdfm.batch)
        if own.document:
            panel = part("ui.mapping_panel")
            panel.draw_edited(layout, own)
            for target in own.targets:
                panel.BDFM_UL_targets.draw_item(None, context, layout, own, target, 0, own, "active")
        else:
            part("ui.mapping_panel").draw_start(layout)
        for item in state.queue:
            part("ui.capture_queue").BDFM_UL_queue.draw_row(None, context, layout, item, 0)
        for item in scene.bdfm.batch.characters:
            part("ui.batch_lists").draw_character(layout, item)
        found = {*shown(layout)} - {"test"}
        assert len(found) > 40
        labels = {text: VALUE.sub("", text) for text in found}
        wrong = {text for text, label in labels.items() if re.search("[A-Za-z]", label) and label not in by_blender}
        return sorted(wrong - by_blender)

    return draw


@pytest.fixture
def take(tmp_path):
    """A loaded take of 25 frames, one of them without a face; its name needs no translation."""
    times = np.arange(25) / 24
    path = write_take(tmp_path / "7.csv", times, lost=[3], AU12=times, yaw=-20 * times)
    bpy.ops.bdfm.load_take(filepath=str(path))
    return path


@pytest.fixture
def character(keep_mappings):
    """A rig with a mapping that fits; none of their names needs a translation."""
    smile = {"AU12": [{"kind": "shape_key", "name": "1"}, {"kind": "bone_rotation", "bone": "2", "axis": "x"}]}
    smile["AU12"][1]["degrees"] = 9
    keep_mappings(
        *(mapping_data(smile, id=name, name=name, fingerprint={"shape_keys": ["1"]}) for name in ("3", "4")),
    )
    rig = armature("5", {"2": "XYZ"})
    mesh("6", ["1"], rig)
    select(rig)
    return rig


def test_what_is_not_translated_is_seen(left, layout):
    layout.label(text="Some 3 frames", translate=False)
    assert left() == ["Some 3 frames"]


def test_an_empty_file(left):
    assert left() == []


def test_a_take_frame_by_frame(left, take):
    for frame in (-10, 2, 4, 400):
        bpy.context.scene.frame_set(frame)
        assert left() == []


def test_a_character_chosen_checked_baked_and_previewed(left, part, take, character):
    face = character.children[0]
    face.data.shape_keys.key_blocks["1"].slider_max = 0.5
    face.data.shape_keys.key_blocks["1"].mute = True
    character.pose.bones["2"].lock_rotation = (True, True, True)
    character.bdfm_gains.overall, character.bdfm_gains.AU12, character.bdfm_gains.yaw = 1.5, 0.5, 0.25
    bpy.ops.bdfm.check()
    bpy.ops.bdfm.bake()
    (report,) = part("ui.bake").last_reports
    assert len(report.warnings) > 2
    assert left() == []
    bpy.ops.bdfm.preview()
    bpy.ops.bdfm.batch_add_characters()
    bpy.ops.bdfm.batch_bake()
    assert bpy.context.scene.bdfm.batch.characters[0].status == "WARNED"
    assert left() == []
    part("ui.preview").stop()


def test_a_mapping_that_is_edited_and_posed(left, part, take, character):
    bpy.ops.bdfm.edit_mapping()
    bpy.context.scene.bdfm.own_mapping.source = "AU12"
    assert left() == []
    bpy.ops.bdfm.start_posing()
    assert left() == []
    bpy.ops.bdfm.cancel_posing()


def test_a_running_capture_and_what_came_of_it(left, part, by_blender, tmp_path):
    progress, worker = part("ui.progress"), part("jobs.worker")
    event = {"frame": 120, "of": 4000, "fps": 210.5, "eta_s": 78.4}
    texts = [progress.describe(event), progress.describe({"frame": 3})]
    ends = [([], 0, True), ([tmp_path / "1", tmp_path / "2"], 9, True), ([tmp_path / "1"], 9, False)]
    outcomes = [worker.Outcome(tuple(takes), frames, cancelled, None, "", {}) for takes, frames, cancelled in ends]
    texts += [progress.describe_end(outcome).replace(str(tmp_path), "") for outcome in outcomes]
    texts += [part("ui.stepped").describe(3.9, 20)]
    assert [text for text in texts if re.search("[A-Za-z]", text)] == []
    state = bpy.context.window_manager.bdfm_capture
    for status in ("RUNNING", "WAITING", "DONE", "FAILED", "CANCELLED"):
        item = state.queue.add()
        item.name, item.state, item.message, item.is_recent = "8", status, texts[0], True
    state.running, state.text = True, texts[0]
    for place in range(len(state.queue)):
        state.active = place
        assert left() == []
    state.running = False
    assert left() == []
    state.queue.clear()


def test_poll_messages_reports_and_new_names(by_blender, part, take, character):
    select()
    with pytest.raises(RuntimeError, match=wide("Select the characters")):
        bpy.ops.bdfm.bake()
    with pytest.raises(RuntimeError, match=wide("is not in this scene any more. Select the character again.")):
        bpy.ops.bdfm.reset_gains(character="9")
    bpy.ops.bdfm.add_markers()
    names = [marker.name for marker in bpy.context.scene.timeline_markers]
    assert names == [f"{wide('Face Lost')}: 7", f"{wide('Face Found')}: 7"]
    bpy.ops.bdfm.remove_markers()
    assert not bpy.context.scene.timeline_markers


def test_a_refused_mapping(by_blender, part, layout, keep_mappings):
    refused = mapping_data({"AU12": [{"kind": "shape_key", "name": 3}]}, id="3", name="3")
    keep_mappings(refused, {"format_version": 1, "id": "4"}, {"id": "5"})
    part("ui.characters").forget_rows()
    folder = part("ui.preferences").own_folder(bpy.context)
    texts = [
        f"{folder}/3.json: channels.AU12[0].name{wide(': a text is expected, not ')}3.",
        f"{folder}/4.json{wide(': the key ')}'name'{wide(' is missing.')}",
        f"{folder}/5.json" + wide(": the key 'format_version' is missing; this is no mapping."),
    ]
    assert part("ui.characters").listed(bpy.context).refused == texts


def test_a_take_that_is_no_table(by_blender, tmp_path):
    path = tmp_path / "7.csv"
    path.write_text("8\n9\n")
    with pytest.raises(RuntimeError, match=wide("is missing, and") + " [0-9]+ " + wide("more. Put it back, or")):
        bpy.ops.bdfm.load_take(filepath=str(path))
    assert wide("is missing, and") in bpy.context.window_manager.bdfm_capture.refused


def test_a_capture_whose_worker_fails(by_blender, tmp_path):
    """The error is raised in another process, which knows no language."""
    source = tmp_path / "7.mp4"
    source.write_text("8")
    bpy.context.scene.bdfm.source = str(source)
    with pytest.raises(RuntimeError) as refused:
        bpy.ops.bdfm.capture()
    ends = f"7.mp4{wide(' is neither a video nor an image. Choose an MP4, MOV, MKV, AVI, JPEG or PNG file.')}"
    assert f"{ends} {wide('Nothing was captured.')}" in str(refused.value)


def test_a_picture_that_is_left_out(by_blender, part, tmp_path):
    """A warning comes out of the other process as errors do."""
    found = []
    session = part("ui.capture_session").Session(lambda levels, text: found.append(text))
    error = BdfmError("{path} is not an image that can be read. Save it as JPEG or PNG.", path=tmp_path / "7.png")

    class Speaker:
        outcome = None

        def poll(self):
            return [{"event": "warning", **error.to_json()}, {"event": "warning", "message": "8"}]

    session._listen(bpy.context.window_manager.bdfm_capture, Speaker())
    assert found == [f"{tmp_path}/7.png{wide(' is not an image that can be read. Save it as JPEG or PNG.')}", "8"]


def test_an_error_within_an_error(by_blender, part):
    inner = BdfmError("{path}: no such file. Check the spelling.", path="1")
    outer = BdfmError("{path}: {reason}", path="2", reason=inner)
    assert part("blender.texts").artist_text(outer) == f"2: 1: {wide('no such file. Check the spelling.')}"


@pytest.mark.parametrize(
    "translation",
    ["{other}", "{path", "{", "{0}", "{path.b}", "{path[0][b]}", "{path:99999999999999999999}", "{path:d}"],
)
def test_a_translation_whose_fields_do_not_fit_leaves_the_english_text(part, monkeypatch, translation):
    texts = part("blender.texts")
    monkeypatch.setattr(texts, "rpt_", lambda text: translation)
    error = BdfmError("{path}: no such file. Check the spelling.", path="1\udce9")
    assert texts.artist_text(error) == "1\\udce9: no such file. Check the spelling."


@pytest.mark.parametrize("text", ["", "Was: {taken} as it is {", "Was: {{twice}}", "1\udce9: gone", "1\0: gone"])
def test_a_finished_text_is_shown_as_it_is(part, text):
    assert part("blender.texts").artist_text(BdfmError(text)) == part("core.paths").shown(text)


def test_other_errors_speak_for_themselves(part):
    assert part("blender.texts").artist_text(OSError(2, "Gone", "7")) == "[Errno 2] Gone: '7'"
