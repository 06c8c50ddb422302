# SPDX-License-Identifier: MIT
"""The commands whose pictures are to be looked at: ``augmentation-sheets``, ``parsing``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .cli_options import whole
from .face_model.sources import sources_root


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the command line."""
    augmentation = commands.add_parser("augmentation-sheets", help="training photos turned, changed, composed")
    augmentation.add_argument("--heads", type=Path, required=True, help="folder of the built heads")
    augmentation.add_argument("--out", type=Path, required=True, help="folder for the sheets")
    augmentation.add_argument(
        "--count", type=whole(1), default=24, help="photos, spread over all (default: %(default)s)"
    )
    augmentation.set_defaults(run=_augmentation_sheets)

    parsing = commands.add_parser("parsing", help="IoU by class of F_seg on renders; overlays on held-out photos")
    parsing.add_argument("--checkpoint", type=Path, required=True, help="a reader's checkpoint")
    parsing.add_argument("--renders", type=Path, required=True, nargs="+", help="shards of held-out identities")
    parsing.add_argument("--overlays", type=Path, help="folder for sheets of parsing and landmarks on photos")
    parsing.set_defaults(run=_parsing)


def _augmentation_sheets(options: argparse.Namespace) -> None:
    from .data.augmentation_sheets import write_sheets
    from .data.photos import load_photos
    from .face_model.head import Head

    photos = load_photos(sources_root(), "train")
    spread = photos[:: max(len(photos) // max(options.count, 1), 1)][: options.count]
    for path in write_sheets(Head.load(options.heads, "a"), spread, options.out):
        print(path)


def _parsing(options: argparse.Namespace) -> None:
    from .evaluation.parsing import report, write_overlays
    from .networks.checkpoints import load_config, load_segmentation

    network = load_segmentation(options.checkpoint, load_config(options.checkpoint))
    print(report(network, {str(path): path for path in options.renders}))
    if options.overlays is not None:
        from .data.photos import held_out_photos

        for path in write_overlays(network, held_out_photos(sources_root()), options.overlays):
            print(path)
