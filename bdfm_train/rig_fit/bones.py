# SPDX-License-Identifier: MIT
"""Mappings to face bones, measured: MakeHuman's named poses against head A, Rocketbox's bones against her AU keys."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from bdfm_infer.parameters import AU_NAMES
from bdfm_train.face_model.action_units import BASE, JAW, action_unit_offsets, read_recipes
from bdfm_train.face_model.build import landmark_vertices
from bdfm_train.face_model.compare import reference
from bdfm_train.face_model.makehuman import MakeHuman
from bdfm_train.face_model.mesh import Floats
from bdfm_train.face_model.sources import Sources, sources_root

from .faces import UNITS, Face, rocketbox
from .mixes import best_mix, closeness, measure
from .report import ODD, markdown
from .skin import AXES, Skin, Targets, mapping_targets, read_skin

POSES: Final = Path(__file__).parent / "data" / "poses.toml"
MAN: Final = "characters/rocketbox-male08-bones/Male_Adult_08.fbx"
FOLLOWS: Final = 0.05
"""A vertex belongs to the face if its face bones move it by at least this share."""


def report(mappings: Path) -> str:
    """Both tables, for the mapping files of a folder."""
    return "\n\n".join((_makehuman(mappings / "mpfb_default.json"), *_rocketbox(mappings / "rocketbox_bones.json")))


def _makehuman(mapping: Path) -> str:
    """Named poses of MakeHuman's rig, and the mapping's turns of its bones, against head A's action units."""
    recipes = read_recipes("a")
    head = MakeHuman(Sources(), recipes[BASE], landmark_vertices("a"))
    offsets, jaw = action_unit_offsets(head, recipes)
    units = dict(zip(AU_NAMES, offsets, strict=True)) | {JAW: jaw[-1]}
    face = Face("MakeHuman", _paired_poses(head), units)
    usual = tomllib.loads(POSES.read_text(encoding="utf-8"))["usual"]
    channels, _ = mapping_targets(mapping)
    scores = {
        "one pose each": {unit: measure(face, unit, usual[unit]) for unit in UNITS},
        "ours": {unit: closeness(_turned(head, channels[unit]), units[unit]) for unit in UNITS},
        "best mix of poses": {unit: measure(face, unit, best_mix(face, unit, face.keys)) for unit in UNITS},
    }
    return markdown(face, scores, {})


def _paired_poses(head: MakeHuman) -> dict[str, Floats]:
    """Offsets of each named face pose on the head mesh, both sides together (``*``); without rest, gaze and tongue."""
    poses: dict[str, Floats] = {}
    for name in head.pose_units:
        if name != "Rest" and "Right" not in name and "Eye" not in name and "Tongue" not in name:
            sides = {name, name.replace("Left", "Right")}
            moved = head.bones(dict.fromkeys(sides, 1.0), np.zeros(3))
            poses[name.replace("Left", "*")] = head.mesh.lift(moved)
    return poses


def _turned(head: MakeHuman, targets: Targets) -> Floats:
    """Offsets of the head mesh for bone rotations about the character's own axes."""
    turns: dict[str, Floats] = {}
    for target in targets:
        turn = np.radians(target["degrees"]) * np.eye(3)[AXES[target["axis"]]]
        turns[target["bone"]] = turns.get(target["bone"], 0) + turn
    return head.mesh.lift(head.rig.offsets(head.base, turns))


def _rocketbox(mapping: Path) -> tuple[str, str]:
    """The mapping on the woman's own bones, and on the man's, both against the woman's AU keys."""
    root, face = sources_root(), rocketbox()
    woman, man = read_skin(root / reference()["file"]), read_skin(root / MAN)
    units = {unit: offsets[:, [0, 2, 1]] * [1, 1, -1] for unit, offsets in face.units.items()}
    channels, lengths = mapping_targets(mapping)
    near, scale = _counterparts(woman, man)
    followed = woman.share("Bip01 Head") - woman.weights["Bip01 Head"] > FOLLOWS
    own = {unit: closeness(woman.offsets(channels[unit], lengths), units[unit]) for unit in UNITS}
    other = {
        unit: closeness(man.offsets(channels[unit], lengths)[near[followed]] / scale, units[unit][followed])
        for unit in UNITS
    }
    return (
        markdown(face, {"her own bones, ours": own, "the man's bones, ours": other}, ODD),
        "\n".join(f"* {unit} {reason}." for unit, reason in ODD.items()),
    )


def _counterparts(one: Skin, other: Skin) -> tuple[np.ndarray, float]:
    """For each vertex of one skin the nearest of another laid over it by the face bones that both have, and the
    other's size beside the first."""
    names = [name for name in one.heads if name in other.heads and one.parents.get(name) == "Bip01 Head"]
    a, b = (np.array([skin.heads[name] for name in names]) for skin in (one, other))
    scale = float(np.linalg.norm(b - b.mean(0)) / np.linalg.norm(a - a.mean(0)))
    turn, _ = Rotation.align_vectors(a - a.mean(0), b - b.mean(0))
    laid = turn.apply(other.v - b.mean(0)) / scale + a.mean(0)
    return cKDTree(laid).query(one.v)[1], scale
