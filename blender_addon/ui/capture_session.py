# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue while it is worked off: one worker process at a time, looked at now and then, never waited for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, Scene

from bdfm_infer.errors import BdfmError
from bdfm_infer.take import counts_of

from ..blender.scene import scene_of
from ..blender.texts import artist_text
from ..core.paths import shown
from ..jobs.requests import capture_command, free_take
from ..jobs.worker import Outcome, Worker
from .capture_queue import BDFM_PG_capture, BDFM_PG_queued, capture_state
from .operators import check_name
from .progress import describe, describe_end, share
from .project import absolute, located
from .sources import Source, SourceError, face_of, resolve
from .takes import load, set_take

Report = Callable[[set[str], str], None]


@dataclass(frozen=True)
class _Done:
    """A take that was captured.

    Attributes:
        scene: that gets it, see :func:`..blender.scene.scene_of`; scenes themselves do not outlive an undo.
        take: its table.
        first_take: that of the first face, where the clip has several.
        start_frame: scene frame of its second 0, where the clip has one.
    """

    scene: int
    take: Path
    first_take: Path
    start_frame: int | None


class Session:
    """Captures what waits in the queue, clip by clip. A clip that fails stops no other.

    Args:
        report: as an operator's.

    Attributes:
        report: that of the operator that looks after it now.
        worker: of the clip that is running; None between clips.
        is_cancelled: no other clip is begun.
    """

    def __init__(self, report: Report) -> None:
        self.worker: Worker | None = None
        self.report = report
        self._source: Source | None = None
        self._done: list[_Done] = []
        self.is_cancelled = False

    def step(self, context: Context) -> bool:
        """Take in what the worker has said, and begin the next clip where it has ended. True once all are done."""
        state = capture_state(context)
        if self.worker is not None:
            self._listen(state, self.worker)
            if self.worker.outcome is None:
                return False
            self._settle(context, self.worker.outcome)
            self.worker = None
        while not self.is_cancelled and self.worker is None and (item := state.first("WAITING")) is not None:
            self._begin(context, item)
        state.running = self.worker is not None
        return self.worker is None

    def cancel(self) -> None:
        """Stop the running clip and begin no other."""
        self.is_cancelled = True
        if self.worker is not None:
            self.worker.cancel()

    def stop(self, context: Context) -> None:
        """As :meth:`cancel`, and wait until the process is gone."""
        self.cancel()
        if self.worker is not None:
            self.worker.stop()
            self.step(context)

    def load(self, context: Context) -> bool:
        """List the takes that were captured, and make the last one that of its scene. Returns whether there is one."""
        last = scene = None
        for done in self._done:
            found = scene_of(done.scene)
            if found is None:
                self._tell_homeless(capture_state(context), done.take)
                continue
            last, scene = done, found
            if done.take not in {absolute(item.path) for item in scene.bdfm.batch.takes}:
                scene.bdfm.batch.takes.add().path = str(done.take)
        if last is None or scene is None:
            return False
        try:
            set_take(scene, last.first_take)
        except BdfmError as error:
            self.report({"ERROR"}, artist_text(error))
            return False
        if last.start_frame is not None:
            scene.bdfm.start_frame = last.start_frame
        return True

    def _begin(self, context: Context, item: BDFM_PG_queued) -> None:
        scene = scene_of(item.scene) or context.scene
        try:
            source = resolve(item.source, scene, _strips_scene(item) or scene)
            take = free_take(take_folder(scene, source) / f"{source.name}.csv")
            face, accurate = face_of(item.source, source), item.source.accurate
            self.worker = Worker(capture_command(source.footage, take, face, accurate), take)
        except (BdfmError, OSError) as error:
            why = (
                artist_text(error)
                if isinstance(error, BdfmError)
                else rpt_("The capture cannot be started: {error}.").format(error=error)
            )
            self._end(context, item, "FAILED", why)
            return
        self._source = source
        item.state, item.message = "RUNNING", ""
        state = capture_state(context)
        state.factor, state.text = 0.0, iface_("Starting")

    def _listen(self, state: BDFM_PG_capture, worker: Worker) -> None:
        for event in worker.poll():
            if event["event"] == "progress":
                state.factor, state.text = share(event), describe(event)
            elif event["event"] == "warning":
                self.report({"WARNING"}, artist_text(BdfmError.from_json(event)))

    def _settle(self, context: Context, outcome: Outcome) -> None:
        """Note what became of the clip that was running, and which takes it left."""
        item = capture_state(context).first("RUNNING")
        if item is None:
            return
        takes = [path for path in outcome.takes if _has_face(path)]
        start_frame = None if self._source is None else self._source.start_frame
        self._done += [_Done(item.scene, path, takes[0], start_frame) for path in takes]
        for path in takes:
            item.takes.add().path = str(path)
        failed = outcome.error is not None
        if failed and outcome.details:
            print(f"BDFM Face Capture, messages of the worker:\n{outcome.details}")
        self._end(
            context, item, "FAILED" if failed else "CANCELLED" if outcome.cancelled else "DONE", describe_end(outcome)
        )

    def _tell_homeless(self, state: BDFM_PG_capture, take: Path) -> None:
        message = rpt_("{take} is no scene's take: the scene it was captured for is gone.").format(take=take.name)
        for item in state.queue:
            if str(take) in {captured.path for captured in item.takes}:
                item.message = f"{item.message} {message}"
        self.report({"WARNING"}, message)

    def _end(self, context: Context, item: BDFM_PG_queued, state: str, message: str) -> None:
        message = shown(message)
        item.state, item.message, item.is_recent = state, message, True
        others = capture_state(context).first("WAITING") is not None
        level = "INFO" if state != "FAILED" else "WARNING" if others else "ERROR"
        self.report({level}, message)


def take_folder(scene: Scene, source: Source) -> Path:
    """Where new takes of a source go.

    Raises:
        SourceError: nothing can be written there; the message names a folder that can be.
        AddonError: it is relative to a file that is not saved.
        FileNameError: its name is not in UTF-8.
    """
    chosen = scene.bdfm.take_folder
    folder = located(chosen) if chosen else source.folder
    check_name(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        other = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
        raise SourceError(
            rpt_(
                "Takes cannot be written into {folder} ({reason}). Set Takes to another folder, such as {other}."
            ).format(folder=folder, reason=error.strerror, other=other / "takes")
        ) from error
    return folder


def _strips_scene(item: BDFM_PG_queued) -> Scene | None:
    """The scene of the sequencer.

    Raises:
        SourceError: it is gone, and the source is one of its strips.
    """
    scene = scene_of(item.strips_scene)
    if scene is None and item.source.kind == "STRIP":
        raise SourceError(
            rpt_("The scene of the strip {strip!r} is gone. Choose another source.").format(strip=item.source.strip)
        )
    return scene


def _has_face(path: Path) -> bool:
    """Whether a take can be used, as its JSON file counts; a worker that was killed has counted nothing."""
    frames, without_face = counts_of(path)
    if frames:
        return frames > without_face
    try:
        return bool(load(str(path)).take.success.any())
    except BdfmError:
        return False
