# SPDX-License-Identifier: GPL-3.0-or-later
"""Many characters in one go: each job is baked by itself, and one that fails stops no other."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import bpy
from bpy.app.translations import pgettext_rpt as rpt_

from bdfm_infer.errors import BdfmError

from ..core.errors import AddonError
from ..core.performance import Performance
from ..core.timing import SceneTime
from .bake import BakeReport, bake_steps
from .bake_options import BakeOptions
from .rig import Character, characters_in
from .rig_choice import Choice
from .texts import artist_text


class BatchError(AddonError):
    """A job names a character or a take that is not there; the message says which."""

    code = "batch_refused"
    exit_code = 50


@dataclass(frozen=True)
class Job:
    """One performance for one character.

    Attributes:
        name: of the character, as it was called when it was chosen.
        top: its top object; None: it is no longer in the file.
        performance: makes what is baked. It may raise any :class:`BdfmError`.
    """

    name: str
    top: bpy.types.Object | None
    performance: Callable[[], Performance]


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        name: of the character.
        report: of the bake; None: it failed.
        reason: why it failed, and what to do.
        warnings: what the artist should know of a bake that went well.
    """

    name: str
    report: BakeReport | None = None
    reason: str = ""
    warnings: tuple[str, ...] = ()


def run(
    jobs: Sequence[Job],
    scene: bpy.types.Scene,
    choose: Callable[[Character], Choice],
    time: SceneTime,
    options: BakeOptions,
) -> Generator[float | Outcome, None, None]:
    """Bake job after job. Yields the share of the job at hand that is done, 0 to 1, and then its outcome.

    Closed before its end, it leaves the character at hand as it was. An error that was not foreseen is printed as well.

    Args:
        jobs: in the order in which they are baked.
        scene: that the characters are in.
        choose: the mapping of a character.
        time: of the scene, see :func:`.bake.scene_time`.
        options: of each bake.
    """
    there = [job.top is not None and _in_scene(job.top, scene) for job in jobs]
    tops = [job.top for job, is_there in zip(jobs, there, strict=True) if is_there]
    by_top = {character.top: character for character in characters_in(tops, scene)}
    characters = [by_top.get(job.top) for job in jobs]
    for job, is_there, character in zip(jobs, there, characters, strict=True):
        try:
            if not is_there:
                raise BatchError(
                    rpt_("not in this scene any more, or not by this name. Name another, or remove it from the list.")
                )
            if character is None:
                raise BatchError(rpt_("part of another character by now. Remove it from the list, and add that one."))
            report = yield from _bake(job, character, choose(character), time, options)
        except ReferenceError:
            yield Outcome(
                job.name, reason=rpt_("{character}: deleted while the others were baked.").format(character=job.name)
            )
            continue
        except BdfmError as error:
            yield Outcome(job.name, reason=_with_name(job.name, artist_text(error)))
            continue
        except Exception as error:
            traceback.print_exc()
            reason = rpt_(
                "{character}: not baked, by an error that was not foreseen ({error}). The terminal shows where; please "
                "report it."
            )
            found = "".join(traceback.format_exception_only(error)).strip()
            yield Outcome(job.name, reason=reason.format(character=job.name, error=found))
            continue
        warnings = list(report.warnings)
        if report.missing:
            names = ", ".join(dict.fromkeys(missing.name for missing in report.missing))
            warnings.append(
                rpt_("Of the mapping {mapping} this is not on the rig: {names}.").format(
                    mapping=report.mapping, names=names
                )
            )
        yield Outcome(character.name, report, warnings=tuple(warnings))


def _in_scene(item: bpy.types.Object, scene: bpy.types.Scene) -> bool:
    return scene.objects.get(item.name) == item or item in scene.objects.values()


def _bake(
    job: Job, character: Character, choice: Choice, time: SceneTime, options: BakeOptions
) -> Generator[float, None, BakeReport]:
    mapping = choice.mapping
    return (yield from bake_steps(job.performance(), character, mapping, time, options))


def _with_name(name: str, text: str) -> str:
    return text if text.startswith(name) else f"{name}: {text}"
