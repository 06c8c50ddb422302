# SPDX-License-Identifier: MIT
"""Action unit shapes from recipes: which shapes, pose units and flesh handles of a head make up each action unit.

The recipes are data, ``bdfm_infer/data/action_units.toml``: a table for each action unit, with one for each head::

    [AU12.a]
    pose_units = { "*CheekUp" = 0.25 }          # head A: turned through the rig's bones, all together
    shapes = { "mouthSmile*" = 0.6 }            # the head's sculpted shapes, summed
    handles = [{ points = [54], radius_mm = 12, move_mm = [2, 4, 0], lip = "lower" }]
    shields = [{ points = [54], radius_mm = 15, strength = 0.7 }]
    clear_eyeball_mm = 0.3

``*`` in a name stands for both sides. A handle moves flesh around the mean of some landmarks (shifted by ``at_mm``)
with Gaussian fall-off, on both sides of the face unless ``mirror = false``; ``lip`` limits it to what hangs on the
upper or the lower jaw. A shield holds the flesh around a point back, by ``strength`` (1: still). ``clear_eyeball_mm``
pushes lids out of the eyeballs, ``centre_mm`` shifts the centre about which head A's jaw turns from its bone.
Millimetres are those of a face whose outer eye corners are 88 mm apart, so that recipes of both heads read alike.
``[base]`` is added to the head at rest.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from bdfm_infer.alignment import MIRRORED_LANDMARK
from bdfm_infer.parameters import ACTION_UNIT_TABLE, AU_NAMES
from bdfm_infer.parameters import NO_ACTION_UNIT as BASE
from bdfm_train.errors import RecipeError
from bdfm_train.face_model.mesh import Bools, Floats, HeadMesh, Ints, unit_mm

DATA: Final = Path(__file__).parent / "data"
JAW: Final = "AU26"
JAW_STEPS: Final = 5
"""The jaw's rotation is baked at this many equally spaced intensities up to 1; between them it is interpolated."""


@dataclass(frozen=True)
class Handle:
    """A Gaussian move of flesh."""

    points: tuple[int, ...]
    radius_mm: float
    move_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    at_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lip: str = ""
    mirror: bool = True
    strength: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """How one action unit at intensity 1 is made."""

    pose_units: Mapping[str, float] = field(default_factory=dict)
    shapes: Mapping[str, float] = field(default_factory=dict)
    handles: tuple[Handle, ...] = ()
    shields: tuple[Handle, ...] = ()
    clear_eyeball_mm: float = 0.0
    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)


class ShapeKit(Protocol):
    """A head that can turn recipes into offsets."""

    sides: tuple[str, str]
    """What ``*`` stands for in names of shapes."""

    @property
    def mesh(self) -> HeadMesh:
        """The head as it is rendered."""

    @property
    def eye_middle(self) -> Floats:
        """(3,) middle of both eyeballs."""

    def blend(self, recipe: Recipe) -> Floats:
        """(V, 3) offsets of the recipe's pose units and shapes."""

    def jaw(self, recipe: Recipe, amount: float) -> Floats:
        """(V, 3) offsets of the jaw opened to a share of the recipe."""


def read_recipes(head: str, path: Path = ACTION_UNIT_TABLE) -> dict[str, Recipe]:
    """A head's recipes of all action units, and of the base face, from a TOML file.

    Raises:
        RecipeError: an action unit has no recipe for the head, or a table has an unknown key.
    """
    tables: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    if missing := [name for name in AU_NAMES if head not in tables.get(name, {})]:
        raise RecipeError(f"{path.name} has no recipe [{missing[0]}.{head}]. Each action unit needs one on each head.")
    recipes = {BASE: Recipe()}
    for name in (BASE, *AU_NAMES):
        table = dict(tables.get(name, {}).get(head, {}))
        try:
            handles, shields = (tuple(Handle(**h) for h in table.pop(key, ())) for key in ("handles", "shields"))
            recipes[name] = Recipe(handles=handles, shields=shields, **table)
        except TypeError as error:
            raise RecipeError(f"{path.name}, [{name}.{head}]: {error}") from error
    return recipes


