# SPDX-License-Identifier: MIT
"""What can go wrong, each with a stable code, an exit code for the command line, and a message that says what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


class BdfmError(Exception):
    """Base of all errors that this package raises on purpose.

    Its text is English. A translation is looked up by the template, and filled in with the same values.

    Args:
        template: a whole text for people with fields as of ``str.format``; without values it is taken as it is.
        values: of its fields: names, numbers, paths, or what another library says.

    Attributes:
        code: short stable name, as in the worker's JSON lines.
        exit_code: exit status of the command line, one for each kind of error.
    """

    code = "error"
    exit_code = 1

    def __init__(self, template: str, /, **values: object) -> None:
        super().__init__(template.format(**values) if values else template)
        self.template = template
        self.values = values

    def to_json(self) -> dict[str, Any]:
        """Plain data: ``code``, ``message`` (the text), ``template`` and ``values``, as texts where no numbers."""
        values = {name: value if _is_plain(value) else str(value) for name, value in self.values.items()}
        return {"code": self.code, "message": str(self), "template": self.template, "values": values}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BdfmError:
        """Out of :meth:`to_json`, whatever the kind was; where it is damaged, the message is all there is."""
        message = str(data.get("message", ""))
        try:
            error = cls(str(data["template"]), **data["values"])
        except Exception:  # a damaged template may raise anything
            return cls(message)
        return error if str(error) == message else cls(message)


class InputNotFoundError(BdfmError):
    """The input path or pattern names nothing."""

    code = "not_found"
    exit_code = 10


class NotAVideoError(BdfmError):
    """The file is neither a video nor an image that can be decoded."""

    code = "not_a_video"
    exit_code = 11


class NoVideoStreamError(BdfmError):
    """The container opens but holds no video."""

    code = "no_video_stream"
    exit_code = 12


class TruncatedVideoError(BdfmError):
    """The video breaks off; the rows done so far are kept."""

    code = "truncated"
    exit_code = 13


class EmptyFolderError(BdfmError):
    """The folder holds no image."""

    code = "empty_folder"
    exit_code = 14


class NoFaceError(BdfmError):
    """No frame of the input shows a face; the take is kept."""

    code = "no_face"
    exit_code = 15


class FrameTooSmallError(BdfmError):
    """The picture is smaller than 32 px."""

    code = "too_small"
    exit_code = 16


class WriteError(BdfmError):
    """An output file cannot be written (disk full, no permission); rows done so far are kept."""

    code = "write_failed"
    exit_code = 17


class TakeFormatError(BdfmError):
    """A take file cannot be read; the message names the line and the column."""

    code = "bad_take"
    exit_code = 18


class OutputExistsError(BdfmError):
    """The output would overwrite a file that was not asked for."""

    code = "output_exists"
    exit_code = 19


class WeightsError(BdfmError):
    """The network's files are missing or damaged."""

    code = "bad_weights"
    exit_code = 20


class CancelledError(BdfmError):
    """The run was stopped on request; the rows done so far are kept."""

    code = "cancelled"
    exit_code = 21


class NoFramesError(BdfmError):
    """The chosen stretch of the source holds no frame."""

    code = "no_frames"
    exit_code = 22


def stopped() -> CancelledError:
    """For a run that was ended by Ctrl-C where it keeps nothing."""
    return CancelledError("Stopped. Start the same command again to go on.")


def unexpected(error: Exception) -> BdfmError:
    """For what was not foreseen."""
    return BdfmError("Unexpected {kind}: {error}", kind=type(error).__name__, error=error)


def _is_plain(value: object) -> bool:
    """Whether a value is the same after JSON."""
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
