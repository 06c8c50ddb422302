# SPDX-License-Identifier: GPL-3.0-or-later
"""Mappings of the artist's own: begun from nothing or from another, changed target by target, saved."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bdfm_infer.parameters import AU_NAMES, ROTATION

from .errors import AddonError
from .json_node import MAX_NAME, is_one_line
from .mapping import SOURCES, Fingerprint, Mapping, load_folder
from .names import Name, NameIndex, normalise
from .rig import Rig
from .targets import BoneRotation, BoneTarget, CustomProperty, ShapeKey, Target

TargetData = dict[str, Any]
"""One target as plain data, as it stands in a mapping's file."""

FINGERPRINT_NAMES: Final = 12
"""Names of each sort that a fingerprint takes from a mapping's targets."""
NEW_AMOUNTS: Final = {"degrees": 10.0, "amount": 0.01}
NEW_HEAD: Final = {"yaw": ("up", 1.0), "pitch": ("left", -1.0), "roll": ("front", -1.0)}
"""Axis and degrees per degree of a bone that turns as the head does, whichever way its own axes point."""
MAX_FILE_NAME: Final = 60
RESERVED: Final = re.compile(r"con|prn|aux|nul|schema|com\d|lpt\d")
"""What Windows does not take as a file's name, and the name of the format's own file."""


_SIDE: Final = re.compile(
    r"(?:^|[_.\-\s])(?:(?i:(left|right|[lr])(?=[_.\-\s]))|(left|right|Left|Right|[LR])(?=[A-Z][a-z]))"
)
"""A side ahead of the name or amid its parts: ``AU_05_L_Lid``, ``leftEye``, ``Bip01 LEyeBlink``."""


class MappingExistsError(AddonError):
    """A mapping of that name is in the folder already; nothing was written."""

    code = "mapping_exists"
    exit_code = 37


def blank_mapping(identifier: str, name: str, rig: Rig, like: Mapping | None = None) -> Mapping:
    """A mapping without action units. ``like`` lends it the name of the head bone, and what weakens what.

    Raises:
        AddonError: the rig has no shape key, bone or custom property.
    """
    mark = _fingerprint(
        [key for keys in rig.shape_keys.values() for key in keys],
        rig.bones,
        [prop for owner in rig.properties for prop in owner.properties],
    )
    if not (mark.shape_keys or mark.bones or mark.properties):
        raise AddonError(
            "{rig}: there is no shape key, bone or custom property that a mapping could move.", rig=rig.name
        )
    base = Mapping(id=identifier, name=readable(name), confidence="experimental", fingerprint=mark, channels={})
    if like is None:
        return base
    lent = replace(base, directions=like.directions, aliases=like.aliases, combine=like.combine)
    turned = head_bone(target_data(like))
    found = NameIndex(rig.bones).find(turned, *like.aliases.get(turned, ()))
    return with_targets(lent, head_targets(found[0]) if found else [])


def own_copy(mapping: Mapping, identifier: str, name: str) -> Mapping:
    """The same mapping under a name of the artist's own, not yet looked at."""
    return replace(mapping, id=identifier, name=readable(name), confidence="experimental", warnings=())


def readable(name: str) -> str:
    """A name as a mapping's file may hold it, whatever the artist or an object is called: on one line, not too long."""
    return "".join(letter if is_one_line(letter) else " " for letter in name).strip()[:MAX_NAME].strip() or "Mapping"


def target_data(mapping: Mapping) -> list[tuple[str, TargetData]]:
    """All targets with their sources, as plain data."""
    return [
        (source, data) for source, items in mapping.to_dict()["channels"].items() if source in SOURCES for data in items
    ]


