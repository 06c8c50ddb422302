# SPDX-License-Identifier: MIT
"""The commands about G: ``generator``, ``generator-eval``, ``generator-export``, ``generator-recover``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .cli_options import add_device, whole
from .config.generator import OWN_CONFIG, GeneratorConfig


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the command line."""
    train = commands.add_parser("generator", help="train G on pairs of parameters and renders")
    train.add_argument("--config", type=Path, default=OWN_CONFIG, help="a TOML file (default: the package's own)")
    train.add_argument("--pairs", type=Path, required=True, help="folder of pairs; new ones are taken in meanwhile")
    train.add_argument("--head", required=True, help="whose pairs: a, b, or a head of your own")
    train.add_argument("--work", type=Path, required=True, help="folder for checkpoint and log; resumes from it")
    train.add_argument("--steps", type=whole(1), default=30_000, help="of the whole run (default: %(default)s)")
    train.add_argument("--reader", type=Path, help="a reader's checkpoint: perceptual loss by features of its F_seg")
    train.add_argument("--vgg16", type=Path, help="published VGG16: perceptual loss by its features, as in the paper")
    train.add_argument("--start", type=Path, help="a G to start from, of another head perhaps")
    train.add_argument("--seed", type=whole(0), default=0)
    add_device(train)
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("generator-eval", help="G against the renderer on pairs never seen")
    evaluate.add_argument("--checkpoint", type=Path, required=True)
    evaluate.add_argument("--pairs", type=Path, required=True, help="a shard of pairs of seeds that training never saw")
    evaluate.add_argument("--reader", type=Path, required=True, help="a reader's checkpoint, to read landmarks")
    evaluate.add_argument("--sheet", type=Path, help="picture to write: renders, G below them")
    evaluate.set_defaults(run=_evaluate)

    export = commands.add_parser("generator-export", help="write avatar.onnx and list it in model.json")
    export.add_argument("--checkpoint", type=Path, required=True)
    export.add_argument("--out", type=Path, required=True, help="folder of the weights")
    export.set_defaults(run=_export)

    recover = commands.add_parser("generator-recover", help="a checkpoint of G out of avatar.onnx, to go on from")
    recover.add_argument("--weights", type=Path, required=True, help="folder of avatar.onnx")
    recover.add_argument("--head", required=True, help="whose G it is: that of the package is head a's")
    recover.add_argument("--config", type=Path, default=OWN_CONFIG, help="a TOML file (default: the package's own)")
    recover.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    recover.set_defaults(run=_recover)


def _train(options: argparse.Namespace) -> None:
    from torch import nn

    from .networks.checkpoints import load_reader
    from .networks.generator import SegmentationFeatures
    from .networks.published import load_vgg16
    from .training.generator import train_generator
    from .training.processes import processes
    from .training.steps import limit_threads

    limit_threads(options.threads)
    features: nn.Module | None = None
    if options.vgg16 is not None:
        features = load_vgg16(options.vgg16)
    elif options.reader is not None:
        features = SegmentationFeatures(load_reader(options.reader).segmentation)
    config = GeneratorConfig.load(options.config)
    with processes(options.device, several=False) as process:
        path = train_generator(
            config,
            options.pairs,
            options.head,
            options.work,
            options.steps,
            features,
            options.seed,
            options.start,
            process.device,
        )
    print(path)


def _evaluate(options: argparse.Namespace) -> None:
    from .evaluation.generator import report, write_sheet
    from .face_model.pairs import Pairs
    from .networks.checkpoints import load_reader
    from .training.generator import load_generator

    generator, _ = load_generator(options.checkpoint)
    pairs = Pairs.load(options.pairs)
    print(report(generator, pairs, load_reader(options.reader).segmentation))
    if options.sheet is not None:
        write_sheet(generator, pairs, options.sheet)


def _export(options: argparse.Namespace) -> None:
    from .export import AVATAR, list_avatar
    from .export_generator import export_generator
    from .training.generator import load_generator

    generator, head = load_generator(options.checkpoint)
    difference = export_generator(generator, options.out / AVATAR)
    list_avatar(options.out)
    size = (options.out / AVATAR).stat().st_size / 1e6
    print(f"{AVATAR}: G of head {head}, {size:.2f} MB, {difference:.3f} of 255 grey levels from the network")


def _recover(options: argparse.Namespace) -> None:
    from .recover_generator import recover_generator

    config = GeneratorConfig.load(options.config)
    difference = recover_generator(options.weights, options.head, config, options.out)
    print(f"{options.out}: {difference:.3f} of 255 grey levels from the file")
