# SPDX-License-Identifier: MIT
"""Head A: MakeHuman's base mesh (CC0) with its rig, pose units, expression units and ARKit face units."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from bdfm_train.errors import RecipeError
from bdfm_train.face_model.action_units import Recipe, both_sides, sculpt
from bdfm_train.face_model.labels import EYE, LABEL, MOUTH, SKIN, TEETH
from bdfm_train.face_model.makehuman_formats import (
    ObjMesh,
    Proxy,
    read_obj,
    read_pose_units,
    read_proxy,
    read_rig,
    read_target,
)
from bdfm_train.face_model.mesh import Floats, HeadMesh, Ints, unit_mm
from bdfm_train.face_model.sources import Sources

ETHNICITIES: Final = ("african", "asian", "caucasian")
SEXES: Final = ("male", "female")
TARGETS: Final = "makehuman/targets/"
EXPRESSION_UNITS: Final = TARGETS + "expression/units/"
ARKIT_UNITS: Final = "extra_targets/assets/faceunits01/targets/faceunits/"
TEETH_PART: Final = ("makehuman_assets/teeth/teeth_base", "teeth_base")
LASHES: Final = 5
"""Stands for eyelashes among the materials while the mesh is put together."""


class MakeHuman:
    """The base mesh as an average young adult, with everything that deforms it.

    Args:
        sources: verified source files.
        base_recipe: what is added at rest (the lip seal).
        landmarks: (68,) vertices of base.obj.
    """

    sides = ("Left", "Right")

    def __init__(self, sources: Sources, base_recipe: Recipe, landmarks: Ints) -> None:
        self.sources = sources
        self.landmarks = landmarks
        self.obj = read_obj(sources.path("makehuman/3dobjs/base.obj"))
        self.n = len(self.obj.v)
        self.rig = read_rig(
            sources.path("makehuman/rigs/default.mhskel"), sources.path("makehuman/rigs/default_weights.mhw"), self.n
        )
        self.pose_units = read_pose_units(
            sources.path("makehuman/poseunits/face-poseunits.bvh"),
            sources.path("makehuman/poseunits/face-poseunits.json"),
        )
        self.base = self.obj.v + self.average("young")
        self.lower = self.rig.weights[self.rig.descendants("jaw")].sum(0)
        resting = self.blend_source(base_recipe)
        everything = np.ones(self.n, bool)
        self.base = self.base + sculpt(resting, base_recipe, self.base, landmarks, self.lower, everything)

    def target(self, name: str) -> Floats:
        """Offsets (B, 3) of a MakeHuman target, named by its path without suffix."""
        return read_target(self.sources.path(f"{TARGETS}{name}.target"), self.n)

    def average(self, age: str, weight: str = "average", sexes: tuple[str, ...] = SEXES) -> Floats:
        """Macro offsets (B, 3), mean over ethnicities and sexes."""
        folder = "macrodetails/"
        ethnic = [self.target(f"{folder}{e}-{s}-{age}") for e in ETHNICITIES for s in sexes]
        universal = [self.target(f"{folder}universal-{s}-{age}-averagemuscle-{weight}weight") for s in sexes]
        return np.asarray(np.mean(ethnic, 0) + np.mean(universal, 0))

    @cached_property
    def macros(self) -> dict[str, tuple[Floats, Floats]]:
        """Negative and positive offsets (B, 3) of the six macro parameters."""
        young = self.average("young")
        gender = (self.average("young", sexes=("male",)) - self.average("young", sexes=("female",))) / 2
        old = self.average("old") - young
        macros = {
            "macro-gender-male": (-gender, gender),
            "macro-age-old": (-0.25 * old, 0.8 * old),
            "macro-weight": (self.average("young", "min") - young, self.average("young", "max") - young),
        }
        ethnic = {e: np.mean([self.target(f"macrodetails/{e}-{s}-young") for s in SEXES], 0) for e in ETHNICITIES}
        mean = np.mean(list(ethnic.values()), 0)
        for e in ETHNICITIES:
            macros[f"macro-{e}"] = (-0.5 * (ethnic[e] - mean), ethnic[e] - mean)
        return macros

    def shape(self, name: str) -> Floats:
        """Offsets (B, 3) of an ARKit face unit, an expression unit (mean over ethnicities) or, by path, a target.

        Raises:
            RecipeError: no such shape.
        """
        if f"{ARKIT_UNITS}{name}.target" in self.sources.table:
            return read_target(self.sources.path(f"{ARKIT_UNITS}{name}.target"), self.n)
        if "/" in name:
            return self.target(name)
        units = [f"{EXPRESSION_UNITS}{e}/{name.lower()}.target" for e in ETHNICITIES]
        if units[0] not in self.sources.table:
            raise RecipeError(f"head A has no shape {name}; see {ARKIT_UNITS} and {EXPRESSION_UNITS}")
        return np.asarray(np.mean([read_target(self.sources.path(unit), self.n) for unit in units], 0))

    def bones(self, amounts: dict[str, float], jaw_shift: Floats) -> Floats:
        """Offsets (B, 3) of pose units applied together, their rotation vectors summed bone by bone.

        ``jaw_shift`` (3,) moves the centre about which the jaw turns.

        Raises:
            RecipeError: no such pose unit.
        """
        turns: dict[str, Floats] = {}
        for name, amount in amounts.items():
            if name not in self.pose_units:
                raise RecipeError(f"head A has no pose unit {name}; known: {', '.join(self.pose_units)}")
            for bone, turn in self.pose_units[name].items():
                turns[bone] = turns.get(bone, 0) + amount * turn
        return self.rig.offsets(self.base, turns, {"jaw": jaw_shift})

    def blend_source(self, recipe: Recipe, amount: float = 1.0) -> Floats:
        """Offsets (B, 3) of a recipe's pose units and shapes, at a share of it."""
        offsets = np.zeros_like(self.base)
        if recipe.pose_units:
            turned = {k: amount * a for k, a in both_sides(recipe.pose_units, self.sides).items()}
            offsets += self.bones(turned, np.array(recipe.centre_mm) / unit_mm(self.base[self.landmarks]))
        for name, value in both_sides(recipe.shapes, self.sides).items():
            offsets += amount * value * self.shape(name)
        return offsets

    def blend(self, recipe: Recipe) -> Floats:
        """Offsets (V, 3) of a recipe's pose units and shapes on the head mesh."""
        return self.jaw(recipe, 1.0)

    def jaw(self, recipe: Recipe, amount: float) -> Floats:
        """Offsets (V, 3) of the jaw: its bone is turned, so that chin and teeth go along an arc."""
        field = self.blend_source(recipe, amount)
        return self._stiffen_teeth(self.mesh.lift(field), field)

    def _stiffen_teeth(self, offsets: Floats, field: Floats) -> Floats:
        """Offsets (V, 3) in which each row of teeth moves rigidly with the base triangle that it hangs on."""
        for row, anchor in self._teeth_rows:
            rest = self.base[anchor]
            moved = rest + field[anchor]
            turn, _ = Rotation.align_vectors(moved - moved.mean(0), rest - rest.mean(0))
            offsets[row] = turn.apply(self.mesh.v[row] - rest.mean(0)) + moved.mean(0) - self.mesh.v[row]
        return offsets

    @cached_property
    def _teeth_rows(self) -> list[tuple[Ints, Ints]]:
        """Vertices (n,) of each row of teeth on the head mesh, and the base triangle (3,) that it hangs on."""
        proxy, mesh = read_part(self, *TEETH_PART)
        used = np.unique(np.concatenate([v for v, _ in front_teeth(proxy.place(self.base), mesh)]))
        teeth = np.unique(self.mesh.f[self.mesh.mat == TEETH])
        anchors = np.unique(proxy.index[used], axis=0)
        return [(teeth[(proxy.index[used] == anchor).all(1)], anchor) for anchor in anchors]

    @property
    def eye_middle(self) -> Floats:
        """(3,) middle of both eyeballs."""
        return np.asarray(self.mesh.v[np.unique(self.mesh.f[self.mesh.mat == EYE])].mean(0))

    @cached_property
    def mesh(self) -> HeadMesh:
        """The head cut out of the body, with eyes, front teeth, tongue and lashes."""
        return head_mesh(self)


