# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mapping fits a rig, and which of the rig's names its targets stand for."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from .errors import NoMappingError
from .mapping import Mapping
from .names import is_chosen, name_index
from .rest import NotOnRigError, RestPose, measured_bones
from .rig import Bone, OwnerKind, Rig, Vector
from .targets import BoneLocation, BoneTarget, CustomProperty, ShapeKey, Target

MOST_COMPARED: Final = 50
"""The first so many missing names get their nearest ones; more of them are another rig, and comparing takes time."""


@dataclass(frozen=True)
class Fit:
    """How well a mapping fits a rig.

    Attributes:
        score: share of the fingerprint's names that the rig has, 0 to 1.
        found: how many names that are.
        fits: whether the score reaches the mapping's minimum.
    """

    mapping: Mapping
    score: float
    found: int = 0

    @property
    def fits(self) -> bool:
        return self.score >= self.mapping.fingerprint.minimum


@dataclass(frozen=True)
class ResolvedTarget:
    """A target and the place on the rig that it drives.

    Attributes:
        source: the action unit or head rotation that drives it.
        owner_kind, owner: the mesh object, pose bone, object or armature data-block.
        name: of the shape key or property; empty for bones.
        unit: what an amount of 1 is: a reference length, else 1.
        direction: (3,) unit vector of the axis along those of the bone; None for keys and properties.
    """

    source: str
    target: Target
    owner_kind: OwnerKind
    owner: str
    name: str = ""
    unit: float = 1.0
    direction: Vector | None = None


@dataclass(frozen=True)
class Missing:
    """A target that the rig does not have.

    Attributes:
        sources: what would have driven it.
        name: of the shape key, property or bone.
        reason: why it cannot be driven.
        nearest: names on the rig that look like it, best first.
    """

    sources: tuple[str, ...]
    kind: str
    name: str
    reason: str
    nearest: tuple[str, ...] = ()

    def __str__(self) -> str:
        hint = f" Nearest: {', '.join(self.nearest)}." if self.nearest else ""
        return f"{', '.join(self.sources)}: {self.reason}.{hint}"


@dataclass(frozen=True)
class Resolution:
    """A mapping laid over a rig.

    Attributes:
        targets: everything that will move, one entry for each mesh that has a key.
        missing: what the rig does not have.
    """

    mapping: Mapping
    rig: Rig
    targets: tuple[ResolvedTarget, ...]
    missing: tuple[Missing, ...] = field(default=())

    def report(self) -> list[str]:
        """What is missing, a line each."""
        return [str(missing) for missing in self.missing]


def fit(mapping: Mapping, rig: Rig) -> Fit:
    """How well a mapping's fingerprint fits a rig."""
    index = _RigIndex(mapping, rig)
    mark = mapping.fingerprint
    found = [index.has_key(name) for name in mark.shape_keys]
    found += [index.bone(name) is not None for name in mark.bones]
    found += [index.has_property(name) for name in mark.properties]
    return Fit(mapping, sum(found) / len(found), sum(found))


def score(mapping: Mapping, rig: Rig) -> float:
    """Share of the fingerprint's names that ``rig`` has, 0 to 1."""
    return fit(mapping, rig).score


def rank(mappings: Iterable[Mapping], rig: Rig) -> list[Fit]:
    """All mappings, the best first: by share of names, then by their number, then verified ones, then by name."""

    def order(fit: Fit) -> tuple[bool, float, int, bool, str]:
        return not fit.fits, -fit.score, -fit.found, fit.mapping.confidence != "verified", fit.mapping.name

    return sorted((fit(mapping, rig) for mapping in mappings), key=order)


def choose(mappings: Iterable[Mapping], rig: Rig, own: Collection[str] = ()) -> list[Fit]:
    """The mapping with the best score, and those that tie with it: the same share and number of names.

    Args:
        own: ids of the artist's own mappings. Where any of them ties, only they count: a copy of a mapping that ships
            has its names, and was made to be used instead.

    Raises:
        NoMappingError: none reaches its minimum; the message names the closest.
    """
    ranked = rank(mappings, rig)
    if not ranked:
        raise NoMappingError("There is no mapping file. Install the add-on again, or name a folder of mappings.")
    best = ranked[0]
    if not best.fits:
        raise _no_fit(best, rig)
    tied = [fit for fit in ranked if fit.fits and math.isclose(fit.score, best.score) and fit.found == best.found]
    return [fit for fit in tied if fit.mapping.id in own] or tied


def _no_fit(closest: Fit, rig: Rig) -> NoMappingError:
    """That no mapping fits, and what to do."""
    if not (any(rig.shape_keys.values()) or rig.bones or rig.properties):
        return NoMappingError(
            "{rig}: no mapping fits, for it has no shape keys, bones or custom properties. Select the character "
            "itself.",
            rig=rig.name,
        )
    if not closest.found:
        return NoMappingError(
            "{rig}: no mapping fits the names of this rig. Choose a mapping by hand, or make one with Capture Pose as "
            "AU.",
            rig=rig.name,
        )
    return NoMappingError(
        "{rig}: no mapping fits the names of this rig; the closest, {closest}, finds {share:.0%} of its names. Choose "
        "a mapping by hand, or make one with Capture Pose as AU.",
        rig=rig.name,
        closest=closest.mapping.name,
        share=closest.score,
    )


