# SPDX-License-Identifier: MIT
"""Face bones of an FBX character: how far each vertex follows each bone, and what a mapping's bone targets do to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.spatial.transform import Rotation

from bdfm_train.errors import SourcesError
from bdfm_train.face_model.fbx import Node, read_nodes
from bdfm_train.face_model.mesh import Floats

AXES: Final = {"left": 0, "up": 1, "front": 2}
"""Columns of the character's own space."""

Targets = list[dict[str, Any]]
"""The bone targets of one action unit, as they stand in a mapping file."""


@dataclass(frozen=True)
class Skin:
    """One character at rest; points are to its left, up and front, in its file's units.

    Attributes:
        v: (V, 3) vertices of its largest mesh.
        weights: by bone, how far each vertex follows it, (V,).
        heads: by bone, the position of its head, (3,).
        parents: by bone, the bone above.
    """

    v: Floats
    weights: Mapping[str, Floats]
    heads: Mapping[str, Floats]
    parents: Mapping[str, str]

    def share(self, bone: str) -> Floats:
        """(V,) how far vertices follow a bone and those below it."""
        below = [name for name in self.weights if name == bone or self._is_above(bone, name)]
        return np.asarray(sum(self.weights[name] for name in below))

    def offsets(self, targets: Targets, lengths: Mapping[str, list[str]]) -> Floats:
        """(V, 3) what bone targets on the character's own axes do at 1, by linear blend skinning."""
        moved = np.zeros_like(self.v)
        for target in targets:
            direction = np.eye(3)[AXES[target["axis"]]]
            share = self.share(target["bone"])[:, None]
            if target["kind"] == "bone_location":
                first, second = (self.heads[bone] for bone in lengths[target["reference"]])
                moved += share * direction * target["amount"] * np.linalg.norm(second - first)
            else:
                arm = self.v - self.heads[target["bone"]]
                turn = Rotation.from_rotvec(np.radians(target["degrees"]) * direction)
                moved += share * (turn.apply(arm) - arm)
        return moved

    def _is_above(self, bone: str, name: str) -> bool:
        while name in self.parents:
            name = self.parents[name]
            if name == bone:
                return True
        return False


def read_skin(path: Path) -> Skin:
    """The skin of an FBX character whose mesh is stored with z up, facing -y, and whose bones are stored with y up.

    Raises:
        SourcesError: the file is missing, no binary FBX, or has no skinned mesh.
    """
    root = read_nodes(path)
    objects = next(root.all("Objects"))
    above: dict[int, list[int]] = {}
    for link in next(root.all("Connections")).all("C"):
        above.setdefault(link.values[1], []).append(link.values[2])
    models = {node.values[0]: str(node.values[1]) for node in objects.all("Model")}
    clusters = {node.values[0]: node for node in objects.all("Deformer") if node.values[2] == "Cluster"}
    meshes = [node for node in objects.all("Geometry") if node.values[2] == "Mesh"]
    if not meshes or not clusters:
        raise SourcesError(f"{path} has no skinned mesh")
    v = max((node.array("Vertices").reshape(-1, 3).astype(float) for node in meshes), key=len)
    weights, heads, parents = {}, {}, {}
    for identifier, name in models.items():
        for owner in above.get(identifier, []):
            if owner in models:
                parents[name] = models[owner]
            elif owner in clusters:
                weights[name] = _weights(clusters[owner], len(v))
                heads[name] = clusters[owner].array("TransformLink").reshape(4, 4)[3, :3]
    return Skin(v[:, [0, 2, 1]] * np.array([1.0, 1.0, -1.0]), weights, heads, parents)


def mapping_targets(path: Path) -> tuple[dict[str, Targets], dict[str, list[str]]]:
    """The targets by source and the reference lengths of a mapping file."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return data["channels"], data.get("reference_lengths", {})


def _weights(cluster: Node, count: int) -> Floats:
    weights = np.zeros(count)
    if any(True for _ in cluster.all("Indexes")):
        weights[cluster.array("Indexes")] = cluster.array("Weights")
    return weights
