# SPDX-License-Identifier: MIT
"""What a face can be read from: files in any script, strips with trim and offset, movie clips, image sequences."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon_texts import shown
from footage import FRAMES, RATE, SAMPLE, sample_frames, write_clip, write_images

from bdfm_infer.take import Take


@pytest.fixture
def choice(tmp_path):
    """The scene's choice; takes go into a folder of the test."""
    bpy.context.scene.bdfm.take_folder = str(tmp_path / "takes")
    bpy.context.scene.render.fps = 30
    return bpy.context.scene.bdfm.capture


@pytest.fixture
def strips():
    """The strips of the scene's sequencer."""
    editor = bpy.context.scene.sequence_editor_create()
    return editor.strips if bpy.app.version >= (4, 4, 0) else editor.sequences


@pytest.fixture
def resolved(part, choice):
    return lambda: part("ui.sources").resolve_in(choice, bpy.context)


def captured() -> Take:
    """Capture what is chosen."""
    assert bpy.ops.bdfm.capture() == {"FINISHED"}
    return Take.read(bpy.context.scene.bdfm.take)


def shown_at(take: Take) -> np.ndarray:
    """Scene frames at which the rows of the take are baked."""
    scene = bpy.context.scene
    return scene.bdfm.start_frame + take.timestamps * scene.render.fps / scene.render.fps_base


def test_trim_by_time(choice):
    choice.file, choice.use_trim, choice.start, choice.end = str(SAMPLE), True, 0.5, 0.8
    take = captured()
    assert take.frames.tolist() == list(range(15, 24))
    assert bpy.context.scene.bdfm.start_frame == 1


def test_accurate_is_part_of_what_is_chosen(choice):
    choice.file, choice.use_trim, choice.end = str(SAMPLE), True, 0.2
    plain = captured()
    choice.accurate = True
    both = captured()
    assert [take.facts["settings"]["accurate"] for take in (plain, both)] == [False, True]
    assert np.abs(both.action_units - plain.action_units).max() > 1e-3


def test_a_trim_that_ends_before_it_starts(choice):
    choice.file, choice.use_trim, choice.start, choice.end = str(SAMPLE), True, 2, 1
    with pytest.raises(RuntimeError, match="Set End after Start"):
        bpy.ops.bdfm.capture()


def test_a_movie_strip_as_far_as_it_is_shown(choice, strips):
    strip = strips.new_movie("Shot 1/a", str(SAMPLE), 1, 11)
    strip.animation_offset_start = 7
    strip.frame_offset_start, strip.frame_offset_end = 5, FRAMES - 7 - 5 - 12
    left = int(strip.frame_final_start)
    assert strip.frame_final_duration == 12
    choice.kind, choice.strip = "STRIP", strip.name
    take = captured()
    assert take.frames.tolist() == list(range(12, 24))
    assert shown_at(take) == pytest.approx(np.arange(left, left + 12), abs=0.02)
    assert Path(bpy.context.scene.bdfm.take).name == "Shot 1_a.csv"


def test_a_strip_in_a_scene_of_another_rate(choice, strips, resolved):
    bpy.context.scene.render.fps = 24
    strip = strips.new_movie("Shot", str(SAMPLE), 1, 101)
    strip.frame_offset_start = 30
    choice.kind, choice.strip = "STRIP", "Shot"
    assert resolved().start_frame == 131 - 24  # second 1 of the file is shown at frame 131


def test_strips_are_those_that_the_sequencer_shows(choice, resolved):
    """From 5.0 on the sequencer may show another scene than the window."""
    edit = bpy.data.scenes.new("Edit")
    own_scene = bpy.app.version >= (5, 0, 0)
    if own_scene:
        bpy.context.workspace.sequencer_scene = edit
    editor = (edit if own_scene else bpy.context.scene).sequence_editor_create()
    (editor.strips if bpy.app.version >= (4, 4, 0) else editor.sequences).new_movie("Shot", str(SAMPLE), 1, 7)
    choice.kind, choice.strip = "STRIP", "Shot"
    assert resolved().start_frame == 7


