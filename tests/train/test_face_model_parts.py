# SPDX-License-Identifier: MIT
"""Parts of the face model's build that need no sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bdfm_infer.alignment import MIRRORED_LANDMARK
from bdfm_infer.parameters import AU_NAMES
from bdfm_train.errors import RecipeError, SourcesError
from bdfm_train.face_model.action_units import (
    Handle,
    Recipe,
    both_sides,
    clear_eyeballs,
    fit_sphere,
    read_recipes,
    sculpt,
)
from bdfm_train.face_model.decimate import decimate
from bdfm_train.face_model.fbx import read_meshes
from bdfm_train.face_model.labels import EYE, LABEL, SKIN
from bdfm_train.face_model.makehuman_formats import Rig, read_obj, read_target
from bdfm_train.face_model.mesh import CANTHAL_MM, HeadMesh, closest_on_mesh, sparse, unit_mm


def grid_mesh(n: int = 24) -> HeadMesh:
    """A flat square of 2 n² triangles with 68 landmarks on it."""
    x, y = np.meshgrid(np.linspace(-1, 1, n + 1), np.linspace(-1, 1, n + 1))
    v = np.c_[x.ravel(), y.ravel(), np.zeros(x.size)]
    corner = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    f = np.vstack([np.c_[corner, corner + 1, corner + n + 2], np.c_[corner, corner + n + 2, corner + n + 1]])
    landmarks = np.random.default_rng(0).choice(len(v), 68, replace=False)
    return HeadMesh(
        v=v, f=f, uv=v[f][..., :2], label=np.full(len(f), LABEL["skin"], np.uint8), mat=np.full(len(f), SKIN, np.uint8),
        lash_f=np.zeros((0, 3), int), lash_uv=np.zeros((0, 3, 2)), landmarks=landmarks, soft=np.ones(len(v), bool),
        lower=np.zeros(len(v)), lift=lambda field: field,
    )  # fmt: skip


def test_mirroring_landmarks_twice_changes_nothing() -> None:
    assert (MIRRORED_LANDMARK[MIRRORED_LANDMARK] == np.arange(68)).all()


def test_decimation_keeps_shape_landmarks_and_texture() -> None:
    mesh = grid_mesh()
    small = decimate(mesh, 500)
    assert 400 < len(small.f) <= 502
    normal = np.cross(*(small.v[small.f[:, k]] - small.v[small.f[:, 0]] for k in (1, 2)))
    assert (normal[:, 2] > 0).all(), "no triangle turned over"
    assert normal[:, 2].sum() / 2 == pytest.approx(4), "the square is still covered once"
    np.testing.assert_array_equal(small.v[small.landmarks], mesh.v[mesh.landmarks])
    np.testing.assert_allclose(small.uv, small.v[small.f][..., :2], err_msg="texture sticks to the surface")
    np.testing.assert_array_equal(small.lift(mesh.v), small.v)


def test_sparse_keeps_what_moves() -> None:
    fields = np.zeros((3, 5, 3))
    fields[0, 2] = [0.5, 0, 0]
    fields[2, 4] = [0, -0.25, 1]
    fields[2, 1] = 1e-5
    pointer, vertex, value = sparse(fields, 1e-3)
    assert pointer.tolist() == [0, 1, 1, 2] and vertex.tolist() == [2, 4]
    np.testing.assert_array_equal(value, fields[[0, 2], [2, 4]])


def test_closest_point_lies_on_the_surface() -> None:
    mesh = grid_mesh(9)
    points = np.random.default_rng(1).uniform(-0.9, 0.9, (50, 3))
    face, weight, distance = closest_on_mesh(points, mesh.v, mesh.f)
    found = np.einsum("nk,nkd->nd", weight, mesh.v[mesh.f[face]])
    np.testing.assert_allclose(found, points * [1, 1, 0], atol=1e-9)
    np.testing.assert_allclose(distance, np.abs(points[:, 2]), atol=1e-9)


def test_target_and_obj_are_read(tmp_path: Path) -> None:
    target = tmp_path / "a.target"
    target.write_text("# made by hand\n1 0.5 0 -0.25\n9 1 1 1\n")
    np.testing.assert_array_equal(read_target(target, 3), [[0, 0, 0], [0.5, 0, -0.25], [0, 0, 0]])
    obj = tmp_path / "a.obj"
    obj.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\ng body\nf 1/1 2/2 3/3\n")
    mesh = read_obj(obj)
    assert mesh.polygons == [([0, 1, 2], [0, 1, 2])] and mesh.groups == ["body"]


def test_rig_turns_a_bone_about_its_head_and_its_children_with_it() -> None:
    base = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    rig = Rig(["root", "arm", "hand"], [-1, 0, 1], np.eye(3), [[0], [1], [2]])
    quarter = {"arm": np.array([0, 0, np.pi / 2])}
    np.testing.assert_allclose(rig.offsets(base, quarter), [[0, 0, 0], [0, 0, 0], [-1, 1, 0]], atol=1e-12)
    shifted = rig.offsets(base, quarter, {"arm": np.array([-1.0, 0, 0])})
    np.testing.assert_allclose(shifted, [[0, 0, 0], [-1, 1, 0], [-2, 2, 0]], atol=1e-12)
    assert rig.descendants("arm") == [1, 2]


def test_handles_and_shields_are_millimetres_of_the_face() -> None:
    mesh = grid_mesh()
    scale = unit_mm(mesh.v[mesh.landmarks])
    apart = np.linalg.norm(np.subtract(*mesh.v[mesh.landmarks[[36, 45]]]))
    assert apart * scale == pytest.approx(CANTHAL_MM)
    handle = Handle(points=(30,), radius_mm=5, move_mm=(1.0, 2.0, 3.0), mirror=False)
    moved = sculpt(np.zeros_like(mesh.v), Recipe(handles=(handle,)), mesh.v, mesh.landmarks, mesh.lower, mesh.soft)
    np.testing.assert_allclose(moved[mesh.landmarks[30]] * scale, [1, 2, 3])
    shield = Handle(points=(30,), radius_mm=5, mirror=False, strength=0.75)
    held = sculpt(np.ones_like(mesh.v), Recipe(shields=(shield,)), mesh.v, mesh.landmarks, mesh.lower, mesh.soft)
    np.testing.assert_allclose(held[mesh.landmarks[30]], 0.25)
    assert held.max() == pytest.approx(1)


def test_lids_are_pushed_out_of_the_eyeballs() -> None:
    mesh = grid_mesh(40)
    random = np.random.default_rng(2)
    balls = []
    for side in (-1, 1):
        ball = random.normal(size=(60, 3))
        balls.append(ball / np.linalg.norm(ball, axis=1, keepdims=True) * 0.3 + [side * 0.5, 0, -0.2])
    eyes = np.vstack(balls)
    n = len(mesh.v)
    mesh.f = np.vstack([mesh.f, n + np.arange(120).reshape(-1, 3)])
    mesh.mat = np.r_[mesh.mat, np.full(40, EYE, np.uint8)]
    mesh.v = np.vstack([mesh.v, eyes])
    mesh.soft = np.r_[mesh.soft, np.zeros(120, bool)]
    offsets = np.where(mesh.soft[:, None], [0.0, 0.01, -0.05], 0.0)
    out = clear_eyeballs(offsets, mesh, 1.0)
    margin = 1.0 / unit_mm(mesh.v[mesh.landmarks])
    moved = (mesh.v + out)[:n]
    front = moved[:, 2] + 0.2 > 0.07
    for side in (-1, 1):
        distance = np.linalg.norm(moved - [side * 0.5, 0, -0.2], axis=1)
        assert (distance[front] >= 0.3 + margin - 1e-6).all()


def test_sphere_fit() -> None:
    points = np.random.default_rng(3).normal(size=(40, 3))
    points = points / np.linalg.norm(points, axis=1, keepdims=True) * 2 + [1, 2, 3]
    centre, radius = fit_sphere(points)
    np.testing.assert_allclose(centre, [1, 2, 3], atol=1e-9)
    assert radius == pytest.approx(2)


def test_stars_stand_for_both_sides() -> None:
    assert both_sides({"*Up": 1.0, "jaw": 0.5}, ("L", "R")) == {"LUp": 1.0, "RUp": 1.0, "jaw": 0.5}


@pytest.mark.parametrize("head", ["a", "b"])
def test_every_unit_has_a_recipe(head: str) -> None:
    assert set(AU_NAMES) <= set(read_recipes(head))


@pytest.mark.parametrize(
    ("change", "message"),
    [("[AU01.a]\n", r"\[AU02.a\]"), ("{all}[base.a]\nshape = 1\n", r"\[base.a\].*shape")],
)
def test_bad_recipes_are_named(tmp_path: Path, change: str, message: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(change.replace("{all}", "".join(f"[{name}.a]\n" for name in AU_NAMES)))
    with pytest.raises(RecipeError, match=message):
        read_recipes("a", path)


def test_other_files_are_no_fbx(tmp_path: Path) -> None:
    path = tmp_path / "a.fbx"
    path.write_text("; FBX 7.4.0 project file")
    with pytest.raises(SourcesError, match="no binary FBX"):
        read_meshes(path)
    with pytest.raises(SourcesError, match="cannot read"):
        read_meshes(tmp_path / "b.fbx")