def triangles(polygons: list[tuple[list[int], list[int]]], vt: Floats) -> tuple[Ints, Floats, Ints]:
    """Fans of polygons: vertices (F, 3), texture coordinates (F, 3, 2), and the polygon (F,) each comes from."""
    fans = [
        ([v[0], v[k], v[k + 1]], [t[0], t[k], t[k + 1]], i)
        for i, (v, t) in enumerate(polygons)
        for k in range(1, len(v) - 1)
    ]
    return np.array([f for f, _, _ in fans]), vt[[t for _, t, _ in fans]], np.array([i for _, _, i in fans])


def head_polygons(head: MakeHuman) -> tuple[list[int], list[int]]:
    """Polygons of base.obj that belong to the head, and the class of each."""
    masks = {
        key: cv2.imread(str(head.sources.path(f"mpfb/textures/mpfb_{key}.jpg")), cv2.IMREAD_GRAYSCALE)
        for key in ("lips", "inside-mouth")
    }

    def inside(key: str, uv: Floats) -> bool:
        size = masks[key].shape[0]
        return bool(masks[key][int((1 - uv[1]) * (size - 1)), int(uv[0] * (size - 1))] > 127)

    def moved_by(*names: str) -> Floats:
        return np.asarray(sum(np.linalg.norm(head.target(name), axis=1) for name in names))

    nose = moved_by(*(f"nose/nose-{key}-incr" for key in ("width1", "width2", "width3", "point-width")))
    ear = moved_by("ears/l-ear-scale-incr", "ears/r-ear-scale-incr")
    neck = head.rig.weights[[head.rig.bones.index(f"neck0{i}") for i in (1, 2, 3)]].sum(0)
    with gzip.open(head.sources.path("mpfb/uv_layers/scalp_solid.json.gz"), "rt", encoding="utf-8") as stream:
        scalp = {int(key) for key in json.load(stream)}
    lip_middle = np.median(head.lower[lip_vertices(head, inside)])

    def label(index: int, v: list[int], centre: Floats, uv: Floats) -> str:
        if inside("inside-mouth", uv):
            return "inner_mouth"
        if inside("lips", uv):
            return "l_lip" if head.lower[v].mean() > lip_middle else "u_lip"
        if centre[1] < 5.95:
            return "cloth"
        if ear[v].mean() > 0.012 and abs(centre[0]) > 0.60 and centre[2] < 0.66 and 6.9 < centre[1] < 7.62:
            return "ears"
        if index in scalp:
            return "hair"
        if nose[v].mean() > 0.022:
            return "nose"
        return "neck" if neck[v].mean() > 0.35 or centre[1] < 6.25 else "skin"

    kept, classes = [], []
    for index, ((v, t), group) in enumerate(zip(head.obj.polygons, head.obj.groups, strict=True)):
        centre = head.base[v].mean(0)
        if group == "helper-tongue":
            kept.append(index)
            classes.append(LABEL["inner_mouth"])
        elif group == "body" and centre[1] >= 5.75 and abs(centre[0]) <= 2.2:
            kept.append(index)
            classes.append(LABEL[label(index, v, centre, head.obj.vt[t].mean(0))])
    return kept, classes


