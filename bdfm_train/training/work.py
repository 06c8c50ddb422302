# SPDX-License-Identifier: MIT
"""What every training does alike: how long it lasts, its folder and log, steps that end where a loss is no number."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from bdfm_train.errors import ArraysError, CheckpointError, DivergedError, PairsError

CPU: Final = torch.device("cpu")
_DIGEST: Final = 64
"""Letters of a SHA-256."""


@dataclass(frozen=True)
class Length:
    """How long a whole run lasts, over its restarts: ``steps`` where they are given, else ``minutes`` of the clock.

    Only a length in steps gives the same figures again, since the learning rate falls over the length.
    """

    minutes: float = 0.0
    steps: int | None = None

    def share(self, step: int, minutes: float) -> float:
        """How much of the run is done after so many steps and minutes; 1 or more at its end."""
        if self.steps is not None:
            return step / self.steps if self.steps else 1.0
        return minutes / self.minutes if self.minutes > 0.0 else 1.0


@dataclass(frozen=True)
class Run:
    """Where, how long and by what a training is done.

    Attributes:
        work: folder of checkpoints and the log.
        length: of the whole run; the learning rate falls to nothing over it. In steps, the same seed and shards give
            the same weights, resumed or not.
        seed: of weights and batches.
        device: where the networks compute; a checkpoint of one device goes on on another.
        workers: processes that make batches, see :func:`bdfm_train.data.batches.feed`.
    """

    work: Path
    length: Length
    seed: int = 0
    device: torch.device = CPU
    workers: int = 0


class Clock:
    """Minutes that a run has taken, with those of its earlier parts.

    Args:
        minutes: of the earlier parts.
    """

    def __init__(self, minutes: float = 0.0) -> None:
        self._began = time.monotonic() - minutes * 60.0

    @property
    def minutes(self) -> float:
        """So far."""
        return (time.monotonic() - self._began) / 60.0


def make_folder(work: Path) -> None:
    """The folder of a training, where it is not there yet.

    Raises:
        CheckpointError: it cannot be made, or written.
    """
    try:
        work.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=work).close()
    except OSError as error:
        raise CheckpointError(f"{work} is no folder that can be written ({error.strerror}). Name another.") from error


def write_line(path: Path, record: Mapping[str, float]) -> None:
    """Add a line of JSON to a log; a line that does not fit on the disk leaves nothing behind.

    Raises:
        CheckpointError: it cannot be written; the checkpoint beside it is intact.
    """
    size = path.stat().st_size if path.exists() else 0
    try:
        with path.open("a", encoding="utf-8") as log:
            print(json.dumps(record), file=log)
    except OSError as error:
        with suppress(OSError):
            os.truncate(path, size)
        raise CheckpointError(
            f"{path} cannot be written ({error.strerror}). Free some space and start again; the last checkpoint is "
            "intact."
        ) from error


def differences(there: Mapping[str, Any], now: Mapping[str, Any], within: str = "") -> list[str]:
    """What differs between the settings of two runs, a phrase each: ``loss sides was 10.0, is 5.0``."""
    found = []
    for key in dict.fromkeys((*there, *now)):
        old, new = there.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{within}{key} ")
        elif old != new:
            is_digest = any(isinstance(value, str) and len(value) == _DIGEST for value in (old, new))
            found.append(f"other {within}{key}" if is_digest else f"{within}{key} was {old}, is {new}")
    return found


def refuse_other_settings(checkpoint: Path, there: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """See that a run goes on by the settings that it was begun with.

    Args:
        checkpoint: of the run, for the message.
        there, now: the settings in it, and those of this start; of an older one's what both name is looked at.

    Raises:
        CheckpointError: a setting differs.
    """
    shared = [name for name in now if name in there]
    if changed := differences({name: there[name] for name in shared}, {name: now[name] for name in shared}):
        raise CheckpointError(
            f"{checkpoint} was begun with other settings: {'; '.join(changed)}. Choose another folder, or move it away."
        )


@contextmanager
def saving(save: Callable[[], None]) -> Iterator[None]:
    """Keep what was learned where a file that arrives during a training is damaged: save, then let the error end it."""
    try:
        yield
    except (ArraysError, PairsError):
        save()
        raise


def seed_step(seed: int, step: int) -> None:
    """Make what torch draws in a step depend on seed and step alone, so that a resumed run draws the same."""
    torch.manual_seed((seed << 32) + step)


def adamw(network: nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """The optimizer of a network's weights, fused; :func:`set_rate` gives the learning rate of each step."""
    return torch.optim.AdamW(network.parameters(), weight_decay=weight_decay, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate


class Descent:
    """Steps of gradient descent that a loss or gradient which is no number ends before it reaches the weights.

    A GPU is not waited for at each step: with one of torch's fused optimizers, weights stay as they are from such a
    step on, and :meth:`values` tells of it later. With any other the step itself does.

    Args:
        optimizer: of the weights.
        longest: length to which the gradient is cut.
        path: checkpoint of the run, for the message.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, longest: float, path: Path) -> None:
        self._optimizer, self._longest, self._path = optimizer, longest, path
        self._weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        self._fused = all(group.get("fused") for group in optimizer.param_groups)
        self._names: list[str] = []
        self._seen = torch.zeros(0)
        self._first_bad = torch.zeros(())

    def step(self, losses: Mapping[str, Tensor], total: Tensor, number: int) -> None:
        """One step.

        Args:
            losses: by name, what ``total`` was made of.
            total: what is made smaller.
            number: of this step, from 1.

        Raises:
            DivergedError: as :meth:`values`, with an optimizer that is none of the fused ones.
        """
        self._optimizer.zero_grad()
        total.backward()
        length = nn.utils.clip_grad_norm_(self._weights, self._longest)
        seen = torch.stack([length.detach(), *(loss.detach().float() for loss in losses.values())])
        first_bad = self._first_bad.to(seen.device)
        ended = first_bad > 0
        self._seen = torch.where(ended, self._seen, seen) if self._names else seen
        self._first_bad = torch.where(ended | seen.isfinite().all(), first_bad, float(number))
        self._names = list(losses)
        if self._fused:
            self._optimizer.found_inf = (self._first_bad > 0).float()  # type: ignore[attr-defined]
        else:
            self.values()
        self._optimizer.step()

    def values(self) -> dict[str, float]:
        """The last step's losses as numbers, rounded; none before the first step.

        Raises:
            DivergedError: a loss or the gradient was not finite; the weights are as before that step.
        """
        numbers, first_bad = self._seen.tolist(), int(self._first_bad)
        values = {name: round(value, 5) for name, value in zip(self._names, numbers[1:], strict=True)}
        if first_bad:
            raise DivergedError(
                f"A loss or its gradient is not finite at step {first_bad}: {values}. Lower the learning rate and "
                f"start again; {self._path} still holds the last good state, if one was written."
            )
        return values


def descend(
    losses: Mapping[str, Tensor], total: Tensor, optimizer: torch.optim.Optimizer, longest: float, step: int, path: Path
) -> dict[str, float]:
    """One step of a :class:`Descent`, waited for.

    Returns:
        The losses as numbers, rounded, ``total`` not among them.

    Raises:
        DivergedError: a loss or the gradient is not finite; the weights are as before.
    """
    descent = Descent(optimizer, longest, path)
    descent.step(losses, total, step)
    return descent.values()
