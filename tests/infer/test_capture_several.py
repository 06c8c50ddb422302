# SPDX-License-Identifier: MIT
"""Several faces in one pass, one that is picked by its place, image sequences, and pictures of faces to pick from."""

import json
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from media import cut, write_video
from synthetic_face import picture
from test_capture import check, moving
from test_command_line import command, events, worker

from bdfm_infer import CaptureOptions, Predictor, Take, capture
from bdfm_infer.capture_run import Pick
from bdfm_infer.errors import CancelledError, EmptyFolderError, NoFaceError, OutputExistsError, TruncatedVideoError
from bdfm_infer.faces import Face as FoundFace
from bdfm_infer.find_faces import PICTURE, find_faces
from bdfm_infer.frames import Frame
from bdfm_infer.several import LEAST_FRAMES, face_path, record_all
from bdfm_infer.tracks import SEEK_EVERY, SEEK_LOST_S, FrameFinds, Tracks

N = 48
Face = tuple[float, ...]


def large(i: int) -> Face:
    return 90.0 + i / 2, 130.0, 100.0, 0.4, 10.0


def small(i: int) -> Face:
    return 250.0, 70.0 + i / 2, 60.0, 0.9, 0.0


def two(i: int) -> list[Face]:
    return [large(i), small(i)]


def clip(path: Path, faces: Any, frames: int = N) -> Path:
    """A clip whose frame i shows ``faces(i)``."""
    return write_video(path, (picture(320, 240, *faces(i)) for i in range(frames)))


def read_faces(output: Path) -> list[Take]:
    """Takes of all faces."""
    takes = []
    while (path := face_path(output, len(takes) + 1)).exists():
        takes.append(Take.read(path))
    return takes


def test_one_take_a_face_in_one_pass(predictor: Predictor, tmp_path: Path) -> None:
    source = clip(tmp_path / "clip.mp4", two)
    begun: list[Path] = []
    takes = record_all(source, tmp_path / "all.csv", predictor=predictor, on_take=begun.append)
    assert [take.path.name for take in takes] == [path.name for path in begun] == ["all-face1.csv", "all-face2.csv"]
    assert [(take.summary.frames, take.summary.without_face) for take in takes] == [(N, 0), (N, 0)]
    for number, face in enumerate((large, small)):
        take = Take.read(takes[number].path)
        check(take, {i: face(i) for i in range(N)})
        assert take.facts["complete"] and take.facts["settings"]["face"] == number
        # Rows are those of a capture of that face alone; the two find it at different sizes of the first frame.
        alone = capture(source, None, CaptureOptions(face=number), predictor=predictor)
        np.testing.assert_allclose(take.action_units[8:], alone.action_units[8:], atol=0.02)
        np.testing.assert_array_equal(take.timestamps, np.round(alone.timestamps, 6))
    assert not (tmp_path / "all.csv").exists()


def test_rows_of_all_faces_do_not_depend_on_threads(predictor: Predictor, tmp_path: Path) -> None:
    def faces(i: int) -> list[Face]:
        return [small(i)] if 20 <= i < 30 else two(i)

    source = clip(tmp_path / "clip.mp4", faces)
    tables = []
    for threads in (1, 2, 4):
        output = tmp_path / f"{threads}.csv"
        record_all(source, output, CaptureOptions(threads=threads), predictor=predictor)
        tables.append([face_path(output, number).read_bytes() for number in (1, 2)])
    assert tables[0] == tables[1] == tables[2]


def test_a_lost_face_comes_back_to_its_own_take(predictor: Predictor, tmp_path: Path) -> None:
    def faces(i: int) -> list[Face]:
        return [small(i)] if 20 <= i < 30 else two(i)

    record_all(clip(tmp_path / "clip.mp4", faces), tmp_path / "all", predictor=predictor)
    first, second = read_faces(tmp_path / "all")
    assert np.flatnonzero(~first.success).tolist() == list(range(20, 30))
    assert second.success.all()
    check(first, {i: large(i) for i in range(N) if not 20 <= i < 30})
    check(second, {i: small(i) for i in range(N)})


