# SPDX-License-Identifier: MIT
"""Pictures of a take: each row's own frame, cut out around the face, beside an avatar that does the same."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import write_video

from bdfm_infer.avatar import Avatar
from bdfm_infer.cli import main
from bdfm_infer.errors import BdfmError, CancelledError, WriteError
from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_infer.pictures import write_pictures
from bdfm_infer.rows import Row
from bdfm_infer.take import Take, TakeWriter

FRAMES = 12


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return Avatar()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames that become lighter, with a white square where the face is."""
    images = []
    for number in range(FRAMES):
        image = np.full((240, 320, 3), 10 * number, np.uint8)
        image[90:130, 180:220] = 255
        images.append(image)
    return write_video(tmp_path_factory.mktemp("clip") / "a.mp4", images)


def take_of(frames: range, lost: int = -1) -> Take:
    rows = []
    for number in frames:
        units = np.zeros(N_AU)
        units[AU_NAMES.index("AU26")] = number / FRAMES
        face = (np.zeros(3), np.array([200.0, 110.0, 80.0]), units)
        rows.append(Row(number, number / 30, 0.9, *face) if number != lost else Row(number, number / 30, 0.0))
    return Take.from_rows(rows)


def picture(folder: Path, row: int) -> np.ndarray:
    return np.asarray(cv2.imread(str(folder / f"{row:06d}.png"))[..., ::-1], np.int16)


def test_each_row_shows_its_frame_and_its_face(clip: Path, tmp_path: Path, avatar: Avatar) -> None:
    take = take_of(range(2, FRAMES), lost=5)
    seen: list[int] = []
    assert write_pictures(take, clip, tmp_path / "p", avatar, progress=seen.append) == {"frames": FRAMES - 2}
    assert seen == [1]
    for row in range(FRAMES - 2):
        image = picture(tmp_path / "p", row)
        assert image.shape == (128, 256, 3)
        assert image[4:20, 4:20].mean() == pytest.approx(10 * (row + 2), abs=6)
        assert image[60:68, 60:68].mean() > 235  # the square, in the middle of the cut-out
        right = image[:, 128:]
        if row == 3:
            assert np.ptp(right) == 0
        else:
            drawn = avatar.draw(take.rotation[row], take.action_units[row]).astype(np.int16)
            assert drawn.shape == right.shape and set(np.unique(drawn - right)) <= {0, 1, 2, 3}


def test_pictures_that_are_there_are_kept_and_cancelling_ends_it(clip: Path, tmp_path: Path, avatar: Avatar) -> None:
    write_pictures(take_of(range(3)), clip, tmp_path, avatar)
    (tmp_path / "000001.png").write_bytes(b"mine")
    write_pictures(take_of(range(3)), clip, tmp_path, avatar)
    assert (tmp_path / "000001.png").read_bytes() == b"mine"
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(CancelledError, match="are kept"):
        write_pictures(take_of(range(FRAMES)), clip, tmp_path, avatar, cancel)
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_what_cannot_be_read_or_written_is_an_error(clip: Path, tmp_path: Path, avatar: Avatar) -> None:
    with pytest.raises(BdfmError, match="no such file"):
        write_pictures(take_of(range(3)), tmp_path / "gone.mp4", tmp_path, avatar)
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="Free some space"):
        write_pictures(take_of(range(3)), clip, tmp_path / "file", avatar)


def test_a_take_without_places_shows_whole_frames(clip: Path, tmp_path: Path, avatar: Avatar) -> None:
    rows = [Row(i, i / 30, 0.9, np.zeros(3), action_units=np.zeros(N_AU)) for i in range(3)]
    write_pictures(Take.from_rows(rows), clip, tmp_path, avatar)
    assert picture(tmp_path, 2)[57:63, 77:83].mean() > 200


def test_the_command(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with TakeWriter(tmp_path / "t", {}) as writer:
        writer.append(Row(0, 0.0, 0.9, np.zeros(3), np.array([200.0, 110.0, 80.0]), np.zeros(N_AU)))
    assert main(["pictures", str(tmp_path / "t.csv"), "--source", str(clip), "-o", str(tmp_path / "p")]) == 0
    assert "1 pictures" in capsys.readouterr().out
