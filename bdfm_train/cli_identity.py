# SPDX-License-Identifier: MIT
"""The commands about F_rec: ``identity``, ``verification``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .cli_options import add_device, whole
from .face_model.sources import sources_root


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the command line."""
    identity = commands.add_parser("identity", help="train F_rec, which tells people apart")
    identity.add_argument("--shards", type=Path, required=True, nargs="+", help="of bdfm_train.face_model.identities")
    identity.add_argument("--work", type=Path, required=True, help="folder for checkpoint and log; resumes from it")
    identity.add_argument("--steps", type=whole(1), default=2000)
    identity.add_argument("--seed", type=whole(0), default=0)
    add_device(identity, threads=2)
    identity.set_defaults(run=_identity)

    verification = commands.add_parser("verification", help="how well F_rec tells people apart whom it never saw")
    verification.add_argument("--checkpoint", type=Path, nargs="*", default=[], help="of the command identity")
    verification.add_argument("--light-cnn", type=Path, help="the published LightCNN-29 v2")
    verification.add_argument("--renders", type=Path, nargs="*", default=[], help="shards of identities never seen")
    verification.set_defaults(run=_verification)


def _identity(options: argparse.Namespace) -> None:
    from .data.identities import IdentityPool
    from .data.photos import load_photos
    from .face_model.identities import IdentityShard
    from .training.identity import SETTINGS, train_identity
    from .training.processes import processes
    from .training.steps import limit_threads

    limit_threads(options.threads)
    pool = IdentityPool([IdentityShard.load(path) for path in options.shards], load_photos(sources_root(), "train"))
    with processes(options.device, several=False) as group:
        print(train_identity(pool, options.work, options.steps, options.seed, SETTINGS, group.device))


def _verification(options: argparse.Namespace) -> None:
    from .data.photos import held_out_photos
    from .evaluation.verification import Embed, report
    from .face_model.identities import IdentityShard
    from .networks.identity import load_identity
    from .networks.published import load_light_cnn

    networks: dict[str, Embed] = {str(path): load_identity(path) for path in options.checkpoint}
    if options.light_cnn is not None:
        networks[str(options.light_cnn)] = load_light_cnn(options.light_cnn)
    renders = {str(path): IdentityShard.load(path) for path in options.renders}
    print(report(networks, renders, held_out_photos(sources_root())))