def with_targets(mapping: Mapping, targets: Iterable[tuple[str, TargetData]]) -> Mapping:
    """The mapping with these targets in place of its own.

    Raises:
        MappingError: one of them is no target; the message names it and the reason.
    """
    channels: dict[str, list[TargetData]] = {}
    for source, data in sorted(targets, key=lambda item: SOURCES.index(item[0])):
        channels.setdefault(source, []).append(data)
    known = channels | dict(mapping.unknown_channels)
    changed = Mapping.from_dict(mapping.to_dict() | {"channels": known}, mapping.name)
    return replace(changed, warnings=())


def finished(mapping: Mapping) -> Mapping:
    """A mapping that was made on a rig: recognised by the names that its action units move.

    Where all targets of a source belong to no side, what weakens it on one side weakens it as a whole.
    """
    targets = [target for source in AU_NAMES for target in mapping.channels.get(source, ())]
    if not targets:
        return mapping
    mark = _fingerprint(
        [target.name for target in targets if isinstance(target, ShapeKey)],
        [target.bone for target in targets if isinstance(target, BoneTarget)],
        [target.name for target in targets if isinstance(target, CustomProperty)],
    )
    sided = {source for source, channel in mapping.channels.items() if any(target.side for target in channel)}
    combine = tuple(rule if rule.reduce in sided else replace(rule, on=None) for rule in mapping.combine)
    return replace(mapping, fingerprint=mark, combine=combine)


def new_target(source: str, kind: str, name: str, bone: str | None = None, owner: str = "object") -> TargetData:
    """A target as it is first added: its full weight, a small movement along the bone's X, the turn of the head.

    Args:
        source: what moves it.
        kind: one of ``targets.KINDS``.
        name: of the shape key, the bone, or the custom property.
        bone, owner: for a custom property.
    """
    side = side_of(name)
    data: TargetData = {"kind": kind}
    if kind == ShapeKey.kind:
        data |= {"name": name}
    elif kind == CustomProperty.kind:
        data |= {"owner": owner, "name": name} | ({"bone": bone} if owner == "pose_bone" else {})
    else:
        key = amount_key(kind, source)
        axis, amount = ("x", NEW_AMOUNTS[key]) if key in NEW_AMOUNTS else NEW_HEAD[source]
        data |= {"bone": name, "axis": axis, key: amount}
    return data | ({"side": side} if side else {})


def with_head(mapping: Mapping, bone: str) -> Mapping:
    """The mapping with this bone as the one that its ``up`` points to, so that a head of any name is measured."""
    end = mapping.directions.get("up", ("",))[-1]
    if not end or end == bone:
        return mapping
    names = (bone, *(name for name in mapping.aliases.get(end, ()) if name != bone))
    return replace(mapping, aliases={**mapping.aliases, end: names})


def head_targets(bone: str) -> list[tuple[str, TargetData]]:
    """Targets that turn a bone as the head of the video turns."""
    return [(source, new_target(source, BoneRotation.kind, bone)) for source in ROTATION]


def head_bone(targets: Iterable[tuple[str, TargetData]]) -> str:
    """The bone that alone makes the head's whole rotation; empty where none or several do."""
    bones = [data.get("bone") for source, data in targets if source in ROTATION]
    return str(bones[0]) if len(bones) == len(ROTATION) and bones[0] and len(set(bones)) == 1 else ""


def side_of(name: str) -> str:
    """``left`` or ``right`` where a name says so, else empty."""
    return _sided(name).side


def amount_key(kind: str, source: str) -> str:
    """The member of a target that says how far it moves for a source value of 1."""
    if kind in (ShapeKey.kind, CustomProperty.kind):
        return "weight"
    if kind == BoneRotation.kind:
        return "degrees" if source in AU_NAMES else "degrees_per_degree"
    return "amount"


