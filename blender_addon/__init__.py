# SPDX-License-Identifier: GPL-3.0-or-later
"""BDFM Face Capture for Blender: the face of a video on any rigged character.

``core`` needs no Blender, ``blender`` reads rigs and writes keyframes, ``jobs`` runs the capture in a process of its
own, ``ui`` is what the artist sees. Nothing of Blender is imported before :func:`register`.
"""


def register() -> None:
    """Called by Blender when the add-on is enabled."""
    from . import ui

    ui.register()


def unregister() -> None:
    """Called by Blender when the add-on is disabled."""
    from . import ui

    ui.unregister()
