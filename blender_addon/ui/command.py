# SPDX-License-Identifier: GPL-3.0-or-later
"""``blender --command bdfm``, as long as the add-on is enabled."""

from __future__ import annotations

from functools import partial
from typing import Any

import bpy

from ..blender import command_line
from ..blender.rig import Character, read_rig
from ..blender.rig_choice import Choice
from ..core.matching import fit
from .bake_settings import bake_options, take_time
from .batch_lists import listed_jobs
from .characters import choose_mapping
from .preferences import library
from .takes import performance_of

_command: Any = None


def services() -> command_line.Services:
    """What the command needs of the artist's settings."""
    return command_line.Services(performance_of, _choose, listed_jobs, take_time, bake_options)


def register() -> None:
    """Add the command."""
    global _command
    _command = bpy.utils.register_cli_command(command_line.NAME, partial(command_line.execute, services()))


def unregister() -> None:
    """Take it away again."""
    bpy.utils.unregister_cli_command(_command)


def _choose(character: Character, identifier: str) -> Choice:
    if not identifier:
        return choose_mapping(bpy.context.scene, character)
    mapping = library(bpy.context).by_id(identifier)
    return Choice(character, (fit(mapping, read_rig(character)),), by_hand=True)
