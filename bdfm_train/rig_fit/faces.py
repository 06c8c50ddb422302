# SPDX-License-Identifier: MIT
"""Faces that have both: the 52 ARKit shapes, and action units of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bdfm_infer.parameters import AU_NAMES
from bdfm_train.face_model.action_units import BASE, JAW, action_unit_offsets, read_recipes
from bdfm_train.face_model.build import landmark_vertices
from bdfm_train.face_model.compare import reference
from bdfm_train.face_model.fbx import read_meshes
from bdfm_train.face_model.makehuman import ARKIT_UNITS, MakeHuman
from bdfm_train.face_model.mesh import Floats
from bdfm_train.face_model.sources import Sources, sources_root

UNITS: Final = tuple(name for name in AU_NAMES if name.startswith("AU"))
"""The 19 action units that a mapping to ARKit is judged by; eyes and jaw sideways have keys of their own there."""

ARTIST_ARKIT: Final = "AK_"


@dataclass(frozen=True)
class Face:
    """One face at rest.

    Attributes:
        keys: offsets (V, 3) of its ARKit shapes, by name (``browDownLeft``).
        units: offsets (V, 3) of its action units at intensity 1.
    """

    name: str
    keys: Mapping[str, Floats]
    units: Mapping[str, Floats]


def rocketbox() -> Face:
    """The woman of Microsoft Rocketbox: artists made both sets of keys.

    Raises:
        SourcesError: her file is missing.
    """
    table = reference()
    mesh = max(read_meshes(sources_root() / table["file"]), key=lambda m: len(m.shapes))
    shapes = {name.removeprefix(table["key_prefix"]): offsets for name, offsets in mesh.shapes.items()}
    keys = {_arkit_name(name): offsets for name, offsets in shapes.items() if name.startswith(ARTIST_ARKIT)}
    units = {unit: np.sum([shapes[name] for name in names], axis=0) for unit, names in table["keys"].items()}
    return Face("Rocketbox", keys, units)


def head_a() -> Face:
    """MakeHuman's ARKit face units, and the action units of head A.

    Raises:
        SourcesError: a file is missing.
    """
    sources, recipes = Sources(), read_recipes("a")
    head = MakeHuman(sources, recipes[BASE], landmark_vertices("a"))
    names = [path.removeprefix(ARKIT_UNITS).removesuffix(".target") for path in sources.table if ARKIT_UNITS in path]
    offsets, jaw = action_unit_offsets(head, recipes)
    units = dict(zip(AU_NAMES, offsets, strict=True)) | {JAW: jaw[-1]}
    return Face("head A", {name: head.mesh.lift(head.shape(name)) for name in names}, units)


def _arkit_name(key: str) -> str:
    """``AK_25_JawOpen`` -> ``jawOpen``."""
    name = key.split("_", 2)[2]
    return name[0].lower() + name[1:]
