# SPDX-License-Identifier: MIT
"""The command ``rig-fit``: how well mappings move a face, beside action units that artists made."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it to the command line."""
    fit = commands.add_parser("rig-fit", help="mappings of action units measured on faces that artists made")
    fit.add_argument("what", choices=("arkit", "bones"), help="ARKit's shape keys, or face bones")
    fit.add_argument("--mappings", type=Path, default=Path("rig_mappings"), help="folder (default: %(default)s)")
    fit.add_argument("--mixes", action="store_true", help="print the fitted mixes of keys, too (arkit)")
    fit.set_defaults(run=_rig_fit)


def _rig_fit(options: argparse.Namespace) -> None:
    if options.what == "arkit":
        _arkit(options.mappings / "arkit.json", options.mixes)
    else:
        _bones(options.mappings)


def _arkit(mapping: Path, mixes: bool) -> None:
    from .rig_fit.faces import head_a, rocketbox
    from .rig_fit.mixes import mapping_mixes, usual_table
    from .rig_fit.report import ODD, columns, fitted_table, markdown, mixes_text

    artist, other = rocketbox(), head_a()
    fitted = {f"fitted to {face.name}": fitted_table(face) for face in (artist, other)}
    tables = {"usual": usual_table(), "ours": mapping_mixes(mapping), **fitted}
    for face, odd in ((artist, ODD), (other, {})):
        print(markdown(face, columns(face, tables), odd) + "\n")
    for unit, reason in ODD.items():
        print(f"* {unit} of {artist.name} {reason}.")
    if mixes:
        for name, table in fitted.items():
            print(f"\n{name}:\n{mixes_text(table)}")


def _bones(mappings: Path) -> None:
    from .rig_fit.bones import report

    print(report(mappings))
