# SPDX-License-Identifier: MIT
"""The 208 identity parameters of each head as offsets; every one is two-sided and 0 at the base face.

Head A: 173 pairs of MakeHuman targets (``data/identity_a.tsv``), 6 macro parameters and 29 flesh handles.
Head B: 100 modes of ICT-FaceKit's scans and 36 facial components moved along 3 axes.
"""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bdfm_infer.alignment import MIRRORED_LANDMARK
from bdfm_infer.parameters import N_IDENTITY
from bdfm_train.errors import RecipeError
from bdfm_train.face_model.ict import IctFaceKit
from bdfm_train.face_model.invariants import seal_lips, seat_eyeballs
from bdfm_train.face_model.labels import EYE, LABEL, SKIN
from bdfm_train.face_model.makehuman import MakeHuman
from bdfm_train.face_model.mesh import Floats, HeadMesh

DATA: Final = Path(__file__).parent / "data"
BROW_SEAM: Final = 0.015
"""Decimetres over which a brow target fades out across the middle of the face."""
SCAN_SIGMAS: Final = 2.5
"""Standard deviations of a scan mode at parameter 1."""
EYE_OPENING: Final = 0.20
"""Decimetres around an eye's centre within which head B's other handles fade out, or they would tear the lids."""
BONY: Final = frozenset({"eye-bone", "mouth-bone", "chin-bone", "jaw-bone"})
"""Groups of handles that also move the inside of the mouth and the sockets."""
ANCHORED: Final = frozenset({"macro", "neck", "head"})
"""Groups whose targets move the whole head; their mean motion of the eyes is taken out."""


@dataclass
class Identity:
    """Offsets of the identity parameters."""

    names: list[str]
    groups: list[str]
    positive: Floats
    """(208, V, 3) offsets at parameter 1."""
    negative: Floats
    """(208, V, 3) offsets at parameter 0."""

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.groups) == len(self.positive) == len(self.negative) == N_IDENTITY:
            raise RecipeError(f"a head needs {N_IDENTITY} identity parameters, its tables give {len(self.names)}")


def head_a_identity(head: MakeHuman) -> Identity:
    """Identity of the MakeHuman head."""
    names: list[str] = []
    groups: list[str] = []
    fields: list[tuple[Floats, Floats]] = []

    def add(name: str, group: str, positive: Floats, negative: Floats) -> None:
        names.append(name)
        groups.append(group)
        fields.append((positive, negative))

    lift = head.mesh.lift
    with (DATA / "identity_a.tsv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            positive = head.target(row["positive"])
            negative = head.target(row["negative"]) if row["negative"] else -0.5 * positive
            if row["side"]:
                side = 1 if row["side"] == "l" else -1
                fade = 1 / (1 + np.exp(-np.clip(side * head.base[:, :1] / BROW_SEAM, -40, 40)))
                positive, negative = positive * fade, negative * fade
            add(row["name"], row["group"], lift(positive), lift(negative))
    for name in ("gender-male", "age-old", "african", "asian", "caucasian", "weight"):
        negative, positive = head.macros[f"macro-{name}"]
        add(f"macro-{name}", "macro", lift(positive), lift(negative))
    for name, group, field in _handles_a(head.mesh.v):
        add(name, group, field, -field)

    both = np.array(fields).swapaxes(0, 1)
    eyes = np.unique(head.mesh.f[head.mesh.mat == EYE])
    anchored = np.array([group in ANCHORED for group in groups])
    both[:, anchored] -= both[:, anchored][:, :, eyes].mean(2, keepdims=True)
    positive, negative = (seal_lips(seat_eyeballs(side, head.mesh), head.mesh) for side in both)
    return Identity(names, groups, positive, negative)


def _handles_a(v: Floats) -> list[tuple[str, str, Floats]]:
    """Names, groups and fields of head A's flesh handles."""
    table: dict[str, dict[str, Any]] = tomllib.loads((DATA / "identity_a_handles.toml").read_text(encoding="utf-8"))
    handles = []
    sided = [(f"{s}-", sign, key, row) for s, sign in (("l", 1), ("r", -1)) for key, row in table["sided"].items()]
    for prefix, sign, key, row in [*sided, *(("", 1, key, row) for key, row in table["central"].items())]:
        anchor = np.array(table["anchors"][key]) * [sign, 1, 1]
        weight = np.exp(-((v - anchor) ** 2).sum(1) / (2 * row["radius"] ** 2))
        for axis, amplitude in row["amplitude"].items():
            move = np.zeros(3)
            move["xyz".index(axis)] = amplitude * (sign if axis == "x" else 1)
            handles.append((f"{prefix}{key}-{axis}", row["group"], weight[:, None] * move))
    return handles


def head_b_identity(head: IctFaceKit) -> Identity:
    """Identity of the ICT-FaceKit head: every parameter acts alike in both directions."""
    names = [f"scan-pca-{i:03d}" for i in range(len(head.modes))]
    groups = ["pca"] * len(names)
    fields = [head.mesh.lift(mode.astype(float)) * SCAN_SIGMAS for mode in head.modes]
    for name, group, field in _handles_b(head.mesh):
        names.append(name)
        groups.append(group)
        fields.append(field)
    positive = seal_lips(seat_eyeballs(np.array(fields), head.mesh), head.mesh)
    return Identity(names, groups, positive, -positive)


def _handles_b(mesh: HeadMesh) -> list[tuple[str, str, Floats]]:
    """Names, groups and fields of head B's facial components, each along x, y and z."""
    table: dict[str, Any] = tomllib.loads((DATA / "identity_b_handles.toml").read_text(encoding="utf-8"))
    points = mesh.v[mesh.landmarks]
    eyes = {side: points[eye].mean(0) for side, eye in ((-1, slice(36, 42)), (1, slice(42, 48)))}
    to_eye = np.min([np.linalg.norm(mesh.v - eye, axis=1) for eye in eyes.values()], axis=0)
    outside_lids = 1 - np.exp(-((to_eye / EYE_OPENING) ** 2))
    flesh = np.zeros(len(mesh.v), bool)
    flesh[np.union1d(mesh.f[(mesh.mat == SKIN) | (mesh.label == LABEL["skin"])], mesh.lash_f)] = True
    handles = []
    sided = [(f"{s}-", sign, row) for s, sign in (("r", -1), ("l", 1)) for row in table["sided"]]
    for prefix, sign, row in [*sided, *(("", 1, row) for row in table["central"])]:
        near = np.array(row["points"])
        mirror = np.array([sign, 1, 1])
        anchor = points[near if sign > 0 else MIRRORED_LANDMARK[near]].mean(0) + row.get("at", np.zeros(3)) * mirror
        weight = np.exp(-((mesh.v - anchor) ** 2).sum(1) / (2 * row["radius"] ** 2))
        if row["group"] == "eye-bone":
            for side in eyes:
                weight[mesh.eye(side)] = float(row.get("eyeball", False) and side == sign)
        else:
            weight *= outside_lids
        if row["group"] not in BONY:
            weight *= flesh
        for axis in range(3):
            move = np.zeros(3)
            move[axis] = row["amplitude"]
            handles.append((f"{prefix}{row['name']}-{'xyz'[axis]}", row["group"], weight[:, None] * move * mirror))
    return handles
