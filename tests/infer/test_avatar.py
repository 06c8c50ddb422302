# SPDX-License-Identifier: MIT
"""The avatar: what is drawn for which values, its video in step with the take, and what can go wrong."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import write_video
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from synthetic_face import picture, write_weights

from bdfm_infer import Take, errors
from bdfm_infer.alignment import CROP_SIZE
from bdfm_infer.avatar import SIZE, VIDEO_SIZE, Avatar, schedule, write_avatar
from bdfm_infer.cli import main
from bdfm_infer.network import OWN_WEIGHTS, FaceNetwork, Weights, avatar_network
from bdfm_infer.parameters import AU_NAMES, AU_SLICE, N_AU, N_PARAMETERS
from bdfm_infer.rows import Row
from bdfm_infer.take import TakeWriter

ROOT = Path(__file__).parents[2]
JAW = AU_NAMES.index("AU26")
MARK = (20, 64)
"""Row and column of the synthetic avatar's blue mark."""


def write_synthetic_avatar(folder: Path) -> None:
    """Add an avatar to a weights folder: red tells yaw, green AU26, a blue mark lies above the middle."""
    weight = np.zeros((N_PARAMETERS, 3), np.float32)
    weight[0, 0] = weight[AU_SLICE.start + JAW, 1] = 255
    mark = np.zeros((1, SIZE, SIZE, 3), np.float32)
    mark[0, MARK[0] - 2 : MARK[0] + 3, MARK[1] - 2 : MARK[1] + 3, 2] = 255
    constants = {"weight": weight, "shape": np.array([-1, 1, 1, 3]), "mark": mark}
    nodes = [
        helper.make_node("MatMul", ["parameters", "weight"], ["colour"]),
        helper.make_node("Reshape", ["colour", "shape"], ["pixel"]),
        helper.make_node("Add", ["pixel", "mark"], ["picture"]),
        helper.make_node("Cast", ["picture"], ["image"], to=TensorProto.UINT8),
    ]
    graph = helper.make_graph(
        nodes,
        "avatar",
        [helper.make_tensor_value_info("parameters", TensorProto.FLOAT, ["n", N_PARAMETERS])],
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", SIZE, SIZE, 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content = model.SerializeToString()
    (folder / "avatar.onnx").write_bytes(content)
    path = folder / "model.json"
    entry = {"file": "avatar.onnx", "sha256": hashlib.sha256(content).hexdigest()}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"avatar": entry}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic networks with an avatar."""
    path = write_weights(tmp_path_factory.mktemp("avatar"))
    write_synthetic_avatar(path)
    return path


@pytest.fixture(scope="module")
def avatar(folder: Path) -> Avatar:
    return Avatar(folder)


def take_of(times: list[float], jaw: list[float | None]) -> Take:
    """A take whose AU26 has these values; None is a row without a face."""
    rows = []
    for i, (at, value) in enumerate(zip(times, jaw, strict=True)):
        units = np.zeros(N_AU)
        units[JAW] = value or 0.0
        found = (np.zeros(3), np.zeros(3), units)
        rows.append(Row(i, at, 1.0) if value is None else Row(i, at, 1.0, *found))
    return Take.from_rows(rows)


def colours(path: Path) -> tuple[float, NDArray[np.float64]]:
    """Frames a second of a video, and the mean colour of a corner of each frame, (n, 3) RGB."""
    video = cv2.VideoCapture(str(path))
    seen = []
    while (read := video.read())[0]:
        assert read[1].shape == (VIDEO_SIZE, VIDEO_SIZE, 3)
        seen.append(read[1][-32:, :32, ::-1].mean((0, 1)))
    return video.get(cv2.CAP_PROP_FPS), np.array(seen)


def test_values_reach_the_network_as_parameters(avatar: Avatar) -> None:
    units = np.zeros(N_AU)
    rest = avatar.draw([0, 0, 0], units)
    assert (rest.shape, rest.dtype) == ((SIZE, SIZE, 3), np.uint8)
    assert rest[0, 0].tolist() == [127, 5, 0]  # frontal 0.5, action units at rest 0.02
    units[JAW] = 1.0
    assert avatar.draw([60, 0, 0], units)[0, 0].tolist() == [255, 255, 0]
    assert avatar.draw([-30, 0, 0], units)[0, 0].tolist() == [63, 255, 0]


def test_roll_turns_the_picture_clockwise(avatar: Avatar) -> None:
    blue = avatar.draw([0, 0, 90], np.zeros(N_AU))[..., 2].astype(float)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    middle = (SIZE - 1) / 2
    # a quarter turn takes what is above the middle to its right
    assert (blue * columns).sum() / blue.sum() == pytest.approx(middle + (middle - MARK[0]), abs=0.1)
    assert (blue * rows).sum() / blue.sum() == pytest.approx(middle + (MARK[1] - middle), abs=0.1)


@pytest.mark.parametrize(
    ("times", "rate", "rows"),
    [
        ([0.0, 0.04, 0.08, 0.12], 25.0, [0, 1, 2, 3]),
        ([5.0, 5.1, 5.2, 5.5, 5.6, 5.7], 10.0, [0, 1, 2, 2, 2, 3, 4, 5]),  # two frames were dropped
        ([0.0, 0.0334, 0.0667, 0.1001], 29.99, [0, 1, 2, 3]),  # rounded to tenths of milliseconds
        ([0.0], 1.0, [0]),
        ([0.0, 0.0, 0.0], 240.0, [2]),
    ],
)
def test_schedule(times: list[float], rate: float, rows: list[int]) -> None:
    found = schedule(take_of(times, [0.5] * len(times)))
    assert found[0] == pytest.approx(rate, abs=0.02)
    assert found[1].tolist() == rows


def test_video_is_in_step_and_holds_what_is_lost(avatar: Avatar, tmp_path: Path) -> None:
    times = [i / 10 for i in range(10)]
    jaw = [None, 0.4, 0.4, None, None, 0.8, 0.8, 0.2, 0.2, 0.2]
    path = tmp_path / "out" / "avatar.mp4"
    assert write_avatar(take_of(times, jaw), path, avatar) == 10
    rate, seen = colours(path)
    assert rate == pytest.approx(10.0)
    expected = 255 * (0.02 + 0.98 * np.array([0, 0.4, 0.4, 0.4, 0.4, 0.8, 0.8, 0.2, 0.2, 0.2]))
    assert np.abs(seen[:, 1] - expected).max() < 10  # 8-bit YUV and quantisation
    assert [p.name for p in path.parent.iterdir()] == ["avatar.mp4"]


def test_capture_with_an_avatar(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    brightness = np.linspace(0.3, 0.9, 20)
    clip = write_video(tmp_path / "clip.mp4", (picture(160, 120, (80, 60, 60, v, 0)) for v in brightness))
    video = tmp_path / "avatar.mp4"
    arguments = ["capture", str(clip), "-o", str(tmp_path / "t.csv"), "--weights", str(folder), "--progress", "none"]
    assert main([*arguments, "--avatar", str(video)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{video}: 20 frames"
    take = Take.read(tmp_path / "t.csv").processed()
    rate, seen = colours(video)
    assert rate == pytest.approx(30.0)
    assert np.abs(seen[:, 1] - 255 * (0.02 + 0.98 * take.channel("AU26"))).max() < 10
    assert np.ptp(seen[:, 1]) > 60

    assert main([*arguments, "--overwrite", "--avatar", str(video), "--progress", "json"]) == 2
    again = tmp_path / "again.mp4"
    draw = ["avatar", str(tmp_path / "t.csv"), "--weights", str(folder), "-o"]
    assert main([*draw, str(again)]) == 0
    assert np.abs(colours(again)[1] - seen).max() < 1
    assert main([*draw, str(again)]) == errors.OutputExistsError.exit_code
    assert main([*draw, str(again), "--overwrite", "--raw"]) == 0


def test_bad_avatars_are_named_before_the_work(folder: Path, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", [picture(160, 120, (80, 60, 60, 0.6, 0))] * 3)
    plain = write_weights(tmp_path / "plain")
    arguments = ["capture", str(clip), "-o", str(tmp_path / "t.csv"), "--progress", "none", "--avatar"]
    video = tmp_path / "a.mp4"
    assert main([*arguments, str(video), "--weights", str(plain)]) == errors.WeightsError.exit_code
    with pytest.raises(errors.WeightsError, match="have no avatar"):
        avatar_network(plain)
    video.write_text("mine")
    assert main([*arguments, str(video), "--weights", str(folder)]) == errors.OutputExistsError.exit_code
    assert not (tmp_path / "t.csv").exists()
    assert video.read_text() == "mine"


def test_captures_do_not_touch_the_avatar(tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "weights")
    write_synthetic_avatar(weights)
    (weights / "avatar.onnx").write_bytes(b"damaged")
    assert Weights.load(weights).id == "synthetic"
    with pytest.raises(errors.WeightsError, match="damaged"):
        Avatar(weights)
    code = "import bdfm_infer.cli, bdfm_infer.pipeline, sys; print('bdfm_infer.avatar' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_nothing_to_draw(avatar: Avatar, tmp_path: Path) -> None:
    with TakeWriter(tmp_path / "empty", {}):
        pass
    with pytest.raises(errors.NoFramesError, match="Capture the source again"):
        write_avatar(Take.read(tmp_path / "empty"), tmp_path / "a.mp4", avatar)
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.WriteError, match="cannot be written"):
        write_avatar(take_of([0.0], [1.0]), tmp_path / "file" / "a.mp4", avatar)


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX's")
def test_full_disk(folder: Path, tmp_path: Path) -> None:
    import resource

    rng = np.random.default_rng(0)
    with TakeWriter(tmp_path / "t", {}) as writer:
        for i in range(300):
            units = rng.random(N_AU)
            writer.append(Row(i, i / 30, 1.0, rng.uniform(-60, 60, 3), np.zeros(3), units))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    video = tmp_path / "a.mp4"
    done = subprocess.run(
        [sys.executable, "-m", "bdfm_infer", "avatar", str(tmp_path / "t.csv"), "-o", str(video), "--weights", folder],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        preexec_fn=limit,
        timeout=60,
        check=False,
    )
    assert done.returncode == errors.WriteError.exit_code
    assert "Free some space" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.csv", "t.json"]


# The avatar that ships


@pytest.fixture(scope="module")
def own() -> Avatar:
    return Avatar()


def test_shipped_avatar_is_small() -> None:
    assert (OWN_WEIGHTS / "avatar.onnx").stat().st_size <= 8e6


def test_shipped_avatar_does_what_it_is_told(own: Avatar) -> None:
    """Its own pictures, read by the package's face reader, follow the values that they were drawn with."""
    network = FaceNetwork(Weights.load().face)

    def read(rotation: list[float], **units: float) -> tuple[NDArray[np.float32], dict[str, float]]:
        values = np.array([units.get(name, 0.0) for name in AU_NAMES])
        grey = cv2.cvtColor(own.draw(rotation, values), cv2.COLOR_RGB2GRAY)
        reading = network(cv2.resize(grey, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_LINEAR))
        assert reading.confidence > 0.8
        return reading.angles, dict(zip(AU_NAMES, map(float, reading.action_units), strict=True))

    angles, rest = read([0, 0, 0])
    assert np.abs(angles).max() < 8
    assert rest["AU26"] < 0.15
    for yaw in (-30.0, 30.0):
        assert read([yaw, 0, 0])[0][0] == pytest.approx(yaw, abs=10)
    assert read([0, 15, 0])[0][1] - read([0, -15, 0])[0][1] > 15
    assert read([0, 0, 0], AU26=1.0)[1]["AU26"] > rest["AU26"] + 0.4
    assert read([0, 0, 0], AU12=1.0)[1]["AU12"] > rest["AU12"] + 0.3
    assert read([0, 0, 0], AU01=1.0, AU02=1.0)[1]["AU02"] > rest["AU02"] + 0.3
    closed = read([0, 0, 0], eye_closed_left=1.0, eye_closed_right=1.0)[1]
    assert min(closed[side] - rest[side] for side in ("eye_closed_left", "eye_closed_right")) > 0.3
    for one, other in (("left", "right"), ("right", "left")):
        wink = read([0, 0, 0], **{f"eye_closed_{one}": 1.0})[1]
        assert wink[f"eye_closed_{one}"] > 0.6 and wink[f"eye_closed_{other}"] < 0.2
