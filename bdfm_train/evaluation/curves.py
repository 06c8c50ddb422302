# SPDX-License-Identifier: MIT
"""Curves of a training from its log, one JSON object a line: a table, or a picture.

``python -m bdfm_train curves RUN/paper.jsonl [--out CURVES.png]``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from bdfm_train.errors import MeasureError


def read_log(path: Path) -> dict[int, dict[str, float]]:
    """The numbers of each step. Where a run was resumed before its last line, the later line counts.

    Raises:
        MeasureError: the file is missing, empty or no log.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        records: list[dict[str, Any]] = [json.loads(line) for line in lines if line]
        found = {int(record["step"]): _numbers(record) for record in records}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MeasureError(f"{path} is no log of a training ({error}).") from error
    if not found:
        raise MeasureError(f"{path} holds no step yet.")
    return dict(sorted(found.items()))


def table(log: dict[int, dict[str, float]], rows: int = 12) -> str:
    """The log at evenly spaced steps, the last one among them."""
    names = list(dict.fromkeys(name for record in log.values() for name in record))
    steps = list(log)
    chosen = dict.fromkeys(steps[i] for i in np.linspace(0, len(steps) - 1, min(rows, len(steps))).round().astype(int))
    widths = {name: max(len(name), 8) for name in names}
    lines = [f"{'step':>7s}  " + "  ".join(f"{name:>{w}s}" for name, w in widths.items())]
    for step in chosen:
        record = log[step]
        cells = [f"{record[name]:{w}.4g}" if name in record else " " * w for name, w in widths.items()]
        lines.append(f"{step:7d}  " + "  ".join(cells))
    return "\n".join(lines)


def draw(log: dict[int, dict[str, float]], path: Path) -> None:
    """One small diagram for each number.

    Raises:
        MeasureError: matplotlib is not installed, or the picture cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MeasureError(
            "Drawing needs matplotlib: pip install 'bdfm-infer[curves]'. The table needs nothing."
        ) from error
    names = list(dict.fromkeys(name for record in log.values() for name in record))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.8 * rows), layout="constrained")
    for place, name in enumerate(names, 1):
        steps = [step for step, record in log.items() if name in record]
        axes = figure.add_subplot(rows, columns, place)
        axes.plot(steps, [log[step][name] for step in steps], linewidth=1.2)
        axes.set_title(name.replace("_", " "), fontsize=10)
        axes.grid(alpha=0.3)
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:
        raise MeasureError(f"{path} cannot be written ({error}).") from error


def _numbers(record: dict[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in record.items()
        if name != "step" and isinstance(value, (int, float)) and not isinstance(value, bool)
    }
