# SPDX-License-Identifier: MIT
"""Losses of one's own, each one file: ``--loss FILE.py`` of the commands ``reader``, ``regressor`` and ``paper``.

The file defines ``WEIGHT``, a number, and ``loss``, which returns one value as a tensor. What ``loss`` is given:

* ``reader``: :class:`~bdfm_train.data.batches.Batch`, then what the network read off its renders and its photos
  (:class:`.reader.Read`);
* ``regressor``: the batch, then R's parameters (n, 269) of the renders and (m, 269) of the photos;
* ``paper``: R's parameters (n, 269), then what R reads of G's pictures of them and of the photos
  (:class:`.objective.Seen`).

The log names it after the file.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bdfm_train.errors import ConfigError


@dataclass(frozen=True)
class OwnLoss:
    """A loss by the name of its file, its weight, and what computes it."""

    name: str
    weight: float
    compute: Callable[..., Tensor]


def load_losses(paths: Sequence[Path], taken: Collection[str]) -> tuple[OwnLoss, ...]:
    """The losses of these files.

    Args:
        paths: Python files.
        taken: names of the losses that are there already.

    Raises:
        ConfigError: a file is missing or cannot be imported, defines no ``loss`` or no ``WEIGHT`` of 0 or above, or has
            the name of another loss.
    """
    losses = tuple(_load(path) for path in paths)
    names = [loss.name for loss in losses]
    if doubled := {name for name in names if name in taken or names.count(name) > 1}:
        raise ConfigError(f"There are two losses named {min(doubled)}. Give the file another name.")
    return losses


def with_own(
    losses: Mapping[str, Tensor], weights: Mapping[str, float], own: Sequence[OwnLoss], *seen: object
) -> tuple[dict[str, Tensor], Tensor]:
    """The losses with one's own among them, and the weighted sum of all.

    Args:
        losses, weights: by name.
        own: losses of one's own.
        seen: what they are computed from.

    Raises:
        ConfigError: what a loss of one's own returns is not one number.
    """
    together = dict(losses) | {loss.name: _computed(loss, seen) for loss in own}
    weights = dict(weights) | {loss.name: loss.weight for loss in own}
    weighed = (weights[name] * value for name, value in together.items() if weights[name])
    return together, sum(weighed, torch.zeros(()))


def _computed(loss: OwnLoss, seen: tuple[object, ...]) -> Tensor:
    value = loss.compute(*seen)
    if not isinstance(value, Tensor) or value.ndim:
        raise ConfigError(f"{loss.name}: loss must return a tensor of one number, not {value!r}.")
    return value


def _load(path: Path) -> OwnLoss:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a file of one's own may raise
        raise ConfigError(f"{path} cannot be imported ({error!r}).") from error
    weight, compute = getattr(module, "WEIGHT", None), getattr(module, "loss", None)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
        raise ConfigError(f"{path}: WEIGHT must be a number, 0 or above, not {weight!r}.")
    if not callable(compute):
        raise ConfigError(f"{path} defines no function loss.")
    return OwnLoss(path.stem, float(weight), compute)
