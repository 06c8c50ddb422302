# SPDX-License-Identifier: MIT
"""Crops that the detector leads to, of faces and beside them, as ``python -m bdfm_train faces`` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bdfm_infer.alignment import CROP_SIZE
from bdfm_train.arrays import Form, read_arrays

Image = NDArray[np.uint8]

_CROPS: Final = CROP_SIZE, CROP_SIZE
_FORMS: Final[Mapping[str, Form]] = {
    "crops": Form(("n", *_CROPS), np.uint8),
    "yaw": Form(("n",), np.float32, -180.0, 180.0),
    "beside": Form(("m", *_CROPS), np.uint8),
}


class MinedFaces(NamedTuple):
    """Crops of faces (n, 96, 96) uint8, their yaw (n,) float32 in degrees, crops beside a face (m, 96, 96) uint8.

    Beside a face is also a crop that came to rest on a part of it, taken for a smaller or larger face.
    """

    crops: Image
    yaw: NDArray[np.float32]
    beside: Image

    @classmethod
    def load(cls, path: Path) -> MinedFaces:
        """Read what ``python -m bdfm_train faces`` wrote.

        Raises:
            ArraysError: the file is missing, damaged or another one.
        """
        return cls(*read_arrays(path, _FORMS, "file of faces", "bdfm_train faces"))
