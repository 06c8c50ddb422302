# SPDX-License-Identifier: MIT
"""Commands of the paper's training: ``paper``, ``fit``, ``ablation``, ``curves``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .cli_options import add_device, add_own_losses, whole
from .config import Config
from .face_model.sources import sources_root

if TYPE_CHECKING:
    from .networks.bisenet import BiSeNetOnCrops
    from .networks.landmark_network import LandmarkNetwork
    from .networks.segmentation import SegmentationNetwork
    from .training.objective import FrozenNetworks


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to those of ``python -m bdfm_train``."""
    paper = commands.add_parser("paper", help="train R on photos by the paper's five losses; torchrun spreads it")
    paper.add_argument("--config", default="lite", help="name, or a .toml file (default: %(default)s)")
    _add_frozen(paper).add_argument(
        "--landmark-network", type=Path, help="a checkpoint of reader --config landmarks, in place of F_seg (Fig. 6)"
    )
    paper.add_argument("--start", type=Path, help="R's checkpoint to begin with, from the command regressor")
    paper.add_argument("--work", type=Path, required=True, help="folder for checkpoint and log; resumes from it")
    paper.add_argument("--steps", type=whole(1), help="length of the whole run; the configuration's by default")
    paper.add_argument("--seed", type=whole(0), default=0)
    add_own_losses(paper)
    add_device(paper)
    paper.set_defaults(run=_paper)

    fit = commands.add_parser("fit", help="parameters of photos by gradient descent, beside what bdfm_infer reads")
    fit.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    _add_frozen(fit)
    fit.add_argument("--steps", type=whole(1), default=150, help="of gradient descent (default: %(default)s)")
    fit.add_argument("--weights", type=Path, help="folder of bdfm_infer's weights; the package's own by default")
    fit.add_argument("--out", type=Path, help="picture: each photo beside what was fitted to it")
    add_device(fit)
    fit.set_defaults(run=_fit)

    ablation = commands.add_parser("ablation", help="R without one of the losses, or with another content (Table 3)")
    ablation.add_argument("name", help="which one, or all; a wrong name lists them")
    ablation.add_argument("--config", default="lite", help="name, or a .toml file (default: %(default)s)")
    _add_frozen(ablation)
    ablation.add_argument("--start", type=Path, help="R's checkpoint that all begin with that read F_seg")
    ablation.add_argument("--landmark-network", type=Path, help="a checkpoint of reader --config landmarks (Fig. 6)")
    ablation.add_argument("--landmark-start", type=Path, help="R's checkpoint that begins on the landmark network")
    ablation.add_argument("--renders", type=Path, required=True, nargs="+", help="shards of held-out identities")
    ablation.add_argument("--work", type=Path, required=True, help="folder for trainings and figures; resumes from it")
    ablation.add_argument("--steps", type=whole(1), default=200, help="of each variant (default: %(default)s)")
    ablation.add_argument("--photos", type=whole(1), help="in a step; the configuration's by default")
    ablation.add_argument("--seed", type=whole(0), default=0)
    add_device(ablation)
    ablation.set_defaults(run=_ablation)

    curves = commands.add_parser("curves", help="curves of a training from its log")
    curves.add_argument("log", type=Path, help="a .jsonl file in a training's folder")
    curves.add_argument("--out", type=Path, help="picture; without it a table is printed (needs matplotlib)")
    curves.set_defaults(run=_curves)


def _add_frozen(parser: argparse.ArgumentParser) -> argparse._MutuallyExclusiveGroup:
    """Options of G, F_rec and what R reads; returns the group of the latter."""
    segmentation = parser.add_mutually_exclusive_group(required=True)
    segmentation.add_argument("--reader", type=Path, help="a reader's checkpoint, for its F_seg")
    segmentation.add_argument("--bisenet", type=Path, help="the published BiSeNet for faces in place of our own F_seg")
    parser.add_argument("--generator", type=Path, required=True, help="G's checkpoint")
    recognition = parser.add_mutually_exclusive_group(required=True)
    recognition.add_argument("--identity", type=Path, help="F_rec's checkpoint, from the command identity")
    recognition.add_argument("--light-cnn", type=Path, help="the published LightCNN-29 v2 in place of our own F_rec")
    return segmentation


def _frozen(options: argparse.Namespace, config: Config, by_landmarks: bool = False) -> FrozenNetworks:
    """The networks that R's training leaves as they are; R reads F_seg, or a landmark network."""
    from .networks.checkpoints import load_landmark_network, load_segmentation
    from .networks.identity import load_identity
    from .networks.published import load_light_cnn
    from .training.generator import load_generator
    from .training.objective import FrozenNetworks

    segmentation: SegmentationNetwork | BiSeNetOnCrops | LandmarkNetwork
    if by_landmarks:
        segmentation = load_landmark_network(options.landmark_network, config)
    else:
        segmentation = _bisenet(options, config) if options.bisenet else load_segmentation(options.reader, config)
    recognition = load_light_cnn(options.light_cnn) if options.light_cnn else load_identity(options.identity)
    return FrozenNetworks(
        load_generator(options.generator)[0],
        segmentation,
        recognition,
        config.network.crop_size,
    )


