# SPDX-License-Identifier: MIT
"""Build both heads: ``python -m bdfm_train.face_model.build --out DIR``.

Reads the sources from the folder that ``BDFM_SOURCES`` names and writes for each head (``a``: MakeHuman, ``b``:
ICT-FaceKit) three files. Lengths are decimetres; +x the person's left, +y up, +z forward.

``head_X.npz``
    ``v`` float32 (V, 3) base vertices; ``f`` int32 (F, 3); ``uv`` float32 (F, 3, 2); ``label``, ``mat`` uint8 (F,)
    class and material (:mod:`bdfm_train.face_model.labels`); ``labels`` names of the classes; ``lash_f``, ``lash_uv``
    the lash cards; ``landmarks`` int32 (68,) vertices in iBUG order; ``center`` (3,), ``half`` what a frontal picture
    shows: a square of side ``2 half`` about ``center``; ``pivot`` (3,) about which the head turns; ``mm`` millimetres
    in a unit.

    Offsets are sparse: ``NAME_ptr`` int32 (K + 1,), ``NAME_vi`` uint16 and ``NAME_val`` float16 (n, 3); field k is rows
    ``ptr[k]:ptr[k + 1]``. ``id_pos``, ``id_neg``: the 208 identity parameters at 1 and at 0 (0.5 is the base), with
    ``id_names`` and ``id_groups``. ``au_best``: the 23 action units at intensity 1, in the order of ``au_names``; the
    row of AU26 is empty. ``jaw``: the jaw opened by AU26 at intensities 1/K ... 1, absolute offsets from the base,
    linear between two steps (a straight offset would shear beyond 20 degrees).

``textures_X.npz``
    ``skins`` uint8 (n, S, S, 3) RGB, ``skin_names``; ``label`` uint8 (S, S) refines the class where ``mat`` is SKIN;
    ``brows`` uint8 (36, h, w) opacity in an atlas ``brow_scale`` times finer, cropped at ``brow_off`` (row, column);
    ``beard`` uint8 (2, S, S) opacity of moustache with goatee, of a full beard; ``eyes``, ``eye_names``; ``teeth``;
    ``tongue``; ``ao`` float32 (V,) ambient occlusion.

``hair_X.npz``
    ``names``; for each style ``NAME_off`` (N, 3), ``NAME_idx`` (N, 4), ``NAME_w`` (N, 4): vertices are ``off`` plus the
    weighted head vertices; ``NAME_f``, ``NAME_uv``, ``NAME_tex`` uint8 RGBA; ``lash_tex`` uint8 RGBA.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.errors import WriteError
from bdfm_infer.parameters import AU_NAMES
from bdfm_train.arrays import write_arrays
from bdfm_train.command import run
from bdfm_train.face_model.action_units import BASE, DATA, Recipe, ShapeKit, action_unit_offsets, read_recipes
from bdfm_train.face_model.hair import hair_arrays
from bdfm_train.face_model.ict import IctFaceKit
from bdfm_train.face_model.identity import Identity, head_a_identity, head_b_identity
from bdfm_train.face_model.makehuman import MakeHuman
from bdfm_train.face_model.mesh import Ints, sparse
from bdfm_train.face_model.sources import Sources
from bdfm_train.face_model.textures import (
    ASSETS,
    ATLAS,
    BROW_SCALE,
    BrowCards,
    ambient_occlusion,
    atlas_positions,
    beard_atlas,
    brow_fit,
    label_atlas,
    read_image,
    shared_textures,
)

AU_THRESHOLD: Final = 3e-4
IDENTITY_THRESHOLD: Final = 1e-3
"""Decimetres of offset below which a vertex is left out."""
GUM_COLOUR: Final = (176, 84, 84)
TOOTH_COLOUR: Final = (214, 205, 190)
Arrays = dict[str, NDArray]


@dataclass(frozen=True)
class Frame:
    """What a frontal picture shows, relative to the middle of the eyeballs, decimetres."""

    below_eyes: float
    half: float
    pivot_below_eyes: float
    pivot_z: float


FRAMES: Final = {"a": Frame(0.30, 1.02, 0.6, 0.35), "b": Frame(0.36, 1.12, 0.6, 0.0)}


def landmark_vertices(head: str) -> Ints:
    """(68,) vertices of the landmarks on a head's source mesh."""
    return np.array(tomllib.loads((DATA / "landmarks.toml").read_text(encoding="utf-8"))[head])


def load_heads(sources: Sources) -> tuple[MakeHuman, IctFaceKit]:
    """Both heads' geometry, before anything is baked."""
    head_a = MakeHuman(sources, read_recipes("a")[BASE], landmark_vertices("a"))
    return head_a, IctFaceKit(sources, landmark_vertices("b"), head_a.mesh, read_recipes("b")[BASE])


