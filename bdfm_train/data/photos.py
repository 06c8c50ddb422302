# SPDX-License-Identifier: MIT
"""The photos that nobody posed for, with their landmarks; and which of them training never sees."""

from __future__ import annotations

import csv
import hashlib
import tarfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer import alignment
from bdfm_train.arrays import Form, read_arrays
from bdfm_train.errors import SourcesError

from .judgements import load_grades

# fmt: off
IBUG_OF_MESH: Final = np.array([
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389, 71, 63, 105, 66, 107, 336, 296,
    334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305, 33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380, 61,
    39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
])
"""Which of the 478 points of the photos' landmarks stands for each iBUG landmark. Shape (68,)."""

FACE_OVAL: Final = np.array([
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
])
"""The outline of the face among the 478 points."""
# fmt: on

Part = Literal["train", "held_out", "expressions", "set_aside"]
HELD_OUT_SHARE: Final = 0.08
_FORMS: Final = {"names": Form(("n",), np.str_), "xyz": Form(("n", 478, "d"), np.float32)}
_CHECK: Final = "bdfm_train.face_model.sources"
"""What checks the sources."""
_COPY: Final = 0.935
"""Correlation of two small grey faces from which one photo counts as a copy of the other."""


@dataclass(frozen=True)
class Photo:
    """One photo.

    Attributes:
        name: file name.
        image: (h, w) uint8 grey.
        landmarks: (68, 2) float32 pixels, iBUG order.
        oval: (36, 2) float32 pixels, outline of the face.
        grades: (23,) float32, action units as judged by eye (:mod:`bdfm_train.data.judgements`), None where not judged.
        origin: the photo that this one was made of by a change of expression, None for a photo as it was taken.
    """

    name: str
    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    oval: NDArray[np.float32]
    grades: NDArray[np.float32] | None = None
    origin: Origin | None = None

    @property
    def as_taken(self) -> Photo:
        """The photo without a change of expression."""
        return self if self.origin is None else self.origin.photo


@dataclass(frozen=True)
class Origin:
    """What a photo was before its expression was changed.

    Attributes:
        photo: as it was taken.
        change: (23,) float32, intensities added to those that it shows.
    """

    photo: Photo
    change: NDArray[np.float32]


def part_of(name: str, judged: set[str], set_aside: set[str]) -> Part:
    """Which part a photo belongs to; held-out ones are chosen by a hash of the name."""
    if name in judged:
        return "expressions"
    if name in set_aside:
        return "set_aside"
    value = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 0x1_0000_0000
    return "held_out" if value < HELD_OUT_SHARE else "train"


def set_aside() -> set[str]:
    """Names of the photos that were set aside by eye before the first training."""
    return _names("set_aside_photos.txt")


def unsuitable() -> set[str]:
    """Names of the photos that show no face, or one that was drawn on."""
    return _names("unsuitable_photos.txt")


def without_copies(photos: list[Photo], others: list[Photo]) -> list[Photo]:
    """The photos of which there is no near copy among the others (the archive holds many, cut from other mosaics)."""
    ours, theirs = _small_faces(photos), _small_faces(others)
    copied = (ours @ theirs.T).max(1) >= _COPY
    return [photo for photo, copy in zip(photos, copied, strict=True) if not copy]


def held_out_photos(sources: Path) -> list[Photo]:
    """The photos held out of training that are no copies of a photo of training.

    Raises:
        SourcesError: a file is missing.
    """
    return without_copies(load_photos(sources, "held_out"), load_photos(sources, "train"))


def aligned_crops(photos: list[Photo], size: int = alignment.CROP_SIZE) -> NDArray[np.uint8]:
    """Photos aligned by their own landmarks, (n, size, size)."""
    return crop_faces([photo.image for photo in photos], [photo.landmarks for photo in photos], size)


def crop_faces(
    images: Iterable[NDArray[np.uint8]], landmarks: Iterable[NDArray[np.floating]], size: int = alignment.CROP_SIZE
) -> NDArray[np.uint8]:
    """Grey pictures aligned by their faces' landmarks (68, 2) in pixels, (n, size, size)."""
    pairs = zip(images, landmarks, strict=True)
    return np.stack([alignment.crop_face(image, points, size) for image, points in pairs])