def lip_vertices(head: MakeHuman, inside: Callable[[str, Floats], bool]) -> Ints:
    """Vertices of polygons in the lip mask."""
    body = [polygon for polygon, g in zip(head.obj.polygons, head.obj.groups, strict=True) if g == "body"]
    centres = [head.obj.vt[t].mean(0) for _, t in body]
    lips = [inside("lips", uv) and not inside("inside-mouth", uv) for uv in centres]
    return np.unique(np.concatenate([v for (v, _), lip in zip(body, lips, strict=True) if lip]))


def read_part(head: MakeHuman, folder: str, name: str) -> tuple[Proxy, ObjMesh]:
    """A proxy (eyes, teeth, lashes, hair, brow card) and its mesh."""
    proxy = read_proxy(head.sources.path(f"{folder}/{name}.mhclo"))
    return proxy, read_obj(head.sources.path(str(Path(folder) / proxy.obj_name)))


def front_teeth(v: Floats, mesh: ObjMesh) -> list[tuple[list[int], list[int]]]:
    """Polygons of the teeth that can be seen: facing forward or outward, not the far back."""
    kept = []
    for polygon in mesh.polygons:
        a = v[polygon[0]]
        normal = np.cross(a[1] - a[0], a[2] - a[0])
        normal /= np.linalg.norm(normal) + 1e-12
        centre = a.mean(0)
        outward = normal @ [np.sign(centre[0]) * min(abs(centre[0]) * 3, 1), 0, 1]
        if outward > -0.35 and centre[2] > v[:, 2].min() + 0.12:
            kept.append(polygon)
    return kept


