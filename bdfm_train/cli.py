# SPDX-License-Identifier: MIT
"""The command line ``python -m bdfm_train``: trains, exports and measures the networks."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from . import cli_data, cli_evaluation, cli_generator, cli_identity, cli_paper, cli_rig_fit, cli_sheets
from .cli_options import add_device, add_own_losses, fraction, one_line, positive, whole
from .command import run
from .config import Config
from .face_model.sources import sources_root

if TYPE_CHECKING:
    import torch

    from .data.training_data import TrainingData
    from .training.work import Length, Run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    return run(lambda: options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bdfm_train",
        description="Train, export and measure the networks. BDFM_SOURCES names the source data.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    reader = commands.add_parser("reader", help="train the face reader (F_seg, landmarks, plain head)")
    reader.add_argument("--config", default="lite")
    _add_run(reader, minutes=60.0)
    reader.add_argument("--negatives", type=Path, help="crops that the command negatives wrote")
    text = "photos that the command photo-pictures wrote: batches are then made on the device, of these alone"
    reader.add_argument("--pictures", type=Path, help=text)
    text = "how many times the configuration's pictures in a step; with a GPU 12 to 64 (default: %(default)s)"
    reader.add_argument("--times", type=whole(1), default=1, help=text)
    text = "checkpoints of other readers, perhaps larger, to learn from what they read of the photos in the mean"
    reader.add_argument("--teacher", type=Path, nargs="+", default=[], help=text)
    reader.add_argument("--start", type=Path, help="a reader's checkpoint of the same configuration, to begin with")
    reader.set_defaults(run=_reader)

    recover = commands.add_parser("recover", help="a reader's checkpoint out of face.onnx, to go on from what ships")
    recover.add_argument("--weights", type=Path, required=True, help="folder of face.onnx")
    recover.add_argument("--config", default="lite")
    recover.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    recover.set_defaults(run=_recover)

    confidence = commands.add_parser("confidence", help="go on training a reader's confidence, nothing else of it")
    confidence.add_argument("--checkpoint", type=Path, required=True, help="a reader's checkpoint")
    confidence.add_argument("--shards", type=Path, required=True, help="folder of renders, wide ones among them")
    confidence.add_argument("--pattern", default="*.npz", help="names of the shards (default: %(default)s)")
    confidence.add_argument("--negatives", type=Path, required=True, help="crops that the command negatives wrote")
    confidence.add_argument("--faces", type=Path, required=True, help="crops that the command faces wrote")
    _add_length(confidence, minutes=8.0)
    confidence.add_argument("--seed", type=whole(0), default=0)
    confidence.add_argument("--threads", type=whole(1), default=2)
    confidence.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    confidence.set_defaults(run=_confidence)

    mean = commands.add_parser("mean", help="mean weights of runs, of readers or of R, that went on from one another")
    text = "one that is named twice counts twice"
    mean.add_argument("--checkpoint", type=Path, required=True, nargs="+", help=text)
    mean.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    mean.set_defaults(run=_mean)

    regressor = commands.add_parser("regressor", help="train R on the frozen F_seg of a reader")
    reads = regressor.add_mutually_exclusive_group(required=True)
    reads.add_argument("--checkpoint", type=Path, help="a reader's checkpoint, whose F_seg R reads")
    reads.add_argument(
        "--landmark-network", type=Path, help="a checkpoint of reader --config landmarks, read in its place"
    )
    _add_run(regressor, minutes=20.0)
    regressor.add_argument("--start", type=Path, help="R's checkpoint to go on from")
    regressor.set_defaults(run=_regressor)

    held_out = commands.add_parser("held-out", help="errors on renders and photos that training never saw")
    held_out.add_argument("--checkpoint", type=Path, required=True, nargs="+")
    held_out.add_argument("--renders", type=Path, required=True, nargs="+", help="shards of held-out identities")
    held_out.add_argument("--regressor", type=Path, help="R's checkpoint, to read by the plain head and R together")
    held_out.add_argument("--changed", type=Path, help="what changed-photos --part held_out wrote")
    held_out.add_argument("--composed", type=Path, help="photos that the command composed-photos wrote")
    held_out.add_argument("--accurate", action="store_true", help="as bdfm-infer capture --accurate reads")
    held_out.set_defaults(run=_held_out)

    export = commands.add_parser("export", help="write face.onnx and model.json")
    export.add_argument("--checkpoint", type=Path, required=True)
    export.add_argument("--out", type=Path, required=True, help="folder of the weights")
    export.add_argument("--id", type=one_line, required=True, help="name of the model")
    export.add_argument("--score", type=fraction, default=0.3, help="detector's threshold (default: %(default)s)")
    export.add_argument("--confidence", type=fraction, default=0.5, help="reader's threshold (default: %(default)s)")
    export.add_argument("--regressor", type=Path, help="R's checkpoint, to read by the plain head and R together")
    export.add_argument("--float", action="store_true", help="leave out the quantisation to 8 bits")
    export.set_defaults(run=_export)

    cli_data.add_commands(commands)
    cli_evaluation.add_commands(commands)
    cli_generator.add_commands(commands)
    cli_identity.add_commands(commands)
    cli_paper.add_commands(commands)
    cli_rig_fit.add_commands(commands)
    cli_sheets.add_commands(commands)
    return parser


def _add_run(parser: argparse.ArgumentParser, minutes: float) -> None:
    parser.add_argument("--shards", type=Path, required=True, help="folder of renders; new ones are taken in meanwhile")
    parser.add_argument("--pattern", default="*.npz", help="names of the shards (default: %(default)s)")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and the log; resumes from it")
    parser.add_argument("--changed", type=Path, help="photos that the command changed-photos wrote")
    _add_length(parser, minutes)
    add_own_losses(parser)
    parser.add_argument("--seed", type=whole(0), default=0)
    add_device(parser, threads=2)
    text = "processes that make batches; with a GPU as many as there are cores (default: a thread, enough for a CPU)"
    parser.add_argument("--workers", type=whole(0), default=0, help=text)


def _add_length(parser: argparse.ArgumentParser, minutes: float) -> None:
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=positive, default=minutes, help="of the whole run (default: %(default)s)")
    length.add_argument(
        "--steps", type=whole(1), help="of the whole run, in place of minutes: the same figures each time"
    )


def _length(options: argparse.Namespace) -> Length:
    from .training.work import Length

    return Length(options.minutes, options.steps)


def _run(options: argparse.Namespace, device: torch.device) -> Run:
    from .training.work import Run

    return Run(options.work, _length(options), options.seed, device, options.workers)


def _data(
    options: argparse.Namespace, negatives: Path | None = None, pictures: Path | None = None, times: int = 1
) -> TrainingData:
    from .data.training_data import TrainingData

    sources = Path() if pictures else sources_root()
    return TrainingData(sources, options.shards, options.pattern, options.changed, negatives, pictures, times)


def _reader(options: argparse.Namespace) -> None:
    from .training.own_losses import load_losses
    from .training.processes import processes
    from .training.reader import Losses, train_reader
    from .training.steps import limit_threads

    limit_threads(options.threads)
    config = Config.load(options.config)
    data = _data(options, options.negatives, options.pictures, options.times)
    with processes(options.device, several=False) as process:
        own = load_losses(options.loss, [item.name for item in fields(Losses)])
        run = _run(options, process.device)
        path = train_reader(config, data, run, own, options.teacher, options.start)
    print(path)


def _recover(options: argparse.Namespace) -> None:
    from .data.photos import load_photos
    from .recover import recover_reader

    photos = load_photos(sources_root(), "train")
    difference = recover_reader(options.weights, Config.load(options.config), photos, options.out)
    print(
        f"{options.out}: reads action units as the file but for {difference:.4f} in the mean, on {len(photos)} photos"
    )


def _confidence(options: argparse.Namespace) -> None:
    from .training.confidence import train_confidence
    from .training.steps import limit_threads

    limit_threads(options.threads)
    error = train_confidence(
        options.checkpoint,
        sources_root(),
        options.shards,
        options.pattern,
        options.negatives,
        options.faces,
        _length(options),
        options.seed,
        options.out,
    )
    print(f"{options.out}: cross-entropy {error:.4f}")


def _mean(options: argparse.Namespace) -> None:
    from .training.average import mean_of_runs

    mean_of_runs(options.checkpoint, options.out)
    print(options.out)


def _regressor(options: argparse.Namespace) -> None:
    from .training.own_losses import load_losses
    from .training.processes import processes
    from .training.regressor import WEIGHTS, train_regressor
    from .training.steps import limit_threads

    limit_threads(options.threads)
    with processes(options.device, several=False) as process:
        own = load_losses(options.loss, WEIGHTS)
        run = _run(options, process.device)
        by_landmarks = options.landmark_network is not None
        reads = options.landmark_network if by_landmarks else options.checkpoint
        path = train_regressor(reads, _data(options), run, options.start, own, by_landmarks)
    print(path)


def _held_out(options: argparse.Namespace) -> None:
    from .data.changed_photos import load_changed_photos
    from .data.composed_photos import load_composed_photos
    from .data.photos import held_out_photos
    from .evaluation.held_out import ReadTwice, report
    from .networks.checkpoints import load_reader, load_regressor
    from .networks.reader import ExportedReader

    regressor = None if options.regressor is None else load_regressor(options.regressor)
    photos = held_out_photos(sources_root())
    changed = [] if options.changed is None else load_changed_photos(options.changed, photos)
    composed = [] if options.composed is None else load_composed_photos(options.composed, photos)
    for checkpoint in options.checkpoint:
        print(checkpoint.name)
        model = ExportedReader(load_reader(checkpoint), regressor)
        shards = {str(path): path for path in options.renders}
        print(report(ReadTwice(model) if options.accurate else model, photos, shards, changed, composed))


def _export(options: argparse.Namespace) -> None:
    from .arrays import write_content
    from .data.photos import load_photos
    from .errors import CheckpointError
    from .export import export_reader, write_model
    from .networks.checkpoints import load_reader, load_regressor
    from .networks.reader import ExportedReader
    from .quantise import quantise_reader

    regressor = None if options.regressor is None else load_regressor(options.regressor)
    model = ExportedReader(load_reader(options.checkpoint), regressor)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "face.onnx"
        difference = export_reader(model, draft)
        print(f"face.onnx differs from the network by at most {difference:.1e}")
        if not options.float:
            correlation = quantise_reader(draft, load_photos(sources_root(), "train"))
            print(f"in 8 bits: action units correlate with those of 32 bits at {correlation:.4f}")
        write_content(options.out / "face.onnx", draft.read_bytes(), CheckpointError)
    write_model(options.out, options.id, options.score, options.confidence)
