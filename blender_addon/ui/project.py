# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of the file: paths that begin there, and takes that move with it.

Blender moves no path of an add-on's own along, neither where a file is saved elsewhere nor where a scene is appended.
Paths of takes are therefore kept from the root, beside the folder that the file was saved in.
"""

from __future__ import annotations

from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import bpy
from bpy.app.translations import pgettext_rpt as rpt_

from ..core.errors import AddonError
from ..core.paths import is_text, is_there


def absolute(path: str, library: bpy.types.Library | None = None) -> Path:
    """A path as Blender keeps it, perhaps relative to the file or to a library, as one from the root."""
    return Path(bpy.path.abspath(path, library=library)).absolute()


def located(path: str, library: bpy.types.Library | None = None) -> Path:
    """As :func:`absolute`, for a path that is about to be read or written.

    Raises:
        AddonError: it is relative to the file, which lies in no folder yet.
    """
    if path.startswith("//") and library is None and not bpy.data.filepath:
        raise AddonError(
            rpt_(
                "{path} begins in the folder of the file, which is not saved yet. Save it, or name another path."
            ).format(path=path)
        )
    return absolute(path, library)


@bpy.app.handlers.persistent
def remember_home(path: str, *_: object) -> None:
    """Before a file is saved: note in its scenes which folder it is saved in."""
    home = str(Path(path).parent) if path and is_text(path) else ""
    for scene in bpy.data.scenes:
        if scene.is_editable:
            scene.bdfm.home = home


def follow_home() -> None:
    """After a file was opened: where its folder has been moved or copied, its takes are those that came along."""
    here = Path(bpy.data.filepath).parent
    for scene in bpy.data.scenes if bpy.data.filepath else ():
        settings = scene.bdfm
        if settings.home and settings.home != str(here):
            owners = [
                (settings, "take"),
                (settings.cleaning, "take"),
                *((item, "path") for item in settings.batch.takes),
            ]
            for owner, name in owners:
                moved = _moved(getattr(owner, name), settings.home, here)
                if moved is not None and is_there(moved):
                    setattr(owner, name, str(moved))


def _moved(path: str, home: str, here: Path) -> Path | None:
    """Where a path in or below a folder would lie from another one; the folder may be of another system."""
    kind: type[PurePath] = PurePosixPath if home.startswith("/") else PureWindowsPath
    pure = kind(path)
    return here.joinpath(*pure.relative_to(home).parts) if pure.is_relative_to(home) else None
