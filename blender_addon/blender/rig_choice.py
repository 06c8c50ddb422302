# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mapping a character is baked with: the one chosen for it, the scene's, or the one that fits its names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Object

from ..core.errors import AddonError, NoMappingError
from ..core.mapping import Mapping
from ..core.matching import Fit, fit
from ..core.rig import Rig
from .library import Library
from .rig import Character
from .texts import artist_text

PROPERTY = "bdfm_mapping"
"""Custom property of a character's top object: the id of the mapping chosen for it."""

listeners: list[Callable[[], None]] = []
"""Called when the artist chooses a mapping for a character."""


class ChoiceError(AddonError):
    """A choice cannot be kept on a character; the message names the reason and the way out."""

    code = "choice_refused"
    exit_code = 40


@dataclass(frozen=True)
class Choice:
    """The mapping of one character.

    Attributes:
        fits: the chosen mapping first, then those that tie with it; empty where there is none.
        reason: why there is none.
        by_hand: it was named for the character or the scene, whatever its score.
    """

    character: Character
    fits: tuple[Fit, ...]
    reason: str = ""
    by_hand: bool = False

    @property
    def mapping(self) -> Mapping:
        """The chosen one.

        Raises:
            NoMappingError: there is none; the message says why.
        """
        if not self.fits:
            raise NoMappingError(self.reason)
        return self.fits[0].mapping


def chosen_id(character: Character) -> str:
    """Id of the mapping chosen for a character; empty: none was."""
    value = character.top.get(PROPERTY, "")
    return value if isinstance(value, str) else ""


def choose_for(character: Character, identifier: str) -> None:
    """Keep the choice of a mapping with a character; an empty id leaves it to the character's names again.

    Raises:
        ChoiceError: its top object is linked from a library, where Blender would lose it.
    """
    reason = why_not_kept(character.top)
    if reason:
        raise ChoiceError(reason)
    if identifier:
        character.top[PROPERTY] = identifier
    elif PROPERTY in character.top:
        del character.top[PROPERTY]
    for listener in listeners:
        listener()


def why_not_kept(top: Object) -> str:
    """Why nothing can be kept with the character of this top object, and what to do; empty where it can."""
    if top.library is None:
        return ""
    return rpt_("{name!r} is linked from a library, so Blender would lose the choice. Make a library override.").format(
        name=top.name
    )


def choice_of(character: Character, rig: Rig, library: Library, for_all: str = "") -> Choice:
    """The mapping that a character is baked with.

    Args:
        rig: what :func:`.rig.read_rig` read from it.
        for_all: id of the mapping named for the whole scene; the character's own comes before it.
    """
    identifier = chosen_id(character) or for_all
    try:
        if identifier:
            return Choice(character, (fit(library.by_id(identifier), rig),), by_hand=True)
        return Choice(character, tuple(library.choose(rig)))
    except NoMappingError as error:
        return Choice(character, (), artist_text(error))
