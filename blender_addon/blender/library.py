# SPDX-License-Identifier: GPL-3.0-or-later
"""The mappings that a user has: those that ship, and those of a folder of the user's own."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from bpy.app.translations import pgettext_rpt as rpt_

from ..core.errors import MappingError, NoMappingError
from ..core.mapping import Mapping, load_folder
from ..core.matching import Fit, choose
from ..core.paths import changed_at, json_files
from ..core.rig import Rig

_PACKAGE = Path(__file__).resolve().parent.parent
SHIPPED = next(
    (folder for folder in (_PACKAGE / "rig_mappings", _PACKAGE.parent / "rig_mappings") if folder.is_dir()),
    _PACKAGE / "rig_mappings",
)
"""Inside the installed extension; beside the add-on's folder in a source tree."""

Stamp = tuple[tuple[Path, int | None], ...]
"""The files of a folder, and when each was changed last."""


@dataclass(frozen=True)
class Library:
    """Mappings by id, and why other files were refused.

    Attributes:
        own: ids of those in the folder of the user's own.
    """

    mappings: dict[str, Mapping]
    refused: tuple[MappingError, ...]
    own: frozenset[str] = frozenset()
    _chosen: dict[Hashable, list[Fit]] = field(default_factory=dict, compare=False, repr=False)

    def by_id(self, identifier: str) -> Mapping:
        """The mapping of that id.

        Raises:
            NoMappingError: there is none.
        """
        if identifier not in self.mappings:
            raise NoMappingError(
                rpt_(
                    "There is no mapping {identifier!r}. Choose one of {names}, or none, so that it is "
                    "chosen by the rig's names."
                ).format(identifier=identifier, names=", ".join(sorted(self.mappings)))
            )
        return self.mappings[identifier]

    def choose(self, rig: Rig) -> list[Fit]:
        """The mapping that fits a rig best, and those that tie with it. Rigs of the same names are looked at once.

        Raises:
            NoMappingError: none fits.
        """
        names = (
            tuple(rig.shape_keys.values()),
            tuple(rig.bones),
            tuple((owner.kind, owner.properties) for owner in rig.properties),
        )
        if names not in self._chosen:
            self._chosen[names] = choose(list(self.mappings.values()), rig, self.own)
        return self._chosen[names]


def load_library(own: Path | None = None) -> Library:
    """Read the mappings that ship and those of the folder ``own``, which win. Files are read again once changed."""
    folders = [SHIPPED, *([own] if own is not None else [])]
    return _load(tuple((folder, _stamp(folder)) for folder in folders))


@lru_cache(maxsize=2)
def _load(folders: tuple[tuple[Path, Stamp], ...]) -> Library:
    mappings: dict[str, Mapping] = {}
    refused: list[MappingError] = []
    own: frozenset[str] = frozenset()
    for folder, stamp in folders:
        found, bad = _read(folder, stamp)
        by_id = {mapping.id: mapping for mapping in found.values()}
        mappings |= by_id
        own = own if folder == SHIPPED else frozenset(by_id)
        refused += bad
    return Library(mappings, tuple(refused), own)


@lru_cache(maxsize=3)
def _read(folder: Path, stamp: Stamp) -> tuple[dict[Path, Mapping], list[MappingError]]:
    """The folder that ships is not read again each time the artist saves a mapping."""
    return load_folder(folder)


def _stamp(folder: Path) -> Stamp:
    return tuple((path, changed_at(path)) for path in json_files(folder))