def test_an_image_strip(choice, strips, tmp_path):
    paths = write_images(tmp_path / "shot", sample_frames(12))
    strip = strips.new_image("Images", str(paths[0]), 1, 21)
    for path in paths[1:]:
        strip.elements.append(path.name)
    strip.frame_offset_start, strip.frame_offset_end = 3, 4
    choice.kind, choice.strip = "STRIP", "Images"
    take = captured()
    assert take.files == tuple(path.name for path in paths[3:8])
    assert shown_at(take) == pytest.approx(np.arange(24, 29), abs=0.02)
    assert take.facts["settings"]["smoothing"]["method"] == "zero_phase"


def test_strips_that_cannot_be_captured(choice, strips, resolved, part):
    choice.kind, choice.strip = "STRIP", "gone"
    error = part("ui.sources").SourceError
    with pytest.raises(error, match="no strip 'gone'"):
        resolved()
    strips.new_effect("Text", "TEXT", 1, 1, **({"length": 9} if bpy.app.version >= (5, 0, 0) else {"frame_end": 9}))
    choice.strip = "Text"
    with pytest.raises(error, match="no movie or image strip"):
        resolved()
    strips.new_movie("Back", str(SAMPLE), 2, 1).use_reverse_frames = True
    choice.strip = "Back"
    with pytest.raises(error, match="reversed"):
        resolved()


def test_a_movie_clip_of_the_file(choice, resolved):
    clip = bpy.data.movieclips.load(str(SAMPLE))
    clip.frame_start, clip.frame_offset = 50, 6
    choice.kind, choice.clip = "CLIP", clip.name
    choice.use_trim, choice.end = True, 0.5
    take = captured()
    assert take.frames.tolist() == list(range(6, 15))
    assert shown_at(take)[0] == pytest.approx(50, abs=0.02)
    choice.clip = "gone"
    with pytest.raises(RuntimeError, match="no movie clip 'gone'"):
        bpy.ops.bdfm.capture()


def test_a_movie_clip_of_images(choice, resolved, tmp_path):
    paths = write_images(tmp_path / "shot", sample_frames(1) * 5, first=8)
    (tmp_path / "shot" / "shot.0009.txt").touch()
    clip = bpy.data.movieclips.load(str(paths[1]))
    choice.kind, choice.clip = "CLIP", clip.name
    footage = resolved().footage
    assert footage.source == tuple(paths[1:])
    assert footage.is_sequence and footage.image_rate == 30


def test_a_movie_clip_of_images_ends_where_blender_ends_it(choice, resolved, tmp_path):
    paths = write_images(tmp_path / "shot", sample_frames(1) * 5, first=8)
    paths[3].unlink()
    clip = bpy.data.movieclips.load(str(paths[0]))
    choice.kind, choice.clip = "CLIP", clip.name
    assert resolved().footage.source == tuple(paths[: clip.frame_duration]) == tuple(paths[:3])


def test_a_folder_of_images_is_a_clip_at_the_scenes_rate(choice, resolved, tmp_path):
    write_images(tmp_path / "кадры 顔", sample_frames(6))
    choice.file = str(tmp_path / "кадры 顔")
    take = captured()
    assert take.timestamps == pytest.approx(np.arange(6) / 30, abs=1e-6)
    assert take.facts["settings"]["smoothing"]["method"] == "zero_phase"
    assert Path(bpy.context.scene.bdfm.take) == tmp_path / "takes" / "кадры 顔.csv"
    choice.is_sequence = False
    assert not resolved().footage.is_sequence


@pytest.fixture
def panel(part, layout, monkeypatch):
    """What the panel Capture says about the images that are chosen."""
    monkeypatch.setattr(part("ui.sidebar"), "room", lambda margin: 10_000)

    def said():
        column = layout.column()
        part("ui.capture_panel").draw_images(column, bpy.context)
        return shown(column)

    return said


def test_one_image_of_a_sequence_is_the_sequence_from_there_on(choice, resolved, panel, tmp_path):
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 24, 1.001
    paths = write_images(tmp_path / "shot", sample_frames(6))
    choice.file = str(paths[1])
    take = captured()
    assert take.files == tuple(path.name for path in paths[1:])
    assert take.timestamps == pytest.approx(np.arange(5) * 1.001 / 24, abs=1e-6)
    assert Path(bpy.context.scene.bdfm.take).name == "shot.0002.csv"
    assert panel() == ["Image Sequence", "5 images, 23.976 a second"]
    paths[4].unlink()  # a gap: what comes after it would be out of step
    assert resolved().footage.source == tuple(paths[1:4])
    assert panel()[1] == "3 images, 23.976 a second"
    choice.is_sequence = False
    assert resolved().footage.source == paths[1] and not resolved().footage.is_sequence
    assert panel() == ["Image Sequence", "A single image: the take has one row"]


