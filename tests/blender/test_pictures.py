# SPDX-License-Identifier: MIT
"""The clip's frame and the avatar in the panel: read by a worker, each row its own, nothing left in the file."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import bpy
import numpy as np
import pytest
from addon_texts import shown
from footage import sample_frames, write_clip, write_images
from scenes import pixels_of, write_take


@pytest.fixture
def take(tmp_path):
    """Six rows of the sample clip, the last but one without a face; its table."""
    write_clip(tmp_path / "clip.mp4", sample_frames(6))
    path = write_take(tmp_path / "t.csv", np.arange(6) / 30, lost=[4], AU26=np.linspace(0, 1, 6))
    bpy.ops.bdfm.load_take(filepath=str(path))
    return path


def test_pictures_of_each_row(take, part, layout):
    pictures, values = part("ui.pictures"), part("ui.values")
    loaded = part("ui.takes").loaded_take(bpy.context.scene)
    values.draw_values(layout, bpy.context)
    bpy.ops.bdfm.read_pictures()
    folder = pictures.picture_folder(loaded)
    assert sorted(path.name for path in folder.iterdir()) == [f"{row:06d}.png" for row in range(6)]
    bpy.context.scene.render.fps = 30
    seen = []
    for frame in range(1, 7):
        bpy.context.scene.frame_set(frame)
        values.draw_values(layout, bpy.context)
        seen.append(pixels_of(pictures._icons._icons[1]))
    assert all((a != b).any() for a, b in pairwise(seen))
    assert np.ptp(seen[4]) == 0 < seen[0].std()
    assert not bpy.data.images


def test_the_frame_is_shown_as_it_is(tmp_path, part, layout):
    """Way up, order of the colours, and each row its own: red grows above, blue shrinks below. No face: no cut-out."""
    frames = []
    for row in range(3):
        frame = np.zeros((128, 128, 3), np.uint8)
        frame[:64, :, 2], frame[64:, :, 0] = 60 + 60 * row, 200 - 60 * row
        frames.append(frame)
    write_clip(tmp_path / "clip.mp4", frames)
    bpy.ops.bdfm.load_take(filepath=str(write_take(tmp_path / "t.csv", np.arange(3) / 30, lost=[0, 1, 2])))
    bpy.ops.bdfm.read_pictures()
    bpy.context.scene.render.fps = 30
    for row, frame in enumerate(frames):
        bpy.context.scene.frame_set(row + 1)
        part("ui.values").draw_values(layout, bpy.context)
        clip = pixels_of(part("ui.pictures")._icons._icons[0]).astype(int)
        inside = np.r_[0:60, 68:128]  # the clip's own compression blurs the edge
        assert np.abs(clip - frame[..., ::-1])[inside].max() < 10


def test_nothing_of_the_pictures_stays_on_disk(take, part, layout, cache):
    """Blender leaves a thumbnail in the user's cache for each picture that it loads by itself."""
    bpy.ops.bdfm.read_pictures()
    bpy.context.scene.render.fps = 30
    for frame in range(1, 7):
        bpy.context.scene.frame_set(frame)
        part("ui.values").draw_values(layout, bpy.context)
        for icon in part("ui.pictures")._icons._icons:
            assert tuple(icon.image_size) == (128, 128)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_the_avatar_is_drawn_anew_once_another_rest_is_saved(take, part):
    pictures, loaded = part("ui.pictures"), part("ui.takes").loaded_take(bpy.context.scene)
    bpy.ops.bdfm.read_pictures()
    before = pictures.picture_folder(loaded)
    bpy.context.scene.bdfm.cleaning.AU26.gain = 0.5
    bpy.ops.bdfm.save_cleaning()
    assert pictures.picture_folder(loaded) == before
    bpy.context.scene.bdfm.cleaning.AU26.neutral = 0.5
    bpy.ops.bdfm.save_cleaning()
    after = pictures.picture_folder(loaded)
    assert [path.name for path in sorted(after.iterdir())] == [path.name for path in sorted(before.iterdir())]
    last = "000005.png"  # at its strongest 1 stays 1 ...
    assert (after / "000003.png").read_bytes() != (before / "000003.png").read_bytes()  # ... and 0.6 becomes 0.2
    assert (after / last).read_bytes() == (before / last).read_bytes()


def test_a_damaged_picture_is_no_picture(take, part, layout):
    pictures = part("ui.pictures")
    loaded = part("ui.takes").loaded_take(bpy.context.scene)
    folder = pictures.picture_folder(loaded)
    folder.mkdir(parents=True)
    (folder / "000000.png").write_bytes(b"no picture")
    part("ui.values").draw_values(layout, bpy.context)
    assert "Show Clip and Avatar" in shown(layout) and "Avatar" not in shown(layout)


