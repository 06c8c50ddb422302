# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist sees: operators, panels, settings. Thin: the work is done in ``blender``, ``core`` and ``jobs``."""

from __future__ import annotations

import bpy

from . import (
    bake,
    bake_panel,
    bake_settings,
    batch,
    batch_lists,
    calibrate,
    capture,
    capture_panel,
    capture_queue,
    characters,
    checks,
    cleaning,
    command,
    curves,
    edit,
    faces,
    gains,
    mapping,
    mapping_panel,
    mapping_targets,
    own_mapping,
    pictures,
    posing,
    preferences,
    presets,
    preview,
    project,
    settings,
    sources,
    stepped,
    take_panel,
    takes,
    timeline,
    values,
)

CLASSES = (
    *preferences.CLASSES,
    *cleaning.CLASSES,
    *gains.CLASSES,
    *batch_lists.CLASSES,
    *bake_settings.CLASSES,
    *own_mapping.CLASSES,
    *sources.CLASSES,
    *capture_queue.CLASSES,
    *settings.CLASSES,
    *takes.CLASSES,
    *capture.CLASSES,
    *faces.CLASSES,
    *capture_panel.CLASSES,
    *stepped.CLASSES,
    *bake.CLASSES,
    *bake_panel.CLASSES,
    *timeline.CLASSES,
    *pictures.CLASSES,
    *take_panel.CLASSES,
    *values.CLASSES,
    *calibrate.CLASSES,
    *edit.CLASSES,
    *curves.CLASSES,
    *presets.CLASSES,
    *preview.CLASSES,
    *characters.CLASSES,
    *mapping.CLASSES,
    *mapping_targets.CLASSES,
    *mapping_panel.CLASSES,
    *posing.CLASSES,
    *checks.CLASSES,
    *batch.CLASSES,
)

HANDLERS = (
    ("save_pre", project.remember_home),
    ("load_pre", capture.stop_capture),
    ("load_pre", faces.forget_faces),
    ("load_post", capture.forget_captures),
    ("load_post", takes.reload_takes),
    ("load_post", checks.forget_checks),
    ("undo_post", checks.forget_checks),
    ("redo_post", checks.forget_checks),
)


def register() -> None:
    """Make the add-on known to Blender."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    settings.attach()
    for moment, handler in HANDLERS:
        getattr(bpy.app.handlers, moment).append(handler)
    bpy.app.timers.register(takes.reload_takes, first_interval=0)
    command.register()
    preview.attach()
    pictures.attach()


def unregister() -> None:
    """Leave nothing behind, a running capture included."""
    command.unregister()
    stepped.stop(bpy.context)
    capture.stop_capture()
    preview.detach()
    pictures.detach()
    curves.detach()
    faces.forget_faces()
    for moment, handler in HANDLERS:
        getattr(bpy.app.handlers, moment).remove(handler)
    if bpy.app.timers.is_registered(takes.reload_takes):
        bpy.app.timers.unregister(takes.reload_takes)
    takes.forget_takes()
    posing.forget_pictures()
    settings.detach()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
