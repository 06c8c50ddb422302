# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type"
"""Cleaning kept under a name, for the next take of the same actor: a JSON file in the user's presets folder."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_
from bpy.types import Context, UILayout

from ..core.errors import AddonError
from ..core.presets import Preset, preset_path
from .cleaning import presets_folder, write_cleaning
from .operators import ReportingOperator
from .takes import loaded_take, scene_cleaning
from .values import TakePanel


class BDFM_PT_presets(TakePanel, bpy.types.Panel):
    bl_label = "Presets"
    bl_parent_id = "BDFM_PT_take"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 6

    def draw(self, context: Context) -> None:
        draw_presets(self.layout, context)


def draw_presets(layout: UILayout, context: Context) -> None:
    """A name, and what can be done with the preset of that name."""
    settings = context.scene.bdfm.cleaning
    layout.prop(settings, "preset", text="", placeholder="Name")
    row = layout.row(align=True)
    row.operator("bdfm.save_preset", icon="ADD")
    row.operator("bdfm.load_preset", icon="IMPORT")
    row.operator("bdfm.remove_preset", icon="TRASH")


class _PresetOperator(ReportingOperator):
    """Needs a take, and a name that stands in the panel."""

    must_exist = True

    @classmethod
    def poll(cls, context: Context) -> bool:
        name, reason = context.scene.bdfm.cleaning.preset.strip(), ""
        if loaded_take(context.scene) is None:
            reason = tip_("Capture a video or load a take first")
        elif not name:
            reason = tip_("Give the preset a name first")
        elif cls.must_exist and not preset_path(presets_folder(), name).is_file():
            reason = tip_("There is no preset of this name")
        if reason:
            cls.poll_message_set(reason)
        return not reason


class BDFM_OT_save_preset(_PresetOperator):
    """Save calibration, smoothing and edits under this name. A preset of that name is replaced"""

    bl_idname = "bdfm.save_preset"
    bl_label = "Save"
    bl_options = {"REGISTER"}
    must_exist = False

    def run(self, context: Context) -> None:
        loaded, name = loaded_take(context.scene), context.scene.bdfm.cleaning.preset.strip()
        assert loaded is not None
        Preset(name, scene_cleaning(context.scene, loaded)).save(presets_folder())
        self.report({"INFO"}, rpt_("Preset {name!r} saved").format(name=name))


class BDFM_OT_load_preset(_PresetOperator):
    """Use calibration, smoothing and edits of this preset for the take"""

    bl_idname = "bdfm.load_preset"
    bl_label = "Load"

    def run(self, context: Context) -> None:
        group = context.scene.bdfm.cleaning
        preset = Preset.load(preset_path(presets_folder(), group.preset.strip()))
        write_cleaning(group, preset.cleaning)
        group.take = context.scene.bdfm.take


class BDFM_OT_remove_preset(_PresetOperator):
    """Delete the file of this preset"""

    bl_idname = "bdfm.remove_preset"
    bl_label = "Remove"
    bl_options = {"REGISTER"}

    def invoke(self, context: Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def run(self, context: Context) -> None:
        path = preset_path(presets_folder(), context.scene.bdfm.cleaning.preset.strip())
        try:
            path.unlink()
        except OSError as error:
            raise AddonError(
                rpt_("{path} cannot be removed: {reason}").format(path=path, reason=error.strerror or error)
            ) from error


CLASSES = (BDFM_PT_presets, BDFM_OT_save_preset, BDFM_OT_load_preset, BDFM_OT_remove_preset)
