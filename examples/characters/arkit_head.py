# SPDX-License-Identifier: MIT
"""Character 1: a human head with the 52 ARKit shape keys, spread over the meshes that they move.

python -m examples.characters.arkit_head OUT.blend
"""

from __future__ import annotations

import bpy
import numpy as np

from . import head, scene

NECK, SKULL, TOP = (0, 0.045, -0.15), (0, 0.04, -0.075), (0, 0.04, 0.10)
"""Joints of the two bones, metres."""


def build() -> list[bpy.types.Object]:
    """The character in an empty file: what an artist selects to bake onto it."""
    scene.start()
    meshes = head.build(keys=True)
    rig = scene.armature("ArkitHead", {"neck": (NECK, SKULL, None), "head": (SKULL, TOP, "neck")})
    for made in meshes.values():
        points = scene.points_of(made)
        above = np.clip((points[:, 2] - 0.45 * points[:, 1] + 0.135) / 0.05, 0, 1)
        on_head = np.where(made.name == "Head", above * above * (3 - 2 * above), 1.0)
        scene.bind(made, rig, {"head": on_head, "neck": 1.0 - on_head})
    scene.finish(focus=(0, 0, -0.004), height=0.25)
    return [rig, *meshes.values()]


if __name__ == "__main__":
    scene.command_line(build)
