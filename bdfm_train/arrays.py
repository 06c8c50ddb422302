# SPDX-License-Identifier: MIT
"""Files of arrays, .npz and .npy, read with what is wrong said; these and others written whole or not at all."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from bdfm_infer.errors import BdfmError, WriteError

from .errors import ArraysError

DAMAGED: Final = (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
"""What numpy raises for a file that is missing, damaged, of another kind, or lacks an array."""


@dataclass(frozen=True)
class Form:
    """What an array of a file must be like.

    Attributes:
        sizes: of its axes; a letter stands for any size but 0, the same one wherever it stands in a file.
        dtype: as which it is read; numbers of the file may be longer or shorter ones of the same kind.
        least, most: of its numbers, which are finite.
        unknown: whether some may be NaN, for what is not known.
    """

    sizes: tuple[int | str, ...]
    dtype: type
    least: float = -math.inf
    most: float = math.inf
    unknown: bool = False

    def check(self, name: str, array: NDArray[Any], found: dict[str, int]) -> NDArray[Any]:
        """The array as it is read.

        Args:
            name: of the array, for the message.
            array: of a file.
            found: sizes of the letters so far; those of this array are added.

        Raises:
            ValueError: the array is another one.
        """
        if len(array.shape) == len(self.sizes):
            for letter, size in zip(self.sizes, array.shape, strict=True):
                if isinstance(letter, str) and size:
                    found.setdefault(letter, size)
        wanted = tuple(found.get(size, 0) if isinstance(size, str) else size for size in self.sizes)
        if 0 in wanted or array.shape != wanted or not np.can_cast(array.dtype, self.dtype, "same_kind"):
            sizes = ", ".join(str(size) for size in self.sizes)
            raise ValueError(
                f"{name} is {array.dtype} of {array.shape} where {np.dtype(self.dtype).name} of ({sizes}) should be"
            )
        if array.dtype.kind in "fiu" and not np.all(
            (self.least <= array) & (array <= self.most) & np.isfinite(array) | (np.isnan(array) & self.unknown)
        ):
            raise ValueError(f"{name} holds what is no number, or none from {self.least:g} to {self.most:g}")
        return array.astype(self.dtype, copy=False)


def read_arrays(
    path: Path, forms: Mapping[str, Form], kind: str, made_by: str, error: type[BdfmError] = ArraysError
) -> list[NDArray[Any]]:
    """Arrays of an .npz.

    Args:
        path: the file.
        forms: of the arrays by name, in the order of the result.
        kind: what the file should be, for the message.
        made_by: the command that writes such files.
        error: what is raised.

    Raises:
        ArraysError: or ``error``: the file is missing, damaged or of another kind, or an array is not there or of
            another form.
    """
    found: dict[str, int] = {}
    try:
        with np.load(path, allow_pickle=False) as data:
            return [form.check(name, data[name], found) for name, form in forms.items()]
    except DAMAGED as reason:
        raise error(f"{path} is no {kind} ({reason}). Make it: python -m {made_by} --help") from reason


def read_array(path: Path, side: int, made_by: str) -> NDArray[np.uint8]:
    """Pictures (n, side, side) uint8 of an .npy.

    Raises:
        ArraysError: the file is missing or damaged, or holds something else or nothing.
    """
    try:
        array = np.load(path, allow_pickle=False)
        if array.dtype != np.uint8 or array.shape[1:] != (side, side) or not len(array):
            raise ValueError(f"{array.dtype} of shape {array.shape}")
        return np.asarray(array)
    except (*DAMAGED, AttributeError) as reason:
        raise ArraysError(
            f"{path} holds no pictures of {side} pixels ({reason}). Make it: python -m {made_by} --help"
        ) from reason


def write_arrays(
    path: Path, arrays: Mapping[str, ArrayLike], compressed: bool = False, error: type[BdfmError] = ArraysError
) -> None:
    """Write an .npz that appears when it is whole.

    Raises:
        ArraysError: or ``error``: the disk is full or the folder cannot be written; an older file stays.
    """

    def write(stream: BinaryIO) -> None:
        (np.savez_compressed if compressed else np.savez)(stream, **arrays)

    _write(path, write, error)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an .npy that appears when it is whole.

    Raises:
        ArraysError: the disk is full or the folder cannot be written; an older file stays.
    """
    _write(path, lambda stream: np.save(stream, array), ArraysError)


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture (h, w) grey or (h, w, 3) BGR, of the kind that its name ends in; it appears when it is whole.

    Raises:
        WriteError: the name ends in no kind of picture, the disk is full or the folder cannot be written.
    """
    try:
        _, data = cv2.imencode(path.suffix, picture)
    except cv2.error as error:
        raise WriteError(f"{path} is no name of a picture. Name a .png file.") from error
    write_content(path, data.tobytes(), WriteError)


def write_content(path: Path, content: bytes, error: type[BdfmError]) -> None:
    """Write a file that appears when it is whole.

    Raises:
        error: the disk is full or the folder cannot be written; an older file stays.
    """
    _write(path, lambda stream: stream.write(content), error)


def _write(path: Path, write: Any, error: type[BdfmError]) -> None:
    draft = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as stream:
            write(stream)
        draft.replace(path)
    except OSError as reason:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise error(
            f"{path} cannot be written ({reason.strerror or reason}). Free some space, or name a folder that can be "
            "written, and start again."
        ) from reason