def test_a_face_that_comes_later_has_rows_from_the_first_frame_on(predictor: Predictor, tmp_path: Path) -> None:
    comes = 13
    record_all(clip(tmp_path / "clip.mp4", lambda i: two(i)[: 1 + (i >= comes)]), tmp_path / "all", predictor=predictor)
    first, second = read_faces(tmp_path / "all")
    assert len(first) == len(second) == N
    start = int(np.flatnonzero(second.success)[0])
    assert comes <= start < comes + SEEK_EVERY
    assert second.success.tolist() == [i >= start for i in range(N)]
    check(second, {i: small(i) for i in range(start, N)})
    np.testing.assert_array_equal(first.timestamps, second.timestamps)


def test_a_face_that_is_lost_for_long_is_found_again(predictor: Predictor, tmp_path: Path) -> None:
    back = int((SEEK_LOST_S + 0.5) * 30)

    def faces(i: int) -> list[Face]:
        return [small(0)] if 12 <= i < back else [large(0), small(0)]

    record_all(clip(tmp_path / "clip.mp4", faces, back + 30), tmp_path / "all", predictor=predictor)
    first, second = read_faces(tmp_path / "all")
    found = np.flatnonzero(first.success[12:])[0] + 12
    assert back <= found < back + SEEK_EVERY
    assert first.success.tolist() == [i < 12 or i >= found for i in range(back + 30)]
    assert second.success.all()


