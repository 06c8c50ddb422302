# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between a take and a rig. Each message says what to do; ``blender.texts`` says it to the artist."""

from __future__ import annotations

from bdfm_infer.errors import BdfmError


class AddonError(BdfmError):
    """Base of all errors that the add-on raises on purpose."""

    code = "addon"
    exit_code = 30


class MappingError(AddonError):
    """A mapping file is refused; the message names the file, the place in it and the reason."""

    code = "bad_mapping"
    exit_code = 31


class NoMappingError(AddonError):
    """No mapping fits the names that a rig has, or nothing of the chosen one is on it."""

    code = "no_mapping"
    exit_code = 32


class FileNameError(AddonError):
    """A file or folder has a name that Blender cannot hold; the message shows it as far as can be."""

    code = "bad_name"
    exit_code = 42


class TimingError(AddonError):
    """A take and a scene give no key: no row with a face, or a frame rate that is not a positive number."""

    code = "no_keys"
    exit_code = 33
