# SPDX-License-Identifier: MIT
"""Pictures of faces to pick from, and the capture of the one that was picked."""

from __future__ import annotations

import time
from pathlib import Path

import bpy
import cv2
import pytest
from addon_texts import shown
from footage import RATE, two_people, write_clip
from scenes import pixels_of

from bdfm_infer.take import Take


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("two") / "two.avi", two_people(8))


@pytest.fixture
def choice(tmp_path, part, clip):
    settings = bpy.context.scene.bdfm
    settings.take_folder, settings.source = str(tmp_path), str(clip)
    settings.capture.face = "PICKED"
    yield settings.capture
    part("ui.faces").forget_faces()


def test_pick_the_smaller_face_by_its_picture(choice, part, clip):
    assert not bpy.ops.bdfm.pick_face.poll()
    choice.look_at = 0.1
    assert bpy.ops.bdfm.find_faces() == {"FINISHED"}
    found = part("ui.faces")._found
    assert found.time == pytest.approx(0.1, abs=0.035) and len(found.places) == 2
    frame = two_people(8)[round(found.time * RATE)][..., ::-1]
    for number, (x, y) in zip(("1", "2"), found.places, strict=True):
        picture = pixels_of(found.pictures[number])
        assert picture.shape == (128, 128, 3)
        nose = frame[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4]
        assert picture[60:68, 60:68].mean(axis=(0, 1)) == pytest.approx(nose.mean(axis=(0, 1)), abs=20)
    bpy.ops.bdfm.pick_face(number=2)
    assert choice.face == "PICKED" and tuple(choice.pick_place) == pytest.approx(found.places[1])
    bpy.ops.bdfm.capture()
    take = Take.read(bpy.context.scene.bdfm.take)
    assert len(take) == 8 and take.success.all()
    assert take.face[3, :2] == pytest.approx(found.places[1], abs=take.face[3, 2] / 4)
    with pytest.raises(RuntimeError, match="no face 9"):
        bpy.ops.bdfm.pick_face(number=9)
    choice.file = "other.avi"
    assert not bpy.ops.bdfm.pick_face.poll()


def test_nothing_of_the_pictures_stays_on_disk(choice, part, layout, cache):
    """Neither the worker's files, nor a thumbnail of each that Blender would leave in the user's cache."""
    bpy.ops.bdfm.find_faces()
    part("ui.faces").draw_faces(layout, bpy.context)
    for picture in part("ui.faces")._found.pictures.values():
        assert tuple(picture.image_size) == (128, 128)
    assert not [path for path in cache.rglob("*") if path.is_file()]
    assert not list(Path(bpy.app.tempdir).glob("faces-*"))


def test_a_pick_counts_for_its_clip_alone(choice, part, clip, tmp_path):
    with pytest.raises(RuntimeError, match="Press Find Faces"):
        bpy.ops.bdfm.capture()
    choice.pick_source, choice.pick_place = str(clip), (3, 4)
    source = part("ui.sources").resolve_in(choice, bpy.context)
    assert part("ui.sources").face_of(choice, source) == part("jobs.requests").Pick(0, 3, 4)
    choice.file = str(tmp_path / "other.avi")
    with pytest.raises(RuntimeError, match="Press Find Faces"):
        bpy.ops.bdfm.capture()


def test_no_face_is_a_report(choice, part):
    choice.look_at = 30
    with pytest.raises(RuntimeError, match="Choose another time"):
        bpy.ops.bdfm.find_faces()
    choice.file = "/gone.mp4"
    with pytest.raises(RuntimeError, match=r"gone\.mp4"):
        bpy.ops.bdfm.find_faces()
    assert part("ui.faces")._found is None and bpy.ops.bdfm.find_faces.poll()


def search(part, until_it_ends=True):
    """Begin a search, as the button does in a window."""
    faces = part("ui.faces")
    faces._begin(bpy.context)
    while until_it_ends and faces._look() is not None:
        time.sleep(0.02)


def folders():
    return list(Path(bpy.app.tempdir).glob("faces-*"))


