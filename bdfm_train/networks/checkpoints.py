# SPDX-License-Identifier: MIT
"""Networks of a configuration's size, untrained or with the weights of a checkpoint."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from bdfm_train.config import Config
from bdfm_train.errors import CheckpointError

from .bisenet import BiSeNetOnCrops
from .landmark_network import LandmarkNetwork
from .reader import FaceReader
from .regressor import ParameterRegressor, RegressorInputs
from .segmentation import SegmentationNetwork


def build_reader(config: Config) -> FaceReader:
    """An untrained reader of the size that the configuration asks for."""
    return FaceReader(config.network.width, config.network.blocks, config.network.crop_size)


def build_regressor(
    config: Config, reads: SegmentationNetwork | BiSeNetOnCrops | LandmarkNetwork | None = None
) -> ParameterRegressor:
    """An untrained R of the size that the configuration asks for, on what a network gives; our own F_seg by default."""
    width = config.network.width
    if isinstance(reads, LandmarkNetwork):
        inputs = RegressorInputs.of_landmarks(width)
    else:
        inputs = RegressorInputs.of_t(width, 2 * width if reads is None else reads.fused_channels)
    return _regressor(config, inputs)


def _regressor(config: Config, inputs: RegressorInputs) -> ParameterRegressor:
    return ParameterRegressor(inputs, config.network.regressor_channels, config.network.regressor_size)


def load_config(checkpoint: Path, command: str = "reader") -> Config:
    """The configuration that a checkpoint was trained with.

    Raises:
        CheckpointError: the file is missing or damaged; the message names the command that makes it.
    """
    return config_of(read_checkpoint(checkpoint, command, ("config",)), checkpoint, command)


def config_of(state: dict[str, Any], checkpoint: Path, command: str = "reader") -> Config:
    """The configuration in the content of a checkpoint.

    Raises:
        CheckpointError: there is none.
        ConfigError: it cannot be; or it is a file of one's own that an older checkpoint names, and that is gone.
    """
    kept = state["config"]
    if not isinstance(kept, str) and not (isinstance(kept, dict) and {"name", "network", "emphasis"} <= kept.keys()):
        raise CheckpointError(f"{checkpoint} is no checkpoint of {_command(command)}.")
    return Config.of_kept(kept, checkpoint)


def load_reader(checkpoint: Path) -> FaceReader:
    """The reader with averaged weights of a checkpoint, ready to read.

    Raises:
        CheckpointError: the file is missing or belongs to another size of network.
    """
    state = read_checkpoint(checkpoint, "reader", ("average", "config"))
    reader = build_reader(config_of(state, checkpoint))
    fill(reader, state["average"], checkpoint)
    return reader.eval()


def fill_reader(reader: FaceReader, checkpoint: Path) -> None:
    """Give a reader the averaged weights of a checkpoint.

    Raises:
        CheckpointError: the file is missing or belongs to another size of network.
    """
    fill(reader, read_checkpoint(checkpoint, "reader", ("average",))["average"], checkpoint)


def load_segmentation(checkpoint: Path, config: Config) -> SegmentationNetwork:
    """F_seg alone of a reader's checkpoint, of the size that the configuration asks for; averaged weights, frozen.

    Raises:
        CheckpointError: the file is missing, damaged, or belongs to another size of network.
    """
    network = build_reader(config).segmentation
    weights = read_checkpoint(checkpoint, "reader", ("average",))["average"]
    prefix = "segmentation."
    fill(network, {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}, checkpoint)
    return network.requires_grad_(False).eval()


def load_landmark_network(checkpoint: Path, config: Config) -> LandmarkNetwork:
    """The landmark network of Fig. 6 of a reader's checkpoint, as :func:`load_segmentation` gives F_seg.

    Raises:
        CheckpointError: the file is missing, damaged, or belongs to another size of network.
    """
    return LandmarkNetwork(load_segmentation(checkpoint, config))


def load_regressor(checkpoint: Path) -> ParameterRegressor:
    """R with the averaged weights that ``python -m bdfm_train regressor`` or ``paper`` wrote.

    Raises:
        CheckpointError: the file is missing or belongs to another size of network.
    """
    state = read_checkpoint(checkpoint, "regressor", ("regressor", "config"))
    config, inputs = config_of(state, checkpoint, "regressor"), _inputs(state["regressor"])
    regressor = build_regressor(config) if inputs is None else _regressor(config, inputs)
    fill(regressor, state["regressor"], checkpoint)
    return regressor.eval()


def fill_regressor(regressor: ParameterRegressor, checkpoint: Path) -> None:
    """Give R the averaged weights of a checkpoint.

    Raises:
        CheckpointError: the file is missing or belongs to another size of network.
    """
    fill(regressor, read_checkpoint(checkpoint, "regressor", ("regressor",))["regressor"], checkpoint)


def fill(network: torch.nn.Module, weights: dict[str, torch.Tensor], checkpoint: Path) -> None:
    """Give a network weights that were read from a checkpoint.

    Raises:
        CheckpointError: they are of another network, or some are no numbers.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()  # of a line for each weight
        raise CheckpointError(
            f"{checkpoint} was trained with another network ({first}). Name one of this configuration."
        ) from error
    if not all(value.isfinite().all() for value in network.state_dict().values()):
        raise CheckpointError(f"{checkpoint} holds weights that are no numbers. Name another checkpoint.")


