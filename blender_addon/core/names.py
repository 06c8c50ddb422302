# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of shape keys, bones and properties, compared as a person would: spelling, separators and sides forgiven."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

PREFIXES: Final = (
    r"AK_\d\d_",  # Microsoft Rocketbox, its ARKit set
    r"A\d\d_",  # Reallusion CC3 "Traditional", older Rocketbox
    r"!ex-",  # MPFB without its face service
    r"blendShape\d*\.",  # Maya's FBX export, VRM 0 clips
    r"\w+\.M_[A-Z]\d\d_\d{3}_(?:\d\d_)?",  # VRoid Studio's merged meshes
    r"mixamorig\d*:",
)
"""What exporters put before a name."""

_PREFIX: Final = re.compile("|".join(f"(?:{prefix})" for prefix in PREFIXES), re.IGNORECASE)
_NAMESPACE: Final = re.compile(r"^(?:.*:)?(?:[^.]*?(?:\.|__))?(?=[^.:]*[^\W\d_]{3})")
"""A mesh, a node or a figure before a name; what stays has three letters at least, so that it is no side or number."""

_SEPARATORS: Final = re.compile(r"[_.\-\s]+")
_SIDE: Final = re.compile(
    r"(?:(?i:left|right)|[_.\-\s][lrLR]|(?<=[a-z0-9])[LR])$",
)


class Name(NamedTuple):
    """A name without its accidents: letters and digits in one case, and the side that it ends in, if any."""

    stem: str
    side: str


@lru_cache(maxsize=8192)
def normalise(name: str, strip_prefix: bool = True) -> Name:
    """Forget case, width, ``_ . -`` and spaces, and turn a final ``_l``, ``.L``, ``Left`` and the like into a side.

    Args:
        name: as it stands on a rig or in a mapping.
        strip_prefix: also take away one of :data:`PREFIXES`.
    """
    name = unicodedata.normalize("NFKC", name)
    if strip_prefix:
        name = _PREFIX.sub("", name, count=1) if _PREFIX.match(name) else name
    name = name.strip("_.- ")
    side = ""
    token = _SIDE.search(name)
    if token and token.start() > 0:
        side = "left" if token.group().strip("_.- ")[0] in "lL" else "right"
        name = name[: token.start()]
    return Name(_SEPARATORS.sub("", name).casefold(), side)


def is_chosen(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a name is one of those, or fits a pattern (``*``, ``?``, ``[ab]``), in any case; always without any."""
    name = name.casefold()
    return not patterns or any(name == each or fnmatchcase(name, each) for each in map(str.casefold, patterns))


@lru_cache(maxsize=512)
def name_index(names: tuple[str, ...], pairs: bool = False) -> NameIndex:
    """A :class:`NameIndex` of these names, made once for all mappings that are held against a rig."""
    return NameIndex(names, pairs)


class NameIndex:
    """Names of one rig, ready to be looked up.

    A lookup tries the exact name, then the normalised one, then the one without a known prefix, then the rig's names
    without a mesh, node or figure before ``.``, ``:`` or ``__``. With ``pairs`` a name without side that is not there
    stands for its left and its right part, where both are.
    """

    def __init__(self, names: Iterable[str], pairs: bool = False) -> None:
        self.names = tuple(dict.fromkeys(names))
        self._pairs = pairs
        self._exact = {name: name for name in self.names}
        self._plain: dict[Name, str] = {}
        self._bare: dict[Name, str] = {}
        for name in self.names:
            self._plain.setdefault(normalise(name, strip_prefix=False), name)
            self._bare.setdefault(normalise(name), name)
        local = {normalise(_NAMESPACE.sub("", name)): name for name in reversed(self.names)}
        self._loose = local | self._bare

    def find(self, *wanted: str) -> tuple[str, ...]:
        """The names on the rig that the first of ``wanted`` with a match stands for: none, one, or a pair."""
        for name in wanted:
            found = self._exact.get(name) or self._plain.get(normalise(name, False)) or self._loose.get(normalise(name))
            if found:
                return (found,)
        if self._pairs:
            for name in wanted:
                stem = normalise(name).stem
                left, right = self._loose.get(Name(stem, "left")), self._loose.get(Name(stem, "right"))
                if left and right:
                    return left, right
        return ()

    def nearest(self, wanted: str, count: int = 3) -> tuple[str, ...]:
        """Up to ``count`` names on the rig that look most like ``wanted``, best first."""
        close = difflib.get_close_matches("".join(normalise(wanted)), self._spelled, count, 0.6)
        return tuple(self._spelled[spelling] for spelling in close)

    @cached_property
    def _spelled(self) -> dict[str, str]:
        return {"".join(name): spelling for name, spelling in self._bare.items()}
