# SPDX-License-Identifier: MIT
"""Goes on training a reader's plain head for units that no photo shows: ``python -m bdfm_train head``.

Beside all else that the whole network learns, such a unit is soon read in renders alone: almost every photo says that
it is absent. What the frozen reader sees tells it in photos, too. It is learned from renders and from photos to which
it was added, while the head keeps to what it read of all other units and of the pose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from bdfm_infer.parameters import AU_NAMES, N_POSE
from bdfm_train.data.batches import Batch, BatchMaker, feed
from bdfm_train.data.changed_photos import load_changed_photos
from bdfm_train.data.photos import load_photos
from bdfm_train.data.shards import ShardPool
from bdfm_train.errors import DivergedError
from bdfm_train.networks.checkpoints import load_config, load_reader, read_checkpoint, write_checkpoint
from bdfm_train.networks.reader import FaceReader, joined

from .steps import action_unit_error, beyond, change_weight

UNITS: Final = ("AU09", "AU14", "AU16", "AU17", "AU20", "AU23", "AU24")
"""Learned; a judge of photos grades them as absent nearly always."""

_COUNTS: Final = (64, 64, 1)
"""Renders, photos and crops without a face in a batch; of the last nothing is learned."""
_STEP: Final = 192
"""Renders, and as many photos, of a step."""
_STEPS: Final = 25
"""For each batch that was drawn."""
_LEARNING_RATE: Final = 3e-3
_RENDERS, _PHOTOS, _KEEP = 40.0, 80.0, 1000.0
"""Weights of the errors: renders, photos, and all that is to stay."""

_COLUMNS: Final = [N_POSE + AU_NAMES.index(name) for name in UNITS]
_OTHERS: Final = [i for i in range(N_POSE + len(AU_NAMES)) if i not in _COLUMNS]


@dataclass(frozen=True)
class _Seen:
    """What the frozen reader sees in n renders and m photos, what its head reads, and what is to be read there.

    Attributes:
        renders: (n, k). read_in_renders: (n, 25). parameters: (n, 25).
        photos: (m, k). read_in_photos: (m, 25). bounds: (m, 2, 23). weight: (m, 23).
    """

    renders: Tensor
    read_in_renders: Tensor
    parameters: Tensor
    photos: Tensor
    read_in_photos: Tensor
    bounds: Tensor
    weight: Tensor


def train_head(
    checkpoint: Path, sources: Path, shards: Path, pattern: str, changed: Path, batches: int, seed: int, out: Path
) -> float:
    """Train, and write the reader anew. Minutes; a run that was broken off begins anew and ends the same.

    Args:
        checkpoint: of a reader.
        sources: folder that holds ``faces``.
        shards, pattern: folder and names of the renders.
        changed: photos that the command ``changed-photos`` wrote.
        batches: drawn once, 64 renders and photos each; what the reader sees in them is shown again and again.
        seed: of the batches and steps.
        out: checkpoint to write, that of the reader with another head.

    Returns:
        Mean difference of what the head reads of all other units, and of the pose, to what it read before.

    Raises:
        ArraysError: there is no shard, or a file is damaged.
        CheckpointError: a checkpoint is damaged, or cannot be written.
        DivergedError: the loss is not finite; nothing was written.
        SourcesError: the changed photos were made of others.
    """
    state = read_checkpoint(checkpoint, "reader", ("average", "config"))
    reader = load_reader(checkpoint).requires_grad_(False)
    pool = ShardPool(shards, pattern, load_config(checkpoint).batch.shards)
    pool.refresh()
    photos = load_photos(sources, "train")
    maker = BatchMaker(photos, pool, _COUNTS, seed, None, reader.crop_size, load_changed_photos(changed, photos))
    seen = _joined_together([_seen(reader, batch) for batch in islice(feed(maker), batches)])
    head = reader.head
    optimizer = torch.optim.AdamW(head.requires_grad_(True).parameters(), _LEARNING_RATE, weight_decay=0.0)
    chance = torch.Generator().manual_seed(seed)
    steps = batches * _STEPS
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        error = _error(head, seen, chance)
        if not error.isfinite():
            raise DivergedError(f"{checkpoint}: the head's error is not finite in step {step}. Nothing was written.")
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    write_checkpoint(state | {"average": reader.state_dict()}, out)
    with torch.no_grad():
        return float((head(seen.photos) - seen.read_in_photos)[:, _OTHERS].abs().mean())


@torch.no_grad()
def _seen(reader: FaceReader, batch: Batch) -> _Seen:
    of_renders, of_photos = (joined(reader.segmentation(crops)).float() for crops in (batch.renders, batch.photos))
    weight = change_weight(batch.photo_change, batch.mirrored)
    return _Seen(
        of_renders, reader.head(of_renders), batch.parameters,
        of_photos, reader.head(of_photos), batch.photo_bounds, weight,
    )  # fmt: skip


def _joined_together(parts: list[_Seen]) -> _Seen:
    return _Seen(*(torch.cat([getattr(part, name) for part in parts]) for name in _Seen.__dataclass_fields__))


def _error(head: nn.Module, seen: _Seen, chance: torch.Generator) -> Tensor:
    """One step's error, on renders and photos that chance chooses."""
    i, j = (torch.randint(len(x), (_STEP,), generator=chance) for x in (seen.renders, seen.photos))
    read = head(torch.cat([seen.renders[i], seen.photos[j]]))
    before = torch.cat([seen.read_in_renders[i], seen.read_in_photos[j]])
    in_renders, in_photos = read[:, _COLUMNS].split(_STEP)
    units = [column - N_POSE for column in _COLUMNS]
    bounds, weight = seen.bounds[j][..., units], seen.weight[j][:, units]
    return (
        _RENDERS * action_unit_error(in_renders, seen.parameters[i][:, _COLUMNS]).mean()
        + _PHOTOS * (beyond(in_photos, bounds).square() * weight).mean()
        + _KEEP * (read - before)[:, _OTHERS].square().mean()
    )
