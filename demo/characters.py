# SPDX-License-Identifier: MIT
"""The demo's characters: file name, title for people, module that builds it."""

from __future__ import annotations

CHARACTERS = {
    "arkit_head": "ARKit head (ours)",
    "rigify_face": "Rigify head (ours)",
    "cartoon": "Cartoon (ours)",
}
"""Title by module of :mod:`examples.characters`."""