def test_an_image_without_neighbours_is_one_row_and_the_panel_says_so(choice, resolved, panel, tmp_path):
    (path,) = write_images(tmp_path / "shot", sample_frames(1), first=7)
    for name in ("shot.0006.jpg", "shot.0009.jpg", "shot.0008.png", "shots.0008.jpg"):
        (path.parent / name).touch()
    choice.file = str(path)
    assert resolved().footage.source == path and not resolved().footage.is_sequence
    assert len(captured()) == 1
    assert panel() == ["A single image: the take has one row"]
    choice.file = str(path.parent.rename(tmp_path / "shot.v2"))
    assert panel() == ["Image Sequence", "30 images a second"]
    choice.file = str(tmp_path / "s*")
    assert panel() == ["Image Sequence", "30 images a second"]
    choice.file = str(path.with_name("shot.0100.jpg"))  # not there
    assert panel() == []


def test_numbered_videos_are_no_sequence(choice, resolved, panel, tmp_path):
    for name in ("take1.avi", "take2.avi"):
        (tmp_path / name).touch()
    choice.file = str(tmp_path / "take1.avi")
    assert resolved().footage.source == tmp_path / "take1.avi"
    assert panel() == []


def test_the_frames_of_a_sequence_wait_once(choice, tmp_path):
    paths = write_images(tmp_path / "shot", sample_frames(1) * 4)
    (tmp_path / "shot" / "other.avi").touch()
    files = [{"name": path.name} for path in [*paths, tmp_path / "other.avi"]]
    queue = bpy.context.window_manager.bdfm_capture.queue
    bpy.ops.bdfm.queue_add(directory=str(tmp_path / "shot"), files=files)
    assert [item.name for item in queue] == ["other.avi", "shot.0001.jpg"]
    choice.is_sequence = False
    bpy.ops.bdfm.queue_add(directory=str(tmp_path / "shot"), files=files)
    assert len(queue) == 2 + 5


@pytest.mark.parametrize("name", ["лицо (1) 顔 テスト وجه.avi", "-o.avi", "a'b\"c;$HOME.avi"])
def test_names_in_any_script_and_with_spaces(choice, tmp_path, name, clip):
    source = tmp_path / name
    os.link(clip, source)
    bpy.context.scene.bdfm.take_folder = ""
    choice.file = str(source)
    assert len(captured()) == 3
    assert Path(bpy.context.scene.bdfm.take).parent == tmp_path


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.avi", sample_frames(3))


@pytest.fixture
def read_only():
    """A folder into which nothing can be written; root, who could, becomes nobody."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    yield folder
    if is_root:
        os.seteuid(0)
    folder.rmdir()


def test_a_read_only_folder_says_where_to_put_the_takes(choice, read_only):
    bpy.context.scene.bdfm.take_folder = ""
    choice.file = str(read_only / "clip.mp4")
    with pytest.raises(RuntimeError, match=r"Set Takes to another folder, such as .*takes"):
        bpy.ops.bdfm.capture()
    assert not list(read_only.iterdir())


def test_a_copied_choice_is_whole(choice, part):
    choice.kind, choice.strip, choice.face, choice.pick_place = "STRIP", "a", "PICKED", (3, 4)
    copy = bpy.context.window_manager.bdfm_capture.queue.add().source
    part("ui.sources").copy_choice(choice, copy)
    for name in choice.bl_rna.properties.keys():  # noqa: SIM118 - a collection of Blender's, not a dict
        if name != "rna_type":
            assert repr(getattr(copy, name)) == repr(getattr(choice, name)) or list(copy.pick_place) == [3, 4]


def test_a_script_names_a_file(choice):
    choice.kind = "CLIP"
    bpy.context.scene.bdfm.source = "//clip.mp4"
    assert (choice.kind, choice.file) == ("FILE", "//clip.mp4")
    assert RATE == 30