def both_sides(amounts: Mapping[str, float], sides: tuple[str, str]) -> dict[str, float]:
    """Amounts with each ``*`` replaced by both sides."""
    return {name.replace("*", side): amount for name, amount in amounts.items() for side in sides}


def gaussian(handle: Handle, v: Floats, anchors: Floats, mirrored: bool) -> Floats:
    """(V,) weight of a handle on vertices v, by the landmark positions (68, 3)."""
    points = np.array(handle.points)
    sign = np.array([-1.0 if mirrored else 1.0, 1.0, 1.0])
    scale = unit_mm(anchors)
    anchor = anchors[MIRRORED_LANDMARK[points] if mirrored else points].mean(0) + np.array(handle.at_mm) * sign / scale
    squared = ((v - anchor) ** 2).sum(1) * (scale / handle.radius_mm) ** 2
    return np.asarray(np.exp(-squared / 2))


def sculpt(offsets: Floats, recipe: Recipe, v: Floats, landmarks: Ints, lower: Floats, soft: Bools) -> Floats:
    """Offsets (V, 3) with the recipe's shields and handles applied."""
    anchors, offsets = v[landmarks], offsets.copy()
    for shield in recipe.shields:
        for mirrored in (False, True)[: 1 + shield.mirror]:
            offsets *= 1 - shield.strength * gaussian(shield, v, anchors, mirrored)[:, None]
    share = {"": np.ones(len(v)), "lower": lower, "upper": 1 - lower}
    for handle in recipe.handles:
        for mirrored in (False, True)[: 1 + handle.mirror]:
            weight = gaussian(handle, v, anchors, mirrored) * share[handle.lip] * soft
            move = np.array(handle.move_mm) * [-1.0 if mirrored else 1.0, 1.0, 1.0] / unit_mm(anchors)
            offsets += weight[:, None] * move
    return offsets


def clear_eyeballs(offsets: Floats, mesh: HeadMesh, margin_mm: float) -> Floats:
    """Offsets with flesh pushed radially out of the front of both eyeballs, to a margin above their surface."""
    moved = mesh.v + offsets
    margin = margin_mm / unit_mm(mesh.v[mesh.landmarks])
    travels = mesh.soft & (np.abs(offsets).max(1) > margin / 10)
    for side in (1, -1):
        ball = mesh.v[mesh.eye(side)]
        front = ball[ball[:, 2] > np.percentile(ball[:, 2], 50)]
        centre, radius = fit_sphere(front)
        ray = moved - centre
        distance = np.linalg.norm(ray, axis=1)
        sunk = travels & (distance < radius + margin) & (ray[:, 2] > 0.2 * radius)
        moved[sunk] = centre + ray[sunk] / distance[sunk, None] * (radius + margin)
    return moved - mesh.v


def fit_sphere(points: Floats) -> tuple[Floats, float]:
    """Centre (3,) and radius of the sphere that fits points (N, 3) best."""
    system = np.c_[2 * points, np.ones(len(points))]
    solution = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
    return solution[:3], float(np.sqrt(solution[3] + solution[:3] @ solution[:3]))


def action_unit_offsets(kit: ShapeKit, recipes: Mapping[str, Recipe]) -> tuple[Floats, Floats]:
    """Offsets of the action units at intensity 1, (23, V, 3), and of the jaw's steps, (JAW_STEPS, V, 3).

    The row of AU26 stays empty: its shape is the jaw's steps.
    """
    mesh = kit.mesh
    units = np.zeros((len(AU_NAMES), len(mesh.v), 3))
    for row, name in enumerate(AU_NAMES):
        if name != JAW:
            units[row] = finish(kit.blend(recipes[name]), recipes[name], mesh)
    steps = [kit.jaw(recipes[JAW], (i + 1) / JAW_STEPS) for i in range(JAW_STEPS)]
    return units, np.array(steps)


def finish(offsets: Floats, recipe: Recipe, mesh: HeadMesh) -> Floats:
    """Blended offsets with the recipe's shields, handles and eyeball clearance."""
    offsets = sculpt(offsets, recipe, mesh.v, mesh.landmarks, mesh.lower, mesh.soft)
    return clear_eyeballs(offsets, mesh, recipe.clear_eyeball_mm) if recipe.clear_eyeball_mm else offsets
