# SPDX-License-Identifier: GPL-3.0-or-later
"""BDFM Face Capture for Blender: the face of a video on any rigged character.

``core`` needs no Blender, ``blender`` reads rigs and writes keyframes, ``jobs`` runs the capture in a process of its
own, ``ui`` is what the artist sees. Nothing of Blender is imported before :func:`register`.
"""

import sys
import tomllib
from pathlib import Path


def register() -> None:
    """Called by Blender when the add-on is enabled."""
    _forget_older_package()
    from . import ui

    ui.register()


def unregister() -> None:
    """Called by Blender when the add-on is disabled."""
    from . import ui

    ui.unregister()


def _forget_older_package() -> None:
    """After an update, Blender reads this add-on anew but keeps its packages: ours would be the older version's."""
    manifest = Path(__file__).with_name("blender_manifest.toml")
    version = tomllib.loads(manifest.read_text(encoding="utf-8"))["version"]
    if "bdfm_infer" in sys.modules and sys.modules["bdfm_infer"].__version__ != version:
        for name in [name for name in sys.modules if name.split(".")[0] == "bdfm_infer"]:
            del sys.modules[name]
