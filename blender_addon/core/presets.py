# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleaning under a name, as a JSON file. Names may be in any script."""

from __future__ import annotations

import errno
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bdfm_infer.errors import BdfmError
from bdfm_infer.outputs import json_content, write_whole

from .cleaning import Cleaning
from .errors import AddonError
from .paths import is_text, json_files

FORMAT_VERSION: Final = 1
MAX_BYTES: Final = 100_000
MAX_NAME: Final = 60
_FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*.]|%(?=[0-9A-Fa-f]{2})')
"""What no file name may hold on one system or another; a dot would be a suffix, and a percent sign a code of ours."""
_CODE: Final = re.compile("%([0-9A-F]{2})")


class PresetError(AddonError):
    """A preset cannot be read or written; the message names the file and the reason."""

    code = "bad_preset"
    exit_code = 36


@dataclass(frozen=True)
class Preset:
    """Calibration, smoothing and edits under a name."""

    name: str
    cleaning: Cleaning

    def save(self, folder: Path) -> Path:
        """Write the preset; one of that name is replaced once the new one is whole.

        Raises:
            PresetError: it cannot be written.
        """
        path = preset_path(folder, self.name)
        data = {"format_version": FORMAT_VERSION, "name": self.name, "settings": self.cleaning.to_settings()}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, json_content(data))
        except OSError as error:
            raise PresetError(
                "{path} cannot be written: {reason}. Free some space, or allow writing there.",
                path=path,
                reason=error.strerror or error,
            ) from error
        return path

    @classmethod
    def load(cls, path: Path) -> Preset:
        """Read a preset.

        Raises:
            PresetError: it cannot be read, is too big, of a newer version, or not a preset.
        """
        try:
            if path.exists() and not path.is_file():
                raise OSError(errno.EINVAL, "it is no ordinary file")
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            data = json.loads(content.decode("utf-8-sig")) if len(content) <= MAX_BYTES else None
        except OSError as error:
            raise PresetError("{path} cannot be read: {reason}.", path=path, reason=error.strerror or error) from error
        except (ValueError, RecursionError) as error:
            raise PresetError("{path} is no preset: not JSON ({reason}).", path=path, reason=error) from error
        if not isinstance(data, dict) or data.get("format_version") != FORMAT_VERSION:
            raise PresetError(
                "{path} is no preset with format_version {supported}. Was it made by a newer version?",
                path=path,
                supported=FORMAT_VERSION,
            )
        try:
            return cls(str(data.get("name", path.stem)), Cleaning.from_settings(data.get("settings")))
        except BdfmError as error:
            raise PresetError("{path}: {reason}", path=path, reason=error) from error


def preset_path(folder: Path, name: str) -> Path:
    """The file of a preset; what a file name cannot hold becomes a code such as ``%2F``, so that names stay apart."""
    return folder / f"{_FORBIDDEN.sub(lambda found: f'%{ord(found[0]):02X}', name.strip()[:MAX_NAME])}.json"


def list_presets(folder: Path) -> list[str]:
    """Names of the presets in a folder, sorted; without those that Blender cannot hold."""
    return sorted(_name_of(path.stem) for path in json_files(folder) if is_text(path.stem))


def _name_of(stem: str) -> str:
    """The name whose file :func:`preset_path` calls so."""
    return _CODE.sub(lambda found: chr(int(found[1], 16)), stem)
