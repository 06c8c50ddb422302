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

from ..core.additive import all_property_values
from ..core.gains import Gains, strengthened
from ..core.head import HeadPlacement
from ..core.mapping import Mapping
from ..core.retarget import Channel, Retargeting
from ..core.timing import Keys, between
from .gains import gains_of
from .neck import placed
from .rig import Character, places_of

FloatArray = NDArray[np.float64]
Numbers = tuple[float | None, ...]
"""None stands for what is not there any more, or is no number any more."""

TABLE = 100
"""Frames that are worked out at once; numpy takes hardly longer for them than for one."""

_COLLECTIONS = {"OBJECT": "objects", "KEY": "shape_keys", "ARMATURE": "armatures"}
_GONE = (KeyError, AttributeError, IndexError, TypeError)
"""What Blender raises where a name leads nowhere any more."""


class _Block:
    """A data-block, found again by its name where an undo replaced it."""

    def __init__(self, block: bpy.types.ID) -> None:
        self._block = block
        self._collection = _COLLECTIONS[block.id_type]
        self._name = block.name
        self._library = block.library.filepath if block.library is not None else None

    def find(self) -> Any:
        """The data-block now; None where it is gone."""
        try:
            self._name = self._block.name
        except ReferenceError:
            try:
                self._block = getattr(bpy.data, self._collection)[self._name, self._library]
            except KeyError:
                return None
        return self._block


@dataclass
class _Value:
    """One number of Blender's data.

    Attributes:
        block: the data-block.
        owner: RNA path from it to what holds the property; empty for the data-block itself.
        name: of the property.
        index: place in a vector, None for a single number.
        custom: whether it is a custom property.
    """

    block: _Block
    owner: str
    name: str
    index: int | None
    custom: bool

    def find(self) -> Any:
        """What holds the property now; None where it is gone."""
        block = self.block.find()
        try:
            return block.path_resolve(self.owner) if self.owner and block is not None else block
        except ValueError:
            return None

    def read(self, owner: Any) -> float | None:
        """The number; None where the property is gone or holds something else."""
        try:
            value = owner[self.name] if self.custom else getattr(owner, self.name)
            number = value if self.index is None else value[self.index]
            return float(number) if isinstance(number, int | float) else None
        except _GONE:
            return None

    def write(self, owner: Any, number: float | None) -> None:
        """Change the number, where there is one."""
        if number is None:
            return
        try:
            if self.custom:
                kind = type(owner[self.name])
                if not issubclass(kind, int | float):
                    return
                owner[self.name] = kind(number)
                owner.id_data.update_tag()  # a custom property tells nobody that it has changed
            elif self.index is None:
                setattr(owner, self.name, number)
            else:
                getattr(owner, self.name)[self.index] = number
        except _GONE:
            return


@dataclass(frozen=True)
class _Table:
    """Numbers (m, k) of whole frames from ``first`` on."""

    keys: Keys
    gains: Gains
    first: int
    numbers: FloatArray

    def holds(self, keys: Keys, gains: Gains, frame: float) -> bool:
        inside = frame == int(frame) and 0 <= frame - self.first < len(self.numbers)
        return inside and self.keys is keys and self.gains == gains


class Preview:
    """Shows moments of a performance on one character.

    Args:
        character, mapping, head: as for a bake.

    Raises:
        NoMappingError: nothing of the mapping is on the character, or is left of it.
    """

    def __init__(self, character: Character, mapping: Mapping, head: HeadPlacement) -> None:
        self._top = _Block(character.top)
        self._retargeting = Retargeting(placed(character, mapping, head))
        rest = self._retargeting.channels(np.zeros((1, 26)))
        bones = character.armature.pose.bones if character.armature is not None else {}
        self._modes = [bones[at.owner].rotation_mode if at.kind == "bone_rotation" else "" for at in rest]
        self._values = [value for channel in rest for value in _values_of(character, channel)]
        self._before: Numbers = ()
        self._shown: Numbers = ()
        self._last: Numbers = ()
        self._traces: dict[int, Numbers] = {}
        self._table: _Table | None = None

    @property
    def top(self) -> Any:
        """The character's top object now; None where it is gone."""
        return self._top.find()

    def numbers_at(self, keys: Keys, frame: float, tabled: bool) -> FloatArray:
        """What a bake of these keys would make of the character at a frame of the scene, (k,).

        Args:
            tabled: work out all whole frames about this one at once, and take the next ones from there.
        """
        gains = gains_of(self.top)
        held = self._table is not None and self._table.holds(keys, gains, frame)
        if tabled and not held and frame == int(frame):
            first = int(frame) - TABLE // 2
            self._table = _Table(keys, gains, first, self._numbers(keys, np.arange(first, first + TABLE), gains))
            held = True
        if self._table is not None and held:
            return self._table.numbers[int(frame) - self._table.first]
        return self._numbers(keys, np.array([frame]), gains)[0]

    def show(self, numbers: FloatArray) -> None:
        """Put one moment, (k,) of :meth:`numbers`, on the character; what stood there is remembered."""
        owners = self._owners()
        if not self._before:
            before = self._read(owners)
            self._before = self._last if before == self._last else before
            self._last = self._before
        self._write(owners, numbers.tolist())
        self._shown = self._read(owners)  # what Blender made of it: 32 bits, within the slider's range
        self._traces[hash(self._shown)] = self._before

    def restore(self) -> None:
        """Put back what stood there. What was changed by hand since stays as it is."""
        if not self._before:
            return
        owners = self._owners()
        moments = zip(self._read(owners), self._shown, self._before, strict=True)
        self._write(owners, [before if now == shown else None for now, shown, before in moments])
        self._before = self._shown = ()

    def clean(self, was_on: bool) -> None:
        """After an undo: where the scene came back as it was while something was shown, put back what stood there.

        Args:
            was_on: whether this preview was on in the scene that came back.
        """
        self._before = self._shown = ()
        if was_on:
            owners = self._owners()
            before = self._traces.get(hash(self._read(owners)))
            if before is not None:
                self._write(owners, before)

    def _numbers(self, keys: Keys, frames: NDArray[Any], gains: Gains) -> FloatArray:
        """What F-curves with these keys would say at frames (m,): (m, k)."""
        before, after, share = keys.around(frames)
        first = before.min()
        channels = self._retargeting.channels(strengthened(keys.values[first : after.max() + 1], gains))
        numbers = np.concatenate(all_property_values(channels, self._modes), axis=1)
        return between(numbers, before - first, after - first, share)

    def _owners(self) -> list[Any]:
        return [value.find() for value in self._values]

    def _read(self, owners: Sequence[Any]) -> Numbers:
        return tuple(value.read(owner) for value, owner in zip(self._values, owners, strict=True))

    def _write(self, owners: Sequence[Any], numbers: Sequence[float | None]) -> None:
        for value, owner, number in zip(self._values, owners, numbers, strict=True):
            value.write(owner, number)


def _values_of(character: Character, channel: Channel) -> Iterator[_Value]:
    for place in places_of(character, channel):
        custom = channel.kind == "custom_property"
        single = custom or channel.kind == "shape_key"
        owner, _, name = place.path.rpartition(".")
        if custom:
            name = channel.name
            owner = place.path.removesuffix(f'["{bpy.utils.escape_identifier(name)}"]')
        yield _Value(_Block(place.id_block), owner, name, None if single else place.index, custom)
