# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes that are remembered: what is held of them outlives an undo and another name."""

from __future__ import annotations

import bpy


def scene_of(session_uid: int) -> bpy.types.Scene | None:
    """The scene of that ``session_uid``, whatever it is called by now; None where it is gone."""
    return next((scene for scene in bpy.data.scenes if scene.session_uid == session_uid), None)
