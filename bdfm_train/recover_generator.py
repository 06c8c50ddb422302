# SPDX-License-Identifier: MIT
"""G's checkpoint out of ``avatar.onnx``, to go on from what ships: ``python -m bdfm_train generator-recover``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Final

import torch
from onnx import numpy_helper

from .config.generator import GeneratorConfig
from .errors import CheckpointError
from .export import AVATAR
from .export_generator import STORED, ExportedGenerator, difference_to
from .networks.checkpoints import write_checkpoint
from .networks.generator import Generator
from .recover import read_graph

_PREFIX: Final = "generator."
_NOT_EXPORTED: Final = "sketch."


def recover_generator(weights: Path, head: str, config: GeneratorConfig, out: Path) -> float:
    """Write a checkpoint with the weights of ``avatar.onnx``, exact to the 16 bits in which it stores them.

    The layer that draws small pictures in training alone does not ship and begins at random.

    Args:
        weights: folder of ``avatar.onnx``, as ``generator-export`` wrote it.
        head: name of G's head; the file does not hold it.
        config: of the G that was exported.
        out: checkpoint to write; a training begins from it by ``--start``.

    Returns:
        Mean difference of the checkpoint's pictures to the file's, in grey levels of 255.

    Raises:
        CheckpointError: the file is missing, damaged, no G of these widths, or ``out`` cannot be written.
    """
    path, generator = weights / AVATAR, Generator(config.widths)
    initializers = read_graph(path, "generator-export").initializer
    found = {
        item.name.removeprefix(_PREFIX).removesuffix(STORED): torch.from_numpy(
            numpy_helper.to_array(item).copy()
        ).float()
        for item in initializers
    }
    state = generator.state_dict()
    wanted = {name: value.shape for name, value in state.items() if not name.startswith(_NOT_EXPORTED)}
    if {name: value.shape for name, value in found.items()} != wanted:
        raise CheckpointError(f"{path} is no G of the widths {list(config.widths)}. Give its own --config.")
    generator.load_state_dict(state | found)
    difference = difference_to(path.read_bytes(), ExportedGenerator(generator).eval())
    state = generator.state_dict()
    start = {"generator": state, "average": state, "optimizer": {}, "step": 0, "config": asdict(config), "head": head}
    write_checkpoint(start, out)
    return difference
