# SPDX-License-Identifier: MIT
"""A built head: 269 parameters to vertices (paper, section 2.2: the bone-driven face model)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bdfm_infer.parameters import AU_NAMES, AU_SLICE, IDENTITY_SLICE, N_IDENTITY, N_PARAMETERS, intensity_from_parameter
from bdfm_train.arrays import DAMAGED
from bdfm_train.errors import HeadFileError

from .labels import LABEL

JAW: Final = AU_NAMES.index("AU26")
MOST: Final = 0.4
"""Share of the vertices above which a field of offsets is kept for all of them."""

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]


@njit(cache=True, fastmath=True, error_model="numpy", nogil=True)
def _add(vertices: FloatArray, weight: FloatArray, pointer: IntArray, index: IntArray, value: FloatArray) -> None:
    for k in range(weight.shape[0]):
        w, start, stop = weight[k], pointer[k], pointer[k + 1]
        if w == 0.0:
            continue
        if stop - start == vertices.shape[0]:  # every vertex, in order
            whole, total = value[start:stop].reshape(-1), vertices.reshape(-1)
            for j in range(total.shape[0]):
                total[j] += w * whole[j]
            continue
        for j in range(start, stop):
            i = index[j]
            vertices[i, 0] += w * value[j, 0]
            vertices[i, 1] += w * value[j, 1]
            vertices[i, 2] += w * value[j, 2]


@dataclass(frozen=True)
class Offsets:
    """K sparse fields of vertex offsets: rows ``pointer[k]:pointer[k + 1]`` of ``index`` and ``value`` are field k.

    Fields that move most vertices are filled up with zeros to all of them, in order: those are added much faster.
    """

    pointer: IntArray
    index: IntArray
    value: FloatArray

    @classmethod
    def read(cls, arrays: dict[str, NDArray], name: str) -> Offsets:
        """The fields ``name`` of a head's arrays."""
        pointer, index, value = (arrays[f"{name}_{part}"] for part in ("ptr", "vi", "val"))
        everything = np.arange(len(arrays["v"]))
        indices, values = [], []
        for start, stop in pairwise(pointer):
            members, field = index[start:stop], value[start:stop].astype(np.float32)
            if len(members) > MOST * len(everything):
                filled = np.zeros((len(everything), 3), np.float32)
                filled[members] = field
                members, field = everything, filled
            indices.append(members)
            values.append(field)
        return cls(
            np.cumsum([0, *map(len, indices)]).astype(np.int32),
            np.concatenate(indices).astype(np.int32),
            np.concatenate(values),
        )

    def add_to(self, vertices: FloatArray, weight: FloatArray) -> None:
        """``vertices += sum over k of weight[k] * field k``, in place."""
        _add(vertices, weight.astype(np.float32), self.pointer, self.index, self.value)

    def __len__(self) -> int:
        return len(self.pointer) - 1


@dataclass(frozen=True)
class Hair:
    """Hair as alpha-tested cards that ride on the head's vertices (see :func:`raster.bind_cards`)."""

    offset: FloatArray
    index: IntArray
    weight: FloatArray
    faces: IntArray
    uv: FloatArray
    texture: NDArray[np.uint8]


def built_heads(folder: Path) -> list[str]:
    """Names of the heads in a folder.

    Raises:
        HeadFileError: there is none.
    """
    names = sorted(path.stem.removeprefix("head_") for path in folder.glob("head_*.npz"))
    if not names:
        raise HeadFileError(f"{folder} holds no head. Build them: python -m bdfm_train.face_model.build --out {folder}")
    return names


