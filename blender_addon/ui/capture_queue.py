# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""The clips to capture, one after the other. The list belongs to the session: it is neither saved nor undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_
from bpy.types import Context, PropertyGroup, UILayout, UIList

from ..blender.versions import BLEND_RELATIVE
from ..core.errors import AddonError
from .operators import ChoosingOperator, check_name
from .project import located
from .sidebar import RowList
from .sources import BDFM_PG_source, chosen, copy_choice, images_of

STATES = (
    ("WAITING", "Waiting", "Its turn comes with the next capture"),
    ("RUNNING", "Running", "It is being captured"),
    ("DONE", "Done", "Its take is there"),
    ("FAILED", "Failed", "It could not be captured, or not in whole"),
    ("CANCELLED", "Cancelled", "It was stopped; what was done by then is kept"),
)
STATE_ICONS = {"WAITING": "TIME", "RUNNING": "PLAY", "DONE": "CHECKMARK", "FAILED": "ERROR", "CANCELLED": "X"}


class BDFM_PG_captured(PropertyGroup):
    """A take that a capture left."""

    path: bpy.props.StringProperty(name="Take")


class BDFM_PG_queued(PropertyGroup):
    """A clip of the queue; ``name`` is what the list calls it."""

    source: bpy.props.PointerProperty(type=BDFM_PG_source)
    scene: bpy.props.IntProperty(description="Scene that gets the take")
    strips_scene: bpy.props.IntProperty(description="Scene of the sequencer")
    state: bpy.props.EnumProperty(name="State", items=STATES)
    message: bpy.props.StringProperty(name="Message", description="What became of it")
    is_recent: bpy.props.BoolProperty(description="It ended since Capture was pressed last")
    takes: bpy.props.CollectionProperty(type=BDFM_PG_captured)


class BDFM_PG_capture(PropertyGroup):
    """State of the captures of this session."""

    queue: bpy.props.CollectionProperty(type=BDFM_PG_queued)
    active: bpy.props.IntProperty(name="Active Clip")
    running: bpy.props.BoolProperty()
    factor: bpy.props.FloatProperty(min=0, max=1)
    text: bpy.props.StringProperty()
    refused: bpy.props.StringProperty(description="Why the last file, or a scene's take, could not be read as a take")

    def forget_messages(self) -> None:
        """Before the next capture."""
        self.refused = ""
        for item in self.queue:
            item.is_recent = False

    def first(self, state: str) -> BDFM_PG_queued | None:
        """The first clip in a state."""
        return next((item for item in self.queue if item.state == state), None)

    def end(self) -> None:
        """No clip runs any more. One that did was stopped in the middle."""
        self.running = False
        item = self.first("RUNNING")
        if item is not None:
            item.state = "CANCELLED"


def capture_state(context: Context) -> BDFM_PG_capture:
    """What is captured in this session."""
    return context.window_manager.bdfm_capture


def enqueue(
    context: Context, choice: BDFM_PG_source, strips_scene: bpy.types.Scene, is_next: bool = False
) -> BDFM_PG_queued:
    """Put a copy of what is chosen at the end of the queue, or before all clips that wait."""
    state = capture_state(context)
    item = state.queue.add()
    copy_choice(choice, item.source)
    item.name = Path(chosen(choice)[1]).name
    item.scene, item.strips_scene = context.scene.session_uid, strips_scene.session_uid
    waiting = [place for place, other in enumerate(state.queue) if other.state == "WAITING"]
    state.active = waiting[0] if is_next else len(state.queue) - 1
    state.queue.move(len(state.queue) - 1, state.active)
    return state.queue[state.active]


class BDFM_UL_queue(RowList, UIList):
    """The clips, each with its state in words and as an icon."""

    def draw_row(self, context: Context, layout: UILayout, item: Any, index: int) -> None:
        row = layout.split(factor=0.68, align=True)
        row.label(text=item.name, icon=STATE_ICONS[item.state], translate=False)
        if item.state == "RUNNING":
            row.label(text=f"{capture_state(context).factor:.0%}", translate=False)
        else:
            label = next(label for key, label, _ in STATES if key == item.state)
            row.label(text=iface_(label), translate=False)


class BDFM_OT_queue_add(ChoosingOperator):
    """Add videos to the queue. They are captured with the trim and face that are set above"""

    bl_idname = "bdfm.queue_add"
    bl_label = "Add Files to Queue"
    bl_options = set()

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", *BLEND_RELATIVE})
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})
    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def run(self, context: Context) -> None:
        folder = located(self.directory)
        paths = sorted({folder / element.name for element in self.files if element.name})
        if not paths:
            raise AddonError(rpt_("No file is selected. Select one or more videos."))
        for path in paths:
            check_name(path)
        queued: set[Path] = set()
        for path in paths:
            if path in queued:  # a frame of a sequence that waits already
                continue
            item = enqueue(context, context.scene.bdfm.capture, context.scene)
            item.source.kind, item.source.file = "FILE", str(path)
            item.name = path.name
            queued.update(images_of(item.source) if item.source.is_sequence else ())


class _QueueOperator(bpy.types.Operator):
    @classmethod
    def poll(cls, context: Context) -> bool:
        state = capture_state(context)
        if not 0 <= state.active < len(state.queue):
            cls.poll_message_set(tip_("Choose a clip of the list"))
            return False
        if state.queue[state.active].state == "RUNNING":
            cls.poll_message_set(tip_("This clip is being captured"))
            return False
        return True


class BDFM_OT_queue_remove(_QueueOperator):
    """Take the clip off the list. Its files stay where they are"""

    bl_idname = "bdfm.queue_remove"
    bl_label = "Remove from Queue"

    def execute(self, context: Context) -> set[str]:
        state = capture_state(context)
        state.queue.remove(state.active)
        state.active = max(0, min(state.active, len(state.queue) - 1))
        return {"FINISHED"}


class BDFM_OT_queue_move(_QueueOperator):
    """Move the clip up or down the list"""

    bl_idname = "bdfm.queue_move"
    bl_label = "Move in Queue"

    step: bpy.props.IntProperty(default=1, min=-1, max=1, options={"HIDDEN"})

    def execute(self, context: Context) -> set[str]:
        state = capture_state(context)
        place = state.active + self.step
        if not 0 <= place < len(state.queue):
            return {"CANCELLED"}
        state.queue.move(state.active, place)
        state.active = place
        return {"FINISHED"}


class BDFM_OT_queue_again(_QueueOperator):
    """Let the clip wait for another capture. The take that it has is kept"""

    bl_idname = "bdfm.queue_again"
    bl_label = "Capture Again"

    def execute(self, context: Context) -> set[str]:
        state = capture_state(context)
        item = state.queue[state.active]
        item.state, item.message = "WAITING", ""
        item.takes.clear()
        return {"FINISHED"}


CLASSES = (
    BDFM_PG_captured,
    BDFM_PG_queued,
    BDFM_PG_capture,
    BDFM_UL_queue,
    BDFM_OT_queue_add,
    BDFM_OT_queue_remove,
    BDFM_OT_queue_move,
    BDFM_OT_queue_again,
)
