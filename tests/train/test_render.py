# SPDX-License-Identifier: MIT
"""The renderer: signs, labels, landmarks, folds, gaze, glasses, shards."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from bdfm_infer.parameters import (
    AU_NAMES,
    AU_SLICE,
    N_PARAMETERS,
    base_face,
    parameter_from_degrees,
    parameter_from_intensity,
)
from bdfm_train.errors import HeadFileError
from bdfm_train.face_model.camera import photograph
from bdfm_train.face_model.glasses import random_glasses
from bdfm_train.face_model.head import JAW, Head
from bdfm_train.face_model.labels import LABEL, LABELS
from bdfm_train.face_model.looks import BROWS, BrowRange, View, default_look, random_look
from bdfm_train.face_model.render import Renderer
from bdfm_train.face_model.renders import SIZE, random_renders, write_shard

SIDE = 192


@pytest.fixture(scope="module", params=["a", "b"])
def renderer(heads_folder: Path, request: pytest.FixtureRequest) -> Renderer:
    return Renderer(Head.load(heads_folder, request.param), (SIDE, SIDE))


def face(**intensities: float) -> np.ndarray:
    y = base_face()
    for name, value in intensities.items():
        y[AU_SLICE.start + AU_NAMES.index(name)] = parameter_from_intensity(value)
    return y


def centre_of(labels: np.ndarray, name: str) -> np.ndarray:
    """Column and row of the middle of one class."""
    rows, columns = np.nonzero(labels == LABEL[name])
    return np.array([columns.mean(), rows.mean()])


def landmarks(renderer: Renderer, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    return renderer(base_face(), view=View(rotation=(yaw, pitch, roll))).landmarks


def test_yaw_to_the_persons_left_shows_the_nose_at_the_pictures_right(renderer: Renderer) -> None:
    def nose(yaw: float) -> float:
        points = landmarks(renderer, yaw=yaw)
        return float(points[30, 0] - points[[36, 45], 0].mean())

    assert nose(-25) < nose(0) - 3 < nose(25) - 6


def test_positive_pitch_turns_the_face_up(renderer: Renderer) -> None:
    def nose(pitch: float) -> float:
        points = landmarks(renderer, pitch=pitch)
        return float(points[30, 1] - points[[0, 16], 1].mean())

    assert nose(20) < nose(0) - 3 < nose(-20) - 6


@pytest.mark.parametrize("roll", [-20.0, 15.0])
def test_positive_roll_is_clockwise_as_the_camera_sees_it(renderer: Renderer, roll: float) -> None:
    points = landmarks(renderer, roll=roll)
    across, down = points[45] - points[36]
    assert np.rad2deg(np.arctan2(down, across)) == pytest.approx(roll, abs=2)  # perspective and uneven corners


def test_parameters_and_view_say_the_same_rotation(renderer: Renderer) -> None:
    y = base_face()
    y[:2] = parameter_from_degrees([20.0, -10.0])
    np.testing.assert_allclose(renderer(y).landmarks, landmarks(renderer, 20.0, -10.0), atol=1e-3)


def test_every_class_is_drawn_and_left_is_the_persons_own(renderer: Renderer) -> None:
    look = replace(default_look(renderer.head, renderer.shape), hair="short01")
    labels = renderer(face(AU26=0.8), look, View(zoom=0.7)).labels
    assert {LABELS[i] for i in np.unique(labels)} == set(LABELS)
    for part in ("eye", "brow"):
        assert centre_of(labels, f"l_{part}")[0] > centre_of(labels, f"r_{part}")[0] + 10


def test_brows_are_labelled_as_far_as_their_hair_covers_the_skin(renderer: Renderer) -> None:
    look = default_look(renderer.head, renderer.shape)

    def drawn(opacity: float, widening: int = 0) -> tuple[np.ndarray, np.ndarray]:
        tone = look.tone._replace(brow=opacity)
        render = renderer(base_face(), replace(look, tone=tone, brow_widening=widening))
        return render.image.mean(axis=2), np.isin(render.labels, [LABEL["l_brow"], LABEL["r_brow"]])

    bare, none = drawn(0.0)
    faint, little = drawn(BROWS.opacity[0])
    dense, most = drawn(BROWS.opacity[1])
    _, wide = drawn(1.2, BROWS.widening[1])
    _, narrow = drawn(1.2)
    assert not none.any() and little.any() and most.sum() > 1.3 * little.sum()
    assert (little <= most).all() and (narrow <= wide).mean() > 0.999 and wide.sum() > 2 * narrow.sum()
    # The darkest colour of hair leaves a quarter of the light of the fairest skin.
    assert (dense[most] / bare[most]).mean() < 0.5 < (faint[most] / bare[most]).mean()
    assert np.abs(dense - bare)[~cv2.dilate(most.astype(np.uint8), np.ones((5, 5))).astype(bool)].max() < 40


def test_looks_have_brows_as_dense_as_is_asked_for(renderer: Renderer) -> None:
    def drawn(**brows: BrowRange) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        looks = [random_look(renderer.head, (2, 2), rng, **brows) for _ in range(60)]
        return np.array([look.tone.brow for look in looks]), np.array([look.brow_widening for look in looks])

    (least, most), (narrowest, widest) = BROWS
    opacity, widening = drawn()
    assert least <= opacity.min() < 1.2 and 3.0 < opacity.max() <= most
    assert set(widening) == set(range(narrowest, widest + 1))
    for found, asked in zip(drawn(brows=BrowRange((1.0, 1.0), (2, 2))), (1.0, 2), strict=True):
        np.testing.assert_array_equal(found, asked)


def test_landmarks_lie_in_their_regions(renderer: Renderer) -> None:
    render = renderer(face(AU25=0.5))
    reach = round(0.02 * SIDE)  # a triangle's side

    def assert_near(points: range | list[int], *names: str) -> None:
        region = np.isin(render.labels, [LABEL[name] for name in names]).astype(np.uint8)
        region = cv2.dilate(region, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
        columns, rows = np.rint(render.landmarks[list(points)]).astype(int).T
        assert region[rows, columns].all(), names

    assert_near(range(36, 42), "r_eye")
    assert_near(range(42, 48), "l_eye")
    assert_near([28, 29, 30, 33], "nose")
    assert_near(range(48, 60), "u_lip", "l_lip")
    assert_near(range(60, 68), "u_lip", "l_lip", "inner_mouth")
    assert_near(range(18, 21), "r_brow")
    assert_near(range(23, 26), "l_brow")


@pytest.mark.parametrize(
    ("unit", "top", "bottom"),
    [("AU01", 0.0, 19), ("AU04", 0.0, 28), ("AU06", 19, 33), ("AU14", 33, 8), ("AU17", 51, 1.0)],
)
def test_folds_change_the_skin_only_where_the_unit_folds_it(
    renderer: Renderer, unit: str, top: float, bottom: float
) -> None:
    """The rows between two landmarks (or the picture's edge) hold all that changes."""
    smooth = replace(default_look(renderer.head, renderer.shape), fold_depth=0.0)
    folded = replace(smooth, fold_depth=1.0)
    y = face(**{unit: 1.0})
    before, after = renderer(y, smooth), renderer(y, folded)
    changed = np.abs(before.image.astype(int) - after.image).max(axis=2) > 2
    rows = np.nonzero(changed)[0]

    def row(place: float) -> float:
        return float(before.landmarks[int(place), 1]) if place > 1 else place * SIDE

    assert changed.sum() > 30
    assert row(top) <= rows.min() and rows.max() <= row(bottom) + 1
    np.testing.assert_array_equal(before.labels, after.labels)
    rest = face()
    np.testing.assert_array_equal(renderer(rest, smooth).image, renderer(rest, folded).image)


def test_eyes_turn_about_their_centres(renderer: Renderer) -> None:
    def iris(left: float) -> float:
        render = renderer(face(AU05=0.6), view=View(gaze=(left, 0.0), zoom=1.3))
        dark = 255.0 - render.image.mean(axis=2)
        eye = render.labels == LABEL["l_eye"]
        columns = np.nonzero(eye)[1]
        weight = dark[eye] - dark[eye].min()
        return float((weight * columns).sum() / weight.sum())

    assert iris(20) > iris(-20) + 2


def test_glasses_show_but_leave_the_label_map(renderer: Renderer) -> None:
    look = default_look(renderer.head, renderer.shape)
    bare = renderer(base_face(), look)
    worn = renderer(base_face(), replace(look, glasses=random_glasses(np.random.default_rng(0))))
    assert (bare.image != worn.image).any(axis=2).sum() > 200
    np.testing.assert_array_equal(bare.labels, worn.labels)


def test_jaw_runs_through_its_steps(renderer: Renderer) -> None:
    head, steps = renderer.head, len(renderer.head.jaw)

    def opened(share: float) -> np.ndarray:
        return head.vertices(face(AU26=share))

    assert steps >= 2 and AU_NAMES.index("AU26") == JAW
    chin = [float(opened(k / steps)[head.landmarks[8], 1]) for k in range(steps + 1)]
    assert all(lower < upper for upper, lower in pairwise(chin))
    middle = (opened(1 / steps) + opened(2 / steps)) / 2
    np.testing.assert_allclose(opened(1.5 / steps), middle, atol=1e-5)


def test_same_seed_same_picture(renderer: Renderer) -> None:
    first, again, other = (next(random_renders(renderer, None, seed)).render.image for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("yaw", [-90.0, 90.0])
def test_a_profile_shows_its_own_side(renderer: Renderer, yaw: float) -> None:
    labels = renderer(face(), view=View(rotation=(yaw, 0.0, 0.0))).labels
    near, far = ("r_eye", "l_eye") if yaw > 0 else ("l_eye", "r_eye")
    assert (labels == LABEL[near]).any() and not (labels == LABEL[far]).any()


def test_a_shard_is_what_training_reads(renderer: Renderer, tmp_path: Path) -> None:
    out = tmp_path / "shard.npz"
    write_shard(renderer.head, None, count=3, seed=5, out=out)
    with np.load(out) as shard:
        assert shard["images"].shape == (3, SIZE, SIZE) and shard["images"].dtype == np.uint8
        assert shard["parameters"].shape == (3, N_PARAMETERS) and shard["parameters"].dtype == np.float16
        assert shard["landmarks"].shape == (3, 68, 2) and shard["landmarks"].dtype == np.float32
        assert shard["labels"].shape == (3, SIZE // 2, SIZE // 2) and shard["labels"].max() < len(LABELS)
    assert [p.name for p in tmp_path.iterdir()] == ["shard.npz"]


def test_camera_keeps_shape_and_follows_its_seed() -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 48), dtype=np.uint8)
    for seed in range(12):
        first, again = (photograph(image, np.random.default_rng(seed)) for _ in range(2))
        assert first.shape == image.shape and first.dtype == np.uint8
        np.testing.assert_array_equal(first, again)


def test_missing_head_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(HeadFileError, match=r"bdfm_train\.face_model\.build"):
        Head.load(tmp_path, "a")
