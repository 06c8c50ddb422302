# SPDX-License-Identifier: MIT
"""The paper's ablations (section 3.4: Table 3, Fig. 6): ``python -m bdfm_train ablation NAME`` or ``all``.

Each variant is R trained on the same photos, from the same start, in the same order and for the same number of steps;
what it is worth is measured on what is at hand, renders and judged photos, in place of BP4D and DISFA.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .arrays import write_content
from .config import Config
from .errors import CheckpointError, MeasureError
from .evaluation.regressor import Figures
from .networks.checkpoints import load_regressor
from .networks.regressor import ParameterRegressor
from .training.objective import FrozenNetworks
from .training.paper import train_paper
from .training.processes import Processes
from .training.work import differences

T, HEAT_MAPS = "T", "heatmaps"
"""What R reads, and the content loss compares: T, or a landmark network's maps in its place."""


@dataclass(frozen=True)
class Variant:
    """One ablation.

    Attributes:
        title: what it leaves out.
        change: settings of ``PaperLossConfig`` that differ.
        paper: ICC(3,1) and MAE on BP4D, then on DISFA; empty where the paper prints none.
    """

    title: str
    change: Mapping[str, Any]
    paper: tuple[float, ...]

    @property
    def reads(self) -> str:
        """What R reads, :data:`T` or :data:`HEAT_MAPS`."""
        return HEAT_MAPS if self.change.get("content") == HEAT_MAPS else T


VARIANTS: Final[dict[str, Variant]] = {
    name: Variant(entry["title"], entry["change"], tuple(entry["paper"]))
    for name, entry in tomllib.loads(Path(__file__).with_name("ablations.toml").read_text("utf-8"))["variant"].items()
}

STARTS: Final = {
    "start": Variant("before any step", {}, ()),
    "landmarks-start": Variant("before any step, on the landmark network", {"content": HEAT_MAPS}, ()),
}
"""R before any step, by what it reads."""

ROWS: Final = dict(sorted((STARTS | VARIANTS).items(), key=lambda row: row[1].reads != T))
"""Of the table, in its order: the start, then the variants that begin with it."""


@dataclass(frozen=True)
class Budget:
    """What all variants have in common.

    Attributes:
        config: name of the configuration. steps: of each. photos: in a step. seed: of all that is drawn.
        start, landmark_start: files of R at the start.
        files: what tells F_seg, G, F_rec, R at the start and the renders from others.
    """

    config: str
    steps: int
    photos: int
    seed: int
    start: str
    landmark_start: str
    files: str


@dataclass(frozen=True)
class Approach:
    """What goes with R's reading T, or a landmark network.

    Attributes:
        frozen: G, F_rec and the network that R reads.
        start: R's checkpoint to begin with; the same random weights where there is none.
        measure: from R to its figures.
    """

    frozen: FrozenNetworks
    start: Path | None
    measure: Callable[[ParameterRegressor], Figures]


class Results:
    """Figures of the variants in ``ablation.json`` of a folder.

    Args:
        work: the folder.
        budget: of the variants; a folder holds one.

    Raises:
        MeasureError: the folder holds figures of another budget, or a damaged file.
    """

    def __init__(self, work: Path, budget: Budget) -> None:
        self.path, self.budget = work / "ablation.json", budget
        self.figures: dict[str, Figures] = {}
        if not self.path.exists():
            return
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            there = Budget(**content["budget"])
            self.figures = {name: Figures(**entry) for name, entry in content["figures"].items()}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MeasureError(f"{self.path} is no table of ablations ({error!r}). Move it away.") from error
        if there != budget:
            changed = "; ".join(differences(asdict(there), asdict(budget)))
            raise MeasureError(f"{self.path} holds figures of another budget: {changed}. Choose another folder.")

    def add(self, name: str, figures: Figures) -> None:
        """Take in a variant's figures, in place of older ones.

        Raises:
            CheckpointError: they cannot be written.
        """
        self.figures[name] = figures
        content = {
            "budget": asdict(self.budget),
            "figures": {key: asdict(value) for key, value in self.figures.items()},
        }
        write_content(self.path, json.dumps(content, indent=1).encode(), CheckpointError)

    def table(self) -> str:
        """Markdown: the paper's figures, then ours."""
        lines = [
            "| R | paper: BP4D ICC, MAE | DISFA ICC, MAE | renders: ICC(3,1) | r | MAE | yaw, pitch | identity r "
            "| judged photos: AUC |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for name, variant in ROWS.items():
            if (ours := self.figures.get(name)) is None:
                continue
            theirs = [f"{icc:.2f}, {mae:.2f}" for icc, mae in zip(variant.paper[::2], variant.paper[1::2], strict=True)]
            cells = [
                variant.title,
                *(theirs or ["", ""]),
                f"{ours.icc:.3f}",
                f"{ours.correlation:.3f}",
                f"{ours.mae:.2f}",
                f"{ours.degrees:.2f}°",
                f"{ours.identity:.3f}",
                f"{ours.auc:.3f} ({ours.units} units)",
            ]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)


def run_ablations(
    names: Sequence[str],
    config: Config,
    approaches: Mapping[str, Approach],
    photos: NDArray[np.uint8],
    results: Results,
    process: Processes,
) -> None:
    """Train and measure variants in turn, each start before its first; a variant that was broken off goes on.

    Args:
        names: of :data:`VARIANTS`.
        config: sizes and settings that the variants change.
        approaches: by what R reads, :data:`T` or :data:`HEAT_MAPS`; those that the variants need.
        photos: (n, s, s) uint8, aligned, to train on.
        results: where figures go; each variant's training lies in a folder beside it.
        process: this process and its device.
    """
    budget = results.budget
    needed = {VARIANTS[name].reads for name in names}
    starts = [name for name, start in STARTS.items() if start.reads in needed]
    for name in dict.fromkeys((*starts, *names)):
        variant, steps = ROWS[name], 0 if name in STARTS else budget.steps
        loss = replace(config.paper.loss, **variant.change)
        changed = replace(config, paper=replace(config.paper, loss=loss, photos=budget.photos))
        approach, folder = approaches[variant.reads], results.path.parent / name
        checkpoint = train_paper(changed, approach.frozen, photos, folder, steps, process, budget.seed, approach.start)
        if process.rank == 0:
            results.add(name, approach.measure(load_regressor(checkpoint).to(process.device)))
