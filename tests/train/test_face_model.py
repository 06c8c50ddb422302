# SPDX-License-Identifier: MIT
"""Both built heads: their schema, and what FACS says that each action unit does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bdfm_infer.alignment import MIRRORED_LANDMARK
from bdfm_infer.parameters import (
    AU_NAMES,
    AU_SLICE,
    BROW_SLICE,
    IDENTITY_SLICE,
    MIRRORED_AU,
    N_BROW_STYLES,
    N_IDENTITY,
    base_face,
)
from bdfm_train.face_model.build import landmark_vertices
from bdfm_train.face_model.compare import cosine, region_motion
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.ict import DECIMETRES
from bdfm_train.face_model.labels import EYE, LABEL, SKIN, TEETH
from bdfm_train.face_model.mesh import unit_mm
from bdfm_train.face_model.textures import raster

Array = NDArray[np.floating]
INNER_BROW, OUTER_BROW, LOWER_LID, NOSE_WING = [21, 22], [18, 25], [40, 41, 46, 47], [31, 35]
CORNER, UPPER_LIP, LOWER_LIP, CHIN = [48, 54], [51], [57], [8]


@pytest.fixture(scope="module", params=["a", "b"])
def head(request: pytest.FixtureRequest, heads_folder: Path) -> Head:
    return Head.load(heads_folder, request.param)


def face(head: Head, identity: Array | None = None, **intensities: float) -> Array:
    """Vertices of a face with some action units."""
    y = base_face()
    if identity is not None:
        y[IDENTITY_SLICE] = identity
    for name, intensity in intensities.items():
        y[AU_SLICE][AU_NAMES.index(name)] = 0.02 + 0.98 * intensity
    return head.vertices(y)


def motion(head: Head, name: str, intensity: float = 1.0) -> Array:
    """Displacement (68, 3) of the landmarks in face millimetres."""
    scale = unit_mm(head.base[head.landmarks].astype(float))
    moved = face(head, **{name: intensity}).astype(float) - head.base
    return moved[head.landmarks] * scale


def region(head: Head, name: str, points: list[int]) -> Array:
    """Mean motion of a region: outward, up, forward."""
    return region_motion(motion(head, name), points)


def pixels(head: Head, v: Array) -> NDArray[np.int32]:
    """Frontal picture of 256 px: the nearest face of each pixel, -1 where none."""
    size = 256
    scale = size / (2 * head.half)
    at = (v - head.centre) * [scale, -scale, 1.0] + [size / 2, size / 2, 0.0]
    index, _, _ = raster(at.astype(np.float32), head.faces, size)
    return index


def count(head: Head, v: Array, material: int) -> int:
    index = pixels(head, v)
    return int((head.material[index[index >= 0]] == material).sum())


def people(n: int, spread: float = 0.2) -> list[Array]:
    """Random identities; the spread is what training draws (a fifth to a quarter of a parameter's range)."""
    random = np.random.default_rng(5)
    return [np.clip(0.5 + spread * random.normal(size=N_IDENTITY), 0, 1).astype(np.float32) for _ in range(n)]


def test_schema(head: Head) -> None:
    assert len(head.identity_names) == len(set(head.identity_names)) == len(head.identity_groups) == N_IDENTITY
    assert len(head.identity_up) == len(head.identity_down) == N_IDENTITY
    assert len(head.action_units) == len(AU_NAMES)
    assert all(np.diff(head.identity_up.pointer) > 0), "an identity parameter does nothing"
    empty = [AU_NAMES[i] for i in np.flatnonzero(np.diff(head.action_units.pointer) == 0)]
    assert empty == ["AU26"], "the jaw's shape is its steps, every other unit has one"
    assert 10_000 < len(head.faces) < 15_000
    assert head.faces.max() < len(head.base) and head.faces.min() == 0
    assert head.uv.shape == (len(head.faces), 3, 2) and np.isfinite(head.uv).all()
    assert set(np.unique(head.label)) <= set(range(len(LABEL)))
    assert head.landmarks.shape == (68,)
    assert head.textures["brows"].shape[0] == N_BROW_STYLES
    assert head.textures["ao"].shape == (len(head.base),)
    np.testing.assert_allclose(face(head), head.base)


def test_skin_labels_show_every_class_of_skin(head: Head) -> None:
    label = head.textures["label"]
    shown = {int(label[int((1 - v) * len(label)), int(u * len(label))])
             for u, v in head.uv[head.material == SKIN].mean(1)}  # fmt: skip
    expected = {"skin", "nose", "u_lip", "l_lip", "ears", "neck", "hair"}
    assert {LABEL[name] for name in expected} <= shown | set(head.label.tolist())


def test_landmarks_are_where_they_belong(head: Head) -> None:
    p = head.base[head.landmarks].astype(float) * unit_mm(head.base[head.landmarks].astype(float))
    mirrored = p[MIRRORED_LANDMARK] * [-1, 1, 1]
    assert np.abs(p - mirrored)[17:].max() < 3, "faces at rest are symmetric"
    assert p[8, 1] < p[57, 1] < p[51, 1] < p[33, 1] < p[30, 1] < p[27, 1] < p[24, 1], "chin to brow"
    assert (np.diff(p[:9, 1]) < 0).all() and (p[:8, 0] < 0).all(), "the jaw line runs down the person's right"
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        assert 6 < p[upper, 1] - p[lower, 1] < 13, "an open eye"
    assert abs(p[62, 1] - p[66, 1]) < 1.5, "closed lips"


def test_units_act_alike_on_both_sides(head: Head) -> None:
    for i, name in enumerate(AU_NAMES):
        here, there = motion(head, name), motion(head, AU_NAMES[MIRRORED_AU[i]])
        mirrored = there[MIRRORED_LANDMARK] * [-1, 1, 1]
        assert np.linalg.norm(here - mirrored, axis=1).max() < 0.25 * np.linalg.norm(here, axis=1).max() + 0.3, name


@pytest.mark.parametrize(
    ("name", "points", "axis", "low", "high"),
    [
        ("AU01", INNER_BROW, 1, 5, 11),
        ("AU02", OUTER_BROW, 1, 4, 11),
        ("AU04", INNER_BROW, 1, -8, -3),
        ("AU04", INNER_BROW, 0, -6, -1.5),
        ("AU05", [37, 38, 43, 44], 1, 3, 7),
        ("AU06", LOWER_LID, 1, 1.5, 5),
        ("AU07", LOWER_LID, 1, 1.5, 5),
        ("AU09", NOSE_WING, 1, 3, 9),
        ("AU09", INNER_BROW, 1, -7, -2),
        ("AU10", UPPER_LIP, 1, 3, 9),
        ("AU10", LOWER_LIP, 1, -0.7, 0.7),
        ("AU12", CORNER, 1, 8, 15),
        ("AU12", CORNER, 0, 4, 10),
        ("AU14", CORNER, 2, -8, -2),
        ("AU14", CORNER, 1, 0, 4),
        ("AU14", CORNER, 0, -2, 0.5),
        ("AU15", CORNER, 1, -8, -3),
        ("AU16", LOWER_LIP, 1, -9, -3),
        ("AU17", CHIN, 1, 3, 9),
        ("AU17", LOWER_LIP, 1, 1.5, 8),
        ("AU18", CORNER, 0, -11, -3),
        ("AU18", UPPER_LIP, 2, 3, 11),
        ("AU20", CORNER, 0, 3, 10),
        ("AU23", CORNER, 0, -6, -2),
        ("AU24", CORNER, 0, -0.7, 0.7),
        ("AU26", CHIN, 1, -30, -27),
        ("jaw_left", CHIN, 0, 6, 12),
        ("jaw_right", CHIN, 0, -12, -6),
    ],
)
def test_units_do_what_facs_says(head: Head, name: str, points: list[int], axis: int, low: float, high: float) -> None:
    assert low < region(head, name, points)[axis] < high


def test_brow_units_differ(head: Head) -> None:
    assert region(head, "AU01", INNER_BROW)[1] > region(head, "AU01", OUTER_BROW)[1] + 3
    assert region(head, "AU02", OUTER_BROW)[1] > region(head, "AU02", INNER_BROW)[1] + 2


def test_cheek_raiser_leaves_the_mouth_alone(head: Head) -> None:
    moved = np.linalg.norm(motion(head, "AU06"), axis=1)
    assert moved[CORNER].max() < 0.2, "that is AU12"
    assert moved[48:].max() < 1
    v = face(head, AU06=1.0) - head.base
    p = head.base[head.landmarks]
    cheek = np.linalg.norm(head.base - (p[[41, 46]].mean(0) * [0, 1, 1] + [p[46, 0], -0.14, 0]), axis=1).argsort()[:5]
    assert (v[cheek, 1] > 0).all(), "the cheek under the eye goes up"


def test_lip_tightener_and_presser_are_two_things(head: Head) -> None:
    tight, press = motion(head, "AU23"), motion(head, "AU24")
    assert cosine(tight, press) < 0.85

    def approach(field: Array) -> float:
        return float(field[57, 1] - field[51, 1])

    assert approach(press) > 5, "lips are pressed together"
    assert approach(press) > approach(tight)


def test_lips_part(head: Head) -> None:
    v = face(head, AU25=1.0)[head.landmarks]
    gap = (v[62, 1] - v[66, 1]) * unit_mm(head.base[head.landmarks].astype(float))
    assert 3 < gap < 9


def lower_teeth(head: Head) -> NDArray[np.int64]:
    teeth = np.unique(head.faces[head.material == TEETH])
    travel = np.linalg.norm(face(head, AU26=1.0)[teeth] - head.base[teeth], axis=1)
    return teeth[travel > travel.max() / 2]


@pytest.mark.parametrize("intensity", [0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_jaw_turns_rigidly_about_its_hinge(head: Head, intensity: float) -> None:
    from scipy.spatial.transform import Rotation

    teeth = lower_teeth(head)
    rest, opened = head.base[teeth].astype(float), face(head, AU26=1.0)[teeth].astype(float)
    turn, _ = Rotation.align_vectors(opened - opened.mean(0), rest - rest.mean(0))
    matrix = turn.as_matrix()
    hinge = np.linalg.lstsq(np.eye(3) - matrix, opened.mean(0) - matrix @ rest.mean(0), rcond=None)[0]
    v = face(head, AU26=intensity)
    followers = np.r_[teeth, head.landmarks[[7, 8, 9]]]
    before = np.linalg.norm((head.base[followers] - hinge)[:, 1:], axis=1)
    after = np.linalg.norm((v[followers] - hinge)[:, 1:], axis=1)
    np.testing.assert_allclose(after[: len(teeth)], before[: len(teeth)], rtol=0.005)
    np.testing.assert_allclose(after[len(teeth) :], before[len(teeth) :], rtol=0.03)
    sides = rest[:, None] - rest[None, ::37]
    np.testing.assert_allclose(
        np.linalg.norm(v[teeth][:, None] - v[teeth][None, ::37], axis=2), np.linalg.norm(sides, axis=2), atol=2e-3
    )


def test_jaw_opens_steadily(head: Head) -> None:
    drop = [-motion(head, "AU26", i / 10)[8, 1] for i in range(11)]
    steps = np.diff(drop)
    assert drop[0] == 0 and (steps > 1.5).all() and (steps < 4).all()


def test_eyes_close_on_everyone(head: Head) -> None:
    for identity in [None, *people(12)]:
        open_eyes = count(head, face(head, identity), EYE)
        closed = count(head, face(head, identity, eye_closed_left=1.0, eye_closed_right=1.0), EYE)
        assert open_eyes > 100
        assert closed < 0.01 * open_eyes + 1


def test_one_eye_closes_alone(head: Head) -> None:
    index = pixels(head, face(head, eye_closed_left=1.0))
    seen = head.faces[index[index >= 0]][head.material[index[index >= 0]] == EYE]
    assert (head.base[seen].mean(1)[:, 0] < 0).all(), "only the right eye is seen"


def test_mouths_are_closed_at_rest(head: Head) -> None:
    for identity in people(12):
        index = pixels(head, face(head, identity))
        inside = int((head.label[index[index >= 0]] == LABEL["inner_mouth"]).sum())
        opened = pixels(head, face(head, identity, AU26=1.0))
        assert inside < 0.06 * (head.label[opened[opened >= 0]] == LABEL["inner_mouth"]).sum()


def test_decimation_keeps_the_landmarks_of_the_scans(heads_folder: Path, sources_root: Path) -> None:
    head = Head.load(heads_folder, "b")
    with np.load(sources_root / "face_model" / "ict_facekit.npz") as data:
        scan = data["v"][landmark_vertices("b")] * DECIMETRES
    away = np.linalg.norm(head.base[head.landmarks] - scan, axis=1) * 100
    assert away.max() < 1.5, "only the seal of the lips moves them"
    assert (away[:31] < 1e-3).all(), "and it fades out below the nose"


def test_brow_styles_differ(head: Head) -> None:
    styles = head.textures["brows"].reshape(N_BROW_STYLES, -1).astype(float)
    assert (styles.max(1) > 90).all()
    assert np.unique(styles, axis=0).shape[0] == N_BROW_STYLES
    assert base_face()[BROW_SLICE].shape == (N_BROW_STYLES,)