def head_mesh(head: MakeHuman) -> HeadMesh:
    """Cut the head out of the body and add its parts."""
    kept, classes = head_polygons(head)
    f, uv, polygon = triangles([head.obj.polygons[i] for i in kept], head.obj.vt)
    label = np.array(classes)[polygon]
    tongue = np.array([head.obj.groups[i] == "helper-tongue" for i in kept])[polygon]
    used = np.unique(f)
    faces, uvs, labels = [np.searchsorted(used, f)], [uv], [label]
    mats = [np.where(tongue, MOUTH, SKIN)]
    vertices: list[Floats] = [head.base[used]]
    bindings: list[tuple[Proxy, Ints]] = []

    def add(part: tuple[Proxy, ObjMesh], material: int, polygons: list[tuple[list[int], list[int]]]) -> None:
        proxy, mesh = part
        part_f, part_uv, _ = triangles(polygons, mesh.vt)
        part_used = np.unique(part_f)
        part_v = proxy.place(head.base)[part_used]
        part_f = np.searchsorted(part_used, part_f)
        side = np.where(part_v[part_f].mean(1)[:, 0] > 0, LABEL["l_eye"], LABEL["r_eye"])
        flat = LABEL["skin"] if material == LASHES else LABEL["inner_mouth"]
        faces.append(part_f + sum(map(len, vertices)))
        uvs.append(part_uv)
        labels.append(side if material == EYE else np.full(len(part_f), flat))
        mats.append(np.full(len(part_f), material))
        vertices.append(part_v)
        bindings.append((proxy, part_used))

    eyes = read_part(head, "makehuman/eyes/low-poly", "low-poly")
    add(eyes, EYE, eyes[1].polygons)
    teeth = read_part(head, *TEETH_PART)
    add(teeth, TEETH, front_teeth(teeth[0].place(head.base), teeth[1]))
    lashes = read_part(head, "makehuman_assets/eyelashes/eyelashes01", "eyelashes01")
    add(lashes, LASHES, lashes[1].polygons)

    def lift(field: Floats) -> Floats:
        return np.vstack([field[used], *(proxy.follow(field)[part] for proxy, part in bindings)])

    v, f, uv, mat = np.vstack(vertices), np.vstack(faces), np.vstack(uvs), np.concatenate(mats)
    label, lash = np.concatenate(labels), np.concatenate(mats) == LASHES
    soft = np.ones(len(v), bool)
    soft[np.unique(f[(mat == EYE) | (mat == TEETH) | (mat == MOUTH)])] = False
    return HeadMesh(
        v=v, f=f[~lash], uv=uv[~lash], label=label[~lash].astype(np.uint8), mat=mat[~lash].astype(np.uint8),
        lash_f=f[lash], lash_uv=uv[lash], landmarks=np.searchsorted(used, head.landmarks), soft=soft,
        lower=lift(np.repeat(head.lower[:, None], 3, 1))[:, 0], lift=lift,
    )  # fmt: skip
