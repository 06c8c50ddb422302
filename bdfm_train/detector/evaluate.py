# SPDX-License-Identifier: MIT
"""How many faces are found and how many frames without a face stay silent: ``python -m bdfm_train.detector.evaluate``.

Needs ``BDFM_SOURCES`` and renders with an evaluation seed (``bdfm_train.detector.render``). Frames go the product's own
way, :class:`bdfm_infer.predictor.Predictor`: detector, then the face network confirms; ``--detector`` leaves the face
network out. What the frames are is written in ``docs/detection.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from bdfm_infer.alignment import five_points
from bdfm_infer.detector import Detector
from bdfm_infer.network import Weights
from bdfm_infer.predictor import ALL_SIDES, Predictor
from bdfm_train.command import run
from bdfm_train.data.photos import held_out_photos, load_photos
from bdfm_train.detector.backgrounds import BODY, load_textures, pattern, texture_crop
from bdfm_train.detector.bodies import body_scenes
from bdfm_train.detector.data import ellipse_mask, head_box, outside_heads, paste, similarity
from bdfm_train.detector.export import WEIGHTS
from bdfm_train.detector.faces import Face, FloatArray, Image, Renders, face_of_photo, spread
from bdfm_train.face_model.sources import sources_root

SEED: Final = 90001
"""Training uses seeds below 90,000."""

FRAMES: Final = ((480, 640), (360, 640), (640, 480))
"""Heights and widths of frames that photos and renders are placed in."""

HEIGHTS: Final = (0.08, 0.15, 0.3, 0.6, 0.9)
"""Edges of the bins of a face's height from hairline to chin, in heights of the frame."""

CLOSE_UPS: Final = (1.0, 1.2, 1.4)
"""The same of faces that fill the frame and more."""

YAWS: Final = (0, 30, 60, 75, 90)
"""Edges of the bins of yaw, degrees."""

TURN: Final = 30.0
PLACES: Final = 2
"""Times that each held-out photo is placed."""

N_SCENES: Final = 300
N_TEXTURES: Final = 200
N_PATTERNS: Final = 100

HEADS: Final[dict[str, tuple[int, int, int, int]]] = {
    "brbk7n": (90, 50, 252, 288),
    "lbax4n": (100, 15, 270, 262),
    "lrwp9a": (140, 20, 300, 288),
    "lwbsza": (30, 25, 290, 288),
    "pwij3p": (95, 25, 270, 250),
    "swiz3n": (120, 25, 300, 270),
}
"""Where the head with its hair stays in each clip: x0, y0, x1, y1 of 360 x 288 pixels, read off by eye."""

Finder = Callable[[Image], list[FloatArray]]


def product_finder(weights: Path | None) -> Finder:
    """Five points (5, 2) of each face that the product finds in a picture."""
    predictor = Predictor(weights)
    return lambda image: [five_points(face.landmarks).astype(np.float32) for face in predictor.faces(image, at_least=1)]


def detector_finder(path: Path, threshold: float) -> Finder:
    """The same by the detector alone: all peaks at the product's sizes, to be confirmed or not."""
    detector = Detector(path.read_bytes(), threshold)

    return lambda image: [p.astype(np.float32) for side in ALL_SIDES for p in detector(image, side)]


def is_found(faces: list[FloatArray], truth: FloatArray) -> bool:
    """Whether one of the faces has the true one's place (to 0.15 of its height) and size (to a factor of 1.7)."""
    size = float(spread(truth))
    for face in faces:
        ratio = float(spread(face)) / size
        if np.linalg.norm(face.mean(0) - truth.mean(0)) < 0.6 * size and 1 / 1.7 < ratio < 1.7:
            return True
    return False


