# SPDX-License-Identifier: MIT
"""Hair and lashes: alpha-tested cards that ride on the head's vertices."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bdfm_train.face_model.ict import IctFaceKit
from bdfm_train.face_model.labels import LABEL, SKIN
from bdfm_train.face_model.makehuman import MakeHuman, read_part, triangles
from bdfm_train.face_model.mesh import Floats, HeadMesh, Ints
from bdfm_train.face_model.textures import ASSETS, read_image

STYLES: Final = ("short01", "short02", "short04", "long01", "ponytail01", "braid01", "short03", "bob02")
"""Hair styles; the last two cover an eye."""
OPEN_EARS: Final = frozenset({"short01", "short02", "short04", "ponytail01", "short03"})
"""Styles that leave the ears free. Head B's ears lie elsewhere: strands that touch head A's would run through them."""
EAR_REACH: Final = 0.10
EAR_TOP: Final = 7.36
"""Decimetres from head A's ears, and height below which such strands are left out on head B."""
LOWEST: Final = 5.7
"""Height in head A's space below which hair is cut off."""
LASH_TEXTURE: Final = 256
Arrays = dict[str, NDArray]


def bind(points: Floats, mesh: HeadMesh, candidates: Ints) -> tuple[Floats, Ints, Floats]:
    """Constant offset (N, 3), vertices (N, 4) and weights (N, 4) that tie points to a head's nearest vertices."""
    distance, near = cKDTree(mesh.v[candidates]).query(points, k=4)
    weight = 1 / (distance + 1e-3) ** 2
    weight /= weight.sum(1, keepdims=True)
    index = candidates[near]
    return points - np.einsum("nk,nkd->nd", weight, mesh.v[index]), index, weight


def hair_cards(head: MakeHuman, style: str) -> tuple[Floats, Ints, Floats]:
    """Vertices (N, 3) on head A, triangles and corner coordinates of a hair style."""
    proxy, mesh = read_part(head, f"{ASSETS}/hair/{style}", style)
    v = proxy.place(head.base)
    f, uv, _ = triangles([(p, t) for p, t in mesh.polygons if v[p, 1].max() >= LOWEST], mesh.vt)
    return v, f, uv


def through_ears(v: Floats, f: Ints, head_a: HeadMesh) -> NDArray[np.bool_]:
    """Which hair triangles (F,) hang beside head A's ears."""
    skin = outer_skin(head_a)
    ears = np.isin(skin, head_a.f[head_a.label == LABEL["ears"]])
    distance, near = cKDTree(head_a.v[skin]).query(v)
    beside = ears[near] & (distance < EAR_REACH)
    return np.asarray(beside[f].any(1) & (v[f, 1].mean(1) < EAR_TOP))


def outer_skin(mesh: HeadMesh) -> Ints:
    """Vertices that hair may be tied to."""
    return np.unique(mesh.f[(mesh.mat == SKIN) & (mesh.label != LABEL["inner_mouth"])])


def hair_arrays(head_a: MakeHuman, head_b: IctFaceKit | None = None) -> Arrays:
    """Arrays of all hair styles on head A or, warped, on head B."""
    mesh = head_b.mesh if head_b else head_a.mesh
    skin = outer_skin(mesh)
    arrays: Arrays = {"names": np.array(STYLES)}
    for style in STYLES:
        v, f, uv = hair_cards(head_a, style)
        if head_b and style in OPEN_EARS:
            kept = ~through_ears(v, f, head_a.mesh)
            f, uv = f[kept], uv[kept]
        offset, index, weight = bind(head_b.warp.from_a(v) if head_b else v, mesh, skin)
        texture = read_image(head_a.sources, f"{ASSETS}/hair/{style}/{style}_diffuse.png", 512, cv2.IMREAD_UNCHANGED)
        arrays |= {
            f"{style}_off": offset.astype(np.float32), f"{style}_idx": index.astype(np.int32),
            f"{style}_w": weight.astype(np.float32), f"{style}_f": f.astype(np.int32),
            f"{style}_uv": uv.astype(np.float32), f"{style}_tex": texture,
        }  # fmt: skip
    if head_b:
        arrays["lash_tex"] = drawn_lashes(head_b.mesh)
    else:
        name = f"{ASSETS}/eyelashes/eyelashes01/eyelashes01.png"
        arrays["lash_tex"] = read_image(head_a.sources, name, LASH_TEXTURE, cv2.IMREAD_UNCHANGED)
    return arrays


def drawn_lashes(mesh: HeadMesh) -> NDArray[np.uint8]:
    """Texture of head B's lash strips: hairs of random length that grow from the lid's end of each strip."""
    texture = np.zeros((LASH_TEXTURE, LASH_TEXTURE, 4), np.uint8)
    random = np.random.default_rng(0)
    row, depth = mesh.lash_uv[..., 1], mesh.v[mesh.lash_f][..., 2]
    for low, high in ((0.346, 0.487), (0.846, 0.989)):
        strip = (row >= low - 0.01) & (row <= high + 0.01)
        upper = row > (low + high) / 2
        root_on_top = depth[strip & upper].mean() < depth[strip & ~upper].mean()
        top, bottom = int((1 - high) * LASH_TEXTURE), int((1 - low) * LASH_TEXTURE) + 1
        for column in np.flatnonzero(random.random(LASH_TEXTURE) < 0.3):
            length = int((bottom - top) * random.uniform(0.25, 0.6)) + 1
            hair = slice(top, top + length) if root_on_top else slice(bottom - length, bottom)
            texture[hair, column, 3] = 255
    return texture
