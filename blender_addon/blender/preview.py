# SPDX-License-Identifier: GPL-3.0-or-later
"""Values on a character without a keyframe and without a trace: what was there before is put back.

Only data-blocks are held on to, for Blender says when one of them is gone; what is in them is looked up each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..core.additive import property_values
from ..core.head import HeadPlacement, place_head
from ..core.mapping import Mapping
from ..core.matching import resolve
from ..core.retarget import Channel, retarget
from .rig import Character, places_of, read_rig

FloatArray = NDArray[np.float64]
Numbers = tuple[float | None, ...]
"""None stands for what is not there any more."""

_COLLECTIONS = {"OBJECT": "objects", "KEY": "shape_keys", "ARMATURE": "armatures"}
_GONE = (KeyError, ReferenceError, AttributeError, ValueError, IndexError, TypeError)
"""What Blender raises where a name leads nowhere any more."""


@dataclass
class _Value:
    """One number of Blender's data.

    Attributes:
        block: the data-block, found again by ``collection``, ``block_name`` and ``library`` where an undo replaced it.
        owner: RNA path from it to what holds the property; empty for the data-block itself.
        name: of the property.
        index: place in a vector, None for a single number.
        custom: whether it is a custom property.
    """

    block: bpy.types.ID
    owner: str
    name: str
    index: int | None
    custom: bool

    def __post_init__(self) -> None:
        self.collection = _COLLECTIONS[self.block.id_type]
        self.block_name = self.block.name
        self.library = self.block.library.filepath if self.block.library is not None else None

    def read(self) -> float:
        owner = self._owner()
        value = owner[self.name] if self.custom else getattr(owner, self.name)
        return float(value if self.index is None else value[self.index])

    def write(self, number: float) -> None:
        owner = self._owner()
        if self.custom:
            owner[self.name] = type(owner[self.name])(number)
            self.block.update_tag()  # a custom property tells nobody that it has changed
        elif self.index is None:
            setattr(owner, self.name, number)
        else:
            getattr(owner, self.name)[self.index] = number

    def _owner(self) -> Any:
        try:
            self.block_name = self.block.name
        except ReferenceError:
            self.block = getattr(bpy.data, self.collection)[self.block_name, self.library]
        return self.block.path_resolve(self.owner) if self.owner else self.block


class Preview:
    """Shows single moments of a performance on one character.

    Args:
        character, mapping, head: as for a bake.

    Raises:
        NoMappingError: nothing of the mapping is on the character.
    """

    def __init__(self, character: Character, mapping: Mapping, head: HeadPlacement = "MAPPED") -> None:
        self.name = character.name
        self._resolution = place_head(resolve(mapping, read_rig(character)), head)
        self._modes: dict[str, str] = {}
        if character.armature is not None:
            self._modes = {bone.name: bone.rotation_mode for bone in character.armature.pose.bones}
        rest = retarget(self._resolution, np.zeros((1, 26)))
        self._values = [value for channel in rest for value in _values_of(character, channel)]
        self._before: Numbers = ()
        self._shown: Numbers = ()
        self._last: Numbers = ()
        self._traces: dict[int, Numbers] = {}

    def show(self, values: FloatArray) -> None:
        """Put a moment of a performance, (26,), on the character; what stood there is remembered."""
        if not self._before:
            before = self._read()
            self._before = self._last if before == self._last else before
            self._last = self._before
        channels = retarget(self._resolution, values[None])
        self._write([float(number) for channel in channels for number in self._numbers(channel)])
        self._shown = self._read()  # what Blender made of it: 32 bits, within the slider's range
        self._traces[hash(self._shown)] = self._before

    def restore(self) -> None:
        """Put back what stood there. What was changed by hand since stays as it is."""
        pairs = zip(self._read(), self._shown, self._before, strict=False)
        self._write([before if now == shown else None for now, shown, before in pairs])
        self._before = self._shown = ()

    def clean(self) -> None:
        """After an undo: where the scene came back as it was while something was shown, put back what stood there."""
        self._before = self._shown = ()
        self._write(self._traces.get(hash(self._read()), ()))

    def _read(self) -> Numbers:
        found: list[float | None] = []
        for value in self._values:
            try:
                found.append(value.read())
            except _GONE:
                found.append(None)
        return tuple(found)

    def _write(self, numbers: Sequence[float | None]) -> None:
        for value, number in zip(self._values, numbers, strict=False):
            if number is not None:
                try:
                    value.write(number)
                except _GONE:
                    continue

    def _numbers(self, channel: Channel) -> FloatArray:
        return property_values(channel, self._modes.get(channel.owner, ""))[0]


def _values_of(character: Character, channel: Channel) -> Iterator[_Value]:
    for place in places_of(character, channel):
        custom = channel.kind == "custom_property"
        single = custom or channel.kind == "shape_key"
        owner, _, name = place.path.rpartition(".")
        if custom:
            name = channel.name
            owner = place.path.removesuffix(f'["{bpy.utils.escape_identifier(name)}"]')
        yield _Value(place.id_block, owner, name, None if single else place.index, custom)