def test_the_clip_is_gone(take):
    take.with_name("clip.mp4").unlink()
    with pytest.raises(RuntimeError, match="clip of this take is not found"):
        bpy.ops.bdfm.read_pictures()


def test_the_clip_is_no_video(take):
    take.with_name("clip.mp4").write_text("no video")
    with pytest.raises(RuntimeError, match="neither a video nor an image"):
        bpy.ops.bdfm.read_pictures()


def test_a_reading_that_fails_says_why_in_the_panel(take, part, monkeypatch, layout):
    """In a window the operator has ended by then: nothing else is left to say it."""
    pictures, said = part("ui.pictures"), []
    monkeypatch.setattr(pictures, "draw_text", lambda layout, text, icon: said.append(text))

    def read_and_draw():
        pictures.start(bpy.context, part("ui.takes").loaded_take(bpy.context.scene))
        while pictures._listen() is not None:
            time.sleep(0.02)
        part("ui.values").draw_values(layout, bpy.context)

    take.with_name("clip.mp4").write_text("no video")
    read_and_draw()
    assert len(said) == 1 and "neither a video nor an image" in said[0]
    write_clip(take.with_name("clip.mp4"), sample_frames(6))
    read_and_draw()
    assert len(said) == 1


def test_the_worker_ends_with_the_file(take, part):
    pictures, worker = part("ui.pictures"), part("jobs.worker")
    loaded = part("ui.takes").loaded_take(bpy.context.scene)
    command = part("jobs.requests").pictures_command(loaded.path, take.with_name("clip.mp4"), take.parent / "p")
    pictures._worker = running = worker.Worker(command, take.parent / "none.csv")
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert pictures._worker is None
    assert running._process.poll() is not None


def test_facts_that_are_odd_are_no_error(take, part):
    facts = json.loads(take.with_suffix(".json").read_text())
    for source in (None, [], {"name": 3}, {"name": "../../etc"}):
        take.with_suffix(".json").write_text(json.dumps(facts | {"source": source}))
        bpy.ops.bdfm.load_take(filepath=str(take))
        loaded = part("ui.takes").loaded_take(bpy.context.scene)
        with pytest.raises(part("ui.sources").SourceError, match="clip of this take is not found"):
            part("ui.timeline").source_of(bpy.context, loaded)


def test_the_clip_of_a_take_from_a_movie_clip(take, part):
    folder = take.parent / "elsewhere"
    folder.mkdir()
    moved = take.with_name("clip.mp4").rename(folder / "clip.mp4")
    choice = bpy.context.scene.bdfm.capture
    choice.kind, choice.clip = "CLIP", bpy.data.movieclips.load(str(moved)).name
    loaded = part("ui.takes").loaded_take(bpy.context.scene)
    assert part("ui.timeline").source_of(bpy.context, loaded) == moved
    moved.rename(folder / "other.mp4")
    with pytest.raises(part("ui.sources").SourceError, match="clip of this take is not found"):
        part("ui.timeline").source_of(bpy.context, loaded)


def test_the_images_of_a_take_from_a_strip(take, part):
    paths = write_images(take.parent / "shots", sample_frames(6))
    editor = bpy.context.scene.sequence_editor_create()
    strips = editor.strips if bpy.app.version >= (4, 4, 0) else editor.sequences
    strip = strips.new_image("Images", str(paths[0]), 1, 1)
    for path in paths[1:]:
        strip.elements.append(path.name)
    choice = bpy.context.scene.bdfm.capture
    choice.kind, choice.strip = "STRIP", "Images"
    with pytest.raises(RuntimeError, match="neither a video nor an image"):  # the take is called otherwise
        take.with_name("clip.mp4").write_text("no video")
        bpy.ops.bdfm.read_pictures()
    facts = json.loads(take.with_suffix(".json").read_text())
    take.with_suffix(".json").write_text(json.dumps(facts | {"source": {"name": "shots", "fps": 30}}))
    bpy.ops.bdfm.load_take(filepath=str(take))
    bpy.ops.bdfm.read_pictures()
    folder = part("ui.pictures").picture_folder(part("ui.takes").loaded_take(bpy.context.scene))
    assert len(list(folder.iterdir())) == 6
    with pytest.raises(RuntimeError, match="images, which have no sound"):
        bpy.ops.bdfm.add_sound()