def _bisenet(options: argparse.Namespace, config: Config) -> BiSeNetOnCrops:
    from .errors import ConfigError
    from .networks.bisenet import BiSeNetOnCrops
    from .networks.published import load_bisenet

    if config.network.width != BiSeNetOnCrops.WIDTH:
        raise ConfigError(
            f"The published BiSeNet has width {BiSeNetOnCrops.WIDTH}, the configuration {config.name} "
            f"{config.network.width}. Choose --config paper."
        )
    return BiSeNetOnCrops(load_bisenet(options.bisenet))


def _paper(options: argparse.Namespace) -> None:
    from .data.photos import aligned_crops, load_photos
    from .evaluation.curves import read_log, table
    from .training.own_losses import load_losses
    from .training.paper import LOG, NAMES, train_paper
    from .training.processes import processes
    from .training.steps import limit_threads

    limit_threads(options.threads)
    config = Config.load(options.config)
    own = load_losses(options.loss, NAMES)
    frozen = _frozen(options, config, by_landmarks=options.landmark_network is not None)
    photos = aligned_crops(load_photos(sources_root(), "train"), config.network.crop_size)
    with processes(options.device) as process:
        path = train_paper(
            config,
            frozen,
            photos,
            options.work,
            config.paper.steps if options.steps is None else options.steps,
            process,
            options.seed,
            options.start,
            own=own,
        )
        if process.rank == 0:
            if (log := options.work / LOG).exists():
                print(table(read_log(log)))
            print(path)


def _fit(options: argparse.Namespace) -> None:
    from .networks.checkpoints import load_config
    from .training.fit import fit_photos, report, write_sheet
    from .training.processes import processes
    from .training.steps import limit_threads

    limit_threads(options.threads)
    with processes(options.device, several=False) as process:
        config = Config.load("paper") if options.bisenet else load_config(options.reader)
        frozen = _frozen(options, config).to(process.device)
        fitted = fit_photos(frozen, options.images, options.steps, options.weights)
    print(report(fitted))
    if options.out is not None:
        write_sheet(fitted, options.out)
        print(options.out)


def _ablation(options: argparse.Namespace) -> None:
    from .ablation import HEAT_MAPS, VARIANTS, Approach, Budget, Results, T, run_ablations
    from .data.photos import aligned_crops, load_photos, without_copies
    from .data.shards import Shard
    from .errors import ConfigError
    from .evaluation.regressor import measure
    from .networks.checkpoints import digest
    from .training.processes import processes
    from .training.steps import limit_threads

    if options.name not in ("all", *VARIANTS):
        raise ConfigError(f"There is no ablation {options.name!r}. Choose all, or one of: {', '.join(VARIANTS)}.")
    names = tuple(VARIANTS) if options.name == "all" else (options.name,)
    needed = {VARIANTS[name].reads for name in names}
    if HEAT_MAPS in needed and options.landmark_network is None:
        raise ConfigError(
            "Without F_seg R reads a landmark network. Train it (reader --config landmarks) and give it as "
            "--landmark-network."
        )
    limit_threads(options.threads)
    config = Config.load(options.config)
    size = config.network.crop_size
    train = load_photos(sources_root(), "train")
    held_out = without_copies(load_photos(sources_root(), "held_out"), train)
    renders = [Shard.load(path) for path in options.renders]
    starts = {T: options.start, HEAT_MAPS: options.landmark_start}
    begin, begin_by_landmarks = ("random" if path is None else path.name for path in starts.values())
    networks = (options.reader, options.bisenet, options.generator, options.identity, options.light_cnn)
    read = (*networks, options.start, *options.renders)
    photos, files = options.photos or config.paper.photos, digest(path for path in read if path is not None)
    budget = Budget(config.name, options.steps, photos, options.seed, begin, begin_by_landmarks, files)
    results = Results(options.work, budget)
    with processes(options.device) as process:

        def approach(reads: str) -> Approach:
            frozen = _frozen(options, config, by_landmarks=reads == HEAT_MAPS).to(process.device)
            return Approach(frozen, starts[reads], lambda r: measure(frozen.segmentation, r, size, renders, held_out))

        approaches = {reads: approach(reads) for reads in needed}
        run_ablations(names, config, approaches, aligned_crops(train, size), results, process)
        if process.rank == 0:
            print(results.table())


def _curves(options: argparse.Namespace) -> None:
    from .evaluation.curves import draw, read_log, table

    log = read_log(options.log)
    if options.out is None:
        print(table(log))
    else:
        draw(log, options.out)
        print(options.out)
