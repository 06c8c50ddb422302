# SPDX-License-Identifier: MIT
"""Commands that make what trainings see beside renders: photos changed, composed and cut out, crops out of frames."""

from __future__ import annotations

import argparse
from pathlib import Path

from .cli_options import whole
from .face_model.sources import sources_root


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the command line."""
    changed = commands.add_parser("changed-photos", help="photos with their expression changed")
    changed.add_argument("--heads", type=Path, required=True, help="folder of the built heads")
    changed.add_argument("--count", type=whole(1), default=4, help="of each photo (default: %(default)s)")
    changed.add_argument("--seed", type=whole(0), default=0)
    changed.add_argument(
        "--part",
        choices=("train", "held_out"),
        default="train",
        help="photos to train on, or to measure by (default: %(default)s)",
    )
    changed.add_argument("--out", type=Path, required=True, help=".npz file")
    changed.set_defaults(run=_changed_photos)

    composed = commands.add_parser("composed-photos", help="held-out photos, the eyes of one and the mouth of another")
    composed.add_argument("--count", type=whole(1), default=1000, help="of all together (default: %(default)s)")
    composed.add_argument("--seed", type=whole(0), default=0)
    composed.add_argument("--out", type=Path, required=True, help=".npz file")
    composed.set_defaults(run=_composed_photos)

    pictures = commands.add_parser("photo-pictures", help="training photos cut out, for batches made on a GPU")
    pictures.add_argument("--changed", type=Path, help="photos that the command changed-photos wrote")
    pictures.add_argument("--out", type=Path, required=True, help=".npz file")
    pictures.set_defaults(run=_photo_pictures)

    negatives = commands.add_parser("negatives", help="what the detector takes for faces where there is none")
    negatives.add_argument("--weights", type=Path, help="folder of the weights; the package's own by default")
    negatives.add_argument("--count", type=whole(1), default=4000)
    negatives.add_argument("--seed", type=whole(0), default=20000)
    negatives.add_argument("--out", type=Path, required=True, help=".npy file")
    negatives.set_defaults(run=_negatives)

    faces = commands.add_parser("faces", help="crops that renders painted into frames lead to")
    faces.add_argument("--weights", type=Path, help="folder of the weights; the package's own by default")
    faces.add_argument("--renders", type=Path, nargs="+", required=True, help="files of bdfm_train.detector.render")
    faces.add_argument("--count", type=whole(1), default=3500, help="renders to paint (default: %(default)s)")
    faces.add_argument("--seed", type=whole(0), default=40000)
    faces.add_argument("--out", type=Path, required=True, help=".npz file")
    faces.set_defaults(run=_faces)


def _changed_photos(options: argparse.Namespace) -> None:
    from .data.changed_photos import changed_photos, save_changed_photos
    from .data.photos import held_out_photos, load_photos
    from .face_model.head import Head

    sources = sources_root()
    photos = held_out_photos(sources) if options.part == "held_out" else load_photos(sources, options.part)
    made = changed_photos(Head.load(options.heads, "a"), photos, options.count, options.seed)
    save_changed_photos(made, options.out)
    print(f"{options.out}: {len(made)} photos")


def _composed_photos(options: argparse.Namespace) -> None:
    from .data.composed_photos import composed_photos, save_composed_photos
    from .data.photos import held_out_photos

    made = composed_photos(held_out_photos(sources_root()), options.count, options.seed)
    save_composed_photos(made, options.out)
    print(f"{options.out}: {len(made)} photos")


def _photo_pictures(options: argparse.Namespace) -> None:
    from .data.changed_photos import load_changed_photos
    from .data.photo_pictures import PhotoPictures
    from .data.photos import load_photos

    photos = load_photos(sources_root(), "train")
    changed = () if options.changed is None else load_changed_photos(options.changed, photos)
    PhotoPictures.of(photos, changed).save(options.out)
    print(f"{options.out}: {len(photos)} photos, {len(changed)} of changed expression")


def _negatives(options: argparse.Namespace) -> None:
    from .arrays import write_array
    from .detector.mine import mine_negatives

    write_array(options.out, mine_negatives(sources_root(), options.weights, options.count, options.seed))
    print(options.out)


def _faces(options: argparse.Namespace) -> None:
    from .arrays import write_arrays
    from .detector.faces import Renders
    from .detector.mine import mine_faces

    renders = [Renders.load(path) for path in options.renders]
    mined = mine_faces(sources_root(), options.weights, renders, options.count, options.seed)
    write_arrays(options.out, mined._asdict())
    print(f"{options.out}: {len(mined.crops)} crops of faces, {len(mined.beside)} beside them")