def head_arrays(kit: ShapeKit, units: Mapping[str, Recipe], identity: Identity, frame: Frame) -> Arrays:
    """Arrays of ``head_X.npz``."""
    mesh, eyes = kit.mesh, kit.eye_middle
    arrays: Arrays = {
        "v": mesh.v.astype(np.float32), "f": mesh.f.astype(np.int32), "uv": mesh.uv.astype(np.float32),
        "label": mesh.label, "mat": mesh.mat, "lash_f": mesh.lash_f.astype(np.int32),
        "lash_uv": mesh.lash_uv.astype(np.float32), "landmarks": mesh.landmarks.astype(np.int32),
        "id_names": np.array(identity.names), "id_groups": np.array(identity.groups), "au_names": np.array(AU_NAMES),
        "center": np.array([0, eyes[1] - frame.below_eyes, eyes[2]]), "half": np.array(frame.half),
        "pivot": np.array([0, eyes[1] - frame.pivot_below_eyes, frame.pivot_z]),
    }  # fmt: skip
    shapes, jaw = action_unit_offsets(kit, units)
    for name, fields, threshold in (
        ("id_pos", identity.positive, IDENTITY_THRESHOLD),
        ("id_neg", identity.negative, IDENTITY_THRESHOLD),
        ("au_best", shapes, AU_THRESHOLD),
        ("jaw", jaw, AU_THRESHOLD),
    ):
        arrays[f"{name}_ptr"], arrays[f"{name}_vi"], arrays[f"{name}_val"] = sparse(fields, threshold)
    return arrays


def texture_arrays(head_a: MakeHuman, head_b: IctFaceKit) -> tuple[Arrays, Arrays]:
    """Arrays of ``textures_a.npz`` and ``textures_b.npz``."""
    sources = head_a.sources
    shared = shared_textures(sources)
    position, triangle = atlas_positions(head_a.mesh, ATLAS)
    shared["label"] = label_atlas(sources, head_a.mesh, position, triangle)
    shared["beard"] = beard_atlas(position, shared["label"])
    cards = BrowCards(head_a)
    points_a, points_b = (h.mesh.v[h.mesh.landmarks] for h in (head_a, head_b))
    off_a, brows_a = cards.paint(atlas_positions(head_a.mesh, BROW_SCALE * ATLAS)[0])
    fit = brow_fit(points_b, points_a)
    off_b, brows_b = cards.paint(atlas_positions(head_b.mesh, BROW_SCALE * ATLAS)[0], fit, arch=0.04)
    textures_a = shared | {
        "brow_off": np.array(off_a), "brows": brows_a, "ao": ambient_occlusion(head_a.mesh, (0.85, 0.6)),
        "teeth": read_image(sources, f"{ASSETS}/teeth/materials/teeth.png", 256, cv2.IMREAD_UNCHANGED)[..., :3],
        "tongue": read_image(sources, f"{ASSETS}/tongue/tongue01/tongue01_diffuse.png", 128),
    }  # fmt: skip
    textures_b = shared | {
        "brow_off": np.array(off_b), "brows": brows_b, "ao": ambient_occlusion(head_b.mesh, (0.75, 0.35)),
        "teeth": np.full((8, 8, 3), TOOTH_COLOUR, np.uint8), "tongue": np.full((8, 8, 3), GUM_COLOUR, np.uint8),
    }  # fmt: skip
    return textures_a, textures_b


def build(out: Path, sources: Sources) -> list[Path]:
    """Build both heads into a folder and return the files written.

    Raises:
        SourcesError: a source file is missing or has other bytes than expected.
        RecipeError: a data file names something that does not exist.
        WriteError: the folder cannot be written.
    """
    head_a, head_b = load_heads(sources)
    textures_a, textures_b = texture_arrays(head_a, head_b)
    files = {
        "head_a": head_arrays(head_a, read_recipes("a"), head_a_identity(head_a), FRAMES["a"]),
        "head_b": head_arrays(head_b, read_recipes("b"), head_b_identity(head_b), FRAMES["b"]),
        "textures_a": textures_a,
        "textures_b": textures_b,
        "hair_a": hair_arrays(head_a),
        "hair_b": hair_arrays(head_a, head_b),
    }
    written = [out / f"{name}.npz" for name in files]
    for path, arrays in zip(written, files.values(), strict=True):
        write_arrays(path, arrays, compressed=True, error=WriteError)
    return written


def main(argv: list[str] | None = None) -> int:
    """Command line: build both heads."""
    parser = argparse.ArgumentParser(
        prog="python -m bdfm_train.face_model.build", description="Build both heads from the sources in BDFM_SOURCES."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the built heads")
    out = parser.parse_args(argv).out

    def command() -> None:
        for path in build(out, Sources()):
            print(f"{path} {path.stat().st_size / 1e6:.1f} MB")

    return run(command)


if __name__ == "__main__":
    sys.exit(main())
