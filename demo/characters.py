# SPDX-License-Identifier: MIT
"""The demo's characters: file name, title for people, module that builds it."""

from __future__ import annotations

CHARACTERS = {
    "arkit_head": "ARKit shape keys",
    "rigify_face": "Rigify face bones",
    "cartoon": "Bones, properties",
}
"""Title by module of :mod:`examples.characters`."""