def test_what_flickers_by_gets_no_take(predictor: Predictor, tmp_path: Path) -> None:
    record_all(
        clip(tmp_path / "clip.mp4", lambda i: two(i)[: 1 + (15 <= i < 21)]), tmp_path / "all", predictor=predictor
    )
    assert len(read_faces(tmp_path / "all")) == 1
    short = clip(tmp_path / "short.mp4", two, LEAST_FRAMES // 2)
    assert len(record_all(short, tmp_path / "short", predictor=predictor)) == 2


def at(x: float, side: float = 80.0) -> FoundFace:
    """A face as it is read, at rest."""
    return FoundFace(np.zeros((68, 2)), np.zeros(3), np.array([x, 100.0, side]), np.zeros(23), 1.0)


def test_two_that_come_to_lie_on_one_face_do_not_share_it(predictor: Predictor) -> None:
    tracks = Tracks(predictor, [], 1)
    frames = [Frame(i, i / 30, picture()) for i in range(4)]
    left, right = at(100), at(180)
    assert tracks.learn(frames[0], FrameFinds([], [left, right])) == ((left, right), True)
    moved = at(125), at(118)
    assert tracks.learn(frames[1], FrameFinds(list(moved), [])) == ((moved[0], None), False), "it moved less"
    stays = at(125)
    assert tracks.learn(frames[2], FrameFinds([stays, None], [at(130)])) == ((stays, None), False), "taken already"
    back = at(178)
    assert tracks.learn(frames[3], FrameFinds([stays, None], [at(125), back])) == ((stays, back), True)


def test_cancel_and_a_broken_file_keep_what_is_done_of_each_face(predictor: Predictor, tmp_path: Path) -> None:
    cancel = threading.Event()

    def progress(state: Any) -> None:
        cancel.set()

    source = clip(tmp_path / "clip.avi", two, 150)
    with pytest.raises(CancelledError):
        record_all(source, tmp_path / "stopped", predictor=predictor, progress=progress, cancel=cancel)
    stopped = read_faces(tmp_path / "stopped")
    assert len(stopped) == 2 and 0 < len(stopped[0]) == len(stopped[1]) < 150
    cut(source, 0.2)
    with pytest.raises(TruncatedVideoError):
        record_all(source, tmp_path / "cut", predictor=predictor)
    assert [take.facts["complete"] for take in read_faces(tmp_path / "cut")] == [False, False]


def test_older_takes_of_faces_are_not_overwritten_unasked(predictor: Predictor, tmp_path: Path) -> None:
    source = clip(tmp_path / "clip.mp4", two, 12)
    (tmp_path / "all-face1.csv").write_text("mine")
    with pytest.raises(OutputExistsError):
        record_all(source, tmp_path / "all", predictor=predictor)
    assert (tmp_path / "all-face1.csv").read_text() == "mine"
    record_all(source, tmp_path / "all", CaptureOptions(overwrite=True), predictor=predictor)
    assert len(Take.read(tmp_path / "all-face1")) == 12


@pytest.mark.parametrize("face", [large, small])
def test_the_picked_face_is_captured_from_the_start(predictor: Predictor, tmp_path: Path, face: Any) -> None:
    x, y = face(30)[:2]
    options = CaptureOptions(pick=Pick(1.0, x + 5, y - 5))
    take = capture(clip(tmp_path / "clip.mp4", two), tmp_path / "take", options, predictor=predictor)
    check(take, {i: face(i) for i in range(N)})
    assert take.facts["settings"]["face"] == {"time": 1.0, "x": x + 5, "y": y - 5}


def test_a_pick_goes_by_the_place_at_its_time(predictor: Predictor, tmp_path: Path) -> None:
    def walking(i: int) -> Face:
        return 60.0 + 4.0 * i, 60.0, 60.0, 0.9, 0.0

    source = clip(tmp_path / "clip.mp4", lambda i: [(110.0, 170.0, 90.0, 0.4, 0.0), walking(i)])
    take = capture(source, None, CaptureOptions(pick=Pick(39 / 30, *walking(39)[:2])), predictor=predictor)
    check(take, {i: walking(i) for i in range(N)})


def test_a_pick_where_nobody_is_and_one_after_the_end(predictor: Predictor, tmp_path: Path) -> None:
    source = clip(tmp_path / "clip.mp4", two)
    with pytest.raises(NoFaceError, match="Pick it again"):
        capture(source, tmp_path / "none", CaptureOptions(pick=Pick(0.5, 20, 220)), predictor=predictor)
    with pytest.raises(NoFaceError, match="Pick it again"):
        capture(source, tmp_path / "none", CaptureOptions(pick=Pick(60, 20, 220)), predictor=predictor)
    assert not list(tmp_path.glob("none*"))
    x, y = small(N - 1)[:2]
    take = capture(source, None, CaptureOptions(pick=Pick(60, x, y)), predictor=predictor)
    check(take, {i: small(i) for i in range(N)})


@pytest.fixture
def shots(tmp_path: Path) -> list[Path]:
    """Frames of one clip as images, not in one pattern."""
    folder = tmp_path / "кадры с пробелом"
    folder.mkdir()
    paths = [folder / f"{'ab'[i % 2]} {i}.png" for i in range(N)]
    for i, path in enumerate(paths):
        path.write_bytes(cv2.imencode(".png", picture(320, 240, moving(i), (290, 30, 50, 0.8, 0)))[1].tobytes())
    return paths


def test_images_of_a_list_are_one_clip(predictor: Predictor, shots: list[Path]) -> None:
    options = CaptureOptions(sequence=True, image_fps=24, start=0.5)
    take = capture(shots, None, options, predictor=predictor)
    assert take.frames.tolist() == list(range(12, N))
    np.testing.assert_allclose(take.timestamps, np.arange(12, N) / 24)
    assert take.files == tuple(path.name for path in shots[12:])
    check(take, {i: moving(i) for i in range(12, N)})
    assert take.facts["settings"]["smoothing"]["method"] == "zero_phase"
    with pytest.raises(EmptyFolderError):
        capture([], None, predictor=predictor)


def test_a_list_on_the_command_line(weights: Path, shots: list[Path], tmp_path: Path) -> None:
    names = tmp_path / "list.txt"
    names.write_text("\n".join(map(str, shots)) + "\n", encoding="utf-8")
    done = command(
        *("capture", names, "--list", "--sequence", "--image-fps", 24, "--weights", weights),
        *("--face", "all", "-o", tmp_path / "t"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "".join(f"{tmp_path / f't-face{n}.csv'}: {N} frames, 0 without a face\n" for n in (1, 2))
    missing = command("capture", tmp_path / "no.txt", "--list", "--weights", weights)
    assert missing.returncode == 10 and "list cannot be read" in missing.stderr


def test_unrelated_images_give_the_nth_largest_face_of_each(predictor: Predictor, tmp_path: Path) -> None:
    shots = tmp_path / "shots"
    shots.mkdir()
    for i, faces in enumerate([two(0), two(0)[::-1], [small(3)]]):
        cv2.imwrite(str(shots / f"{i}.png"), picture(320, 240, *faces))
    record_all(shots, tmp_path / "all", predictor=predictor)
    first, second = read_faces(tmp_path / "all")
    check(first, {0: large(0), 1: large(0), 2: small(3)})
    assert second.success.tolist() == [True, True, False]
    assert first.facts["settings"]["smoothing"] is None


def test_programs_hear_of_each_take(weights: Path, tmp_path: Path) -> None:
    source = clip(tmp_path / "clip.mp4", two)
    with worker(source, "-o", tmp_path / "t.csv", "--weights", weights, "--face", "all") as process:
        assert process.stdout is not None
        said = events(process.stdout.read())
    takes = [str(tmp_path / f"t-face{number}.csv") for number in (1, 2)]
    assert [e["take"] for e in said if e["event"] == "take"] == takes
    assert said[-1] == {"event": "done", "takes": [{"take": t, "frames": N, "without_face": 0} for t in takes]}


def test_wrong_combinations_on_the_command_line() -> None:
    for more in (["--rows", "--progress", "json"], ["--avatar", "a.mp4"], ["--face-at", "0", "1", "2"]):
        assert command("capture", "x", "--face", "all", *more).returncode == 2


def test_pictures_of_the_faces_about_a_time(weights: Path, tmp_path: Path) -> None:
    source = clip(tmp_path / "clip.mp4", lambda i: two(i)[: 1 + (i >= 20)])
    found = find_faces(source, 0.3, tmp_path / "faces", weights=str(weights))
    assert json.loads((tmp_path / "faces" / "faces.json").read_text()) == found
    assert 20 <= found["frame"] < 39 and found["time"] == pytest.approx(found["frame"] / 30, abs=1e-5)
    for entry, face in zip(found["faces"], (large, small), strict=True):
        drawn = face(found["frame"])
        assert [entry["x"], entry["y"]] == pytest.approx(drawn[:2], abs=1.5)
        shown = cv2.imread(str(tmp_path / "faces" / entry["picture"]), cv2.IMREAD_GRAYSCALE)
        assert shown.shape == (PICTURE, PICTURE)
        ys, xs = np.nonzero(shown > 60)
        assert (xs.mean(), ys.mean()) == pytest.approx((PICTURE / 2, PICTURE / 2), abs=3)
    with pytest.raises(NoFaceError, match="Choose another time"):
        find_faces(clip(tmp_path / "none.mp4", lambda i: [], 8), 0, tmp_path / "none", weights=str(weights))


def test_pictures_on_the_command_line(weights: Path, tmp_path: Path) -> None:
    source = clip(tmp_path / "clip.mp4", two, 8)
    done = command("faces", source, "-o", tmp_path / "faces", "--json", "--weights", weights)
    (said,) = events(done.stdout)
    assert (said["event"], len(said["faces"])) == ("done", 2)
    done = command("faces", source, "-o", tmp_path / "more", "--weights", weights)
    assert done.stdout.splitlines()[0].startswith("face1.png: x 90, y 130, ")
    late = command("faces", source, "-o", tmp_path / "late", "--at", 9, "--json", "--weights", weights)
    assert late.returncode == NoFaceError.exit_code and events(late.stdout)[-1]["code"] == "no_face"
