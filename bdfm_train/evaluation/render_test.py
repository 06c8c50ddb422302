# SPDX-License-Identifier: MIT
"""Action units and pose on renders of people never seen, whose truth is known: ``python -m bdfm_train render-test``.

Which faces are drawn is fixed in ``data/render_test.toml``. Everything goes through ``Predictor`` on the picture alone:
detection, alignment by what the network itself reads, network. Faces that it does not find are counted and left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bdfm_infer import Predictor
from bdfm_infer.parameters import AU_NAMES, AU_SLICE, IDENTITY_SLICE, N_AU, ROTATION, intensity_from_parameter
from bdfm_train.errors import MeasureError
from bdfm_train.face_model.head import Head
from bdfm_train.face_model.render import Renderer

from .datasets.labels import STRONGEST
from .readings import Readings
from .render_draw import TEST, draw_person, fingerprint, pictures
from .statistics import icc31, mean_absolute_error

GOALS: Final = "mean .85 (.70 where the other head alone was trained on), none under .5"
LEAST_OF_A_GROUP: Final = 30
"""Faces that a group must have for its figure to be told."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class RenderTest:
    """What was read of n people of one head.

    Attributes:
        head: its name.
        same: the people are those that the test was fixed with.
        readings: (2 n), of each person a frame at rest and one as drawn.
        rotation, read_rotation: (n, 3) degrees in the frames as drawn; NaN where no face was found.
        groups: (n,) names by which the people are told apart, by kind of group.
    """

    head: str
    same: bool
    readings: Readings
    rotation: FloatArray
    read_rotation: FloatArray
    groups: Mapping[str, NDArray[np.str_]]


def run(heads: Path, name: str, predictor: Predictor, count: int) -> RenderTest:
    """Draw ``count`` people of a head and read them.

    Raises:
        HeadFileError: the head is missing.
        MeasureError: fewer than two people are asked for.
    """
    if count < 2:
        raise MeasureError("The test on renders needs two people or more.")
    head = Head.load(heads, name)
    renderer = Renderer(head, (TEST["size"], TEST["size"]))
    labels, values = np.zeros((2 * count, N_AU)), np.full((2 * count, N_AU), np.nan)
    rotation, read_rotation = np.zeros((count, 3)), np.full((count, 3), np.nan)
    identity, skin = np.zeros((count, IDENTITY_SLICE.stop - IDENTITY_SLICE.start)), np.zeros(count)
    for i in tqdm(range(count), desc=f"head {name}", unit="person", disable=None):
        person = draw_person(head, i)
        labels[2 * i + 1] = intensity_from_parameter(person.parameters[1, AU_SLICE]) * STRONGEST
        rotation[i], identity[i], skin[i] = person.rotation[1], person.parameters[1, IDENTITY_SLICE], person.skin
        for row, picture in enumerate(pictures(renderer, person)):
            face = predictor.predict(picture)
            if face is not None:
                values[2 * i + row] = face.action_units
                if row == 1:
                    read_rotation[i] = face.rotation
    people = np.repeat(np.arange(count), 2)
    return RenderTest(
        name,
        fingerprint(head) == TEST["fingerprint"][name],
        Readings(people.astype(str), people, labels, values),
        rotation,
        read_rotation,
        _groups(head, identity, skin),
    )


def _groups(head: Head, identity: FloatArray, skin: FloatArray) -> dict[str, NDArray[np.str_]]:
    """Group names (n,) by kind: skin tone; sex and age where the head's shape has them."""
    groups = {"skin": _named(TEST["groups"]["skin"], skin)}
    for kind in ("sex", "age"):
        parameter = TEST["groups"][kind]["parameter"]
        if parameter in head.identity_names:
            groups[kind] = _named(TEST["groups"][kind], 2 * identity[:, head.identity_names.index(parameter)] - 1)
    return groups


def _named(group: Mapping[str, Any], values: FloatArray) -> NDArray[np.str_]:
    return np.array(group["names"])[np.digitize(values, group["limits"])]


def unit_figures(readings: Readings, chosen: NDArray[np.bool_] | None = None) -> FloatArray:
    """ICC(3,1) of each unit (23,) over the frames as drawn in which a face was found.

    Args:
        readings: of n people, a frame at rest and one as drawn of each.
        chosen: (n,) people that count; all by default.
    """
    used = readings.found[1::2] if chosen is None else readings.found[1::2] & chosen
    truth, read = readings.labels[1::2][used], readings.action_units[1::2][used] * STRONGEST
    return np.array([icc31(truth[:, i], read[:, i]) if len(truth) > 1 else np.nan for i in range(N_AU)])