def test_a_search_is_stopped_by_the_x_beside_its_button(choice, part, layout):
    faces = part("ui.faces")
    assert not bpy.ops.bdfm.stop_finding_faces.poll()
    search(part, until_it_ends=False)
    assert folders() and not bpy.ops.bdfm.find_faces.poll()
    faces.draw_faces(layout, bpy.context)
    assert bpy.ops.bdfm.stop_finding_faces() == {"FINISHED"}
    while faces._look() is not None:
        time.sleep(0.02)
    assert faces._found is None and not folders() and bpy.ops.bdfm.find_faces.poll()


def test_why_a_search_failed_stands_in_the_panel_until_the_next_one(choice, part, layout, monkeypatch):
    monkeypatch.setattr(part("ui.sidebar"), "room", lambda margin: 10_000)

    def drawn():
        column = layout.column()
        part("ui.faces").draw_faces(column, bpy.context)
        return any("Choose another time" in text for text in shown(column))

    choice.look_at = 30
    search(part)
    assert drawn() and not folders()
    choice.look_at = 0
    search(part)
    assert not drawn() and len(part("ui.faces")._found.places) == 2


def test_another_file_forgets_the_faces_and_ends_the_search(choice, part):
    faces = part("ui.faces")
    search(part)
    search(part, until_it_ends=False)
    assert faces._found is not None and folders()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert faces._found is None and faces._search is None and not folders()


def test_faces_are_offered_for_their_clip_alone_though_another_strip_has_its_name(choice, part, layout, clip, tmp_path):
    editor = bpy.context.scene.sequence_editor_create()
    strips = editor.strips if bpy.app.version >= (4, 4, 0) else editor.sequences
    strip = strips.new_movie("Face", str(clip), 1, 1)
    choice.kind, choice.strip = "STRIP", "Face"

    def offered():
        column = layout.column()
        part("ui.faces").draw_faces(column, bpy.context)
        return {"1", "2"} <= set(shown(column))

    bpy.ops.bdfm.find_faces()
    assert offered()
    strip.filepath = str(write_clip(tmp_path / "other.avi", two_people(8)))
    assert not offered()
    with pytest.raises(RuntimeError, match="of another clip"):
        bpy.ops.bdfm.pick_face(number=1)


@pytest.mark.parametrize("kind", ["FILE", "STRIP", "CLIP"])
def test_drawing_the_faces_looks_at_no_disk(choice, part, layout, tmp_path, monkeypatch, kind):
    """A network drive that is away would hold up each redraw."""
    for number, frame in enumerate(two_people(2), 1):
        cv2.imwrite(str(tmp_path / f"{number}.png"), frame)
    first = str(tmp_path / "1.png")
    editor = bpy.context.scene.sequence_editor_create()
    strips = editor.strips if bpy.app.version >= (4, 4, 0) else editor.sequences
    choice.kind, choice.file, choice.strip = kind, first, strips.new_image("Face", first, 1, 1).name
    choice.clip = bpy.data.movieclips.load(first).name
    bpy.ops.bdfm.find_faces()
    looked = []
    for name in ("stat", "iterdir"):
        monkeypatch.setattr(Path, name, lambda path, *_, **__: looked.append(path) or (_ for _ in ()).throw(OSError))
    column = layout.column()
    part("ui.faces").draw_faces(column, bpy.context)
    monkeypatch.undo()
    assert {"1", "2"} <= set(shown(column)) and not looked


def test_the_pictures_draw(choice, part, capfd, layout):
    part("ui.faces").draw_faces(layout, bpy.context)
    bpy.ops.bdfm.find_faces()
    for kind in ("FILE", "STRIP", "CLIP"):
        choice.kind, choice.use_trim = kind, True
        part("ui.capture_panel").draw_capture(layout, bpy.context)
    bpy.context.scene.sequence_editor_create()
    choice.kind = "STRIP"
    part("ui.capture_panel").draw_capture(layout, bpy.context)
    assert "not found" not in "".join(capfd.readouterr())