def fingerprint(network: torch.nn.Module) -> str:
    """What tells the weights of two networks apart."""
    sha = hashlib.sha256()
    for value in network.state_dict().values():
        sha.update(value.cpu().numpy().tobytes())
    return sha.hexdigest()


def digest(paths: Iterable[Path]) -> str:
    """What tells the contents of files from those of others.

    Raises:
        CheckpointError: one cannot be read.
    """
    sha = hashlib.sha256()
    for path in paths:
        try:
            sha.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read ({error.strerror}). Name a file that is there.") from error
    return sha.hexdigest()


def write_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint; the file at ``path`` is the older one or the new one, never a part of it.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; the older checkpoint stays.
    """
    draft = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, draft)
        draft.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as either
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else "not all of it went onto the disk"
        raise CheckpointError(
            f"{path} cannot be written ({reason}). Free some space and start again; the last checkpoint is intact."
        ) from error


def read_checkpoint(path: Path, command: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """The content of a checkpoint that ``python -m bdfm_train COMMAND`` wrote, or a module of this package.

    Raises:
        CheckpointError: the file is missing, damaged, or lacks one of ``keys``.
    """
    if not path.exists():
        raise CheckpointError(f"{path} is missing. Train first: {_command(command)} --help")
    try:
        if zipfile.is_zipfile(path) and zipfile.ZipFile(path).testzip() is not None:  # torch looks at no checksum
            raise zipfile.BadZipFile
        state = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # what a damaged file raises depends on where it is damaged
        reason = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else "is damaged or no checkpoint"
        raise CheckpointError(f"{path} {reason}. Name another, or move it away to start anew.") from error
    if not isinstance(state, dict) or not set(keys) <= state.keys():
        raise CheckpointError(f"{path} is no checkpoint of {_command(command)}. Move it away to start anew.")
    return state


def restore(path: Path, state: dict[str, Any], **parts: torch.nn.Module | torch.optim.Optimizer) -> None:
    """Bring networks and optimizer of a run, by their names in its checkpoint, to where it was broken off.

    Raises:
        CheckpointError: the checkpoint is of a network of another size.
    """
    try:
        for name, part in parts.items():
            part.load_state_dict(state[name])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} was trained with another network. Choose another folder.") from error


def _command(name: str) -> str:
    return f"python -m bdfm_train{'.' if '.' in name else ' '}{name}"


def _inputs(weights: dict[str, torch.Tensor]) -> RegressorInputs | None:
    """Channels of what R was trained on, as its first convolutions tell; None where there are none."""
    first = [weights.get(f"{part}.reduce.0.weight") for part in ("pose", "identity", "brow_style")]
    return RegressorInputs(*(w.shape[1] for w in first if w is not None)) if all(w is not None for w in first) else None