def together(readings: Readings, units: tuple[str, ...]) -> float:
    """ICC(3,1) of the sum of some units."""
    columns = [AU_NAMES.index(unit) for unit in units]
    used = readings.found[1::2]
    truth, read = readings.labels[1::2][used][:, columns], readings.action_units[1::2][used][:, columns] * STRONGEST
    return icc31(truth.sum(1), read.sum(1))


def report(test: RenderTest) -> str:
    """One head's figures.

    Raises:
        MeasureError: no face was found.
    """
    found = test.readings.found[1::2]
    if not found.any():
        raise MeasureError(f"head {test.head}: no face was found in any of {len(found)} renders.")
    calibrated, _ = test.readings.calibrated("neutral")
    lines = [
        f"head {test.head}: {len(found)} people never seen, identity strength {TEST['identity_strength']:g}, face "
        f"found in {int(found.sum())} renders as drawn and {int(test.readings.found[::2].sum())} at rest",
    ]
    if not test.same:
        lines.append("  NOT the faces that the test was fixed with: looks or identities are drawn differently since.")
    lines += [*_units(test.readings, calibrated), "", *_pose(test), "", *_fairness(test, calibrated)]
    return "\n".join(lines)


def _units(raw: Readings, calibrated: Readings) -> list[str]:
    both = {"alone": raw, "neutral": calibrated}
    figures = {name: unit_figures(readings) for name, readings in both.items()}
    lines = [f"ICC(3,1); goal {GOALS}", f"{'':18s}" + "".join(f"{name:>9s}" for name in both)]
    for i, unit in enumerate(AU_NAMES):
        lines.append(f"{unit:18s}" + "".join(f"{figures[name][i]:9.3f}" for name in both))
    pair = ("AU23", "AU24")
    lines.append(f"{'AU23 with AU24':18s}" + "".join(f"{together(readings, pair):9.3f}" for readings in both.values()))
    lines.append(f"{'mean of 23':18s}" + "".join(f"{np.nanmean(figures[name]):9.3f}" for name in both))
    least = "".join(f"{np.nanmin(f):9.3f} {AU_NAMES[int(np.nanargmin(f))]}" for f in figures.values())
    lines.append(f"{'least':18s}" + least)
    lines.append("alone: the picture alone. neutral: the same person's frame at rest as reference.")
    return lines


def _pose(test: RenderTest) -> list[str]:
    """Mean absolute error of the rotation, all and by yaw."""
    found = ~np.isnan(test.read_rotation).any(1)
    turned = np.abs(test.rotation[:, 0])
    limits = [0.0, *TEST["yaw"]["limits"]]
    bins = [("all", np.ones(len(found), bool))]
    bins += [(f"yaw {a:g} to {b:g}", (turned >= a) & (turned <= b)) for a, b in pairwise(limits)]
    lines = [f"{'MAE, degrees':18s}" + "".join(f"{name:>8s}" for name in ROTATION) + "   found"]
    for name, chosen in bins:
        used = chosen & found
        errors = [
            mean_absolute_error(test.rotation[used, i], test.read_rotation[used, i]) if used.any() else np.nan
            for i in range(3)
        ]
        lines.append(f"{name:18s}" + "".join(f"{e:8.2f}" for e in errors) + f"   {used.sum()} of {chosen.sum()}")
    return lines


def _fairness(test: RenderTest, calibrated: Readings) -> list[str]:
    """Mean ICC of groups and how far it is from that of all."""
    overall = [float(np.nanmean(unit_figures(readings))) for readings in (test.readings, calibrated)]
    lines = [f"{'mean ICC by group':18s}{'alone':>9s}{'neutral':>9s}   from all (goal: the worst within .05)"]
    found = test.readings.found[1::2]
    for kind, names in test.groups.items():
        for name in TEST["groups"][kind]["names"]:
            chosen = names == name
            count = int((chosen & found).sum())
            if count < LEAST_OF_A_GROUP:
                lines.append(f"{kind} {name}: {count} faces are too few")
                continue
            figures = [float(np.nanmean(unit_figures(r, chosen))) for r in (test.readings, calibrated)]
            apart = " ".join(f"{f - all_:+.3f}" for f, all_ in zip(figures, overall, strict=True))
            lines.append(
                f"{kind + ' ' + name:18s}" + "".join(f"{f:9.3f}" for f in figures) + f"   {apart}   {count} of "
                f"{int(chosen.sum())} found"
            )
    return lines