def swapped_sides(mapping: Mapping) -> Mapping:
    """The mapping for a rig whose names of left and right are swapped.

    A key or property is moved by the other side's source. A bone gives its targets to its twin, for their amounts hold
    for the side that it should be on. Sides then say the truth, so that ``combine`` stays.
    """
    twins = _twins(mapping)
    channels: dict[str, list[Target]] = {source: [] for source in SOURCES}
    for source, targets in mapping.channels.items():
        for target in targets:
            if isinstance(target, BoneTarget):
                bone, aliases = twins.get(target.bone, (target.bone, target.aliases))
                instead, _ = twins.get(target.instead_of or "", (target.instead_of, ()))
                channels[source].append(replace(target, bone=bone, aliases=aliases, instead_of=instead))
            else:
                channels[_other_side(source)].append(replace(target, side=_other_side(target.side)))
    return replace(
        mapping,
        channels={source: tuple(targets) for source, targets in channels.items() if targets},
        directions={name: bones[::-1] if name == "left" else bones for name, bones in mapping.directions.items()},
    )


def identifier_for(name: str, taken: Iterable[str] = ()) -> str:
    """An id, which is also a file's name everywhere, for a name in any script; numbered where it is taken."""
    words = re.sub(r"[^\w]+", "_", name.casefold()).strip("_")[:MAX_FILE_NAME].rstrip("_") or "mapping"
    base = f"{words}_rig" if RESERVED.fullmatch(words) else words
    taken, identifier, number = set(taken), base, 1
    while identifier in taken:
        number += 1
        identifier = f"{base[: MAX_FILE_NAME - 5]}_{number}"
    return identifier


def own_path(folder: Path, identifier: str) -> Path:
    """Where a mapping is saved in the artist's folder: in the file that has its id, else in one of no other mapping."""
    there, _ = load_folder(folder)
    held = (path for path, mapping in there.items() if mapping.id == identifier)
    free = identifier_for(identifier, (path.stem.casefold() for path in there))
    return next(held, folder / f"{free}.json")


def save_own(mapping: Mapping, folder: Path, overwrite: bool = False) -> Path:
    """Write a mapping into the artist's folder, which is made where it is missing. Returns the file.

    Raises:
        MappingExistsError: the file is there already, and ``overwrite`` was not said.
        MappingError: the file cannot be written.
        AddonError: the folder cannot be made.
    """
    path = own_path(folder, mapping.id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AddonError(
            "{folder}: the folder for own mappings cannot be made ({reason}). Name another one in the add-on's "
            "preferences.",
            folder=folder,
            reason=error.strerror or error,
        ) from error
    if path.exists() and not overwrite:
        raise MappingExistsError(
            "{path} is there already. Give the mapping another name, or agree to overwrite it.",
            path=path,
        )
    mapping.save(path)
    return path


def _fingerprint(keys: Iterable[str], bones: Iterable[str], properties: Iterable[str]) -> Fingerprint:
    return Fingerprint(shape_keys=_spread(keys), bones=_spread(bones), properties=_spread(properties))


def _spread(names: Iterable[str]) -> tuple[str, ...]:
    """At most :data:`FINGERPRINT_NAMES` of the names, from the first to the last."""
    usable = [name for name in dict.fromkeys(names) if name.strip()]
    step = max(1, -(-len(usable) // FINGERPRINT_NAMES))
    return tuple(usable[::step])


def _sided(name: str) -> Name:
    """A name normalised without its side, wherever that stands in it."""
    plain = normalise(name)
    found = None if plain.side else _SIDE.search(name)
    if not found:
        return plain
    start, end = found.span(found.lastindex or 0)
    return Name(normalise(name[:start] + name[end:]).stem, "left" if name[start] in "lL" else "right")


def _twins(mapping: Mapping) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Names, with their aliases, of the same bones on the other side, by the name of each sided target's bone."""
    sided = {
        _sided(target.bone): (target.bone, target.aliases)
        for targets in mapping.channels.values()
        for target in targets
        if isinstance(target, BoneTarget) and target.side
    }
    twins = {bone: sided.get(Name(name.stem, _other_side(name.side))) for name, (bone, _) in sided.items() if name.side}
    return {bone: twin for bone, twin in twins.items() if twin}


def _other_side(name: Any) -> Any:
    return name and name.replace("left", "#").replace("right", "left").replace("#", "right")
