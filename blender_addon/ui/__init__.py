# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist sees: operators, panels, settings. Thin: the work is done in ``blender``, ``core`` and ``jobs``."""

from __future__ import annotations

import bpy

from . import (
    bake,
    bake_settings,
    batch,
    batch_lists,
    calibrate,
    capture,
    characters,
    checks,
    cleaning,
    command,
    edit,
    mapping,
    own_mapping,
    panels,
    posing,
    preferences,
    presets,
    preview,
    settings,
    takes,
    values,
)

CLASSES = (
    *preferences.CLASSES,
    *cleaning.CLASSES,
    *batch_lists.CLASSES,
    *bake_settings.CLASSES,
    *own_mapping.CLASSES,
    *settings.CLASSES,
    *takes.CLASSES,
    *capture.CLASSES,
    *bake.CLASSES,
    *values.CLASSES,
    *calibrate.CLASSES,
    *edit.CLASSES,
    *presets.CLASSES,
    *preview.CLASSES,
    *panels.CLASSES,
    *characters.CLASSES,
    *mapping.CLASSES,
    *posing.CLASSES,
    *checks.CLASSES,
    *batch.CLASSES,
)


def register() -> None:
    """Make the add-on known to Blender."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    settings.attach()
    bpy.app.handlers.load_pre.append(capture.stop_capture)
    bpy.app.handlers.load_post.append(takes.reload_take)
    command.register()
    preview.attach()


def unregister() -> None:
    """Leave nothing behind, a running capture included."""
    command.unregister()
    capture.stop_capture()
    preview.detach()
    bpy.app.handlers.load_post.remove(takes.reload_take)
    bpy.app.handlers.load_pre.remove(capture.stop_capture)
    posing.forget_pictures()
    settings.detach()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
