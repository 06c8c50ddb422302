# SPDX-License-Identifier: GPL-3.0-or-later
"""Mappings: which action unit moves what on a rig family. Their format: ``README.md`` in ``rig_mappings``."""

from __future__ import annotations

import os
from collections import abc
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from bdfm_infer.outputs import write_whole
from bdfm_infer.parameters import AU_NAMES, ROTATION

from .errors import MappingError
from .json_node import Node, check_depth, format_json, read_json
from .names import is_chosen
from .paths import json_files
from .records import Reader, read_record, write_record
from .targets import SIDES, BoneLocation, BoneRotation, Target, read_target

FORMAT_VERSION: Final = 1
SOURCES: Final = (*AU_NAMES, *ROTATION)
"""What can move a target, in the order of the value columns: 23 action units (0 to 1), yaw, pitch, roll (degrees)."""

CONFIDENCES: Final = ("verified", "experimental")
MAX_TARGETS: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class Combine:
    """One source weakens another: the targets of ``reduce`` are multiplied by 1 - ``by``.

    Attributes:
        on: ``left`` or ``right``: only targets of that side; None: all of them.
        names: names of targets, or patterns of them (``*``, ``?``, ``[ab]``); empty: all of them.
    """

    reduce: str
    by: str
    on: str | None = None
    names: tuple[str, ...] = ()
    extra: abc.Mapping[str, Any] = field(default_factory=dict)

    def weakens(self, source: str, side: str | None, name: str) -> bool:
        """Whether it holds for a target of that source, side and name."""
        return self.reduce == source and self.on in (None, side) and is_chosen(name, self.names)


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """Names that tell a rig family.

    Attributes:
        minimum: the share of them, above 0 and up to 1, that a rig must have.
    """

    shape_keys: tuple[str, ...] = ()
    bones: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    minimum: float = 0.8
    extra: abc.Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """A whole mapping.

    Attributes:
        id, name: for files and for people.
        confidence: ``verified`` (posed on such a rig in Blender and looked at) or ``experimental``.
        fingerprint: how the family is recognised.
        reference_lengths: two bones each, whose heads are one length apart; or one bone, whose length it is.
        directions: ``left`` and ``up``, each from the head of one bone to that of another; where a bone of ``left`` is
            missing, all bones whose names tell left from right stand in; without them, or where one of ``up`` is
            missing, the character is taken to face -Y and to stand along Z in its armature.
        aliases: other names for a name that this file uses, wherever it uses it.
        channels: targets by source (:data:`SOURCES`).
        combine: what weakens what.
        unknown_channels: sources that this version does not know; kept when the mapping is saved.
        warnings: a line for each unknown key.
    """

    id: str
    name: str
    confidence: str
    fingerprint: Fingerprint
    channels: abc.Mapping[str, tuple[Target, ...]]
    licence: str = ""
    source: str = ""
    reference_lengths: abc.Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    directions: abc.Mapping[str, tuple[str, str]] = field(default_factory=dict)
    aliases: abc.Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    combine: tuple[Combine, ...] = ()
    unknown_channels: abc.Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = field(default=(), compare=False)
    extra: abc.Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Mapping:
        """Read a mapping file.

        Raises:
            MappingError: it is not a mapping; the message names the place and the reason.
        """
        return _read_mapping(read_json(Path(path)))

    @classmethod
    def from_dict(cls, data: Any, where: str = "mapping") -> Mapping:
        """Check and take over plain data; ``where`` names its origin in messages.

        Raises:
            MappingError: it is not a mapping; the message names the place and the reason.
        """
        return _read_mapping(Node(data, where))

    def to_dict(self) -> dict[str, Any]:
        """Plain data; fields at their defaults are left out, unknown keys are put back."""
        channels = {
            source: [{"kind": target.kind} | write_record(target) for target in targets]
            for source, targets in self.channels.items()
        }
        data = {"format_version": FORMAT_VERSION} | write_record(replace(self, unknown_channels={}, warnings=()))
        del data["channels"]
        combine = data.pop("combine", [])
        return data | {"channels": channels | dict(self.unknown_channels), "combine": combine}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the mapping; an older file is replaced only once the new one is whole.

        Raises:
            MappingError: the file cannot be written.
        """
        path = Path(path)
        try:
            write_whole(path, (format_json(self.to_dict()) + "\n").encode())
        except OSError as error:
            reason = error.strerror or error
            raise MappingError(
                "{path}: cannot be written ({reason}). Choose another folder.", path=path, reason=reason
            ) from error


def load_folder(folder: str | os.PathLike[str]) -> tuple[dict[Path, Mapping], list[MappingError]]:
    """The mappings of a folder, by file, and why others were refused: of one id the first is taken.

    ``schema.json`` is none.
    """
    mappings: dict[Path, Mapping] = {}
    files: dict[str, Path] = {}
    refused: list[MappingError] = []
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return {}, [
            MappingError(
                "{folder}: cannot be read ({reason}). Choose another folder for mappings.", folder=folder, reason=reason
            )
        ]
    for path in json_files(Path(folder)):
        if path.name == "schema.json":
            continue
        try:
            mapping = Mapping.load(path)
        except MappingError as error:
            refused.append(error)
            continue
        first = files.setdefault(mapping.id, path)
        if first == path:
            mappings[path] = mapping
        else:
            refused.append(
                MappingError(
                    "{path}: its id {identifier!r} is that of {other} too, which is used. Give one of them another id.",
                    path=path,
                    identifier=mapping.id,
                    other=first.name,
                )
            )
    return mappings, refused


def _read_mapping(node: Node) -> Mapping:
    check_depth(node)
    members = node.members()
    if "format_version" not in members:
        node.fail("{place}: the key 'format_version' is missing; this is no mapping.")
    version = members.pop("format_version")
    if version.value != FORMAT_VERSION or isinstance(version.value, bool):
        version.fail(
            "{place}: format_version {supported} is expected; a newer file needs a newer add-on.",
            supported=FORMAT_VERSION,
        )
    warnings: list[str] = []
    unknown_channels: dict[str, Any] = {}

    def channels(node: Node) -> dict[str, tuple[Target, ...]]:
        known: dict[str, tuple[Target, ...]] = {}
        for source, child in node.members().items():
            if source in SOURCES:
                known[source] = tuple(_read_channel_target(item, source, warnings) for item in child.items())
            else:
                unknown_channels[source] = child.value
                warnings.append(f"{child}: unknown source, kept but not used.")
        if sum(map(len, known.values())) > MAX_TARGETS:
            node.fail("{place}: a mapping has at most {most} targets.", most=MAX_TARGETS)
        return known

    readers: dict[str, Reader] = {
        "id": Node.identifier,
        "name": Node.line,
        **dict.fromkeys(("licence", "source"), Node.text),
        "confidence": lambda child: child.choice(CONFIDENCES),
        "fingerprint": lambda child: _read_fingerprint(child, warnings),
        "reference_lengths": _read_lengths,
        "directions": _read_directions,
        "aliases": lambda child: {name: item.names() for name, item in child.members().items()},
        "channels": channels,
        "combine": lambda child: tuple(_read_combine(item, warnings) for item in child.items()),
    }
    mapping = read_record(Mapping, node, members, readers, warnings)
    _check_references(mapping, members["channels"])
    return replace(mapping, unknown_channels=unknown_channels, warnings=tuple(warnings))


def _read_channel_target(node: Node, source: str, warnings: list[str]) -> Target:
    target = read_target(node, warnings)
    if isinstance(target, BoneRotation):
        wanted, other = ("degrees", "degrees_per_degree") if source in AU_NAMES else ("degrees_per_degree", "degrees")
        if getattr(target, wanted) is None or getattr(target, other) is not None:
            node.fail(
                "{place}: a bone_rotation of {source} states {wanted!r}, and not {other!r}.",
                source=source,
                wanted=wanted,
                other=other,
            )
    return target


def _read_fingerprint(node: Node, warnings: list[str]) -> Fingerprint:
    readers: dict[str, Reader] = dict.fromkeys(("shape_keys", "bones", "properties"), Node.names)
    found = read_record(Fingerprint, node, node.members(), readers | {"minimum": Node.number}, warnings)
    if not (found.shape_keys or found.bones or found.properties):
        node.fail("{place}: at least one name is needed in shape_keys, bones or properties.")
    if not 0 < found.minimum <= 1:
        node.members()["minimum"].fail("{place}: a share above 0 and up to 1 is expected.")
    return found


def _read_lengths(node: Node) -> dict[str, tuple[str, ...]]:
    lengths = {name: child.names() for name, child in node.members().items()}
    for name, child in node.members().items():
        if len(lengths[name]) not in (1, 2):
            child.fail("{place}: one bone (its length) or two bones (the distance of their heads) are expected.")
    return lengths


def _read_directions(node: Node) -> dict[str, tuple[str, str]]:
    members = node.members()
    if set(members) != {"left", "up"}:
        node.fail("{place}: the two keys 'left' and 'up' are expected.")
    return {name: child.pair() for name, child in members.items()}


def _read_combine(node: Node, warnings: list[str]) -> Combine:
    readers: dict[str, Reader] = {
        "reduce": lambda child: child.choice(SOURCES),
        "by": lambda child: child.choice(AU_NAMES),
        "on": lambda child: child.choice(SIDES),
        "names": Node.names,
    }
    return read_record(Combine, node, node.members(), readers, warnings)


def _check_references(mapping: Mapping, channels: Node) -> None:
    for source, targets in mapping.channels.items():
        for target, item in zip(targets, channels.members()[source].items(), strict=True):
            if isinstance(target, BoneLocation) and target.reference not in (None, *mapping.reference_lengths):
                item.members()["reference"].fail(
                    "{place}: {reference!r} is not among the reference_lengths.", reference=target.reference
                )
