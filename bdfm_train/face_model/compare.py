# SPDX-License-Identifier: MIT
"""Action units of both heads beside those that artists made: ``python -m bdfm_train.face_model.compare``.

Prints two Markdown tables: the motion of the regions that matter (millimetres outward, up, forward; faces scaled to
88 mm between the outer eye corners), and the cosine between displacement fields at the 68 landmarks. ``--before FILE``
adds columns for the recipes of another file like ``bdfm_infer/data/action_units.toml``.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bdfm_infer.errors import BdfmError
from bdfm_infer.parameters import ACTION_UNIT_TABLE, AU_NAMES
from bdfm_train.errors import RecipeError
from bdfm_train.face_model.action_units import BASE, DATA, JAW, Recipe, ShapeKit, action_unit_offsets, read_recipes
from bdfm_train.face_model.build import landmark_vertices
from bdfm_train.face_model.fbx import read_meshes
from bdfm_train.face_model.ict import IctFaceKit
from bdfm_train.face_model.labels import HEADS
from bdfm_train.face_model.makehuman import MakeHuman
from bdfm_train.face_model.mesh import Floats, unit_mm
from bdfm_train.face_model.sources import Sources, sources_root

Fields = dict[str, Floats]
"""Action unit -> displacement (68, 3) of the landmarks, millimetres."""


def reference() -> dict[str, Any]:
    """Landmarks, keys and regions of the artists' face."""
    return tomllib.loads((DATA / "rocketbox.toml").read_text(encoding="utf-8"))


def artist_fields(table: Mapping[str, Any]) -> Fields:
    """Displacements of the artists' action units.

    Raises:
        SourcesError: the character's file is missing.
        RecipeError: it lacks a key.
    """
    path = sources_root() / table["file"]
    mesh = max(read_meshes(path), key=lambda m: len(m.shapes))
    v = mesh.v[table["landmarks"]][:, [0, 2, 1]] * [1, 1, -1]  # z up, facing -y
    fields = {}
    for unit, keys in table["keys"].items():
        names = [table["key_prefix"] + key for key in keys]
        if missing := set(names) - set(mesh.shapes):
            raise RecipeError(f"{path} has no shape key {', '.join(sorted(missing))}")
        offsets = np.sum([mesh.shapes[name][table["landmarks"]] for name in names], axis=0)
        fields[unit] = offsets[:, [0, 2, 1]] * [1, 1, -1] * unit_mm(v)
    return fields


def head_fields(kit: ShapeKit, recipes: Mapping[str, Recipe]) -> Fields:
    """Displacements of a head's action units at intensity 1."""
    mesh = kit.mesh
    units, jaw = action_unit_offsets(kit, recipes)
    scale = unit_mm(mesh.v[mesh.landmarks])
    fields = {name: units[i, mesh.landmarks] * scale for i, name in enumerate(AU_NAMES)}
    fields[JAW] = jaw[-1, mesh.landmarks] * scale
    return fields


def both_heads(sources: Sources, path: Path) -> tuple[Fields, Fields]:
    """Displacements on heads A and B by the recipes of a file."""
    recipes = {head: read_recipes(head, path) for head in HEADS}
    head_a = MakeHuman(sources, recipes["a"][BASE], landmark_vertices("a"))
    head_b = IctFaceKit(sources, landmark_vertices("b"), head_a.mesh, recipes["b"][BASE])
    return head_fields(head_a, recipes["a"]), head_fields(head_b, recipes["b"])


def region_motion(field: Floats, points: list[int]) -> Floats:
    """Mean motion (3,) of a region: outward, up, forward. Landmarks of the person's right are mirrored."""
    right = np.isin(points, [*range(8), *range(17, 22), 31, 32, *range(36, 42), 48, 49, 50, 58, 59, 60, 61, 67])
    return np.asarray((field[points] * np.where(right[:, None], [-1.0, 1.0, 1.0], 1.0)).mean(0))


def cosine(a: Floats, b: Floats) -> float:
    """Cosine between two displacement fields; 1 is the same direction everywhere."""
    return float((a * b).sum() / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-9))


def tables(columns: Mapping[str, Fields], artist: Fields, table: Mapping[str, Any]) -> str:
    """Both Markdown tables; ``columns`` are named sets of fields, ``artist`` the one they are compared with."""
    everything = {**columns, "artists": artist}
    lines = [f"| AU | region | {' | '.join(everything)} |", "|---|---|" + "---|" * len(everything)]
    for unit in AU_NAMES:
        sided = unit.rpartition("_")[2] if unit.startswith("eye") else ""
        for region in table["shows"][unit]:
            points = table["regions"][region]
            if sided:
                points = points[2:] if sided == "left" else points[:2]
            cells = [region_motion(fields[unit], points) for fields in everything.values()]
            motions = (" ".join(f"{x + 0.0:+.1f}" for x in cell) for cell in cells)
            lines.append(f"| {unit} | {region.replace('_', ' ')} | {' | '.join(motions)} |")
    names = list(columns)
    lines += ["", f"| AU | {' | '.join(f'{n}, artists' for n in names)} | size of {' | size of '.join(everything)} |"]
    lines.append("|---|" + "---|" * (len(names) + len(everything)))
    for unit in AU_NAMES:
        cosines = [f"{cosine(fields[unit], artist[unit]):+.2f}" for fields in columns.values()]
        sizes = [f"{np.linalg.norm(fields[unit], axis=1).max():.1f}" for fields in everything.values()]
        lines.append(f"| {unit} | {' | '.join(cosines + sizes)} |")
    mean = [np.mean([cosine(fields[unit], artist[unit]) for unit in AU_NAMES]) for fields in columns.values()]
    lines.append(f"| mean | {' | '.join(f'{m:+.2f}' for m in mean)} |" + " |" * len(everything))
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Command line: print the comparison."""
    parser = argparse.ArgumentParser(prog="python -m bdfm_train.face_model.compare", description=__doc__)
    parser.add_argument("--before", type=Path, help="file of other recipes to set beside the present ones")
    before = parser.parse_args(argv).before
    try:
        sources, table = Sources(), reference()
        columns = {}
        if before:
            columns["A before"], columns["B before"] = both_heads(sources, before)
        columns["A"], columns["B"] = both_heads(sources, ACTION_UNIT_TABLE)
        print(tables(columns, artist_fields(table), table))
    except BdfmError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
