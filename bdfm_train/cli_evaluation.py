# SPDX-License-Identifier: MIT
"""The commands that measure what ships, through ``Predictor``: on photos, clips, labelled sets and renders;
and ``judges``, how far those agree who graded photos."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .cli_options import whole
from .face_model.labels import HEADS
from .face_model.sources import sources_root

if TYPE_CHECKING:
    from bdfm_infer import Predictor


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the command line."""
    expressions = commands.add_parser("expressions", help="AUC on the photos judged by eye")
    _add_predictor(expressions)
    expressions.add_argument(
        "--worst", type=whole(0), default=0, metavar="N", help="name the N photos most wrongly read, too"
    )
    expressions.set_defaults(run=_expressions)

    judges = commands.add_parser("judges", help="how far the judges of the photos agree")
    judges.set_defaults(run=_judges)

    set_aside = commands.add_parser("set-aside", help="AUC of eight more action units on photos set aside")
    _add_predictor(set_aside)
    set_aside.set_defaults(run=_set_aside)

    clips = commands.add_parser("clips", help="what is read from clips of real people speaking")
    _add_predictor(clips)
    clips.add_argument("--out", type=Path, help="folder for a sheet of each clip")
    clips.set_defaults(run=_clips)

    mirror = commands.add_parser("mirror", help="whether held-out photos and their mirror images are read alike")
    _add_predictor(mirror)
    mirror.set_defaults(run=_mirror)

    tables = commands.add_parser("tables", help="tables 1 and 2 of the paper with our rows, on sets that you have")
    _add_predictor(tables)
    for key in ("bp4d", "disfa", "ck-plus", "mmi", "face-warehouse"):
        tables.add_argument(f"--{key}", type=Path, help="folder of that set")
    tables.add_argument("--labels", type=Path, help="CSV of labels of your own")
    tables.add_argument(
        "--calibrate", choices=("neutral", "median"), help="print rows with the person's face at rest as reference too"
    )
    tables.add_argument("--every", type=whole(1), default=1, help="read each n-th labelled frame alone")
    tables.set_defaults(run=_tables)

    renders = commands.add_parser("render-test", help="action units, pose and fairness on renders of people never seen")
    _add_predictor(renders)
    renders.add_argument("--heads", type=Path, required=True, help="folder of the built heads")
    renders.add_argument("--head", choices=HEADS, help="one head alone")
    renders.add_argument("--count", type=whole(1), help="people of each head; 2000 is the test, fewer are a trial")
    renders.set_defaults(run=_render_test)


def _add_predictor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=Path, help="folder of the weights; the package's own by default")
    parser.add_argument("--accurate", action="store_true", help="as bdfm-infer capture --accurate reads")


def _predictor(options: argparse.Namespace) -> Predictor:
    from bdfm_infer import Predictor

    return Predictor(options.weights, options.accurate)


def _judges(options: argparse.Namespace) -> None:
    from .data.judgements import agreement_of_judges

    print(f"{'unit':18}{'two judges':>10}{'their r':>9}{'mean of all':>13}   seen in, by judge")
    for unit, agreement in agreement_of_judges().items():
        seen = " ".join(f"{count:5}" for count in agreement.seen)
        print(f"{unit:18}{agreement.pairs:10}{agreement.correlation:9.2f}{agreement.reliability:13.2f}   {seen}")


def _expressions(options: argparse.Namespace) -> None:
    from .evaluation.expressions import read_judged, report, worst

    readings = read_judged(sources_root(), _predictor(options))
    print(report(readings))
    if options.worst > 0:
        print(f"\n{worst(readings, options.worst)}")


def _set_aside(options: argparse.Namespace) -> None:
    from .evaluation.set_aside import report

    print(report(sources_root(), _predictor(options)))


def _clips(options: argparse.Namespace) -> None:
    from .evaluation.clips import report

    print(report(sources_root(), _predictor(options), options.out))


def _mirror(options: argparse.Namespace) -> None:
    from .data.photos import held_out_photos
    from .evaluation.mirror import report, run

    print(report(run(held_out_photos(sources_root()), _predictor(options))))


def _tables(options: argparse.Namespace) -> None:
    from .evaluation.tables import LOADERS, report

    sources = {key: path for key in LOADERS if (path := getattr(options, key)) is not None}
    print(report(sources, _predictor(options), options.calibrate, max(options.every, 1)))


def _render_test(options: argparse.Namespace) -> None:
    from .evaluation.render_draw import TEST
    from .evaluation.render_test import report, run

    predictor = _predictor(options)
    count = TEST["count"] if options.count is None else options.count
    for head in [options.head] if options.head else HEADS:
        print(report(run(options.heads, head, predictor, count)), end="\n\n")
