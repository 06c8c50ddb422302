# SPDX-License-Identifier: MIT
"""Trains the face reader on renders and photos: ``python -m bdfm_train reader --config lite``.

Renders teach action units, pose, landmarks and parsing; photos teach landmarks and parsing, and through a mean teacher
that the action units of a photo do not change with light, noise, mirror or a small error of alignment, and change as
they should where its expression was changed (``--teacher`` puts other readers' readings in its place). Photos that
were graded by eye are held to their grades. Batch statistics of renders and photos are kept apart, and photos move
those that are used later; a few renders go with the photos, so that what no photo shows is known under those, too.
F_seg is section 2.3 of the paper; how it is trained is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdfm_infer.parameters import N_POSE
from bdfm_train.config import Config
from bdfm_train.data.batches import UNKNOWN_CLASS, Batch, BatchMaker, feed
from bdfm_train.data.device_batches import DeviceBatchMaker
from bdfm_train.data.training_data import TrainingData
from bdfm_train.networks.checkpoints import (
    build_reader,
    digest,
    fill_reader,
    load_reader,
    read_checkpoint,
    restore,
    write_checkpoint,
)
from bdfm_train.networks.reader import FaceReader, Reading

from .average import WeightAverage
from .confidence import confidence_error
from .own_losses import OwnLoss, with_own
from .precision import training_precision
from .steps import (
    action_unit_error,
    emphasis_of,
    frozen_statistics,
    judged_error,
    learning_rate,
    mirror_mean,
    set_momentum,
    sidedness_error,
    span_error,
    steadiness_error,
    with_mirror_images,
)
from .teacher import read_photos
from .work import (
    Clock,
    Descent,
    Run,
    adamw,
    make_folder,
    refuse_other_settings,
    saving,
    seed_step,
    set_rate,
    write_line,
)

MOMENTUM = 0.05
"""Of the running batch statistics."""

JAW_LINE_WEIGHT = 0.2
"""Weight of the 17 landmarks of the jaw line, whose place along the line is arbitrary."""

_LONGEST_GRADIENT = 2.0
_LOG_STEPS, _SAVE_STEPS = 200, 400
_BEFORE_TEACHING, _UNTIL_TEACHING = 1500, 2000
"""Steps before a reader that begins at random learns from its own readings, and until these count in full."""


@dataclass(frozen=True)
class Read:
    """What losses look at in readings, float32: landmarks coarse and fine, parsing, parameters, confidence."""

    coarse: Tensor
    landmarks: Tensor
    parsing: Tensor
    parameters: Tensor
    confidence: Tensor

    @classmethod
    def of(cls, reading: Reading) -> Read:
        """Of a network's reading, in whatever precision."""
        seen = reading.features
        parts = (seen.coarse, seen.landmarks, seen.parsing, reading.parameters, reading.confidence)
        return cls(*(part.float() for part in parts))

    def part(self, rows: slice) -> Read:
        """Some of the crops."""
        return Read(*(value[rows] for value in vars(self).values()))

    def joined(self, other: Read) -> Read:
        """These crops, then the others."""
        return Read(*(torch.cat(pair) for pair in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass
class Losses:
    """One step's losses, each before its weight."""

    landmarks_renders: Tensor
    landmarks_photos: Tensor
    spans: Tensor
    action_units: Tensor
    sides: Tensor
    pose: Tensor
    parsing: Tensor
    confidence: Tensor
    consistency: Tensor
    judged: Tensor


def reader_losses(
    batch: Batch, renders: Read, photos: Read, negatives: Tensor, teacher: Tensor, emphasis: Tensor
) -> Losses:
    """The losses of one step.

    Args:
        batch: the truth.
        renders, photos: what the network read from them.
        negatives: (k,) the confidence that it read from crops without a face.
        teacher: (m, 23) action units that teachers, or the mean teacher, read from the clean photos.
        emphasis: (23,) weights of the action units.
    """
    units, true_units = renders.parameters[:, N_POSE:], batch.parameters[:, N_POSE:]
    return Losses(
        landmarks_renders=_landmark_error(renders, batch.render_landmarks),
        landmarks_photos=_landmark_error(photos, batch.photo_landmarks),
        spans=span_error(renders.landmarks, batch.render_landmarks)
        + span_error(photos.landmarks, batch.photo_landmarks),
        action_units=(action_unit_error(units, true_units) * emphasis).mean(),
        sides=sidedness_error(units, true_units),
        pose=(renders.parameters[:, :N_POSE] - batch.parameters[:, :N_POSE]).abs().mean(),
        parsing=_parsing_error(renders.parsing, batch.render_parsing)
        + _parsing_error(photos.parsing, batch.photo_parsing),
        confidence=confidence_error(renders.confidence, photos.confidence, negatives, batch.parameters),
        consistency=steadiness_error(photos.parameters, teacher, batch.photo_change, batch.mirrored),
        judged=judged_error(photos.parameters[:, N_POSE:], batch.photo_bounds, batch.photo_change, batch.mirrored),
    )


def train_reader(
    config: Config,
    data: TrainingData,
    run: Run,
    own: Sequence[OwnLoss] = (),
    teachers: Sequence[Path] = (),
    start: Path | None = None,
) -> Path:
    """Train, resuming where a run was broken off.

    Args:
        config: sizes, weights of the losses, learning rate.
        data: what it sees.
        run: where, how long and by what; ``reader.pt`` and the log are kept there.
        own: losses beside those of :class:`Losses`.
        teachers: checkpoints of other readers, perhaps larger, the mean of whose readings photos are held to in place
            of those of this one's averaged weights.
        start: checkpoint of a reader of this size, whose averaged weights are the first.

    Returns:
        Path of the checkpoint with the averaged weights.

    Raises:
        ArraysError: there is no shard, or one, or the negatives, is damaged.
        CheckpointError: a checkpoint is damaged or another network's, the one to resume of another seed, teachers or
            other losses, or one cannot be written.
        DivergedError: a loss is not finite; the last checkpoint is intact.
    """
    torch.manual_seed(run.seed)
    make_folder(run.work)
    reader = build_reader(config)
    if start is not None:
        fill_reader(reader, start)
    reader.to(run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    set_momentum(reader, MOMENTUM)
    average = WeightAverage(reader, config.training.average)
    optimizer = adamw(reader, config.training.weight_decay)
    torch.backends.cudnn.benchmark = True
    checkpoint, settings = run.work / "reader.pt", _settings(config, own, teachers, run.seed)
    step, minutes = _resume(checkpoint, settings, reader, average, optimizer) if checkpoint.exists() else (0, 0.0)
    maker, batches_from = _batches(config, data, run, teachers)
    descent = Descent(optimizer, _LONGEST_GRADIENT, checkpoint)
    batches = batches_from(step)
    clock = Clock(minutes)

    def save() -> None:
        descent.values()
        state: dict[str, Any] = {
            "reader": reader.state_dict(),
            "average": average.network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": step,
            "minutes": clock.minutes,
            "config": config.kept,
            "settings": settings,
        }
        write_checkpoint(state, checkpoint)

    with saving(save):
        while (share := run.length.share(step, clock.minutes)) < 1.0:
            set_rate(optimizer, learning_rate(config.training, step, share))
            seed_step(run.seed, step)
            steady = 1.0 if start or teachers else min(1.0, max(0.0, (step - _BEFORE_TEACHING) / _UNTIL_TEACHING))
            losses, total = _losses(reader, average.network, next(batches).to(run.device), config, own, steady)
            step += 1
            descent.step(losses, total, step)
            average.update(step)
            if step % _LOG_STEPS == 0:
                record = {"step": step, "minutes": round(clock.minutes, 2), "shards": len(maker.pool.shards)}
                write_line(run.work / "log.jsonl", record | descent.values())
                maker.refresh()
            if step % _SAVE_STEPS == 0:
                save()
    save()
    return checkpoint


def _batches(
    config: Config, data: TrainingData, run: Run, teachers: Sequence[Path]
) -> tuple[BatchMaker | DeviceBatchMaker, Callable[[int], Iterator[Batch]]]:
    """What draws batches, and those from a number on."""
    maker: BatchMaker | DeviceBatchMaker
    if data.pictures is None:
        maker = data.batches(config, run.seed, config.batch.negatives)
    else:
        maker = data.device_batches(config, run.seed, run.device)
    if teachers:
        readers = [load_reader(path).to(run.device) for path in teachers]
        maker.readings = read_photos(readers, maker, run.seed, run.device).to(maker.device)
    if isinstance(maker, DeviceBatchMaker):
        return maker, maker.batches
    return maker, partial(feed, maker, workers=run.workers)


def _settings(config: Config, own: Sequence[OwnLoss], teachers: Sequence[Path], seed: int) -> dict[str, Any]:
    """What must not change while a run lasts; another network cannot be filled."""
    return {
        "seed": seed,
        "loss": asdict(config.loss) | {loss.name: loss.weight for loss in own},
        "emphasis": config.emphasis,
        "teacher": digest(teachers) if teachers else None,
    }


def _resume(
    checkpoint: Path,
    settings: dict[str, Any],
    reader: FaceReader,
    average: WeightAverage,
    optimizer: torch.optim.Optimizer,
) -> tuple[int, float]:
    """Steps and minutes that are done."""
    state = read_checkpoint(checkpoint, "reader", ("reader", "average", "optimizer", "step", "minutes"))
    refuse_other_settings(checkpoint, state.get("settings", {}), settings)
    restore(checkpoint, state, reader=reader, average=average.network, optimizer=optimizer)
    return int(state["step"]), float(state["minutes"])


def _losses(
    reader: FaceReader, teacher: nn.Module, batch: Batch, config: Config, own: Sequence[OwnLoss], steady: float
) -> tuple[dict[str, Tensor], Tensor]:
    """One batch's losses by name, and their weighted sum; ``steady``, 0 to 1, is what the teacher's readings count."""
    weights = asdict(config.loss)
    weights["consistency"] *= steady
    n_photos = len(batch.photos)
    together = config.batch.renders_among_photos * len(batch.renders) // config.batch.renders
    apart, among = batch.renders[: len(batch.renders) - together], batch.renders[len(batch.renders) - together :]
    with training_precision(batch.photos.device):
        with frozen_statistics(reader):
            renders = Read.of(reader(_last(apart)))
        real = Read.of(reader(_last(torch.cat([batch.photos, among, batch.negatives]))))
        clean = batch.photo_readings
        if clean is None and weights["consistency"] == 0.0:
            clean = torch.zeros_like(batch.photo_change)
        elif clean is None:
            teacher.train()
            with torch.no_grad(), frozen_statistics(teacher):
                clean = mirror_mean(teacher(_last(with_mirror_images(batch.clean_photos))).parameters.float())
    photos, rest = real.part(slice(n_photos)), real.part(slice(n_photos, None))
    renders, negatives = renders.joined(rest.part(slice(together))), rest.confidence[together:]
    losses = reader_losses(batch, renders, photos, negatives, clean, emphasis_of(config, clean.device))
    return with_own(vars(losses), weights, own, batch, renders, photos)


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _landmark_error(read: Read, truth: Tensor) -> Tensor:
    """Mean absolute error (n, 68, 2) of the finer landmarks, and half of that of the coarse ones."""
    weights = torch.ones(68, device=truth.device)
    weights[:17] = JAW_LINE_WEIGHT
    fine, coarse = (((x - truth).abs() * weights[None, :, None]).mean() for x in (read.landmarks, read.coarse))
    return fine + 0.5 * coarse


def _parsing_error(parsing: Tensor, truth: Tensor) -> Tensor:
    logits = functional.interpolate(parsing, size=truth.shape[-2:], mode="bilinear")
    return functional.cross_entropy(logits, truth, ignore_index=UNKNOWN_CLASS)
