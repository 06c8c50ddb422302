# SPDX-License-Identifier: MIT
"""One process or several that ``torchrun`` started, and the device of each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn

from bdfm_train.errors import ConfigError


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes:
        rank: from 0; process 0 writes checkpoints and the log.
        count: how many there are.
        device: where this one computes.
    """

    rank: int
    count: int
    device: torch.device

    def spread(self, network: nn.Module) -> nn.Module:
        """The network with gradients averaged over the processes; itself where there is one."""
        if self.count == 1:
            return network
        return nn.parallel.DistributedDataParallel(network)


@contextmanager
def processes(device: str = "auto", several: bool = True) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started; without it there is one.

    Args:
        device: ``cpu``, ``cuda``, or ``auto``, which takes a GPU where there is one.
        several: whether this training can be spread over processes.

    Raises:
        ConfigError: a GPU is asked for and there is none, or several processes where the training takes one.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("There is no GPU that torch can use. Leave --device out, or choose --device cpu.")
    on_gpu = device != "cpu" and torch.cuda.is_available()
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count > 1 and not several:
        raise ConfigError("This training runs as one process, on one device. Start it without torchrun.")
    chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if on_gpu else torch.device("cpu")
    if count == 1:
        yield Processes(0, 1, chosen)
        return
    if on_gpu:
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Processes(distributed.get_rank(), count, chosen)
    finally:
        distributed.destroy_process_group()