def cut_out(photo: Photo, size: int) -> Photo:
    """The face and what a badly aligned crop of it may show, upright: a right one takes up two thirds of ``size``."""
    matrix, share = alignment.alignment(alignment.five_points(photo.landmarks), size), 2 / 3
    centre = np.full(2, (size - 1) / 2)
    matrix = np.c_[share * matrix[:, :2], share * (matrix[:, 2] - centre) + centre]
    image = cv2.warpAffine(photo.image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    landmarks, oval = (alignment.apply(matrix, points).astype(np.float32) for points in (photo.landmarks, photo.oval))
    return Photo(photo.name, image, landmarks, oval)


def _small_faces(photos: list[Photo]) -> NDArray[np.float32]:
    """Aligned faces of 32 px, blurred, each with mean 0 and length 1: (n, 1024)."""
    rows = []
    for photo in photos:
        face = alignment.crop_face(photo.image, photo.landmarks, 32)
        row = cv2.GaussianBlur(face, (0, 0), 1.0).astype(np.float32).ravel()
        row -= row.mean()
        rows.append(row / max(float(np.linalg.norm(row)), 1e-6))
    return np.stack(rows)


def _names(file: str) -> set[str]:
    lines = (Path(__file__).parent / file).read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def judgements(sources: Path) -> dict[str, dict[str, bool]]:
    """The photos judged by eye, for measuring only: file name to judgement by expression.

    Raises:
        SourcesError: the table is missing, damaged or empty: photos of it would be trained on.
    """
    path = sources / "faces" / "expressions.csv"
    try:
        with _open(path).open(encoding="utf-8", newline="") as file:
            judged = {row.pop("file"): {k: v == "1" for k, v in row.items()} for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise SourcesError(f"{path} is no table of judged photos ({error!r}). Copy it again.") from error
    if not judged:
        raise SourcesError(f"{path} names no photo. Copy it again.")
    return judged


def load_photos(sources: Path, part: Part) -> list[Photo]:
    """The photos of one part.

    Args:
        sources: folder that holds ``faces``.
        part: ``train`` and ``held_out`` are for training and for choosing checkpoints, the others only for measuring.

    Raises:
        SourcesError: a file is missing or damaged.
    """
    judged = set(judgements(sources))
    aside, bad = set_aside(), unsuitable()
    path = sources / "faces" / "landmarks478.npz"
    names, places = read_arrays(path, _FORMS, "table of landmarks", _CHECK, error=SourcesError)
    points = dict(zip(map(str, names), places[..., :2], strict=True))
    wanted = {name for name in points.keys() - bad if part_of(name, judged, aside) == part}
    grades = load_grades()
    photos = []
    for name, image in archive_photos(sources, wanted, cv2.IMREAD_GRAYSCALE):
        mesh = points[name] - 0.5
        photos.append(Photo(name, image, mesh[IBUG_OF_MESH], mesh[FACE_OVAL], grades.get(name)))
    return photos


def archive_photos(
    sources: Path, names: Collection[str], read_as: int = cv2.IMREAD_COLOR
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Names and pictures, (h, w, 3) BGR or as OpenCV's flag says, of photos of the archive, in its order.

    Raises:
        SourcesError: the archive is missing or damaged, or lacks one of the photos.
    """
    path = sources / "faces" / "photos.tar"
    missing = set(names)
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = Path(member.name).name
                file = archive.extractfile(member) if name in missing else None
                if file is not None:
                    missing.discard(name)
                    image = cv2.imdecode(np.frombuffer(file.read(), np.uint8), read_as)
                    if image is None:
                        raise SourcesError(f"{path}: {name} is no picture. Copy the archive again.")
                    yield name, image.astype(np.uint8, copy=False)
    except (OSError, tarfile.TarError) as error:
        raise SourcesError(f"{path} cannot be read ({error}). Point BDFM_SOURCES at the folder of faces.") from error
    if missing:
        raise SourcesError(f"{path} lacks {len(missing)} photos, first {min(missing)}. Copy the archive again.")


def _open(path: Path) -> Path:
    if not path.exists():
        raise SourcesError(f"{path} is missing. Point BDFM_SOURCES at the folder that holds faces and face_model.")
    return path
