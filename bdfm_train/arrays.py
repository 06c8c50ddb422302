# SPDX-License-Identifier: MIT
"""Files of arrays, .npz and .npy, read with what is wrong said; these and others written whole or not at all."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from bdfm_infer.errors import BdfmError, WriteError

from .errors import ArraysError

DAMAGED: Final = (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
"""What numpy raises for a file that is missing, damaged, of another kind, or lacks an array."""


def read_arrays(
    path: Path, names: Sequence[str], kind: str, made_by: str, error: type[BdfmError] = ArraysError
) -> list[NDArray[Any]]:
    """The arrays of these names of an .npz.

    Args:
        path: the file.
        names: in the order of the result.
        kind: what the file should be, for the message.
        made_by: the command that writes such files.
        error: what is raised.

    Raises:
        ArraysError: or ``error``: the file is missing, damaged or of another kind, or lacks one of the arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            return [data[name] for name in names]
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