def placed(face: Face, picture: Image, low: float, high: float, rng: np.random.Generator) -> tuple[float, FloatArray]:
    """Paint a face into ``picture``, wholly inside; its height in frame heights, log-uniform, and its five points."""
    size = np.array(picture.shape[::-1])
    share = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    matrix = similarity(face, share * size[1], rng.uniform(-TURN, TURN), np.zeros(2, np.float32))
    outline = face.outline @ matrix[:, :2].T + matrix[:, 2]
    free = size - 1 - np.ptp(outline, axis=0)
    matrix[:, 2] += np.where(free > 0, rng.random(2) * free, free / 2) - outline.min(0)
    mask = face.mask if face.mask is not None else ellipse_mask(face, rng) if rng.random() < 0.5 else None
    if mask is None and share < 0.5:
        mask = np.full(face.image.shape, 255, np.uint8)
    paste(picture, face.image, mask, matrix)
    return share, (face.points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def _surroundings(count: int, root: Path, rng: np.random.Generator) -> Iterator[Image]:
    """Backgrounds of the frames: drawn patterns and rooms with bodies, by turns, with evaluation seeds."""
    scenes = body_scenes(root / BODY, count // 2 + 1, (240, 180), SEED + 1)
    for i in range(count):
        height, width = FRAMES[i % len(FRAMES)]
        source = scenes[i // 2] if i % 2 else pattern(rng)
        yield cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR)


def _share(found: np.ndarray) -> str:
    return f"{found.sum()}/{len(found)} ({100 * found.mean():.1f} %)" if len(found) else "none"


def _by_bin(values: np.ndarray, found: np.ndarray, edges: tuple[float, ...], unit: str, scale: float = 1.0) -> str:
    parts = []
    for low, high in pairwise(edges):
        inside = (values >= low) & (values <= high)
        parts.append(f"{scale * low:.0f}-{scale * high:.0f}{unit} {_share(found[inside])}")
    return ", ".join(parts)


def video_frames(path: Path) -> Iterator[Image]:
    """Frames of a clip, BGR."""
    capture = cv2.VideoCapture(str(path))
    while True:
        there, frame = capture.read()
        if not there:
            return
        yield np.asarray(frame, np.uint8)


def judge_videos(root: Path, find: Finder) -> None:
    """Every frame on its own; a find counts where the middle of the points lies in the head's box."""
    for name, box in HEADS.items():
        low, high = np.array(box[:2]), np.array(box[2:])
        finds = [find(frame) for frame in video_frames(root / "videos" / f"{name}.mpg")]
        hits = np.array([any((low < f.mean(0)).all() and (f.mean(0) < high).all() for f in found) for found in finds])
        extra = sum(len(found) > 1 for found in finds)
        print(f"video {name}: {_share(hits)} frames found, {extra} with a second find", flush=True)


def judge_photos(root: Path, find: Finder, name: str, heights: tuple[float, ...], seed: int) -> None:
    """Held-out photos placed and turned, from the least to the largest of ``heights``."""
    rng = np.random.default_rng(seed)
    faces = [face_of_photo(photo) for photo in held_out_photos(root) for _ in range(PLACES)]
    shares, hits = [], []
    for face, picture in zip(faces, _surroundings(len(faces), root, rng), strict=True):
        share, truth = placed(face, picture, heights[0], heights[-1], rng)
        shares.append(share)
        hits.append(is_found(find(picture), truth))
    by_height = _by_bin(np.array(shares), np.array(hits), heights, " %", 100)
    print(f"{name}: {_share(np.array(hits))} found; by height in heights of the frame: {by_height}", flush=True)


def judge_renders(root: Path, renders: list[Renders], find: Finder) -> None:
    """Renders with yaw to 90 degrees that show the nose and an eye or a brow."""
    rng = np.random.default_rng(SEED + 2)
    turned = [(r, int(i)) for r in renders for i in np.flatnonzero(np.abs(r.yaw) <= YAWS[-1])]
    chosen = [(r, i) for r, i in turned if r.shows_face(i)]
    hits = []
    for (source, i), picture in zip(chosen, _surroundings(len(chosen), root, rng), strict=True):
        _, truth = placed(source.face(i), picture, 0.12, 0.8, rng)
        hits.append(is_found(find(picture), truth))
    yaws = np.array([abs(float(source.yaw[i])) for source, i in chosen])
    by_yaw = _by_bin(yaws, np.array(hits), YAWS, " deg")
    hidden = len(turned) - len(chosen)
    print(f"renders: {_share(np.array(hits))} found, {hidden} under hair left out; by yaw: {by_yaw}", flush=True)


def negatives(root: Path) -> Iterator[tuple[str, Image]]:
    """Frames without a face, none of them used in training, with the name of their kind."""
    rng, size = np.random.default_rng(SEED + 3), (320, 240)
    for name, box in HEADS.items():
        for frame in list(video_frames(root / "videos" / f"{name}.mpg"))[::3]:
            grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
            part = outside_heads(grey, np.array([box], np.float32), size, rng)
            if part is not None:
                yield "videos, outside of heads", part
    for part_name in ("held_out", "expressions", "set_aside"):
        for photo in load_photos(root, part_name):
            part = outside_heads(photo.image, head_box(face_of_photo(photo))[None], size, rng)
            if part is not None:
                yield "photos, outside of heads", part
    for scene in body_scenes(root / BODY, N_SCENES, size, SEED + 4):
        yield "bodies without a head, rooms", scene
    textures = load_textures(root, evaluation=True)
    for _ in range(N_TEXTURES):
        yield "textures", cv2.resize(texture_crop(textures, rng), size)
    for _ in range(N_PATTERNS):
        yield "drawn patterns", cv2.resize(pattern(rng), size)


def judge_negatives(root: Path, find: Finder) -> None:
    """Frames without a face."""
    finds: dict[str, list[bool]] = {}
    for kind, picture in negatives(root):
        finds.setdefault(kind, []).append(bool(find(picture)))
    for kind, wrong in finds.items():
        print(f"without a face, {kind}: a face found in {_share(np.array(wrong))}")
    print(f"without a face, all: a face found in {_share(np.concatenate(list(finds.values())))}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--renders", type=Path, nargs="*", default=[], help="files of bdfm_train.detector.render")
    parser.add_argument("--weights", type=Path, help="folder of the networks; the package's own by default")
    parser.add_argument("--detector", action="store_true", help="the detector alone, without the face network")
    parser.add_argument("--threshold", type=float, help="score from which a peak counts, with --detector")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    root = sources_root()
    if arguments.detector:
        folder = arguments.weights or WEIGHTS.parent
        threshold = arguments.threshold or Weights.load(arguments.weights).score_threshold
        find = detector_finder(folder / WEIGHTS.name, threshold)
    else:
        find = product_finder(arguments.weights)
    judge_videos(root, find)
    judge_photos(root, find, "photos", HEIGHTS, SEED)
    judge_photos(root, find, "close-ups", CLOSE_UPS, SEED + 5)
    if arguments.renders:
        judge_renders(root, [Renders.load(path) for path in arguments.renders], find)
    judge_negatives(root, find)


if __name__ == "__main__":
    raise SystemExit(run(main))
