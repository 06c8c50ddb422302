# SPDX-License-Identifier: GPL-3.0-or-later
"""Baking without a window: ``blender -b SCENE.blend --command bdfm TAKE … --output NEW.blend``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import bpy

from bdfm_infer.errors import BdfmError, OutputExistsError, WriteError

from ..core.errors import NoMappingError
from ..core.matching import resolve
from ..core.paths import is_folder, is_same, is_there
from ..core.performance import Performance
from ..core.timing import SceneTime
from .bake_options import BakeOptions, Destination
from .batch import BatchError, Job, Outcome, run
from .rig import Character, characters_in, object_named, read_rig
from .rig_choice import Choice

NAME = "bdfm"
SOME_FAILED, NONE_BAKED = 51, 52
"""Exit codes where not every character was baked; with the second nothing was saved."""

TARGETS: dict[str, Destination] = {"new": "NEW_ACTION", "active": "ACTIVE_ACTION", "nla": "NLA_STRIP"}

EPILOG = f"""One TAKE goes onto all characters, several go one by one onto the characters in the order of --characters.
Without a TAKE the lists of the panel Batch are baked as the file holds them. What is not said here is as in the file's
panel Bake.
Exit codes: 0 all baked; 2 wrong usage; {BatchError.exit_code} takes and characters do not fit together;
{SOME_FAILED} some failed, the others are saved; {NONE_BAKED} nothing baked, nothing saved; others as those of
bdfm-infer, 30 and above as in docs/command-line.md."""


@dataclass(frozen=True)
class Services:
    """What the command takes from the rest of the add-on.

    Attributes:
        performance: of a take's path.
        choose: the mapping of a character; the second argument is an id, or empty.
        listed: the jobs that the scene's lists make.
        time, options: of a bake, as the panel Bake has them.
    """

    performance: Callable[[str], Performance]
    choose: Callable[[Character, str], Choice]
    listed: Callable[[bpy.types.Scene], list[Job]]
    time: Callable[[bpy.types.Scene], SceneTime]
    options: Callable[[bpy.types.Scene], BakeOptions]


def execute(services: Services, arguments: Sequence[str]) -> int:
    """Run the command on the file that is open; returns the exit code."""
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as left:
        return int(left.code or 0)
    try:
        return _run(services, options)
    except BdfmError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        f"blender -b SCENE.blend --command {NAME}",
        description="Bake takes onto the characters of a file, and save it under another name.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("takes", nargs="*", metavar="TAKE", help="a take's .csv")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .blend to write")
    parser.add_argument("--overwrite", action="store_true", help="replace an older file of that name")
    parser.add_argument(
        "--characters",
        nargs="+",
        metavar="NAME",
        help="their armatures or top objects (default: all that a mapping fits)",
    )
    parser.add_argument("--mapping", default="", metavar="ID", help="for all (default: each character's own choice)")
    parser.add_argument("--start", type=int, metavar="FRAME", help="of the take's beginning (default: as in the panel)")
    parser.add_argument("--target", choices=TARGETS, help="new action, active action, NLA strip (as in the panel)")
    return parser


def _run(services: Services, options: argparse.Namespace) -> int:
    scene, output = bpy.context.scene, options.output.absolute()
    if is_folder(output):
        raise WriteError(f"{output} is a folder. Name a file in it.")
    if output.suffix.lower() != ".blend":
        raise WriteError(f"{output} is not named as a .blend file. Give it that ending.")
    if bpy.data.filepath and is_same(output, Path(bpy.data.filepath)):
        raise WriteError(f"{output} is the scene itself, which is never changed. Choose another name.")
    if is_there(output) and not options.overwrite:
        raise OutputExistsError(f"{output} exists. Choose another name, or give --overwrite.")
    choose = partial(_choose, services, options.mapping)
    jobs = _jobs(services, options, scene, choose)
    time, chosen = services.time(scene), services.options(scene)
    if options.start is not None:
        time = replace(time, start=options.start)
    if options.target is not None:
        chosen = replace(chosen, target=TARGETS[options.target])
    baked = 0
    for outcome in run(jobs, scene, choose, time, chosen):
        if not isinstance(outcome, Outcome):
            continue
        if outcome.report is None:
            print(f"{NAME}: {outcome.reason}", file=sys.stderr, flush=True)
            continue
        baked += 1
        report = outcome.report
        made = f"{report.curves} channels, frames {report.first} to {report.last}, {report.mapping}"
        print(f"{outcome.name}: {made}", flush=True)
        for warning in outcome.warnings:
            print(f"{NAME}: {outcome.name}: {warning}", file=sys.stderr)
    if not baked:
        return NONE_BAKED
    _save(output)
    print(f"{output}: {baked} of {len(jobs)} characters", flush=True)
    return 0 if baked == len(jobs) else SOME_FAILED


def _choose(services: Services, mapping: str, character: Character) -> Choice:
    return services.choose(character, mapping)


def _jobs(
    services: Services, options: argparse.Namespace, scene: bpy.types.Scene, choose: Callable[[Character], Choice]
) -> list[Job]:
    """What the arguments ask for.

    Raises:
        BatchError: there is nothing to do, or takes and characters do not pair.
    """
    if not options.takes:
        jobs = services.listed(scene)
        if not jobs:
            raise BatchError("The file's lists are empty. Name a take, or fill the lists of the panel Batch.")
        return jobs
    takes = [str(Path(take).absolute()) for take in options.takes]
    if options.characters:
        tops = [(name, object_named(scene, name)) for name in options.characters]
    elif len(takes) == 1:
        tops = [(each.name, each.top) for each in characters_in(scene.objects, scene) if _is_mapped(choose(each))]
    else:
        raise BatchError("Several takes need --characters, in the order of the takes.")
    if not tops and options.mapping:
        raise BatchError(f"Nothing of the mapping {options.mapping!r} is on any character here. Name another one.")
    if not tops:
        raise BatchError("No mapping fits any character of the scene. Name one with --mapping.")
    if len(takes) == 1:
        takes *= len(tops)
    if len(takes) != len(tops):
        raise BatchError(f"There are {len(takes)} takes for {len(tops)} characters. Give one take, or as many.")
    return [Job(name, top, partial(services.performance, take)) for (name, top), take in zip(tops, takes, strict=True)]


def _is_mapped(choice: Choice) -> bool:
    """Whether a mapping moves anything on the character."""
    try:
        return bool(choice.fits) and bool(resolve(choice.fits[0].mapping, read_rig(choice.character)).targets)
    except NoMappingError:
        return False


def _save(output: Path) -> None:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(output), compress=True)
    except (OSError, RuntimeError) as error:
        raise WriteError(f"{output} cannot be written: {error}. Choose another folder.") from error
