# SPDX-License-Identifier: MIT
"""Numbers that every step needs, moved to the device that trains once.

A tensor made from numbers of the processor's lets a GPU run dry: the processor waits for the copy, and with it for all
that was handed out before.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

Numbers = tuple[Any, ...]
"""Numbers, or rows of them."""


def constant(values: Sequence[Any], device: torch.device) -> Tensor:
    """A tensor of these numbers or rows on a device, the same at each call: not to be written to.

    Args:
        values: whole numbers give int64, others float32.
        device: where it lies.
    """
    return _moved(_frozen(values), device)


def _frozen(values: Sequence[Any]) -> Numbers:
    return tuple(_frozen(value) if isinstance(value, Sequence) else value for value in values)


@cache
def _moved(values: Numbers, device: torch.device) -> Tensor:
    return torch.tensor(values, device=device)
