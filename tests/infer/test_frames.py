# SPDX-License-Identifier: MIT
"""Decoding: order, presentation times, rotation, image kinds, and what is refused."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media import cut, move_index_to_front, set_frame_times, set_matrix, set_rotation, write_sound, write_video
from PIL import Image

from bdfm_infer.errors import (
    EmptyFolderError,
    FrameTooSmallError,
    InputNotFoundError,
    NotAVideoError,
    NoVideoStreamError,
    TruncatedVideoError,
)
from bdfm_infer.frames import VideoSource, _natural, open_source
from bdfm_infer.images import load_image

GREYS = np.linspace(20, 235, 16)
HALF_A_STEP = 7.1
"""Within this of its grey, a frame cannot be taken for its neighbour."""


def shaded(i: int) -> np.ndarray:
    """Frame i: grey by its number, a white patch in the corner at the top left."""
    image = np.full((96, 128, 3), GREYS[i], np.uint8)
    image[:24, :32] = 255
    return image


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", map(shaded, range(len(GREYS))))


def corner(image: np.ndarray) -> tuple[bool, bool]:
    """Whether the patch is at the bottom, and whether it is at the right."""
    y, x = np.unravel_index(cv2.blur(image[:, :, 0], (15, 15)).argmax(), image.shape[:2])
    return y > image.shape[0] / 2, x > image.shape[1] / 2


def test_frames_come_in_order(clip: Path) -> None:
    frames = list(open_source(clip))
    assert [f.index for f in frames] == list(range(len(GREYS)))
    np.testing.assert_allclose([f.image[60:, 60:].mean() for f in frames], GREYS, atol=HALF_A_STEP)


@settings(max_examples=5)
@given(st.lists(st.integers(1, 90), min_size=len(GREYS) - 1, max_size=len(GREYS) - 1))
def test_times_are_the_streams_own(tmp_path_factory: pytest.TempPathFactory, steps: list[int]) -> None:
    path = write_video(tmp_path_factory.mktemp("v") / "clip.mp4", map(shaded, range(len(GREYS))))
    times = np.r_[0, np.cumsum(steps)] / 120
    set_frame_times(path, times)
    source = open_source(path)
    frames = list(source)
    np.testing.assert_allclose([f.time for f in frames], times, atol=1e-6)
    np.testing.assert_allclose([f.image[60:, 60:].mean() for f in frames], GREYS, atol=HALF_A_STEP)
    assert source.facts["variable"] == (max(steps) - min(steps) > 0.1 * np.mean(steps))


@pytest.mark.parametrize(
    ("degrees", "place"), [(90, (False, True)), (180, (True, True)), (270, (True, False))], ids=str
)
def test_rotation_flag_turns_frames_clockwise(clip: Path, degrees: int, place: tuple[bool, bool]) -> None:
    set_rotation(clip, degrees)
    source = open_source(clip)
    frame = next(iter(source))
    assert frame.image is not None
    assert corner(frame.image) == place
    assert list(frame.image.shape[1::-1]) == source.facts["size"] == ([128, 96] if degrees == 180 else [96, 128])
    assert source.facts["rotation"] == degrees


@pytest.mark.parametrize(
    ("matrix", "place"),
    [
        ((-1, 0, 0, 1), (False, True)),
        ((1, 0, 0, -1), (True, False)),
        ((0, 1, 1, 0), (False, False)),
        ((0, -1, -1, 0), (True, True)),
    ],
    ids=str,
)
def test_mirrored_frames_are_shown_as_in_a_player(
    clip: Path, matrix: tuple[int, ...], place: tuple[bool, bool]
) -> None:
    set_matrix(clip, *matrix)
    source = open_source(clip)
    image = next(iter(source)).image
    assert image is not None
    assert corner(image) == place
    assert list(image.shape[1::-1]) == source.facts["size"]


@pytest.mark.parametrize("suffix", [".jfif", ".avif"])
def test_more_kinds_of_images_in_a_folder(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(shaded(3)).save(tmp_path / f"1{suffix}")
    (frame,) = open_source(tmp_path)
    assert frame.image is not None and frame.image.shape == (96, 128, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_images(tmp_path: Path, orientation: int) -> None:
    upright = Image.fromarray(shaded(3))
    # What a camera stores is the picture turned back by the tag that it writes.
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(back[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo.jpg", exif=exif, quality=95)
    image = load_image(tmp_path / "photo.jpg")
    assert image.shape == (96, 128, 3)
    assert corner(image) == (False, False)


def test_kinds_of_images_give_the_same_picture(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 64), (48, 1)).astype(np.uint8)
    grey = Image.fromarray(ramp)
    clear = grey.convert("LA")
    clear.putalpha(255)
    kinds = {
        "grey.png": grey,
        "colour.png": grey.convert("RGB"),
        "palette.png": grey.convert("P"),
        "alpha.png": grey.convert("RGBA"),
        "grey_alpha.png": clear,
        "deep.png": Image.fromarray(ramp.astype(np.uint16) * 257),
        "float.tiff": Image.fromarray(ramp.astype(np.float32) / 255),
        "print.tiff": grey.convert("RGB").convert("CMYK"),
    }
    for name, image in kinds.items():
        image.save(tmp_path / name)
        read = load_image(tmp_path / name)
        assert read.dtype == np.uint8
        flat = read if read.ndim == 2 else read.mean(2)
        np.testing.assert_allclose(flat, ramp, atol=1.01, err_msg=name)


def test_transparent_pixels_are_grey(tmp_path: Path) -> None:
    image = np.zeros((40, 40, 4), np.uint8)
    image[:, 20:] = (255, 0, 0, 255)
    Image.fromarray(image).save(tmp_path / "cut_out.png")
    read = load_image(tmp_path / "cut_out.png")
    assert (read[:, :20] == 128).all()
    assert (read[:, 20:] == (0, 0, 255)).all()


def test_folder_is_sorted_as_people_count(tmp_path: Path) -> None:
    for name in ("s10.png", "s9.png", "S1.PNG", "s2.jpg", "readme.txt"):
        Image.fromarray(shaded(0)).save(tmp_path / name, format="PNG")
    (tmp_path / "folder.png").mkdir()
    assert [f.file for f in open_source(tmp_path)] == ["S1.PNG", "s2.jpg", "s9.png", "s10.png"]


@given(st.lists(st.text(st.sampled_from("a0159²٣_ -"), min_size=1, max_size=8), max_size=8, unique=True))
def test_natural_order_is_total(names: list[str]) -> None:
    keys = [_natural(Path(name)) for name in names]
    assert len({str(key) for key in keys}) == len(names)
    assert sorted(keys) == sorted(sorted(keys, reverse=True))


def test_image_named_as_a_video_and_back(clip: Path, tmp_path: Path) -> None:
    Image.fromarray(shaded(0)).save(tmp_path / "photo.mp4", format="JPEG")
    assert not open_source(tmp_path / "photo.mp4").is_video
    clip.rename(tmp_path / "clip.jpg")
    assert len(list(open_source(tmp_path / "clip.jpg"))) == len(GREYS)


def test_file_whose_name_is_a_pattern(tmp_path: Path) -> None:
    Image.fromarray(shaded(0)).save(tmp_path / "take[1].png")
    assert [f.file for f in open_source(tmp_path / "take[1].png")] == ["take[1].png"]


def test_only_image_that_is_damaged_is_an_error(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.jpg")
    cut(tmp_path / "photo.jpg", 0.5)
    with pytest.raises(NotAVideoError, match="cannot be decoded"):
        list(open_source(tmp_path / "photo.jpg"))


def test_too_small(tmp_path: Path) -> None:
    Image.fromarray(shaded(0)[:31]).save(tmp_path / "photo.png")
    with pytest.raises(FrameTooSmallError, match="128 x 31"):
        list(open_source(tmp_path / "photo.png"))
    small = write_video(tmp_path / "small.mp4", [shaded(0)[:24, :24]] * 3)
    with pytest.raises(FrameTooSmallError, match="24 x 24"):
        open_source(small)


def test_missing_and_empty(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="no such file"):
        open_source(tmp_path / "missing.mp4")
    with pytest.raises(InputNotFoundError, match="pattern"):
        open_source(str(tmp_path / "*.jpg"))
    with pytest.raises(EmptyFolderError, match="holds no image"):
        open_source(tmp_path)


def test_pattern_of_several_videos(clip: Path) -> None:
    clip.with_name("clip2.mp4").write_bytes(clip.read_bytes())
    with pytest.raises(NotAVideoError, match="one at a time"):
        open_source(str(clip.with_name("clip*.mp4")))


@pytest.mark.parametrize("content", [b"", b"\0", b"just text\n" * 50, os.urandom(4096), b"\0\0\0\x18mystery!" * 9])
def test_not_a_video(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(NotAVideoError, match="neither a video nor an image"):
        open_source(tmp_path / "clip.mp4")


def test_sound_alone(tmp_path: Path) -> None:
    with pytest.raises(NoVideoStreamError, match="no video"):
        open_source(write_sound(tmp_path / "sound.wav"))


def test_cut_before_the_index(clip: Path) -> None:
    cut(clip, 0.5)
    with pytest.raises(TruncatedVideoError, match="before its index"):
        open_source(clip)


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_cut_in_the_middle_gives_the_frames_before_it(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"clip{suffix}", map(shaded, range(len(GREYS))))
    if suffix == ".mp4":
        move_index_to_front(path)
        assert len(list(open_source(path))) == len(GREYS)
    cut(path, 0.75)
    frames = []
    with pytest.raises(TruncatedVideoError, match="breaks off after"):
        for frame in open_source(path):
            frames.append(frame)
    assert len(frames) >= 1
    seen = [f.image[60:, 60:].mean() for f in frames[:-1]]
    np.testing.assert_allclose(seen, GREYS[: len(seen)], atol=HALF_A_STEP)


def test_stamps_that_stand_still_are_made_to_ascend(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = VideoSource(clip)

    class NoStamps:
        """A decoder whose stream has no time stamps."""

        def __init__(self, inner: cv2.VideoCapture) -> None:
            self._inner = inner

        def get(self, which: int) -> float:
            return 0.0 if which == cv2.CAP_PROP_POS_MSEC else self._inner.get(which)

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

    monkeypatch.setattr(source, "_capture", NoStamps(source._capture))
    np.testing.assert_allclose([f.time for f in source], np.arange(len(GREYS)) / 30, atol=1e-9)