@dataclass(frozen=True)
class Head:
    """One head in the 269-parameter schema. Model units are about 100 mm, x to the person's left, y up, z forward.

    Attributes:
        base: (V, 3) vertices of the base face. faces: (F, 3). uv: (F, 3, 2), one atlas for all skins.
        label, material: (F,) class and material of each face, numbers of :mod:`labels`.
        landmarks: (68,) vertex numbers, iBUG order.
        centre, half: what a frontal view shows: a square of side ``2 * half`` about ``centre``.
        pivot: (3,) the point about which the head turns.
        textures: the arrays of ``textures_NAME.npz``.
        hair: hair styles by name; lash_texture: (h, w, 4) of the lash cards.
    """

    name: str
    base: FloatArray
    faces: IntArray
    uv: FloatArray
    label: NDArray[np.uint8]
    material: NDArray[np.uint8]
    identity_names: tuple[str, ...]
    identity_groups: tuple[str, ...]
    landmarks: IntArray
    lash_faces: IntArray
    lash_uv: FloatArray
    centre: FloatArray
    half: float
    pivot: FloatArray
    identity_up: Offsets
    identity_down: Offsets
    action_units: Offsets
    jaw: Offsets
    textures: dict[str, NDArray]
    hair: dict[str, Hair]
    lash_texture: NDArray[np.uint8]

    @classmethod
    def load(cls, folder: str | Path, name: str) -> Head:
        """Read ``head_NAME.npz``, ``textures_NAME.npz`` and ``hair_NAME.npz``.

        Raises:
            HeadFileError: a file is missing, damaged or of another version.
        """
        folder = Path(folder)
        try:
            parts = [folder / f"{part}_{name}.npz" for part in ("head", "textures", "hair")]
            return cls._from_arrays(name, *(dict(np.load(part, allow_pickle=False)) for part in parts))
        except DAMAGED as error:
            raise HeadFileError(
                f"{folder}: head {name!r} cannot be read ({error}). Build the heads with "
                f"`python -m bdfm_train.face_model.build --out {folder}`."
            ) from error

    @classmethod
    def _from_arrays(
        cls, name: str, head: dict[str, NDArray], textures: dict[str, NDArray], hair: dict[str, NDArray]
    ) -> Head:
        if tuple(map(str, head["au_names"])) != AU_NAMES:
            raise ValueError("its action units are not those of bdfm_infer.parameters")
        action_units, jaw = Offsets.read(head, "au_best"), Offsets.read(head, "jaw")
        identity_up, identity_down = Offsets.read(head, "id_pos"), Offsets.read(head, "id_neg")
        if len(identity_up) != N_IDENTITY or action_units.pointer[JAW] != action_units.pointer[JAW + 1]:
            raise ValueError("its identity or its jaw is laid out differently")
        return cls(
            name=name,
            base=np.ascontiguousarray(head["v"], np.float32),
            faces=np.ascontiguousarray(head["f"], np.int32),
            uv=np.ascontiguousarray(head["uv"], np.float32),
            label=head["label"].astype(np.uint8),
            material=head["mat"].astype(np.uint8),
            identity_names=tuple(map(str, head["id_names"])),
            identity_groups=tuple(map(str, head["id_groups"])),
            landmarks=head["landmarks"].astype(np.int32),
            lash_faces=head["lash_f"].astype(np.int32),
            lash_uv=np.ascontiguousarray(head["lash_uv"], np.float32),
            centre=head["center"].astype(np.float32),
            half=float(head["half"]),
            pivot=head["pivot"].astype(np.float32),
            identity_up=identity_up,
            identity_down=identity_down,
            action_units=action_units,
            jaw=jaw,
            textures=textures,
            hair={str(n): _read_hair(hair, str(n)) for n in hair["names"]},
            lash_texture=np.ascontiguousarray(hair["lash_tex"]),
        )

    @cached_property
    def skin_means(self) -> FloatArray:
        """Mean colour (n, 3) in 0..1 of each skin texture where the atlas shows plain skin."""
        plain = self.textures["label"][::8, ::8] == LABEL["skin"]
        return (self.textures["skins"][:, ::8, ::8][:, plain].mean(axis=1) / 255).astype(np.float32)

    def vertices(self, y: FloatArray) -> FloatArray:
        """Vertices (V, 3) of the face with parameters ``y`` (269,), before the head turns.

        Identity ``t = 2 (y - 0.5)`` adds ``max(t, 0) up + max(-t, 0) down``; action units add ``intensity * offset``;
        the jaw (AU26) runs through its baked steps, linear between two of them.
        """
        if y.shape != (N_PARAMETERS,):
            raise ValueError(f"y has shape {y.shape}, expected ({N_PARAMETERS},)")
        identity = 2 * (y[IDENTITY_SLICE] - 0.5)
        intensity = intensity_from_parameter(y[AU_SLICE])
        vertices = self.base.copy()
        self.identity_up.add_to(vertices, np.maximum(identity, 0))
        self.identity_down.add_to(vertices, np.maximum(-identity, 0))
        self.action_units.add_to(vertices, intensity)
        self.jaw.add_to(vertices, _jaw_weights(float(intensity[JAW]), len(self.jaw)))
        return vertices


def _jaw_weights(intensity: float, steps: int) -> FloatArray:
    """Weights (steps,) of the baked jaw rotations at 1/steps, 2/steps ... 1."""
    return np.clip(1 - np.abs(intensity * steps - np.arange(1, steps + 1)), 0, 1).astype(np.float32)


def _read_hair(arrays: dict[str, NDArray], name: str) -> Hair:
    return Hair(
        offset=arrays[f"{name}_off"].astype(np.float32),
        index=arrays[f"{name}_idx"].astype(np.int32),
        weight=arrays[f"{name}_w"].astype(np.float32),
        faces=arrays[f"{name}_f"].astype(np.int32),
        uv=np.ascontiguousarray(arrays[f"{name}_uv"], np.float32),
        texture=np.ascontiguousarray(arrays[f"{name}_tex"]),
    )