def resolve(mapping: Mapping, rig: Rig) -> Resolution:
    """Lay a mapping over a rig. Targets that are not there are listed, not refused.

    Raises:
        NoMappingError: nothing of the mapping is on the rig.
    """
    index = _RigIndex(mapping, rig)
    targets: list[ResolvedTarget] = []
    gaps: dict[tuple[str, str, str], list[str]] = {}
    for source, channel in mapping.channels.items():
        places, lacking = index.laid(source, channel)
        targets += places
        for target, reason in lacking:
            gaps.setdefault((target.kind, target.label, reason), []).append(source)
    if not targets:
        raise NoMappingError(
            "{rig}: nothing of the mapping {mapping} is on this rig. Choose another mapping, or make one with Capture "
            "Pose as AU.",
            rig=rig.name,
            mapping=mapping.name,
        )
    missing = tuple(
        Missing(
            tuple(dict.fromkeys(sources)), kind, name, why, index.nearest(kind, name) if place < MOST_COMPARED else ()
        )
        for place, ((kind, name, why), sources) in enumerate(gaps.items())
    )
    return Resolution(mapping, rig, tuple(targets), missing)


class _RigIndex:
    """The names of a rig, looked up as one mapping writes them."""

    def __init__(self, mapping: Mapping, rig: Rig) -> None:
        self.mapping = mapping
        self.rig = rig
        self.meshes = {mesh: name_index(keys, pairs=True) for mesh, keys in rig.shape_keys.items()}
        self.bones = name_index(tuple(rig.bones))
        self.owners = [(owner, name_index(owner.properties, pairs=True)) for owner in rig.properties]
        self.keys = name_index(tuple(key for keys in rig.shape_keys.values() for key in keys))
        self.properties = name_index(tuple(name for owner in rig.properties for name in owner.properties))
        self.rest = RestPose(mapping, {name: self.bone(name) for name in measured_bones(mapping)}, rig.bones)

    def wanted(self, name: str, aliases: tuple[str, ...] = ()) -> tuple[str, ...]:
        return (name, *aliases, *self.mapping.aliases.get(name, ()))

    def has_key(self, name: str) -> bool:
        return any(index.find(*self.wanted(name)) for index in self.meshes.values())

    def has_property(self, name: str) -> bool:
        return any(index.find(*self.wanted(name)) for _, index in self.owners)

    def bone_name(self, name: str, aliases: tuple[str, ...] = ()) -> str | None:
        return next(iter(self.bones.find(*self.wanted(name, aliases))), None)

    def bone(self, name: str) -> Bone | None:
        found = self.bone_name(name)
        return None if found is None else self.rig.bones[found]

    def nearest(self, kind: str, name: str) -> tuple[str, ...]:
        others = {ShapeKey.kind: self.keys, CustomProperty.kind: self.properties}
        return others.get(kind, self.bones).nearest(name)

    def laid(self, source: str, channel: Sequence[Target]) -> tuple[list[ResolvedTarget], list[tuple[Target, str]]]:
        """What the targets of a source drive, and those that the rig lacks, with the reason."""
        places: list[ResolvedTarget] = []
        lacking: list[tuple[Target, str]] = []
        for target in sorted(channel, key=lambda target: target.instead_of is not None):
            lacks = {each.label for each, _ in lacking}
            stands_in = target.instead_of in {each.label for each in channel}
            if stands_in and target.instead_of not in lacks:
                continue
            try:
                places += self.places(source, target)
            except NotOnRigError as reason:
                lacking += [] if stands_in else [(target, str(reason))]
        used = {place.target.instead_of for place in places}
        return places, [gap for gap in lacking if gap[0].label not in used]

    def places(self, source: str, target: Target) -> list[ResolvedTarget]:
        """Every place that a target drives.

        Raises:
            NotOnRigError: there is none.
        """
        if isinstance(target, ShapeKey):
            return self._shape_keys(source, target)
        if isinstance(target, CustomProperty):
            return self._properties(source, target)
        if isinstance(target, BoneTarget):
            return [self._bone_target(source, target)]
        raise TypeError(target)

    def _shape_keys(self, source: str, target: ShapeKey) -> list[ResolvedTarget]:
        found = [
            ResolvedTarget(source, target, "mesh", mesh, key)
            for mesh, index in self.meshes.items()
            if is_chosen(mesh, target.objects)
            for key in index.find(*self.wanted(target.name, target.aliases))
        ]
        if not found:
            raise NotOnRigError(f"no mesh has the shape key {target.name!r}")
        return found

    def _properties(self, source: str, target: CustomProperty) -> list[ResolvedTarget]:
        bone = self.bone_name(target.bone) if target.bone else None
        if target.bone and not bone:
            raise NotOnRigError(f"there is no bone {target.bone!r}")
        found = [
            ResolvedTarget(source, target, owner.kind, owner.name, name)
            for owner, index in self.owners
            if owner.kind == target.owner
            and (bone is None or owner.name == bone)
            and (owner.kind != "object" or is_chosen(owner.name, target.objects))
            for name in index.find(*self.wanted(target.name, target.aliases))
        ]
        if not found:
            raise NotOnRigError(f"there is no custom property {target.name!r}")
        return found

    def _bone_target(self, source: str, target: BoneTarget) -> ResolvedTarget:
        bone = self.bone_name(target.bone, target.aliases)
        if bone is None:
            raise NotOnRigError(f"there is no bone {target.bone!r}")
        unit = 1.0
        if isinstance(target, BoneLocation) and target.reference:
            unit = self.rest.length(target.reference)
        rest = self.rig.bones[bone]
        axes = rest.location_axes if isinstance(target, BoneLocation) else rest.matrix
        direction = self.rest.direction(target.axis, axes)
        return ResolvedTarget(source, target, "pose_bone", bone, unit=unit, direction=direction)
