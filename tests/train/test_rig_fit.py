# SPDX-License-Identifier: MIT
"""Mappings measured on faces: fits of keys, skins of bones, and the figures that docs/mappings.md states."""

from __future__ import annotations

import os

import numpy as np
import pytest

from bdfm_train.cli import main
from bdfm_train.face_model.mesh import Floats
from bdfm_train.rig_fit.faces import UNITS, Face, head_a, rocketbox
from bdfm_train.rig_fit.mixes import (
    MOST_KEYS,
    all_keys,
    best_mix,
    fitted_mix,
    key_count,
    mapping_mixes,
    measure,
    plausible_keys,
    usual_table,
)
from bdfm_train.rig_fit.report import ODD, SIZES, markdown
from bdfm_train.rig_fit.skin import Skin

sources = pytest.mark.skipif("BDFM_SOURCES" not in os.environ, reason="BDFM_SOURCES names no sources")


def along(*values: float) -> Floats:
    """One vertex a value, moved along x by it."""
    return np.array([[value, 0.0, 0.0] for value in values])


@pytest.fixture
def face() -> Face:
    """AU12 is both smiles at half and the pucker backwards; the pucker cannot be had below 0."""
    keys = {
        "smileLeft": along(2, 0, 0),
        "smileRight": along(0, 2, 0),
        "pucker": along(0, 0, 1),
        "jawLeft": along(1, 1, 1),
    }
    return Face(
        "test", keys | {"jawRight": along(-1, -1, -1), "eyeLookUp": along(9, 9, 9)}, {"AU12": along(1, 1, -0.5)}
    )


def test_a_fit_never_goes_below_zero(face: Face) -> None:
    assert best_mix(face, "AU12", ["smile*", "pucker"]) == pytest.approx({"smile*": 0.5, "pucker": 0.0})
    cosine, size = measure(face, "AU12", {"smile*": 0.5})
    assert cosine == pytest.approx(2 / np.sqrt(2 * 2.25))
    assert size == pytest.approx(np.sqrt(2 / 2.25))


def test_a_fit_to_the_range_of_a_slider(face: Face) -> None:
    strong = Face("strong", face.keys, {"AU12": along(6, 6, 0)})
    assert best_mix(strong, "AU12", ["smile*"], 1.0) == {"smile*": pytest.approx(1.0)}


def test_both_sides_count_as_two_keys(face: Face) -> None:
    assert key_count(["smile*", "pucker"]) == 3
    assert all_keys(face) == ["pucker", "smile*"], "jaw sideways and gaze are no part of an action unit"
    mix = fitted_mix(face, "AU12", ["smile*", "pucker"])
    assert set(mix) == {"smile*"}, "a key that helps nothing is left out"


def test_a_skin_moves_with_the_bones_above() -> None:
    skin = Skin(
        v=np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 3.0]]),
        weights={"jaw": np.array([1.0, 0.0]), "lip": np.array([0.0, 0.5])},
        heads={"jaw": np.zeros(3), "lip": np.array([0.0, 0.0, 2.0])},
        parents={"lip": "jaw"},
    )
    turn = {"kind": "bone_rotation", "bone": "jaw", "axis": "left", "degrees": 90}
    np.testing.assert_allclose(skin.offsets([turn], {}), [[0, -1, -1], [0, -1.5, -1.5]], atol=1e-12)
    move = {"kind": "bone_location", "bone": "lip", "axis": "up", "amount": 0.5, "reference": "face"}
    np.testing.assert_allclose(skin.offsets([move], {"face": ["jaw", "lip"]}), [[0, 0, 0], [0, 0.5, 0]], atol=1e-12)


def test_the_table_says_what_was_left_out() -> None:
    scores = {"ours": {unit: (0.5 if unit == "AU04" else 1.0, 1.0) for unit in UNITS}}
    text = markdown(Face("test", {}, {}), scores, {"AU04": "folds"})
    assert "| AU04* | +0.50 x1.00 |" in text
    assert f"| mean of 19 | {(18 + 0.5) / 19:.3f} |" in text
    assert "| mean of 18 without * | 1.000 |" in text


def test_our_mixes_are_plausible_and_small() -> None:
    plausible = plausible_keys()
    for unit, mix in mapping_mixes().items():
        assert len(mix) <= MOST_KEYS, unit
        assert all(0 < weight <= 1 for weight in mix.values()), unit
        names = {name.replace("Left", "*").replace("Right", "*") for name in mix}
        assert plausible[unit][0] in names and names <= set(plausible[unit]), unit
        assert max(mix.values()) > 0.5, unit


@pytest.fixture(scope="module")
def both_faces() -> tuple[Face, Face]:
    return rocketbox(), head_a()


@sources
def test_ours_is_closer_than_the_usual_table_on_both_faces(both_faces: tuple[Face, Face]) -> None:
    ours, usual = mapping_mixes(), usual_table()
    for face, before in zip(both_faces, (0.634, 0.705), strict=True):
        means = [np.mean([measure(face, unit, table[unit])[0] for unit in UNITS]) for table in (ours, usual)]
        assert means[0] >= 0.75
        assert means[1] == pytest.approx(before, abs=5e-4)


@sources
def test_ours_moves_as_far_as_the_artists_keys_where_keys_can(both_faces: tuple[Face, Face]) -> None:
    ours, (low, high) = mapping_mixes(), SIZES
    for face, short in zip(both_faces, (set(ODD) - {"AU14"}, {"AU01", "AU17"}), strict=True):
        assert {unit for unit in UNITS if not low <= measure(face, unit, ours[unit])[1] <= high} == short


@sources
def test_bones_of_makehuman_and_rocketbox(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rig-fit", "bones"]) == 0
    makehuman, rocketbox = capsys.readouterr().out.split("| AU on Rocketbox")
    means = [line.split("|")[2:-1] for line in (makehuman + rocketbox).splitlines() if line.startswith("| mean of 19")]
    (one_pose, ours, _), (hers, his) = [[float(cell) for cell in cells] for cells in means]
    assert ours > 0.85 > one_pose
    assert hers > 0.8
    assert his > 0.7
