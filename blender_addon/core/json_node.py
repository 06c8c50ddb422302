# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON read with its place at hand, so that every refusal can say where and why."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NoReturn

from .errors import MappingError
from .paths import shown

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 8
MAX_NAME: Final = 256
MAX_NUMBER: Final = 1_000_000
NO_FILE_NAME: Final = '<>:"/\\|?*'
"""What an id may not hold, as files are named after it."""

JOINERS: Final = "\u200c\u200d"
MAX_LINE: Final = 160


class Node:
    """One value of a JSON document: what it is and where it stands.

    Attributes:
        value: the plain Python value.
        where: the file's name.
        place: path inside the document, such as ``channels.AU12[0].weight``; empty for the whole.
    """

    def __init__(self, value: Any, where: str, place: str = "") -> None:
        self.value = value
        self.where = where
        self.place = place

    def fail(self, template: str, **values: object) -> NoReturn:
        """Raise a :class:`MappingError` for this place, which fills the field ``place``."""
        raise MappingError(template, place=str(self), **values)

    def __str__(self) -> str:
        return f"{self.where}: {self.place}" if self.place else self.where

    def members(self) -> dict[str, Node]:
        """The members of an object."""
        if not isinstance(self.value, dict):
            self.fail("{place}: an object {{…}} is expected, not {found}.", found=_describe(self.value))
        spelled = {key: key if key.isprintable() else repr(key) for key in self.value}
        return {
            key: Node(value, self.where, f"{self.place}.{spelled[key]}" if self.place else spelled[key])
            for key, value in self.value.items()
        }

    def items(self) -> list[Node]:
        """The items of a list."""
        if not isinstance(self.value, list):
            self.fail("{place}: a list […] is expected, not {found}.", found=_describe(self.value))
        return [Node(value, self.where, f"{self.place}[{i}]") for i, value in enumerate(self.value)]

    def text(self) -> str:
        """A text that is not empty."""
        if not isinstance(self.value, str) or not self.value.strip():
            self.fail("{place}: a text is expected, not {found}.", found=_describe(self.value))
        return self.value

    def name(self) -> str:
        """A name: a text of at most 256 characters."""
        if len(self.text()) > MAX_NAME:
            self.fail("{place}: a name has at most {most} characters.", most=MAX_NAME)
        return self.text()

    def line(self) -> str:
        """A name that can be shown: without line breaks and other control characters."""
        if not is_one_line(self.name()):
            self.fail("{place}: a text without line breaks and control characters is expected.")
        return self.name()

    def identifier(self) -> str:
        """A name that a file can have, and that leads to no other folder."""
        if any(letter in NO_FILE_NAME for letter in self.line()) or self.line().startswith("."):
            self.fail(
                "{place}: a name for files is expected: without {forbidden}, and not starting with a point.",
                forbidden=" ".join(NO_FILE_NAME),
            )
        return self.line()

    def names(self) -> tuple[str, ...]:
        """A list of names."""
        return tuple(item.name() for item in self.items())

    def pair(self) -> tuple[str, str]:
        """A list of two names."""
        names = self.names()
        if len(names) != 2:
            self.fail("{place}: two names are expected, not {count}.", count=len(names))
        return names[0], names[1]

    def number(self) -> float:
        """A finite number, at most a million either way."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.fail("{place}: a number is expected, not {found}.", found=_describe(self.value))
        try:
            number = float(self.value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.fail("{place}: the number is not finite.")
        if abs(number) > MAX_NUMBER:
            self.fail("{place}: the number lies beyond {most:,}.", most=MAX_NUMBER)
        return number

    def choice(self, options: Iterable[str]) -> str:
        """One of several words."""
        options = tuple(options)
        if not isinstance(self.value, str) or self.value not in options:
            self.fail(
                "{place}: one of {options} is expected, not {found}.",
                options=", ".join(options),
                found=_describe(self.value),
            )
        return self.value


def is_one_line(text: str) -> bool:
    """Whether a text has neither line breaks nor control characters. Persian and emoji need the two joiners."""
    return text.translate(dict.fromkeys(map(ord, JOINERS))).isprintable()


def read_json(path: Path) -> Node:
    """Read a JSON file of at most 1 MB and 8 levels.

    Raises:
        MappingError: it cannot be read, is too big or too deep, is not JSON, states a key twice, or holds what is no
            text.
    """
    where = shown(path)
    try:
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is no ordinary file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise MappingError("{file}: cannot be read ({reason}).", file=where, reason=error.strerror or error) from error
    if len(content) > MAX_BYTES:
        raise MappingError(
            "{file}: a mapping has at most {most} MB; this file is no mapping.", file=where, most=MAX_BYTES // 1_000_000
        )
    try:
        value = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise MappingError(
            "{file}: nested too deep; a mapping has at most {most} levels.", file=where, most=MAX_DEPTH
        ) from error
    except json.JSONDecodeError as error:
        raise MappingError(
            "{file}, line {line}, column {column}: not JSON ({reason}).",
            file=where,
            line=error.lineno,
            column=error.colno,
            reason=error.msg,
        ) from error
    except UnicodeEncodeError as error:
        half = shown(error.object[error.start])
        raise MappingError(
            "{file}: a text in it holds half a character ({half}). Write it whole.", file=where, half=half
        ) from error
    except ValueError as error:
        raise MappingError("{file}: not JSON ({reason}).", file=where, reason=error) from error
    return Node(value, where)


def check_depth(node: Node) -> None:
    """Refuse a document of more than 8 levels."""
    level = [node.value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
    if level:
        node.fail("{place}: nested too deep; a mapping has at most {most} levels.", most=MAX_DEPTH)


def format_json(value: Any, indent: str = "") -> str:
    """JSON text for people: what fits on a line stands on a line."""
    line = json.dumps(value, ensure_ascii=False)
    short = indent and len(indent) + len(line) <= MAX_LINE
    if short or not isinstance(value, dict | list) or not value:
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {format_json(item, inner)}" for key, item in value.items()]
        opening, closing = "{}"
    else:
        parts = [format_json(item, inner) for item in value]
        opening, closing = "[]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{closing}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return members


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a finite number")


def _describe(value: Any) -> str:
    words = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}
    if type(value) in words:
        return words[type(value)]
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"
