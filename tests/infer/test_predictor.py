# SPDX-License-Identifier: MIT
"""Single pictures: what is found, in which order, and what is refused."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from synthetic_face import picture

from bdfm_infer import Predictor
from bdfm_infer.alignment import N_LANDMARKS
from bdfm_infer.errors import WeightsError
from bdfm_infer.faces import Face
from bdfm_infer.network import Reading
from bdfm_infer.parameters import AU_NAMES, N_AU
from bdfm_infer.predictor import ALL_SIDES, LONGER_SIDES, Attempt, _different

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("roll", [-30, 0, 30])
@pytest.mark.parametrize("side", [36, 80, 200, 400])
@pytest.mark.parametrize("place", [(0.3, 0.4), (0.6, 0.55)])
def test_faces_of_all_sizes_and_tilts(
    predictor: Predictor, side: float, roll: float, place: tuple[float, float]
) -> None:
    x, y = 640 * place[0], 480 * place[1]
    face = predictor.predict(picture(640, 480, (x, y, side, 0.7, roll)))
    assert face is not None
    np.testing.assert_allclose(face.place[:2], [x, y], atol=1.5)
    assert face.size == pytest.approx(side, rel=0.06)
    assert face.rotation[2] == pytest.approx(roll, abs=2)
    assert face.action_units[-1] == pytest.approx(0.7, abs=0.05)


def test_faces_by_size(predictor: Predictor) -> None:
    image = picture(640, 480, (120, 100, 90, 0.5), (320, 350, 180, 0.7), (530, 120, 130, 0.9))
    assert [round(f.size / 10) for f in predictor.faces(image)] == [18, 13, 9]
    second = predictor.predict(image, face=1)
    assert second is not None
    np.testing.assert_allclose(second.place[:2], [530, 120], atol=2)
    assert predictor.predict(image, face=3) is None


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((240, 320, 3), np.uint8),
        np.full((240, 320), 255, np.uint8),
        RNG.integers(0, 255, (240, 320, 3), np.uint8),
        np.tile((np.arange(320) // 20 % 2 * 200).astype(np.uint8), (240, 1)),
        np.tile((np.abs(np.arange(320) - 120) < 20).astype(np.uint8) * 200, (240, 1)),
    ],
    ids=["black", "white", "noise", "stripes", "bar"],
)
def test_no_face(predictor: Predictor, image: np.ndarray) -> None:
    assert predictor.faces(image) == []


def test_of_two_finds_of_one_face_the_surer_stays() -> None:
    def face(x: float, confidence: float) -> Face:
        place = np.array([x, 50.0, 40.0])
        return Face(np.zeros((68, 2)), np.zeros(3), place, np.zeros(23), confidence)

    doubtful, sure, other = face(50, 0.6), face(55, 0.9), face(150, 0.7)
    assert _different([doubtful, sure, other]) == [sure, other]
    assert _different([sure, other, doubtful]) == [sure, other]


def test_a_find_is_as_sure_as_its_last_two_readings(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    image, confidences = picture(320, 240, (160, 120, 150, 0.7, 0)), list[float]()
    readings = predictor.attempts

    def noting(*arguments: Any) -> Iterator[Attempt]:
        confidences.clear()
        for attempt in readings(*arguments):
            confidences.append(attempt.reading.confidence)
            yield attempt

    monkeypatch.setattr(predictor, "attempts", noting)
    found = predictor.predict(image)
    assert found is not None and len(set(confidences)) == len(confidences) >= 2
    assert found.confidence == pytest.approx(np.mean(confidences[-2:]), abs=1e-9)
    followed = predictor.follow(image, found.landmarks)
    assert followed is not None and len(confidences) == 1
    assert followed.confidence == pytest.approx(confidences[0], abs=1e-9)


LEFT, RIGHT = AU_NAMES.index("eye_closed_left"), AU_NAMES.index("eye_closed_right")


def test_an_accurate_reading_is_the_mean_of_the_crop_and_its_mirror_image(
    predictor: Predictor, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, accurate, crops = picture(320, 240, (160, 120, 150, 0.7, 10)), Predictor(weights, accurate=True), list[Any]()
    read = accurate._network

    def noting(crop: np.ndarray) -> Reading:
        crops.append(crop)
        return read(crop)

    monkeypatch.setattr(accurate, "_network", noting)
    plain, both = predictor.predict(image), accurate.predict(image)
    assert plain is not None and both is not None and not predictor.accurate
    np.testing.assert_array_equal(crops[-1], crops[-2][:, ::-1])
    # The synthetic network reads a mirror image as it reads the picture: what has a side evens out.
    assert plain.rotation[0] == pytest.approx(24, abs=3) and both.rotation[0] == pytest.approx(0, abs=0.5)
    assert both.rotation[1:] == pytest.approx(plain.rotation[1:], abs=0.5)
    mean = (plain.action_units[LEFT] + plain.action_units[RIGHT]) / 2
    assert plain.action_units[RIGHT] - plain.action_units[LEFT] > 0.02
    assert both.action_units[[LEFT, RIGHT]] == pytest.approx(mean, abs=2e-3)
    assert both.action_units[: LEFT - 2] == pytest.approx(plain.action_units[: LEFT - 2], abs=2e-3)
    np.testing.assert_allclose(both.place, plain.place, atol=0.5)
    assert both.confidence == plain.confidence


def test_what_a_reading_says_of_the_mirror_image() -> None:
    rng = np.random.default_rng(3)
    landmarks = rng.random((N_LANDMARKS, 2), np.float32)
    reading = Reading(landmarks, np.float32([20, 5]), rng.random(N_AU, np.float32), 0.9)
    mirrored = reading.mirrored
    assert mirrored.landmarks[36] == pytest.approx([1 - landmarks[45, 0], landmarks[45, 1]])
    assert mirrored.angles.tolist() == [-20, 5] and mirrored.confidence == 0.9
    assert mirrored.action_units[LEFT] == reading.action_units[RIGHT]
    assert mirrored.action_units[0] == reading.action_units[0]
    again = mirrored.mirrored
    np.testing.assert_allclose(again.landmarks, landmarks, atol=1e-6)
    np.testing.assert_array_equal(again.action_units, reading.action_units)


def test_where_a_find_is_unsure_the_frame_is_looked_at_more_closely(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, sides = picture(640, 480, (320, 240, 180, 0.7, 0)), list[int]()
    detect = predictor._detector

    def noting(image: np.ndarray, longer_side: int) -> list[np.ndarray]:
        sides.append(longer_side)
        return detect(image, longer_side)

    monkeypatch.setattr(predictor, "_detector", noting)
    face = predictor.predict(image)
    assert face is not None
    assert sides == list(LONGER_SIDES[:1])
    sides.clear()
    monkeypatch.setattr("bdfm_infer.predictor._SURE", face.confidence + 1e-3)
    again = predictor.predict(image)
    assert sides == list(LONGER_SIDES)
    assert again is not None and again.size == pytest.approx(face.size, rel=0.05)
    sides.clear()
    assert predictor.faces(picture(640, 480)) == [] and sides == list(ALL_SIDES)
    sides.clear()
    assert predictor.find_near(picture(640, 480), face.place, 1.0) is None and sides == list(ALL_SIDES)


def test_a_face_that_is_found_from_far_away_alone(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    image, detect = picture(640, 480, (320, 240, 700, 0.7, 0)), predictor._detector
    monkeypatch.setattr(
        predictor, "_detector", lambda image, side: detect(image, side) if side == ALL_SIDES[-1] else []
    )
    face = predictor.predict(image)
    assert face is not None and face.size == pytest.approx(700, rel=0.06)
    near = predictor.find_near(image, face.place, 1.0)
    assert near is not None and near.size == pytest.approx(face.size, rel=0.01)


def test_grey_and_colour_and_file_agree(predictor: Predictor, tmp_path: Path) -> None:
    image = picture(320, 240, (150, 120, 100, 0.6, 5))
    Image.fromarray(image[:, :, ::-1]).save(tmp_path / "photo.png")
    read = [predictor.predict(i) for i in (image, np.ascontiguousarray(image[:, :, 0]), tmp_path / "photo.png")]
    for face in read:
        assert face is not None
        assert read[0] is not None
        np.testing.assert_allclose(face.landmarks, read[0].landmarks, atol=0.05)
        np.testing.assert_allclose(face.action_units, read[0].action_units, atol=0.01)


def test_odd_shapes(predictor: Predictor) -> None:
    for width, height in ((33, 32), (1001, 63), (63, 1001), (160, 161)):
        assert predictor.faces(np.zeros((height, width, 3), np.uint8)) == []


def test_damaged_weights(weights: Path, tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        return Path(shutil.copytree(weights, tmp_path / name))

    with pytest.raises(WeightsError, match="cannot be read"):
        Predictor(tmp_path / "missing")
    broken = copy("broken")
    (broken / "face.onnx").write_bytes((broken / "face.onnx").read_bytes()[:-5])
    with pytest.raises(WeightsError, match="damaged"):
        Predictor(broken)
    partial = copy("partial")
    (partial / "model.json").write_text("{}")
    with pytest.raises(WeightsError, match="does not describe"):
        Predictor(partial)
    swapped = copy("swapped")
    model = json.loads((swapped / "model.json").read_text())
    model["face"], model["detector"] = model["detector"], model["face"]
    (swapped / "model.json").write_text(json.dumps(model))
    with pytest.raises(WeightsError, match="lacks"):
        Predictor(swapped)
